//! One check of a container's health, made now.

use keelbox_spec::failure::{Code, Failure};
use serde_json::Value;

use super::Found;
use crate::control::not_running;
use crate::roots::Roots;

/// Makes it.
pub(super) fn check(roots: &Roots, found: &Found) -> Result<Value, Failure> {
    if !found.is_running(roots) {
        return Err(not_running(&found.reference).exit_code(125));
    }
    Err(Failure::new(Code::NotYet, "not yet: healthcheck run")
        .hint("the container's own checks are in keelbox inspect"))
}
