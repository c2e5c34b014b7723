# SPDX-License-Identifier: Apache-2.0
"""squall doctor: what it says about faults is what this kernel and these privileges allow."""

import os
import shutil
import subprocess

import pytest

from conftest import BIN

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
    assert set(faults) == {"kill", "partition", "app"}, done.stdout + done.stderr
    return done.returncode, faults


def machine():
    def text(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    nft = text("nft", "list", "ruleset") if shutil.which("nft") else ""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        return {"links": text("ip", "-o", "link"), "netns": text("ip", "netns", "list"),
                "mounts": mounts.read(), "nft": nft, "self": os.readlink("/proc/self/ns/net")}


@NEEDS_ROOT
def test_as_root_all_faults_can_be_had_and_looking_leaves_nothing():
    before = machine()
    _, faults = doctor()
    assert faults == {"kill": ("ok", ""), "partition": ("ok", ""), "app": ("ok", "")}
    assert machine() == before


@NEEDS_ROOT
@pytest.mark.parametrize("lost, named", [("sys_admin", "CAP_SYS_ADMIN"),
                                         ("net_admin", "CAP_NET_ADMIN")])
def test_the_missing_capability_is_named(lost, named):
    status, faults = doctor("setpriv", f"--bounding-set=-{lost}")
    assert status == 5
    assert faults["partition"][0] == "MISSING" and named in faults["partition"][1]
    assert faults["kill"][0] == faults["app"][0] == "ok"


def test_an_ordinary_user_has_the_faults_that_need_no_kernel():
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    status, faults = doctor(*(prefix if os.geteuid() == 0 else []))
    assert status == 5
    assert faults["kill"][0] == faults["app"][0] == "ok"
    assert faults["partition"][0] == "MISSING" and "CAP_SYS_ADMIN" in faults["partition"][1]
