#!/bin/sh
# The guest's pid 1 after the RAM disk: mounts what a Debian system has, cgroup v2 alone, runs the suite, powers off.
# The suite talks on the second serial line, so that the kernel's messages stay out of it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LANG=C.UTF-8

# Without it the guest would sit there until its time is over.
trap 'sync; echo o >/proc/sysrq-trigger; sleep 60' EXIT

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
  ln -sf "${link#*:}" "/dev/${link%%:*}"
done

# A cgroup with processes cannot give controllers to its children.
mkdir /sys/fs/cgroup/init.scope
echo $$ >/sys/fs/cgroup/init.scope/cgroup.procs
for controller in cpu cpuset io memory hugetlb pids rdma misc; do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done

for module in overlay veth bridge br_netfilter nf_tables fuse tun dummy; do
  modprobe -q "$module" || echo "keelbox: no module $module"
done
ip link set lo up
hostname keelbox-guest
sh /keelbox/guest-suite.sh
