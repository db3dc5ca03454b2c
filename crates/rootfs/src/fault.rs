//! What an operation reports when it fails: the call, the errno, and what it was about.

use keelbox_sys::Errno;

/// A failed operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The system call.
    pub call: &'static str,
    /// Its errno.
    pub errno: Errno,
    /// What it was about, or what the kernel said of it; may be empty.
    pub note: String,
}

/// What an operation returns.
pub type Outcome<T = ()> = Result<T, Fault>;

impl Fault {
    /// A failed call.
    pub fn new(call: &'static str, errno: impl Into<Errno>) -> Self {
        Self {
            call,
            errno: errno.into(),
            note: String::new(),
        }
    }

    /// Says what it was about.
    #[must_use]
    pub fn on(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Names the call of a result.
pub trait Call<T> {
    /// The result with its call named.
    ///
    /// # Errors
    ///
    /// The same as before.
    fn call(self, name: &'static str) -> Outcome<T>;
}

impl<T, E: Into<Errno>> Call<T> for Result<T, E> {
    fn call(self, name: &'static str) -> Outcome<T> {
        self.map_err(|errno| Fault::new(name, errno))
    }
}
