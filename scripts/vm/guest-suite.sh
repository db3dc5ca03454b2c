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
# shellcheck disable=SC2086 # the names of specs are words
suite() {
  if [ -e command.sh ]; then set -- sh command.sh; else set -- node scripts/test.mjs --prebuilt $KEELBOX_SPECS; fi
  # setsid: the suite's processes must not end with this script's terminal.
  setsid "$@"
}
suite </dev/null >/dev/ttyS1 2>&1
echo "keelbox-guest: done $?" >/dev/ttyS1
