/** One page per error code; the spec `cli-explain` holds the keys to `errors/codes.ts`. */
import type {KeelboxCode} from '../errors/codes';

const pages: Readonly<Record<KeelboxCode, string>> = {
  ERR_KEELBOX_EXIT: `
The command in the container ended with another code than 0, or by a signal. Only the library has this error (ExitError); the command line exits with the same code.

In the library: error.result has exitCode, signal, stdout, stderr and usage. To get a result and no error, pass {reject: false}.
See also: keelbox explain exit_codes
`,
  ERR_KEELBOX_TIMEOUT: `
The time that was given with timeout is over, and the container has been ended: first by killSignal, then, after killAfter, by force.

What to do: give it more time, or find out what it waits for. A container without a network waits long for name servers that never answer.
`,
  ERR_KEELBOX_OOM: `
The kernel ended a process of the container because the memory limit of its cgroup was reached (exit code 137).

What to do: raise the limit, or make the program use less. Memory that it maps and tmpfs files (/dev/shm, --tmpfs) count, too.
See also: keelbox explain cgroups
`,
  ERR_KEELBOX_NOT_FOUND: `
There is no container of that name or id.

What to do: keelbox ps -a lists all of them, also those that have ended. A container started with --rm is gone as soon as it ends. Root and each user have containers of their own; --root and --runroot (KEELBOX_ROOT, KEELBOX_RUNROOT) choose yet another set.
`,
  ERR_KEELBOX_AMBIGUOUS_ID: `
More than one container has an id that begins like that.

What to do: write more letters of the id, or the name. keelbox ps -a --no-trunc shows both in full.
`,
  ERR_KEELBOX_STATE: `
The container is not in a state in which this can be done: exec and attach need one that runs, pause one that is not paused, rm one that does not run.

What to do: keelbox ps -a shows the state of all containers. keelbox start NAME starts one that has ended, keelbox unpause NAME lets a paused one go on.
`,
  ERR_KEELBOX_NAME_TAKEN: `
Another container has this name, and a name is unique also among those that have ended.

What to do: choose another name, leave --name out, or remove the old one: keelbox rm NAME (with -f if it is running). With --rm a container gives its name back when it ends.
`,
  ERR_KEELBOX_COMMAND_NOT_FOUND: `
The command is not in the container (exit code 127). It is looked up inside: in the container's PATH, in the container's files.

Usual reasons:
  a typing error, or a flag of keelbox after IMAGE, where it is taken for the command
  the program is not in the image
  "host": programs below a home directory (nvm, pyenv, cargo, /root/bin) are not shown; add
  -v /home/me/.nvm:/home/me/.nvm:ro and call it by its path
  a script whose first line names an interpreter that is not in the image
  a dynamic program whose loader is not there: one for glibc in an image with musl
`,
  ERR_KEELBOX_NOT_EXECUTABLE: `
The command is there, but the kernel will not execute it (exit code 126).

Usual reasons:
  it is a directory, or has no x bit: chmod +x FILE
  a text file without a first line such as #!/bin/sh
  a program for another kind of machine (file FILE says which)
  it lies on a mount with noexec, such as a --tmpfs: add :exec
`,
  ERR_KEELBOX_IMAGE_NOT_FOUND: `
There is no image of that name or id in the store.

What to do: keelbox images lists what there is. Images come from archives and from directory trees:
  keelbox load -i image.tar                  what docker, podman, skopeo and keelbox save have written
  keelbox import rootfs.tar NAME             one layer, from the tar of a root directory
Two things need no image:
  keelbox run --rm -it host                  this machine's own system, private files left out
  keelbox run --rm -it --rootfs ./tree:O     a directory tree, e.g. from debootstrap
See also: keelbox explain host_image
`,
  ERR_KEELBOX_IMAGE_INVALID: `
An image, or the archive that it is in, is not what it says: a digest, a size or a list of layers does not match, or a file of it is missing, too large or cut short. Nothing of it has been kept.

Each layer, configuration and manifest is hashed and compared before anything of an image can be seen or run, so that what runs is what its digest names.

What to do: get the image anew. If its maker wrote it like that, the message says which rule of the OCI image specification it breaks.
`,
  ERR_KEELBOX_IMAGE_IN_USE: `
A container, running or not, was made of this image and needs its layers (exit code 2).

What to do: remove the containers that the message names (keelbox rm NAME), or take only the name away: keelbox untag NAME. With keelbox rmi -f the image goes from the list at once, and its layers when the last of those containers does.
`,
  ERR_KEELBOX_REGISTRY: `
A registry did not answer, or not as the specification demands.

What to do: check the name of the registry, the network and the proxy (HTTPS_PROXY), and try again.
`,
  ERR_KEELBOX_AUTH: `
The registry refused the credentials, or wants some. Many registries answer the same for "not allowed" and "no such repository".

What to do: log in, and check the name of the repository.
`,
  ERR_KEELBOX_KERNEL: `
The kernel refused or lacks something that a container needs, and there is no other way to get it.

The message names the system call and its answer. Frequent ones:
  ENOSYS, EINVAL   the kernel is too old for the call or the flag, or a seccomp filter around keelbox hides it
  EPERM            keelbox itself runs in a container or sandbox that forbids it
  ENOSPC           a limit of the kernel: /proc/sys/user/max_*_namespaces, inotify watches
What to do: keelbox info shows what was found; uname -r should be 5.10 or newer. Inside another container, that one needs to be allowed to nest (docker: --privileged, or --security-opt seccomp=unconfined --security-opt systempaths=unconfined).
`,
  ERR_KEELBOX_CGROUP: `
A limit was asked for that cannot be set. keelbox does not run a container without a limit that you asked for.

Usual reasons:
  rootless, and the controller is not delegated to you. For systemd:
    sudo mkdir -p /etc/systemd/system/user@.service.d
    printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf
    sudo systemctl daemon-reload     then log out and in
  the controller is missing from the kernel, or disabled on its command line (cgroup_disable=)
  /sys/fs/cgroup is not mounted or read-only: keelbox runs inside another container
See also: keelbox info, keelbox explain cgroups
`,
  ERR_KEELBOX_USERNS: `
A user namespace could not be made, and it is what keeps a container's root from being yours.

Usual reasons, and what to do:
  Ubuntu 23.10 and newer forbid them to programs without an AppArmor profile
    allow them all:  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
    or only keelbox: put this into /etc/apparmor.d/keelbox, then sudo apparmor_parser -r /etc/apparmor.d/keelbox
      abi <abi/4.0>,
      profile keelbox /**/keelbox-runtime flags=(unconfined) { userns, }
  older Debian:      sudo sysctl kernel.unprivileged_userns_clone=1
  none left:         sudo sysctl user.max_user_namespaces=15000
  no range for you in /etc/subuid and /etc/subgid:
                     sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER
  inside another container: that one's seccomp filter forbids them
As root, --userns host runs without one.
See also: keelbox explain user_namespaces
`,
  ERR_KEELBOX_PERMISSION: `
The kernel denied access to a file or an action (EACCES, EPERM), and the message names it.

Usual reasons: a path that your user may not read; a directory above it without the x bit for you; a file that belongs to root after keelbox was once run with sudo. Root's containers and yours are kept apart on purpose: use the same user as before.
`,
  ERR_KEELBOX_PLATFORM: `
The native part of keelbox is missing or cannot be loaded. It comes in a package of its own per machine type and C library: @keelbox/linux-x64-gnu, -x64-musl, -arm64-gnu, -arm64-musl.

Usual reasons, and what to do:
  installed with --omit=optional or --no-optional: install again without
  node_modules was copied from another system (macOS, Alpine to Debian): npm ci there
  a lock file that was written on another system by an old npm: npm install keelbox
  a git checkout that has not been built: npm install, which needs cargo
There are builds for Linux on x64 and arm64, with glibc 2.28 or newer or with musl.
`,
  ERR_KEELBOX_INVALID_ARG: `
A value is not one that the option or argument can take. The message names the flag and what it expects.

keelbox COMMAND --help lists the flags with the form of their values.
`,
  ERR_KEELBOX_USAGE: `
The command line could not be understood: an unknown command or flag, a value or an argument that is missing.

Flags of keelbox stand before IMAGE, everything after it belongs to the container:
  keelbox run --rm host -- ls -l        --rm is ours, -l is for ls
keelbox --help lists the commands, keelbox COMMAND --help the flags.
`,
  ERR_KEELBOX_NOT_YET: `
Docker or podman has it, and keelbox will; this version does not. It says so instead of doing something else.

keelbox COMMAND --help lists the flags that work, and those that are known and not yet.
`,
  ERR_KEELBOX_MOUNT: `
Something could not be mounted into the container.

Usual reasons:
  -v: the source does not exist. keelbox makes no directory for you: a typing error would become one
  -v: a file on a directory, or a directory on a file
  the target leads through a symbolic link out of the container, or lies in /proc
  a file system that cannot do it: an overlay's upper directory on NFS or on another overlay
  --tmpfs: an option that tmpfs does not have
The message names the step, the path and the kernel's answer.
See also: keelbox explain overlay, keelbox explain idmapped_mounts
`,
  ERR_KEELBOX_ROOTFS: `
The directory given with --rootfs cannot be a root directory.

Usual reasons: it does not exist or is no directory; it is empty; you may not read it. A tree needs at least the command and its libraries in it.
  sudo debootstrap stable ./debian       makes one
  keelbox run --rm --rootfs ./debian:O -- bash
:O leaves the tree as it is; without it, the container writes into it.
`,
  ERR_KEELBOX_BINARY: `
A root of programs (--from-binary) could not be put together. keelbox reads the headers of each program and finds its loader and libraries as the loader would: by paths in the program (RPATH, RUNPATH, $ORIGIN), /etc/ld.so.cache, and the usual directories; for musl, /etc/ld-musl-ARCH.path. Nothing is executed for it.

Usual reasons:
  the path is wrong, or the file has no x bit or cannot be read by you
  the program is for another kind of machine (file FILE says which)
  a library is not installed here, or is found by LD_LIBRARY_PATH only, which is not read
  a script whose interpreter is not on this machine

What a program loads by name while it runs (plug-ins, modules, locales) is not in the root: add it with -v, or with another --from-binary.
`,
  ERR_KEELBOX_USER: `
The user or group of -u is not in the container's /etc/passwd or /etc/group.

Names are looked up inside, not on the host. Numbers need no entry: -u 1000:1000. Without a range of ids (rootless, no newuidmap) only root, which is you, can be used.
See also: keelbox explain user_namespaces
`,
  ERR_KEELBOX_STORE: `
The directory in which keelbox keeps its state cannot be used.

Usual reasons:
  the disk is full: df -h shows it; keelbox rm of ended containers frees space
  the file system is read-only, or the directory belongs to somebody else
  it lies on NFS, or another file system without locks or extended attributes
keelbox info shows the directories. To use others: --root and --runroot, or KEELBOX_ROOT and KEELBOX_RUNROOT.
`,
  ERR_KEELBOX_LAYER: `
An archive with a layer or a root directory cannot be unpacked or written. The line "why" has the reason, and the entry.

Usual reasons:
  it has been cut short, or is no tar archive (gzip and zstd are understood)
  it is made to do harm, or by a broken program: names with .., hard links to what is not in it, sizes that contradict each other
  it asks for more than the limits allow. They are far above what images need; to raise one for an archive that you trust:
    KEELBOX_LAYER_LIMITS=bytes=200g,ratio=2000,entries=5m,depth=1000 keelbox load ...
  its files belong to users or groups that your range in /etc/subuid and /etc/subgid does not reach
  the disk is full
Nothing of it is kept.
`,
  ERR_KEELBOX_RUNTIME: `
keelbox-runtime, the program that makes and watches the container, ended or answered in a way that was not expected.

Usual reasons: it was killed (out of memory on the machine, or by hand); it is missing or not executable beside the addon (reinstall keelbox); the two are of different versions. Nothing is left behind: the next command cleans up. If it comes back, please report it.
`,
  ERR_KEELBOX_INTERNAL: `
A mistake in keelbox itself: something happened that its authors did not foresee.

What to do: run it again as keelbox --debug ..., and report what that prints together with keelbox info:
  https://github.com/keelbox/keelbox/issues
`,
  ERR_KEELBOX_MAX_BUFFER: `
A command printed more than maxBuffer, and the container has been ended. Only the library has this error: it keeps the output in memory unless you read it as a stream.

What to do: read it line by line (for await), or from stdout; or give a larger maxBuffer.
`,
  ERR_KEELBOX_STDIO: `
On the command line: what keelbox had to print could not be written to stdout, for example because the disk is full.

In the library: a stream that was connected to the container's stdin, stdout or stderr failed; error.cause has its error.
`,
  ERR_KEELBOX_LOST: `
The process that watches the container ended without saying how the container ended: it was killed, by hand or for lack of memory. The container has been ended with it. Only the library has this error.
`,
};

export const codePages: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(pages).map(([code, text]) => [code, `${code}\n\n${text.trim()}`]),
);
