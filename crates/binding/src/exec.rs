//! Commands in containers that run.

use keelbox_engine::{ExecRequest, Roots};
use keelbox_process::send;
use keelbox_supervisor::protocol::Request;
use napi::bindgen_prelude::{AsyncTask, Function, Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::convert::{or_throw, read};
use crate::start::{HANDLES, StartTask, prepared, told};

/// Starts a command in a container, on the caller's stdio. Blocks.
#[napi(ts_args_type = "request: object", ts_return_type = "object")]
pub fn exec_prepare<'env>(env: &'env Env, request: Object<'env>) -> Result<Unknown<'env>> {
    let request: ExecRequest = read(env, request)?;
    prepared(
        env,
        Roots::of_caller().and_then(|roots| keelbox_engine::exec(&roots, &request)),
    )
}

/// Starts a command without a client. Blocks until it runs.
#[napi(ts_args_type = "request: object", ts_return_type = "object")]
pub fn exec_detached<'env>(env: &'env Env, request: Object<'env>) -> Result<Unknown<'env>> {
    let request: ExecRequest = read(env, request)?;
    let started =
        Roots::of_caller().and_then(|roots| keelbox_engine::exec_detached(&roots, &request));
    told(env, or_throw(env, started)?, 0)
}

/// Starts a command off the JavaScript thread; calls `onEvent` once, when it has ended.
#[napi(
    ts_args_type = "request: object, onEvent: (event: object) => void",
    ts_return_type = "Promise<object>"
)]
pub fn exec_start<'env>(
    env: &'env Env,
    request: Object<'env>,
    on_event: Function<'env, Unknown<'static>, Unknown<'static>>,
) -> Result<AsyncTask<StartTask>> {
    let request: ExecRequest = read(env, request)?;
    let begin = move |roots: &Roots| keelbox_engine::exec(roots, &request);
    StartTask::begin(begin, &on_event, false)
}

/// Gives the terminal of a container or command that was started here another size. False: it is gone already.
#[napi(ts_args_type = "handle: number, size: {columns: number, rows: number}")]
pub fn resize(handle: u32, size: Object<'_>) -> Result<bool> {
    let side = |name: &str| -> Result<u16> {
        let number = size.get::<u32>(name)?.unwrap_or(0);
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    };
    let (columns, rows) = (side("columns")?, side("rows")?);
    Ok(HANDLES.with_control(handle, |control| {
        send(control, &Request::Resize { columns, rows }, &[]).is_ok()
    }))
}
