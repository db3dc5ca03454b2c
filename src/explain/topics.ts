/**
 * One page per idea behind a container, for `keelbox explain`. Lines that begin with two spaces are shown as they
 * are, all others are wrapped. What a page says that keelbox does, `run --dry-run` must show.
 */
export const topicPages: Readonly<Record<string, string>> = {
  container: `
container: an ordinary process that the kernel shows a smaller world

The kernel knows no containers. What goes by that name is a process that was started with
  namespaces      its own view of processes, mounts, network, host name, users
  a root          its own directory tree, entered with pivot_root
  cgroups         a group in which its memory, CPU time and processes are counted and limited
  less power      fewer capabilities, no_new_privs, a seccomp filter, masked paths
and that is why it starts in milliseconds: nothing boots. It also means that all containers share one kernel, and a mistake in the kernel is a hole in each of them.

See it:   keelbox run --dry-run host -- true     every call, in order, with its reason
          keelbox run --rm --explain host -- true     the same while it happens, with times
`,
  namespaces: `
namespaces: what a process can see

A namespace is a private copy of one kind of global thing. A process is in one of each kind; clone3(2), unshare(2) and setns(2) change which.
  mount    CLONE_NEWNS      the mount table, so the directory tree
  pid      CLONE_NEWPID     process numbers; the first process is pid 1
  net      CLONE_NEWNET     interfaces, addresses, routes, ports, firewall
  uts      CLONE_NEWUTS     the host name
  ipc      CLONE_NEWIPC     System V IPC and POSIX message queues
  user     CLONE_NEWUSER    user and group ids, and the power that goes with them
  cgroup   CLONE_NEWCGROUP  which cgroup looks like the top

keelbox run makes all seven. A namespace lives as long as a process is in it or an open file or mount refers to it; keelbox keeps none of the latter on the host, so that a namespace goes with its container, however that ends.

See them:   ls -l /proc/self/ns
            keelbox run --rm host -- ls -l /proc/self/ns     other numbers
More:       namespaces(7); keelbox explain user_namespaces
`,
  user_namespaces: `
user_namespaces: root inside, nobody outside

A user namespace maps a range of ids inside to another range outside. With "0 100000 65536" in /proc/PID/uid_map the container's root is uid 100000 on the host: it may chown, mount and kill within its own namespaces, and has no right over anything else. A process that breaks out of everything else is then still nobody.

keelbox uses one by default, for root too:
  as root        each running container has a free range of 65536 ids of its own
  as a user      newuidmap and newgidmap map the range from /etc/subuid and /etc/subgid; without
                 them one id is mapped, your own, and chown to any other fails with EINVAL
Files on disk keep the container's own ids; see idmapped_mounts.

What users notice: /proc and /sys entries seem to belong to 65534 (nobody); loading modules, setting the clock and making device nodes stay impossible whatever --cap-add says.
--userns host turns it off, and --privileged implies that.

See it:   keelbox run --rm host -- cat /proc/self/uid_map
More:     user_namespaces(7); keelbox explain ERR_KEELBOX_USERNS
`,
  pivot_root: `
pivot_root: getting a root directory of one's own

chroot(2) only changes where path lookup begins. The old root is still mounted, and a process with CAP_SYS_CHROOT walks back to it. pivot_root(2) exchanges the mount at the top of the mount namespace, and the old one can then be taken away altogether:
  chdir to the new root
  pivot_root(".", ".")       the old root is now stacked on the new one
  umount2(".", MNT_DETACH)   and gone
Using "." twice needs no directory for the old root inside the new one, so it also works on a read-only image.

Two conditions of the kernel: the new root must be a mount point (an overlay is one; a plain directory is made into one by binding it onto itself), and neither it nor its parent may be shared with other mount namespaces (see mount_propagation).

More: pivot_root(2), NOTES
`,
  overlay: `
overlay: many containers on one tree

The overlay file system shows several directories as one. Reading goes through to the lower ones, first found wins; writing copies the file into the upper one and changes it there (copy-up); deleting puts a whiteout into the upper one.
  lowerdir   the layers of an image, read-only and shared by all containers of it
  upperdir   what this container has changed
  workdir    a scratch directory on the same file system as upperdir
Starting a container copies nothing, and removing it deletes only the upper directory.

With --rm the mount is "volatile": no sync to disk, since nobody will read the upper directory afterwards. --rootfs DIR:O puts an overlay over a directory of yours and leaves it as it is.
Limits: upperdir cannot be on an overlay or on NFS; a first write to a big file costs a copy of the whole file.

See it:   keelbox run --rm host -- grep overlay /proc/self/mounts
`,
  mount_propagation: `
mount_propagation: who hears of a mount

A mount made in one mount namespace can appear in others that were copied from it. Each mount is
  shared    mounts below it go both ways between the copies (systemd makes / so)
  slave     they only come in, from the master
  private   neither
A new mount namespace is a copy, its mounts are still in the same groups: without more, what a container mounts would show up on the host. So one of the first calls is
  mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)
It is also why pivot_root(2) refuses a shared parent. Host mounts made later under a -v directory do not appear inside; that is private, too.

See it:   findmnt -o TARGET,PROPAGATION
More:     mount_namespaces(7)
`,
  idmapped_mounts: `
idmapped_mounts: other owners through this mount

A file has one owner on disk. With a user namespace the container's uid 0 is, say, 100000, so a tree that belongs to 0 would be foreign to it. Older engines chown a copy of every image. An idmapped mount (Linux 5.12, mount_setattr(2) with MOUNT_ATTR_IDMAP) shifts the ids as they pass: through this mount, and only through it, 0 on disk is 100000.

keelbox maps each layer of an image, the upper directory and -v directories like that. The disk always holds the container's own ids, whichever range it was given this time; nothing is copied or chowned.

Not every file system can: ext4, xfs, btrfs, tmpfs and overlay's layers can; NFS, many FUSE file systems and old kernels cannot. keelbox then runs without, and says so in a notice.
`,
  cgroups: `
cgroups: counting and limiting

A cgroup is a directory in a special file system; the processes in it are counted together, and files in it set limits:
  pids.max     how many processes (2048 by default: a fork bomb ends there)
  memory.max   bytes; above it the kernel kills in this cgroup, not on the machine
  cpu.max      microseconds of CPU time per period
  cgroup.kill  write 1: every process in it is killed at once, even those that fork
There are two versions. v2 is one tree with all controllers, what current systems have. v1 has a tree per controller. "hybrid" systems have v1 controllers and an empty v2 tree beside them. keelbox works with each, and keelbox info says what it found.

Today root's containers have a cgroup of their own, with a limit of processes; those of an ordinary user have none yet, and their limits are still to come.

More: cgroups(7); keelbox explain ERR_KEELBOX_CGROUP
`,
  capabilities: `
capabilities: root's power in pieces

The kernel asks not "is this root?" but "does it have CAP_NET_ADMIN?", one of some 40 pieces. A container's root keeps eleven:
  CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT
enough for package managers and servers; not for mounting, loading modules, tracing others, raw sockets.

  --cap-drop ALL --cap-add NET_BIND_SERVICE     only what a web server needs
  --cap-add SYS_PTRACE                          for a debugger
Names are taken with or without CAP_, in any case. In a user namespace a capability counts only for what belongs to that namespace: --cap-add SYS_TIME sets no clock there, and keelbox says so.
CAP_SYS_ADMIN is nearly all of root. Whoever adds it should know why.

See it:   keelbox run --rm host -- grep Cap /proc/self/status
More:     capabilities(7)
`,
  no_new_privs: `
no_new_privs: what is given up stays given up

prctl(PR_SET_NO_NEW_PRIVS) is a bit that cannot be cleared and that children inherit. With it execve(2) never gives more power: set-user-id bits and file capabilities are ignored. A set-user-id program with a hole, left behind in an image, is then no way to root.

keelbox sets it by default (docker does not). It breaks what lives from set-user-id: sudo, su from a user to root, newuidmap, ping with file capabilities. Going down still works: root may su to a user, gosu and su-exec are fine.
  --allow-new-privileges      for the container that needs sudo
  --security-opt no-new-privileges=false    docker's spelling of it

See it:   keelbox run --rm host -- grep NoNewPrivs /proc/self/status
`,
  seccomp: `
seccomp: a filter on system calls

A container shares the kernel, and every system call is a door to it. A seccomp filter is a small BPF program that the kernel runs at each call; it sees the number and the arguments, and answers allow, an error, or death.

The default profile is docker's list, with some more doors shut: new user namespaces (unshare -U), mount, keyctl, bpf, AF_ALG, AF_VSOCK and AF_PACKET sockets, pushing input into a terminal (TIOCSTI). A refused call gets EPERM; one newer than the profile gets ENOSYS, so that libraries fall back to an older one.

When a program fails with "Operation not permitted" as root, try
  keelbox run --rm --security-opt seccomp=unconfined ...
once: if it works then, it was the filter.

See it:   keelbox run --rm host -- grep Seccomp /proc/self/status     2 is "filter"
More:     seccomp(2)
`,
  masked_paths: `
masked_paths: what of /proc and /sys is hidden

/proc and /sys speak for the whole machine, and no namespace changes that. So keelbox mounts something empty over those that tell too much or do too much:
  /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/kallsyms ...
  /sys/firmware /sys/devices/virtual/powercap /sys/kernel/debug ...
and makes others read-only: /proc/sys, /proc/sysrq-trigger, /proc/irq, /proc/bus, /proc/fs and /sys (but for the small directory that holds the container's cgroups on hybrid hosts).

A masked file reads as empty, a masked directory has nothing in it.
  --security-opt systempaths=unconfined     leaves them as the kernel shows them
Programs that nest containers need this. Most others never notice.

See it:   keelbox run --rm host -- cat /proc/kcore | wc -c     0
`,
  pid_1: `
pid_1: the first process is special

In a pid namespace the first process has three burdens:
  1. orphans become its children, and it must wait(2) for them or they stay as zombies
  2. a signal for which it has set no handler is dropped by the kernel, SIGTERM and SIGINT too
  3. when it ends, the kernel kills everything else in the namespace
Shells and most programs were not written for that: plain "sleep 1000" as pid 1 does not end on Ctrl-C.

keelbox helps twice. A signal from the terminal that pid 1 would never receive becomes SIGKILL at once, reported as 128+n. And --init puts a small init of ours in as pid 1: it reaps, forwards signals, and ends with the exit code of your command.

See it:   keelbox run --rm host -- sh -c 'echo $$'            1
          keelbox run --rm --init host -- sh -c 'echo $$'     2
`,
  host_image: `
host_image: the image that needs no download

keelbox run --rm -it host   is a shell among this machine's programs, without its users' files and its secrets, whoever starts it:
  /usr /bin /sbin /lib*    the system's own: under a copy-on-write overlay for root (who can read all of it),
                           read-only for an ordinary user
  /etc /opt                read-only, and not owned by the container's root: the kernel's own permission
                           checks keep /etc/shadow, host keys and the like unreadable
  /tmp /var /run /root /home /srv   new and empty
Nothing else of the host is there. What it is to work on comes in by -v:
  keelbox run --rm -v .:/w -w /w host -- make test

Programs that live in a home directory (nvm, pyenv, cargo) are therefore "command not found" inside: show them by -v as well.
For another distribution take a directory tree: keelbox run --rm --rootfs ./debian:O -- sh
`,
  rootless: `
rootless: containers without being root

A user namespace lets an ordinary user be root inside, so keelbox needs no daemon, no set-user-id program of its own and no group membership. What differs from running as root:
  ids        the range of /etc/subuid through newuidmap (Debian: the package uidmap), or one id only
  state      $XDG_DATA_HOME/keelbox and $XDG_RUNTIME_DIR/keelbox instead of /var/lib and /run
  limits     none yet: an ordinary user's containers have no cgroup of their own
  files      system files of the "host" image are read-only
Some systems forbid user namespaces to users; keelbox explain ERR_KEELBOX_USERNS says how to allow them.

See it:   keelbox info
`,
  terminal: `
terminal: what -i and -t do

-i connects stdin; without it the container reads end-of-file. -t gives it a terminal of its own, a pty: the program inside sees one, with a size, line editing and Ctrl-C, and keelbox copies between it and yours, which is in raw mode meanwhile.
  -it    to work in it: a shell, vi, top
  -i     in a pipe: bytes pass unchanged
  -t     mixes stdout and stderr into one stream and turns line ends into CR LF; not for scripts
-i -t with a pipe as stdin is refused: there is no terminal to copy from.
The terminal of the caller never enters the container, so nothing inside can push input into it.
`,
  exit_codes: `
exit_codes: what the number says

  0-124    the container's own
  125      keelbox itself failed, or was used wrongly; the reason is on stderr
  126      the command was found and cannot be executed (a directory, no x bit)
  127      the command was not found
  128+n    it was ended by signal n: 130 Ctrl-C, 137 SIGKILL or out of memory, 139 crash, 143 SIGTERM
rm: 1 no such container, 2 it is running and -f was not given.
`,
};
