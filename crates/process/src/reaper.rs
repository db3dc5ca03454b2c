//! The pid 1 of `--init`: passes signals on, reaps what is orphaned, ends with its child.

use keelbox_rootfs::{Call, Outcome};
use keelbox_sys::exec::exit_now;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::DumpableBehavior;

/// Makes this process one that its namespace cannot reach into: neither traced nor through /proc/1, where the launcher's
/// directories of the host are still open and /proc/1/exe is the host's file (CVE-2019-5736, CVE-2024-21626). And blocks
/// all signals: one that came between the fork and the wait would be lost.
///
/// # Errors
///
/// The kernel's.
pub(crate) fn prepare() -> Outcome {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .call("prctl(PR_SET_DUMPABLE)")?;
    if rustix::process::getpid() != rustix::process::Pid::INIT {
        // In somebody else's pid namespace, orphans would go to its first process.
        nix::sys::prctl::set_child_subreaper(true).call("prctl(PR_SET_CHILD_SUBREAPER)")?;
    }
    SigSet::all().thread_block().call("rt_sigprocmask")
}

/// In the child: as it was before [`prepare`]; execve makes it dumpable again.
pub(crate) fn undo() {
    let _ = SigSet::all().thread_unblock();
}

/// Waits for `child` (0: none) as pid 1, with nothing open but stdio. Signals that reach pid 1 go to the child; every other
/// dead process is reaped. `stays`: the child's end is not this one's, unless a signal that ends processes came before it;
/// without a child, such a signal ends this one.
pub(crate) fn stay(child: i32, stays: bool) -> ! {
    let reap = if stays { reap_and_stay } else { reap };
    keelbox_sys::fd::close_from_for_good(3, reap, child)
}

fn reap(child: i32) -> ! {
    watch(child, false)
}

fn reap_and_stay(child: i32) -> ! {
    watch(child, true)
}

fn watch(child: i32, stays: bool) -> ! {
    /// From the kernel itself (`asm-generic/siginfo.h`): a key in the terminal, which the child has got too.
    const SI_KERNEL: i32 = 0x80;
    let _ = rustix::thread::set_name(c"keelbox-init");
    let_its_owner_in();
    // Read from a file rather than waited for: sigwait(3) unblocks them meanwhile, and to the supervisor this process would
    // look like one that the kernel keeps them from.
    let Ok(signals) = SignalFd::new(&SigSet::all()) else {
        exit_now(1)
    };
    let mut child = Some(child).filter(|child| *child > 0).map(Pid::from_raw);
    let mut is_asked_to_end = false;
    loop {
        let Ok(Some(info)) = signals.read_signal() else {
            continue;
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        if number == Signal::SIGCHLD as i32 {
            if let Some(code) = collect(&mut child)
                && (!stays || is_asked_to_end)
            {
                exit_now(code)
            }
        } else if info.ssi_code != SI_KERNEL {
            is_asked_to_end |= ends_processes(number);
            match child {
                Some(child) => drop(keelbox_sys::signal::send(child.as_raw(), number)),
                None if ends_processes(number) => exit_now(128 + number),
                None => {}
            }
        }
    }
}

/// An ordinary user's `exec` enters the namespaces of this process, which the kernel allows for one that can be dumped only.
/// There is nothing left to see in it: it has its stdio open, the rights of the command, and is a sealed copy in memory.
fn let_its_owner_in() {
    let is_copy = rustix::fs::readlink(c"/proc/self/exe", Vec::new())
        .is_ok_and(|path| path.to_bytes().starts_with(b"/memfd:"));
    if is_copy {
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable);
    }
}

/// Whether a signal's default is to end a process, rather than to stop it or nothing (signal(7)).
fn ends_processes(number: i32) -> bool {
    let harmless = [
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGURG,
        Signal::SIGWINCH,
    ];
    !harmless.iter().any(|signal| *signal as i32 == number)
}

/// Reaps what has ended. The exit code of `child`, if it was among them: then there is none any more.
fn collect(child: &mut Option<Pid>) -> Option<i32> {
    let mut code = None;
    loop {
        let (pid, ended) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code),
            // pid 1 cannot end itself by a signal; the supervisor reads 128+n the same way.
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_) => continue,
        };
        if *child == Some(pid) {
            *child = None;
            code = Some(ended);
        }
    }
}
