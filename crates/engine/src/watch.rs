//! Waiting for containers' ends, on one thread for all of them.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};

use keelbox_process::receive;
use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::Event;
use rustix::event::epoll;

use crate::events::ContainerEvent;
use crate::lifecycle::reap;

type Callback = Box<dyn FnOnce(ContainerEvent) + Send>;

struct Watched {
    control: OwnedFd,
    supervisor: i32,
    callback: Callback,
}

struct Watch {
    epoll: OwnedFd,
    containers: Mutex<HashMap<u64, Watched>>,
}

static WATCH: OnceLock<Option<Watch>> = OnceLock::new();

/// Calls `callback` once, when the container on the other end of `control` has ended and its supervisor is reaped.
///
/// # Errors
///
/// The kernel's: EMFILE.
pub fn watch(
    key: u64,
    control: OwnedFd,
    supervisor: i32,
    callback: Callback,
) -> Result<(), Failure> {
    let none = || {
        Failure::new(Code::Internal, "cannot wait for containers")
            .hint("raise the limit of open files")
    };
    let watch = WATCH.get_or_init(begin).as_ref().ok_or_else(none)?;
    let mut containers = watch
        .containers
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let data = epoll::EventData::new_u64(key);
    epoll::add(&watch.epoll, &control, data, epoll::EventFlags::IN).map_err(|_| none())?;
    containers.insert(
        key,
        Watched {
            control,
            supervisor,
            callback,
        },
    );
    Ok(())
}

fn begin() -> Option<Watch> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).ok()?;
    let thread = std::thread::Builder::new()
        .name("keelbox-watch".into())
        .stack_size(128 * 1024);
    thread.spawn(run).ok()?;
    Some(Watch {
        epoll,
        containers: Mutex::new(HashMap::new()),
    })
}

fn run() {
    let Some(watch) = WATCH.wait() else { return };
    let mut events = Vec::with_capacity(16);
    loop {
        if epoll::wait(
            &watch.epoll,
            rustix::buffer::spare_capacity(&mut events),
            None,
        )
        .is_err()
        {
            continue;
        }
        for event in events.drain(..) {
            attend(watch, event.data.u64());
        }
    }
}

fn attend(watch: &Watch, key: u64) {
    let mut containers = watch
        .containers
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let Some(watched) = containers.get(&key) else {
        return;
    };
    let event = match receive::<Event>(&watched.control) {
        Ok(Some(received)) => match received.message {
            Event::Exited(exited) => exited.into(),
            _ => return,
        },
        Ok(None) | Err(_) => ContainerEvent::Lost,
    };
    let Some(watched) = containers.remove(&key) else {
        return;
    };
    drop(containers);
    let _ = epoll::delete(&watch.epoll, watched.control.as_fd());
    // It has said its last word, and ends without waiting for anything.
    reap(watched.supervisor);
    (watched.callback)(event);
}
