//! Layers by names, for kernels whose overlays take no fds (before Linux 6.13).

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use keelbox_sys::Errno;
use rustix::fs::{CWD, Mode, OFlags};

use crate::detached::{create, open};
use crate::fault::{Call, Fault, Outcome};

/// Bytes of a value of fsconfig(2).
const LONGEST: usize = 255;

/// One value that names all layers. The names may only mean something while this lives.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) value: CString,
    /// Where the process was before it went to the folder of short names.
    back: Option<OwnedFd>,
}

impl Names {
    /// The names of the fds themselves, for 13 layers or so. For more, up to 128, names of one byte: links to them in a
    /// tmpfs that is attached nowhere, which becomes the working directory.
    ///
    /// # Errors
    ///
    /// E2BIG: more layers than that. The kernel's, of making the tmpfs.
    pub(crate) fn of(layers: &[BorrowedFd<'_>]) -> Outcome<Self> {
        let names: Vec<_> = layers
            .iter()
            .map(|layer| format!("/proc/self/fd/{}", layer.as_raw_fd()))
            .collect();
        let plain = names.join(":");
        if plain.len() <= LONGEST {
            return Ok(Self {
                value: text(plain.into_bytes())?,
                back: None,
            });
        }
        if names.len() * 2 > LONGEST + 1 {
            return Err(Fault::new("fsconfig", Errno::E2BIG).on("too many layers for this kernel"));
        }
        let folder = create(&open(c"tmpfs")?, c"tmpfs", 0)?;
        let mut value = Vec::new();
        for (name, target) in short_names().zip(&names) {
            rustix::fs::symlinkat(target.as_str(), &folder, text(vec![name])?).call("symlinkat")?;
            value.extend([name, b':']);
        }
        value.pop();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let back = rustix::fs::openat(CWD, ".", flags, Mode::empty()).call("openat")?;
        rustix::process::fchdir(&folder).call("fchdir")?;
        Ok(Self {
            value: text(value)?,
            back: Some(back),
        })
    }
}

/// Bytes without a meaning of their own: not the colon, the comma or the backslash of overlayfs, not a slash or a dot.
fn short_names() -> impl Iterator<Item = u8> {
    (b'0'..=b'9')
        .chain(b'a'..=b'z')
        .chain(b'A'..=b'Z')
        .chain(0x80..=0xff)
}

fn text(bytes: Vec<u8>) -> Outcome<CString> {
    CString::new(bytes).map_err(|_| Fault::new("fsconfig", Errno::EINVAL))
}

impl Drop for Names {
    fn drop(&mut self) {
        if let Some(back) = &self.back {
            let _ = rustix::process::fchdir(back);
        }
    }
}
