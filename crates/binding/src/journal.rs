//! What has happened: logs of containers, and events. Each that is open has a thread of its own, which waits for more; Node's
//! pool has four threads only, and would have none left.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use keelbox_engine::{
    EventsOptions, EventsStream, LogEntry, LogOptions, LogStream, LogsRequest, Roots, Waker,
};
use keelbox_spec::failure::{Code, Failure};
use napi::bindgen_prelude::{Buffer, Either, Object};
use napi::{Env, Result};
use napi_derive::napi;

use crate::convert::{gone, or_throw, read};

/// Replaces this process by one that shows logs. Never returns on success.
#[napi(ts_args_type = "request: object", ts_return_type = "never")]
pub fn show_logs(env: &Env, request: Object<'_>) -> Result<()> {
    let request: LogsRequest = read(env, request)?;
    let failure = Roots::of_caller().map(|roots| keelbox_engine::show_logs(&roots, &request));
    or_throw(env, Err(failure.unwrap_or_else(|failure| failure)))
}

/// Opens the log of a container; answers a handle for `logsNext` and `logsClose`.
#[napi(ts_args_type = "reference: string, options: object")]
pub fn logs_open(env: &Env, reference: String, options: Object<'_>) -> Result<u32> {
    let options: LogOptions = read(env, options)?;
    let opened = Roots::of_caller()
        .and_then(|roots| keelbox_engine::open_log(&roots, &reference, &options))
        .and_then(|stream| OPEN.put(Stream::Log(stream)));
    or_throw(env, opened)
}

/// Opens the journal of events; answers a handle for `eventsNext` and `eventsClose`.
#[napi(ts_args_type = "options: object")]
pub fn events_open(env: &Env, options: Object<'_>) -> Result<u32> {
    let options: EventsOptions = read(env, options)?;
    let opened = Roots::of_caller()
        .and_then(|roots| keelbox_engine::open_events(&roots, &options))
        .and_then(|stream| OPEN.put(Stream::Events(stream)));
    or_throw(env, opened)
}

/// The next entries of a log, as soon as there are some; null after the last, and when it was closed.
#[napi(ts_return_type = "Promise<object[] | null>")]
pub fn logs_next(env: &Env, handle: u32) -> Result<Object<'_>> {
    next(env, handle)
}

/// The next events, as soon as there are some; null after the last, and when it was closed.
#[napi(ts_return_type = "Promise<string[] | null>")]
pub fn events_next(env: &Env, handle: u32) -> Result<Object<'_>> {
    next(env, handle)
}

/// Closes a log. A call of `logsNext` that waits is answered with null.
#[napi]
pub fn logs_close(handle: u32) {
    OPEN.close(handle);
}

/// Closes the journal. A call of `eventsNext` that waits is answered with null.
#[napi]
pub fn events_close(handle: u32) {
    OPEN.close(handle);
}

/// A line that a container has printed, or a piece of a long one.
#[napi(object)]
pub struct LogLine {
    /// `stdout` or `stderr`.
    pub stream: String,
    /// When it came: RFC 3339 with nanoseconds.
    pub time: String,
    /// The bytes, without the newline.
    pub text: Buffer,
    /// The line goes on in the next entry of this stream.
    pub partial: bool,
}

impl From<LogEntry> for LogLine {
    fn from(entry: LogEntry) -> Self {
        Self {
            stream: entry.stream.name().to_owned(),
            time: entry.time,
            text: entry.text.into(),
            partial: entry.is_partial,
        }
    }
}

enum Stream {
    Log(LogStream),
    Events(EventsStream),
}

/// What one call is answered with.
enum More {
    Log(Vec<LogEntry>),
    Events(Vec<String>),
    Nothing,
}

impl More {
    fn into_values(self) -> Option<Either<Vec<LogLine>, Vec<String>>> {
        match self {
            Self::Log(entries) => Some(Either::A(entries.into_iter().map(LogLine::from).collect())),
            Self::Events(events) => Some(Either::B(events)),
            Self::Nothing => None,
        }
    }
}

impl Stream {
    fn waker(&self) -> Waker {
        match self {
            Self::Log(stream) => stream.waker(),
            Self::Events(stream) => stream.waker(),
        }
    }

    fn more(&mut self) -> std::result::Result<More, Failure> {
        let more = match self {
            Self::Log(stream) => stream.more()?.map(More::Log),
            Self::Events(stream) => stream.more()?.map(More::Events),
        };
        Ok(more.unwrap_or(More::Nothing))
    }
}

type Answer = Box<dyn FnOnce(std::result::Result<More, Failure>) + Send>;

struct Opened {
    waker: Waker,
    calls: Sender<Answer>,
}

/// What is open, by handle. A handle is never given twice.
struct Open {
    opened: LazyLock<Mutex<(u32, HashMap<u32, Opened>)>>,
}

static OPEN: Open = Open {
    opened: LazyLock::new(Mutex::default),
};

impl Open {
    fn opened(&self) -> MutexGuard<'_, (u32, HashMap<u32, Opened>)> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, stream: Stream) -> std::result::Result<u32, Failure> {
        let (calls, received) = channel();
        let waker = stream.waker();
        let thread = std::thread::Builder::new()
            .name("keelbox-journal".into())
            .stack_size(256 * 1024);
        let started = thread.spawn(move || serve(stream, &received));
        started.map_err(|error| {
            Failure::new(Code::Internal, "cannot make a thread to wait with").why(error.to_string())
        })?;
        let mut opened = self.opened();
        opened.0 += 1;
        let handle = opened.0;
        opened.1.insert(handle, Opened { waker, calls });
        Ok(handle)
    }

    fn calls(&self, handle: u32) -> Option<Sender<Answer>> {
        let opened = self.opened();
        Some(opened.1.get(&handle)?.calls.clone())
    }

    fn close(&self, handle: u32) {
        let closed = self.opened().1.remove(&handle);
        // The thread ends when it asks for the next call, of which there will be none.
        if let Some(closed) = closed {
            closed.waker.wake();
        }
    }
}

fn serve(mut stream: Stream, calls: &Receiver<Answer>) {
    for answer in calls {
        answer(stream.more());
    }
}

fn next(env: &Env, handle: u32) -> Result<Object<'_>> {
    // A promise that nobody resolves would keep Node's event loop alive.
    let calls = OPEN.calls(handle).ok_or_else(gone)?;
    let (deferred, promise) = env.create_deferred()?;
    let answer: Answer = Box::new(move |more| {
        // Made into an error there: only JavaScript's own thread can.
        deferred.resolve(move |env: Env| or_throw(&env, more.map(More::into_values)));
    });
    if let Err(unsent) = calls.send(answer) {
        (unsent.0)(Ok(More::Nothing));
    }
    Ok(promise)
}
