//! What only a process does that enters a container which runs.

use std::ffi::CStr;
use std::os::fd::AsFd;

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::Enter;
use keelbox_sys::Errno;
use keelbox_sys::exec::exit_now;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::Init;
use crate::handshake::Message;
use crate::socket::send;
use crate::{console, limits};

impl Init<'_> {
    pub(super) fn enter(&mut self, op: &Enter) -> Outcome {
        match op {
            Enter::Root => self.take_root(),
            Enter::Terminal { columns, rows } => {
                let master = console::make_inside(self.root()?, *columns, *rows)?;
                send(&self.socket, &Message::Console, &[master.as_fd()]).call("sendmsg")
            }
            Enter::Limits { limits } => limits
                .iter()
                .try_for_each(|limit| limits::set_most(limit.resource, limit.soft, limit.hard)),
            Enter::Directory { path } => self.enter_directory(path),
            Enter::Serve => self.serve(),
            Enter::Raise { .. } | Enter::Cgroups { .. } | Enter::Process { .. } => {
                Err(Fault::new("plan", Errno::EPROTO).on("a step for the launcher"))
            }
        }
    }

    /// setns(2) has made the root of the mount namespace this process's. The /proc that confinement is written through is
    /// the host's, which the container cannot have covered.
    fn take_root(&mut self) -> Outcome {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(c"/", flags, Mode::empty()).call("openat")?;
        self.root = Some(root);
        if let Some(proc) = self.proc.take() {
            self.slots.put(keelbox_spec::plan::PROC_SLOT, proc?)?;
        }
        Ok(())
    }

    /// Not through a link of /proc: one of this process's fds may still lead to the host (CVE-2024-21626).
    fn enter_directory(&self, path: &CStr) -> Outcome {
        let named = |fault: Fault| fault.on(path.to_string_lossy());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let target = rustix::fs::openat2(self.root()?, path, flags, Mode::empty(), resolve);
        let target = target.call("openat2").map_err(named)?;
        rustix::process::fchdir(&target)
            .call("fchdir")
            .map_err(named)
    }

    fn serve(&mut self) -> Outcome {
        let (Some(serve), Some(root)) = (self.serve, self.root.take()) else {
            return Err(Fault::new("plan", Errno::EPROTO).on("nobody serves"));
        };
        send(&self.socket, &Message::Serving, &[]).call("sendmsg")?;
        exit_now(serve(root))
    }
}
