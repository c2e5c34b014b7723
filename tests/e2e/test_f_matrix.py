# SPDX-License-Identifier: Apache-2.0
"""No fault outlives its lease by more than 2 s, whatever dies: every kind of fault against every
death, with the effect measured at the target and the machine compared before and after. Nothing in
the agent knows of this test: what goes wrong is a signal, a full disk, a missing privilege, a table
that is in the way, a target that answers 500, a namespace that is taken away, an operation of the
kernel that fails (chaos_fail.py).

The seconds until the effect was gone, counted from the moment that the table names, are written to
build/fault-matrix.md."""

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from chaos_fail import FailingAgent, fail_each
from chaos_kinds import ASIDE, KINDS, LACKS, MORE_JOBS, PARTNERS
from chaos_lab import (NEEDS_ROOT, SUBNET, Instance, add_fronts, add_jobs, app_fault, bridge, connects,
                       echo_command, gateway_command, kill_fault, make_namespace,
                       partition_fault, platform, sh)
from conftest import ROOT, SANITIZED, wait_until
from failover_lab import Guarded
from matrix_lab import (FIRST_LEASE_S, FOR_S, LEASE_S, LIMIT_S, Effect, Lab, Machine,
                        controller_of, made_by, measure, table_of, text_of)
from proxy_lab import ZONE
from stores_lab import PASSWORD, Alias, Broker, Cache, Database, credentials

pytestmark = NEEDS_ROOT
# Of so many operations one is made to fail; in each run others, or with SQUALL_OPERATION=n those of
# that remainder. SQUALL_EVERY_OPERATION=1: all of them, which takes four minutes.
EACH = 1 if os.environ.get("SQUALL_EVERY_OPERATION") else 6 if SANITIZED else 3
FIRST = int(os.environ.get("SQUALL_OPERATION", time.time())) % EACH + 1
REPORT = ROOT / "build" / "fault-matrix.md"


@pytest.fixture(scope="module")
def web(platform, bridge):
    """Two more services of HTTP in namespaces, a name server that every instance reaches, and second
    targets."""
    for number in (17, 18):
        name, address = f"web-{number}", f"{SUBNET}.{number}"
        platform.add("web", Instance(platform.folder, name,
                                     gateway_command(platform, name, address, 3000), address, 3000,
                                     make_namespace(platform, bridge, number)))
    add_jobs(platform, MORE_JOBS)
    add_fronts(platform, f"{SUBNET}.1", range(8052, 8057))
    platform.write()
    platform.name_server = f"{SUBNET}.1"
    process = subprocess.Popen([sys.executable, "-c", ZONE, platform.name_server])
    wait_until(lambda: connects(None, platform.name_server, 53), 10, "the name server listens")
    yield platform
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def stores(web, bridge):
    """Stores on the bridge's own address, a server for each fault of theirs."""
    platform, address = web, f"{SUBNET}.1"
    platform.stores["pg"] = ("postgres", credentials(
        platform.folder, "postgres", user="postgres", password=PASSWORD, database="postgres"))
    platform.stores["redis"] = ("redis", credentials(platform.folder, "redis", password=PASSWORD))
    broker = Broker("127.0.0.1").launch(platform, "rmq-51")
    first = Database(address, 5431)
    databases = {"pg-31": first, "pg-32": Database(address, 5432, template=first),
                 "pg-33": Database(address, 5433, template=first)}
    caches = {f"redis-{n}": Cache(address, 6300 + n, debug="yes",
                                  maxmemory=24 << 20 if n in (45, 46) else 0)
              for n in range(41, 47)}
    try:
        for name, server in {**databases, **caches}.items():
            server.keep(platform, name)
        broker.keep(platform, "rmq-51")
        platform.guarded = Guarded(platform, bridge, (71, 72), 1, "pair", down_ms=1000)
        platform.add("rmq", Alias(broker.instance, "rmq-52"))
        platform.servers = {**databases, **caches, "rmq-51": broker, "rmq-52": broker}
        platform.write()
        yield platform
    finally:
        for name, server in databases.items():
            if name in platform.instances:
                server.stop()
        broker.close()
        if getattr(platform, "guarded", None) is not None:
            platform.guarded.close()


@pytest.fixture(scope="module")
def machine(stores):
    made = Machine(stores)
    yield made
    made.close()


@pytest.fixture(scope="module")
def matrix():
    """case -> kind -> seconds, or a word; written down when all have run."""
    cells = {}
    began = time.monotonic()
    yield cells
    lines = ["# How long each fault stayed", "",
             "Seconds from the moment named in each row until the effect could no longer be measured",
             f"at the target. Lease {LEASE_S:g} s, so the limit is {LIMIT_S:g} s. After each row nft"
             " rulesets,", "links, addresses, routes, qdiscs, mounts, cgroup settings and "
             "resolv.conf were the same as before.",
             "An operation is one that opens, writes, renames or syncs a file, talks netlink, enters a"
             " namespace, makes a", "socket, process or thread, signals, or sets a limit.", "",
             *table_of(KINDS, cells), "", *LACKS, "",
             "Faults that follow instances that come later are in [a table of their own]"
             "(fault-matrix-track.md).", "", *made_by("test_f_matrix.py", began)]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines) + "\n")


@pytest.fixture
def lost():
    """A capability that the agent has not."""
    return None


@pytest.fixture
def lab(platform, machine, tmp_path, lost):
    made = Lab(platform, machine, tmp_path, lost)
    yield made
    made.abandon()


# --- the rows ---

def test_agent_killed(lab, matrix):
    effects = lab.inject(lab.all_kinds(kill_for_s=FOR_S))
    since = time.monotonic()
    lab.agent.kill()
    matrix["agent: SIGKILL"] = measure(effects, since)
    lab.agent.start()
    lab.settle(effects, {"recovery"})


def test_agent_stopped(lab, matrix):
    effects = lab.inject()
    since = time.monotonic()
    lab.agent.signal(signal.SIGSTOP)
    matrix["agent: SIGSTOP"] = measure(effects, since)
    lab.agent.signal(signal.SIGCONT)
    lab.settle(effects, {"lease", "expired"})


def test_agent_cut_from_its_controller(lab, matrix):
    effects = lab.inject()
    matrix["no renewal reaches the agent"] = measure(effects, time.monotonic())
    lab.settle(effects, {"lease", "expired"})


def test_controller_killed(lab, matrix):
    specs = lab.all_kinds(kill_for_s=FOR_S)
    with controller_of(lab.agent) as keep:
        effects = lab.inject(specs)
        keep([e.spec for e in effects])
        for effect in effects:
            if effect.holds:
                effect.assert_present()
        since = time.monotonic()
    matrix["controller: SIGKILL"] = measure(effects, since)
    lab.settle(effects, {"lease", "expired"})


def test_target_restarts(lab, matrix):
    effects = lab.inject()
    since = time.monotonic()
    for effect in effects:
        with contextlib.suppress(ProcessLookupError):  # a crash loop was faster
            os.kill(effect.target.process.pid, signal.SIGKILL)
    matrix["target: killed during the fault"] = measure(effects, since)
    lab.settle(effects, {"lease", "expired"})


def last_seen(effect, since, until):
    """Seconds from `since` to when the effect was seen last, looking until the future is done."""
    seen = 0.0
    while not until.done():
        if not effect.gone():
            seen = time.monotonic() - since
    return seen


def fail_half_way(lab, platform, name):
    """Seconds from the request until the effect on the first target was seen last."""
    kind = KINDS[name]
    times = {"duration_s": FOR_S if kind.holds else LEASE_S, "lease_s": LEASE_S}
    spec = kind.spec(platform, list(kind.pair), **times)
    with kind.second_refuses(platform, spec), concurrent.futures.ThreadPoolExecutor(1) as pool:
        effect = Effect(platform, name, spec)
        since = time.monotonic()
        answer = pool.submit(lab.agent.post, spec)
        seen = last_seen(effect, since, answer)
        status, record = answer.result()
        assert (status, record["state"], record["end"]) == (
            409, "gone", "failed"), json.dumps(record, indent=1)
        assert kind.words in record["error"].lower() and not record["wasActive"], record["error"]
        assert seen < LIMIT_S, (name, seen)
        wait_until(effect.gone, 2, f"{name} gone")
    return seen


@pytest.mark.parametrize("lost", ["kill"])
def test_apply_fails_half_way(lab, platform, matrix):
    """The second target refuses when the first has the fault already. The agent has no CAP_KILL, so
    that a process of somebody else is out of its reach."""
    matrix["apply fails at the second of two targets (seen last, after the request)"] = {
        name: kind.never if kind.pair is None else fail_half_way(lab, platform, name)
        for name, kind in KINDS.items()}
    lab.finish()


def fail_each_operation(platform, agent, name):
    kind = KINDS[name]
    each = EACH * kind.each
    try:
        operations, tried, longest = fail_each(agent, lambda: Effect(
            platform, name, kind.spec(platform, list(kind.both or [kind.target]), duration_s=FOR_S,
                                      lease_s=10.0)), FIRST, each)
        assert agent.terminate() == 0, agent.log_file.read_text()
        return f"{tried}{'' if each == 1 else f' of {operations}'}, {longest:.2f}"
    finally:
        if agent.process.poll() is None:
            agent.kill()


def test_each_operation_of_an_apply_fails(platform, machine, tmp_path, matrix):
    """One in each request, through all that a request makes until it is answered: refused by name, or
    done without it; whichever, nothing is left. An agent for each kind."""
    before = machine.dump()

    def started(name):
        return FailingAgent(platform, tmp_path / name.replace(" ", "-"), machine.inside).start()
    with concurrent.futures.ThreadPoolExecutor(12 if SANITIZED else len(KINDS)) as pool:
        # An agent that starts sweeps the namespaces, and would meet the tables of the others.
        agents = dict(zip(KINDS, pool.map(started, KINDS)))
        cells = {name: pool.submit(fail_each_operation, platform, agents[name], name)
                 for name in KINDS}
    matrix["each operation of an apply fails in turn (how many, most seconds to nothing left)"] = {
        name: cell.result() for name, cell in cells.items()}
    assert machine.dump() == before


def test_journal_on_a_full_disk(platform, machine, tmp_path, matrix):
    before = machine.dump()
    (tmp_path / "journal").mkdir()
    sh(*machine.inside, "mount", "-t", "tmpfs", "-o", "size=12k", "chat", str(tmp_path / "journal"))
    lab = Lab(platform, machine, tmp_path)
    try:
        sh(*machine.inside, "dd", "if=/dev/zero", f"of={tmp_path}/journal/filler", "bs=4096",
           "count=1")
        for kind, spec in lab.all_kinds().items():
            effect = Effect(platform, kind, spec)
            status, record = lab.agent.post(spec)
            assert (status, record["state"], record["appliedAtNs"]) == (409, "gone", 0), record
            assert "No space left" in record["error"]
            assert effect.untouched()
        matrix["the journal's disk is full"] = {kind: "never applied" for kind in KINDS}
        lab.finish()
    finally:
        lab.abandon()
        sh(*machine.inside, "umount", str(tmp_path / "journal"))
    assert machine.dump() == before


def test_two_of_a_kind_on_one_target(lab, matrix):
    """The second is refused, the first stays. Then all are halted."""
    effects = lab.inject(lab.all_kinds(kill_for_s=FOR_S), FIRST_LEASE_S)
    for effect in effects:
        second = {**effect.spec, "id": f"{effect.spec['id']}-second"}
        status, answer = lab.agent.post(second)
        assert status == 403 and "hide each other" in answer["error"]["message"], answer
        if effect.holds:
            effect.assert_present()
    matrix["a second fault of its kind on the target"] = {e.kind: "refused" for e in effects}
    since = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        halted = pool.submit(lab.agent.ask, "POST", "/v1/halt")
        matrix["squall halt"] = measure(effects, since)
        assert halted.result()[0] == 200
    lab.settle(effects, {"halt"})


def test_another_kind_on_the_target(lab, platform, matrix):
    """Both are there; one is reverted, and the other stays; put back, both end with the agent."""
    def partners():
        wanted = {(kind.partner, kind.target) for kind in KINDS.values()}  # some share a target
        return [Effect(platform, f"{name} beside", PARTNERS[name].spec(
            platform, [target], duration_s=FOR_S, lease_s=FIRST_LEASE_S), PARTNERS[name])
                for name, target in sorted(wanted)]
    first = lab.put(partners(), FIRST_LEASE_S)
    effects = lab.inject(lab.all_kinds(kill_for_s=FOR_S), FIRST_LEASE_S)
    for effect in first:
        effect.assert_present()
    for effect in first:
        status, record = lab.agent.delete(effect.spec)
        assert (status, record["state"]) == (200, "gone"), record
    for effect in effects:
        if effect.holds:
            effect.assert_present()
    again = lab.put(partners(), FIRST_LEASE_S)
    lab.begin_leases(effects + again)
    since = time.monotonic()
    lab.agent.kill()
    matrix["another kind beside it, then agent: SIGKILL"] = measure(effects, since)
    measure(again, since)
    lab.agent.start()
    lab.settle(effects + again, {"recovery"})


# What is not in place with more than one other, and why. A store, and what is done to it by its
# protocol, has one fault of its kind; so has a process that is struck or stands still, in front of
# which nothing else could be measured; cpu, memory and io each have the workers of a group alone.
NOT_TOGETHER = {
    "http": "tcp or http", "limits (pids)": "files or pids",
    **{kind: "as app" for kind in KINDS if kind.startswith("app (")},
    "network (loss)": "as network (delay)", "network (rate)": "as network (delay)",
    "partition (block)": "as partition",
    **dict.fromkeys(["kill (crash loop)", "pause (cgroup v2)", "pause (v1 freezer)",
                     "pause (SIGSTOP)", "memory", "io", "ioThrottle (v1 blkio)", "postgres (lock)",
                     "postgres (connections)", "postgres (terminate)", "redis (pause)",
                     "redis (fill)", "redis (killClients)", "redis (sleep)", "redis (evict)",
                     "redis (failover)", "rabbitmq (fillQueue)", "rabbitmq (closeConnections)"], "with one other: the row above")}


def packet_kinds(platform):
    """Those that redirect, drop or delay packets, all on one target."""
    target, times = "web-17", {"duration_s": FOR_S, "lease_s": FIRST_LEASE_S}
    specs = {"partition": partition_fault([target], **times),
             "tcp": KINDS["tcp"].spec(platform, [target], **times),
             "dns": KINDS["dns"].spec(platform, [target], **times),
             "network (delay)": ASIDE.spec(platform, [target], **times)}
    return [Effect(platform, kind, {**spec, "service": "web"},
                   ASIDE if kind == "network (delay)" else None) for kind, spec in specs.items()]


def group_kinds(platform):
    """Those that take from a control group or its processes, and a full disk."""
    rules = {"cpu": None, "limits (files)": None, "diskFill": PARTNERS["diskFill"]}
    return [Effect(platform, kind, (own or KINDS[kind]).spec(
        platform, ["jobs-39"], duration_s=FOR_S, lease_s=FIRST_LEASE_S), own)
            for kind, own in rules.items()]


def test_all_faults_on_one_target(lab, platform, matrix):
    target = "gateway-14"
    cut = {**partition_fault([target], duration_s=FOR_S, lease_s=FIRST_LEASE_S),
           "service": "gateway"}
    injury = app_fault([target], rate=1.0, duration_s=FOR_S, lease_s=FIRST_LEASE_S)
    death = {**kill_fault([target], lease_s=LEASE_S, duration_s=FOR_S), "service": "gateway"}
    effects = lab.inject({"partition": cut, "app": injury}, FIRST_LEASE_S)
    # One of the two reverted: the other stays.
    assert lab.agent.delete(injury)[0] == 200
    effects[0].assert_present()
    effects = effects[:1] + lab.inject({"kill": death})
    measure(effects[1:], time.monotonic())
    others = lab.put(packet_kinds(platform) + group_kinds(platform), FIRST_LEASE_S)
    effects += lab.inject({"app": {**injury, "id": injury["id"] + "-2"}})
    lab.begin_leases(effects[:1] + others)
    for effect in others:
        effect.assert_present()
    since = time.monotonic()
    lab.agent.kill()
    matrix["all that one target can have, then agent: SIGKILL"] = {
        **NOT_TOGETHER, **measure(others, since), **measure(effects, since)}
    lab.agent.start()
    lab.settle(effects[1:] + others, {"recovery"})


# What lives in a namespace, and a number for an instance of its own there.
IN_NAMESPACES = {"partition": ("api", 16), "dns": ("api", 19), "tcp": ("web", 20),
                 "http": ("web", 21), "network (delay)": ("api", 22), "network (loss)": ("api", 23),
                 "network (rate)": ("api", 24), "partition (block)": ("api", 25)}


def add_short_lived(platform, bridge, service, number):
    name, address = f"{service}-{number}", f"{SUBNET}.{number}"
    port = 8000 if service == "api" else 3000
    netns = make_namespace(platform, bridge, number)
    command = (echo_command(address, port) if service == "api" else
               gateway_command(platform, name, address, port))
    return platform.add(service, Instance(platform.folder, name, command, address, port, netns))


def take_away(platform, lab, effect):
    """Seconds until no packet can tell any more: the rules match nothing, or are no longer there."""
    name, netns = effect.target.name, effect.target.netns
    with open(f"/run/netns/{netns}", "rb") as held:
        def rules():
            return text_of("nsenter", f"--net=/proc/{os.getpid()}/fd/{held.fileno()}", "nft", "list",
                           "ruleset")
        assert "elements" in rules(), rules()
        lab.begin_leases([effect])
        effect.target.stop()
        platform.remove_namespace(netns)
        del platform.instances[name]
        since = time.monotonic()
        wait_until(lambda: "elements" not in rules(), LIMIT_S, f"the rules in {netns} match nothing")
        took = time.monotonic() - since
        # Then the agent looks for a way to its peer for some seconds, before it says why not.
        record = wait_until(lambda: (r := lab.agent.get(effect.spec))["state"] in (
            "gone", "stuck") and r, LIMIT_S + 15, f"{name} is settled")
        assert record["state"] == "gone" and record["end"] in ("lease", "failed"), json.dumps(
            record, indent=1)
        assert rules() == ""
    return took


def test_the_namespace_of_the_target_vanishes(platform, bridge, machine, tmp_path, matrix):
    before = machine.dump()
    for service, number in IN_NAMESPACES.values():
        add_short_lived(platform, bridge, service, number)
    platform.write()
    # What is mounted on /run/netns now is not seen from a mount namespace that was there before.
    lab = Lab(platform, machine, tmp_path, inside=False)
    try:
        effects = lab.put([Effect(platform, kind, KINDS[kind].spec(
            platform, [f"{service}-{number}"], duration_s=FOR_S, lease_s=FIRST_LEASE_S))
                           for kind, (service, number) in IN_NAMESPACES.items()], FIRST_LEASE_S)
        with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
            matrix["the target's namespace is taken away"] = {
                **dict.fromkeys(KINDS, "nothing of it is there"), "redis (failover)": "as partition",
                **dict(zip(
                    IN_NAMESPACES, pool.map(lambda e: take_away(platform, lab, e), effects)))}
        assert lab.agent.terminate() == 0
    finally:
        lab.abandon()
        platform.write()
    assert machine.dump() == before
