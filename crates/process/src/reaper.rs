//! The pid 1 of `--init`: passes signals on, reaps what is orphaned, ends with its child.

use keelbox_sys::exec::exit_now;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Waits for `child` as pid 1, with nothing open but stdio. Signals that reach pid 1 go to the child; every other dead
/// process is reaped.
pub(crate) fn stay(child: i32) -> ! {
    keelbox_sys::fd::close_from_for_good(3, reap, child)
}

fn reap(child: i32) -> ! {
    let child = Pid::from_raw(child);
    // By now this process can neither be traced nor be reached through /proc/1/exe, which is the host's file
    // (CVE-2019-5736).
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let _ = rustix::thread::set_name(c"keelbox-init");
    let all = SigSet::all();
    let _ = all.thread_block();
    // Read from a file rather than waited for: sigwait(3) unblocks them meanwhile, and to the supervisor this process would
    // look like one that the kernel keeps them from.
    let Ok(signals) = SignalFd::new(&all) else {
        exit_now(1)
    };
    loop {
        let Ok(Some(info)) = signals.read_signal() else {
            continue;
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        match Signal::try_from(number) {
            Ok(Signal::SIGCHLD) => collect(child),
            Ok(signal) => drop(kill(child, signal)),
            Err(_) => {}
        }
    }
}

fn collect(child: Pid) {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => exit_now(code),
            // pid 1 cannot end itself by a signal; the supervisor reads 128+n the same way.
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                exit_now(128 + signal as i32)
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
