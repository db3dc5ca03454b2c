//! The files of a container as an archive.

use std::path::PathBuf;

use napi::Result;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

use crate::images::EngineTask;

/// Writes the files of a container to a file, or to stdout.
#[napi(ts_return_type = "Promise<void>")]
pub fn export_container(reference: String, path: Option<String>) -> Result<AsyncTask<EngineTask>> {
    let path = path.map(PathBuf::from);
    Ok(EngineTask::start(move |roots| {
        keelbox_engine::export(roots, &reference, path.as_deref())
    }))
}
