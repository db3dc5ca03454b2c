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
