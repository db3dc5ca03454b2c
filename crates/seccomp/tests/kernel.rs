//! The default filter under a real kernel: it is accepted, and the calls it is for are refused in
//! each ABI the machine has.
//!
//! Each check runs in a forked child that installs the filter, makes one call and exits with the
//! errno. Between fork and exit the child only makes system calls, since the test harness is
//! multi-threaded.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    unsafe_code,
    reason = "the library makes no system calls, so the test has to"
)]

use std::arch::asm;

use keelbox_seccomp::{DEFAULT_CAPABILITIES, default_filter};

/// Beyond every errno that a test expects.
const NOT_INSTALLED: i32 = 250;
/// What [`under_filter`] gives for a child that a signal killed.
const KILLED: i32 = -1;

/// Makes a 64-bit (or, with bit 30 set, x32) call; the kernel's own return value.
fn call(nr: i64, args: [u64; 3]) -> i64 {
    let result;
    // SAFETY: syscall clobbers rcx and r11 only; callers pass no pointer that the kernel follows.
    unsafe {
        asm!("syscall", inlateout("rax") nr => result, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") 0, in("r8") 0, lateout("rcx") _, lateout("r11") _);
    }
    result
}

/// Makes an i386 call from 64-bit code, whole registers and all.
fn call_i386(nr: i64, args: [u64; 3]) -> i64 {
    let result;
    // SAFETY: int 0x80 clobbers r8 to r11 and rax; rbx, which LLVM keeps for itself, is put back.
    unsafe {
        asm!("xchg rbx, {first}", "int 0x80", "xchg rbx, {first}", first = inout(reg) args[0] => _,
            inlateout("rax") nr => result, in("rcx") args[1], in("rdx") args[2],
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _);
    }
    result
}

/// The errno of `test` in a child with `filter` installed, 0 if it succeeded.
fn in_child(filter: Option<&[u8]>, test: impl Fn() -> i64) -> i32 {
    // SAFETY: the child below makes only async-signal-safe calls.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let installed = filter.is_none_or(install);
        let result = if installed {
            test()
        } else {
            -i64::from(NOT_INSTALLED)
        };
        let errno = if result < 0 { -result } else { 0 };
        // exit_group as a number: libc's wrappers may not be used to leave a forked child.
        call(231, [errno.cast_unsigned(), 0, 0]);
    }
    let mut status = 0;
    // SAFETY: the status pointer is valid for the call.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(reaped, pid);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        KILLED
    }
}

fn under_filter(test: impl Fn() -> i64) -> i32 {
    in_child(Some(&default_filter(DEFAULT_CAPABILITIES)), test)
}

fn install(filter: &[u8]) -> bool {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len() / 8).unwrap_or(0),
        filter: filter.as_ptr().cast_mut().cast(),
    };
    // SAFETY: no pointers are passed.
    let privileges = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel copies `len` instructions of eight bytes from `filter` before returning.
    let mode = unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, &raw const program) };
    privileges == 0 && mode == 0
}

#[test]
fn the_kernel_accepts_the_filter_and_ordinary_calls_work() {
    assert_eq!(under_filter(|| call(libc::SYS_getpid, [0; 3])), 0);
    assert_eq!(under_filter(|| call(libc::SYS_socket, [1, 1, 0])), 0);
    assert_eq!(
        under_filter(|| call(libc::SYS_socket, [1 << 32 | 1, 1, 0])),
        0
    );
    assert_eq!(
        under_filter(|| call(libc::SYS_ioctl, [99, 0x5413, 0])),
        libc::EBADF
    );
}

#[test]
fn refused_calls_fail_with_eperm_under_the_64_bit_abi() {
    for (nr, args) in [
        (libc::SYS_socket, [38, 5, 0]),
        (libc::SYS_socket, [1 << 32 | 38, 5, 0]),
        (libc::SYS_socket, [u64::MAX << 32 | 40, 1, 0]),
        (libc::SYS_socket, [17, 3, 0]),
        (libc::SYS_socket, [2, 10, 0]),
        (libc::SYS_ioctl, [99, 0x5412, 0]),
        (libc::SYS_ioctl, [99, 1 << 63 | 0x5412, 0]),
        (libc::SYS_unshare, [0x1000_0000, 0, 0]),
        (libc::SYS_clone, [0x1000_0011, 0, 0]),
        (libc::SYS_vmsplice, [99, 0, 0]),
        (libc::SYS_keyctl, [0, 0, 0]),
        (libc::SYS_io_uring_setup, [1, 0, 0]),
    ] {
        assert_eq!(
            under_filter(|| call(nr, args)),
            libc::EPERM,
            "{nr} {args:x?}"
        );
    }
}

#[test]
fn clone3_x32_and_unheard_of_numbers_do_not_exist() {
    for nr in [
        libc::SYS_clone3,
        467,
        471,
        100_000,
        0x4000_0000 | libc::SYS_getpid,
        0x4000_0000 | 41,
    ] {
        assert_eq!(
            under_filter(|| call(nr, [38, 0, 0])),
            libc::ENOSYS,
            "{nr:#x}"
        );
    }
}

#[test]
fn refused_calls_fail_with_eperm_under_i386_too() {
    const GETPID: i64 = 20;
    if in_child(None, || call_i386(GETPID, [0; 3])) != 0 {
        // No CONFIG_IA32_EMULATION: int 0x80 is a fault, and there is nothing to refuse.
        return;
    }
    assert_eq!(under_filter(|| call_i386(GETPID, [0; 3])), 0);
    for (nr, args) in [
        (359, [38, 5, 0]),
        (359, [1 << 32 | 38, 5, 0]),
        (359, [1 << 63 | 17, 3, 0]),
        (54, [99, 0x5412, 0]),
        (54, [99, 1 << 32 | 0x541c, 0]),
        (310, [0x1000_0000, 0, 0]),
        (120, [0x1000_0011, 0, 0]),
        (288, [0, 0, 0]),
    ] {
        assert_eq!(
            under_filter(|| call_i386(nr, args)),
            libc::EPERM,
            "{nr} {args:x?}"
        );
    }
    assert_eq!(under_filter(|| call_i386(54, [99, 0x5413, 0])), libc::EBADF);
    assert_eq!(under_filter(|| call_i386(435, [0; 3])), libc::ENOSYS);
}
