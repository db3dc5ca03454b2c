//! What can be done with containers that exist.

use keelbox_engine::{Action, Roots};
use napi::bindgen_prelude::{AsyncTask, Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::convert::{or_throw, read};
use crate::images::EngineTask;

/// Does one thing with one container, on this thread.
#[napi(ts_args_type = "action: object", ts_return_type = "unknown")]
pub fn act<'env>(env: &'env Env, action: Object<'env>) -> Result<Unknown<'env>> {
    let action: Action = read(env, action)?;
    let done = Roots::of_caller().and_then(|roots| keelbox_engine::act(&roots, action));
    env.to_js_value(&or_throw(env, done)?)
}

/// Does one thing with one container, on a thread of Node's pool.
#[napi(ts_args_type = "action: object", ts_return_type = "Promise<unknown>")]
pub fn act_later(env: &Env, action: Object<'_>) -> Result<AsyncTask<EngineTask>> {
    let action: Action = read(env, action)?;
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::act(roots, action)
    }))
}
