"""Runs a command on a new pseudo terminal, for __test__/helpers/pty.ts.

python3 -c SOURCE ROWS COLUMNS COMMAND [ARG...]
What the terminal shows goes to stdout as it comes; requests are JSON lines on stdin, answers JSON lines on fd 3.
"""
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios

EVENTS = 3
FLAGS = {"echo": termios.ECHO, "icanon": termios.ICANON, "isig": termios.ISIG, "iexten": termios.IEXTEN}


def report(event):
    os.write(EVENTS, (json.dumps(event) + "\n").encode())


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def start(slave, argv):
    """The slave becomes the child's controlling terminal, and nothing else of ours stays open in it."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.closerange(3, 64)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    os._exit(127)


def modes(slave):
    inputs, outputs, _, local = termios.tcgetattr(slave)[:4]
    answer = {name: bool(local & flag) for name, flag in FLAGS.items()}
    answer["icrnl"] = bool(inputs & termios.ICRNL)
    answer["opost"] = bool(outputs & termios.OPOST)
    return answer


def obey(request, master, slave, pid):
    if "send" in request:
        os.write(master, request["send"].encode())
    elif "resize" in request:
        resize(master, *request["resize"])
    elif "signal" in request and pid:
        os.kill(pid, request["signal"])
    elif "modes" in request:
        report({"modes": modes(slave)})


def drain(master):
    """Shows what is there; the slave is open here too, so the end of the output is never seen as an error."""
    while select.select([master], [], [], 0)[0]:
        sys.stdout.buffer.write(os.read(master, 65536))
        sys.stdout.buffer.flush()


def main():
    rows, columns, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    master, slave = os.openpty()
    resize(master, rows, columns)
    wakeup, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pid = start(slave, argv)
    report({"pid": pid})
    pending, watched = b"", [master, wakeup, 0]
    while True:
        ready = select.select(watched, [], [])[0]
        if master in ready:
            drain(master)
        if 0 in ready:
            chunk = os.read(0, 65536)
            if not chunk:
                return  # the test is over: closing the master hangs up
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                obey(json.loads(line), master, slave, pid)
        if wakeup in ready:
            os.read(wakeup, 64)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                drain(master)
                report({"exit": os.waitstatus_to_exitcode(status)})
                pid = 0


main()
