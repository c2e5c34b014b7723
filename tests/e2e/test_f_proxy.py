# SPDX-License-Identifier: Apache-2.0
"""Faults of the proxy in the target's namespace: tcp, http, dns. Real processes, real connections from where
clients are, and every death: what is held ends, what comes next goes direct."""

import concurrent.futures
import contextlib
import http.client
import re
import signal
import socket
import struct
import subprocess
import time
import types

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, S, SUBNET, all_ok, agent, agent_options,
                       bridge, connects, echo_command, evidence, inject, platform, ruleset, sh,
                       tcp_socket)
from conftest import wait_until
from proxy_lab import (Client, MS, RIGHT, dns_fault, http_fault, injected, lookup, tcp_fault,
                       zone)

pytestmark = NEEDS_ROOT
LEASE_S = 1.0


def echoes(platform, name="api-11", netns=None, timeout=1.0):
    try:
        with Client(platform, name, netns, timeout) as client:
            return client.echo() == (b"hello", "more")
    except OSError:
        return False


# --- every toxic, as clients see it ---

def see_latency(client):
    began = time.monotonic()
    assert client.echo() == (b"hello", "more")
    assert 0.15 <= time.monotonic() - began < 0.6


def see_slices(client):
    began = time.monotonic()
    client.sock.sendall(b"x" * 40)
    sizes = []
    while sum(sizes) < 40:
        sizes.append(len(client.sock.recv(100)))
    assert max(sizes) <= 20 and time.monotonic() - began > 0.8 * 3 * 0.05


def see_limit(client):
    client.sock.sendall(b"y" * 100)
    assert client.hear(200) == (b"y" * 64, "closed")


def see_reset(client):
    client.sock.sendall(b"z" * 100)
    assert client.hear(200) == (b"z" * 64, "reset")


def see_reset_later(client):
    began = time.monotonic()
    assert client.echo() == (b"hello", "more")
    assert client.hear(1) == (b"", "reset")
    assert 0.2 < time.monotonic() - began < 0.6


def see_nothing(client):
    client.sock.settimeout(0.4)
    assert client.echo() == (b"", "silent")


def see_slow_close(client):
    assert client.echo() == (b"hello", "more")
    began = time.monotonic()
    client.sock.shutdown(socket.SHUT_WR)
    assert client.hear(1) == (b"", "closed")
    assert 0.15 <= time.monotonic() - began < 0.6


TOXICS = {"latency": (0, 200, see_latency), "slicer": (10, 50, see_slices),
          "limitData": (64, 0, see_limit), "resetAfterBytes": (64, 0, see_reset),
          "resetAfter": (0, 300, see_reset_later), "timeout": (0, 0, see_nothing),
          "slowClose": (0, 200, see_slow_close)}


@pytest.mark.parametrize("toxic", TOXICS)
def test_a_toxic_is_there_and_goes(agent, platform, toxic):
    nbytes, time_ms, see = TOXICS[toxic]
    with injected(agent, tcp_fault(toxic, nbytes, time_ms)), Client(platform) as client:
        see(client)
    with Client(platform, timeout=0.4) as client, pytest.raises(AssertionError):
        see(client)


# --- which connections ---

# Conntrack is there, and sees no end of any connection.
ENDLESS = """table inet foreign {
 chain first { type filter hook prerouting priority -300; tcp flags & (fin | rst) != 0 notrack; }
 chain out { type filter hook output priority -300; tcp flags & (fin | rst) != 0 notrack; }
 chain later { type filter hook prerouting priority 0; ct state new counter; }
}"""


def test_a_client_port_that_conntrack_knows_is_met(agent, platform):
    """The next connection from there looks to it like more of the one before, and no redirect is
    asked about that."""
    inside = ["ip", "netns", "exec", platform.instances["api-11"].netns, "nft"]
    subprocess.run([*inside, "-f", "-"], input=ENDLESS, text=True, check=True)
    try:
        with Client(platform) as before:
            assert before.echo() == (b"hello", "more")
            source = before.sock.getsockname()
            before.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with injected(agent, tcp_fault("latency", 0, 200)), Client(platform, source=source) as again:
            assert again.sock.getsockname() == source
            see_latency(again)
    finally:
        sh(*inside, "delete", "table", "inet", "foreign")


def test_open_connections_are_reset_and_others_left_alone(agent, platform):
    api, store, other = (platform.instances[n] for n in ("api-11", "store-13", "api-12"))
    with Client(platform) as inbound, Client(platform, "store-13", api.netns) as outbound, \
            Client(platform, "api-12") as elsewhere:
        for client in (inbound, outbound, elsewhere):
            assert client.echo() == (b"hello", "more")
        with injected(agent, tcp_fault("timeout")):
            assert inbound.hear(1) == (b"", "reset")
            assert outbound.echo() == (b"hello", "more")
            assert elsewhere.echo() == (b"hello", "more")
            assert not echoes(platform, timeout=0.3)
            assert echoes(platform, "store-13", api.netns)
            waiting = Client(platform)
            waiting.sock.sendall(b"hello")
        assert waiting.hear(1) == (b"", "reset")
        assert outbound.echo() == (b"hello", "more")
    assert store.process.poll() is None and other.process.poll() is None


def test_outbound_connections_to_named_peers(agent, platform):
    api = platform.instances["api-11"]
    with Client(platform, "store-13", api.netns) as held:
        assert held.echo() == (b"hello", "more")
        with injected(agent, tcp_fault("limitData", 3, direction="outbound", peers=["store"])):
            assert held.hear(1) == (b"", "reset")
            with Client(platform, "store-13", api.netns) as client:
                assert client.echo() == (b"hel", "closed")
            assert echoes(platform) and echoes(platform, "api-12", api.netns)
            assert echoes(platform, "store-13", platform.instances["api-12"].netns)


def test_inbound_connections_from_named_peers(agent, platform):
    store = platform.instances["store-13"]
    with injected(agent, tcp_fault("timeout", peers=["store"])) as record:
        assert not echoes(platform, netns=store.netns, timeout=0.3)
        assert echoes(platform) and echoes(platform, netns=platform.instances["api-12"].netns)
    assert evidence(record, "during")[0]["target"] == "api-11"


BLOCK = f"{SUBNET}.8/29"  # holds the target itself, too


@contextlib.contextmanager
def unlisted(platform):
    """Somebody in the block whom the topology does not know, at the store's port."""
    netns, port = platform.instances["store-13"].netns, platform.instances["store-13"].port
    address = f"{SUBNET}.9"
    sh("ip", "-n", netns, "address", "add", f"{address}/24", "dev", "eth0")
    server = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", *echo_command(address, port)])
    try:
        wait_until(lambda: connects(None, address, port), 5, "it listens")
        yield types.SimpleNamespace(address=address, port=port)
    finally:
        server.kill()
        server.wait()
        sh("ip", "-n", netns, "address", "del", f"{address}/24", "dev", "eth0")


def test_outbound_connections_to_a_block(agent, platform):
    """Those that are open, those to somebody whom nobody has named, and for longer than the first
    lease; but not what the target says to itself, though its own address lies in it."""
    api = platform.instances["api-11"]
    with unlisted(platform) as stranger:
        platform.instances["stranger"] = stranger
        try:
            spec = tcp_fault("limitData", 3, direction="outbound", peers=[BLOCK], lease_s=2.0)
            with Client(platform, "stranger", api.netns) as old, \
                    Client(platform, "api-11", api.netns) as own:
                assert old.echo() == own.echo() == (b"hello", "more")
                status, record = agent.post(spec)
                assert status == 200 and record["state"] == "active", record
                assert old.hear(1) == (b"", "reset") and own.echo() == (b"hello", "more")
            end = time.monotonic() + 3.0
            while time.monotonic() < end:
                assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew",
                                 {"leaseNs": 2 * S})[0] == 200
                for name in ("stranger", "store-13", "api-12"):
                    with Client(platform, name, api.netns) as client:
                        assert client.echo() == (b"hel", "closed"), name
                assert echoes(platform, netns=api.netns), "what it says to itself"
            assert echoes(platform) and echoes(platform, "stranger")
            status, record = agent.delete(spec)
            assert status == 200 and record["state"] == "gone" and all_ok(record), record
            seen = {e["metric"].rsplit(" ", 1)[1] for e in evidence(record, "during")}
            assert {"api-12:8000", "store-13:5432"} <= seen, seen
            assert echoes(platform, "stranger", api.netns)
        finally:
            del platform.instances["stranger"]


def test_of_a_block_only_who_has_that_port_shows_it(agent, platform):
    api = platform.instances["api-11"]
    spec = tcp_fault("limitData", 3, direction="outbound", peers=[BLOCK], ports=[5432])
    with injected(agent, spec) as record:
        assert {e["metric"].rsplit(" ", 1)[1] for e in evidence(record, "during")} == {
            "store-13:5432"}
        with Client(platform, "store-13", api.netns) as client:
            assert client.echo() == (b"hel", "closed")
        assert echoes(platform, "api-12", api.netns)
    status, answer = agent.post(tcp_fault("timeout", direction="outbound", peers=[BLOCK],
                                          ports=[5433]))
    assert status == 400 and f"in the block at {SUBNET}.8 lies no" in str(answer), answer


def test_inbound_connections_from_a_block(agent, platform):
    """From who lives there, but not from the host, which does not."""
    with injected(agent, tcp_fault("timeout", peers=[f"{SUBNET}.12/31"])) as record:
        for name in ("api-12", "store-13"):
            assert not echoes(platform, netns=platform.instances[name].netns, timeout=0.3), name
        assert echoes(platform)
        assert echoes(platform, netns=platform.instances["gateway-14"].netns)
        assert len(evidence(record, "during")) == 2


def test_requests_to_a_block(agent, platform):
    spec = http_fault("abort", targets=["api-11"], direction="outbound", status=418,
                      peers=[f"{SUBNET}.14/31"], pathPrefix="/")
    spec["service"] = "api"
    with injected(agent, spec):
        for name in ("gateway-14", "gateway-15"):
            with Client(platform, name, platform.instances["api-11"].netns) as client:
                client.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b" 418 " in client.hear(40)[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_block_is_let_go_of_when_the_agent_is(agent, platform, number):
    """What the proxy holds ends, what comes next goes its own way, to all of the block."""
    api = platform.instances["api-11"]
    before = ruleset(api.netns)
    spec = tcp_fault("timeout", direction="outbound", peers=[BLOCK], duration_s=60.0,
                     lease_s=LEASE_S)
    inject(agent, spec)
    clients = [Client(platform, name, api.netns, timeout=LEASE_S + GRACE_S)
               for name in ("store-13", "api-12")]
    since = time.monotonic()
    agent.signal(number)
    assert endings(clients) == [(b"", "reset")] * 2
    for name in ("store-13", "api-12"):
        wait_until(lambda name=name: echoes(platform, name, api.netns, 0.2), LEASE_S + GRACE_S,
                   "direct again")
    assert time.monotonic() - since < LEASE_S + GRACE_S
    if number == signal.SIGSTOP:
        agent.signal(signal.SIGCONT)
        assert agent.wait_state(spec, "gone", 15)["end"] == "lease"
        return
    agent.kill()
    assert ruleset(api.netns) == before
    assert agent.sweep().returncode == 0
    agent.start()


# --- the proof ---

def test_a_redirect_that_is_not_reached_is_found_out(agent, platform):
    """Somebody else's rule has taken the connections already: the table is there, the effect not."""
    netns = platform.instances["api-11"].netns
    nft = ["ip", "netns", "exec", netns, "nft"]
    sh(*nft, "add", "table", "inet", "theirs")
    try:
        sh(*nft, "add", "chain", "inet", "theirs", "pre",
           "{ type nat hook prerouting priority -150; }")
        sh(*nft, "add", "rule", "inet", "theirs", "pre", "tcp", "dport", "8000", "redirect", "to",
           ":8000")
        status, record = agent.post(tcp_fault("timeout"))
    finally:
        sh(*nft, "delete", "table", "inet", "theirs")
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert not record["wasActive"] and not evidence(record, "during")[0]["ok"]
    assert "through the proxy" in record["error"]


WHAT_MAKES_NO_SENSE_IS_REFUSED = [
    ({"toxic": "limitData"}, "takes 1 to"), ({"toxic": "latency"}, "takes a time"),
    ({"toxic": "limitData", "nbytes": 9, "time_ms": 5}, "takes no time"),
    ({"toxic": "timeout", "direction": "outbound"}, "need `peers`"),
    ({"toxic": "timeout", "peers": ["nobody"]}, "no service"),
    ({"toxic": "slowClose", "time_ms": 90_000}, "takes a time"),
    ({"toxic": "latency", "time_ms": 9_000}, "too long for a lease of 10s")]


def test_what_makes_no_sense_is_refused(agent):
    for details, words in WHAT_MAKES_NO_SENSE_IS_REFUSED:
        status, answer = agent.post(tcp_fault(**details))
        assert 400 <= status < 500 and words in str(answer), (details, answer)


def test_two_of_a_kind_on_one_target_are_refused(agent, platform):
    with injected(agent, tcp_fault("timeout")):
        status, answer = agent.post(tcp_fault("latency", time_ms=50))
        assert status == 403 and "already has" in str(answer), answer


# --- deaths: what the proxy holds ends, what comes next goes direct ---

def held(platform, name="api-11"):
    """One that waits for its answer, one that is silent, one that the proxy has not accepted yet
    when it is stopped."""
    return [Client(platform, name, timeout=LEASE_S + GRACE_S) for _ in range(3)]


def wait_direct(platform, since, name="api-11"):
    wait_until(lambda: echoes(platform, name, timeout=0.2), LEASE_S + GRACE_S, "direct again")
    assert time.monotonic() - since < LEASE_S + GRACE_S


def endings(clients):
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(lambda c: c.hear(1), clients))


def test_agent_killed(agent, platform):
    before = ruleset(platform.instances["api-11"].netns)
    spec = tcp_fault("timeout", duration_s=60.0, lease_s=30.0)
    inject(agent, spec)
    clients = held(platform)
    clients[0].sock.sendall(b"hello")
    since = time.monotonic()
    agent.kill()
    assert endings(clients) == [(b"", "reset")] * 3
    assert time.monotonic() - since < 1.0
    wait_direct(platform, since)
    assert ruleset(platform.instances["api-11"].netns) == before
    swept = agent.sweep()
    assert swept.returncode == 0 and "tcp fault" in swept.stdout, swept.stdout
    agent.start()


def test_agent_stopped(agent, platform):
    spec = tcp_fault("timeout", duration_s=60.0, lease_s=LEASE_S)
    inject(agent, spec)
    clients = held(platform)
    clients[0].sock.sendall(b"hello")
    since = time.monotonic()
    agent.signal(signal.SIGSTOP)
    clients.append(Client(platform, timeout=LEASE_S + GRACE_S))
    assert endings(clients) == [(b"", "reset")] * 4
    assert time.monotonic() - since < LEASE_S + GRACE_S
    wait_direct(platform, since)
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 15)["end"] == "lease"


def test_no_renewal(agent, platform):
    spec = tcp_fault("timeout", duration_s=60.0, lease_s=LEASE_S)
    inject(agent, spec)
    since = time.monotonic()
    clients = held(platform)
    assert endings(clients) == [(b"", "reset")] * 3
    wait_direct(platform, since)
    assert agent.wait_state(spec, "gone", 15)["end"] == "lease"


def test_renewal_keeps_it(agent, platform):
    spec = tcp_fault("timeout", duration_s=60.0, lease_s=LEASE_S)
    inject(agent, spec)
    client = Client(platform, timeout=0.1)
    end = time.monotonic() + 1.5 * LEASE_S
    while time.monotonic() < end:
        assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(S * LEASE_S)})[0] == 200
        assert client.hear(1) == (b"", "silent")
    assert not echoes(platform, timeout=0.2)
    assert agent.delete(spec)[1]["state"] == "gone"


def test_target_killed(agent, platform):
    instance = platform.instances["api-11"]
    spec = tcp_fault("latency", time_ms=50, lease_s=10.0)
    inject(agent, spec)
    with Client(platform) as client:
        assert client.echo() == (b"hello", "more")
        pid = instance.process.pid
        instance.process.kill()
        assert client.hear(1)[1] in ("reset", "closed")
    wait_until(lambda: instance.process.pid != pid and echoes(platform), 10, "serves again")
    status, record = agent.delete(spec)
    assert status == 200 and record["state"] == "gone", record
    assert all_ok(record)


@ALL_AT_ONCE
def test_apply_fails_half_way(agent, platform):
    netns = platform.instances["api-12"].netns
    spec = tcp_fault("timeout", targets=("api-11", "api-12"))
    table = f"squall_{spec['id']}"
    sh("ip", "netns", "exec", netns, "nft", "add", "table", "inet", table)
    status, record = agent.post(spec)
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert "refused" in record["error"] and "api-12" in record["error"]
    assert echoes(platform) and echoes(platform, "api-12")
    # What was in the way is gone with the revert: by its name it was ours.
    assert table not in ruleset(netns)


def test_halt_resets_what_is_held(agent, platform):
    spec = tcp_fault("resetAfter", time_ms=600, lease_s=10.0)
    answer = concurrent.futures.ThreadPoolExecutor(1).submit(agent.post, spec)
    wait_until(lambda: "squall_" in ruleset(platform.instances["api-11"].netns), 5, "applied")
    with Client(platform) as client:
        since = time.monotonic()
        assert agent.ask("POST", "/v1/halt")[0] == 200
        assert client.hear(1) == (b"", "reset")
        assert time.monotonic() - since < 1.0
    assert agent.wait_state(spec, "gone", 1.0)["end"] == "halt"
    answer.result()


# --- http ---

class Web:
    """One keep-alive connection to an instance."""

    def __init__(self, platform, name="gateway-14"):
        instance = platform.instances[name]
        self.connection = http.client.HTTPConnection(instance.address, instance.port, timeout=5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, path="/api/nothing", method="GET", headers=None, body=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer, answer.read()


def test_http_abort_of_what_matches(agent, platform):
    spec = http_fault("abort", status=418, body="short and stout", method="GET",
                      headers=["X-Who: me"], pathPrefix="/api/no")
    me = {"X-Who": "me"}
    with injected(agent, spec), Web(platform) as web:
        answer, body = web.ask(headers=me)
        assert (answer.status, body) == (418, b"short and stout")
        assert answer.headers["X-Squall-Fault"] == spec["name"]
        sock = web.connection.sock
        for more in ({"headers": {"X-Who": "you"}}, {"headers": me, "path": "/api/other"},
                     {"headers": me, "method": "POST", "body": b"x" * 100_000}):
            assert web.ask(**more)[0].status not in (418,)
        assert web.ask(headers=me)[0].status == 418
        assert web.connection.sock is sock, "one connection has served them all"
    with Web(platform) as web:
        assert web.ask(headers=me)[0].status == 404


def test_http_leaves_the_platforms_own_paths_alone(agent, platform):
    with injected(agent, http_fault("abort", status=503, pathPrefix=None)), Web(platform) as web:
        assert web.ask()[0].status == 503
        for path in ("/health", "/metrics", "/health?x=1"):
            answer, _ = web.ask(path)
            assert answer.status == 200 and "X-Squall-Fault" not in answer.headers, path
        assert "X-Squall-Fault" not in web.ask("/api/chaos/errors", "DELETE")[0].headers
    with injected(agent, http_fault("abort", status=503, pathPrefix=None, path="/health")), \
            Web(platform) as web:
        assert web.ask("/health")[0].status == 503
        assert web.ask()[0].status == 404


def test_http_share_is_seeded(agent, platform):
    def pattern():
        with injected(agent, http_fault("abort", status=500, share=0.3)), Web(platform) as web:
            return [web.ask()[0].status == 500 for _ in range(100)]
    first = pattern()
    assert first == pattern(), "the same seed hits the same requests"
    assert 10 <= sum(first) <= 55


def test_http_delay_and_pipelining(agent, platform):
    """Three requests in one packet: answered in their order, the matching one late."""
    spec = http_fault("delay", timeNs=200 * MS, pathPrefix="/api/none")
    with injected(agent, spec), Client(platform, "gateway-14") as client:
        ask = b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"
        began = time.monotonic()
        client.sock.sendall(ask % (b"/health", b"") + ask % (b"/api/none", b"")
                            + ask % (b"/metrics", b"Connection: close\r\n"))
        client.sock.settimeout(5)
        got = b""
        while piece := client.sock.recv(65536):
            if not got:
                assert time.monotonic() - began < 0.15
            got += piece
        assert 0.2 <= time.monotonic() - began < 1.0
    assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"200", b"404", b"200"], got
    assert got.index(b"404") < got.index(b"# HELP")


def test_http_slow_truncated_and_patched(agent, platform):
    slow = 200  # bytes a second: the more time is asked for, the more of it a busy machine may add
    with injected(agent, http_fault("slowBody", bytes=slow)), Web(platform) as web:
        began = time.monotonic()
        _, body = web.ask()
        assert time.monotonic() - began > 0.8 * len(body) / slow
        assert web.ask("/health")[0].status == 200
    with injected(agent, http_fault("truncate", bytes=10)), Web(platform) as web:
        with pytest.raises(http.client.IncompleteRead) as cut:
            web.ask()
        assert len(cut.value.partial) == 10
    with injected(agent, http_fault("patch", set=["X-New: 1", "Content-Type: text/odd"],
                                    remove=["X-Request-Id", "X-Trace-Id"])), Web(platform) as web:
        answer, body = web.ask()
        assert answer.headers["X-New"] == "1" and answer.headers.get_all("Content-Type") == ["text/odd"]
        assert len(body) == int(answer.headers["Content-Length"])


def test_http_on_a_server_of_something_else_fails(agent, platform):
    """An echo server's answer to a request is no answer of HTTP: nothing could be proven there."""
    spec = {**http_fault("abort", status=503, targets=("api-11",)), "service": "api"}
    status, record = agent.post(spec)
    assert status == 409 and record["state"] == "gone", record
    assert "even without the fault" in record["error"]


HTTP_THAT_MAKES_NO_SENSE_IS_REFUSED = [
    ({"status": 0}, "final status"), ({"share": 0.0}, "hits nothing"),
    ({"path": "/api/x"}, "contradict"), ({"timeNs": 5}, "no time"), ({"bytes": 3}, "no bytes"),
    ({"set": ["A: b"]}, "no headers"), ({"headers": ["nonsense"]}, "no header"),
    ({"share": 1e-5}, "cannot be shown"),
    ({"pathPrefix": None, "path": "/api/x", "method": "DELETE"}, "which change things")]


def test_http_that_makes_no_sense_is_refused(agent):
    for details, words in HTTP_THAT_MAKES_NO_SENSE_IS_REFUSED:
        status, answer = agent.post(http_fault("abort", **{"status": 503, **details}))
        assert 400 <= status < 500 and words in str(answer), (details, answer)
    status, answer = agent.post(http_fault("delay", timeNs=9 * S))
    assert status == 400 and "too long for a lease of 10s" in str(answer), answer


def test_http_agent_stopped_while_a_request_is_held(agent, platform):
    spec = http_fault("delay", timeNs=100 * MS, duration_s=60.0, lease_s=LEASE_S,
                      pathPrefix="/api/held")
    status, record = agent.post(spec)
    assert status == 200, record
    clients = [Client(platform, "gateway-14", timeout=LEASE_S + GRACE_S) for _ in range(2)]
    since = time.monotonic()
    agent.signal(signal.SIGSTOP)
    clients[0].sock.sendall(b"GET /api/held HTTP/1.1\r\nHost: x\r\n\r\n")
    assert endings(clients) == [(b"", "reset")] * 2
    assert time.monotonic() - since < LEASE_S + GRACE_S
    with Web(platform) as web:
        assert web.ask("/api/held")[0].status == 404
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 15)["end"] == "lease"


# --- dns ---

@pytest.mark.parametrize("answer, address, seen", [
    ("nxdomain", None, (3, None)), ("servfail", None, (2, None)),
    ("address", "203.0.113.9", (0, "203.0.113.9")), ("timeout", None, "silent")])
def test_dns_answers(agent, platform, zone, answer, address, seen):
    with injected(agent, dns_fault(zone, answer, address=address)):
        for over in ("udp", "tcp"):
            assert lookup(platform, zone, "db.test", over) == seen
            assert lookup(platform, zone, "A.Far.Test", over) == seen
            assert lookup(platform, zone, "far.test", over) == RIGHT
            assert lookup(platform, zone, "other.test", over) == RIGHT
            assert lookup(platform, zone, "db.test", over, "api-12") == RIGHT
    assert lookup(platform, zone, "db.test") == lookup(platform, zone, "db.test", "tcp") == RIGHT


@pytest.fixture
def few_ports(platform):
    """So few that the proxy's own questions soon leave from ports that clients had."""
    setting = "net.ipv4.ip_local_port_range"
    inside = ["ip", "netns", "exec", platform.instances["api-11"].netns, "sysctl", "-q"]
    sh(*inside, "-w", f"{setting}=40000 40199")
    yield
    sh(*inside, "-w", f"{setting}=32768 60999")


def test_dns_share_is_seeded(agent, platform, zone, few_ports):
    def pattern():
        with injected(agent, dns_fault(zone, share=0.3)):
            return [lookup(platform, zone, "db.test", timeout=3) for _ in range(60)]
    first = pattern()
    assert first == pattern()
    assert set(first) == {RIGHT, (3, None)} and 4 <= first.count((3, None)) <= 36


def test_dns_that_is_wrong_already_fails(agent, zone):
    status, record = agent.post(dns_fault(zone, names=["db.elsewhere"]))
    assert status == 409 and "even without the fault" in record["error"], record


DNS_THAT_MAKES_NO_SENSE_IS_REFUSED = [
    ({"share": 0.0}, "hits nothing"), ({"names": ["a..b"]}, "is no name"),
    ({"address": "192.0.2.1"}, "only with the answer address"), ({"answer": "address"}, "give the"),
    ({"server": "nowhere"}, "is no address")]


def test_dns_that_makes_no_sense_is_refused(agent, zone):
    for details, words in DNS_THAT_MAKES_NO_SENSE_IS_REFUSED:
        status, answer = agent.post(dns_fault(**{"server": zone, **details}))
        assert 400 <= status < 500 and words in str(answer), (details, answer)


def test_dns_and_tcp_on_one_target_and_the_agent_killed(agent, platform, zone):
    spec = dns_fault(zone, duration_s=60.0, lease_s=30.0)
    other = tcp_fault("latency", time_ms=50, duration_s=60.0, lease_s=30.0)
    inject(agent, spec) and agent.post(other)[0] == 200
    # An open connection through the responder, and a resolver that keeps its port.
    stream = tcp_socket(platform.instances["api-11"].netns)
    stream.connect((zone, 53))
    assert lookup(platform, zone, "db.test", "tcp", sock=stream) == (3, None)
    agent.kill()
    stream.settimeout(1.0)
    with pytest.raises(ConnectionError):
        stream.recv(1)
    wait_until(lambda: lookup(platform, zone, "db.test") == RIGHT, GRACE_S, "direct again")
    agent.start()
    assert agent.wait_state(spec, "gone", 15)["end"] == "recovery"
    assert agent.wait_state(other, "gone", 15)["end"] == "recovery"


def test_dns_agent_stopped(agent, platform, zone):
    spec = dns_fault(zone, "timeout", duration_s=60.0, lease_s=LEASE_S)
    inject(agent, spec)
    stream = tcp_socket(platform.instances["api-11"].netns)
    stream.settimeout(LEASE_S + GRACE_S)
    stream.connect((zone, 53))
    since = time.monotonic()
    agent.signal(signal.SIGSTOP)
    with pytest.raises(ConnectionError):
        stream.recv(1)
    wait_until(lambda: lookup(platform, zone, "db.test", timeout=0.2) == RIGHT, LEASE_S + GRACE_S,
               "direct again")
    assert time.monotonic() - since < LEASE_S + GRACE_S
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 15)["end"] == "lease"
