# SPDX-License-Identifier: Apache-2.0
"""Faults of disks, measured by the kernel's own account of processes that the test looks at or has
started itself."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from chaos_lab import (NEEDS_ROOT, S, add_jobs, agent, agent_options, bridge,
                       device_of, evidence, inject, io_fault, limits_on, no_throttle_here,
                       platform, revert, throttle_fault, workers_in)
from conftest import run, wait_until
from test_f_process import Small, guards

pytestmark = NEEDS_ROOT
THROTTLE = pytest.mark.skipif(no_throttle_here() is not None, reason=str(no_throttle_here()))
MIB = 1 << 20

# Joins a control group and writes or reads past the page cache: bytes a second.
TRY = """
import mmap, os, sys, time
group, folder, way, size, seconds = *sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5])
block = mmap.mmap(-1, size)
fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT, 0o600)
for place in range(4):
    os.pwritev(fd, [block], place * size)
os.fsync(fd)
with open(group + "/cgroup.procs", "w") as procs:
    procs.write("0")
move = os.pwritev if way == "write" else os.preadv
began, done = time.monotonic(), 0
while (took := time.monotonic() - began) < seconds:
    done += move(fd, [block], done % (4 * size))
print(done / took)
"""


@pytest.fixture(scope="module")
def disks(platform):
    add_jobs(platform, [(37, [None]), (38, [None, "blkio"])])
    platform.write()
    return platform


def io_of(pid):
    """What disks have read and written for a process."""
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    found = dict(line.split(": ") for line in lines)
    return int(found["read_bytes"]), int(found["write_bytes"])


def nameless(folder):
    """Files without a name in a folder that some process holds."""
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            place = os.readlink(link)
        except OSError:
            continue
        if place.startswith(f"{folder}/#") and place.endswith("(deleted)"):
            found.append(link)
    return found


# --- io ---

def moved_by(agent, spec, instance, seconds):
    """Bytes a second that all workers read and wrote, while nothing but renewal keeps them."""
    first = {pid: io_of(pid) for pid in workers_in(instance)}
    since = time.monotonic()
    def passed():
        agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 3 * S})
        return time.monotonic() - since > seconds
    wait_until(passed, 10 * seconds, "the time has passed")
    last = {pid: io_of(pid) for pid in first}
    took = time.monotonic() - since
    return [sum(last[pid][way] - first[pid][way] for pid in first) / took for way in (0, 1)]


@pytest.mark.parametrize("mode, reads, writes", [("write", 0, 1), ("read", 1, 0),
                                                 ("both", 0.5, 0.5)])
def test_workers_do_what_was_asked_for(agent, disks, mode, reads, writes):
    instance = disks.instances["jobs-37"]
    spec = io_fault(disks.folder, workers=2, mode=mode, rate=MIB, lease_s=3.0)
    record = inject(agent, spec)
    workers = workers_in(instance)
    assert len(workers) == 2 and len(nameless(disks.folder)) == 2
    got = moved_by(agent, spec, instance, 1.0)
    for have, share in zip(got, (reads, writes)):
        # At most what was asked for, and a second's worth of catching up.
        assert share * 0.4 * 2 * MIB <= have <= share * 2.5 * 2 * MIB + 0.1 * MIB, (mode, got)
    [_, during] = evidence(record, "during")
    assert "by 2 of 2" in during["value"] and during["expected"].startswith("2.00 MiB/s"), during
    record = revert(agent, spec)
    assert not workers_in(instance) and not nameless(disks.folder)
    assert [e["when"] for e in record["evidence"]] == ["before", "during", "during", "after"]


def test_without_a_rate_it_goes_as_fast_as_it_can(agent, disks):
    spec = io_fault(disks.folder, workers=1, mib=1, rate=0, lease_s=3.0)
    record = inject(agent, spec)
    [_, during] = evidence(record, "during")
    assert during["expected"] == "as much as it gives, to each"
    [pid] = workers_in(disks.instances["jobs-37"])
    before = io_of(pid)[1]
    wait_until(lambda: io_of(pid)[1] >= before + 4 * MIB, 3, "its file was gone through again")
    assert os.stat(nameless(disks.folder)[0]).st_size == MIB
    revert(agent, spec)


def test_a_lost_worker_ends_the_io(agent, disks):
    instance = disks.instances["jobs-37"]
    spec = io_fault(disks.folder, workers=2, lease_s=10.0)
    inject(agent, spec)
    os.kill(next(iter(workers_in(instance))), signal.SIGKILL)
    record = agent.wait_state(spec, "gone", 5)
    assert record["end"] == "failed" and "is there room" in record["error"], record
    assert not workers_in(instance) and not nameless(disks.folder)


def test_a_disk_that_is_memory_is_none(disks, tmp_path):
    small = Small(disks, tmp_path)
    try:
        status, record = small.agent.post(io_fault(small.folder, lease_s=1.0))
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert "not what was asked for" in record["error"] and not record["wasActive"]
        assert evidence(record, "during")[1]["value"].startswith("0.00 MiB/s by 0 of 1")
    finally:
        small.close()


def check_refusal(agent, spec, words):
    status, answer = agent.post(spec)
    assert status in (400, 403, 409) and words in json.dumps(answer), (spec, answer)


def test_what_must_not_be_written_is_refused(agent, disks, tmp_path):
    room = os.statvfs(disks.folder)
    nearly_all = int(room.f_bavail * room.f_frsize / MIB) - 100
    for spec, words in [(io_fault(tmp_path), "does not lie in"),
                        (io_fault(disks.folder, mib=nearly_all), "the agent's journal lies there"),
                        (io_fault(disks.folder, workers=8, mib=nearly_all // 8), "ask for less"),
                        (io_fault(disks.folder, ["jobs-23"]), "control group of its own")]:
        check_refusal(agent, spec, words)


# --- ioThrottle ---

@THROTTLE
def test_memory_is_no_device(disks, tmp_path):
    small = Small(disks, tmp_path)
    try:
        check_refusal(small.agent, throttle_fault(small.folder, write=MIB),
                      "(tmpfs) without a block device")
    finally:
        small.close()


@THROTTLE
def test_what_must_not_be_throttled_is_refused(agent, disks, tmp_path):
    for spec, words in [(throttle_fault(tmp_path, write=MIB), "does not lie in"),
                        (throttle_fault(disks.folder), "does nothing"),
                        (throttle_fault(disks.folder, write=MIB, write_ops=9), "beside"),
                        (throttle_fault(disks.folder, ["jobs-23"], write=MIB), "subtree_control")]:
        check_refusal(agent, spec, words)


@THROTTLE
def test_by_hand(agent, disks):
    topology = json.loads(disks.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
    with_agent = agent.folder / "with-agent.json"
    with_agent.write_text(json.dumps(topology))
    for service, instance in (("jobs", "jobs-37"),):
        words = [service, "--for", "1s", "--max-affected", "100%", "--topology", with_agent]
        dry = run("squall", "fault", "apply", "ioThrottle", *words, "writeRate=1MiB", "--dry-run")
        assert dry.returncode == 0 and "a watchdog puts back what was" in dry.stdout, dry
        assert instance in dry.stdout or "jobs" in dry.stdout
    wrong = run("squall", "fault", "apply", "ioThrottle", "jobs", "--for", "1s", "--topology",
                with_agent, "writeOps=5")
    assert wrong.returncode == 2 and "at least 10" in wrong.stderr, wrong


def speed_in(group, folder, way, block, seconds):
    """Of a process of the test's own in a group."""
    done = subprocess.run(["/usr/bin/python3", "-c", TRY, str(group), str(folder), way,
                           str(block), str(seconds)], capture_output=True, text=True, check=True,
                          timeout=60)
    return float(done.stdout)


def speed(disks, way, block=32 << 10, seconds=0.4):
    return speed_in(disks.instances["jobs-38"].groups[1], disks.folder, way, block, seconds)


def rules(disks):
    return limits_on(disks.instances["jobs-38"].groups[1], device_of(disks.folder))


@THROTTLE
@pytest.mark.parametrize("limit, way, block, file", [
    (dict(write=MIB // 2), "write", 32 << 10, "write_bps_device"),
    (dict(read=MIB // 2), "read", 32 << 10, "read_bps_device"),
    (dict(write_ops=50), "write", 4096, "write_iops_device"),
    (dict(read_ops=50), "read", 4096, "read_iops_device")], ids=str)
def test_a_disk_gives_no_more_than_that(agent, disks, limit, way, block, file):
    [most] = limit.values()
    unit = block if "ops" in file else 1
    spec = throttle_fault(disks.folder, **limit, lease_s=20.0)
    record = inject(agent, spec)
    assert rules(disks) == {file: most}
    got = speed(disks, way, block) / unit
    assert 0.1 * most <= got <= 1.6 * most, (got, most)  # others use that disk as well
    free = speed(disks, "read" if way == "write" else "write", block, 0.1) / unit
    assert free > 2 * most, "the other direction is as it was"
    before, during = evidence(record, "before"), evidence(record, "during")
    assert [e["metric"].split(" ")[0] for e in before + during] == [
        before[0]["metric"].split(" ")[0], f"{way}s", before[0]["metric"].split(" ")[0], f"{way}s"]
    record = revert(agent, spec)
    assert rules(disks) == {} and not guards(agent)
    assert speed(disks, way, block, 0.1) / unit > 2 * most
    rule, after = evidence(record, "after")
    assert rule["value"] == "none" and "more than" in after["expected"], record


@THROTTLE
def test_both_directions_at_once(agent, disks):
    spec = throttle_fault(disks.folder, read=MIB, write_ops=50, lease_s=20.0)
    record = inject(agent, spec)
    assert rules(disks) == {"read_bps_device": MIB, "write_iops_device": 50}
    assert len(evidence(record, "during")) == 4 and len(guards(agent)) == 1
    revert(agent, spec)
    assert rules(disks) == {}


def set_rule(disks, file, value):
    group = disks.instances["jobs-38"].groups[1]
    (group / f"blkio.throttle.{file}").write_text(f"{device_of(disks.folder)} {value}")


@THROTTLE
def test_a_limit_of_somebody_else_stays(agent, disks):
    set_rule(disks, "write_bps_device", 50 * MIB)
    try:
        status, record = agent.post(throttle_fault(disks.folder, write=MIB))
        assert (status, record["state"], record["appliedAtNs"]) == (409, "gone", 0), record
        assert "by somebody else" in record["error"] and not evidence(record, "before")[0]["ok"]
        spec = throttle_fault(disks.folder, read=MIB, lease_s=20.0)  # of the other direction
        inject(agent, spec)
        revert(agent, spec)
        assert rules(disks) == {"write_bps_device": 50 * MIB}
    finally:
        set_rule(disks, "write_bps_device", 0)


@THROTTLE
def test_who_changes_the_limit_ends_the_fault_and_keeps_his(agent, disks):
    spec = throttle_fault(disks.folder, write=MIB, lease_s=20.0)
    inject(agent, spec)
    try:
        set_rule(disks, "write_bps_device", 9 * MIB)
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * S})
        assert (status, record["state"], record["end"]) == (410, "gone", "failed"), record
        assert "changed the limit" in record["error"]
        assert rules(disks) == {"write_bps_device": 9 * MIB}
    finally:
        set_rule(disks, "write_bps_device", 0)


@THROTTLE
def test_a_dead_watchdog_lifts_at_once(agent, disks):
    spec = throttle_fault(disks.folder, write=MIB, lease_s=30.0)
    inject(agent, spec)
    [guard] = guards(agent)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: rules(disks) == {}, 2, "lifted, long before its lease")
    record = agent.wait_state(spec, "gone", 10)
    assert record["end"] == "failed" and f"process {guard}" in record["error"], record


@THROTTLE
def test_more_than_the_disk_gives_is_refused(agent, disks):
    status, record = agent.post(throttle_fault(disks.folder, write=1 << 36))
    assert (status, record["state"], record["appliedAtNs"]) == (409, "gone", 0), record
    assert "ask for less" in record["error"] and rules(disks) == {}


@THROTTLE
def test_the_journal_lifts_what_agent_and_watchdog_left(agent, disks):
    """Both killed at once: the one case in which a limit stays until somebody looks."""
    spec = throttle_fault(disks.folder, write=MIB, lease_s=1.0)
    inject(agent, spec)
    [guard] = guards(agent)
    os.kill(guard, signal.SIGSTOP)
    agent.kill()
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{guard}").exists(), 5, "the watchdog is no more")
    assert rules(disks) == {"write_bps_device": MIB}
    swept = agent.sweep()
    assert swept.returncode == 0 and "gone" in swept.stdout + swept.stderr, swept
    assert rules(disks) == {} and not list(agent.journal.glob("*.fault"))
    agent.start()
