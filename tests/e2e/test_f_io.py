# SPDX-License-Identifier: Apache-2.0
"""Faults of disks, measured by the kernel's own account of processes that the test looks at or has
started itself."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from chaos_lab import (NEEDS_ROOT, S, add_jobs, agent, agent_options, all_ok, bridge, device_of,
                       evidence, group_mount, inject, io_fault, limits_on, no_throttle_here,
                       platform, revert, throttle_fault, workers_in)
from conftest import each_process, run, wait_until
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
    def held(process):
        places = {link: os.readlink(link) for link in (process / "fd").iterdir()}
        return [link for link, place in places.items()
                if place.startswith(f"{folder}/#") and place.endswith("(deleted)")]

    return [link for links in each_process(held).values() for link in links]


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
def test_a_target_that_is_elsewhere_is_not_held(agent, disks):
    """Its group is throttled still, but it lives there no more."""
    spec = throttle_fault(disks.folder, write=MIB, lease_s=20.0)
    inject(agent, spec)
    instance = disks.instances["jobs-38"]
    pid = str(instance.process.pid)
    (group_mount("blkio") / "cgroup.procs").write_text(pid)
    try:
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * S})
        assert (status, record["state"], record["end"]) == (410, "gone", "failed"), record
        assert f"its process {pid} is not in the control group" in record["error"], record
        assert rules(disks) == {}
    finally:
        (instance.groups[1] / "cgroup.procs").write_text(pid)


def probes_in(group):
    found = 0
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            comm = pathlib.Path(f"/proc/{pid}/comm").read_text()
            found += comm == "squall-probe\n"
    return found


def throttle_to_a_third(agent, disks):
    """Of what the disk gives: a probe that shows its absence needs most of its time for that."""
    for _ in range(5):  # a busy disk gives now more, now less
        most = int(speed(disks, "write", 4096, 0.2) / 4096 / 3)
        spec = throttle_fault(disks.folder, write_ops=most, lease_s=20.0)
        status, record = agent.post(spec)
        if status == 200:
            return spec
        assert status == 409 and record["state"] == "gone", record
    pytest.fail(json.dumps(record))


@THROTTLE
def test_who_sets_a_limit_while_the_absence_is_measured_is_not_taken_for_the_fault(agent, disks):
    """What the probe gets then is what somebody else allows."""
    spec = throttle_to_a_third(agent, disks)
    group = disks.instances["jobs-38"].groups[1]
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(agent.delete, spec)
            while not probes_in(group) and not answer.done():
                pass
            set_rule(disks, "write_iops_device", 20)
            status, record = answer.result()
        assert (status, record["state"]) == (200, "gone"), record
        assert evidence(record, "after")[0]["value"] == "none", record
        assert rules(disks) == {"write_iops_device": 20}
    finally:
        set_rule(disks, "write_iops_device", 0)


RAMPS = """\
apiVersion: squall/v1
kind: Scenario
metadata: {name: ramps}
spec:
  duration: 8s
  load: {service: gateway, rate: 20/s, connections: 2, maxLate: 5s,
         routes: [{name: any, path: /health}]}
  steadyState: {for: 0s, within: 5s, checks: [{name: up, service: gateway, path: /health}]}
  faults:
    - {name: busy, at: 500ms, for: 3s, lease: 2s, service: jobs, maxAffected: 100%,
       ramp: {steps: 2}, io: {size: 1MiB, rate: 2MiB}}
    - {name: slow, after: busy, at: 0s, for: 3s, lease: 2s, service: jobs, maxAffected: 100%,
       ramp: {steps: 2}, ioThrottle: {writeRate: 512KiB}}
"""


@THROTTLE
def test_each_step_of_a_ramp_shows_what_it_has(agent, disks, tmp_path):
    topology = json.loads(disks.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
    for service in topology["services"]:
        if service["name"] == "jobs":
            service["instances"] = [i for i in service["instances"] if i["name"] == "jobs-38"]
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    (tmp_path / "s.yaml").write_text(RAMPS)
    done = run("squall", "run", tmp_path / "s.yaml", "--topology", tmp_path / "topology.json",
               "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    [folder] = (tmp_path / "runs").iterdir()
    records = {r["name"]: r for r in json.loads((folder / "faults.json").read_text())["faults"]}
    assert list(records) == ["busy-1", "busy-2", "slow-1", "slow-2"]
    assert all(all_ok(r) and r["wasActive"] and r["state"] == "gone" for r in records.values())
    for name, said in [("busy-1", "1.00 MiB/s: 0.50 to"), ("busy-2", "2.00 MiB/s: 1.00 to")]:
        assert evidence(records[name], "during")[1]["expected"].startswith(said), records[name]
    for name, limit in [("slow-1", MIB), ("slow-2", MIB // 2)]:
        [rule] = [e for e in evidence(records[name], "during") if e["metric"].startswith("writeRate")]
        assert rule["value"] == rule["expected"] == str(limit), records[name]
    assert rules(disks) == {}


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
