# SPDX-License-Identifier: Apache-2.0
"""The fault network for a share of the packets: which of them are hit is drawn by lot, and what is measured here from
the target's namespace has the share that was asked for."""

import contextlib
import random
import signal
import threading

import pytest

from chaos_lab import NEEDS_ROOT, agent, agent_options, bridge, evidence, network_fault, platform, ruleset
from test_f_network import binomial, hidden_packets, inject, ping, revert, udp_flow

pytestmark = NEEDS_ROOT


@pytest.mark.parametrize("direction, ways", [("both", 2), ("egress", 1), ("ingress", 1)])
def test_a_share_of_the_packets_is_delayed(agent, platform, direction, ways):
    spec = network_fault(share=0.3, delay_ms=60, direction=direction)
    record = inject(agent, spec)
    rtts = sorted(ping(platform, count=400, gap_s=0.003).rtts())
    assert len(rtts) == 400
    low, high = binomial(400, 1 - 0.7 ** ways)
    late = [rtt for rtt in rtts if rtt >= 0.054]
    assert low <= len(late) <= high
    assert late[0] == pytest.approx(0.06, rel=0.15)
    assert rtts[40] < 0.01, "the others pass as if nothing were there"
    if ways == 2:
        low, high = binomial(400, 0.3 ** 2)
        assert low <= sum(rtt >= 0.114 for rtt in rtts) <= high
    during = {e["metric"].split(",")[0]: e for e in evidence(record, "during")}
    assert f"({51 if ways == 2 else 30} %)" in during["round trips that were delayed"]["expected"]
    assert ("round trips that were delayed in both directions" in during) == (ways == 2)
    assert float(during["added to the round trip"]["value"].split("ms")[0]) == pytest.approx(60, rel=0.1)
    assert "as late as delayed ones" in evidence(record, "before")[1]["metric"]
    record = revert(agent, spec)
    assert any("as late as delayed ones" in e["metric"] for e in evidence(record, "after"))
    assert sum(rtt >= 0.03 for rtt in ping(platform, count=100).rtts()) < 10


def test_a_share_of_the_packets_is_lost_or_comes_twice(agent, platform):
    """Each chance is one of those that are hit; a connect meets it as any other packet."""
    spec = network_fault(share=0.5, loss=0.4, duplicate=0.5, direction="egress")
    inject(agent, spec)
    pings = ping(platform, count=400)
    low, high = binomial(400, 0.5 * 0.4)
    assert low <= pings.lost() <= high
    low, high = binomial(len(pings.answers), 0.5 * 0.6 * 0.5 / 0.8)
    assert low <= pings.doubled() <= high
    revert(agent, spec)
    spec = network_fault(share=0.4, loss=0.5, protocol="tcp", ports=[5432], direction="ingress")
    record = inject(agent, spec)
    assert "(20 %)" in evidence(record, "during")[0]["expected"]
    revert(agent, spec)
    pings = ping(platform, count=100)
    assert (pings.lost(), pings.doubled()) == (0, 0)


def test_a_share_with_jitter_of_udp(agent, platform):
    spec = network_fault(share=0.4, delay_ms=200, jitter_ms=25, protocol="udp", direction="egress", lease_s=6.0)
    with udp_flow(platform, 53) as flow:
        record = inject(agent, spec)
        assert "udp to store-13" in evidence(record, "during")[0]["metric"]
        took, (low, high) = flow(200), binomial(200, 0.4)
        late = [t for t in took if t >= 0.15]
        assert low <= len(late) <= high and 0.174 < min(late) < 0.2
        assert ping(platform, count=40, wait_s=5).fastest() < 0.02
        revert(agent, spec)


@pytest.mark.parametrize("more", [dict(delay_ms=50), dict(loss=0.5), dict(delay_ms=50, protocol="tcp")])
def test_a_share_of_which_nothing_is_seen_is_not_called_active(agent, platform, more):
    netns = platform.instances["api-11"].netns
    with hidden_packets(netns):
        before = ruleset(netns)
        status, record = agent.post(network_fault(share=0.2, **more))
        assert (status, record["state"], record["end"], record["wasActive"]) == (
            409, "gone", "failed", False), record
        assert evidence(record, "during")[0]["value"].startswith("0 of ")
        assert "does not show the impairment towards store-13:5432" in record["error"]
        assert ruleset(netns) == before


def test_another_share_than_asked_for_is_not_called_active(agent, platform):
    """Somebody else's rule hides three packets of four, so that a tenth is hit where it should be 40 %."""
    with hidden_packets(platform.instances["api-11"].netns, which="numgen inc mod 4 != 0"):
        status, record = agent.post(network_fault(share=0.4, delay_ms=50, direction="egress"))
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
    shown = {e["metric"].split(",")[0]: e["ok"] for e in evidence(record, "during")}
    assert shown == {"round trips that were delayed": False, "added to the round trip": True}, record


@contextlib.contextmanager
def stuttering(agent):
    """The agent runs for a tenth of the time, as where processors are taken, but surely so; never in step with what
    it delays."""
    over, lot = threading.Event(), random.Random(7)

    def stutter():
        while not over.is_set():
            agent.signal(signal.SIGSTOP)
            over.wait(lot.uniform(0.06, 0.14))
            agent.signal(signal.SIGCONT)
            over.wait(0.01)

    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_agent_that_hardly_runs_neither_hides_nor_fakes_a_share(agent, platform):
    """It is late for the packets that it delays, and knows it, though most others leave at once."""
    what = dict(share=0.3, delay_ms=240, protocol="tcp", ports=[5432], direction="egress", lease_s=10.0)
    with stuttering(agent):
        spec = network_fault(**what)
        record = inject(agent, spec)
        assert "in which the agent was late" in evidence(record, "during")[1]["expected"], record
        revert(agent, spec)
        with hidden_packets(platform.instances["api-11"].netns):
            status, record = agent.post(network_fault(**what))
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
