//! Volumes.

use std::path::PathBuf;

use keelbox_engine::Roots;
use keelbox_spec::request::VolumeSettings;
use napi::bindgen_prelude::{AsyncTask, Object, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::convert::{or_throw, read};
use crate::images::EngineTask;

/// Makes a volume; answers its name. Without a name it gets one of 64 hex digits.
#[napi(ts_args_type = "name: string | undefined, settings: object")]
pub fn create_volume(env: &Env, name: Option<String>, settings: Object<'_>) -> Result<String> {
    let settings: VolumeSettings = read(env, settings)?;
    let made = Roots::of_caller()
        .and_then(|roots| keelbox_engine::create_volume(&roots, name.as_deref(), &settings));
    or_throw(env, made)
}

/// All volumes, by name.
#[napi(ts_return_type = "object[]")]
pub fn list_volumes<'env>(env: &'env Env) -> Result<Unknown<'env>> {
    let found = Roots::of_caller().and_then(|roots| keelbox_engine::list_volumes(&roots));
    env.to_js_value(&or_throw(env, found)?)
}

/// One volume, by its whole name.
#[napi(ts_return_type = "object")]
pub fn inspect_volume<'env>(env: &'env Env, name: String) -> Result<Unknown<'env>> {
    let found = Roots::of_caller().and_then(|roots| keelbox_engine::inspect_volume(&roots, &name));
    env.to_js_value(&or_throw(env, found)?)
}

/// Removes a volume; with `force` one that is not there is no error.
#[napi(ts_args_type = "name: string, options: {force: boolean}")]
pub fn remove_volume(env: &Env, name: String, options: Object<'_>) -> Result<()> {
    let force = options.get::<bool>("force")?.unwrap_or(false);
    let removed =
        Roots::of_caller().and_then(|roots| keelbox_engine::remove_volume(&roots, &name, force));
    or_throw(env, removed)
}

/// Removes volumes that no container uses: anonymous ones, with `all` every one.
#[napi(
    ts_args_type = "options: {all: boolean, labels: string[]}",
    ts_return_type = "object"
)]
pub fn prune_volumes<'env>(env: &'env Env, options: Object<'env>) -> Result<Unknown<'env>> {
    let all = options.get::<bool>("all")?.unwrap_or(false);
    let labels = options.get::<Vec<String>>("labels")?.unwrap_or_default();
    let pruned =
        Roots::of_caller().and_then(|roots| keelbox_engine::prune_volumes(&roots, all, &labels));
    env.to_js_value(&or_throw(env, pruned)?)
}

/// Writes the files of a volume to a file, or to stdout.
#[napi(ts_return_type = "Promise<void>")]
pub fn export_volume(name: String, path: Option<String>) -> Result<AsyncTask<EngineTask>> {
    let path = path.map(PathBuf::from);
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::export_volume(roots, &name, path.as_deref())
    }))
}

/// Reads an archive, a file or stdin, into a volume.
#[napi(ts_return_type = "Promise<void>")]
pub fn import_volume(name: String, path: Option<String>) -> Result<AsyncTask<EngineTask>> {
    let path = path.map(PathBuf::from);
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::import_volume(roots, &name, path.as_deref())
    }))
}
