# SPDX-License-Identifier: Apache-2.0
"""Faults of processes and their resources: each one's whole life, what its watchdog is for, and
what is refused."""

import concurrent.futures
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, PREFIX, S, Agent, Instance, agent,
                       agent_options, all_ok, answers, bridge, cpu_fault, disk_fault, evidence,
                       files_limit, fillers, group_mount, kill_fault, limits_fault, memory_fault,
                       pause_fault, platform, sh, unshared_mounts, workers_in)
from conftest import command_of, each_process, wait_until
from services import free_port

pytestmark = NEEDS_ROOT
JOBS = ["jobs-21", "jobs-22", "jobs-23"]  # cgroup v2, v1 freezer, SIGSTOP


def frozen(instance):
    """What the kernel says, whoever froze it."""
    if instance.group is None:
        stat = pathlib.Path(f"/proc/{instance.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"
    if (instance.group / "freezer.state").exists():
        return (instance.group / "freezer.state").read_text() != "THAWED\n"
    return "frozen 1" in (instance.group / "cgroup.events").read_text()


def guards(agent):
    """Watchdogs of this agent: forks of it, so its journal is in their command line."""
    program = os.readlink(f"/proc/{agent.process.pid}/exe")
    return list(each_process(lambda process: os.readlink(process / "exe") == program
                             and (process / "comm").read_text() == "squall-guard\n"
                             and str(agent.journal) in " ".join(command_of(process))))


# --- kill with a grace, and again and again ---

def test_grace_is_not_used_by_who_goes_when_asked(agent, platform):
    spec = kill_fault(["api-11"], number=signal.SIGTERM, grace_s=5.0)
    status, record = agent.post(spec)
    assert status == 200, record
    [during] = evidence(record, "during")
    assert "exited after" in during["value"] and "SIGKILL" not in during["value"], record
    status, record = agent.delete(spec)
    assert status == 200 and all_ok(record) and record["error"] is None, record


def test_who_does_not_go_when_asked_is_killed_after_the_grace(agent, platform):
    """The service ignores SIGHUP."""
    pid = platform.instances["api-12"].process.pid
    spec = kill_fault(["api-12"], number=signal.SIGHUP, grace_s=0.4)
    status, record = agent.post(spec)
    assert status == 200, record
    [during] = evidence(record, "during")
    assert f"pid {pid} exited after" in during["value"] and "by SIGKILL" in during["value"], record
    assert record["verifiedAtNs"] - record["appliedAtNs"] >= 0.4 * S
    status, record = agent.delete(spec)
    assert status == 200 and all_ok(record), record


def test_a_grace_that_never_ends_is_refused(agent):
    spec = kill_fault(number=signal.SIGTERM, grace_s=5.0, duration_s=5.0)
    status, answer = agent.post(spec)
    assert (status, agent.get(spec).get("state")) == (400, None), answer


def test_a_halt_during_the_grace_leaves_the_process(agent, platform):
    instance = platform.instances["api-12"]
    pid = instance.process.pid
    spec = kill_fault(["api-12"], number=signal.SIGHUP, grace_s=1.0)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(agent.post, spec)
        wait_until(lambda: agent.get(spec).get("state") == "applying", 2, "it has been asked")
        assert agent.ask("POST", "/v1/halt")[0] == 200
        assert answer.result()[1]["end"] == "halt"
    asked = agent.get(spec)["appliedAtNs"]
    wait_until(lambda: time.time_ns() > asked + 1.3 * S, 4, "the grace is over")
    assert instance.process.pid == pid and instance.process.poll() is None


def test_a_crash_loop_is_counted(agent, platform):
    instance = platform.instances["jobs-24"]
    before = instance.restarts
    spec = kill_fault(["jobs-24"], service="jobs", every_s=0.2, duration_s=2.0, lease_s=2.0)
    status, record = agent.post(spec)
    assert status == 200, record
    record = agent.wait_state(spec, "gone", 8)
    assert record["end"] == "expired" and all_ok(record) and record["error"] is None, record
    [_, loop] = evidence(record, "during")
    kills = int(re.match(r"killed (\d+) times, back \d+ times", loop["value"]).group(1))
    wait_until(instance.ready, 5, "back for good")
    assert kills >= 3 and instance.restarts - before == kills, (kills, instance.restarts - before)
    assert kills <= 2.0 / 0.2 + 1


def test_a_crash_loop_stops_with_its_lease_chaos_mesh_4827(agent, platform):
    """The one for single kills lasts as long as the fault; there it holds nothing."""
    spec = kill_fault(["jobs-24"], service="jobs", every_s=0.1, duration_s=30.0, lease_s=0.6)
    assert agent.post(spec)[0] == 200
    record = agent.wait_state(spec, "gone", 5)
    assert record["end"] == "lease", record


# --- pause ---

@pytest.mark.parametrize("name, means", zip(JOBS, ["cgroup.events", "freezer.state", "process"]))
def test_pause_silences_and_wakes(agent, platform, name, means):
    instance = platform.instances[name]
    if means == "freezer.state" and group_mount("freezer") is None:
        pytest.skip("no cgroup v1 freezer controller")
    assert instance.group is not None or means == "process", "no cgroup v2"
    spec = pause_fault([name])
    status, record = agent.post(spec)
    assert (status, record["state"]) == (200, "active"), record
    assert frozen(instance) and not answers(instance) and len(guards(agent)) == 1
    assert all(answers(platform.instances[other]) for other in JOBS if other != name)
    status, record = agent.delete(spec)
    assert (status, record["state"], record["end"]) == (200, "gone", "request"), record
    assert not frozen(instance) and answers(instance) and not guards(agent)
    assert all_ok(record) and record["error"] is None
    for when, word in [("before", "answered"), ("during", "no answer"), ("after", "answered")]:
        state, answer = evidence(record, when)
        assert means in state["metric"] and word in answer["value"], record


@ALL_AT_ONCE
def test_several_at_once_have_one_watchdog(agent, platform):
    spec = pause_fault(JOBS)
    status, record = agent.post(spec)
    assert status == 200 and len(guards(agent)) == 1, record
    assert all(frozen(platform.instances[name]) for name in JOBS)
    assert agent.delete(spec)[0] == 200
    assert not any(frozen(platform.instances[name]) for name in JOBS)


@pytest.mark.parametrize("name", JOBS)
def test_a_dead_watchdog_thaws_at_once(agent, platform, name):
    spec = pause_fault([name], lease_s=30.0)
    assert agent.post(spec)[0] == 200
    [guard] = guards(agent)
    since = time.monotonic()
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: answers(platform.instances[name]), 2, "thawed, long before its lease")
    record = agent.wait_state(spec, "gone", 5)
    assert time.monotonic() - since < 5
    assert record["end"] == "failed" and f"process {guard}" in record["error"], record


def test_a_stopped_watchdog_is_noticed_at_the_next_renewal(agent, platform):
    spec = pause_fault(["jobs-21"], lease_s=5.0)
    assert agent.post(spec)[0] == 200
    [guard] = guards(agent)
    os.kill(guard, signal.SIGSTOP)
    status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 5 * S})
    assert (status, record["state"], record["end"]) == (410, "gone", "failed"), record
    assert "renewing took too long" in record["error"]
    assert answers(platform.instances["jobs-21"]) and not guards(agent)


def test_agent_and_terminal_signals_do_not_reach_the_watchdog(agent, platform):
    """The whole process group and session of the agent, and what a service manager sends first."""
    spec = pause_fault(["jobs-21"], lease_s=1.0)
    assert agent.post(spec)[0] == 200
    [guard] = guards(agent)
    stat = pathlib.Path(f"/proc/{guard}/stat").read_text().rpartition(")")[2].split()
    assert stat[1] != str(agent.process.pid), "not the agent's child"
    assert os.getsid(guard) != os.getsid(agent.process.pid)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        os.kill(guard, number)
    agent.signal(signal.SIGSTOP)
    since = time.monotonic()
    wait_until(lambda: answers(platform.instances["jobs-21"]), 1 + GRACE_S, "thawed by the lease")
    assert time.monotonic() - since > 0.3, "the signals did not end it"
    agent.signal(signal.SIGCONT)
    record = agent.wait_state(spec, "gone", 5)
    assert record["end"] == "lease" and all_ok(record), record


@pytest.mark.parametrize("name", ["jobs-21", "jobs-23"])
def test_somebody_who_thaws_ends_the_fault(agent, platform, name):
    instance = platform.instances[name]
    spec = pause_fault([name])
    assert agent.post(spec)[0] == 200
    if instance.group is None:
        os.kill(instance.process.pid, signal.SIGCONT)
    else:
        (instance.group / "cgroup.freeze").write_text("0")
    wait_until(lambda: not frozen(instance), 2, "thawed by somebody")
    status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * S})
    assert (status, record["end"]) == (410, "failed"), record
    assert "is not frozen" in record["error"]


def test_what_others_have_frozen_stays_frozen(agent, platform):
    instance = platform.instances["jobs-21"]
    (instance.group / "cgroup.freeze").write_text("1")
    try:
        wait_until(lambda: frozen(instance), 2, "frozen")
        status, record = agent.post(pause_fault(["jobs-21"]))
        assert (status, record["state"], record["appliedAtNs"]) == (409, "gone", 0), record
        assert "is frozen" in record["error"] and not evidence(record, "before")[0]["ok"]
        assert frozen(instance)
    finally:
        (instance.group / "cgroup.freeze").write_text("0")


def test_a_group_that_holds_the_agent_is_refused(agent, platform):
    instance = platform.instances["jobs-21"]
    (instance.group / "cgroup.procs").write_text(str(agent.process.pid))
    try:
        status, record = agent.post(pause_fault(["jobs-21"]))
        assert (status, record["appliedAtNs"]) == (409, 0), record
        assert "holds this agent" in record["error"]
    finally:
        (group_mount(None) / "cgroup.procs").write_text(str(agent.process.pid))


def test_killed_while_paused(agent, platform):
    """A new process starts frozen in the old one's group, and wakes with it."""
    instance = platform.instances["jobs-21"]
    spec = pause_fault(["jobs-21"], duration_s=1.0)
    assert agent.post(spec)[0] == 200
    pid = instance.process.pid
    os.kill(pid, signal.SIGKILL)
    record = agent.wait_state(spec, "gone", 8)
    assert record["end"] == "expired" and all_ok(record) and record["error"] is None, record
    assert instance.process.pid != pid and answers(instance)
    wait_until(instance.ready, 5, "ready again")


# --- cpu and memory ---

def take_cpu(agent, **more):
    """On a machine whose processors are all taken the workers may get too little of them for a
    third of a second, and the agent says so, rightly: then once more."""
    for _ in range(5):
        spec = cpu_fault(**more)
        status, record = agent.post(spec)
        if status == 200:
            return spec
        assert (status, record["end"]) == (409, "failed"), record
        assert "not what was asked for" in record["error"], record
    pytest.fail(json.dumps(record))


def test_cpu_is_taken_in_the_group_and_given_back(agent, platform):
    instance = platform.instances["jobs-25"]
    spec = take_cpu(agent, workers=2, load=0.05, lease_s=3.0)
    first = workers_in(instance)
    assert len(first) == 2
    since = time.monotonic()
    # By the kernel's own account, while nothing but renewal keeps it.
    def worked():
        agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 3 * S})
        return time.monotonic() - since > 1.0 and workers_in(instance)
    last = wait_until(worked, 5, "a second has passed")
    took = time.monotonic() - since
    for pid, (used, _) in first.items():
        share = (last[pid][0] - used) / took
        assert 0.002 < share < 0.1, (pid, share)
        assert os.getsid(pid) != os.getsid(agent.process.pid)
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert not workers_in(instance) and all_ok(record) and record["error"] is None, record
    assert [e["metric"] for e in record["evidence"]] == [
        "workers in its group", "workers in its group", "processor time of its workers",
        "workers in its group"]


def test_a_target_that_is_elsewhere_loses_nothing(agent, platform):
    """The workers are where it was: the fault ends, rather than to say that it holds it."""
    instance = platform.instances["jobs-25"]
    spec = take_cpu(agent, lease_s=10.0)
    pid = str(instance.process.pid)
    (group_mount(None) / "cgroup.procs").write_text(pid)
    try:
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * S})
        assert (status, record["state"], record["end"]) == (410, "gone", "failed"), record
        assert f"its process {pid} is not in the control group" in record["error"], record
        assert not workers_in(instance)
    finally:
        (instance.group / "cgroup.procs").write_text(pid)


def test_a_target_whose_death_nobody_has_noticed_is_not_elsewhere(agent, platform):
    """Its status says "ready" until whoever keeps it has heard: that is no reason to end."""
    instance = platform.instances["jobs-25"]
    spec = take_cpu(agent, lease_s=10.0)
    before, times = instance.status_file.read_text(), instance.restarts
    os.kill(instance.process.pid, signal.SIGKILL)
    wait_until(lambda: instance.restarts > times and instance.ready(), 10, "started again")
    after = instance.status_file.read_text()
    try:
        instance.status_file.write_text(before)
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 10 * S})
        assert (status, record["state"]) == (200, "active"), record
    finally:
        instance.status_file.write_text(after)
    assert agent.delete(spec)[1]["state"] == "gone"


def test_memory_is_taken_at_its_rate_and_given_back(agent, platform):
    instance = platform.instances["jobs-26"]
    spec = memory_fault(mib=64, rate=128 << 20, lease_s=4.0)
    status, record = agent.post(spec)
    assert status == 200, record
    assert 0.4 * S < record["verifiedAtNs"] - record["appliedAtNs"] < 3 * S, "half a second"
    [(_, resident)] = workers_in(instance).values()
    assert 60 << 20 < resident
    status, record = agent.delete(spec)
    assert status == 200 and not workers_in(instance) and all_ok(record), record
    assert "MiB" in evidence(record, "during")[1]["value"]


@pytest.mark.skipif(group_mount("memory") is None, reason="no cgroup v1 memory controller")
def test_percent_is_of_the_groups_limit(agent, platform):
    spec = memory_fault(["jobs-27"], mib=0, percent=0.5)
    status, record = agent.post(spec)
    assert status == 200, record
    assert evidence(record, "during")[1]["expected"].startswith("24.0 MiB"), record
    group = platform.instances["jobs-27"].groups[1]
    assert len((group / "cgroup.procs").read_text().split()) == 2, "the worker and the service"
    assert int((group / "memory.usage_in_bytes").read_text()) > 24 << 20
    assert agent.delete(spec)[0] == 200


@pytest.mark.skipif(group_mount("memory") is None, reason="no cgroup v1 memory controller")
def test_death_for_want_of_memory_is_said(agent, platform):
    instance = platform.instances["jobs-27"]
    pid = instance.process.pid
    status, record = agent.post(memory_fault(["jobs-27"], mib=96))
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert "killed for want of memory" in record["error"] and "rose by 1" in record["error"]
    assert instance.process.pid == pid and answers(instance), "the worker was taken, not the target"


def test_the_hosts_memory_is_not_taken(agent):
    host = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    status, record = agent.post(memory_fault(mib=int(host * 0.95), rate=64 << 30, lease_s=60.0,
                                             duration_s=60.0))
    assert (status, record["appliedAtNs"]) == (409, 0), record
    assert "never taken" in record["error"], record


def test_memory_too_slow_for_its_lease_is_refused(agent):
    status, record = agent.post(memory_fault(mib=64, rate=16 << 20, lease_s=2.0))
    assert (status, record["appliedAtNs"]) == (409, 0) and "raise the rate" in record["error"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_worker_ends_the_fault(agent, platform, number):
    instance = platform.instances["jobs-25"]
    spec = cpu_fault(workers=2, lease_s=4.0)
    assert agent.post(spec)[0] == 200
    os.kill(next(iter(workers_in(instance))), number)
    if number == signal.SIGSTOP:
        assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 4 * S})[0] == 410
    record = agent.wait_state(spec, "gone", 5)
    assert record["end"] == "failed" and not workers_in(instance), record


def test_no_group_no_stress(agent):
    status, answer = agent.post(cpu_fault(["jobs-23"]))
    message = answer["error"]["message"]
    assert status == 403 and "no control group of its own" in message, answer
    assert 'name that with "cgroup" in the topology' in message, answer


# --- diskFill ---

class Small:
    """A file system of 64 MiB in the platform's state folder, where no journal lies, and an agent
    that sees it: in a mount namespace, for what is mounted elsewhere is others' business."""

    def __init__(self, platform, folder, place=None, *extra):
        self.folder = place or platform.folder / "small"
        self.folder.mkdir(exist_ok=True)
        self.holder = unshared_mounts()
        inside = ["nsenter", "-m", "-t", str(self.holder.pid)]
        sh(*inside, "mount", "-t", "tmpfs", "-o", "size=64m", PREFIX, str(self.folder))
        self.seen = pathlib.Path(f"/proc/{self.holder.pid}/root{self.folder}")
        self.agent = Agent(platform, folder, *extra)
        self.agent.prefix = inside
        self.agent.start()

    def available(self):
        state = os.statvfs(self.seen)
        return state.f_bavail * state.f_frsize

    def close(self):
        assert self.agent.terminate() == 0, self.agent.log_file.read_text()
        self.holder.kill()
        self.holder.wait()


@pytest.fixture(name="small")
def _small(platform, tmp_path):
    made = Small(platform, tmp_path)
    yield made
    made.close()


def test_a_disk_is_full_and_has_room_again(small):
    spec = disk_fault(small.folder, mib=0, left=0.0)
    status, record = small.agent.post(spec)
    assert status == 200, record
    with pytest.raises(OSError, match="No space left"):
        (small.seen / "victim").write_bytes(b"x" * (1 << 20))
    assert sum(fillers(small.folder).values()) > 62 << 20
    status, record = small.agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    (small.seen / "victim").write_bytes(b"x" * (1 << 20))
    (small.seen / "victim").unlink()
    assert not fillers(small.folder) and all_ok(record) and record["error"] is None, record
    assert [e["metric"] for e in evidence(record, "during")] == ["size of the file",
                                                                 f"space at {small.folder}"]
    assert evidence(record, "during")[1]["value"] == "0 of 64 MiB"


def test_so_much_is_filled_and_so_much_left(small):
    for asked, free in [({"mib": 16}, 48), ({"mib": 0, "left": 0.25}, 16)]:
        spec = disk_fault(small.folder, **asked)
        assert small.agent.post(spec)[0] == 200
        assert abs(small.available() / (1 << 20) - free) < 1
        assert small.agent.delete(spec)[0] == 200


def test_a_dead_filler_ends_the_fault(small):
    spec = disk_fault(small.folder, mib=16, lease_s=30.0)
    assert small.agent.post(spec)[0] == 200
    os.kill(next(iter(fillers(small.folder))), signal.SIGKILL)
    record = small.agent.wait_state(spec, "gone", 5)
    assert record["end"] == "failed" and "was killed" in record["error"], record


def test_what_must_not_be_filled_is_refused(platform, small, tmp_path):
    (small.seen / "way-out").symlink_to(tmp_path)
    state = os.statvfs(platform.folder)
    nearly_all = int(state.f_bavail * state.f_frsize / (1 << 20)) - 100
    for spec, words in [
            (disk_fault(tmp_path), "does not lie in"),
            (disk_fault(small.folder / ".." / ".." / ".."), "does not lie in"),
            (disk_fault(small.folder / "way-out"), "does not lie in"),
            (disk_fault(f"{platform.folder}x"), "No such file"),
            (disk_fault("relative"), "starts with /"),
            (disk_fault(small.folder, mib=65), "less than the reserve"),
            (disk_fault(platform.folder, mib=nearly_all), "the agent's journal lies there"),
            (disk_fault(platform.folder, mib=0, left=0.0), "the agent's journal lies there")]:
        status, answer = small.agent.post(spec)
        assert status in (400, 403, 409) and words in json.dumps(answer), (spec, answer)
        assert answer.get("appliedAtNs", 0) == 0
    assert not fillers(platform.folder)
    (small.seen / "way-out").unlink()


def test_a_folder_that_the_operator_allows_is_filled_and_no_other(platform, tmp_path):
    place = tmp_path / "elsewhere"
    (tmp_path / "link").symlink_to(place)
    (tmp_path / "elsewhere2").mkdir()
    made = Small(platform, tmp_path, place, "--allow-path", str(tmp_path / "link"),
                 f"--allow-path={tmp_path / 'link'}")
    try:
        (made.seen / "below").mkdir()
        (made.seen / "out").symlink_to(tmp_path)
        for folder in (place, place / "below", tmp_path / "link"):
            spec = disk_fault(folder, mib=0, left=0.0)
            status, record = made.agent.post(spec)
            assert status == 200 and all_ok(record), record
            assert made.available() < 1 << 20
            status, record = made.agent.delete(spec)
            assert (status, record["state"]) == (200, "gone"), record
            assert made.available() > 62 << 20 and not fillers(place)
        for folder in (tmp_path, tmp_path / "elsewhere2", place / "out", place / ".."):
            status, answer = made.agent.post(disk_fault(folder))
            assert status == 403 and "--allow-path" in answer["error"]["message"], answer
    finally:
        made.close()


# --- limits ---

def test_no_more_files_no_more_connections(agent, platform):
    """The gateway has more files open than it may; what it has already, it keeps."""
    gateway = platform.instances["gateway-14"]
    pid, before = gateway.process.pid, files_limit(gateway.process.pid)
    spec = {**limits_fault(files=0), "service": "gateway", "targets": ["gateway-14"]}
    status, record = agent.post(spec)
    assert status == 200, record
    assert files_limit(pid) == 0 and not answers(gateway, 0.3)
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert files_limit(pid) == before and gateway.process.pid == pid
    wait_until(lambda: answers(gateway, 0.5), 5, "it accepts again")
    assert all_ok(record) and record["error"] is None, record
    assert "not answered" in [e["value"] for e in evidence(record, "during")]


# Each thread of it is in accept(2) all the time, and has a descriptor's number there.
POOL = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
pause = threading.Event()
def serve():
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            pause.wait(0.02)
            continue
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)
for _ in range(int(sys.argv[3])):
    threading.Thread(target=serve).start()
"""


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_that_were_accepting_answer_once_more(agent, platform, tmp_path, threads):
    """Before they can open nothing any more: that is no fault without effect."""
    pool = platform.add("jobs", Instance(tmp_path, "pool-1", [
        sys.executable, "-c", POOL, "127.0.0.1", str(port := free_port()), str(threads)],
        "127.0.0.1", port))
    try:
        platform.write()
        spec = limits_fault(["pool-1"], files=1)
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        assert "not answered" in [e["value"] for e in evidence(record, "during")], record
        assert not answers(pool, 0.3)
        status, record = agent.delete(spec)
        assert (status, record["state"]) == (200, "gone") and all_ok(record), record
        wait_until(lambda: answers(pool, 0.5), 5, "it accepts again")
    finally:
        platform.instances.pop("pool-1").stop()
        platform.write()


@pytest.mark.skipif(group_mount("pids") is None, reason="no cgroup v1 pids controller")
def test_no_more_processes(agent, platform):
    """The service starts a thread for each connection."""
    instance = platform.instances["jobs-28"]
    knob = instance.groups[1] / "pids.max"
    spec = limits_fault(pids=0)
    status, record = agent.post(spec)
    assert status == 200 and knob.read_text() == "0\n", record
    status, record = agent.delete(spec)
    assert status == 200 and knob.read_text() == "max\n" and all_ok(record), record
    wait_until(lambda: answers(instance), 5, "serves")


def test_a_share_of_the_files_that_a_process_may_have(agent, platform):
    """Of the limit in force, rounded down; what it came to is on record, and in the journal: an
    agent that comes back knows what to look for."""
    pid = platform.instances["jobs-29"].process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (333, hard))
    try:
        spec = limits_fault(["jobs-29"], files_share=0.1)
        status, record = agent.post(spec)
        assert status == 200 and files_limit(pid) == 33, record
        [share] = [e for e in evidence(record, "before") if "limit on open files of" in e["metric"]]
        assert (share["value"], share["expected"]) == ("333, 10 % of which are 33", "more than 33")
        agent.kill()
        wait_until(lambda: files_limit(pid) == 333, GRACE_S, "by the watchdog")
        agent.start()
        record = agent.wait_state(spec, "gone", 5)
        assert record["end"] == "recovery" and all_ok(record), record
        assert "0 with a limit of 33" in [e["value"] for e in evidence(record, "after")], record
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(group_mount("pids") is None, reason="no cgroup v1 pids controller")
def test_a_share_of_the_processes_that_a_group_may_have(agent, platform):
    """Without a limit there is no share of it: the host's is everybody's."""
    knob = platform.instances["jobs-28"].groups[1] / "pids.max"
    spec = limits_fault(pids_share=0.5)
    status, record = agent.post(spec)
    assert status == 409 and 'it has no limit ("max") of which 50 % could be taken: give a ' \
        'number' in record["error"], record
    knob.write_text("151")
    try:
        spec = limits_fault(pids_share=0.5)
        status, record = agent.post(spec)
        assert status == 200 and knob.read_text() == "75\n" and all_ok(record), record
        assert "151, 50 % of which are 75" in [e["value"] for e in evidence(record, "before")]
        status, record = agent.delete(spec)
        assert status == 200 and knob.read_text() == "151\n" and all_ok(record), record
    finally:
        knob.write_text("max")


def test_what_was_forked_meanwhile_is_put_back_too(agent, platform):
    """A child has the limits of its parent, and is in no list."""
    instance = platform.instances["jobs-29"]
    spec = limits_fault(["jobs-29"], files=40)
    before = files_limit(instance.process.pid)
    assert agent.post(spec)[0] == 200
    child = subprocess.Popen(
        ["/bin/sh", "-c", 'echo 0 > "$0" && ulimit -Sn 40 && exec sleep 60',
         str(instance.group / "cgroup.procs")])
    try:
        wait_until(lambda: files_limit(child.pid) == 40, 5, "as a child of the service would be")
        agent.kill()
        for pid in (child.pid, instance.process.pid):
            wait_until(lambda pid=pid: files_limit(pid) == before, GRACE_S, "by the watchdog")
        agent.start()
        assert agent.wait_state(spec, "gone", 5)["end"] == "recovery"
    finally:
        child.kill()
        child.wait()


def test_limits_that_cannot_be_are_refused(agent, platform):
    hard = files_limit(platform.instances["jobs-29"].process.pid)
    for spec, words in [(limits_fault(["jobs-29"]), "a number of files or of pids"),
                        (limits_fault(["jobs-29"], files=40, files_share=0.5), "not both"),
                        (limits_fault(["jobs-29"], files=hard), "already"),
                        (limits_fault(["jobs-29"], pids=5), "no pids.max"),
                        (limits_fault(["jobs-29"], pids_share=0.5), "name that with")]:
        status, answer = agent.post(spec)
        assert status in (400, 409) and words in json.dumps(answer), answer
    assert files_limit(platform.instances["jobs-29"].process.pid) == hard
