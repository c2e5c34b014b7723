# SPDX-License-Identifier: Apache-2.0
"""Connections that libcurl makes, against real nginx (HTTP/2, unix sockets) and through real proxies
(tinyproxy, also behind TLS, and microsocks): the same requests, the same records and the same
failures by name as without them. Where the proxy is spoken to over TLS, libcurl also sends."""

import collections
import contextlib
import json
import re
import shutil
import socket
import subprocess

import pytest

from conftest import run, wait_until
from services import free_port
from test_e_flows import check_flow, flow, step
from load_lab import (OK, check_sums, closed_port, failed, load, make_plan, quantile,  # noqa: F401
                      serve, total)
from test_e_load_failures import only
from test_e_load_tls import tls
from tls_lab import Authority

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
UPLOAD = 8 << 20
BIG = 300_000


def tls_end(port, pair, behind):
    """The command that ends TLS at a port and passes on what is said to another."""
    return ["socat", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={pair[0]},"
                     f"key={pair[1]},verify=0", f"TCP:127.0.0.1:{behind}"]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One nginx: in the clear, TLS with and without HTTP/2, by client certificate, two sockets; and
    proxies."""
    folder = tmp_path_factory.mktemp("curl")
    folder.chmod(0o755)
    trusted = Authority(folder)
    cert, key = trusted.issue("good", "DNS:squall.test,IP:127.0.0.1")
    lab = collections.namedtuple("Lab", "port folder cert log proxies trusted client requests")
    port = {name: free_port() for name in ("plain", "h2", "h1", "client", "wrong", "front")}
    other = trusted.issue("other", "DNS:other.test")
    temps = "".join(f"{kind}_temp_path {folder}/{kind};"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    body = """location / { default_type text/plain; return 200 "hello"; }
              location /big { root %s; }
              location /up { proxy_pass http://127.0.0.1:%d/; }""" % (folder, port["plain"])
    (folder / "big").write_bytes(bytes(BIG))
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    log_format seen '$server_protocol|$connection|$request_method|$request_uri|$http_host|'
                    '$http_via|$ssl_client_s_dn|$content_length|$server_addr';
    access_log {folder}/access.log seen;
    client_max_body_size 0; keepalive_requests 100000; {temps}
    ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    server {{
        listen 127.0.0.1:{port["plain"]}; listen 127.0.0.1:{port["h2"]} ssl http2;
        listen 127.0.0.1:{port["h1"]} ssl; listen unix:{folder}/sock;
        listen unix:{folder}/h2c http2; {body}
    }}
    server {{
        listen 127.0.0.1:{port["client"]} ssl http2;
        ssl_client_certificate {trusted.cert}; ssl_verify_client on; {body}
    }}
    server {{
        listen 127.0.0.1:{port["wrong"]} ssl http2;
        ssl_certificate {other[0]}; ssl_certificate_key {other[1]}; {body}
    }}
}}
""")
    ports = [free_port() for _ in range(4)]
    proxies = dict(zip(("tunnel", "login", "over-tls", "socks"),
                       (f"http://localhost:{ports[0]}", f"http://j%6F:p%73@127.0.0.1:{ports[1]}",
                        f"https://127.0.0.1:{ports[2]}", f"socks5h://localhost:{ports[3]}")))
    allowed = "".join(f"ConnectPort {port[name]}\n" for name in ("h2", "client", "wrong", "front"))
    for number, more in enumerate(("", "BasicAuth jo ps\n")):
        (folder / f"tinyproxy{number}.conf").write_text(
            f"Port {ports[number]}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\n"
            f"Allow 127.0.0.1\nViaProxyName \"squall\"\nLogLevel Info\n{allowed}{more}")
    output = open(folder / "output", "ab")
    servers = [subprocess.Popen(command, stdout=output, stderr=output) for command in (
        [NGINX, "-p", folder, "-c", folder / "nginx.conf"],
        ["tinyproxy", "-d", "-c", folder / "tinyproxy0.conf"],
        ["tinyproxy", "-d", "-c", folder / "tinyproxy1.conf"],
        tls_end(ports[2], (cert, key), ports[0]),
        ["microsocks", "-i", "127.0.0.1", "-p", str(ports[3])])]

    def up():
        assert all(s.poll() is None for s in servers), (folder / "output").read_text()
        return (folder / "pid").exists() and all(map(listens, ports))

    try:
        wait_until(up, 20, "nginx and the proxies are up")
        row = collections.namedtuple("Row", "protocol connection method uri host via client "
                                            "length address")

        def requests():
            lines = (folder / "access.log").read_text().splitlines()
            return [row(*line.split("|")) for line in lines]

        yield lab(port, folder, (cert, key), folder / "access.log", proxies, trusted,
                  trusted.issue("client", "DNS:client.test"), requests)
    finally:
        for server in servers:
            server.kill()
            server.wait()
        output.close()


def plan_for(lab, kind, rate=100, seconds=0.5, connections=2, way=None, **more):
    plan = make_plan([lab.port[kind]], rate=rate, seconds=seconds, connections=connections,
                     threads=1, engine="curl", maxLateNs=int(2e9))
    if kind != "plain":
        plan["tls"] = tls(lab)
    if way is not None:
        plan["proxy"] = lab.proxies[way]
    return plan | more


@contextlib.contextmanager
def behind(lab, server, way):
    """A plan for a server of the test's, directly or behind TLS and a proxy that is behind TLS."""
    if way is None:
        yield plan_for(lab, "plain", targets=[{"address": "127.0.0.1", "port": server.port}])
        return
    front = subprocess.Popen(tls_end(lab.port["front"], lab.cert, server.port),
                             stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(lab.port["front"]), 20, "socat listens")
        yield plan_for(lab, "front", way=way)
    finally:
        front.kill()
        front.wait()


@pytest.mark.parametrize("kind, http2, way", [
    ("plain", False, None), ("h1", False, None), ("h2", True, None), ("h2", False, "tunnel"),
    ("h2", True, "tunnel"), ("h2", True, "login"), ("plain", False, "socks"), ("h2", True, "socks"),
    ("h2", False, "over-tls"), ("h2", True, "over-tls")])
def test_requests_are_answered(lab, load, kind, http2, way):
    before = len(lab.requests())
    one = load.finish(plan_for(lab, kind, http2=http2, way=way))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 50, result["notes"]
    seen = lab.requests()[before:]
    assert {(r.protocol, r.host, r.uri) for r in seen} == {
        ("HTTP/2.0" if http2 else "HTTP/1.1", "test.example", "/")} and len(seen) == 50
    histograms = one.histograms()
    made = total(histograms["steady/-/connect"])
    assert 1 <= len({r.connection for r in seen}) <= made <= 2
    assert 0 < quantile(histograms["steady/-/connect"], 1) < 2e9
    assert quantile(histograms["steady/home/service"], 0.5) >= quantile(
        histograms["steady/home/first-byte"], 0.5) > 0
    if kind != "plain":
        assert result["tls"]["handshakes"] == total(histograms["steady/-/tls"]) == made
        assert result["tls"]["protocol"].startswith("TLSv1.3 ")
        assert result["tls"]["verified"] == str(lab.trusted.cert)
    assert result["total"]["bytesIn"] > 50 * len("hello")
    assert result["total"]["bytesOut"] > 50 * 10  # HPACK


def test_streams_share_connections(lab, load):
    """All at once, so that the first two connections must take ten streams each."""
    before = len(lab.requests())
    burst = {"rate": 0.0, "stages": [{"lengthNs": int(0.5e9), "from": 0.0, "to": 0.0, "burst": 20,
                                      "everyNs": int(0.1e9)}]}
    result = check_sums(load.finish(plan_for(lab, "h2", http2=True, streams=10, **burst)))
    assert result["total"]["ok"] == result["total"]["intended"] == 100, result["notes"]
    uses = collections.Counter(r.connection for r in lab.requests()[before:])
    assert len(uses) == 2 and min(uses.values()) >= 20


@pytest.mark.parametrize("kind, http2, way", [("plain", False, "socks"), ("h2", False, "tunnel"),
                                              ("h2", False, "over-tls"), ("h2", True, "over-tls")])
def test_large_responses(lab, load, kind, http2, way):
    """Which lie in several records of TLS, within records of the proxy's."""
    routes = [{"name": "big", "method": "GET", "path": "/big", "body": None, "headers": [],
               "weight": 1}]
    result = check_sums(load.finish(plan_for(lab, kind, http2=http2, way=way, routes=routes)))
    assert result["total"]["ok"] == 50, result["notes"]
    assert result["total"]["bytesIn"] > 50 * BIG


def test_a_target_without_http2_is_named(lab, load):
    note = only(check_sums(load.finish(plan_for(lab, "h1", http2=True))), "not_http2", 50)
    assert "ALPN" in note


@pytest.mark.parametrize("http2", [False, True])
def test_unix_socket(lab, load, http2):
    before = len(lab.requests())
    sock = lab.folder / ("h2c" if http2 else "sock")
    plan = plan_for(lab, "plain", unixSocket=str(sock), http2=http2,
                    targets=[{"address": "any.name", "port": 80}])
    del plan["engine"]  # there is but one that can
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == 50
    assert {r.address for r in lab.requests()[before:]} == {f"unix:{sock}"}
    gone = only(check_sums(load.finish(plan | {"unixSocket": "/nowhere/sock"})), "refused", 50)
    assert "nobody listens" in gone


def test_a_proxy_is_asked(lab, load):
    """In the clear, for each request. tinyproxy ends every connection without saying so: some
    requests may meet one on its way out."""
    before = len(lab.requests())
    result = check_sums(load.finish(plan_for(lab, "plain", rate=20, way="tunnel")))
    assert result["total"]["ok"] + result["total"]["failed"]["reset"] == 10
    assert result["total"]["ok"] >= 5, result["notes"]
    assert all(r.via and r.uri == "/" for r in lab.requests()[before:])
    allowed = check_sums(load.finish(plan_for(lab, "plain", rate=20, way="login")))
    assert allowed["total"]["ok"] >= 5, allowed["notes"]
    without = lab.proxies["login"].replace("j%6F:p%73@", "")
    denied = check_sums(load.finish(plan_for(lab, "plain", rate=20, proxy=without)))
    assert denied["total"]["ok"] == 0 and denied["total"]["failed"]["http_4xx"] >= 5  # 407


def test_many_connections(lab, load):
    """More than are made at once."""
    one = load.finish(plan_for(lab, "plain", rate=500, connections=150, way="socks"))
    assert check_sums(one)["total"]["ok"] == 250
    assert total(one.histograms()["steady/-/connect"]) == 150


@pytest.mark.parametrize("kind, way, unix", [("plain", None, True), ("h2", "tunnel", False),
                                             ("plain", "socks", False)])
def test_flows(lab, load, kind, way, unix):
    plan = plan_for(lab, kind, way=way, routes=[], rate=40,
                    flows=[flow(step("one", "/1"), step("two", "/2"))])
    if unix:
        plan["unixSocket"] = str(lab.folder / "sock")
    before = len(lab.requests())
    result = check_sums(load.finish(plan))
    assert check_flow(result, "life", ["one", "two"]) == 20 and failed(result["total"]) == 0
    seen = collections.Counter(r.uri for r in lab.requests()[before:])
    assert seen == {"/1": 20, "/2": 20}


def test_what_can_go_wrong_with_a_proxy(lab, load):
    """It lets nobody through to this port, is not there, or has a name that is none (of which no
    name server need be asked: a label has at most 63 letters)."""
    for way in ("tunnel", "over-tls"):
        refused = load.finish(plan_for(lab, "h1", way=way))
        assert "the proxy did not connect" in only(check_sums(refused), "proxy", 50)
    for scheme in ("http", "https", "socks5"):
        gone = load.finish(plan_for(lab, "plain", proxy=f"{scheme}://127.0.0.1:{closed_port()}"))
        assert "the first to the proxy: nobody listens" in only(check_sums(gone), "refused", 50)
    named = check_sums(load.finish(plan_for(lab, "plain", proxy=f"http://{'x' * 64}.test:1")))
    assert "did not resolve" in only(named, "dns", 50)
    assert named["total"]["failed"]["dns"] == 50 and named["total"]["failed"]["connect"] == 0


def test_a_proxy_that_says_nothing(serve, lab, load):
    server = serve(lambda peer, head: None)
    result = check_sums(load.finish(plan_for(lab, "h1", proxy=f"http://127.0.0.1:{server.port}",
                                             seconds=1, timeoutNs=int(0.3e9))))
    assert "connect_timeout" in only(result, "connect_timeout", 100)
    assert server.requests > 2


@pytest.mark.parametrize("way", [None, "over-tls"])
def test_certificates(lab, load, way):
    note = only(check_sums(load.finish(plan_for(lab, "wrong", http2=True, way=way))), "tls", 50)
    assert "squall.test" in note and "certificate" in note.lower()
    result = check_sums(load.finish(plan_for(lab, "wrong", http2=True, way=way,
                                             tls=tls(lab, ca=False, insecure=True))))
    assert result["total"]["ok"] == 50 and result["tls"]["verified"] == "nothing"
    assert "INSECURE" in result["notes"][0]
    result = check_sums(load.finish(plan_for(lab, "client", http2=True, way=way,
                                             tls=tls(lab, cert=lab.client))))
    assert result["total"]["ok"] == 50 and lab.requests()[-1].client == "CN=client"
    result = check_sums(load.finish(plan_for(lab, "client", http2=True, way=way)))
    assert result["total"]["failed"]["http_4xx"] == 50


@pytest.mark.parametrize("way", [None, "over-tls"])
def test_a_file_for_tls_that_cannot_be_used(lab, load, tmp_path, way):
    bad = tmp_path / "not.pem"
    bad.write_text("hello")
    one = load(plan_for(lab, "h2", way=way, tls=tls(lab) | {"caFile": str(bad)}))
    code, _ = one.wait()
    assert code == 2 and str(bad) in one.stderr()


ROUTES = [
    {"name": "get", "method": "GET", "path": "/a?n={{seq}}", "body": None,
     "headers": ["X-Number: {{seq}}", "Accept: text/x", "X-Empty:"], "weight": 1},
    {"name": "post", "method": "POST", "path": "/b", "body": "n={{seq}}", "headers": [],
     "weight": 1},
    {"name": "none", "method": "PUT", "path": "/c", "body": None,
     "headers": ["Content-Type: text/plain"], "weight": 1},
    {"name": "head", "method": "HEAD", "path": "/d", "body": None, "headers": [], "weight": 1},
    {"name": "delete", "method": "DELETE", "path": "/e", "body": "x", "headers": [], "weight": 1},
    {"name": "as-it-is", "method": "PATCH", "path": "/f/../g/./h", "body": None,
     "headers": ["X-Last:", "Host: other.example:81", "User-Agent:"], "weight": 1},
]


def test_all_ways_send_the_same(serve, lab, load):
    """The same request lines, headers (in any order) and bodies, {{fields}} filled in alike. Who is
    asked as a proxy is told of which target, and that the connection may be kept."""
    seen = collections.defaultdict(list)
    way = ""

    def behave(peer, head):
        lines = head.decode().split("\r\n")
        length = next((int(h.split(":")[1]) for h in lines if h.startswith("Content-Length")), 0)
        body, peer.seen = peer.seen[:length], peer.seen[length:]
        assert len(body) == length, "in one piece, so small it is"
        seen[way].append((lines[0], *sorted(lines[1:]), body))
        peer.send(OK if not lines[0].startswith("HEAD") else OK[:-2])

    server = serve(behave)
    more = {"rate": 200, "connections": 2, "routes": ROUTES}
    targets = [{"address": "one.test", "port": 80}, {"address": "::2", "port": 81}]
    for way in ("native", "curl", "over-tls", "asked"):
        with behind(lab, server, "over-tls" if way == "over-tls" else None) as plan:
            plan |= more | {"engine": "native" if way == "native" else "curl"}
            if way == "asked":
                plan |= {"targets": targets, "proxy": f"http://a:b@127.0.0.1:{server.port}"}
            assert check_sums(load.finish(plan))["total"]["ok"] == 100
    assert sorted(seen["curl"]) == sorted(seen["native"]) == sorted(seen["over-tls"])
    assert len({request[0].split()[0] for request in seen["curl"]}) == len(ROUTES)
    origins = {request[0].split()[1].split("/")[2] for request in seen["asked"]}
    assert origins == {"one.test:80", "[::2]:81"}
    extra = {"Proxy-Connection: Keep-Alive", "Proxy-Authorization: Basic YTpi"}
    assert all(extra <= set(request) for request in seen["asked"])
    assert sorted((re.sub("http://[^/]*", "", request[0]),
                   *[line for line in request[1:] if line not in extra])
                  for request in seen["asked"]) == sorted(seen["native"])


@pytest.mark.parametrize("way", [None, "over-tls"])
def test_uploads_are_streamed(lab, load, tmp_path, way):
    (tmp_path / "big").write_bytes(bytes(UPLOAD))
    before = len(lab.requests())
    route = {"name": "up", "method": "POST", "path": "/up", "body": None,
             "bodyFile": str(tmp_path / "big"), "headers": [], "weight": 1}
    result = check_sums(load.finish(plan_for(lab, "h2", rate=10, http2=True, way=way,
                                             routes=[route], timeoutNs=int(10e9))))
    assert result["total"]["ok"] == 5 and result["total"]["bytesOut"] > 5 * UPLOAD
    seen = [r for r in lab.requests()[before:] if r.protocol == "HTTP/2.0"]
    assert [r.length for r in seen] == [str(UPLOAD)] * 5


def test_refused(load):
    note = only(check_sums(load.finish(make_plan([closed_port()], seconds=0.4, engine="curl"))),
                "refused", 80)
    assert "is the service up" in note


@pytest.mark.parametrize("way", [None, "over-tls"])
def test_no_request_is_sent_twice(serve, lab, load, way):
    """A server that takes the second request on a connection and hangs up. libcurl would send it
    again on a new connection, unseen: one failure less, one request more."""
    def behave(peer, head):
        if peer.asked == 1:
            peer.send(OK)
        else:
            peer.transport.close()

    server = serve(behave)
    with behind(lab, server, way) as plan:
        result = check_sums(load.finish(plan | {"rate": 20, "durationNs": int(2e9),
                                                "connections": 1}))
    closed, ok = result["total"]["causes"]["closed"], result["total"]["ok"]
    assert server.requests == result["total"]["sent"] == closed + ok, result["notes"]
    # Each connection is made by two handshakes and four processes: some requests may be missed.
    assert closed == ok == 20 if way is None else closed >= 5 and 0 <= ok - closed <= 1


@pytest.mark.parametrize("way", [None, "over-tls"])
def test_silent_stalled_and_nonsense(serve, lab, load, way):
    def behave(peer, head):
        if head.startswith(b"GET /stalled"):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        elif head.startswith(b"GET /protocol"):
            peer.send(b"220 mail.test ESMTP\r\n")
        elif head.startswith(b"GET /chunk"):
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    server = serve(behave)
    routes = [{"name": name, "method": "GET", "path": "/" + name, "body": None, "headers": [],
               "weight": 1} for name in ("stalled", "silent", "protocol", "chunk")]
    with behind(lab, server, way) as plan:
        result = check_sums(load.finish(plan | {"rate": 60, "connections": 40, "routes": routes,
                                                "timeoutNs": int(1.5e9)}))
    for part in result["parts"]:
        nonsense = part["route"] in ("protocol", "chunk")
        failures = part["counts"]["failed" if nonsense else "causes"]
        assert failures["protocol" if nonsense else part["route"]] == part["counts"]["sent"] > 0, result["notes"]
    assert failed(result["total"]) == 30


def test_the_command_line(lab):
    before = len(lab.requests())
    done = run("squall", "load", "-q", "--json", "-r", "100", "-d", "0.5", "-c", "1", "--arrivals",
               "constant", "--http2", "--max-concurrent-streams", "3", "-x", lab.proxies["tunnel"],
               "--ca-file", lab.trusted.cert, "--max-late", "2",
               f"https://127.0.0.1:{lab.port['h2']}/q")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 50
    seen = lab.requests()[before:]
    assert {(r.protocol, r.uri) for r in seen} == {("HTTP/2.0", "/q")} and len(seen) == 50
    for args, word in [(["--http2", "-x", "https://p:1", "http://127.0.0.1:1/"], "over TLS only"),
                       (["--engine", "native", "-x", "http://p:1", "http://h/"], "native"),
                       (["--http2", "--streams", "2", "-x", "https://p:1", "https://h/"], "one req"),
                       (["--streams", "2", "http://h/"], "HTTP/2")]:
        done = run("squall", "load", "-r", "1", *args)
        assert done.returncode == 2 and word in done.stderr, done.stderr
