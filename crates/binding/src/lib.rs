//! The addon: converts arguments, results and errors between Node and the engine. Decides nothing.

pub mod attach;
pub mod containers;
mod convert;
pub mod exec;
pub mod export;
pub mod files;
pub mod images;
pub mod journal;
mod start;
pub mod volumes;

use keelbox_engine::{Removal, Roots, StepDone};
use keelbox_process::send;
use keelbox_spec::request::RunRequest;
use keelbox_supervisor::protocol::Request;
use napi::bindgen_prelude::{AsyncTask, Function, Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use convert::{or_throw, read};
use start::{HANDLES, StartTask, prepared};

/// Makes and starts a container on the caller's stdio; calls `onStep` for each step when `explain` is set. Blocks.
#[napi(
    ts_args_type = "request: object, onStep?: (step: object) => void",
    ts_return_type = "object"
)]
pub fn prepare<'env>(
    env: &'env Env,
    request: Object<'env>,
    on_step: Option<Function<'env, Unknown<'env>, Unknown<'env>>>,
) -> Result<Unknown<'env>> {
    let request: RunRequest = read(env, request)?;
    let mut tell = |step: StepDone| {
        if let Some(on_step) = &on_step
            && let Ok(step) = env.to_js_value(&step)
        {
            // What the callback throws is the caller's own; the container is started all the same.
            let _ = on_step.call(step);
        }
    };
    prepared(
        env,
        Roots::of_caller().and_then(|roots| keelbox_engine::start(&roots, &request, &mut tell)),
    )
}

/// Replaces this process by the attach client of a container that `prepare` started. Never returns on success.
#[napi(
    ts_args_type = "handle: number, options?: object",
    ts_return_type = "never"
)]
pub fn attach(env: &Env, handle: u32, options: Option<Object<'_>>) -> Result<()> {
    let options = options.map(|options| read(env, options)).transpose()?;
    let Some(running) = HANDLES.take(handle) else {
        return Err(convert::gone());
    };
    or_throw(
        env,
        Err(keelbox_engine::attach(
            running,
            &options.unwrap_or_default(),
        )),
    )
}

/// Makes and starts a container off the JavaScript thread; calls `onEvent` once, when it has ended.
#[napi(
    ts_args_type = "request: object, onEvent: (event: object) => void",
    ts_return_type = "Promise<object>"
)]
pub fn start<'env>(
    env: &'env Env,
    request: Object<'env>,
    on_event: Function<'env, Unknown<'static>, Unknown<'static>>,
) -> Result<AsyncTask<StartTask>> {
    let request: RunRequest = read(env, request)?;
    let stays = request.life.stays;
    let begin = move |roots: &Roots| keelbox_engine::start(roots, &request, &mut |_| {});
    StartTask::begin(begin, &on_event, stays)
}

/// Sends a signal to the container's first process. False: it is gone already.
#[napi]
pub fn signal(handle: u32, signal: i32) -> bool {
    HANDLES.with_control(handle, |control| {
        send(control, &Request::Signal(signal), &[]).is_ok()
    })
}

/// The plan of a request; makes nothing.
#[napi(ts_args_type = "request: object", ts_return_type = "object")]
pub fn plan<'env>(env: &'env Env, request: Object<'env>) -> Result<Unknown<'env>> {
    let request: RunRequest = read(env, request)?;
    let plan = Roots::of_caller().and_then(|roots| keelbox_engine::plan(&roots, &request));
    env.to_js_value(&or_throw(env, plan)?)
}

/// The containers, the newest first; those that have ended only with `all`.
#[napi(ts_args_type = "options: {all: boolean}", ts_return_type = "object[]")]
pub fn list<'env>(env: &'env Env, options: Object<'env>) -> Result<Unknown<'env>> {
    let all = options.get::<bool>("all")?.unwrap_or(false);
    let found = Roots::of_caller().and_then(|roots| keelbox_engine::list(&roots, all));
    env.to_js_value(&or_throw(env, found)?)
}

/// Removes a container by name, id or the beginning of one id alone; answers its id.
#[napi(ts_args_type = "reference: string, options: {force: boolean, volumes?: boolean}")]
pub fn remove(env: &Env, reference: String, options: Object<'_>) -> Result<String> {
    let removal = Removal {
        force: options.get::<bool>("force")?.unwrap_or(false),
        volumes: options.get::<bool>("volumes")?.unwrap_or(false),
    };
    or_throw(
        env,
        Roots::of_caller().and_then(|roots| keelbox_engine::remove(&roots, &reference, removal)),
    )
}

/// What keelbox has found on this machine.
#[napi(ts_return_type = "object")]
pub fn info<'env>(env: &'env Env) -> Result<Unknown<'env>> {
    let report = Roots::of_caller().and_then(|roots| keelbox_engine::info(&roots));
    env.to_js_value(&or_throw(env, report)?)
}
