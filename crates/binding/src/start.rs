//! Containers that were started here: kept by handle until they end.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use keelbox_engine::{ContainerEvent, Roots, Running, Started};
use keelbox_spec::failure::Failure;
use napi::bindgen_prelude::{AsyncTask, Function, Unknown};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Result, Task};

use crate::convert::{StartedView, or_throw};

/// What a handle stands for.
enum Kept {
    /// Prepared, to be attached to.
    Prepared(Running),
    /// Started; its control socket.
    Started(OwnedFd),
}

/// Those of this process.
pub(crate) static HANDLES: Handles = Handles::new();

/// Containers by handle. A handle is never given twice.
pub(crate) struct Handles {
    next: AtomicU32,
    kept: LazyLock<Mutex<HashMap<u32, Kept>>>,
}

impl Handles {
    pub(crate) const fn new() -> Self {
        Self {
            next: AtomicU32::new(1),
            kept: LazyLock::new(Mutex::default),
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<u32, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, kept: Kept) -> u32 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.kept().insert(handle, kept);
        handle
    }

    pub(crate) fn keep(&self, running: Running) -> u32 {
        self.put(Kept::Prepared(running))
    }

    pub(crate) fn take(&self, handle: u32) -> Option<Running> {
        match self.kept().remove(&handle)? {
            Kept::Prepared(running) => Some(running),
            Kept::Started(_) => None,
        }
    }

    pub(crate) fn with_control(
        &self,
        handle: u32,
        action: impl FnOnce(BorrowedFd<'_>) -> bool,
    ) -> bool {
        match self.kept().get(&handle) {
            Some(Kept::Started(control)) => action(control.as_fd()),
            Some(Kept::Prepared(running)) => action(running.control.as_fd()),
            None => false,
        }
    }
}

/// A container, or a command in one, that waits to be attached to: what the caller is told of it.
pub(crate) fn prepared<'env>(
    env: &'env Env,
    running: std::result::Result<Running, Failure>,
) -> Result<Unknown<'env>> {
    let running = or_throw(env, running)?;
    let started = running.started.clone();
    told(env, started, HANDLES.keep(running))
}

/// What the caller is told of one that it has no pipes of.
pub(crate) fn told(env: &Env, started: Started, handle: u32) -> Result<Unknown<'_>> {
    env.to_js_value(&StartedView {
        started,
        stdio: [-1; 3],
        handle,
    })
}

type Tell = Box<dyn FnOnce(ContainerEvent) + Send>;

type Begin = Box<dyn FnOnce(&Roots) -> std::result::Result<Running, Failure> + Send>;

/// Starts a container, or a command in one, on a thread of Node's pool.
pub struct StartTask {
    begin: Option<Begin>,
    on_event: Option<Tell>,
}

impl StartTask {
    pub(crate) fn begin(
        begin: impl FnOnce(&Roots) -> std::result::Result<Running, Failure> + Send + 'static,
        on_event: &Function<'_, Unknown<'static>, Unknown<'static>>,
        stays: bool,
    ) -> Result<AsyncTask<Self>> {
        // It keeps Node's event loop alive until the container has ended; but one that stays until it is removed would keep
        // it for ever.
        let on_event: Tell = if stays {
            let on_event = on_event
                .build_threadsafe_function::<ContainerEvent>()
                .weak::<true>()
                .build_callback(|context| context.env.to_js_value(&context.value))?;
            Box::new(move |event| {
                on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking);
            })
        } else {
            let on_event = on_event
                .build_threadsafe_function::<ContainerEvent>()
                .build_callback(|context| context.env.to_js_value(&context.value))?;
            Box::new(move |event| {
                on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking);
            })
        };
        Ok(AsyncTask::new(Self {
            begin: Some(Box::new(begin)),
            on_event: Some(on_event),
        }))
    }
}

impl Task for StartTask {
    type Output = std::result::Result<Running, Failure>;
    type JsValue = Unknown<'static>;

    fn compute(&mut self) -> Result<Self::Output> {
        // Node calls this once.
        let begin = self.begin.take().ok_or_else(crate::convert::gone)?;
        Ok(Roots::of_caller().and_then(|roots| begin(&roots)))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<Self::JsValue> {
        let running = or_throw(&env, output)?;
        let Running {
            started,
            control,
            supervisor,
            ends,
            ..
        } = running;
        let ours = control.try_clone()?;
        let handle = HANDLES.put(Kept::Started(ours));
        let on_event = self.on_event.take();
        let ended = Box::new(move |event: ContainerEvent| {
            HANDLES.kept().remove(&handle);
            if let Some(on_event) = on_event {
                on_event(event);
            }
        });
        let watched = keelbox_engine::watch(u64::from(handle), control, supervisor, ended);
        if watched.is_err() {
            // With the last of its control sockets closed, the container ends.
            HANDLES.kept().remove(&handle);
        }
        or_throw(&env, watched)?;
        let stdio = ends.map(|end| end.map_or(-1, IntoRawFd::into_raw_fd));
        env.to_js_value(&StartedView {
            started,
            stdio,
            handle,
        })
    }
}
