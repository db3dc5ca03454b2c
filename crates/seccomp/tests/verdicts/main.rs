//! What compiled filters decide, evaluated in an interpreter: the default policy call by call,
//! and random profiles against a plain reading of their rules.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test, in the helpers too"
)]

mod differential;
mod machine;
mod policy;
