//! Images. What takes long runs off the JavaScript thread.

use keelbox_engine::Roots;
use keelbox_spec::failure::{Code, Failure};
use napi::bindgen_prelude::{AsyncTask, Object, Unknown};
use napi::{Env, Result, Task};
use napi_derive::napi;
use serde::Serialize;

use crate::convert::{or_throw, read};

type Work = Box<dyn FnOnce(&Roots) -> std::result::Result<serde_json::Value, Failure> + Send>;

/// One call of the engine on a thread of Node's pool.
pub struct EngineTask {
    work: Option<Work>,
}

impl EngineTask {
    /// Runs `work` there; its answer as plain values.
    pub(crate) fn start<T: Serialize>(
        work: impl FnOnce(&Roots) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> AsyncTask<Self> {
        let work: Work = Box::new(|roots| {
            let answer = work(roots)?;
            serde_json::to_value(answer)
                .map_err(|error| Failure::new(Code::Internal, error.to_string()))
        });
        AsyncTask::new(Self { work: Some(work) })
    }
}

impl Task for EngineTask {
    type Output = std::result::Result<serde_json::Value, Failure>;
    type JsValue = Unknown<'static>;

    fn compute(&mut self) -> Result<Self::Output> {
        let Some(work) = self.work.take() else {
            return Ok(Ok(serde_json::Value::Null));
        };
        Ok(Roots::of_caller().and_then(|roots| work(&roots)))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<Self::JsValue> {
        env.to_js_value(&or_throw(&env, output)?)
    }
}

/// The images, in no order.
#[napi(ts_return_type = "object[]")]
pub fn image_list(env: &Env) -> Result<Unknown<'_>> {
    let found = Roots::of_caller().and_then(|roots| keelbox_engine::images(&roots));
    env.to_js_value(&or_throw(env, found)?)
}

/// Loads every image of an archive or directory, or none.
#[napi(ts_args_type = "request: object", ts_return_type = "Promise<object[]>")]
pub fn image_load(env: &Env, request: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let loading: keelbox_engine::Loading = read(env, request)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::load(roots, &loading)
    }))
}

/// Makes an image of a root directory's tar; its id.
#[napi(ts_args_type = "request: object", ts_return_type = "Promise<string>")]
pub fn image_import(env: &Env, request: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let importing: keelbox_engine::Importing = read(env, request)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::import(roots, &importing)
    }))
}

/// Writes images to an archive or directory.
#[napi(ts_args_type = "request: object", ts_return_type = "Promise<void>")]
pub fn image_save(env: &Env, request: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let saving: keelbox_engine::Saving = read(env, request)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::save(roots, &saving)
    }))
}

/// Everything about one image.
#[napi(ts_return_type = "object")]
pub fn image_describe(env: &Env, reference: String) -> Result<Unknown<'_>> {
    let described =
        Roots::of_caller().and_then(|roots| keelbox_engine::describe_image(&roots, &reference));
    env.to_js_value(&or_throw(env, described)?)
}

/// Removes an image, or one of its names; answers what went.
#[napi(
    ts_args_type = "reference: string, options: {force: boolean}",
    ts_return_type = "object"
)]
pub fn image_remove<'env>(
    env: &'env Env,
    reference: String,
    options: Object<'env>,
) -> Result<Unknown<'env>> {
    let force = options.get::<bool>("force")?.unwrap_or(false);
    let removed = Roots::of_caller()
        .and_then(|roots| keelbox_engine::remove_image(&roots, &reference, force));
    env.to_js_value(&or_throw(env, removed)?)
}

/// Removes images that nothing uses: of `ids` when there are some, else all; answers what went.
#[napi(
    ts_args_type = "options: {all: boolean, ids?: string[]}",
    ts_return_type = "object"
)]
pub fn image_prune<'env>(env: &'env Env, options: Object<'env>) -> Result<Unknown<'env>> {
    let all = options.get::<bool>("all")?.unwrap_or(false);
    let ids = options.get::<Vec<String>>("ids")?;
    let removed = Roots::of_caller()
        .and_then(|roots| keelbox_engine::prune_images(&roots, all, ids.as_deref()));
    env.to_js_value(&or_throw(env, removed)?)
}

/// Gives an image another name.
#[napi]
pub fn image_tag(env: &Env, reference: String, name: String) -> Result<()> {
    or_throw(
        env,
        Roots::of_caller().and_then(|roots| keelbox_engine::tag_image(&roots, &reference, &name)),
    )
}

/// Takes names from an image, without names all of them; answers what went.
#[napi]
pub fn image_untag(env: &Env, reference: String, names: Vec<String>) -> Result<Vec<String>> {
    or_throw(
        env,
        Roots::of_caller()
            .and_then(|roots| keelbox_engine::untag_image(&roots, &reference, &names)),
    )
}

/// Looks at everything in the store; answers what is not as it should be.
#[napi(
    ts_args_type = "options: {quick: boolean, repair: boolean}",
    ts_return_type = "Promise<object[]>"
)]
pub fn store_check(options: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let options = keelbox_engine::CheckOptions {
        quick: options.get::<bool>("quick")?.unwrap_or(false),
        repair: options.get::<bool>("repair")?.unwrap_or(false),
    };
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::check(roots, options)
    }))
}
