# SPDX-License-Identifier: Apache-2.0
"""Instances that come while a fault is in force: restarted, scaled up, found by what they run. With
`track` they are hit, each measured for itself; without it they are listed as missed."""

import json
import os
import resource
import signal
import time

import pytest

from chaos_lab import (NEEDS_ROOT, SUBNET, Agent, Instance, Platform, S, all_ok, bridge, cut_off,
                       disk_fault, echo_command, fault, files_limit, kill_fault, limits_fault, make_namespace,
                       partition_fault, ruleset)
from conftest import wait_until
from services import free_port
from stores_lab import postgres_fault, rabbitmq_fault, redis_fault

pytestmark = NEEDS_ROOT
LEASE_S = 3.0


def lone(folder, name):
    port = free_port()
    return Instance(folder, name, echo_command("127.0.0.1", port), "127.0.0.1", port)


@pytest.fixture(name="loopback")
def _loopback(tmp_path):
    made = Platform(tmp_path, "loopback")
    for name in ("api-1", "api-2"):
        made.add("api", lone(tmp_path, name))
    made.write()
    yield made
    made.stop()


@pytest.fixture(name="lab")
def _lab(bridge, tmp_path):
    """Two instances and what they need, in namespaces; a third may come."""
    made = Platform(tmp_path, "netns")
    try:
        for number, service, port in [(11, "api", 8000), (12, "api", 8000), (13, "store", 5432)]:
            add(made, bridge, number, service, port)
        made.write()
        yield made
    finally:
        made.stop()


def add(platform, bridge, number, service="api", port=8000):
    netns = make_namespace(platform, bridge, number)
    address = f"{SUBNET}.{number}"
    return platform.add(service, Instance(platform.folder, f"{service}-{number}",
                                          echo_command(address, port), address, port, netns))


class Kept:
    """A fault that is renewed until it is let go."""

    def __init__(self, agent, spec):
        self.agent, self.spec = agent, spec
        status, self.record = agent.post(spec)
        assert status == 200, self.record

    def until(self, true, what, deadline_s=20):
        """Renews while it waits, as a controller does."""
        def look():
            answer = self.agent.ask("POST", f"/v1/faults/{self.spec['id']}/renew",
                                    {"leaseNs": self.spec["leaseNs"]})
            self.record = self.agent.get(self.spec)
            assert answer[0] in (200, 410), answer
            return true(self.record)
        return wait_until(look, deadline_s, f"{what}: {self.record}")

    def arrival(self, **wanted):
        def find(record):
            return next((a for a in record.get("arrivals", [])
                         if all(a[key] == value for key, value in wanted.items())), None)
        return self.until(find, f"one that {wanted}")

    def end(self):
        status, record = self.agent.delete(self.spec)
        assert (status, record["state"]) == (200, "gone"), record
        assert not list(self.agent.journal.glob("*.fault"))
        return record


@pytest.fixture(name="keep")
def _keep(tmp_path):
    agents = []

    def start(platform, spec, *options):
        agents.append(Agent(platform, tmp_path, *options).start())
        return Kept(agents[-1], spec)
    yield start
    for agent in agents:
        if agent.process.poll() is None:
            agent.signal(signal.SIGCONT)
            assert agent.terminate() == 0, agent.log_file.read_text()


def track(spec, count=0, share=0.0):
    return {**spec, "track": True, "trackCount": count, "trackShare": share, "maxAffected": 1.0,
            "leaseNs": int(LEASE_S * S), "durationNs": 60 * S, "service": "api"}


def entries(kept):
    return sorted(path.name for path in kept.agent.journal.glob("*.fault"))


def test_a_killed_instance_is_hit_again_as_a_new_process(loopback, keep):
    """The limit lives in the process: nothing but a new part can hit the next one."""
    kept = keep(loopback, track(limits_fault(["api-1"], files=40), count=1))
    instance = loopback.instances["api-1"]
    first = instance.process.pid
    assert files_limit(first) == 40
    whole = kept.spec["id"]
    assert entries(kept) == [f"{whole}.1.fault", f"{whole}.fault"]
    os.kill(first, signal.SIGKILL)
    came = kept.arrival(joined=True, what="restarted", target="api-1")
    second = instance.process.pid
    assert came["who"] == f"pid {second}" != f"pid {first}" and f"{whole}.2" in came["how"], came
    assert files_limit(second) == 40
    assert entries(kept) == [f"{whole}.2.fault", f"{whole}.fault"], "each part has its own entry"
    assert kept.record["state"] == "active"
    during = [e for e in kept.record["evidence"] if e["when"] == "during"]
    assert len(during) == 2 and all(e["ok"] for e in during), during
    record = kept.end()
    assert files_limit(second) > 40
    assert [e["when"] for e in record["evidence"] if e["ok"]].count("after") == 2, record


def test_without_track_it_is_listed_as_missed(loopback, keep):
    spec = {**limits_fault(["api-1"], files=40, affected=0.5), "service": "api",
            "leaseNs": 10 * S}
    kept = keep(loopback, spec)
    instance = loopback.instances["api-1"]
    first = instance.process.pid
    os.kill(first, signal.SIGKILL)
    record = wait_until(lambda: (r := kept.agent.get(spec)).get("arrivals") and r, 10, "listed")
    assert record["state"] == "active", "nobody has asked whether it still holds"
    [missed] = record["arrivals"]
    assert (missed["target"], missed["what"], missed["joined"]) == ("api-1", "restarted", False)
    assert missed["who"] == f"pid {instance.process.pid}" and "track: true" in missed["how"], missed
    assert files_limit(instance.process.pid) > 40
    kept.end()


def test_what_a_kill_waits_for_is_not_missed_but_who_is_new_is(loopback, keep, tmp_path):
    spec = kill_fault(["api-1"], lease_s=20.0)
    kept = keep(loopback, spec)
    wait_until(loopback.instances["api-1"].ready, 10, "it is back")
    loopback.add("api", lone(tmp_path, "api-3"))
    loopback.write()
    record = wait_until(lambda: (r := kept.agent.get(spec)).get("arrivals") and r, 10, "listed")
    assert [(a["target"], a["what"], a["joined"]) for a in record["arrivals"]] == [
        ("api-3", "new instance", False)]
    kept.end()
    status, answer = kept.agent.post({**limits_fault(["api-1"], files=40), "service": "api",
                                      "parent": "x"})
    assert status == 400 and "parent" in answer["error"]["message"], answer


# Those that cannot follow, and why.
REFUSED = {
    "kill": (kill_fault(["api-1"]), "what comes back is what a kill waits for"),
    "diskFill": (disk_fault("/tmp", ["api-1"]), "it fills a file system, whoever lives there"),
    "postgres": (postgres_fault("lock", ["api-1"], table="t"), "at the server that it was told to"),
    "redis": (redis_fault("pause", ["api-1"]), "at the server that it was told to"),
    "rabbitmq": (rabbitmq_fault("fillQueue", ["api-1"], mib=1), "at the server that it was told to"),
    "node": (fault("nodes", "api", ["api-1"], action="cordon", emptyDir=False) | {"kind": "node"},
             "a node is marked once, whoever comes to it"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_who_cannot_follow_is_refused(loopback, tmp_path, kind):
    spec, why = REFUSED[kind]
    agent = Agent(loopback, tmp_path).start()
    try:
        status, answer = agent.post({**track(spec, count=1), "startedNs": time.time_ns()})
        assert status == 400 and f"makes no sense with {kind}: " in answer["error"]["message"], answer
        assert why in answer["error"]["message"] and not list(agent.journal.glob("*.fault")), answer
    finally:
        assert agent.terminate() == 0, agent.log_file.read_text()


def test_a_place_that_is_held_holds_who_restarts_there(lab, keep):
    kept = keep(lab, track(partition_fault(), count=1))
    instance = lab.instances["api-11"]
    assert cut_off(lab)
    before = len(kept.record["evidence"])
    os.kill(instance.process.pid, signal.SIGKILL)
    came = kept.arrival(joined=True, what="restarted")
    assert "held by its place" in came["how"] and came["who"] == f"pid {instance.process.pid}"
    again = [e for e in kept.record["evidence"][before:] if e["when"] == "during"]
    assert again and all(e["ok"] for e in again), "its effect was measured on the new process"
    assert cut_off(lab)
    assert kept.end()["error"] is None and not cut_off(lab)
    assert ruleset(instance.netns) == ""


def test_who_is_scaled_up_is_hit_as_far_as_the_selection_goes(lab, bridge, keep):
    """Of all that match, that is: who comes and is not as the fault says is none of its business."""
    for name in ("api-11", "api-12"):
        lab.instances[name].place = {"labels": ["tier=front", f"is={name}"]}
    lab.write()
    kept = keep(lab, {**track(partition_fault(["api-11", "api-12"]), share=1.0),
                      "labels": ["tier=front"]}, "--max-affected", "100%")
    started = time.monotonic()
    other = add(lab, bridge, 15)
    other.place = {"labels": ["tier=back"]}
    lab.write()
    third = add(lab, bridge, 14)
    third.place = {"labels": ["tier=front"]}
    lab.write()
    came = kept.arrival(joined=True, target="api-14")
    assert came["what"] == "new instance" and time.monotonic() - started < 15
    assert "api-14" in kept.record["targets"] and "squall_" in ruleset(third.netns)
    assert cut_off(lab, "api-14") and cut_off(lab, "api-11")
    assert not cut_off(lab, "api-15") and ruleset(other.netns) == ""
    record = kept.end()
    assert all_ok(record) and not cut_off(lab, "api-14")
    assert [a["target"] for a in record["arrivals"]] == ["api-14"], record["arrivals"]
    assert ruleset(third.netns) == ""


@pytest.mark.parametrize("how, why", [
    ({"count": 1}, "not selected: 1 of 3"), ({"share": 0.5}, "not selected: 1 of 3"),
    ({"share": 1.0}, "--max-affected")])
def test_who_is_too_many_is_missed_with_the_reason(lab, bridge, keep, how, why):
    """The cap is the agent's own, and half of three is one."""
    kept = keep(lab, track(partition_fault(["api-11"]), **how), "--max-affected", "50%")
    third = add(lab, bridge, 14)
    lab.write()
    missed = kept.arrival(target="api-14", joined=False)
    assert why in missed["how"], missed
    assert not cut_off(lab, "api-14") and ruleset(third.netns) == ""
    record = kept.end()
    assert all_ok(record), "what was not asked for is no failure"


def test_one_that_cannot_be_hit_is_missed_and_the_others_stay(lab, keep, tmp_path):
    """It comes without a network namespace of its own."""
    kept = keep(lab, track(partition_fault(["api-11"]), share=1.0), "--max-affected", "100%")
    lab.add("api", lone(tmp_path, "api-15"))
    lab.write()
    log = kept.agent.log_file
    kept.until(lambda record: record["state"] == "active" and cut_off(lab), "goes on", 5)
    kept.until(lambda record: time.time_ns() - record["verifiedAtNs"] > 3 * S, "is tried", 10)
    record = kept.end()
    [missed] = record["arrivals"]
    assert not missed["joined"] and "no network namespace" in missed["how"], missed
    assert "instance missed" in log.read_text()


def test_nothing_is_applied_to_one_when_another_cannot_be_measured(loopback, tmp_path):
    """The second has as few files as the fault would leave it: its part does not get past that."""
    second = loopback.instances["api-2"].process.pid
    soft, hard = resource.prlimit(second, resource.RLIMIT_NOFILE)
    resource.prlimit(second, resource.RLIMIT_NOFILE, (40, hard))
    agent = Agent(loopback, tmp_path, "--max-affected", "100%").start()
    try:
        spec = track(limits_fault(["api-1", "api-2"], files=40), share=1.0)
        status, record = agent.post(spec)
        assert status == 409 and record["state"] == "gone" and record["appliedAtNs"] == 0, record
        assert "its limit on files is 40 already" in record["error"], record
        assert files_limit(loopback.instances["api-1"].process.pid) == soft
        assert not list(agent.journal.glob("*.fault"))
        assert {f["state"] for f in agent.ask("GET", "/v1/faults")[1]["faults"]} == {"gone"}
    finally:
        assert agent.terminate() == 0, agent.log_file.read_text()


def test_one_that_is_never_ready_is_listed_at_the_end(loopback, keep):
    kept = keep(loopback, track(limits_fault(["api-1"], files=40), count=1))
    instance = loopback.instances["api-1"]
    first = instance.process.pid
    instance.port = free_port()  # where nobody will listen
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: instance.process.pid != first and
               json.loads(instance.status_file.read_text())["state"] == "starting", 10, "it is back")
    [missed] = kept.end()["arrivals"]
    assert not missed["joined"] and "before it could be measured" in missed["how"], missed
    assert missed["who"] == f"pid {instance.process.pid}"
    assert files_limit(instance.process.pid) > 40


def test_all_of_it_goes_with_a_dead_agent_and_is_known_to_the_next(loopback, keep):
    kept = keep(loopback, track(limits_fault(["api-1"], files=40), count=1))
    instance = loopback.instances["api-1"]
    os.kill(instance.process.pid, signal.SIGKILL)
    kept.arrival(joined=True)
    second = instance.process.pid
    assert files_limit(second) == 40
    kept.agent.kill()
    wait_until(lambda: files_limit(second) > 40, LEASE_S + 2, "gone by lease + 2 s")
    kept.agent.start()
    record = kept.agent.wait_state(kept.spec, "gone", 20)
    assert record["end"] == "recovery" and record["arrivals"][0]["joined"], record
    assert not list(kept.agent.journal.glob("*.fault"))
    assert {f["state"] for f in kept.agent.ask("GET", "/v1/faults")[1]["faults"]} == {"gone"}


def test_a_part_outlives_no_lease_of_the_whole(loopback, keep):
    """Somebody joins when half of the lease is over, and the agent is stopped: the part ends with
    what was left of the lease, not after one of its own."""
    lease_s = 6.0
    kept = keep(loopback, {**track(limits_fault(["api-1"], files=40), count=1),
                           "leaseNs": int(lease_s * S)})
    began = time.monotonic()
    instance = loopback.instances["api-1"]
    time_left = wait_until(lambda: time.monotonic() - began > lease_s / 2 and
                           kept.agent.get(kept.spec)["state"], lease_s, "half of the lease is over")
    assert time_left == "active"
    os.kill(instance.process.pid, signal.SIGKILL)
    wait_until(lambda: kept.agent.get(kept.spec).get("arrivals"), lease_s, "it has joined")
    second = instance.process.pid
    assert files_limit(second) == 40
    kept.agent.signal(signal.SIGSTOP)
    wait_until(lambda: files_limit(second) > 40, lease_s + 2 - (time.monotonic() - began),
               "gone by lease + 2 s")
    kept.agent.signal(signal.SIGCONT)
    record = kept.agent.wait_state(kept.spec, "gone", 20)
    assert record["end"] == "lease", record


def test_a_halt_ends_all_parts(loopback, keep):
    long = {**track(limits_fault(["api-1", "api-2"], files=40), share=1.0), "leaseNs": 50 * S}
    kept = keep(loopback, long, "--max-affected", "100%")
    assert len(entries(kept)) == 3
    began = time.monotonic()
    assert kept.agent.ask("POST", "/v1/halt")[0] == 200
    assert time.monotonic() - began < 25, "they were ended, not waited for"
    assert kept.agent.get(kept.spec)["state"] == "gone"
    assert not list(kept.agent.journal.glob("*.fault"))
    assert all(files_limit(i.process.pid) > 40 for i in loopback.instances.values())


def test_a_new_process_that_matches_is_hit_beside_the_old_one(loopback, keep, tmp_path):
    """Both run the same program; which instance they are of is told by that alone."""
    program = tmp_path / "program.py"
    one = loopback.instances.pop("api-1")
    one.stop()
    program.write_text(one.command[2])
    ours = [one.command[0], str(program), "127.0.0.1"]
    first = loopback.add("api", Instance(tmp_path, "api-1", [*ours, str(one.port)], "127.0.0.1",
                                         one.port))
    loopback.write()
    topology = json.loads(loopback.topology_file.read_text())
    for instance in topology["services"][0]["instances"]:
        if instance["name"] == "api-1":
            instance.update(statusFile="", find={"by": "command", "value": f"*{program} *"})
    loopback.topology_file.write_text(json.dumps(topology))
    kept = keep(loopback, track(limits_fault(["api-1"], files=40), count=1))
    assert files_limit(first.process.pid) == 40
    port = free_port()
    second = Instance(tmp_path, "api-9", [*ours, str(port)], "127.0.0.1", port)
    try:
        wait_until(second.ready, 10, "the second is ready")
        came = kept.arrival(joined=True, what="new process")
        assert came["who"] == f"pid {second.process.pid}", came
        assert files_limit(second.process.pid) == files_limit(first.process.pid) == 40
        assert all_ok(kept.end())
        assert files_limit(second.process.pid) > 40 < files_limit(first.process.pid)
    finally:
        second.stop()
