# SPDX-License-Identifier: Apache-2.0
"""What test_f_netem.py runs inside a kernel whose cgroup v2 has the io controller: ioThrottle by
io.max, with its deaths. Not collected by itself. The disk there is one in memory, with ext4 on it."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from chaos_lab import (GRACE_S, PREFIX, S, Agent, Instance, Platform, all_ok, device_of, echo_command,
                       evidence, sh, throttle_fault)
from conftest import BIN, wait_until
from services import free_port
from test_f_io import MIB, speed_in

LEASE_S = 3.0
MOST = MIB // 2  # bytes a second: what a busy machine leaves to a kernel inside it is far more
ROOT = pathlib.Path("/run/groups")
DISK = pathlib.Path("/run/disk")


def max_of(group, device):
    """What io.max has of a device: key -> number or max."""
    for line in (group / "io.max").read_text().splitlines():
        if line.split()[0] == device:
            return dict(word.split("=") for word in line.split()[1:])
    return {}


@pytest.fixture(scope="module")
def platform():
    sh("modprobe", "-d", "/run/modules", "brd", "rd_nr=1", "rd_size=65536")
    sh("mknod", "/run/ram0", "b", "1", "0")
    sh("mkfs.ext4", "-q", "/run/ram0")
    for place in (ROOT, DISK):
        place.mkdir()
    sh("mount", "/run/ram0", str(DISK))
    sh("mount", "-t", "cgroup2", "none", str(ROOT))
    (ROOT / "cgroup.subtree_control").write_text("+io")
    made = Platform(DISK, "loopback")
    try:
        for number in (1, 2):
            group = ROOT / f"{PREFIX}-{number}"
            group.mkdir()
            made.groups.append(group)
            port = free_port()
            made.add("jobs", Instance(DISK, f"jobs-{number}", echo_command("127.0.0.1", port),
                                      "127.0.0.1", port, groups=[group]))
        made.write()
        yield made
    finally:
        made.stop()


@pytest.fixture
def agent(platform, tmp_path):
    made = Agent(platform, tmp_path, "--max-affected", "100%").start()
    yield made
    made.finish()
    assert [max_of(g, device_of(DISK)) for g in platform.groups] == [{}, {}]


def throttled(group):
    return {key for key, value in max_of(group, device_of(DISK)).items() if value != "max"}


def renew(agent, spec, lease_s):
    return agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(lease_s * S)})[0]


def inject(agent, **limits):
    """This kernel stands still at times, when there is much else to do, and the agent finds a disk
    that gives too little, or a limit that is not what was asked for, and says so, rightly: then once
    more. It is made to last so long that it does not lapse meanwhile."""
    for _ in range(5):
        spec = throttle_fault(DISK, ["jobs-1"], lease_s=LEASE_S, duration_s=300.0,
                              **limits)
        status, record = agent.post(spec)
        if status == 200:
            assert record["state"] == "active" and all_ok(record), record
            if renew(agent, spec, 60.0) == 200:
                return spec, record
            record = agent.wait_state(spec, "gone", 20)
            assert record["end"] == "lease", record
            continue
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert "ask for less" in record["error"] or "not what was asked for" in record["error"]
    pytest.fail(str(record))


def is_free(group, way, block, most, unit):
    """More than twice as much, if not in a fifth of a second in which nothing at all moves."""
    wait_until(lambda: speed_in(group, DISK, way, block, 0.2) / unit > 2 * most, 10, f"{group} is free")


def test_doctor_names_the_means(platform):
    done = subprocess.run([str(BIN / "squall"), "doctor"], capture_output=True, text=True,
                          timeout=60, check=False)
    line = next(x for x in done.stdout.splitlines() if "fault ioThrottle" in x)
    assert line.split()[0] == "ok" and "io.max (cgroup v2)" in line, done.stdout


@pytest.mark.parametrize("limits, key, way, unit", [
    (dict(write=MOST), "wbps", "write", 1), (dict(read_ops=50), "riops", "read", 4096)], ids=str)
def test_a_disk_gives_no_more_than_that(agent, platform, limits, key, way, unit):
    group, other = platform.groups
    [most] = limits.values()
    block = 32 << 10 if unit == 1 else unit
    spec, record = inject(agent, **limits)
    assert max_of(group, device_of(DISK))[key] == str(most) and throttled(group) == {key}
    assert not throttled(other)
    got = speed_in(group, DISK, way, block, 1.0) / unit
    assert 0.1 * most <= got <= 1.6 * most, (got, most)
    is_free(other, way, block, most, unit)
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone") and all_ok(record), record
    assert not throttled(group) and evidence(record, "after")[0]["value"] == "none"
    is_free(group, way, block, most, unit)


def test_a_limit_of_somebody_else_stays(agent, platform):
    group = platform.groups[0]
    device = device_of(DISK)
    (group / "io.max").write_text(f"{device} wbps=9999999 riops=777")
    try:
        status, record = agent.post(throttle_fault(DISK, ["jobs-1"], write=MOST, lease_s=LEASE_S))
        assert (status, record["appliedAtNs"]) == (409, 0), record
        assert "by somebody else" in record["error"]
        spec, _ = inject(agent, read=MOST)  # the same line, another key
        assert max_of(group, device) == {"rbps": str(MOST), "wbps": "9999999", "riops": "777",
                                         "wiops": "max"}
        assert agent.delete(spec)[0] == 200
        assert max_of(group, device) == {"rbps": "max", "wbps": "9999999", "riops": "777",
                                         "wiops": "max"}
    finally:
        (group / "io.max").write_text(f"{device} rbps=max wbps=max riops=max wiops=max")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_it_is_lifted_whatever_becomes_of_the_agent(agent, platform, number):
    group = platform.groups[0]
    spec, _ = inject(agent, write=MOST)
    assert throttled(group) and renew(agent, spec, LEASE_S) == 200
    since = time.monotonic()
    agent.signal(number)
    wait_until(lambda: not throttled(group), LEASE_S + GRACE_S, "lifted by lease + 2 s")
    print(f"{number.name}: {time.monotonic() - since:.2f} s")
    agent.come_back(number)
    record = agent.wait_state(spec, "gone", 15)
    assert record["end"] in ("recovery", "lease"), record


def test_a_target_that_restarts_stays_throttled(agent, platform):
    group = platform.groups[0]
    spec, _ = inject(agent, write=MOST)
    os.kill(platform.instances["jobs-1"].process.pid, signal.SIGKILL)
    wait_until(lambda: renew(agent, spec, LEASE_S) == 200 and platform.instances["jobs-1"].ready(),
               10, "back, and still renewed")
    assert throttled(group)
    assert agent.delete(spec)[1]["state"] == "gone"
