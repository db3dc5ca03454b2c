#!/bin/sh
# Runs the suite, or the command that was asked for, in the guest; says on the second serial line how it went.
export PATH=/keelbox/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LANG=C.UTF-8
# As udev's rules have them; the kernel makes them for root alone.
for node in /dev/fuse /dev/net/tun; do
  [ ! -e "$node" ] || chmod 0666 "$node"
done

# Where the image `host` shows it, too.
cp /keelbox/bin/node /usr/local/bin/

cd /keelbox || exit
set -a
# shellcheck disable=SC1091 # written by disks.mjs
. ./guest.env
set +a

# A spec that must see the machine start once more leaves the names of the specs to run then. The disk keeps them: QEMU
# resets, it does not end.
kept=/var/lib/keelbox-test
mkdir -p "$kept"
export KEELBOX_BOOT=1
if [ -e "$kept/booted" ]; then
  KEELBOX_BOOT=2
  KEELBOX_SPECS=$(cat "$kept/again") || {
    echo 'keelbox-guest: booted once more, and nobody had asked for it' >/dev/ttyS1
    echo 'keelbox-guest: done 1' >/dev/ttyS1
    exit 1
  }
fi
touch "$kept/booted"

# shellcheck disable=SC2086 # the names of specs are words
suite() {
  if [ -e command.sh ]; then set -- sh command.sh; else set -- node scripts/test.mjs --prebuilt $KEELBOX_SPECS; fi
  # setsid: the suite's processes must not end with this script's terminal.
  setsid "$@"
}
suite </dev/null >/dev/ttyS1 2>&1
status=$?
if [ "$KEELBOX_BOOT" = 1 ] && [ -e "$kept/again" ]; then
  echo "$status" >"$kept/booted"
  # The restart asks this script to end, which is not how it failed.
  trap '' TERM
  systemctl --no-block reboot
  exit 0
fi
[ "$status" -ne 0 ] || status=$(cat "$kept/booted")
echo "keelbox-guest: done ${status:-0}" >/dev/ttyS1
[ ! -d /run/systemd/system ] || systemctl --force poweroff
