#!/bin/sh
# The first process of the user-mode-linux kernel (../machine.ts starts it): file systems of its own over what would be written on
# the host, the kernel's IPsec modules, then the Node program named on the kernel's command line. Prints on the console, then ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C
mount -t proc proc /proc
mount -t sysfs sys /sys
for word in $(cat /proc/cmdline); do
  case $word in
    lab.node=*) node=${word#lab.node=} ;;
    lab.script=*) script=${word#lab.script=} ;;
    lab.root=*) root=${word#lab.root=} ;;
  esac
done
# A checkout may itself lie below /tmp or /run.
mount --bind "$root" /mnt
mount -t tmpfs tmp /run
mount -t tmpfs tmp /tmp
mkdir -p "$root"
mount --move /mnt "$root"
mount -t tmpfs tmp /dev
mkdir -p /dev/net /run/modules/lib /run/netns
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/random c 1 8
mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/net/tun c 10 200
ln -s /proc/self/fd /dev/fd
ln -s /usr/lib/uml/modules /run/modules/lib/modules
for module in xfrm_user esp4 esp6 ah4 ah6 jitterentropy_rng drbg aes_generic seqiv echainiv ghash-generic hmac sha1_generic \
  sha256_generic sha512_generic gcm ctr cbc ccm authenc authencesn chacha_generic poly1305_generic chacha20poly1305 des_generic \
  cmac xcbc crypto_null veth tun; do
  modprobe -q -d /run/modules "$module"
done
"$node" "$script" </dev/null
echo "lab ended $?"
poweroff -f
