# SPDX-License-Identifier: Apache-2.0
"""Faults of the proxy that are about some of what passes: several ports, a share of the connections, times that vary;
and clients that give up. Real processes, real connections."""

import contextlib
import socket
import struct
import subprocess
import time

import pytest

from chaos_lab import (NEEDS_ROOT, SERVER, agent, agent_options, bridge, evidence, platform, sh, tcp_socket)
from conftest import wait_until
from proxy_lab import Client, MS, http_fault, injected, tcp_fault

pytestmark = NEEDS_ROOT
OTHER_PORT = 8001


@pytest.fixture
def other_port(platform):
    """A second server in the namespace of api-11."""
    instance = platform.instances["api-11"]
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{instance.netns}", "/usr/bin/python3", "-c",
                                SERVER, instance.address, str(OTHER_PORT)])
    def listens():
        with contextlib.suppress(OSError), Client(platform, port=OTHER_PORT):
            return True
    wait_until(listens, 10, "the second port listens")
    yield OTHER_PORT
    process.kill()
    process.wait()


def test_several_ports_in_one_fault(agent, platform, other_port):
    own = platform.instances["api-11"].port
    spec = tcp_fault("limitData", 3, ports=(own, other_port))
    with injected(agent, spec) as record:
        for port in (own, other_port):
            with Client(platform, port=port) as client:
                assert client.echo() == (b"hel", "closed"), port
        shown = [e["metric"] for e in evidence(record, "during")]
        assert [any(m.endswith(f":{port}") for m in shown) for port in (own, other_port)] == [True, True]
    with injected(agent, tcp_fault("limitData", 3, ports=(other_port,))), Client(platform) as client:
        assert client.echo() == (b"hello", "more"), "a port that is not named is left alone"


def test_a_port_that_does_not_answer_proves_nothing(agent, platform):
    own = platform.instances["api-11"].port
    status, record = agent.post(tcp_fault("limitData", 3, ports=(own, 8099)))
    assert status == 409 and "even without the fault" in record["error"], record
    status, record = agent.post({**tcp_fault("limitData", 3), "tcp": {**tcp_fault("limitData", 3)["tcp"],
                                                                      "ports": ["http"]}})
    assert status == 400 and "is no port" in str(record), record


def test_a_share_of_the_connections(agent, platform):
    def pattern():
        hit = []
        with injected(agent, tcp_fault("resetAfterBytes", 3, share=0.3)):
            for _ in range(100):
                with Client(platform) as client:
                    got = client.echo()
                    assert got in ((b"hello", "more"), (b"hel", "reset"))
                    hit.append(got[1] == "reset")
        return hit
    first = pattern()
    assert first == pattern(), "the same seed hits the same connections"
    assert 10 <= sum(first) <= 55


def test_a_share_that_cannot_be_shown_is_refused(agent):
    for spec, words in ((tcp_fault("timeout", share=0.001), "cannot be shown"),
                        (tcp_fault("timeout", share=0.0), "hits nothing"),
                        (tcp_fault("latency", time_ms=10, jitter_ms=6), "up to half of it"),
                        (tcp_fault("slowClose", time_ms=10, jitter_ms=1), "takes no jitter"),
                        (http_fault("delay", timeNs=10 * MS, jitterNs=6 * MS), "up to half of it"),
                        (http_fault("truncate", bytes=1, jitterNs=MS), "takes no jitter")):
        status, answer = agent.post(spec)
        assert status == 400 and words in str(answer), (spec, answer)


def test_latency_that_varies(agent, platform):
    times = []
    with injected(agent, tcp_fault("latency", time_ms=80, jitter_ms=40)) as record, Client(platform) as client:
        for _ in range(24):
            began = time.monotonic()
            assert client.echo() == (b"hello", "more")
            times.append(time.monotonic() - began)
        assert any("middle half" in e["metric"] for e in evidence(record, "during"))
    times.sort()
    assert times[0] >= 0.04 * 0.9 and times[18] - times[5] > 0.01, times
    assert times[0] < 0.075, "some are earlier than the mean"


def test_http_delay_that_varies(agent, platform):
    with injected(agent, http_fault("delay", timeNs=80 * MS, jitterNs=40 * MS)) as record:
        shown = [e for e in evidence(record, "during") if "middle half" in e["metric"]]
        assert shown and all(e["ok"] for e in shown), record["evidence"]


def test_clients_that_give_up_are_let_go(agent, platform):
    """The server does not answer, and clients go away: one by a reset, one by closing. The kernel would try to
    connect for two minutes more."""
    api, store = platform.instances["api-11"], platform.instances["store-13"]
    nft = ["ip", "netns", "exec", store.netns, "nft"]

    def trying():
        """Of the proxy: its own are marked and so not redirected; clients' are connected at once."""
        listed = subprocess.run(["ip", "netns", "exec", api.netns, "ss", "-Htn", "state", "syn-sent"], check=True,
                                capture_output=True, text=True).stdout
        return len(listed.splitlines())

    with injected(agent, tcp_fault("limitData", 3, direction="outbound", peers=["store"])):
        sh(*nft, "add", "table", "inet", "silent")
        try:
            sh(*nft, "add", "chain", "inet", "silent", "in", "{ type filter hook input priority 0; }")
            sh(*nft, "add", "rule", "inet", "silent", "in", "tcp", "dport", str(store.port), "drop")
            clients = [Client(platform, "store-13", api.netns) for _ in range(3)]
            wait_until(lambda: trying() == 3, 5, "the proxy tries to connect")
            clients[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            clients[0].sock.close()
            clients[1].sock.close()
            wait_until(lambda: trying() == 1, 15, "those of clients that are gone end")
            assert trying() == 1, "one that waits is waited for"
            clients[2].sock.close()
        finally:
            sh(*nft, "delete", "table", "inet", "silent")
