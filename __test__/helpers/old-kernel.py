"""Runs a command on what looks like Linux 5.10: `python3 -c THIS COMMAND ARGUMENT...`.

A seccomp filter answers ENOSYS to every call that is newer, and EINVAL to newer flags of older calls as far as a filter can
see them: it gets numbers, never what a pointer leads to. The command and all that it starts are under it.
"""
import ctypes, os, platform, struct, sys

ENOSYS, EINVAL = 38, 22
# Calls have had the same number on every architecture since 5.1; 440, process_madvise, is 5.10's last.
FIRST_NEWER = 441
# x86_64's numbers with bit 30 are x32's.
X32 = 0x40000000
# x86_64 only: uretprobe (6.11), uprobe (6.18).
ODD = (335, 336) if platform.machine() == "x86_64" else ()
FSCONFIG, CLOSE_RANGE = 431, 436
MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}[platform.machine()]
# Call, argument, flags in it that are newer.
FLAGS = (
    (CLOSE_RANGE, 2, 4),  # CLOSE_RANGE_CLOEXEC: 5.11
    (MEMFD_CREATE, 1, 0x18),  # MFD_NOEXEC_SEAL, MFD_EXEC: 6.3
)
# Call, argument, values of it that are newer.
VALUES = (
    (FSCONFIG, 1, 8),  # FSCONFIG_CMD_CREATE_EXCL: 6.6
    (FSCONFIG, 1, 5),  # FSCONFIG_SET_FD: overlayfs took none before 6.5, and what took one was none of ours
)

LOAD, JEQ, JGE, JSET, RET = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def argument(index):
    """Offset of the lower half in `struct seccomp_data`."""
    return 16 + 8 * index


def refuse(call, index, test, value):
    return [
        (JEQ, 0, 4, call),
        (LOAD, 0, 0, argument(index)),
        (test, 0, 1, value),
        (RET, 0, 0, ERRNO | EINVAL),
        (LOAD, 0, 0, 0),
    ]


program = [(LOAD, 0, 0, 0)]
for rule in FLAGS:
    program += refuse(rule[0], rule[1], JSET, rule[2])
for rule in VALUES:
    program += refuse(rule[0], rule[1], JEQ, rule[2])
for call in ODD:
    program += [(JEQ, 0, 1, call), (RET, 0, 0, ERRNO | ENOSYS)]
program += [
    (JGE, 2, 0, X32),
    (JGE, 0, 1, FIRST_NEWER),
    (RET, 0, 0, ERRNO | ENOSYS),
    (RET, 0, 0, ALLOW),
]


def install():
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(program), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    # An ordinary user may filter only what can gain no rights (seccomp(2)): newuidmap would not work. Root needs no such promise.
    if libc.prctl(22, 2, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


install()
if len(sys.argv) > 1:
    uid = os.environ.pop("OLD_KERNEL_UID", None)
    if uid is not None:
        gid = int(os.environ.pop("OLD_KERNEL_GID"))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(int(uid), int(uid), int(uid))
    os.execvp(sys.argv[1], sys.argv[1:])
