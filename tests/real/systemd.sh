#!/bin/bash
# The first process of a machine: called in namespaces of its own (`unshare`) with an empty folder.
# Its disk is this machine's, with what is written kept in memory and gone at the end; it has no
# network but loopback. systemd starts no more than its own basic services.
set -euo pipefail
place=$1

refused() { echo "refused: $1"; exit 0; }

mount --make-rprivate /
mount -t tmpfs -o size=1g tmpfs "$place" || refused "mount a tmpfs"
mkdir "$place"/{written,work,root}
root=$place/root
mount -t overlay -o "lowerdir=/,upperdir=$place/written,workdir=$place/work" overlay "$root" \
  || refused "mount an overlay"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || refused "mount control groups"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root"/dev/{pts,shm}
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/tmp"  # it empties its own at the start, which may be large
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/run/outside"
ip link set lo up
cd "$root"
pivot_root . run/outside
umount --lazy /run/outside
export container=test
echo booting
exec /lib/systemd/systemd --unit=basic.target
