//! Values and errors, from one side to the other.

use keelbox_engine::Started;
use keelbox_spec::failure::{Code, Failure};
use napi::bindgen_prelude::{JsObjectValue, JsValue, Object};
use napi::{Env, Error, Result, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// `Started` of `src/native.ts`.
#[derive(Serialize)]
pub(crate) struct StartedView {
    #[serde(flatten)]
    pub(crate) started: Started,
    pub(crate) stdio: [i32; 3],
    pub(crate) handle: u32,
}

/// Reads a request.
///
/// # Errors
///
/// `ERR_KEELBOX_INVALID_ARG`, naming the key that is wrong.
pub(crate) fn read<T: DeserializeOwned>(env: &Env, object: Object<'_>) -> Result<T> {
    let read = env.from_js_value::<T, _>(object);
    let failure = |error: Error| {
        Failure::new(
            Code::InvalidArg,
            "the request is not one that this version understands",
        )
        .why(error.reason.clone())
        .hint("use the command line and library of the same package")
    };
    or_throw(env, read.map_err(failure))
}

/// The value, or an error object that carries the failure's fields.
///
/// # Errors
///
/// The failure.
pub(crate) fn or_throw<T>(env: &Env, result: std::result::Result<T, Failure>) -> Result<T> {
    result.map_err(|failure| error(env, &failure).unwrap_or_else(|error| error))
}

fn error(env: &Env, failure: &Failure) -> Result<Error> {
    let mut object =
        env.create_error(Error::new(Status::GenericFailure, failure.message.clone()))?;
    let fields = serde_json::to_value(failure).unwrap_or_default();
    for (key, value) in fields.as_object().into_iter().flatten() {
        object.set_named_property(key, env.to_js_value(value)?)?;
    }
    Ok(Error::from(object.to_unknown()))
}

/// A handle that is no container's.
pub(crate) fn gone() -> Error {
    Error::new(Status::InvalidArg, "there is no such container here")
}
