# SPDX-License-Identifier: Apache-2.0
"""The native engine for HTTP/2 against real nginx, in the clear and over TLS: what nginx counted is
what squall counted, and everything that can happen to a stream has its name in the result."""

import collections
import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.request

import pytest

from conftest import run, wait_until
from services import free_port
from load_lab import check_sums, failed, load, make_plan, quantile, total  # noqa: F401
from test_e_load_failures import only
from test_e_load_tls import tls
from tls_lab import NGINX, Authority

UPLOAD = 8 << 20
FIELDS = "protocol connection method uri host agent traffic number length sni resumed client body"


class Server:
    """nginx, and behind /hang a socket that takes requests and answers none."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o755)
        self.trusted = Authority(folder)
        self.client = self.trusted.issue("client", "DNS:client.test")
        self.port = {name: free_port() for name in
                     ("plain", "tls", "few", "short", "shorttls", "h1", "h1tls", "client", "wrong")}
        self.hole = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.write_config()
        self.process = None
        self.start()

    def write_config(self):
        cert, key = self.trusted.issue("good", "DNS:squall.test,IP:127.0.0.1")
        other = self.trusted.issue("other", "DNS:other.test")
        temps = "".join(f"{kind}_temp_path {self.folder}/{kind};"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        fields = "server_protocol connection request_method request_uri http_host " \
                 "http_user_agent http_x_traffic http_x_number content_length ssl_server_name " \
                 "ssl_session_reused ssl_client_s_dn request_body"
        log = "|".join(f"${field}" for field in fields.split())
        port = collections.defaultdict(str, {k: f"listen 127.0.0.1:{v}" for k, v in
                                             self.port.items()})
        places = f"""
        default_type text/plain;
        location / {{ return 200 "hello"; }}
        location /connections {{ stub_status; access_log off; }}
        location /none {{ return 404 "none"; }}
        location /login {{ add_header Set-Cookie "sid=s7"; return 201 '{{"id": 7}}'; }}
        location /me {{ return 200 '{{"sid": "$cookie_sid"}}'; }}
        location /up {{ proxy_pass http://127.0.0.1:{self.port["h1"]}/; }}
        location /hang {{ proxy_pass http://127.0.0.1:{self.hole.getsockname()[1]}/; }}"""
        ours = f"ssl_certificate {cert}; ssl_certificate_key {key};"
        (self.folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    log_format seen '{log}';
    access_log {self.folder}/access.log seen;
    client_max_body_size 0; keepalive_requests 1000000; {temps} ssl_protocols TLSv1.3;
    server {{
        {port["plain"]} http2; {port["tls"]} ssl http2; {port["h1"]}; {port["h1tls"]} ssl;
        {ours} {places}
    }}
    server {{ {port["few"]} http2; http2_max_concurrent_streams 2; {places} }}
    server {{
        {port["short"]} http2; {port["shorttls"]} ssl http2; keepalive_requests 20;
        {ours} {places}
    }}
    server {{
        {port["client"]} ssl http2; {ours}
        ssl_client_certificate {self.trusted.cert}; ssl_verify_client on; {places}
    }}
    server {{
        {port["wrong"]} ssl http2; ssl_certificate {other[0]}; ssl_certificate_key {other[1]};
        {places}
    }}
}}
""")

    def start(self):
        (self.folder / "pid").unlink(missing_ok=True)
        output = open(self.folder / "output", "ab")
        with output:
            self.process = subprocess.Popen(
                [NGINX, "-p", self.folder, "-c", self.folder / "nginx.conf"],
                stdout=output, stderr=output)

        def up():
            assert self.process.poll() is None, (self.folder / "output").read_text()
            return (self.folder / "pid").exists() and (self.folder / "pid").read_text()

        wait_until(up, 20, "nginx is up")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def requests(self, since=0):
        row = collections.namedtuple("Row", FIELDS)
        lines = (self.folder / "access.log").read_text().splitlines()[since:]
        return [row(*line.split("|")) for line in lines]

    def connections(self):
        """That are open, this question's among them."""
        url = f"http://127.0.0.1:{self.port['h1']}/connections"
        with urllib.request.urlopen(url) as answer:
            return int(answer.readline().split()[2])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("http2"))
    try:
        yield server
    finally:
        server.kill()
        server.hole.close()


def plan_for(lab, kind, rate=100, seconds=0.5, connections=2, streams=1, **more):
    plan = make_plan([lab.port[kind]], rate=rate, seconds=seconds, connections=connections,
                     threads=1, http2=True, streams=streams, maxLateNs=int(5e9))
    if kind in ("tls", "shorttls", "h1tls", "client", "wrong"):
        plan["tls"] = tls(lab)
    return plan | more


def route(name, path, method="GET", **more):
    return {"name": name, "method": method, "path": path, "body": None, "headers": [],
            "weight": 1} | more


@contextlib.contextmanager
def seen_by(lab):
    """Fills the list with what nginx logged meanwhile, once the block is left. What an earlier load
    broke off it logs when it closes that connection."""
    rows = []
    wait_until(lambda: lab.connections() == 1, 20, "earlier loads have gone")
    before = len(lab.requests())
    yield rows
    rows += lab.requests(before)


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_requests_are_answered(lab, load, kind):
    with seen_by(lab) as rows:
        one = load.finish(plan_for(lab, kind, rate=400, streams=5))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 200 == len(rows)
    assert {r[:6:2] + (r.agent, r.traffic) for r in rows} == {
        ("HTTP/2.0", "GET", "test.example", "squall-load", "load")}
    assert len({r.connection for r in rows}) == 2
    histograms = one.histograms()
    assert total(histograms["steady/-/connect"]) == 2, "opened before the load, both of them"
    assert quantile(histograms["steady/home/service"], 0.5) >= quantile(
        histograms["steady/home/first-byte"], 0.5) > 0
    assert result["total"]["bytesIn"] >= 200 * (9 + 9 + len("hello"))
    assert result["total"]["bytesOut"] >= 200 * 10
    if kind == "tls":
        assert result["tls"]["handshakes"] == total(histograms["steady/-/tls"]) == 2
        assert result["tls"]["protocol"].startswith("TLSv1.3 ")
        assert {r.sni for r in rows} == {"squall.test"}
    assert "notes" not in result


def test_streams_share_connections(lab, load):
    """All at once, so that both connections must take ten streams each."""
    burst = {"rate": 0.0, "stages": [{"lengthNs": int(0.5e9), "from": 0.0, "to": 0.0, "burst": 20,
                                      "everyNs": int(0.1e9)}]}
    with seen_by(lab) as rows:
        result = check_sums(load.finish(plan_for(lab, "plain", streams=10, **burst)))
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    uses = collections.Counter(r.connection for r in rows)
    assert len(uses) == 2 and min(uses.values()) >= 20


def test_fewer_streams_than_asked(lab, load):
    """Ten are asked for, the target allows two: nothing is refused, what finds none waits."""
    burst = {"rate": 0.0, "stages": [{"lengthNs": int(0.5e9), "from": 0.0, "to": 0.0, "burst": 20,
                                      "everyNs": int(0.1e9)}]}
    result = check_sums(load.finish(plan_for(lab, "few", connections=1, streams=10, **burst)))
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    assert any("allows 2 streams at once" in note for note in result["notes"])
    causes = {entry["cause"]: entry["count"] for entry in result["lateness"]}
    assert causes["no_free_connection"] >= 5


@pytest.mark.parametrize("kind", ["short", "shorttls"])
def test_goaway(lab, load, kind):
    """nginx ends each connection after 20 requests. What was on its way then has failed by that
    name, everything else was answered, and nginx counted the same. What it had not read when it
    closed may cost an answer on its way back, which it counted and squall did not see."""
    with seen_by(lab) as rows:
        result = check_sums(load.finish(plan_for(lab, kind, rate=800, streams=8)))
    whole, causes = result["total"], result["total"]["causes"]
    cut = causes["closed"] + causes["reset"]
    assert whole["intended"] == 400 == whole["ok"] + causes["goaway"] + cut, result["notes"]
    assert 200 <= whole["ok"] <= len(rows) <= whole["ok"] + cut and cut <= 20
    uses = collections.Counter(r.connection for r in rows)
    assert max(uses.values()) <= 20 and len(uses) >= 400 // 20 // 2
    if causes["goaway"]:
        assert any("keepalive_requests" in n and "GOAWAY with NO_ERROR" in n
                   for n in result["notes"])
    if kind == "shorttls":
        assert result["tls"]["handshakes"] >= len(uses)
        assert result["tls"]["resumed"] >= result["tls"]["handshakes"] - 4
        assert collections.Counter(r.resumed for r in rows)["r"] > 0


def test_the_server_dies_with_streams_under_way(lab, load):
    """Four requests are under way on the one connection when nginx is killed. All of them have been
    reset, whoever came after was refused."""
    before = len(lab.requests())
    one = load(plan_for(lab, "plain", rate=100, seconds=1.0, connections=1, streams=4,
                        timeoutNs=int(20e9), routes=[route("hang", "/hang")]))
    one.line("started")
    asked = []

    def under_way():
        lab.hole.settimeout(5)
        while len(asked) < 4:
            asked.append(lab.hole.accept()[0])
        return True

    wait_until(under_way, 20, "four requests are under way")
    lab.kill()
    for peer in asked:
        peer.close()
    code, _ = one.wait()
    lab.start()
    assert code == 0, one.stderr()
    result = check_sums(one)
    causes = {name: n for name, n in result["total"]["causes"].items() if n}
    assert set(causes) - {"refused"} <= {"closed", "reset"}, result["notes"]
    assert causes.get("closed", 0) + causes.get("reset", 0) == 4
    assert causes["refused"] + 4 == result["total"]["sent"] == 100
    assert any("1 connections were lost with requests under way, up to 4 of them" in note
               for note in result["notes"]), result["notes"]
    assert len(lab.requests()) == before


def test_the_server_comes_back(lab, load):
    """Killed and started again while the load goes on: the connections are made anew."""
    with seen_by(lab) as rows:
        one = load(plan_for(lab, "plain", rate=100, seconds=2.0, streams=2))
        one.line("interval")
        lab.kill()
        lab.start()
        code, _ = one.wait()
    assert code == 0, one.stderr()
    result = check_sums(one)
    causes = {name for name, n in result["total"]["causes"].items() if n}
    assert causes <= {"refused", "reset", "closed", "connect_reset"}, result["notes"]
    assert result["total"]["ok"] == len(rows)
    assert len({r.connection for r in rows}) >= 2
    assert result["intervals"][-1]["counts"]["ok"] > 0, "at the end as at the beginning"


def test_silence(lab, load):
    """Each request ends by its own timeout, and only it: the connection answers others."""
    routes = [route("hang", "/hang"), route("home", "/")]
    result = check_sums(load.finish(plan_for(lab, "plain", connections=1, streams=50,
                                             routes=routes, timeoutNs=int(0.3e9))))
    parts = {p["route"]: p["counts"] for p in result["parts"] if p["counts"]["intended"]}
    assert parts["hang"]["causes"]["silent"] == parts["hang"]["sent"] > 0, result["notes"]
    assert parts["home"]["ok"] >= parts["home"]["sent"] // 2 > 0


@pytest.mark.parametrize("kind", ["h1", "h1tls"])
def test_a_target_without_http2_is_named(lab, load, kind):
    note = only(check_sums(load.finish(plan_for(lab, kind))), "not_http2", 50)
    assert "ALPN" in note


def test_certificates(lab, load):
    note = only(check_sums(load.finish(plan_for(lab, "wrong"))), "tls", 50)
    assert "squall.test" in note and "certificate" in note.lower()
    result = check_sums(load.finish(plan_for(lab, "wrong",
                                             tls=tls(lab, ca=False, insecure=True))))
    assert result["total"]["ok"] == 50 and "INSECURE" in result["notes"][0]
    with seen_by(lab) as rows:
        result = check_sums(load.finish(plan_for(lab, "client", tls=tls(lab, cert=lab.client))))
    assert result["total"]["ok"] == 50 and {r.client for r in rows} == {"CN=client"}
    result = check_sums(load.finish(plan_for(lab, "client")))
    assert result["total"]["failed"]["http_4xx"] == 50


ROUTES = [
    route("get", "/a?n={{seq}}", headers=["X-Number: {{seq}}", "Accept: text/x", "X-Empty:"]),
    route("post", "/up", "POST", body="n={{seq}}"),
    route("none", "/up", "PUT", headers=["Content-Type: text/plain"]),
    route("head", "/d", "HEAD"),
    route("delete", "/up", "DELETE", body="x"),
    route("missing", "/none"),
]


def test_both_engines_send_the_same(lab, load):
    """As nginx saw it, {{fields}} and bodies included; 404 is counted as such."""
    sent = {}
    for engine in ("native", "curl"):
        with seen_by(lab) as rows:
            result = check_sums(load.finish(plan_for(lab, "tls", rate=200, streams=3,
                                                     routes=ROUTES, engine=engine)))
        missing = [p["counts"] for p in result["parts"] if p["route"] == "missing"]
        assert result["total"]["ok"] == 100 - missing[0]["failed"]["http_4xx"]
        assert missing[0]["failed"]["http_4xx"] == missing[0]["sent"] > 0
        sent[engine] = sorted((r.method, r.uri, r.host, r.agent, r.traffic, r.number, r.length,
                               r.body) for r in rows if r.protocol == "HTTP/2.0")
        assert len(sent[engine]) == 100
    assert sent["native"] == sent["curl"]
    assert any(row[7].startswith("n=0000") for row in sent["native"])


def test_uploads_are_streamed(lab, load, tmp_path):
    (tmp_path / "big").write_bytes(bytes(UPLOAD))
    up = route("up", "/up", "POST", bodyFile=str(tmp_path / "big"))
    for kind in ("plain", "tls"):
        with seen_by(lab) as rows:
            result = check_sums(load.finish(plan_for(lab, kind, rate=10, streams=5, routes=[up],
                                                     timeoutNs=int(20e9))))
        assert result["total"]["ok"] == 5 and result["total"]["bytesOut"] > 5 * UPLOAD
        assert [r.length for r in rows if r.protocol == "HTTP/2.0"] == [str(UPLOAD)] * 5


def test_flows(lab, load):
    """Extraction, cookies and assertions, as over HTTP/1.1."""
    steps = [{"name": "in", "method": "POST", "path": "/login", "body": "x",
              "extract": [{"name": "id", "from": "json", "json": "/id"}],
              "expect": [{"on": "status", "status": 201}]},
             {"name": "me", "method": "GET", "path": "/me?id={{id}}",
              "expect": [{"on": "json", "status": 0, "json": "/sid", "equals": "s7"},
                         {"on": "header", "status": 0, "header": "Content-Type",
                          "equals": "text/plain"}]},
             {"name": "bad", "method": "GET", "path": "/me",
              "expect": [{"on": "json", "status": 0, "json": "/sid", "equals": "other"}]}]
    flow = {"name": "life", "weight": 1, "steps": steps, "setup": [
        {"name": "warm", "method": "GET", "path": "/"}]}
    with seen_by(lab) as rows:
        result = check_sums(load.finish(plan_for(lab, "tls", rate=40, streams=3, routes=[],
                                                 flows=[flow])))
    parts = {p["route"]: p["counts"] for p in result["parts"] if p["counts"]["sent"]}
    assert [parts["life." + s]["ok"] for s in ("in", "me", "bad")] == [20, 20, 0]
    assert parts["life.bad"]["failed"]["assertion"] == 20
    assert result["once"][0]["ok"]
    assert collections.Counter(r.uri for r in rows) == {"/": 1, "/login": 20, "/me?id=7": 20,
                                                        "/me": 20}


def test_a_stall_is_not_left_out(lab, load):
    """nginx stands still for half of the time. The four streams wait for it, and what they cannot
    carry is due all the same: response time sees them all, service time but a few."""
    one = load(plan_for(lab, "plain", rate=500, seconds=2.0, connections=1, streams=4,
                        timeoutNs=int(20e9)))
    one.line("interval")
    os.kill(lab.process.pid, signal.SIGSTOP)
    try:
        one.line("interval")
        one.line("interval")
        one.line("interval")
    finally:
        os.kill(lab.process.pid, signal.SIGCONT)
    code, _ = one.wait()
    assert code == 0, one.stderr()
    result = check_sums(one)
    assert result["total"]["ok"] == 1000
    histograms = one.histograms()
    assert quantile(histograms["steady/home/response"], 0.8) > 0.05
    assert quantile(histograms["steady/home/service"], 0.8) < 0.05


def test_the_command_line(lab):
    with seen_by(lab) as rows:
        done = run("squall", "load", "-q", "--json", "-r", "100", "-d", "0.5", "-c", "1",
                   "--arrivals", "constant", "--http2", "--max-concurrent-streams", "3",
                   "--max-late", "5", f"http://127.0.0.1:{lab.port['plain']}/q")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 50 == len(rows)
    assert {(r.protocol, r.uri) for r in rows} == {("HTTP/2.0", "/q")}
    done = run("squall", "load", "-r", "1", "--http2", "-H", "Connection: close",
               f"http://127.0.0.1:{lab.port['plain']}/q")
    assert done.returncode == 2 and "HTTP/2 has not" in done.stderr, done.stderr
