# SPDX-License-Identifier: Apache-2.0
"""Everything that can happen to a request, each done by a real server or the kernel: the run goes
on, the cause is counted by its name, and a note says what to do."""

import contextlib
import os
import pathlib
import re
import resource
import subprocess

import pytest

from conftest import run, wait_until
from load_lab import (OK, Load, check_sums, closed_port, load, make_plan,  # noqa: F401
                         serve, failed, total)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def only(result, cause, count=None):
    """All failures have this cause; returns its note."""
    causes = {name: n for name, n in result["total"]["causes"].items() if n}
    assert set(causes) == {cause}, (causes, result["notes"])
    assert failed(result["total"]) == causes[cause]
    if count is not None:
        assert causes[cause] == count
    (note,) = [n for n in result["notes"] if f"({cause})" in n]
    return note


def test_refused(load):
    port = closed_port()
    note = only(check_sums(load.finish(make_plan([port], seconds=0.4))), "refused", 80)
    assert f"the first to 127.0.0.1:{port}" in note and "is the service up" in note


def test_accepted_and_ended(serve, load):
    """By a server that takes connections and resets them before a request."""
    server = serve(greet=lambda peer: peer.reset())
    result = check_sums(load.finish(make_plan([server.port], rate=20, seconds=0.4, connections=1,
                                              timeout=0.2)))
    assert result["total"]["ok"] == 0
    assert any("(connect_reset)" in n and "accepted and ended" in n for n in result["notes"])


@pytest.mark.parametrize("engine", ["native", "curl"])
@pytest.mark.parametrize("cause, ending", [
    ("closed", lambda peer: peer.transport.write_eof()),
    ("closed", lambda peer: peer.transport.close()),
    ("reset", lambda peer: peer.reset()),
])
def test_half_a_response(serve, load, engine, cause, ending):
    def behave(peer, head):
        if server.requests % 4:
            peer.send(OK)
            return
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        # Once the half has been read, so that a reset does not overtake it.
        server.loop.call_later(0.05, ending, peer)

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=100, seconds=0.6,
                                              engine=engine)))
    note = only(result, cause, 15)
    assert result["total"]["ok"] == 45 and "in its log" in note or "keep-alive" in note


def test_no_connection_lives_to_its_first_answer(serve, load):
    """By something that is no HTTP. Each connection is given up and waits to be tried again, the
    longer the more often; what is due meanwhile waits for one that nobody refused or dropped."""
    server = serve(lambda peer, head: peer.send(b"SSH-2.0-something\r\n"))
    result = check_sums(load.finish(make_plan([server.port], rate=50, seconds=1.5, connections=1,
                                              timeout=0.2)))
    assert result["total"]["failed"]["protocol"] > 3 and result["total"]["ok"] == 0
    assert {name for name, n in result["total"]["causes"].items() if n} == {"unusable"}, result["notes"]
    assert any(n.endswith("(the first: does not begin with HTTP/1.x)") for n in result["notes"])
    assert any("(unusable)" in n and "first request on each fails" in n for n in result["notes"])


def test_silent_and_stalled(serve, load):
    """One half of the requests gets nothing, the other a byte now and then, for ever."""
    def dribble(peer):
        if not peer.transport.is_closing():
            peer.send(b"x")
            server.loop.call_later(0.02, dribble, peer)

    def behave(peer, head):
        if head.startswith(b"GET /stalled"):
            peer.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            dribble(peer)

    server = serve(behave)
    routes = [{"name": name, "method": "GET", "path": "/" + name, "body": None, "headers": [],
               "weight": 1} for name in ("stalled", "silent")]
    result = check_sums(load.finish(make_plan([server.port], rate=40, seconds=0.5, connections=40,
                                              timeout=0.3, routes=routes)))
    assert result["total"]["failed"]["timeout"] == 20
    for part in result["parts"]:
        assert part["counts"]["causes"][part["route"]] == part["counts"]["sent"] > 0
    for cause in ("(silent)", "(stalled)"):
        assert any(cause in n for n in result["notes"])


def test_no_descriptor_is_free(serve, load):
    """The limit is lowered under its feet, while the server ends every connection."""
    def behave(peer, head):
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    server = serve(behave)
    one = load(make_plan([server.port], rate=200, seconds=60, connections=4, threads=1,
                         maxLateNs=2_000_000_000))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    limits = resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (4, limits[1]))
    while one.line("interval")["counts"]["causes"]["no_descriptor"] == 0:
        pass
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, limits)
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    one.command(type="stop")
    code, _ = one.wait()
    assert code == 0
    result = check_sums(one)
    assert "ulimit -n" in only(result, "no_descriptor")
    assert "free local port or descriptor" in result["clientLimitedWhy"]


def has_capability(number):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"CapEff:\s+(\w+)", status)[1], 16) >> number & 1


def test_the_limit_of_open_files_is_raised(serve, load):
    """As far as it may be; who may not is told what to do, before anything is sent."""
    server = serve()
    plan = make_plan([server.port], rate=100, seconds=0.5, connections=200, maxLateNs=int(2e9))
    one = load.finish(plan, prefix=["prlimit", "--nofile=40:4096"])
    assert total(one.histograms()["steady/-/connect"]) == 200
    cap_sys_resource = 24
    drop = (["setpriv", "--bounding-set=-sys_resource"] if has_capability(cap_sys_resource) else [])
    one = load(plan, prefix=["prlimit", "--nofile=40:100", *drop])
    code, lines = one.wait()
    assert code == 5 and server.requests == 50
    assert re.search(r"200 connections need \d+ open files, but the limit is 100: raise it .*"
                     r"LimitNOFILE.*fs.nr_open", lines[-1]["message"])


# --- what the kernel does, in a namespace of its own ---

class Namespace:
    """A network namespace with the loopback up, and nginx in it when asked for."""

    def __init__(self, folder):
        self.name = f"sqe-fail-{os.getpid()}"
        self.folder, self.nginx = folder, None
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def serve(self):
        self.folder.chmod(0o755)
        conf = self.folder / "nginx.conf"
        temps = "".join(f"{kind}_temp_path {self.folder}/{kind}; " for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(f"""
daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; {temps}
 server {{ listen 127.0.0.1:80; location / {{ return 200 "hello"; }} }} }}
""")
        self.nginx = subprocess.Popen(self.command("nginx", "-c", conf), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        wait_until((self.folder / "pid").exists, 10, "nginx is up")

    def close(self):
        if self.nginx is not None:
            self.nginx.kill()
            self.nginx.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def namespace(tmp_path):
    made = Namespace(tmp_path)
    yield made
    made.close()


@contextlib.contextmanager
def inside(namespace, name, plan):
    folder = namespace.folder / name
    folder.mkdir()
    one = Load(folder, plan, prefix=namespace.command())
    try:
        yield one
    finally:
        one.close()


def aimed(address, **more):
    return {**make_plan([80], **more), "targets": [{"address": address, "port": 80}]}


def finish(namespace, plan):
    with inside(namespace, f"run-{len(list(namespace.folder.iterdir()))}", plan) as one:
        code, _ = one.wait()
        assert code == 0, one.stderr()
        return check_sums(one)


@needs_root
def test_unreachable(namespace):
    note = only(finish(namespace, aimed("192.0.2.1", seconds=0.4)), "unreachable", 80)
    assert "the first to 192.0.2.1:80" in note and "routes" in note


@needs_root
def test_nobody_answers_a_syn(namespace):
    """A firewall that drops."""
    rules = "table inet t { chain c { type filter hook input priority 0; tcp dport 80 drop; }; }"
    subprocess.run(namespace.command("nft", rules), check=True)
    result = finish(namespace, aimed("127.0.0.1", seconds=0.6, connections=4, timeout=0.3))
    assert "firewall" in only(result, "connect_timeout")
    assert result["total"]["ok"] == 0


@needs_root
def test_no_local_port_is_free(namespace):
    """Twenty ports: the first run takes them all and says that its other connections found none;
    a second one beside it finds none at all."""
    subprocess.run(namespace.command("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40019"),
                   check=True)
    namespace.serve()
    with inside(namespace, "first", aimed("127.0.0.1", rate=100, seconds=60, connections=40,
                                          threads=1, maxLateNs=2_000_000_000)) as first:
        while first.line("interval")["counts"]["ok"] == 0:
            pass
        second = finish(namespace, aimed("127.0.0.1", rate=100, seconds=0.4, connections=4,
                                         threads=1))
        assert "ip_local_port_range" in only(second, "no_port", 40)
        assert second["clientLimited"]
        # From other addresses there are as many again.
        third = finish(namespace, aimed("127.0.0.1", rate=100, seconds=0.4, connections=30,
                                        threads=1, sources=["127.0.0.2", "127.0.0.3"]))
        assert third["total"]["ok"] == 40 and "notes" not in third
        first.command(type="stop")
        code, _ = first.wait()
        assert code == 0
        result = check_sums(first)
    assert result["total"]["ok"] == result["total"]["sent"] > 0
    assert "free local port" in result["clientLimitedWhy"]
    assert any("(no_port): 0 requests" in n for n in result["notes"])


@pytest.mark.parametrize("source, words", [
    ("192.0.2.77", "cannot connect from source address 192.0.2.77"),
    ("::1", "not both IPv4 or both IPv6"), ("here", "not an IPv4 or IPv6 address")])
def test_sources_that_cannot_be(load, source, words):
    one = load(make_plan([1], sources=[source]))
    code, lines = one.wait()
    assert code == 2 and words in lines[-1]["message"]


def test_a_name_that_does_not_resolve():
    done = run("squall", "load", "http://no-such-host.invalid/", "-r", "5")
    assert done.returncode == 5
    assert 'host "no-such-host.invalid" does not resolve' in done.stderr
    assert "is it written right" in done.stderr
