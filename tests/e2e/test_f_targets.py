# SPDX-License-Identifier: Apache-2.0
"""Targets that the topology describes and the agent finds in /proc: by command, port, cgroup, unit
and pod, killed and cut off as those of a sandbox are."""

import json
import os
import pathlib

import pytest

from chaos_lab import (NEEDS_ROOT, Agent, Instance, Platform, all_ok, answers, bridge, cpu_fault,
                       cut_off, echo_command, files_limit, group_mount, kill_fault, limits_fault,
                       memory_fault, network_fault, partition_fault, pause_fault, platform,
                       remove_group, ruleset, workers_in)
from conftest import run, wait_until
from services import free_port

POD = "6dd0e3a8-5b5d-4f0e-9d3c-0a1b2c3d4e5f"
CONTAINER = "3f4e8b0c9d5a41e2b7c6d8f0a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"


def described(platform, folder, how):
    """The platform's topology with what is known of the api service left out; how: name -> find."""
    topology = json.loads(platform.topology_file.read_text())
    for service in topology["services"]:
        for instance in service["instances"]:
            if instance["name"] in how:
                by, value = how[instance["name"]]
                instance.update(netns=None, cgroup=None, statusFile="",
                                find={"by": by, "value": value})
    file = folder / "described.json"
    file.write_text(json.dumps(topology))
    return file


def by_command(platform, name):
    instance = platform.instances[name]
    return name, ("command", f"*{instance.address} {instance.port}")


@pytest.fixture(name="finder")
def _finder(platform, tmp_path):
    """An agent whose topology only describes the api instances."""
    file = described(platform, tmp_path, dict(by_command(platform, n) for n in ("api-11", "api-12")))

    class Described:
        topology_file = file
    made = Agent(Described, tmp_path).start()
    yield made
    if made.process.poll() is None:
        assert made.terminate() == 0, made.log_file.read_text()


@NEEDS_ROOT
def test_a_found_process_is_cut_off_in_its_own_namespace(finder, platform):
    netns = platform.instances["api-11"].netns
    spec = partition_fault()
    status, record = finder.post(spec)
    assert status == 200, record
    assert cut_off(platform) and not cut_off(platform, "api-12")
    assert f"squall_{spec['id']}" in ruleset(netns)
    status, record = finder.delete(spec)
    assert status == 200 and all_ok(record), record
    assert not cut_off(platform) and ruleset(netns) == ""


@NEEDS_ROOT
def test_a_found_process_is_slowed_down(finder, platform):
    kinds = finder.ask("GET", "/v1/health")[1]["kinds"]
    if kinds["network"] is not None:
        pytest.skip(kinds["network"])
    spec = network_fault(delay_ms=60)
    status, record = finder.post(spec)
    assert status == 200 and all_ok(record), record
    status, record = finder.delete(spec)
    assert status == 200 and all_ok(record), record
    assert ruleset(platform.instances["api-11"].netns) == ""


@NEEDS_ROOT
def test_a_found_process_is_killed_and_its_successor_awaited(finder, platform):
    instance = platform.instances["api-12"]
    pid = instance.process.pid
    spec = kill_fault(["api-12"])
    status, record = finder.post(spec)
    assert status == 200 and f"pid {pid}" in json.dumps(record), record
    status, record = finder.delete(spec)
    assert status == 200 and all_ok(record), record
    assert f"pid {instance.process.pid} ready" in json.dumps(record)
    wait_until(instance.ready, 10, "it is back")


@NEEDS_ROOT
def test_an_agent_that_dies_leaves_nothing_with_found_processes(finder, platform):
    spec = partition_fault(duration_s=60, lease_s=1.0)
    assert finder.post(spec)[0] == 200
    finder.kill()
    wait_until(lambda: not cut_off(platform), 3, "gone by lease + 2 s")
    finder.start()
    record = finder.wait_state(spec, "gone", 10)
    assert record["end"] == "recovery" and not list(finder.journal.glob("*.fault")), record
    spec = kill_fault(["api-12"])
    assert finder.post(spec)[0] == 200
    finder.kill()
    finder.start()
    record = finder.wait_state(spec, "gone", 15)
    assert record["end"] == "recovery" and all_ok(record), "the journal tells how to find it"


@NEEDS_ROOT
def test_it_keeps_the_privilege_to_find_and_no_other(finder, platform, tmp_path):
    def effective(agent):
        status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)
    (tmp_path / "other").mkdir()
    other = Agent(platform, tmp_path / "other").start()
    try:
        assert effective(finder) & ~effective(other) == 1 << 19, "CAP_SYS_PTRACE, and it alone"
    finally:
        assert other.terminate() == 0


@pytest.fixture(name="lonely")
def _lonely(tmp_path):
    """Two services on the loopback that nobody but this test knows of, restarted when they end."""
    made = Platform(tmp_path, "loopback")
    for name in ("api-1", "api-2"):
        port = free_port()
        made.add("api", Instance(tmp_path, name, echo_command("127.0.0.1", port), "127.0.0.1", port))
    made.write()
    yield made
    made.stop()


def start(topology, tmp_path):
    class Described:
        topology_file = topology
    return Agent(Described, tmp_path).start()


def test_by_port_without_any_namespace(lonely, tmp_path):
    how = {name: ("port", str(i.port)) for name, i in lonely.instances.items()}
    agent = start(described(lonely, tmp_path, how), tmp_path)
    try:
        instance = lonely.instances["api-1"]
        pid = instance.process.pid
        other = lonely.instances["api-2"].process.pid
        spec = kill_fault(["api-1"])
        status, record = agent.post(spec)
        assert status == 200 and f"pid {pid} exited" in json.dumps(record), record
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record), record
        assert lonely.instances["api-2"].process.pid == other
        both = {**kill_fault(["api-1", "api-2"]), "maxAffected": 1.0}
        status, answer = agent.post(both)
        assert status == 403 and "cap is 50 %" in answer["error"]["message"], answer
    finally:
        agent.terminate()


@pytest.mark.parametrize("find, words", [
    (("command", "*squall-agent*"), "this agent"),
    (("command", "*"), "this agent"),
    (("command", "no such thing"), "nothing would be hit"),
    (("port", "1"), "nothing would be hit"),
    (("unit", "no-such.service"), "nothing would be hit"),
    (("cgroup", "/"), "below the root"),
    (("pod", POD), "nothing would be hit"),
    (("pod", "web-1"), "expected a pod's UID"),
    (("label", "app=web"), "no way to find"),
])
def test_what_matches_nothing_or_the_agent_itself_is_refused(lonely, tmp_path, find, words):
    agent = start(described(lonely, tmp_path, {"api-1": find}), tmp_path)
    try:
        pids = {name: i.process.pid for name, i in lonely.instances.items()}
        status, answer = agent.post(kill_fault(["api-1"]))
        assert status in (400, 403) and words in answer["error"]["message"], answer
        assert {name: i.process.pid for name, i in lonely.instances.items()} == pids
        assert not list(agent.journal.glob("*.fault"))
    finally:
        agent.terminate()


def test_who_started_the_agent_is_not_hit_either(lonely, tmp_path):
    mine = pathlib.Path("/proc/self/cmdline").read_text().rstrip("\0").replace("\0", " ")
    glob = "".join(f"[{c}]" if c in "*?" else f"\\{c}" if c in "[\\" else c for c in mine)
    agent = start(described(lonely, tmp_path, {"api-1": ("command", glob)}), tmp_path)
    try:
        status, answer = agent.post(kill_fault(["api-1"]))
        assert status == 403 and f"process {os.getpid()}" in answer["error"]["message"], answer
    finally:
        agent.terminate()


@NEEDS_ROOT
@pytest.mark.parametrize("by", ["pod", "cgroup", "unit"])
def test_by_cgroup(lonely, tmp_path, by):
    root = next(r for r in map(pathlib.Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
                if (r / "cgroup.procs").exists())
    top = root / f"squall-e2e-{os.getpid()}-{by}"
    leaf, value = {"pod": (top / f"pod{POD}" / CONTAINER, f"{POD}/{CONTAINER[:12]}"),
                   "cgroup": (top / "deep" / "er", f"/{top.name}/deep"),
                   "unit": (top.with_suffix(".slice") / f"e2e-{os.getpid()}.service",
                            f"e2e-{os.getpid()}.service")}[by]
    leaf.mkdir(parents=True)
    instance = lonely.instances["api-1"]
    agent = start(described(lonely, tmp_path, {"api-1": (by, value)}), tmp_path)
    try:
        pid = instance.process.pid
        (leaf / "cgroup.procs").write_text(str(pid))
        spec = kill_fault(["api-1"], within_s=1.0)
        status, record = agent.post(spec)
        assert status == 200 and f"pid {pid} exited" in json.dumps(record), record
        wait_until(lambda: instance.process.pid != pid and instance.ready(), 10, "restarted")
        (leaf / "cgroup.procs").write_text(str(instance.process.pid))
        assert agent.delete(spec)[0] == 200
    finally:
        agent.terminate()
        instance.stop()
        folder = leaf
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture(name="grouped")
def _grouped(lonely):
    """api-1 in a control group."""
    instance = lonely.instances["api-1"]
    mount = group_mount(None)
    if mount is None:
        pytest.skip("this machine has no cgroup v2")
    instance.group = mount / f"squall-e2e-{os.getpid()}-found"
    instance.group.mkdir()
    (instance.group / "cgroup.procs").write_text(str(instance.process.pid))
    yield lonely
    lonely.stop()
    wait_until(lambda: remove_group(instance.group), 10, "the group is empty")


FOUND_FAULTS = {
    "pause": (pause_fault, lambda i: not answers(i)),
    "cpu": (cpu_fault, workers_in),
    "memory": (memory_fault, workers_in),
    "limits": (lambda targets, **more: limits_fault(targets, files=40, **more),
               lambda i: files_limit(i.process.pid) == 40),
}


@NEEDS_ROOT
@pytest.mark.parametrize("by", ["port", "cgroup"])
@pytest.mark.parametrize("kind", FOUND_FAULTS)
def test_what_hits_a_process_hits_one_that_is_found(grouped, tmp_path, kind, by):
    instance = grouped.instances["api-1"]
    value = {"port": str(instance.port), "cgroup": f"/{instance.group.name}"}[by]
    agent = start(described(grouped, tmp_path, {"api-1": (by, value)}), tmp_path)
    make, there = FOUND_FAULTS[kind]
    try:
        spec = {**make(["api-1"], lease_s=10.0), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record) and there(instance), record
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record) and not there(instance), record
        spec = {**make(["api-1"], lease_s=1.0), "service": "api"}
        assert agent.post(spec)[0] == 200
        agent.kill()
        wait_until(lambda: not there(instance), 3, "gone by lease + 2 s")
        agent.start()
        record = agent.wait_state(spec, "gone", 10)
        assert record["end"] == "recovery" and not list(agent.journal.glob("*.fault")), record
    finally:
        agent.terminate()


@NEEDS_ROOT
def test_who_shares_a_group_with_one_that_is_found_is_not_hit(grouped, tmp_path):
    instance = grouped.instances["api-1"]
    other = grouped.instances["api-2"].process.pid
    (instance.group / "cgroup.procs").write_text(str(other))
    agent = start(described(grouped, tmp_path, {"api-1": ("port", str(instance.port))}), tmp_path)
    try:
        spec = {**pause_fault(["api-1"], lease_s=10.0), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200, record
        assert state_of(instance.process.pid) == "T" and state_of(other) != "T"
        assert answers(grouped.instances["api-2"])
        assert agent.delete(spec)[0] == 200 and answers(instance)
        status, answer = agent.post({**cpu_fault(["api-1"]), "service": "api"})
        assert status == 403 and "no control group of its own" in answer["error"]["message"], answer
    finally:
        agent.terminate()


def test_a_plan_and_a_dry_run_know_what_is_found(lonely, tmp_path):
    how = {name: ("port", str(i.port)) for name, i in lonely.instances.items()}
    agent = start(described(lonely, tmp_path, how), tmp_path)
    try:
        done = run("squall", "fault", "apply", "kill", "api", "--for", "5s", "--dry-run",
                   "--topology", tmp_path / "described.json", "--agent",
                   f"http://127.0.0.1:{agent.port}", "--token-file", agent.token_file)
        assert done.returncode == 0 and "found by the agent: port" in done.stdout, (
            done.stdout + done.stderr)
    finally:
        agent.terminate()
