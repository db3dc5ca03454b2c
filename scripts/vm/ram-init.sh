#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first process: makes the disks readable, and hands over to guest-init.sh on them, or to systemd.
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
# A kernel that comes this far works here: that is all that a probe asks.
if /bin/busybox grep -q keelbox.probe /proc/cmdline; then
  echo keelbox-probe >/dev/ttyS1
  /bin/busybox poweroff -f
fi
first=/keelbox/guest-init.sh
if /bin/busybox grep -q keelbox.systemd /proc/cmdline; then first=/lib/systemd/systemd; fi
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
/bin/busybox mount -t ext4 /dev/vda /root &&
  /bin/busybox mount -t ext4 /dev/vdb /root/keelbox &&
  /bin/busybox umount /proc &&
  /bin/busybox mount --move /dev /root/dev &&
  exec /bin/busybox switch_root /root "$first"
echo 'keelbox: the guest has no root' >/dev/ttyS0
/bin/busybox poweroff -f
