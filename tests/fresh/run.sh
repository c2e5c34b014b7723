#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proves that tools/setup names every package: clones the committed HEAD into a Debian 12 in which
# nothing was ever installed, and does there what README.md tells a newcomer to do.
#   tests/fresh/run.sh [--check] [FOLDER]
#   --check   also runs `make check` in it
#   FOLDER    where that Debian lies: new or empty (default: a new folder in /var/tmp; 5 GB)
# Needs root, debootstrap, git and iproute2. Logs: build/fresh/. Every step runs in namespaces of its
# own below one control group, so that at the end, or when interrupted, nothing of it stays.
set -euo pipefail
# A job of its own group may be waited for while signals are handled, and does not ignore SIGINT as
# other background jobs do, which the programs under test would inherit.
set -m

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
logs=$repository/build/fresh
mirror=${SQUALL_FRESH_MIRROR:-http://deb.debian.org/debian}
demo_limit_s=180

die() {
    echo "fresh: $2" >&2
    exit "$1"
}

with_check=no
if [ "${1:-}" = --check ]; then
    with_check=yes
    shift
fi
case ${1:-} in -*) die 2 "unknown option $1; usage: tests/fresh/run.sh [--check] [FOLDER]" ;; esac
[ $# -le 1 ] || die 2 "one folder at most; usage: tests/fresh/run.sh [--check] [FOLDER]"
[ "$(id -u)" -eq 0 ] || die 5 "this needs root, for debootstrap and namespaces"
for program in debootstrap git ip unshare; do
    command -v "$program" >/dev/null || die 5 "$program is missing: apt-get install debootstrap git iproute2 util-linux"
done
hierarchy=$(findmnt -rnt cgroup2 -o TARGET | head -n 1)
[ -n "$hierarchy" ] || die 5 "no cgroup v2 hierarchy is mounted"

if [ $# -eq 1 ]; then
    mkdir -p "$1"
    root=$(cd "$1" && pwd -P)
    [ -z "$(ls -A "$root")" ] || die 2 "$root is not empty; name a new folder, its contents are removed at the end"
else
    root=$(mktemp -d /var/tmp/squall-fresh.XXXXXX)
fi
chmod 0755 "$root"
group=$hierarchy/squall-fresh.$$

log_of() { echo "$logs/${1// /-}.log"; }
running= # name of the step under way
leave() {
    local status=$?
    trap '' INT TERM HUP
    exec >&3 2>&1 # a signal may come while output goes to a log
    if [ -n "$running" ]; then
        tail -n 60 "$(log_of "$running")"
        echo "FAILED  $running, exit code $status (whole log: $(log_of "$running"))"
    fi
    if [ -d "$group" ]; then
        echo 1 >"$group/cgroup.kill"
        until grep -q 'populated 0' "$group/cgroup.events"; do sleep 0.05; done
        find "$group" -depth -type d -exec rmdir {} +
    fi
    rm -rf --one-file-system "$root"
}
exec 3>&1
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$group"
mkdir -p "$logs"

# contained COMMAND...: in the control group, with mounts and processes of its own.
contained() {
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec unshare --mount --propagation private --pid --fork --kill-child --cgroup "$@" 3>&-
    ) &
    wait "$!"
}

# step NAME COMMAND...: one timed line. A failure ends the script (set -e), and leave() shows the log.
step() {
    local start=$SECONDS
    running=$1
    shift
    "$@" >"$(log_of "$running")" 2>&1
    took=$((SECONDS - start))
    printf 'ok      %-24s %4d s\n' "$running" "$took"
    running=
}

online() { contained "$here/inside.sh" --shared-network "$root" "$@"; }
# Cut off from every network but its own loopback: nothing may be fetched but by tools/setup.
offline() { contained --net "$here/inside.sh" "$root" "$@"; }

# What an installer leaves on a machine, and how this machine's apt reaches its packages.
furnish() {
    local from
    printf '127.0.0.1\tlocalhost\n' >"$root/etc/hosts"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    for from in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf /etc/apt/apt.conf.d; do
        rm -rf "${root:?}$from"
        [ ! -e "$from" ] || cp -a "$from" "$root$from"
    done
    for from in /usr/local/share/ca-certificates/*.crt; do
        [ ! -e "$from" ] || install -D -m 0644 -t "$root/usr/local/share/ca-certificates" "$from"
    done
}

clone() {
    local to=$root$1/squall
    git clone -q --no-hardlinks "$repository" "$to"
    chroot "$root" chown -R "$2:" "$1/squall"
}

# evidence FOLDER [PATTERN]: the demo left a report.html with PATTERN (default: a chart) in it.
evidence() {
    local report
    report=$(find "$root$1/squall/squall-runs" -name report.html | head -n 1)
    [ -s "$report" ] || { echo "no report.html below $1/squall/squall-runs" && return 1; }
    grep -q "${2:-<svg}" "$report" || { echo "$report shows no ${2:-<svg}" && return 1; }
    ls -l "$(dirname "$report")"
}

commit=$(git -C "$repository" rev-parse --short HEAD)
echo "fresh: $commit in $root; logs in $logs"
[ -z "$(git -C "$repository" status --porcelain)" ] || echo "fresh: uncommitted changes are not tested"

step debootstrap contained debootstrap --variant=minbase bookworm "$root" "$mirror"
step furnish furnish
# The one thing README.md asks for; after it the package lists are gone, as in a container image.
step prerequisites online root / 'apt-get update && apt-get install -y git make && rm -rf /var/lib/apt/lists/*'
step clone clone /root root
step setup online root /root/squall 'make setup'
step demo offline root /root/squall 'make demo'
demo_s=$took
step "demo evidence" evidence /root
chroot "$root" useradd --create-home newcomer
step "clone as user" clone /home/newcomer newcomer
step "demo as user" offline newcomer /home/newcomer/squall 'make demo'
step "demo evidence as user" evidence /home/newcomer 'cut-one-off-from-postgres.*SKIPPED, not injected'
if [ "$with_check" = yes ]; then
    step "setup check" online root /root/squall 'tools/setup check && cd tests/interop && npm ci --ignore-scripts'
    step check offline root /root/squall 'make check'
    tail -n 1 "$logs/check.log"
fi
echo "fresh: make demo took $demo_s s without the packages (at most $demo_limit_s s allowed)"
[ "$demo_s" -le "$demo_limit_s" ]
