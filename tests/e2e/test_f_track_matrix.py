# SPDX-License-Identifier: Apache-2.0
"""Faults with `track: true` whose targets grow while they last: each kind that can follow hits who
comes, and whatever dies then, the effect is gone by lease + 2 s at those that were there and at those
that have come. The harness is that of the other matrix, matrix_lab.py.

The seconds until the effect was gone, at both, are written to build/fault-matrix-track.md."""

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from chaos_fail import FailingAgent, present
from chaos_kinds import (PARTNERS, App, Asked, Cpu, Dns, Files, Http, Io, Memory, Network, OwnCpu,
                         OwnMemory, Partition, Pause, PauseBySignal, Pids, Tcp, Throttle)
from chaos_lab import (NEEDS_ROOT, SUBNET, Instance, Platform, add_back, add_front, add_jobs, bridge,
                       connects, echo_command, gateway_command, group_mount, make_namespace,
                       no_throttle_here)
from conftest import BIN, ROOT, SANITIZED, run, wait_until
from matrix_lab import (FIRST_LEASE_S, FOR_S, LEASE_S, LIMIT_S, LOOK_S, Effect, Lab, Machine,
                        controller_of, made_by, measure, table_of)
from proxy_lab import ZONE
from test_f_track import REFUSED

pytestmark = NEEDS_ROOT
REPORT = ROOT / "build" / "fault-matrix-track.md"
TRIES = 2 if SANITIZED else 5  # operations of an arrival of which one fails, spread over all
FIRST = 2 if b"__asan_init" in (BIN / "squall-agent").read_bytes() else 3 if SANITIZED else 1
JOIN_S = 40 if SANITIZED else 20
BACK_PORT = 8052

# name -> how it is asked for and seen, its service, and where an instance of that lives: in a network
# namespace (its program), on the bridge's own address ("front"), or in control groups. Each has a
# service of its own, of two instances.
FOLLOWED = {
    "partition": (Partition(), "partition", "echo"),
    "network (delay)": (Network("network-69", delay_ms=100.0), "network", "echo"),
    "tcp": (Tcp(), "tcp", "gateway"),
    "http": (Http(), "http", "gateway"),
    "dns": (Dns(), "dns", "echo"),
    "app": (App(), "gateway", "gateway"),
    "app (readiness)": (Asked(None, "/ready", unready=True), "unready", "front"),
    "app (dependency)": (Asked(None, "/api/users", dependency="users", path="/api/users"),
                         "dependent", "front"),
    "app (cpu)": (OwnCpu(None, cpu=0.2), "spinning", "front"),
    "app (memory)": (OwnMemory(None, memory=64 << 20), "swelling", "front"),
    "pause (cgroup v2)": (Pause(None), "frozen", [None]),
    "pause (v1 freezer)": (Pause(None), "freezer", ["freezer"]),
    "pause (SIGSTOP)": (PauseBySignal(None), "stopped", []),
    "cpu": (Cpu(), "cpu", [None]),
    "memory": (Memory(), "memory", [None]),
    "io": (Io(), "io", [None]),
    "limits (files)": (Files(), "files", [None]),
    **({"limits (pids)": (Pids(), "pids", [None, "pids"])}
       if group_mount("pids") is not None else {}),
    **({"ioThrottle (v1 blkio)": (Throttle(), "throttle", [None, "blkio"])}
       if no_throttle_here() is None else {}),
}
# One of each means by which a fault ends when everything dies.
EACH_OPERATION = ["partition", "network (delay)", "tcp", "app", "pause (cgroup v2)", "cpu",
                  "limits (files)", "ioThrottle (v1 blkio)"]


class Growing(Platform):
    """Not all of its instances are in the topology at any time."""

    def __init__(self, folder):
        super().__init__(folder, "netns")
        self.lock = threading.Lock()

    def show(self, *names, hide=()):
        with self.lock:
            self.hidden = (self.hidden | set(hide)) - set(names)
            self.write()


def add(platform, bridge, service, where, number):
    if isinstance(where, list):
        add_jobs(platform, [(number, where)], service)
        return
    if where == "front":
        add_front(platform, f"{SUBNET}.1", 8000 + number, BACK_PORT, service)
        return
    name, address = f"{service}-{number}", f"{SUBNET}.{number}"
    port = 3000 if where == "gateway" else 8000
    command = (gateway_command(platform, name, address, port) if where == "gateway" else
               echo_command(address, port))
    platform.add(service, Instance(platform.folder, name, command, address, port,
                                   make_namespace(platform, bridge, number)))


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Growing(tmp_path_factory.mktemp("track"))
    made.name_server = f"{SUBNET}.1"
    zone = None
    try:
        add(made, bridge, "store", "echo", 13)
        add_back(made, f"{SUBNET}.1", BACK_PORT)
        numbers = iter(range(61, 200))
        for _, service, where in FOLLOWED.values():
            for _ in range(2):
                add(made, bridge, service, where, next(numbers))
        made.show()
        zone = subprocess.Popen([sys.executable, "-c", ZONE, made.name_server])
        wait_until(lambda: connects(None, made.name_server, 53), 10, "the name server listens")
        yield made
    finally:
        if zone is not None:
            zone.kill()
            zone.wait()
        made.stop()


@pytest.fixture(scope="module")
def machine(platform):
    made = Machine(platform)
    yield made
    made.close()


@pytest.fixture(scope="module")
def matrix():
    cells = {}
    began = time.monotonic()
    yield cells
    lines = ["# How long each fault that follows stayed", "",
             "As [the matrix of those that do not](fault-matrix.md), for faults with `track: true` and"
             " two targets: one that", "was there, and one that came while the fault was in force."
             " Seconds at the one, and at the other, from the moment", "named in each row until the "
             f"effect could no longer be measured there. Lease {LEASE_S:g} s, so the limit is "
             f"{LIMIT_S:g} s. After", "each row everything that is compared there was as before.", "",
             *table_of(FOLLOWED, cells), "", *made_by("test_f_track_matrix.py", began)]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines) + "\n")


class Pair:
    """A fault on one of the two instances of a service; the other one comes while it lasts."""

    def __init__(self, lab, name, rules=None):
        own, service, _ = FOLLOWED[name]
        self.lab, self.name, self.rules, self.service = lab, name, rules or own, service
        self.old, self.new = [n for n, i in lab.instances.items() if i.service == service]
        self.spec, self.effects = None, []

    def ask(self, *targets):
        spec = self.rules.spec(self.lab, list(targets), duration_s=FOR_S, lease_s=FIRST_LEASE_S)
        self.spec = {**spec, "service": self.service, "track": True, "trackCount": 2,
                     "trackShare": 0.0}
        self.effects = [Effect(self.lab, (self.name, who), {**self.spec, "targets": [target]},
                               self.rules)
                        for who, target in (("old", self.old), ("new", self.new))]

    def put(self, agent, *targets):
        """In force on these; a busy machine may hide an effect: refused then."""
        end = time.monotonic() + JOIN_S
        while True:
            self.ask(*targets)
            status, record = agent.post(self.spec)
            if status == 200:
                return record
            assert status == 409 and record["state"] == "gone", json.dumps(record, indent=1)
            assert time.monotonic() < end, json.dumps(record, indent=1)

    def joined(self, record):
        """None: not decided yet."""
        return next((a["joined"] for a in record.get("arrivals", []) if a["target"] == self.new),
                    None)

    def follow(self, agent):
        """In force on the one, then on the other as well, which was not hit before."""
        end = time.monotonic() + 2 * JOIN_S
        while True:
            self.lab.show(hide=[self.new])
            self.put(agent, self.old)
            wait_until(self.effects[1].gone, JOIN_S, f"{self.new} is not hit yet")
            self.lab.show(self.new)
            record = self.settled(agent)
            if self.joined(record):
                break
            assert time.monotonic() < end, json.dumps(record, indent=1)
            assert agent.delete(self.spec)[1]["state"] == "gone"
        self.assert_present()
        return record

    def settled(self, agent):
        end = time.monotonic() + JOIN_S
        while True:
            record = agent.get(self.spec)
            if self.joined(record) is not None or record["state"] != "active" or (
                    time.monotonic() > end):
                return record
            time.sleep(0.1)

    def assert_present(self):
        for effect in self.effects:
            wait_until(lambda effect=effect: present(effect), 10, f"{effect.kind} is there")


def at_once(work, items):
    with concurrent.futures.ThreadPoolExecutor(max(len(items), 1)) as pool:
        return list(pool.map(work, items))


class Followed(Lab):
    """All kinds, each on its two."""

    def abandon(self):
        """What is left of a test that failed must not be taken for the next one's."""
        if self.agent.process.poll() is None:
            self.agent.signal(signal.SIGCONT)
            with contextlib.suppress(OSError):
                self.agent.ask("POST", "/v1/halt")
        super().abandon()

    def pairs(self, rules=lambda name: None):
        return [Pair(self.lab, name, rules(name)) for name in FOLLOWED]

    def follow(self, pairs):
        """First those that are measured by fine times, as in the other matrix."""
        for fine in (True, False):
            at_once(lambda pair: pair.follow(self.agent),
                    [p for p in pairs if p.rules.fine == fine])
        return pairs

    def begin(self, *lists):
        self.begin_leases([pair.effects[0] for pairs in lists for pair in pairs])

    def end(self, pairs, ends):
        self.settle([pair.effects[0] for pair in pairs], ends)
        assert not list(self.agent.journal.glob("*.corrupt")), "each entry could be read"


def seconds(pairs, since):
    took = measure([e for pair in pairs for e in pair.effects], since)
    return {pair.name: f"{took[pair.name, 'old']:.2f}, {took[pair.name, 'new']:.2f}"
            for pair in pairs}


@pytest.fixture(name="lab")
def _lab(platform, machine, tmp_path):
    made = Followed(platform, machine, tmp_path)
    yield made
    made.abandon()


# --- each kind follows ---

@pytest.fixture(scope="module")
def lives(platform, machine, tmp_path_factory):
    """name -> a future of the record of a fault that has followed, and that was reverted."""
    lab = Followed(platform, machine, tmp_path_factory.mktemp("lives"))

    def life(pair):
        pair.follow(lab.agent)
        status, record = lab.agent.delete(pair.spec)
        assert (status, record["state"]) == (200, "gone"), json.dumps(record, indent=1)
        for effect in pair.effects:
            wait_until(effect.gone, 3, f"{effect.kind} is gone")
        return pair, record
    try:
        found = {}
        for fine in (True, False):
            with concurrent.futures.ThreadPoolExecutor(len(FOLLOWED)) as pool:
                found |= {pair.name: pool.submit(life, pair) for pair in lab.pairs()
                          if pair.rules.fine == fine}
        yield found
        lab.finish()
    finally:
        lab.abandon()


@pytest.mark.parametrize("name", FOLLOWED)
def test_who_comes_is_measured_hit_measured_and_measured_gone(lives, name):
    pair, record = lives[name].result()
    assert record["targets"] == [pair.old, pair.new] and record["error"] is None, record
    # One that can start no thread may die of it, and be started again.
    [arrival] = [a for a in record["arrivals"] if a["what"] != "restarted"]
    assert (arrival["target"], arrival["what"], arrival["joined"]) == (
        pair.new, "new instance", True), record
    for target in (pair.old, pair.new):
        found = [e for e in record["evidence"] if e["target"] == target]
        assert {e["when"] for e in found} == {"before", "during", "after"}, found
        assert all(e["ok"] for e in found), found
    first = {when: min(e["atNs"] for e in record["evidence"]
                       if e["target"] == pair.new and e["when"] == when)
             for when in ("before", "during", "after")}
    assert arrival["seenAtNs"] <= first["before"] < first["during"] < first["after"], record
    assert first["during"] <= arrival["decidedAtNs"] < first["after"], record


def test_each_kind_follows_or_is_refused(platform, tmp_path):
    """A new one is in one of the two tables."""
    topology = json.loads(platform.topology_file.read_text())
    topology["agent"] = {"url": "http://127.0.0.1:1", "tokenFile": str(platform.admin)}
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    said = run("squall", "fault", "apply", "name", "cpu", "--for", "1s", "--topology",
               tmp_path / "topology.json").stderr
    kinds = said.partition("expected one of ")[2].strip().split(", ")
    follow = {name.partition(" ")[0] for name in FOLLOWED}
    lacking = {"ioThrottle"} if no_throttle_here() is not None else set()
    assert len(kinds) >= 17 and set(kinds) == follow | lacking | REFUSED.keys(), said


# --- whatever dies ---

def test_agent_killed(lab, matrix):
    pairs = lab.follow(lab.pairs())
    lab.begin(pairs)
    since = time.monotonic()
    lab.agent.kill()
    matrix["agent: SIGKILL"] = seconds(pairs, since)
    lab.agent.start()
    lab.end(pairs, {"recovery"})


def test_agent_stopped(lab, matrix):
    pairs = lab.follow(lab.pairs())
    lab.begin(pairs)
    since = time.monotonic()
    lab.agent.signal(signal.SIGSTOP)
    matrix["agent: SIGSTOP"] = seconds(pairs, since)
    lab.agent.signal(signal.SIGCONT)
    lab.end(pairs, {"lease", "expired"})


def test_agent_cut_from_its_controller(lab, matrix):
    pairs = lab.follow(lab.pairs())
    lab.begin(pairs)
    matrix["no renewal reaches the agent"] = seconds(pairs, time.monotonic())
    lab.end(pairs, {"lease", "expired"})


def test_controller_killed(lab, matrix):
    with controller_of(lab.agent) as keep:
        pairs = lab.follow(lab.pairs())  # its first renewal makes the leases short
        keep([pair.spec for pair in pairs])
        at_once(Pair.assert_present, pairs)
        since = time.monotonic()
    matrix["controller: SIGKILL"] = seconds(pairs, since)
    lab.end(pairs, {"lease", "expired"})


def last_seen(effect, since):
    """It may be gone for a moment: who is started again is hit again, as long as the lease lasts."""
    seen = 0.0
    while time.monotonic() - since < LIMIT_S:
        with contextlib.suppress(OSError, AssertionError):  # its process is being started again
            if not effect.gone():
                seen = time.monotonic() - since
        time.sleep(LOOK_S)
    return seen


def test_targets_restart(lab, matrix):
    pairs = lab.follow(lab.pairs())
    lab.begin(pairs)
    effects = [e for pair in pairs for e in pair.effects]
    since = time.monotonic()
    for effect in effects:
        with contextlib.suppress(ProcessLookupError):  # a process without threads has died of it
            os.kill(effect.target.process.pid, signal.SIGKILL)
    took = dict(zip((e.kind for e in effects), at_once(lambda e: last_seen(e, since), effects)))
    for effect in effects:
        wait_until(effect.gone, 1, f"{effect.kind} is gone")
    matrix["both targets: killed during the fault (seen last)"] = {
        pair.name: f"{took[pair.name, 'old']:.2f}, {took[pair.name, 'new']:.2f}" for pair in pairs}
    lab.end(pairs, {"lease", "expired"})


def test_halt(lab, matrix):
    pairs = lab.follow(lab.pairs())
    since = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        halted = pool.submit(lab.agent.ask, "POST", "/v1/halt")
        matrix["squall halt"] = seconds(pairs, since)
        assert halted.result()[0] == 200
    lab.end(pairs, {"halt"})


def beside(name):
    return PARTNERS["cpu" if name.startswith("limits") else "limits"]


def test_another_that_follows_too(lab, platform, matrix):
    """Two on each, and both on who came. A third, of a kind that is there, is refused at that one, too;
    one is reverted, and the other stays; put back, both end with the agent."""
    others = lab.follow(lab.pairs(beside))
    pairs = lab.follow(lab.pairs())
    at_once(Pair.assert_present, others)
    for pair in pairs:
        second = {**pair.spec, "id": f"{pair.spec['id']}-second", "targets": [pair.new],
                  "track": False}
        status, answer = lab.agent.post(second)
        assert status == 403 and "hide each other" in answer["error"]["message"], answer

    def revert(pair):
        status, record = lab.agent.delete(pair.spec)
        assert (status, record["state"]) == (200, "gone"), record
        for effect in pair.effects:
            wait_until(effect.gone, 3, f"{effect.kind} is gone")
    at_once(revert, others)
    at_once(Pair.assert_present, pairs)
    at_once(lambda pair: pair.put(lab.agent, pair.old, pair.new), others)
    lab.begin(pairs, others)
    since = time.monotonic()
    lab.agent.kill()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        beside_it = pool.submit(seconds, others, since)
        matrix["another that follows beside it, then agent: SIGKILL"] = seconds(pairs, since)
        beside_it.result()
    lab.agent.start()
    lab.end(pairs + others, {"recovery"})


# --- an arrival of which one operation fails ---

def decided(agent, pair, since):
    """By the agent's own log: to ask it would be operations, too."""
    for line in agent.log_file.read_text()[since:].splitlines():
        said = json.loads(line)
        ended = said.get("to") in ("gone", "stuck")
        if said.get("fault") == pair.spec["id"] and (ended or "instance " in line):
            return True
    return False


def arrive(lab, agent, name, number):
    """Operations until who came was hit, or it was said why not; the one that failed, and how long
    it took until nothing was left."""
    pair = Pair(lab, name)
    lab.show(hide=[pair.new])
    pair.put(agent, pair.old)
    mark = len(agent.log_file.read_text())
    agent.nth.arm(number)
    lab.show(pair.new)
    wait_until(lambda: decided(agent, pair, mark), JOIN_S, f"{name}, operation {number}: decided")
    failed, error, seen = agent.nth.disarm()
    what = f"{name}, operation {number}: {failed}"
    record = agent.get(pair.spec)
    if record["state"] == "active":
        joined = [pair.effects[1]] if pair.joined(record) else []
        for effect in pair.effects[:1] + joined:
            wait_until(lambda effect=effect: present(effect), 3, f"{what}: {effect.kind}: {record}")
        assert joined or any(a["how"] for a in record["arrivals"]), (what, record)
        since = time.monotonic()
        status, record = agent.delete(pair.spec)
        assert (status, record["state"]) == (200, "gone"), (what, record)
    else:
        since = time.monotonic()
        record = agent.wait_state(pair.spec, "gone", 10)
        assert error and record["end"] == "failed" and record["error"], (what, record)
    for effect in pair.effects:
        wait_until(lambda effect=effect: agent.nothing_left(effect, True) and effect.gone(), 10,
                   f"{what}: {effect.kind}: nothing is left")
    return seen, failed, time.monotonic() - since


def fail_each_arrival(lab, agent, name):
    try:
        operations, failed, _ = arrive(lab, agent, name, 1 << 30)
        assert not failed
        step = max(operations // TRIES, 1)
        tried, longest = 0, 0.0
        for number in range(min(FIRST, step), operations + 1, step):
            _, failed, took = arrive(lab, agent, name, number)
            tried, longest = tried + (failed != ""), max(longest, took)
        assert tried >= min(TRIES, operations) - 2, (name, tried, operations)
        assert agent.terminate() == 0, agent.log_file.read_text()
        return f"{tried} of {operations}, {longest:.2f}"
    finally:
        if agent.process.poll() is None:
            agent.kill()


def test_an_operation_of_an_arrival_fails(platform, machine, tmp_path, matrix):
    """Who came is hit all the same, or missed with the reason, or the fault ends and says why; the
    other one stays hit until then, and nothing is left."""
    before = machine.dump()
    names = [name for name in EACH_OPERATION if name in FOLLOWED]

    def started(name):
        return FailingAgent(platform, tmp_path / name.replace(" ", "-"), machine.inside).start()
    agents = dict(zip(names, at_once(started, names)))  # before there is anything to sweep
    cells = dict(zip(names, at_once(
        lambda name: fail_each_arrival(platform, agents[name], name), names)))
    matrix["an operation of the arrival fails (how many of how many, most seconds to nothing left)"
           ] = {name: cells.get(name, "by the steps of another") for name in FOLLOWED}
    platform.show(*platform.hidden)
    assert machine.dump() == before
