"""Times what a job file lists, in turn (A B A B ...), and prints the nanoseconds of each as JSON.

Python, since all peers must be started the same way, and ours also wants a SEQPACKET socket at a given fd, which Node
cannot make. The clock runs from before posix_spawn (vfork inside: this process's size does not matter) to after waitpid.
"""
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
# The first number that no start-up action below uses as a target.
FREE = 64
# The variants of the supervisor's last word (crates/supervisor/src/protocol.rs).
EXITED = 5
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        sys.exit(f"bench: {what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind, flags=0, data=""):
    text = [value.encode() if value else None for value in (source, target, kind)]
    check(libc.mount(*text, flags, data.encode()), f"cannot mount on {target}")


def enter(namespace):
    check(libc.setns(namespace, CLONE_NEWNS), "cannot enter a mount namespace")


def make_namespaces(overlay):
    """A mount namespace for all, with the peers' root in it; and one for crun, which on a host with both kinds of
    cgroups wants to see v2 alone. Nothing of this is ever in the host's own namespace."""
    check(libc.unshare(CLONE_NEWNS), "cannot make a mount namespace")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("overlay", overlay["target"], "overlay", data=overlay["options"])
    plain = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    check(libc.unshare(CLONE_NEWNS), "cannot make a mount namespace")
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    unified = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    enter(plain)
    return {"plain": plain, "unified": unified}


def high(fd):
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FREE)
    os.close(fd)
    return moved


class Program:
    """A command that is started and waited for."""

    def __init__(self, scenario, namespaces, log):
        self.name, self.argv, self.env = scenario["name"], scenario["argv"], scenario["env"]
        self.namespace = namespaces[scenario.get("namespace", "plain")]
        self.null = high(os.open("/dev/null", os.O_RDWR))
        self.log = high(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def fds(self):
        return [self.null, self.null, self.log]

    def prepare(self):
        pass

    def settle(self):
        return True

    def once(self, prefix=()):
        """Nanoseconds from start to exit; None: it failed."""
        self.prepare()
        argv = [*prefix, *self.argv]
        actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(self.fds())]
        enter(self.namespace)
        begin = time.perf_counter_ns()
        # All signals at their defaults, as a shell would start it; Python ignores SIGPIPE.
        pid = os.posix_spawnp(argv[0], argv, self.env, file_actions=actions, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
        _, status = os.waitpid(pid, 0)
        end = time.perf_counter_ns()
        return end - begin if self.settle() and status == 0 else None


class Supervise(Program):
    """Our executable's own part: what the engine prepares for it is made anew before each start, outside the clock."""

    def __init__(self, scenario, *rest):
        super().__init__(scenario, *rest)
        self.place, self.open = scenario["place"], []

    def prepare(self):
        for directory in self.place["directories"]:
            os.mkdir(directory, 0o755)
        for path in self.place["files"]:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = ours
        kept = [theirs.detach(), os.open(self.place["message"], os.O_RDONLY)]
        kept += [os.open(self.place[name], os.O_RDONLY | os.O_DIRECTORY) for name in ("state", "data")]
        self.open = [high(fd) for fd in kept]
        # A state directory that nobody has locked is a leftover to every other command.
        fcntl.flock(self.open[2], fcntl.LOCK_EX)

    def fds(self):
        return [*super().fds(), *self.open, *[self.null] * 6]

    def settle(self):
        for fd in self.open:
            os.close(fd)
        last = b""
        while word := self.control.recv(4096):
            last = word
        self.control.close()
        # Exited, with an exit code (Some), which is 0.
        return last[:3] == bytes([EXITED, 1, 0])


class Served(Program):
    """A process that stays and times itself, one answer per line: the library in a Node that is warm and large."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.server = subprocess.Popen(self.argv, env=self.env, stdin=-1, stdout=-1, stderr=self.log, text=True)

    def once(self, prefix=()):
        self.server.stdin.write("go\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline().strip() or 0) or None

    def close(self):
        self.server.stdin.close()
        self.server.wait()


KINDS = {"program": Program, "supervise": Supervise, "served": Served}
WARM_UP = 2


def measure(programs, job):
    times = {program.name: [] for program in programs}
    pause = job["pause"] / 1000
    for turn in range(-WARM_UP, job["runs"]):
        for program, every in programs.items():
            if times[program.name] is None or turn % every:
                continue
            time.sleep(pause)
            taken = program.once()
            if taken is None:
                times[program.name] = None
            elif turn >= 0:
                times[program.name].append(taken)
    return times


def trace(programs, job):
    """Each once under strace; the trace's name is the scenario's."""
    done = {}
    for program in programs:
        if isinstance(program, Served):
            continue
        file = os.path.join(job["traces"], program.name.replace("/", "_"))
        taken = program.once(["strace", "-f", "-o", file])
        done[program.name] = file if taken else None
    return done


def main():
    with open(sys.argv[1], encoding="utf8") as file:
        job = json.load(file)
    namespaces = make_namespaces(job["overlay"])
    programs = {KINDS[each["kind"]](each, namespaces, job["log"]): each.get("every", 1) for each in job["scenarios"]}
    answer = trace(programs, job) if job.get("traces") else measure(programs, job)
    for program in programs:
        if isinstance(program, Served):
            program.close()
    json.dump(answer, sys.stdout)


main()
