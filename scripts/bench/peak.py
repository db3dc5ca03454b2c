"""The memory of a command and of all that it starts: prints the sum of the processes' peaks (VmHWM) in kB.

    python3 peak.py COMMAND [ARGUMENT...]

A process is looked at while it ends, which ptrace(2) stops it for: its peak is known and its memory still there. rusage
would tell the largest of a family, not the sum; and of a process that was made with vfork, its parent's memory.
"""

import ctypes
import os
import re
import sys

PTRACE_CONT, PTRACE_SEIZE, PTRACE_LISTEN = 7, 0x4206, 0x4208
# In the order of `linux/ptrace.h`: options are bits, events their numbers.
EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXIT, EVENT_STOP = 1, 2, 3, 6, 128
EXITKILL = 1 << 20
OPTIONS = EXITKILL | 1 << EVENT_FORK | 1 << EVENT_VFORK | 1 << EVENT_CLONE | 1 << EVENT_EXIT
STOPS = {19, 20, 21, 22}
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=0):
    """A process that is gone meanwhile is no error: its end is waited for."""
    return libc.ptrace(request, pid, None, data)


def start(argv):
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.read(ready, 1)
        os.close(ready)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        os.dup2(0, 1)
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            sys.stderr.write(f"peak: {argv[0]}: {error.strerror}\n")
        os._exit(127)
    if ptrace(PTRACE_SEIZE, pid, OPTIONS) != 0:
        sys.exit(f"peak: ptrace: {os.strerror(ctypes.get_errno())}")
    os.close(ready)
    os.close(go)
    return pid


def look(task, peaks):
    """Of a task that is about to end: a thread, whose process has the memory."""
    with open(f"/proc/{task}/status", encoding="utf8") as file:
        status = file.read()
    process = re.search(r"^Tgid:\s+(\d+)", status, re.M)[1]
    peak = re.search(r"^VmHWM:\s+(\d+)", status, re.M)
    if peak:
        peaks[process] = max(int(peak[1]), peaks.get(process, 0))


def follow(first):
    peaks, code = {}, 1
    while True:
        try:
            task, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            return peaks, code
        if not os.WIFSTOPPED(status):
            if task == first:
                code = os.waitstatus_to_exitcode(status)
            continue
        event, signal = status >> 16, os.WSTOPSIG(status)
        if event == EVENT_EXIT:
            look(task, peaks)
        if event == EVENT_STOP and signal in STOPS:
            ptrace(PTRACE_LISTEN, task)
        else:
            ptrace(PTRACE_CONT, task, signal if event == 0 else 0)


def main():
    peaks, code = follow(start(sys.argv[1:]))
    print(sum(peaks.values()))
    sys.exit(code if code >= 0 else 128 - code)


main()
