# SPDX-License-Identifier: Apache-2.0
"""The fault network with a real kernel: what is asked for is measured here from the target's
namespace with sockets of our own, not taken from what the agent says; and nothing outlives its lease
by more than 2 s, whatever dies."""

import contextlib
import ctypes
import errno
import os
import queue
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, S, SUBNET, Agent, agent,
                       agent_options, all_ok, bridge, connects, cut_off, echo_command,
                       evidence,
                       network_fault, partition_fault, platform, ruleset, sh,
                       tcp_socket, unshared_mounts)
from conftest import wait_until
from proxy_lab import tcp_fault

pytestmark = NEEDS_ROOT

LEASE_S = 1.5
STORE = f"{SUBNET}.13"
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h; Python has no names for them


# --- measuring ---

def socket_in(netns, *kind):
    """A socket made inside a namespace, by a thread that ends there."""
    made = queue.Queue()

    def visit():
        with open(f"/run/netns/{netns}", "rb") as place:
            assert ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0x40000000) == 0
        made.put(socket.socket(*kind))

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    return made.get(timeout=5)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Pings:
    """ICMP echoes: when each was answered, how often, in which order."""

    def __init__(self, netns, address, count, gap_s=0.001, size=64, wait_s=0.25):
        """gap_s: the pace at which they are sent; 0: as a train. wait_s: for those that are missing."""
        self.sent, self.answers, self.order, self.broken = {}, {}, [], 0
        self.count, self.all_here = count, threading.Event()
        ident = os.getpid() & 0xffff
        with socket_in(netns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
            sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 22)
            sock.settimeout(0.03)
            reader = threading.Thread(target=self.read, args=(sock, ident))
            self.stop = False
            reader.start()
            began = time.monotonic()
            for number in range(count):
                while time.monotonic() < began + number * gap_s:
                    self.all_here.wait(began + number * gap_s - time.monotonic())
                body = struct.pack("!BBHHH", 8, 0, 0, ident, number) + bytes(size - 28)
                body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
                self.sent[number] = time.monotonic()
                sock.sendto(body, (address, 0))
            self.all_here.wait(wait_s)
            self.stop = True
            reader.join()  # which reads on until nothing has come for a while: what comes twice

    def read(self, sock, ident):
        while True:
            try:
                data = sock.recv(2048)
            except TimeoutError:
                if self.stop:
                    return
                continue
            body = data[(data[0] & 15) * 4:]
            kind, _, _, whose, number = struct.unpack("!BBHHH", body[:8])
            if checksum(body) != 0:
                self.broken += 1
            elif (kind, whose) == (0, ident):
                self.order.append(number)
                self.answers.setdefault(number, []).append(time.monotonic())
                if len(self.answers) == self.count:
                    self.all_here.set()

    def rtts(self):
        return [self.answers[n][0] - self.sent[n] for n in self.answers]

    def median(self):
        return statistics.median(self.rtts())

    def fastest(self):
        """What else the machine does makes round trips longer, never shorter."""
        return min(self.rtts())

    def lost(self):
        return len(self.sent) - len(self.answers)

    def doubled(self):
        return sum(len(times) > 1 for times in self.answers.values())


def ping(platform, name="api-11", address=STORE, count=30, **more):
    return Pings(platform.instances[name].netns, address, count, **more)


def fastest_about(platform, want_s, count=20, **more):
    """The fastest of as many as it takes for one that nothing else on this machine has held up, within a second: too
    fast is never waited for."""
    best, end = ping(platform, count=count, **more).fastest(), time.monotonic() + 1.0
    while best > 1.1 * want_s and time.monotonic() < end:
        best = min(best, ping(platform, count=count, **more).fastest())
    return best


def connect_time(platform, name="api-11", peer="store-13", timeout=3.0):
    target = platform.instances[peer]
    with tcp_socket(platform.instances[name].netns) as sock:
        sock.settimeout(timeout)
        began = time.monotonic()
        sock.connect((target.address, target.port))
        return time.monotonic() - began


def fastest_connect(platform, count=9, **more):
    return min(connect_time(platform, **more) for _ in range(count))


def binomial(n, rate):
    """Where all but one in a million series of n lie, roughly."""
    spread = 5 * (n * rate * (1 - rate)) ** 0.5
    return max(1, n * rate - spread), n * rate + spread


@contextlib.contextmanager
def hidden_packets(netns, which=""):
    """Somebody else's rule marks packets as what the agent has sent itself, and so does not hold."""
    nft = ["ip", "netns", "exec", netns, "nft"]
    sh(*nft, "add table inet other; add chain inet other out { type filter hook output priority -300; };"
       " add rule inet other out " + which + " meta mark set 0x5351a7c3;"
       " add chain inet other in { type filter hook input priority -300; };"
       " add rule inet other in " + which + " meta mark set 0x5351a7c3")
    try:
        yield
    finally:
        sh(*nft, "delete", "table", "inet", "other")


def inject(agent, spec):
    status, record = agent.post(spec)
    assert status == 200, record["error"]
    assert record["state"] == "active" and all_ok(record), record
    assert evidence(record, "before") and evidence(record, "during")
    return record


def revert(agent, spec):
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert all_ok(record) and record["error"] is None, record
    return record


# --- what is asked for is what there is ---

@pytest.mark.parametrize("direction, ways", [("both", 2), ("egress", 1), ("ingress", 1)])
def test_delay_is_one_way_for_each_direction_chaos_mesh_2202_3399(agent, platform, direction, ways):
    spec = network_fault(delay_ms=60, direction=direction)
    record = inject(agent, spec)
    assert fastest_connect(platform) == pytest.approx(0.06 * ways, rel=0.15)
    assert fastest_about(platform, 0.06 * ways) == pytest.approx(0.06 * ways, rel=0.15)
    assert fastest_connect(platform, name="api-12") < 0.03, "the other instance is no target"
    assert ping(platform, address=f"{SUBNET}.12", count=9).fastest() < 0.03, "nor another peer"
    shown = evidence(record, "during")[0]
    assert shown["metric"] == "added to the round trip, icmp to store-13:5432"
    assert float(shown["value"].split("ms")[0]) == pytest.approx(60 * ways, rel=0.1)
    record = revert(agent, spec)
    assert [e["when"] for e in record["evidence"]] == ["before", "during", "after", "after"]
    assert fastest_connect(platform) < 0.03


def test_an_established_flow_is_delayed_and_survives(agent, platform):
    store = platform.instances["store-13"]
    with tcp_socket(platform.instances["api-11"].netns) as flow:
        flow.settimeout(5)
        flow.connect((store.address, store.port))

        def round_trip(text):
            began = time.monotonic()
            flow.sendall(text)
            assert flow.recv(100) == text
            return time.monotonic() - began

        assert min(round_trip(b"before") for _ in range(7)) < 0.03
        spec = network_fault(delay_ms=50, protocol="tcp", ports=[5432])
        record = inject(agent, spec)
        assert "tcp to" in evidence(record, "during")[0]["metric"]
        assert min(round_trip(b"during") for _ in range(7)) == pytest.approx(0.1, rel=0.2)
        assert ping(platform, count=9).fastest() < 0.03, "only TCP with this port"
        revert(agent, spec)
        assert min(round_trip(b"after") for _ in range(7)) < 0.03


@contextlib.contextmanager
def busy_machine(seconds=60):
    """Four processes for each processor that do nothing but compute, as long as this lasts and no longer than that."""
    hogs = [subprocess.Popen(["timeout", str(seconds), "sh", "-c", "while :; do :; done"])
            for _ in range(4 * len(os.sched_getaffinity(0)))]
    try:
        yield
    finally:
        for hog in hogs:
            hog.terminate()
        for hog in hogs:
            hog.wait()


def test_a_busy_machine_neither_hides_nor_fakes_a_delay(agent, platform):
    """Connects are timed by the kernel: what waits for a processor is not counted among what the packets waited."""
    netns = platform.instances["api-11"].netns
    with busy_machine():
        for _ in range(3):
            spec = network_fault(delay_ms=50, protocol="tcp", ports=[5432], lease_s=5.0)
            inject(agent, spec)
            revert(agent, spec)
        with hidden_packets(netns):
            spec = network_fault(delay_ms=50, protocol="tcp", ports=[5432], lease_s=5.0)
            status, record = agent.post(spec)
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
    assert [e["ok"] for e in evidence(record, "during")] == [False]


def test_only_icmp(agent, platform):
    spec = network_fault(delay_ms=40, protocol="icmp")
    inject(agent, spec)
    assert fastest_about(platform, 0.08) == pytest.approx(0.08, rel=0.15)
    assert fastest_connect(platform) < 0.03
    revert(agent, spec)


def test_jitter_spreads_and_reordering_overtakes(agent, platform):
    spec = network_fault(delay_ms=50, jitter_ms=25, distribution="normal", direction="egress",
                         lease_s=2.5)
    inject(agent, spec)
    pings = ping(platform, count=150)
    assert 0.04 < pings.median() < 0.1, "50 ms, and what a busy machine adds"
    assert statistics.pstdev(pings.rtts()) == pytest.approx(0.025, rel=0.3)
    assert pings.order != sorted(pings.order), "packets overtake each other"
    revert(agent, spec)
    spec = network_fault(delay_ms=60, reorder=0.25, direction="ingress")
    inject(agent, spec)
    rtts = ping(platform, count=200).rtts()
    early = sum(rtt < 0.03 for rtt in rtts)
    low, high = binomial(len(rtts), 0.25)
    assert low <= early <= high
    late = sorted(r for r in rtts if r >= 0.03)
    assert late[0] == pytest.approx(0.06, rel=0.15)
    revert(agent, spec)


def test_a_pareto_jitter_is_skewed(agent, platform):
    spec = network_fault(delay_ms=40, jitter_ms=20, distribution="pareto", direction="egress",
                         lease_s=4.0)
    inject(agent, spec)
    rtts = sorted(ping(platform, count=400, wait_s=0.5).rtts())
    # A packet is 0.82 deviations early at most, half of them 0.36 and more, and some 4 late; a busy
    # machine moves them all.
    skew = (statistics.mean(rtts) - statistics.median(rtts)) / statistics.pstdev(rtts)
    assert skew > 0.2, "0 when normal"
    assert rtts[0] == pytest.approx(0.0236, rel=0.3)
    assert rtts[-1] > 0.1, "a normal one ends here, for one packet of a thousand"
    revert(agent, spec)


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_loss_duplicates_and_corruption(agent, platform, direction):
    spec = network_fault(loss=0.2, duplicate=0.25, corrupt=0.1, direction=direction)
    record = inject(agent, spec)
    pings = ping(platform, count=300)
    # Lost; or corrupted without a sound copy.
    low, high = binomial(300, 0.2 + 0.8 * 0.1 * 0.75)
    assert low <= pings.lost() <= high, record
    low, high = binomial(len(pings.answers), 0.25 * 0.8 * 0.9 / (1 - 0.26))
    assert low <= pings.doubled() <= high
    if direction == "ingress":  # otherwise the peer has dropped them
        low, high = binomial(300, 0.8 * 0.1)
        assert low <= pings.broken <= high
    revert(agent, spec)
    pings = ping(platform, count=100)
    assert (pings.lost(), pings.doubled(), pings.broken) == (0, 0, 0)


def losses(platform, count=1000):
    """Of each packet whether it was lost, in a row."""
    pings = ping(platform, count=count, gap_s=0.0003)
    return [n not in pings.answers for n in range(count)]


def test_bursts(agent, platform):
    spec = network_fault(burst=(0.05, 0.25, 1.0), direction="egress", lease_s=2.0)
    inject(agent, spec)
    lost = losses(platform)
    bursts = sum(b and not a for a, b in zip([False] + lost, lost))
    assert 80 < sum(lost) < 270, "one in six"
    # Each for itself, losses of one in six come in bursts of 1.2.
    assert 2.4 < sum(lost) / bursts < 6.5, "4 in a burst"
    revert(agent, spec)


def test_four_states(agent, platform):
    spec = network_fault(states=(0.02, 0.05, 0.2, 0.4, 0.8), direction="egress", lease_s=2.0)
    inject(agent, spec)
    lost = losses(platform)
    assert 95 < sum(lost) < 290, "0.27 of 1.395"
    again = [third for first, second, third in zip(lost, lost[1:], lost[2:])
             if first and not second]
    # Half of what passes after a loss lies within a burst and is followed by another one: with
    # losses each for itself one in five would be, with two states one in ten at most.
    assert 0.3 < sum(again) / len(again) < 0.7
    revert(agent, spec)


def train(platform, count):
    """How long a train of packets takes to the other end and back."""
    pings = ping(platform, count=count, gap_s=0, size=1250, wait_s=2.0)
    assert pings.lost() == 0
    return max(times[0] for times in pings.answers.values()) - pings.sent[0]


def test_a_slow_link_is_shared_and_its_buffer_ends(agent, platform):
    spec = network_fault(rate=2e6, direction="egress")
    inject(agent, spec)
    # A train of 40, 5 ms each: what else the machine does lets it arrive later, never sooner.
    best, end = train(platform, 40), time.monotonic() + 1.0
    while best > 0.2 * 1.1 and time.monotonic() < end:
        best = min(best, train(platform, 40))
    assert best == pytest.approx(0.2, rel=0.1)
    pings = ping(platform, count=100, gap_s=0, size=1250, wait_s=1.0)
    assert pings.lost() > 20, "500 ms of packets do not fit into a buffer of 260 ms"
    record = revert(agent, spec)
    assert "rate of answers" in evidence(record, "during")[0]["metric"]


# --- what cannot be shown is not called active ---

def test_without_effect_it_is_ineffective_chaos_mesh_4545_4152_3129_3302(agent, platform):
    """Somebody else's rule hides the packets from ours: all is in place, and nothing happens."""
    netns = platform.instances["api-11"].netns
    with hidden_packets(netns):
        before = ruleset(netns)
        status, record = agent.post(network_fault(delay_ms=50))
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert not record["wasActive"] and record["appliedAtNs"] > 0
        assert [e["ok"] for e in evidence(record, "during")] == [False]
        assert "does not show the impairment towards store-13:5432" in record["error"]
        assert ruleset(netns) == before, "what is not ours stays"


@pytest.mark.parametrize("more, words", [
    (dict(delay_ms=20, ports=[80]), "its port is not among the ports"),
    (dict(delay_ms=1400), "give a longer lease"),
    (dict(loss=0.0005), "cannot be shown in 1500 probes"),
    (dict(), "does nothing"),
    (dict(delay_ms=20, share=0.004), "ask for 1 % or more"),
    (dict(loss=0.1, share=0.02), "ask for 4 % or more"),
    (dict(rate=1e6, share=0.2), "percent: a link has one bandwidth"),
    (dict(delay_ms=20, share=1.0), "more than 0 and less than 1"),
    (dict(loss=0.1, burst=(0.1, 0.2, 1.0)), "either loss or lossBursts"),
    (dict(loss=0.1, states=(0.0, 0.1, 0.2, 0.0, 0.0)), "either loss or lossStates"),
    (dict(delay_ms=20, peers=["nobody"]), "is no service, instance or address"),
])
def test_refused(agent, platform, more, words):
    status, answer = agent.post(network_fault(**more))
    assert status in (400, 403) and words in answer["error"]["message"], answer


def test_a_peer_that_is_silent_before_is_refused(agent, platform):
    spec = network_fault(delay_ms=20, peers=[f"{SUBNET}.99:80"])
    status, record = agent.post(spec)
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert "cannot be measured even without an impairment" in record["error"]
    assert not evidence(record, "during")


def test_two_of_a_kind_on_one_target_are_refused_chaos_mesh_3631(agent, platform):
    spec = network_fault(delay_ms=20)
    inject(agent, spec)
    status, answer = agent.post(network_fault(loss=0.1))
    assert status == 403 and "would hide each other" in answer["error"]["message"]
    revert(agent, spec)


OTHER_PORT = 5433


@pytest.fixture(scope="module")
def other_port(platform):
    """A second server beside the store."""
    netns = platform.instances["store-13"].netns
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}",
                                *echo_command(STORE, OTHER_PORT)])
    wait_until(lambda: connects(netns, STORE, OTHER_PORT), 10, "it listens")
    yield OTHER_PORT
    process.kill()
    process.wait()


@pytest.mark.parametrize("action", ["drop", "reject"])
@pytest.mark.parametrize("narrowed, cut", [
    ({"ports": ["5432"]}, "its port"), ({"protocol": "tcp"}, "tcp"),
    ({"ports": ["5432", "5433"], "protocol": "tcp"}, "tcp"), ({}, "all")])
def test_a_partition_of_some_ports_or_of_tcp(agent, platform, other_port, action, narrowed, cut):
    netns = platform.instances["api-11"].netns
    spec = partition_fault(action=action, lease_s=10.0)
    spec["partition"].update(narrowed)
    inject(agent, spec)
    assert not connects(netns, STORE, 5432)
    assert connects(netns, STORE, other_port, timeout=5 if cut == "its port" else 0.3) == (
        cut == "its port")
    if cut != "all":
        assert ping(platform, count=5, wait_s=5).lost() == 0, "ICMP goes on"
    revert(agent, spec)
    assert connects(netns, STORE, 5432, timeout=5) and ruleset(netns) == ""


@pytest.mark.parametrize("action", ["reject", "tcp-reset"])
def test_what_a_partition_that_resets_tcp_does_to_the_rest(agent, platform, action):
    """Open connections of TCP are reset by both; an ICMP error for UDP comes with reject alone."""
    netns = platform.instances["api-11"].netns
    spec = partition_fault(action=action, lease_s=10.0)
    with (tcp_socket(netns) as flow,
          socket_in(netns, socket.AF_INET, socket.SOCK_DGRAM) as datagrams):
        flow.settimeout(5.0)
        flow.connect((STORE, 5432))
        datagrams.connect((STORE, 5432))
        inject(agent, spec)
        with pytest.raises(ConnectionError):
            flow.sendall(b"one")
            flow.recv(3)
        told = 0
        for _ in range(3):
            try:
                datagrams.send(b"one")
            except PermissionError:  # a rule that drops, in the sender's own namespace
                continue
            except OSError as error:
                told += error.errno == errno.EHOSTUNREACH
        assert (told > 0) == (action == "reject"), told
    revert(agent, spec)
    assert connects(netns, STORE, 5432, timeout=5) and ruleset(netns) == ""


@pytest.mark.parametrize("narrowed, status, words", [
    ({"action": "tcp-reset", "protocol": "udp"}, 400, "use drop for udp"),
    ({"ports": ["80"]}, 400, "add 5432"), ({"ports": ["0"]}, 400, "is no port"),
    ({"protocol": "icmp"}, 400, "expected any, tcp or udp"),
    ({"protocol": "udp", "peers": [f"{SUBNET}.254:53"]}, 400, "it is no instance of the platform")])
def test_a_partition_that_could_not_be_shown_is_refused(agent, platform, narrowed, status, words):
    spec = partition_fault(lease_s=10.0)
    spec["partition"].update(narrowed)
    got, answer = agent.post(spec)
    assert got == status and words in answer["error"]["message"], answer


@contextlib.contextmanager
def udp_flow(platform, port=0):
    """Sends datagrams from api-11 to a socket of store-13 that answers them; gives what asks: when each was answered."""
    store = platform.instances["store-13"]
    over = threading.Event()

    def answer(sock):
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                data, whose = sock.recvfrom(2048)
                sock.sendto(data, whose)

    with (socket_in(store.netns, socket.AF_INET, socket.SOCK_DGRAM) as there,
          socket_in(platform.instances["api-11"].netns, socket.AF_INET, socket.SOCK_DGRAM) as here):
        there.bind((STORE, port))
        there.settimeout(0.05)
        here.connect(there.getsockname())
        answering = threading.Thread(target=answer, args=(there,))
        answering.start()

        def ask(count=9, wait_s=0.3):
            """All of them, then what comes until nothing has for as long as wait_s."""
            sent, took = {}, {}
            for number in range(count):
                sent[number] = time.monotonic()
                with contextlib.suppress(OSError):  # a rule of this end says so at once
                    here.send(b"%d" % number)
            while len(took) < count:
                here.settimeout(wait_s)
                try:
                    number = int(here.recv(2048))
                except TimeoutError:
                    break
                except OSError:
                    continue
                took.setdefault(number, time.monotonic() - sent[number])
            return list(took.values())

        try:
            yield ask
        finally:
            over.set()
            answering.join()


@pytest.mark.parametrize("action, direction, ports", [("drop", "both", []), ("reject", "ingress", ["5432"])])
def test_a_partition_of_udp(agent, platform, action, direction, ports):
    """No service is needed to measure by; TCP with the same port goes on, and so does UDP with another."""
    netns = platform.instances["api-11"].netns
    spec = partition_fault(action=action, direction=direction, lease_s=10.0)
    spec["partition"].update(protocol="udp", ports=ports)
    with udp_flow(platform, 5432) as meant, udp_flow(platform) as other:
        assert len(meant(3, wait_s=5)) == 3
        record = inject(agent, spec)
        assert [(e["metric"], e["expected"]) for e in evidence(record, "during")] == [
            ("udp to store-13", "not answered")]
        assert meant() == []
        assert len(other(3, wait_s=5 if ports else 0.3)) == (3 if ports else 0)
        assert connects(netns, STORE, 5432, timeout=5) and ping(platform, count=5, wait_s=5).lost() == 0
        revert(agent, spec)
        assert len(meant(3, wait_s=5)) == 3 and ruleset(netns) == ""


def test_of_udp_what_is_not_there_or_cannot_be_measured_is_said(agent, platform):
    """Packets that are let through by somebody else's doing; and a port in use at both ends."""
    netns = platform.instances["api-11"].netns
    with hidden_packets(netns):
        status, record = agent.post(network_fault(delay_ms=30, protocol="udp"))
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
    assert [e["ok"] for e in evidence(record, "during")] == [False]
    spec = partition_fault(lease_s=10.0)
    spec["partition"].update(protocol="udp", ports=["5432"])
    with udp_flow(platform, 5432), socket_in(netns, socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 5432))
        status, record = agent.post(spec)
    assert (status, record["wasActive"]) == (409, False), record
    assert "none of the ports is free for UDP" in record["error"] and ruleset(netns) == ""


@pytest.mark.parametrize("more", [dict(delay_ms=30, loss=0.2, duplicate=0.2, direction="egress", ports=[53]),
                                  dict(rate=2e6, direction="egress")])
def test_udp_is_impaired_alone(agent, platform, more):
    spec = network_fault(protocol="udp", **more)
    with udp_flow(platform, 53) as flow:  # which takes a privilege of the agent
        record = inject(agent, spec)
        assert "udp to store-13" in evidence(record, "during")[0]["metric"]
        if "loss" in more:
            took, (low, high) = flow(150), binomial(150, 0.2)
            # All of them are there at once, and who is busy is slow to read them.
            assert low <= 150 - len(took) <= high and 0.029 < min(took) < 0.09
        others = ping(platform, count=40, wait_s=5)
        assert others.lost() == others.doubled() == 0 and others.fastest() < 0.02
        assert fastest_connect(platform) < 0.02, "nothing else"
        revert(agent, spec)
        assert min(flow(9, wait_s=5)) < 0.02


TOOLS = ("nft", "tc", "ip", "iptables", "ipset", "conntrack", "ping", "ss", "nsenter", "sh")


def test_no_tools_are_needed_chaos_mesh_4985(platform, tmp_path):
    """Neither those of the host nor of the target: where there is none of them."""
    holder = unshared_mounts()
    inside = ["nsenter", "-m", "-t", str(holder.pid)]
    agent = Agent(platform, tmp_path)
    agent.prefix = [*inside, "env", "PATH=/nonexistent"]
    try:
        for tool in filter(None, map(shutil.which, TOOLS)):
            sh(*inside, "mount", "--bind", "/dev/null", os.path.realpath(tool))
        assert subprocess.run([*inside, shutil.which("ip"), "link"], check=False,
                              capture_output=True).returncode != 0, "it is hidden"
        agent.start()
        for spec in (network_fault(delay_ms=150, lease_s=10.0), partition_fault(lease_s=10.0),
                     tcp_fault("timeout")):
            inject(agent, spec)
            revert(agent, spec)
        assert agent.terminate() == 0, agent.log_file.read_text()
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.kill()
        holder.kill()
        holder.wait()


# --- the end ---

def waiting_in_queues(name, platform):
    """Without a verdict: field 3 of each line (net/netfilter/nfnetlink_queue.c, seq_show)."""
    text = subprocess.run(["ip", "netns", "exec", platform.instances[name].netns, "cat",
                           "/proc/net/netfilter/nfnetlink_queue"], check=True,
                          capture_output=True, text=True).stdout
    return sum(int(line.split()[2]) for line in text.splitlines())


def test_held_packets_are_let_go_by_the_revert(agent, platform):
    spec = network_fault(delay_ms=600, direction="egress", lease_s=5.0)
    inject(agent, spec)
    held = {}
    thread = threading.Thread(target=lambda: held.update(
        pings=ping(platform, count=50, gap_s=0.001, wait_s=0.5)))
    thread.start()
    wait_until(lambda: waiting_in_queues("api-11", platform) == 50, 2, "they are all held")
    began = time.monotonic()
    revert(agent, spec)
    thread.join()
    assert held["pings"].lost() == 0
    assert max(t[0] for t in held["pings"].answers.values()) < began + 0.45


def test_renewal_keeps_it(agent, platform):
    spec = network_fault(delay_ms=30, lease_s=1.0)
    inject(agent, spec)
    end = time.monotonic() + 1.8
    while time.monotonic() < end:  # longer than the lease
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})
        assert (status, record["state"]) == (200, "active"), record
        assert connect_time(platform) > 0.055
    revert(agent, spec)


def test_a_full_queue_lets_packets_pass(agent, platform):
    """The agent stopped, its queue filled: later packets pass long before the lease is over."""
    spec = network_fault(delay_ms=30, lease_s=20.0, direction="egress")
    inject(agent, spec)
    agent.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not connects(platform.instances["api-11"].netns, STORE, 5432)
        with socket_in(platform.instances["api-11"].netns, socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 28)
            for _ in range(80000):
                udp.sendto(b"x", (STORE, 9))
        wait_until(lambda: connects(platform.instances["api-11"].netns, STORE, 5432), 8, "passes")
        assert time.monotonic() - began < 18
    finally:
        agent.signal(signal.SIGCONT)
    revert(agent, spec)


# --- deaths ---

def dump(platform):
    found = {}
    for netns in platform.namespaces:
        for what in (["nft", "list", "ruleset"], ["ip", "-d", "link"], ["ip", "route", "show",
                     "table", "all"], ["ip", "rule"], ["tc", "qdisc", "show"],
                     ["sh", "-c", "cat /proc/net/netfilter/nfnetlink_queue || true"]):
            found[f"{netns}: {' '.join(what)}"] = subprocess.run(
                ["ip", "netns", "exec", netns, *what], check=True, capture_output=True,
                text=True).stdout
    return found


@pytest.fixture
def untouched(platform):
    before = dump(platform)
    yield
    after = dump(platform)
    assert after == before, [key for key in after if after[key] != before.get(key)]


def undelayed(platform, name="api-11"):
    try:
        return connect_time(platform, name=name, timeout=0.3) < 0.03
    except OSError:
        return False


def assert_gone_in_time(platform, since, name="api-11"):
    wait_until(lambda: undelayed(platform, name), since + LEASE_S + GRACE_S - time.monotonic(),
               "gone by lease + 2 s")


@pytest.mark.parametrize("death", ["SIGKILL", "SIGSTOP"])
def test_nothing_outlives_its_agent(untouched, agent, platform, death):
    spec = network_fault(delay_ms=60, lease_s=LEASE_S, duration_s=60.0)
    inject(agent, spec)
    assert not undelayed(platform)
    since = time.monotonic()
    agent.signal(signal.Signals[death])
    assert_gone_in_time(platform, since)
    if death == "SIGKILL":
        agent.process.wait(5)
        assert ruleset(platform.instances["api-11"].netns) == "", "the table went with its owner"
        agent.start()
    else:
        agent.signal(signal.SIGCONT)
    record = agent.wait_state(spec, "gone", 10)
    assert record["end"] == ("recovery" if death == "SIGKILL" else "lease"), record
    assert [e for e in evidence(record, "after") if e["ok"]], record
    assert not list(agent.journal.glob("*.fault"))


@ALL_AT_ONCE
def test_nothing_outlives_silence_nor_its_target_chaos_mesh_simulate_network(untouched, agent, platform):
    specs = [network_fault([name], delay_ms=60, lease_s=LEASE_S, duration_s=60.0)
             for name in ("api-11", "api-12")]
    for spec in specs:
        inject(agent, spec)
    since = time.monotonic()
    killed = platform.instances["api-12"]
    os.kill(killed.process.pid, signal.SIGKILL)
    for name in ("api-11", "api-12"):
        assert not undelayed(platform, name)
        assert_gone_in_time(platform, since, name)
    for spec in specs:
        assert agent.wait_state(spec, "gone", 10)["end"] == "lease"
    wait_until(killed.ready, 10, "restarted")


def test_sweep_after_a_death(untouched, platform, tmp_path):
    agent = Agent(platform, tmp_path).start()
    spec = network_fault(loss=0.3, lease_s=LEASE_S)
    inject(agent, spec)
    agent.kill()
    done = agent.sweep()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"network fault {spec['id']}" in done.stdout
    assert not list(agent.journal.glob("*.fault"))


@ALL_AT_ONCE
def test_apply_that_fails_half_way_leaves_nothing_fis(untouched, agent, platform):
    spec = network_fault(["api-11", "api-12"], delay_ms=40, lease_s=LEASE_S)
    netns = platform.instances["api-12"].netns
    sh("ip", "netns", "exec", netns, "nft", "add", "table", "inet", f"squall_{spec['id']}")
    status, record = agent.post(spec)
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert "refused" in record["error"] and record["appliedAtNs"] == 0
    assert undelayed(platform) and undelayed(platform, "api-12")


@ALL_AT_ONCE
def test_two_targets_are_hit_by_chances_of_their_own(untouched, agent, platform):
    spec = network_fault(["api-11", "api-12"], loss=0.5, direction="egress")
    inject(agent, spec)
    series = [ping(platform, name=name, count=60) for name in ("api-11", "api-12")]
    fates = [tuple(n in one.answers for n in range(60)) for one in series]
    assert fates[0] != fates[1]
    revert(agent, spec)


def test_beside_a_partition_on_one_target(untouched, agent, platform):
    slow = network_fault(delay_ms=60, peers=[f"{SUBNET}.12:8000"], lease_s=LEASE_S, duration_s=60.0)
    cut = partition_fault(lease_s=LEASE_S, duration_s=60.0)
    inject(agent, slow)
    assert agent.post(cut)[0] == 200
    assert cut_off(platform)
    assert ping(platform, address=f"{SUBNET}.12", count=7).fastest() > 0.1
    since = time.monotonic()
    agent.kill()
    assert_gone_in_time(platform, since)
    assert ping(platform, address=f"{SUBNET}.12", count=7).fastest() < 0.03
    agent.start()
    for spec in (slow, cut):
        assert agent.wait_state(spec, "gone", 10)["end"] == "recovery"
