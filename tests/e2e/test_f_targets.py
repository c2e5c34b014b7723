# SPDX-License-Identifier: Apache-2.0
"""Targets that the topology describes and the agent finds in /proc: by command, port, cgroup, unit
and pod, killed and cut off as those of a sandbox are."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest

from chaos_lab import (NEEDS_ROOT, S, SUBNET, Agent, Instance, Platform, all_ok, answers, bridge,
                       cpu_fault, cut_off, echo_command, evidence, fault, files_limit, group_mount,
                       inject, kill_fault, limits_fault, make_namespace, memory_fault,
                       network_fault, partition_fault, pause_fault, platform, remove_group, revert,
                       ruleset, sh, workers_in)
from conftest import run, wait_until
from proxy_lab import RIGHT, dns_fault, http_fault, lookup, tcp_fault, zone
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


def elsewhere(file):
    """The same platform, of whose namespaces nothing is known but what is found."""
    topology = json.loads(file.read_text())
    topology["mode"] = "external"
    for service in topology["services"]:
        for instance in service["instances"]:
            instance["netns"] = None
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
    made.finish()


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


def listening_gateway(platform, name):
    instance = platform.instances[name]
    return name, ("command", f"*--listen {instance.address}:{instance.port} *")


def status_of(instance, path="/api/nothing-here"):
    connection = http.client.HTTPConnection(instance.address, instance.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


# kind -> its fault, and whether it is in place, as whoever talks to the target sees it
WHOLE = {
    "partition": (lambda zone: partition_fault(lease_s=10.0), lambda platform, zone: cut_off(platform)),
    "network": (lambda zone: network_fault(delay_ms=60, lease_s=10.0), None),
    "tcp": (lambda zone: tcp_fault("timeout"),
            lambda platform, zone: not answers(platform.instances["api-11"])),
    "http": (lambda zone: http_fault("abort", status=418),
             lambda platform, zone: status_of(platform.instances["gateway-14"]) == 418),
    "dns": (lambda zone: dns_fault(zone, "address", address="203.0.113.9"),
            lambda platform, zone: lookup(platform, zone, "db.test") != RIGHT),
}


@NEEDS_ROOT
@pytest.mark.parametrize("kind", WHOLE)
def test_a_platform_without_namespaces_has_those_that_are_found(platform, zone, tmp_path, kind):
    how = dict([by_command(platform, "api-11"), listening_gateway(platform, "gateway-14")])
    agent = start(elsewhere(described(platform, tmp_path, how)), tmp_path)
    make, there = WHOLE[kind]
    try:
        why = agent.ask("GET", "/v1/health")[1]["kinds"][kind]
        if why is not None and kind == "network":
            pytest.skip(why)
        assert why is None
        spec = make(zone)
        netns = platform.instances[spec["targets"][0]].netns
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        assert there is None or there(platform, zone)
        assert f"squall_{spec['id']}" in ruleset(netns)
        assert "squall_" not in ruleset(platform.instances["api-12"].netns)
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record) and record["state"] == "gone", record
        assert ruleset(netns) == "" and (there is None or not there(platform, zone))
        spec = make(zone)
        assert agent.post(spec)[0] == 200
        agent.kill()
        wait_until(lambda: ruleset(netns) == "" and (there is None or not there(platform, zone)), 5,
                   "gone with the agent")
        agent.start()
        assert agent.wait_state(spec, "gone", 10)["end"] == "recovery"
    finally:
        agent.terminate()


@NEEDS_ROOT
def test_what_lies_in_a_namespace_that_is_found_is_swept(platform, tmp_path):
    """Without an entry in the journal, too."""
    how = dict([by_command(platform, "api-11")])
    agent = start(elsewhere(described(platform, tmp_path, how)), tmp_path)
    netns = platform.instances["api-11"].netns
    agent.terminate()
    for table in ("squall_orphan", "somebody_elses"):
        sh("ip", "netns", "exec", netns, "nft", "add", "table", "inet", table)
    try:
        swept = agent.sweep()
        assert swept.returncode == 0 and "squall_orphan" in swept.stdout, swept.stdout + swept.stderr
        assert "squall_orphan" not in ruleset(netns) and "somebody_elses" in ruleset(netns)
    finally:
        sh("ip", "netns", "exec", netns, "nft", "delete", "table", "inet", "somebody_elses")


@NEEDS_ROOT
def test_who_shares_a_namespace_with_one_that_is_found_is_not_hit(platform, zone, tmp_path):
    """Unless the topology names the namespace, and thereby all who live there."""
    how = dict([by_command(platform, "api-11"), listening_gateway(platform, "gateway-14")])
    file = described(platform, tmp_path, how)
    agent = start(file, tmp_path)
    homes = [platform.instances[name].netns for name in ("api-11", "gateway-14")]
    others = [subprocess.Popen(["nsenter", f"--net=/run/netns/{home}", "sleep", "600"])
              for home in homes]
    try:
        for other in others:
            wait_until(lambda other=other: "sleep" in pathlib.Path(
                f"/proc/{other.pid}/comm").read_text(), 5, "it lives there")
        for make, _ in WHOLE.values():
            spec = make(zone)
            status, answer = agent.post(spec)
            other = others[homes.index(platform.instances[spec["targets"][0]].netns)]
            assert status == 403 and f"holds process {other.pid} (sleep), too" in (
                answer["error"]["message"]), answer
            assert "netns" in answer["error"]["message"], "what to do"
            assert all(ruleset(home) == "" for home in homes)
        topology = json.loads(file.read_text())
        for service in topology["services"]:
            for instance in service["instances"]:
                if instance["name"] == "api-11":
                    instance["netns"] = f"/run/netns/{homes[0]}"
        file.write_text(json.dumps(topology))
        spec = partition_fault(lease_s=10.0)
        assert agent.post(spec)[0] == 200 and cut_off(platform)
        assert agent.delete(spec)[0] == 200
        others[1].kill()
        others[1].wait()
        spec = http_fault("abort", status=418)
        assert agent.post(spec)[0] == 200, "nobody but the target lives there now"
        assert agent.delete(spec)[0] == 200
    finally:
        agent.terminate()
        for other in others:
            other.kill()
            other.wait()


@contextlib.contextmanager
def comer(netns):
    """Somebody who comes into that namespace, and stays."""
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", "sleep", "600"])
    try:
        wait_until(lambda: "sleep" in pathlib.Path(f"/proc/{process.pid}/comm").read_text(), 5,
                   "it lives there")
        yield process
    finally:
        process.kill()
        process.wait()


def others_in(record):
    return [(e["value"], e["ok"]) for e in evidence(record, "during")
            if e["metric"] == "others in the namespace"]


@NEEDS_ROOT
@pytest.mark.parametrize("kind", WHOLE)
def test_who_comes_to_one_that_is_found_is_not_hit_for_long(platform, zone, tmp_path, kind):
    """It would have been refused before: the fault ends, and says who came."""
    how = dict([by_command(platform, "api-11"), listening_gateway(platform, "gateway-14")])
    agent = start(described(platform, tmp_path, how), tmp_path)
    try:
        why = agent.ask("GET", "/v1/health")[1]["kinds"][kind]
        if why is not None and kind == "network":
            pytest.skip(why)
        make, there = WHOLE[kind]
        spec = {**make(zone), "leaseNs": 30 * S, "durationNs": 60 * S}
        netns = platform.instances[spec["targets"][0]].netns
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        with comer(netns) as process:
            record = agent.wait_state(spec, "gone", 10)
            who = f"process {process.pid} (sleep)"
            assert record["end"] == "failed" and others_in(record) == [(who, False)], record
            assert f"{who} has come into its network namespace" in record["error"], record
            assert "netns" in record["error"], "what to do"
            assert ruleset(netns) == "" and (there is None or not there(platform, zone))
    finally:
        agent.terminate()


@NEEDS_ROOT
def test_who_comes_into_a_namespace_that_is_named_is_meant(platform, tmp_path):
    """The fault goes on, while one at a target that was found ends for the same."""
    file = described(platform, tmp_path, dict(by_command(platform, name)
                                              for name in ("api-11", "api-12")))
    topology = json.loads(file.read_text())
    named, found = (platform.instances[name].netns for name in ("api-11", "api-12"))
    for service in topology["services"]:
        for instance in service["instances"]:
            if instance["name"] == "api-11":
                instance["netns"] = f"/run/netns/{named}"
    file.write_text(json.dumps(topology))
    agent = start(file, tmp_path, "--max-affected", "100%")
    try:
        specs = [partition_fault([name], lease_s=30.0) for name in ("api-11", "api-12")]
        for spec in specs:
            inject(agent, spec)
        with comer(named), comer(platform.instances["store-13"].netns), comer(found) as later:
            record = agent.wait_state(specs[1], "gone", 10)
            assert others_in(record) == [(f"process {later.pid} (sleep)", False)], record
            assert agent.get(specs[0])["state"] == "active" and cut_off(platform)
        record = revert(agent, specs[0])
        assert not others_in(record), record
    finally:
        agent.terminate()


LOOK_S = 1.0  # between two looks


@NEEDS_ROOT
def test_who_is_there_for_one_look_alone_is_nobody(finder, platform):
    """As what starts a target again, before it is the target."""
    netns = platform.instances["api-11"].netns
    spec = partition_fault(lease_s=60.0, duration_s=60.0)
    assert finder.post(spec)[0] == 200
    short, end = 0, time.monotonic() + 40
    while short < 8 and time.monotonic() < end:
        since = time.monotonic()
        done = subprocess.run(["nsenter", f"--net=/run/netns/{netns}", "sleep", "0.6"], check=False)
        assert done.returncode == 0
        if time.monotonic() - since > LOOK_S:  # on a busy machine: it may have been seen twice
            if finder.get(spec)["state"] != "active":
                return
            continue
        short += 1
        assert finder.get(spec)["state"] == "active", finder.get(spec)
    status, record = finder.delete(spec)
    assert status == 200 and not others_in(record), record


# One that starts others when it is told to, who soon have nobody left of whom they could be.
PARENT = """
import socket, subprocess, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    connection, _ = listener.accept()
    if connection.recv(5) == b"fork\\n":
        child = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; sleep 5"],
                                 stdout=subprocess.PIPE)
        connection.sendall(child.stdout.readline())
    connection.close()
"""


@NEEDS_ROOT
def test_what_a_target_starts_and_its_successor_are_no_strangers(platform, bridge, tmp_path):
    netns, address = make_namespace(platform, bridge, 61), f"{SUBNET}.61"
    parent = platform.add("api", Instance(platform.folder, "api-61", [
        "/usr/bin/python3", "-c", PARENT, address, "8000"], address, 8000, netns))
    platform.write()
    agent = start(described(platform, tmp_path, dict([by_command(platform, "api-61")])), tmp_path)
    orphan = None
    try:
        spec = partition_fault(["api-61"], lease_s=30.0)
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        with socket.create_connection((address, 8000), timeout=5) as asking:
            asking.sendall(b"fork\n")
            orphan = int(asking.makefile().readline())
        before = pathlib.Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1]
        wait_until(lambda: pathlib.Path(f"/proc/{orphan}/stat").read_text().rpartition(
            ")")[2].split()[1] != before, 20, "it is an orphan")
        pid = parent.process.pid
        parent.process.kill()
        wait_until(lambda: parent.process.pid != pid and parent.ready(), 10, "it is back")
        end = time.monotonic() + 3.5 * LOOK_S
        while time.monotonic() < end:
            assert agent.get(spec)["state"] == "active", agent.get(spec)
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record) and not others_in(record), record
    finally:
        agent.terminate()
        if orphan is not None:
            os.kill(orphan, signal.SIGKILL)
        parent.stop()
        del platform.instances["api-61"]
        platform.write()
        platform.remove_namespace(netns)


@NEEDS_ROOT
def test_what_would_cut_off_the_host_or_hit_one_of_two_is_refused(platform, lonely, tmp_path):
    """One that lives in the agent's own namespace, and two that live in different ones."""
    port = lonely.instances["api-1"].port
    agent = start(described(lonely, tmp_path, {"api-1": ("port", str(port))}), tmp_path)
    try:
        spec = {**partition_fault(["api-1"], peers=[f"{SUBNET}.13:5432"])}
        status, answer = agent.post(spec)
        assert status == 403 and "cut off this host" in answer["error"]["message"], answer
    finally:
        agent.terminate()
    both = f"*{SUBNET}.1[12] *"
    agent = start(described(platform, tmp_path, {"api-11": ("command", both)}), tmp_path)
    try:
        status, answer = agent.post(partition_fault())
        other = platform.instances["api-12"].process.pid
        assert status == 400 and f"process {other}" in answer["error"]["message"], answer
        assert all(ruleset(netns) == "" for netns in platform.namespaces)
    finally:
        agent.terminate()


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


def start(topology, tmp_path, *options):
    class Described:
        topology_file = topology
    return Agent(Described, tmp_path, *options).start()


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
        for refused in (cpu_fault(["api-1"]), memory_fault(["api-1"])):
            status, answer = agent.post({**refused, "service": "api"})
            message = answer["error"]["message"]
            assert status == 403 and "no control group of its own" in message, answer
            assert f"{instance.group} holds process {other} (python3), too" in message, answer
    finally:
        agent.terminate()


@NEEDS_ROOT
@pytest.mark.parametrize("how", ["reverted", "agent killed"])
def test_all_that_are_found_stand_still_without_a_group(tmp_path, how):
    """Two processes of one program and no control group: none of the two may go on."""
    twins = Platform(tmp_path, "loopback")
    program = tmp_path / "twin.py"
    program.write_text(echo_command("", 0)[2])
    for name in ("api-1", "api-2"):
        port = free_port()
        twins.add("api", Instance(tmp_path, name, ["/usr/bin/python3", str(program), "127.0.0.1",
                                                   str(port)], "127.0.0.1", port))
    twins.write()
    first, second = twins.instances.values()
    agent = start(described(twins, tmp_path, {"api-1": ("command", f"*{program} *")}), tmp_path)
    pids = [first.process.pid, second.process.pid]
    try:
        spec = {**pause_fault(["api-1"], lease_s=2.0, duration_s=60), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200 and "2 stopped, 0 not" in json.dumps(record), record
        assert [state_of(pid) for pid in pids] == ["T", "T"]
        if how == "agent killed":
            agent.kill()
            wait_until(lambda: all(state_of(pid) != "T" for pid in pids), 4, "lease + 2 s")
            agent.start()
            assert agent.wait_state(spec, "gone", 10)["end"] == "recovery"
        else:
            status, record = agent.delete(spec)
            assert status == 200 and all_ok(record), record
        assert [state_of(pid) != "T" for pid in pids] == [True, True]
    finally:
        agent.terminate()
        twins.stop()


@NEEDS_ROOT
def test_all_containers_of_a_pod_stand_still_and_nobody_else(lonely, tmp_path):
    """A pod as kubelet has it: a group for each container below that of the pod."""
    mount = group_mount(None)
    if mount is None:
        pytest.skip("this machine has no cgroup v2")
    first, second = lonely.instances.values()
    top = mount / f"squall-e2e-{os.getpid()}-burstable"
    pod = top / f"pod{POD}"
    other = top / "pod6dd0e3a8-5b5d-4f0e-9d3c-ffffffffffff" / CONTAINER
    leaves = [pod / CONTAINER, pod / f"{CONTAINER[:-1]}9"]
    made = [*leaves, other]
    for leaf in made:
        leaf.mkdir(parents=True)
    bystander = subprocess.Popen(["sleep", "600"])
    agent = start(described(lonely, tmp_path, {"api-1": ("pod", POD)}), tmp_path)
    try:
        for leaf, pid in zip(made, (first.process.pid, second.process.pid, bystander.pid)):
            (leaf / "cgroup.procs").write_text(str(pid))
        spec = {**pause_fault(["api-1"], lease_s=10.0), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        frozen = [(leaf / "cgroup.events").read_text().count("frozen 1") for leaf in made]
        assert frozen == [1, 1, 0] and not answers(second)
        assert agent.delete(spec)[0] == 200 and answers(first) and answers(second)
        (pod / "cgroup.procs").write_text(str(bystander.pid))  # the pod's own: part of it, too
        half = f"{POD}/{CONTAINER[:-1]}9"
        agent.terminate()
        agent = start(described(lonely, tmp_path, {"api-2": ("pod", half)}), tmp_path)
        spec = {**pause_fault(["api-2"], lease_s=10.0), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200 and answers(first) and not answers(second), record
        assert agent.delete(spec)[0] == 200
    finally:
        agent.terminate()
        bystander.kill()
        bystander.wait()
        lonely.stop()
        for folder in (*made, pod, other.parent, top):
            wait_until(lambda folder=folder: remove_group(folder), 10, f"{folder} is empty")


@NEEDS_ROOT
def test_a_kubelet_that_stands_still_takes_no_pod_with_it(lonely, tmp_path):
    """What stands in for `node`, which is refused: the unit is kubelet's process, while containers
    live in another slice; whatever dies, it goes on by the lease."""
    mount = group_mount(None)
    if mount is None:
        pytest.skip("this machine has no cgroup v2")
    kubelet, container = lonely.instances.values()
    top = mount / f"squall-e2e-{os.getpid()}-node.slice"
    unit = f"e2e-{os.getpid()}-kubelet.service"
    leaves = [top / "system.slice" / unit, top / "pods.slice" / f"pod{uuid.uuid4()}" / CONTAINER]
    for leaf in leaves:
        leaf.mkdir(parents=True)
    agent = start(described(lonely, tmp_path, {"api-1": ("unit", unit)}), tmp_path)
    try:
        for leaf, instance in zip(leaves, (kubelet, container)):
            (leaf / "cgroup.procs").write_text(str(instance.process.pid))
        spec = {**pause_fault(["api-1"], lease_s=1.0), "service": "api"}
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        frozen = [(leaf / "cgroup.events").read_text().count("frozen 1") for leaf in leaves]
        assert frozen == [1, 0] and answers(container, timeout=5) and not answers(kubelet)
        agent.kill()
        wait_until(lambda: answers(kubelet), 3, "it goes on by lease + 2 s")
    finally:
        agent.terminate()
        lonely.stop()
        for folder in (leaves[0], leaves[1], leaves[0].parent, leaves[1].parent,
                       leaves[1].parent.parent, top):
            wait_until(lambda folder=folder: remove_group(folder), 10, f"{folder} is empty")


@NEEDS_ROOT
def test_a_v1_group_that_others_are_in_is_not_limited(lonely, tmp_path):
    """Which the topology does not name: where the process is, the kernel says."""
    mount = group_mount("pids")
    if mount is None:
        pytest.skip("this machine has no cgroup v1 with the controller pids")
    instance = lonely.instances["api-1"]
    group = mount / f"squall-e2e-{os.getpid()}-shared"
    group.mkdir()
    bystander = subprocess.Popen(["sleep", "600"])
    agent = start(described(lonely, tmp_path, {"api-1": ("port", str(instance.port))}), tmp_path)
    try:
        (group / "cgroup.procs").write_text(str(instance.process.pid))
        (group / "cgroup.procs").write_text(str(bystander.pid))
        spec = {**limits_fault(["api-1"], pids=20), "service": "api"}
        status, record = agent.post(spec)
        assert status == 409 and f"process {bystander.pid} (sleep)" in record["error"], record
        assert (group / "pids.max").read_text() == "max\n"
        bystander.kill()
        bystander.wait()
        spec = {**limits_fault(["api-1"], pids=20), "service": "api"}
        assert agent.post(spec)[0] == 200 and (group / "pids.max").read_text() == "20\n"
        assert agent.delete(spec)[0] == 200 and (group / "pids.max").read_text() == "max\n"
    finally:
        agent.terminate()
        bystander.kill()
        lonely.stop()
        wait_until(lambda: remove_group(group), 10, "the group is empty")


def test_a_plan_and_a_dry_run_know_what_is_found(lonely, tmp_path):
    how = {name: ("port", str(i.port)) for name, i in lonely.instances.items()}
    agent = start(described(lonely, tmp_path, how), tmp_path)
    try:
        words = ["squall", "fault", "apply", "kill", "api", "--for", "5s", "--dry-run",
                 "--topology", tmp_path / "described.json", "--agent",
                 f"http://127.0.0.1:{agent.port}", "--token-file", agent.token_file]
        done = run(*words)
        assert done.returncode == 0 and "found by the agent: port" in done.stdout, (
            done.stdout + done.stderr)
        name, pid = re.search(r"would hit (\S+): pid (\d+)", done.stdout).groups()
        assert lonely.instances[name].process.pid == int(pid)
        described(lonely, tmp_path, {name: ("port", "1") for name in lonely.instances})
        done = run(*words)
        assert done.returncode == 5 and "nothing would be hit" in done.stdout, done.stdout
    finally:
        agent.terminate()
