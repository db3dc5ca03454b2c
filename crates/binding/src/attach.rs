//! Being the client of a container that is there.

use keelbox_engine::{AttachRequest, ClientOptions, Roots};
use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use serde::Serialize;

use crate::convert::{or_throw, read};
use crate::start::HANDLES;

#[derive(Serialize)]
struct Prepared {
    handle: u32,
    id: String,
    name: String,
}

/// Refuses what a user wrote about a client and means nothing, before there is anything to be the client of.
#[napi(ts_args_type = "options: object")]
pub fn check_client(env: &Env, options: Object<'_>) -> Result<()> {
    let options: ClientOptions = read(env, options)?;
    or_throw(env, options.check())
}

/// Gets ready to be the client of a container: one that runs, or one that is started for it. Then `attach`.
#[napi(ts_args_type = "options: object", ts_return_type = "object")]
pub fn prepare_attach<'env>(env: &'env Env, options: Object<'env>) -> Result<Unknown<'env>> {
    let request: AttachRequest = read(env, options)?;
    let running =
        Roots::of_caller().and_then(|roots| keelbox_engine::prepare_attach(&roots, &request));
    let running = or_throw(env, running)?;
    let (id, name) = (running.started.id.clone(), running.started.name.clone());
    let handle = HANDLES.keep(running);
    env.to_js_value(&Prepared { handle, id, name })
}
