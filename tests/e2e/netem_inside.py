# SPDX-License-Identifier: Apache-2.0
"""What test_f_netem.py runs inside a kernel that has netem: the fault network by that backend, with
its deaths. Not collected by itself. Such a kernel is slow: delays are long here, processes few."""

import os
import re
import signal
import subprocess
import time

import pytest

from chaos_fail import FailingAgent, fail_each
from chaos_lab import (GRACE_S, S, SUBNET, Agent, Instance, Platform, all_ok, bridge,
                       echo_command, evidence, make_namespace, network_fault)
from conftest import BIN, wait_until
from test_f_network import binomial, ping

LEASE_S = 3.0
DELAY_MS = 120
STORE = f"{SUBNET}.12"
# Of so many operations of an apply one fails; in each run others (test_f_matrix.py).
EACH = 1 if os.environ.get("SQUALL_EVERY_OPERATION") else 6
FIRST = int(time.time()) % EACH + 1


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("netem"), "netns")
    try:
        for number, (service, port) in enumerate([("api", 8000), ("store", 5432)], 11):
            netns = make_namespace(made, bridge, number)
            address = f"{SUBNET}.{number}"
            made.add(service, Instance(made.folder, f"{service}-{number}",
                                       echo_command(address, port), address, port, netns))
        made.write()
        yield made
    finally:
        made.stop()


def dump(platform):
    """Of the target's namespace: devices, qdiscs and filters."""
    netns = f"--net=/run/netns/{platform.instances['api-11'].netns}"
    return subprocess.run(
        ["nsenter", netns, "sh", "-c", "ip -d link; tc qdisc; tc filter show dev eth0;"
         " tc filter show dev eth0 ingress 2>&1"], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def agent(platform, tmp_path):
    before = dump(platform)
    made = Agent(platform, tmp_path, "--max-affected", "100%").start()
    yield made
    made.finish()
    assert dump(platform) == before


def delayed(platform):
    pings = ping(platform, address=STORE, count=5)
    return not pings.answers or pings.fastest() > DELAY_MS / 2000


def renew(agent, spec, lease_s):
    return agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(lease_s * S)})[0]


def inject(agent, spec):
    """On a machine with much else to do this kernel stands still for so long at times that the agent
    finds round trips which are not those asked for, or lost, and says so, rightly: then once
    more. It is made to last so long that it does not lapse meanwhile."""
    spec["durationNs"] = 300 * S
    for attempt in range(5):
        spec["id"] += f"-{attempt}"
        status, record = agent.post(spec)
        if status == 200:
            assert record["state"] == "active" and all_ok(record), record
            if renew(agent, spec, 60.0) == 200:
                return
            record = agent.wait_state(spec, "gone", 20)
            assert record["end"] == "lease", record
            continue
        assert status == 409 and (record["state"], record["end"]) == ("gone", "failed"), record
        assert ("does not show the impairment" in record["error"]
                or "cannot be measured" in record["error"]), record
    pytest.fail(str(record))


def revert(agent, spec):
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone") and all_ok(record), record
    assert ("netem of squall", "absent") in [(e["metric"], e["value"])
                                             for e in evidence(record, "after")]


def test_doctor_names_the_backend():
    done = subprocess.run([str(BIN / "squall"), "doctor"], capture_output=True, text=True,
                          timeout=60, check=False)
    line = next(x for x in done.stdout.splitlines() if "fault network" in x)
    assert line.split()[0] == "ok" and "by netem" in line, done.stdout


@pytest.mark.parametrize("direction, ways", [("both", 2), ("ingress", 1)])
def test_delay(agent, platform, direction, ways):
    spec = network_fault(delay_ms=DELAY_MS, direction=direction, lease_s=LEASE_S)
    inject(agent, spec)
    assert "netem" in dump(platform)
    assert ping(platform, address=STORE, count=15, wait_s=1.0).fastest() == pytest.approx(
        DELAY_MS / 1000 * ways, rel=0.2)
    assert ping(platform, address=f"{SUBNET}.1", count=5).fastest() < DELAY_MS / 2000, "no peer"
    revert(agent, spec)
    assert not delayed(platform)


@pytest.fixture
def beyond(platform):
    """A second device of the target, and who lives behind it: "far0", 10.99.0.7 and 10.99.0.200."""
    target, there = (["ip", "-n", platform.instances[name].netns] for name in ("api-11", "store-12"))
    for words in ([*target, "link", "add", "far0", "type", "veth", "peer", "name", "far1"],
                  [*target, "address", "add", "10.99.0.1/24", "dev", "far0"],
                  [*target, "link", "set", "far1", "netns", there[-1]],
                  [*there, "address", "add", "10.99.0.7/24", "dev", "far1"],
                  [*there, "address", "add", "10.99.0.200/24", "dev", "far1"],
                  [*there, "link", "set", "far1", "up"], [*target, "link", "set", "far0", "up"]):
        subprocess.run(words, check=True)
    wait_until(lambda: ping(platform, address="10.99.0.200", count=1).answers, 20, "it is there")
    yield
    subprocess.run([*target, "link", "del", "far0"], check=True)


def test_blocks_behind_two_devices(beyond, agent, platform):
    """Each device to which a route leads into one of them has its netem; who lies beside them is not
    delayed."""
    spec = network_fault(delay_ms=DELAY_MS, direction="egress", lease_s=LEASE_S,
                         peers=(f"{SUBNET}.8/29", "10.99.0.0/25", "10.99.0.7:9"))
    inject(agent, spec)
    assert set(re.findall(r"qdisc netem \S+ dev (\S+)", dump(platform))) == {"eth0", "far0"}
    for address, is_delayed in [(STORE, True), ("10.99.0.7", True), ("10.99.0.200", False),
                                (f"{SUBNET}.1", False)]:
        fastest = ping(platform, address=address, count=5, wait_s=1.0).fastest()
        assert (fastest > DELAY_MS / 2000) == is_delayed, (address, fastest)
    revert(agent, spec)
    assert "netem" not in dump(platform)


@pytest.mark.parametrize("peers, route, way", [
    (("10.99.0.0/25", "10.99.0.7:9"), "10.99.0.64/26", "10.99.0.0/25"),
    (("10.99.0.7:9",), "10.99.0.7/32", "10.99.0.7/32")])
def test_a_route_that_comes_while_it_stands_ends_it(beyond, agent, platform, peers, route, way):
    """Packets would take it, past the netem: the next renewal sees that. Until then nobody has to list
    the routes (tests/unit/chaos/test_tc_news.c counts)."""
    spec = network_fault(delay_ms=DELAY_MS, direction="egress", lease_s=LEASE_S, peers=peers)
    inject(agent, spec)
    routes = ["ip", "-n", platform.instances["api-11"].netns, "route"]
    elsewhere = ("10.98.0.0/16", "via", STORE)
    for _ in range(5):
        assert renew(agent, spec, 60.0) == 200, "nothing has changed"
    subprocess.run([*routes, "add", *elsewhere], check=True)
    try:
        assert renew(agent, spec, 60.0) == 200, "it leads elsewhere"
        subprocess.run([*routes, "add", route, "via", STORE, "dev", "eth0"], check=True)
        assert renew(agent, spec, 60.0) == 410
        record = agent.wait_state(spec, "gone", 20)
        assert record["end"] == "failed", record
        assert f"api-11: a route to {way} through device" in record["error"], record
        assert "netem" not in dump(platform)
    finally:
        for added in (elsewhere, (route,)):
            subprocess.run([*routes, "del", *added], check=True)


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_loss_and_duplicates(agent, platform, direction):
    spec = network_fault(loss=0.2, duplicate=0.25, direction=direction, lease_s=3.0)
    inject(agent, spec)
    pings = ping(platform, address=STORE, count=200)
    low, high = binomial(200, 0.2)
    assert low <= pings.lost() <= high
    low, high = binomial(len(pings.answers), 0.25)
    assert low <= pings.doubled() <= high
    revert(agent, spec)


@pytest.mark.parametrize("direction, ways", [("both", 2), ("ingress", 1)])
def test_a_share_of_the_packets(agent, platform, direction, ways):
    """Which of them is drawn by the classifier; the others are not even led to netem."""
    spec = network_fault(share=0.4, delay_ms=DELAY_MS, direction=direction, lease_s=5.0)
    inject(agent, spec)
    rtts = ping(platform, address=STORE, count=200, gap_s=0.003, wait_s=1.0).rtts()
    low, high = binomial(200, 1 - 0.6 ** ways)
    assert low <= sum(rtt > DELAY_MS / 2000 for rtt in rtts) <= high
    assert min(rtts) < DELAY_MS / 2000, "the others pass"
    revert(agent, spec)


def test_a_share_of_which_nothing_is_lost_is_not_called_active(agent, platform):
    """The target says to itself that the peer's address is its own: no packet for it passes the netem."""
    own = ["nsenter", f"--net=/run/netns/{platform.instances['api-11'].netns}", "ip", "address"]
    subprocess.run([*own, "add", f"{STORE}/32", "dev", "lo"], check=True)
    try:
        status, record = agent.post(network_fault(share=0.4, loss=0.5, protocol="icmp", lease_s=5.0))
        assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
        assert "does not show the impairment" in record["error"], record
    finally:
        subprocess.run([*own, "del", f"{STORE}/32", "dev", "lo"], check=True)


@pytest.mark.parametrize("more", [dict(burst=(0.05, 0.25, 1.0), corrupt=0.1, lease_s=4.0),
                                  dict(states=(0.02, 0.1, 0.5, 0.3, 0.8), lease_s=4.0),
                                  dict(delay_ms=DELAY_MS, reorder=0.2, lease_s=3.0),
                                  dict(delay_ms=DELAY_MS, jitter_ms=60, distribution="pareto",
                                       lease_s=5.0),
                                  dict(share=0.5, loss=0.4, duplicate=0.4, corrupt=0.2, lease_s=4.0),
                                  dict(rate=2e5, lease_s=4.0)], ids=str)
def test_the_others_show_their_effect(agent, platform, more):
    spec = network_fault(direction="egress", **more)
    inject(agent, spec)
    revert(agent, spec)


def test_a_qdisc_of_somebody_else_is_refused_and_stays(agent, platform):
    inside = ["nsenter", f"--net=/run/netns/{platform.instances['api-11'].netns}", "tc", "qdisc"]
    subprocess.run([*inside, "add", "dev", "eth0", "root", "handle", "7:", "pfifo", "limit", "55"],
                   check=True)
    try:
        before = dump(platform)
        status, record = agent.post(network_fault(delay_ms=DELAY_MS, lease_s=LEASE_S))
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert "has the qdisc pfifo 7: already" in record["error"]
        assert dump(platform) == before
    finally:
        subprocess.run([*inside, "del", "dev", "eth0", "root"], check=True)


class Death:
    """What happens, and how the fault's record says that it ended."""

    def __init__(self, agent, platform, spec):
        self.agent, self.platform, self.spec = agent, platform, spec

    def agent_killed(self):
        self.agent.signal(signal.SIGKILL)
        return "recovery"

    def agent_stopped(self):
        self.agent.signal(signal.SIGSTOP)
        return "lease"

    def no_renewal(self):
        return "lease"

    def target_killed(self):
        self.platform.instances["api-11"].process.kill()
        return "lease"

    def halt(self):
        assert self.agent.ask("POST", "/v1/halt")[0] == 200
        assert not delayed(self.platform)
        return "halt"


@pytest.mark.parametrize("death, direction", [
    ("agent_killed", "egress"), ("agent_stopped", "both"), ("no_renewal", "both"),
    ("target_killed", "ingress"), ("halt", "both")])
def test_nothing_outlives_its_lease(agent, platform, death, direction):
    spec = network_fault(delay_ms=DELAY_MS, direction=direction, duration_s=60.0, lease_s=LEASE_S)
    inject(agent, spec)
    assert delayed(platform)
    status = renew(agent, spec, LEASE_S)
    since = time.monotonic()
    assert status == 200
    second = {**spec, "id": f"{spec['id']}-second"}
    assert agent.post(second)[0] == 403, "the two would hide each other"
    end = getattr(Death(agent, platform, spec), death)()
    wait_until(lambda: not delayed(platform), since + LEASE_S + GRACE_S - time.monotonic(),
               "gone by lease + 2 s")
    if death == "agent_killed":
        agent.process.wait(5)
        assert "netem" in dump(platform), "it is there, and of no effect"
        agent.start()
    elif death == "agent_stopped":
        agent.signal(signal.SIGCONT)
    record = agent.wait_state(spec, "gone", 20)
    assert record["end"] == end, record
    wait_until(platform.instances["api-11"].ready, 20, "the target is there")
    assert not list(agent.journal.glob("*.fault"))


class Delayed:
    """As a row of the matrix needs it (chaos_fail.fail_each)."""
    kind, holds = "network by netem", True

    def __init__(self, platform):
        self.lab, self.target = platform, platform.instances["api-11"]
        self.spec = network_fault(delay_ms=DELAY_MS, duration_s=60.0, lease_s=30.0)

    def assert_present(self):
        assert delayed(self.lab)

    def gone(self):
        return not delayed(self.lab)

    untouched = gone


class FailingHere(FailingAgent):
    """Where there are no rules of nf_tables to look for."""

    def nothing_left(self, effect, last):
        left = dump(effect.lab)
        return (not list(self.journal.glob("*.fault*")) and "netem" not in left and
                "squall" not in left and (not last or self.nth.processes() == {self.process.pid}))


def test_each_operation_of_an_apply_fails(platform, tmp_path):
    before = dump(platform)
    agent = FailingHere(platform, tmp_path / "failing", []).start()
    try:
        operations, tried, longest = fail_each(agent, lambda: Delayed(platform), FIRST, EACH)
        assert operations > 30 and tried >= operations // EACH, (operations, tried)
        print(f"{tried} of {operations} operations failed in turn, at most {longest:.2f} s each")
        assert agent.terminate() == 0, agent.log_file.read_text()
    finally:
        if agent.process.poll() is None:
            agent.kill()
    assert dump(platform) == before


def test_sweep_finds_it_even_without_a_journal(agent, platform):
    spec = network_fault(delay_ms=DELAY_MS, lease_s=LEASE_S)
    inject(agent, spec)
    agent.kill()
    next(agent.journal.glob("*.fault")).unlink()
    done = agent.sweep()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "removed qdisc" in done.stdout and "and what belongs to it" in done.stdout
    assert "netem" not in dump(platform) and not delayed(platform)
