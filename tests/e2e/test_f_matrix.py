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
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from chaos_fail import PATIENCE_S, FailingAgent, fail_each
from chaos_kinds import ASIDE, KINDS, LACKS, MORE_JOBS, PARTNERS
from chaos_lab import (GRACE_S, NEEDS_ROOT, PREFIX, SUBNET, TOKEN, Agent, Instance, add_jobs,
                       app_fault, bridge, connects, echo_command, gateway_command, group_mount,
                       kill_fault, make_namespace, partition_fault, platform, sh, unshared_mounts)
from conftest import BIN, ROOT, wait_until
from proxy_lab import ZONE
from stores_lab import PASSWORD, Alias, Broker, Cache, Database, credentials

pytestmark = NEEDS_ROOT
# All kinds are measured at once, within a lease; a sanitizer makes each of them slower.
SANITIZED = any(word in (BIN / "squall-agent").read_bytes()
                for word in (b"__asan_init", b"__tsan_init"))
LEASE_S = 3.0 if SANITIZED else 1.5
LIMIT_S = LEASE_S + GRACE_S
FIRST_LEASE_S = 20.0  # until all are in place
EACH = 6 if SANITIZED else 1  # of so many operations one is made to fail
REPORT = ROOT / "build" / "fault-matrix.md"

# A controller: renews until it is killed.
CONTROLLER = """
import http.client, json, sys, time
port, token, lease_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
faults = sys.stdin.readline().split()
while True:
    for fault in faults:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", f"/v1/faults/{fault}/renew", json.dumps(
            {"leaseNs": int(lease_s * 1e9)}), {"Authorization": "Bearer " + token,
                                                 "Content-Type": "application/json"})
        print(time.monotonic(), connection.getresponse().status, flush=True)
        connection.close()
    time.sleep(lease_s / 5)
"""


# --- what is compared before and after ---

class Said:
    """A command and its last complaint, as text of the moment at which it is printed."""

    def __init__(self, command):
        self.command, self.complaint = command, ""

    def __str__(self):
        return f"{' '.join(self.command)}: {self.complaint}"


def text_of(*command):
    """ip looks through all of /run/netns, where others may remove theirs meanwhile: again, then."""
    said = Said(command)

    def quiet():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # nft warns of what looks as if iptables had made it, and of what its library lacks.
        lines = [] if "nft" in command else done.stderr.splitlines()
        said.complaint = f"{done.returncode} {lines}"
        return None if done.returncode or lines else (done.stdout,)
    return wait_until(quiet, 5, said)[0]


def mounts_of(pid):
    """A namespace's mount point vanishes everywhere when it is unlinked, so others' do not count."""
    lines = pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line for line in lines if " - nsfs " not in line or PREFIX in line]


KNOBS = ("cgroup.freeze", "cpu.max", "memory.max", "pids.max", "io.max", "freezer.state",
         "cpu.cfs_quota_us", "memory.limit_in_bytes",
         *(f"blkio.throttle.{way}_{unit}_device" for way in ("read", "write")
           for unit in ("bps", "iops")))


def process_settings(pid):
    """Where a process is, every setting of its groups, its limits, and whether it is stopped."""
    place = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    settings = {"place": place, "limits": pathlib.Path(f"/proc/{pid}/limits").read_text(),
                "stopped": stat.rpartition(")")[2].split()[0] == "T"}
    for line in place.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = group_mount(controllers.split(",")[0] or None)
        for name in KNOBS if mount is not None else ():
            file = pathlib.Path(str(mount) + path) / name
            settings[str(file)] = file.read_text() if file.exists() else None
    return settings


class Machine:
    """The agents of a test run in a mount namespace of their own, so that what they might mount is
    told from what others on this machine do; the network namespaces are the test's alone."""

    def __init__(self, lab):
        self.lab = lab
        self.holder = unshared_mounts()
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid)]

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def dump(self):
        found = {"host nft": text_of("nft", "list", "ruleset"),
                 "host rules": text_of("ip", "rule"),
                 "mounts": mounts_of(self.holder.pid),
                 "resolv.conf": text_of(*self.inside, "cat", "/etc/resolv.conf")}
        for netns in self.lab.namespaces:
            inside = ["ip", "netns", "exec", netns]
            for what in (["nft", "list", "ruleset"], ["ip", "-d", "link"], ["ip", "address"],
                         ["ip", "route", "show", "table", "all"], ["ip", "rule"],
                         ["tc", "qdisc", "show"]):
                found[f"{netns}: {' '.join(what)}"] = text_of(*inside, *what)
        for instance in self.lab.instances.values():
            found[f"{instance.name}: process"] = process_settings(instance.process.pid)
        return found


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
    platform.write()
    platform.name_server = f"{SUBNET}.1"
    process = subprocess.Popen([sys.executable, "-c", ZONE, platform.name_server])
    wait_until(lambda: connects(None, platform.name_server, 53), 10, "the name server listens")
    yield platform
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def stores(web):
    """Stores on the bridge's own address, a server for each fault of theirs."""
    platform, address = web, f"{SUBNET}.1"
    platform.stores["pg"] = ("postgres", credentials(
        platform.folder, "postgres", user="postgres", password=PASSWORD, database="postgres"))
    platform.stores["redis"] = ("redis", credentials(platform.folder, "redis", password=PASSWORD))
    broker = Broker("127.0.0.1").launch(platform, "rmq-51")
    first = Database(address, 5431)
    databases = {"pg-31": first, "pg-32": Database(address, 5432, template=first),
                 "pg-33": Database(address, 5433, template=first)}
    caches = {f"redis-{n}": Cache(address, 6300 + n) for n in (41, 42, 43)}
    try:
        for name, server in {**databases, **caches}.items():
            server.keep(platform, name)
        broker.keep(platform, "rmq-51")
        platform.add("rmq", Alias(broker.instance, "rmq-52"))
        platform.servers = {**databases, **caches, "rmq-51": broker, "rmq-52": broker}
        platform.write()
        yield platform
    finally:
        for name, server in databases.items():
            if name in platform.instances:
                server.stop()
        broker.close()


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
             "| what happens | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 1) + "|"]
    for case, row in cells.items():
        shown = [f"{row[k]:.2f}" if isinstance(row.get(k), float) else row.get(k, "")
                 for k in KINDS]
        assert "" not in shown, f"{case}: a cell without a test or a reason"
        lines.append(f"| {case} | " + " | ".join(shown) + " |")
    lines += ["", *LACKS]
    command = "python3 -m pytest tests/e2e/test_f_matrix.py"
    lines += ["", f"Made in {time.monotonic() - began:.0f} s by `{command}` as root (SQUALL_BIN "
              f"names the build),", f"on Linux {os.uname().release} with {os.cpu_count()} "
              "processors."]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(lines) + "\n")


# --- faults and their effects ---

class Effect:
    """One fault in place, and how to tell whether its effect is there."""

    def __init__(self, lab, kind, spec, rules=None):
        self.lab, self.kind, self.spec = lab, kind, spec
        self.rules = rules or KINDS[kind]
        self.target = lab.instances[spec["targets"][0]]
        self.pid = self.target.process.pid
        self.holds = self.rules.holds

    def gone(self):
        return self.rules.gone(self)

    def assert_present(self):
        self.rules.assert_present(self)

    def untouched(self):
        return self.rules.untouched(self)


def wait_gone(effect, since):
    """Seconds from `since`; fails at the limit."""
    while True:
        try:
            gone = effect.gone()
        except (OSError, AssertionError):
            gone = False  # its process is being started again
        took = time.monotonic() - since
        if gone:
            return max(took, 0.0)
        assert took < LIMIT_S, f"{effect.kind} on {effect.target.name} after {took:.2f} s"
        time.sleep(0.01)


def last_seen(effect, since, until):
    """Seconds from `since` to when the effect was seen last, looking until the future is done."""
    seen = 0.0
    while not until.done():
        if not effect.gone():
            seen = time.monotonic() - since
    return seen


def measure(effects, since):
    with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
        return {e.kind: f.result() for e, f in
                [(e, pool.submit(wait_gone, e, since)) for e in effects]}


class Lab:
    def __init__(self, lab, machine, folder, lost=None, inside=True):
        self.lab, self.machine = lab, machine
        wait_until(lambda: all(i.ready() for i in lab.instances.values()), 60, "all ready")
        self.before = machine.dump()
        self.agent = Agent(lab, folder, "--max-affected", "100%")
        self.agent.prefix = (machine.inside if inside else []) + (
            ["setpriv", f"--bounding-set=-{lost}"] if lost else [])
        self.agent.start()

    def all_kinds(self, kill_for_s=LEASE_S):
        """kind -> spec, on a target each; what holds no lease is over with its `for`."""
        return {name: kind.spec(self.lab, [kind.target], lease_s=FIRST_LEASE_S,
                                duration_s=60.0 if kind.holds else kill_for_s)
                for name, kind in KINDS.items()}

    def inject(self, specs=None, lease_s=LEASE_S):
        return self.put([Effect(self.lab, kind, spec)
                         for kind, spec in (specs or self.all_kinds()).items()], lease_s)

    def put(self, effects, lease_s=LEASE_S):
        """First those that are measured by fine times, on a machine that is busy enough already.
        When all are in place, their leases begin."""
        self.put_at_once([e for e in effects if e.rules.fine])
        self.put_at_once([e for e in effects if not e.rules.fine])
        self.begin_leases(effects, lease_s)
        return effects

    def begin_leases(self, effects, lease_s=LEASE_S):
        with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
            for status, record in pool.map(lambda e: self.renew(e, lease_s),
                                           [e for e in effects if e.holds]):
                assert status == 200, json.dumps(record, indent=1)

    def put_at_once(self, effects):
        if effects:
            with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
                for _ in pool.map(self.put_one, effects):
                    pass

    def put_one(self, effect):
        """A busy machine may hide an effect, and a target may just be started again: refused then,
        which is not what these tests are about."""
        status, record = self.agent.post(effect.spec)
        end = time.monotonic() + PATIENCE_S
        first, again = effect.spec["id"], itertools.count(2)
        while status == 409 and record["state"] == "gone" and time.monotonic() < end:
            effect.spec = {**effect.spec, "id": f"{first}-{next(again)}"}
            status, record = self.agent.post(effect.spec)
        assert status == 200, json.dumps(record, indent=1)
        effect.assert_present()

    def renew(self, effect, lease_s):
        return self.agent.ask("POST", f"/v1/faults/{effect.spec['id']}/renew",
                              {"leaseNs": int(lease_s * 1e9)})

    def settle(self, effects, end):
        """The agent itself comes to know that they are gone, and nothing is left."""
        for effect in effects:
            record = self.agent.wait_state(effect.spec, "gone", 15)
            assert record["end"] in end, record
        self.finish()

    def finish(self):
        wait_until(lambda: all(i.ready() for i in self.lab.instances.values()), 60, "all ready")
        assert not list(self.agent.journal.glob("*.fault"))
        assert self.agent.terminate() == 0, self.agent.log_file.read_text()
        after = self.machine.dump()
        assert after == self.before, [key for key in after if after[key] != self.before.get(key)]

    def abandon(self):
        if self.agent.process.poll() is None:
            self.agent.signal(signal.SIGCONT)
            self.agent.kill()


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
    effects = lab.inject(lab.all_kinds(kill_for_s=60.0))
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
    specs = lab.all_kinds(kill_for_s=60.0)
    # It is started first and told of the faults later: starting it may take longer than a lease.
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(lab.agent.port), TOKEN, str(LEASE_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        effects = lab.inject(specs)
        held = [e for e in effects if e.holds]
        controller.stdin.write(" ".join(e.spec["id"] for e in effects) + "\n")
        controller.stdin.flush()
        end = time.monotonic() + 1.5 * LEASE_S  # longer than a lease: only renewal keeps them
        while time.monotonic() < end:
            at, status = controller.stdout.readline().split()
            assert status == "200"
        assert float(at) > end - LEASE_S
        for effect in held:
            effect.assert_present()
        since = time.monotonic()
    finally:
        controller.kill()
        controller.communicate()
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


def fail_half_way(lab, platform, name):
    """Seconds from the request until the effect on the first target was seen last."""
    kind = KINDS[name]
    times = {"duration_s": 60.0 if kind.holds else LEASE_S, "lease_s": LEASE_S}
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
    try:
        operations, tried, longest = fail_each(agent, lambda: Effect(
            platform, name, kind.spec(platform, list(kind.both or [kind.target]), duration_s=60.0,
                                      lease_s=10.0)), 1, EACH)
        assert agent.terminate() == 0, agent.log_file.read_text()
        return f"{tried}{'' if EACH == 1 else f' of {operations}'}, {longest:.2f}"
    finally:
        if agent.process.poll() is None:
            agent.kill()


def test_each_operation_of_an_apply_fails(platform, machine, tmp_path, matrix):
    """One in each request, from the first to the last that a request makes until it is answered:
    refused by name, or done without it; whichever, nothing is left. An agent for each kind."""
    before = machine.dump()

    def started(name):
        return FailingAgent(platform, tmp_path / name.replace(" ", "-"), machine.inside).start()
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
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
    effects = lab.inject(lab.all_kinds(kill_for_s=60.0), FIRST_LEASE_S)
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
            platform, [target], duration_s=60.0, lease_s=FIRST_LEASE_S), PARTNERS[name])
                for name, target in sorted(wanted)]
    first = lab.put(partners(), FIRST_LEASE_S)
    effects = lab.inject(lab.all_kinds(kill_for_s=60.0), FIRST_LEASE_S)
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
    "network (loss)": "as network (delay)", "network (rate)": "as network (delay)",
    **dict.fromkeys(["kill (crash loop)", "pause (cgroup v2)", "pause (v1 freezer)",
                     "pause (SIGSTOP)", "memory", "io", "ioThrottle (v1 blkio)", "postgres (lock)",
                     "postgres (connections)", "postgres (terminate)", "redis (pause)",
                     "redis (fill)", "redis (killClients)", "rabbitmq (fillQueue)",
                     "rabbitmq (closeConnections)"], "with one other: the row above")}


def packet_kinds(platform):
    """Those that redirect, drop or delay packets, all on one target."""
    target, times = "web-17", {"duration_s": 60.0, "lease_s": FIRST_LEASE_S}
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
        platform, ["jobs-39"], duration_s=60.0, lease_s=FIRST_LEASE_S), own)
            for kind, own in rules.items()]


def test_all_faults_on_one_target(lab, platform, matrix):
    target = "gateway-14"
    cut = {**partition_fault([target], duration_s=60.0, lease_s=FIRST_LEASE_S),
           "service": "gateway"}
    injury = app_fault([target], rate=1.0, duration_s=60.0, lease_s=FIRST_LEASE_S)
    death = {**kill_fault([target], lease_s=LEASE_S, duration_s=60.0), "service": "gateway"}
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
                 "network (rate)": ("api", 24)}


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
            platform, [f"{service}-{number}"], duration_s=60.0, lease_s=FIRST_LEASE_S))
                           for kind, (service, number) in IN_NAMESPACES.items()], FIRST_LEASE_S)
        with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
            matrix["the target's namespace is taken away"] = {
                **dict.fromkeys(KINDS, "nothing of it is there"), **dict(zip(
                    IN_NAMESPACES, pool.map(lambda e: take_away(platform, lab, e), effects)))}
        assert lab.agent.terminate() == 0
    finally:
        lab.abandon()
        platform.write()
    assert machine.dump() == before
