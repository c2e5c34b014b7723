# SPDX-License-Identifier: Apache-2.0
"""squall doctor: what it says about faults is what this kernel and these privileges allow."""

import os
import pathlib
import subprocess

import pytest

from chaos_lab import group_mount, no_throttle_here
from conftest import BIN

KINDS = {"kill", "partition", "app", "pause", "cpu", "memory", "network", "diskFill", "limits",
         "tcp", "http", "dns", "postgres", "redis", "io", "ioThrottle",
         "postgres.slowDisk", "rabbitmq", "node", "postgres.failover", "redis.failover",
         "rabbitmq.stopNode"}
# What needs control groups that throttle disks.
DISK_KINDS = {"ioThrottle", "postgres.slowDisk"}
# What no host can do, and what is named instead.
NEVER = {"clock": "libfaketime", "node.reboot": "kubelet.service"}
# What needs a table in a network namespace.
NETNS_KINDS = {"partition", "network", "tcp", "http", "dns", "postgres.failover", "redis.failover",
               "rabbitmq.stopNode"}
# What every host can do.
FREE_KINDS = KINDS - NETNS_KINDS - (DISK_KINDS if no_throttle_here() else set())
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="privileges are taken away from root")


def doctor(*prefix):
    done = subprocess.run([*prefix, str(BIN / "squall"), "doctor"], capture_output=True, text=True,
                          timeout=60, check=False)
    faults = {}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if rest.strip().startswith("fault "):
            _, kind, *detail = rest.split()
            faults[kind] = (word, " ".join(detail))
    for kind, instead in NEVER.items():
        word, reason = faults.pop(kind)
        assert word == "never" and instead in reason, (kind, word, reason)
    assert set(faults) == KINDS, done.stdout + done.stderr
    return done.returncode, faults


def has_capability(number):
    """Of CapEff, proc_pid_status(5)."""
    status = pathlib.Path("/proc/self/status").read_text()
    [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return bool(int(mask, 16) >> number & 1)


# In namespaces of its own, so that what others do on this machine meanwhile does not show.
LOOK = """
dump() { readlink /proc/self/ns/net; ip -d link; ip address; ip rule; nft list ruleset
         grep -v ' - nsfs ' /proc/self/mountinfo; }
dump > "$1/before"; "$2" doctor > "$1/said"; dump > "$1/after"
"""


@NEEDS_ROOT
def test_as_root_all_faults_can_be_had():
    _, faults = doctor()
    means = faults.pop("network")
    assert means == ("ok", "by nfqueue: packets are held in user space"), means
    limits = faults.pop("limits")
    assert limits[0] == "ok" and (limits[1] == "") == has_capability(24), limits
    disks = faults.pop("ioThrottle")
    assert faults.pop("postgres.slowDisk") == disks
    v2, v1 = group_mount(None), group_mount("blkio")
    if v2 is not None and "io" in (v2 / "cgroup.controllers").read_text().split():
        assert disks == ("ok", "io.max (cgroup v2)")
    elif v1 is not None:
        assert disks == ("ok", "blkio.throttle (cgroup v1)")
    else:
        assert disks[0] == "MISSING" and "no control groups" in disks[1]
    assert faults == {kind: ("ok", "") for kind in KINDS - DISK_KINDS - {"network", "limits"}}


@NEEDS_ROOT
def test_whose_files_can_be_limited_is_said():
    _, faults = doctor("setpriv", "--bounding-set=-sys_resource")
    assert faults["limits"][0] == "ok" and "CAP_SYS_RESOURCE is missing" in faults["limits"][1]


@NEEDS_ROOT
def test_looking_leaves_nothing(tmp_path):
    subprocess.run(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", LOOK,
                    "sh", str(tmp_path), str(BIN / "squall")], timeout=60, check=True)
    assert "fault partition" in (tmp_path / "said").read_text()
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text() != ""


@NEEDS_ROOT
@pytest.mark.parametrize("lost, named", [("sys_admin", "CAP_SYS_ADMIN"),
                                         ("net_admin", "CAP_NET_ADMIN")])
def test_the_missing_capability_is_named(lost, named):
    status, faults = doctor("setpriv", f"--bounding-set=-{lost}")
    assert status == 5
    for kind in NETNS_KINDS:
        assert faults[kind][0] == "MISSING" and named in faults[kind][1]
    assert all(faults[kind][0] == "ok" for kind in FREE_KINDS)


@NEEDS_ROOT
def test_without_raw_sockets_the_network_cannot_be_measured():
    status, faults = doctor("setpriv", "--bounding-set=-net_raw")
    assert status == 5
    assert faults["network"][0] == "MISSING" and "CAP_NET_RAW" in faults["network"][1]
    assert faults["partition"][0] == "ok"


def test_an_ordinary_user_has_the_faults_that_need_no_kernel():
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    status, faults = doctor(*(prefix if os.geteuid() == 0 else []))
    assert status == 5
    assert all(faults[kind][0] == "ok" for kind in FREE_KINDS)
    for kind in NETNS_KINDS:
        assert faults[kind][0] == "MISSING" and "CAP_SYS_ADMIN" in faults[kind][1]
