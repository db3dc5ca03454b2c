//! The store's lock. Whoever writes down that something is needed (a container's configuration, an image's record) holds it
//! shared meanwhile; whoever looks for what is not needed and removes it holds it exclusively. Never for long.

use std::os::fd::OwnedFd;

use keelbox_image::Store;
use keelbox_spec::failure::Failure;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};

use crate::store::store_failure;

/// Waits for the lock that many can have.
pub(super) fn shared(store: &Store) -> Result<OwnedFd, Failure> {
    take(store, FlockOperation::LockShared)
}

/// The lock, held by nobody else.
pub(super) struct Exclusive(#[allow(dead_code, reason = "held, not read")] OwnedFd);

/// Waits until nobody else has the lock.
pub(super) fn exclusive(store: &Store) -> Result<Exclusive, Failure> {
    take(store, FlockOperation::LockExclusive).map(Exclusive)
}

fn take(store: &Store, operation: FlockOperation) -> Result<OwnedFd, Failure> {
    let path = store.lock();
    let fail = |errno: rustix::io::Errno| store_failure("lock", &path, &errno.into());
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(CWD, &path, flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
    loop {
        match rustix::fs::flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(fail(errno)),
        }
    }
}
