#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one command in the Debian under ROOT and tells what it left behind; tests/fresh/run.sh starts
# this as the first process of its own mount, process, network and control group namespaces, so
# whatever is mounted, started or made here ends with it.
#   inside.sh [--shared-network] ROOT USER FOLDER COMMAND
# Exit code: the command's own; 1 when it left anything that was not there before. With the machine's
# own network, where others' links come and go, nobody can tell what the command left.
set -euo pipefail
shared=no
if [ "$1" = --shared-network ]; then
    shared=yes
    shift
fi
root=$1 user=$2 folder=$3 command=$4

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
mkdir "$root/run/lock" # Debian's own system start makes it
ip link set lo up
# pivot_root(8), not chroot: `ip netns exec` needs "/" to be a mount, `nsenter --mount` goes to the
# root of the namespace; and nothing of the machine itself remains in sight.
cd "$root"
pivot_root . .
umount --lazy .
cd /

# state: processes, network namespaces, links, control groups and mounts, one a line. Starts no
# process before it has listed them. /run/netns stays mounted once `ip netns` was used: its way.
state() {
    [ "$shared" = no ] || return 0
    local pid
    for pid in /proc/[0-9]*; do
        [ "${pid##*/}" -eq "$$" ] || { read -r name <"$pid/comm" && echo "process $name"; } 2>/dev/null || true
    done
    [ ! -d /run/netns ] || find /run/netns -mindepth 1 -printf 'network namespace %f\n'
    ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/'
    find /sys/fs/cgroup -mindepth 1 -type d -printf 'control group /%P\n'
    findmnt -rno TARGET | sed '\#^/run/netns$#d; s/^/mount /'
}

before=$(mktemp -p /run) after=$(mktemp -p /run)
state >"$before"
# A new machine's environment: no locale, no colours, nothing of this one's.
status=0
home=$(getent passwd "$user" | cut -d: -f6)
setpriv --reuid="$user" --regid="$user" --init-groups \
    env -i HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    DEBIAN_FRONTEND=noninteractive \
    bash -c "cd $folder && $command" </dev/null || status=$?
state >"$after"
left=$(comm -13 <(sort "$before") <(sort "$after"))
if [ -n "$left" ]; then
    printf 'left behind:\n%s\n' "$left"
    [ "$status" -ne 0 ] || status=1
fi
exit "$status"
