# SPDX-License-Identifier: Apache-2.0
"""Faults of the proxy that are about some of what passes: several ports, a share of the connections, times that vary;
and clients that give up. Real processes, real connections."""

import contextlib
import http.client
import json
import socket
import struct
import subprocess
import time

import pytest

from chaos_lab import (NEEDS_ROOT, SERVER, agent, agent_options, bridge, evidence, platform, sh)
from conftest import wait_until
from proxy_lab import Client, MS, http_fault, injected, tcp_fault

pytestmark = NEEDS_ROOT


def serve(platform, program, port):
    """Another server in the namespace of api-11, whose ports are nobody else's."""
    instance = platform.instances["api-11"]
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{instance.netns}", "/usr/bin/python3", "-c",
                                program, instance.address, str(port)], stderr=subprocess.DEVNULL)

    def listens():
        with contextlib.suppress(OSError), Client(platform, port=port):
            return True

    wait_until(listens, 10, f"port {port} listens")
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def other_port(platform):
    yield from serve(platform, SERVER, 8001)


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
    with injected(agent, tcp_fault("latency", time_ms=120, jitter_ms=60)) as record, Client(platform) as client:
        for _ in range(24):
            began = time.monotonic()
            assert client.echo() == (b"hello", "more")
            times.append(time.monotonic() - began)
        assert any("middle half" in e["metric"] for e in evidence(record, "during"))
    times.sort()
    assert times[0] >= 0.06 * 0.9 and times[18] - times[5] > 0.015, times
    assert times[0] < 0.115, "some are earlier than the mean"


def test_http_delay_that_varies(agent, platform):
    with injected(agent, http_fault("delay", timeNs=200 * MS, jitterNs=100 * MS)) as record:
        shown = [e for e in evidence(record, "during") if "middle half" in e["metric"]]
        assert shown and all(e["ok"] for e in shown), record["evidence"]


HEADS = """
import http.server, json, sys
class Heads(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Heads).serve_forever()
"""


@pytest.fixture
def heads(platform):
    """A server in the namespace of api-11 that answers with the headers it got."""
    yield from serve(platform, HEADS, 8003)


def got_by(platform, port):
    connection = http.client.HTTPConnection(platform.instances["api-11"].address, port, timeout=5)
    connection.request("GET", "/api/x", headers={"X-Old": "1", "X-New": "2", "X-Kept": "3"})
    found = dict(json.loads(connection.getresponse().read()))
    connection.close()
    return {name: found.get(name) for name in ("X-Old", "X-New", "X-Kept")}


def patch_request(port, **more):
    return {**http_fault("patchRequest", targets=("api-11",), ports=[str(port)], set=["X-New: new"],
                         remove=["X-Old"], **more), "service": "api"}


def test_a_request_is_patched_on_its_way_to_the_server(agent, platform, heads):
    usual = {"X-Old": "1", "X-New": "2", "X-Kept": "3"}
    assert got_by(platform, heads) == usual
    with injected(agent, patch_request(heads)) as record:
        assert got_by(platform, heads) == {"X-Old": None, "X-New": "new", "X-Kept": "3"}
        shown = evidence(record, "during")[0]
        assert "the server got" in shown["metric"] and shown["value"].startswith("4 of 4 seen"), shown
    with injected(agent, patch_request(heads, share=0.3)):
        got = [got_by(platform, heads)["X-New"] for _ in range(60)]
        assert set(got) == {"new", "2"} and 4 <= got.count("new") <= 36
    assert got_by(platform, heads) == usual


def test_what_the_server_does_not_get_is_found_out(agent, platform, heads):
    """Somebody else's rule has taken the connections already: nothing is seen of a patch."""
    nft = ["ip", "netns", "exec", platform.instances["api-11"].netns, "nft"]
    sh(*nft, "add table inet theirs; add chain inet theirs pre { type nat hook prerouting priority -150; };"
       f" add rule inet theirs pre tcp dport {heads} redirect to :{heads}")
    try:
        status, record = agent.post(patch_request(heads))
    finally:
        sh(*nft, "delete", "table", "inet", "theirs")
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
    status, answer = agent.post({**(spec := patch_request(heads)),
                                 "http": {**spec["http"], "remove": ["X-Traffic"]}})
    assert status == 400 and "measured by it" in str(answer), answer


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
