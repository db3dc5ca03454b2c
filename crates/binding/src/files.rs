//! The files of containers.

use std::os::fd::IntoRawFd;

use keelbox_engine::{CommitRequest, CopyRequest, FileCall, FileResult, Roots};
use napi::bindgen_prelude::{AsyncTask, Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::convert::{or_throw, read};
use crate::images::EngineTask;

/// What a container has changed in its files, by path.
#[napi(ts_return_type = "Promise<object[]>")]
pub fn diff_container(reference: String) -> Result<AsyncTask<EngineTask>> {
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::diff(roots, &reference)
    }))
}

/// What the last layer of an image has changed in those below it, by path.
#[napi(ts_return_type = "Promise<object[]>")]
pub fn diff_image(reference: String) -> Result<AsyncTask<EngineTask>> {
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::diff_image(roots, &reference)
    }))
}

/// Makes an image of a container.
#[napi(ts_args_type = "request: object", ts_return_type = "Promise<object>")]
pub fn commit_container(env: &Env, request: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let request: CommitRequest = read(env, request)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::commit(roots, &request)
    }))
}

/// Copies files between a container and this machine. Lines about what was left out.
#[napi(ts_args_type = "request: object", ts_return_type = "Promise<string[]>")]
pub fn copy(env: &Env, request: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let request: CopyRequest = read(env, request)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::copy(roots, &request)
    }))
}

/// Makes one call on the files of a container. An fd is the caller's to close.
#[napi(
    ts_args_type = "reference: string, call: object",
    ts_return_type = "Promise<unknown>"
)]
pub fn files(env: &Env, reference: String, call: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let call: FileCall = read(env, call)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::files(roots, &reference, &call).map(|result| match result {
            FileResult::File(file) => file.into_raw_fd().into(),
            FileResult::Value(value) => value,
        })
    }))
}

/// The processes of a running container.
#[napi(ts_return_type = "object")]
pub fn top(env: &Env, reference: String, descriptors: Vec<String>) -> Result<Unknown<'_>> {
    let found =
        Roots::of_caller().and_then(|roots| keelbox_engine::top(&roots, &reference, &descriptors));
    env.to_js_value(&or_throw(env, found)?)
}
