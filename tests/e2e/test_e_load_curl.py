# SPDX-License-Identifier: Apache-2.0
"""The libcurl engine against real nginx (HTTP/2, unix socket) and a real proxy (tinyproxy): the
same requests, the same records and the same failures by name as the native engine's."""

import collections
import json
import shutil
import socket
import subprocess

import pytest

from conftest import run, wait_until
from services import free_port
from load_lab import (OK, check_sums, closed_port, failed, load, make_plan, quantile,  # noqa: F401
                      serve, total)
from test_e_load_failures import only
from test_e_load_tls import tls
from tls_lab import Authority

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
UPLOAD = 8 << 20


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One nginx: in the clear, TLS with and without HTTP/2, by client certificate, a socket."""
    folder = tmp_path_factory.mktemp("curl")
    folder.chmod(0o755)
    trusted, stranger = Authority(folder), Authority(folder, "stranger")
    cert, key = trusted.issue("good", "DNS:squall.test,IP:127.0.0.1")
    lab = collections.namedtuple("Lab", "port sock log proxy trusted client foreign requests")
    port = {name: free_port() for name in ("plain", "h2", "h1", "client", "wrong")}
    other = trusted.issue("other", "DNS:other.test")
    temps = "".join(f"{kind}_temp_path {folder}/{kind};"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    body = """location / { default_type text/plain; return 200 "hello"; }
              location /up { proxy_pass http://127.0.0.1:%d/; }""" % port["plain"]
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
        listen 127.0.0.1:{port["h1"]} ssl; listen unix:{folder}/sock; {body}
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
    proxy = free_port()
    (folder / "tinyproxy.conf").write_text(
        f"Port {proxy}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\n"
        f"ViaProxyName \"squall\"\nConnectPort {port['h2']}\nLogLevel Info\n")
    output = open(folder / "output", "ab")
    servers = [subprocess.Popen(command, stdout=output, stderr=output) for command in (
        [NGINX, "-p", folder, "-c", folder / "nginx.conf"],
        ["tinyproxy", "-d", "-c", folder / "tinyproxy.conf"])]

    def up():
        assert all(s.poll() is None for s in servers), (folder / "output").read_text()
        with socket.socket() as probe:
            return (folder / "pid").exists() and probe.connect_ex(("127.0.0.1", proxy)) == 0

    try:
        wait_until(up, 20, "nginx and tinyproxy are up")
        row = collections.namedtuple("Row", "protocol connection method uri host via client "
                                            "length address")

        def requests():
            lines = (folder / "access.log").read_text().splitlines()
            return [row(*line.split("|")) for line in lines]

        yield lab(port, folder / "sock", folder / "access.log", f"http://127.0.0.1:{proxy}",
                  trusted, trusted.issue("client", "DNS:client.test"),
                  stranger.issue("foreign", "DNS:client.test"), requests)
    finally:
        for server in servers:
            server.kill()
            server.wait()
        output.close()


def plan_for(lab, kind, rate=100, seconds=0.5, connections=2, **more):
    plan = make_plan([lab.port[kind]], rate=rate, seconds=seconds, connections=connections,
                     threads=1, engine="curl", maxLateNs=int(2e9))
    if kind != "plain":
        plan["tls"] = tls(lab)
    return plan | more


@pytest.mark.parametrize("kind, http2", [("plain", False), ("h1", False), ("h2", True)])
def test_requests_are_answered(lab, load, kind, http2):
    before = len(lab.requests())
    one = load.finish(plan_for(lab, kind, http2=http2))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 50
    seen = lab.requests()[before:]
    assert {(r.protocol, r.host, r.uri) for r in seen} == {
        ("HTTP/2.0" if http2 else "HTTP/1.1", "test.example", "/")} and len(seen) == 50
    made = len({r.connection for r in seen})
    assert 1 <= made <= 2
    histograms = one.histograms()
    assert total(histograms["steady/-/connect"]) == made
    assert quantile(histograms["steady/home/service"], 0.5) >= quantile(
        histograms["steady/home/first-byte"], 0.5) > 0
    if kind != "plain":
        assert result["tls"]["handshakes"] == total(histograms["steady/-/tls"]) == made
        assert result["tls"]["protocol"].startswith("TLSv1.3 ")
        assert result["tls"]["verified"] == str(lab.trusted.cert)
    assert result["total"]["bytesIn"] > 50 * len("hello")
    assert result["total"]["bytesOut"] > 50 * len("GET / test.example")


def test_streams_share_connections(lab, load):
    """All at once, so that the first two connections must take ten streams each."""
    before = len(lab.requests())
    burst = {"rate": 0.0, "stages": [{"lengthNs": int(0.5e9), "from": 0.0, "to": 0.0, "burst": 20,
                                      "everyNs": int(0.1e9)}]}
    result = check_sums(load.finish(plan_for(lab, "h2", http2=True, streams=10, **burst)))
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    uses = collections.Counter(r.connection for r in lab.requests()[before:])
    assert len(uses) == 2 and min(uses.values()) >= 20


def test_a_target_without_http2_is_named(lab, load):
    note = only(check_sums(load.finish(plan_for(lab, "h1", http2=True))), "not_http2", 50)
    assert "ALPN" in note


def test_unix_socket(lab, load):
    before = len(lab.requests())
    plan = plan_for(lab, "plain", unixSocket=str(lab.sock),
                    targets=[{"address": "any.name", "port": 80}])
    del plan["engine"]  # there is but one that can
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == 50
    assert {r.address for r in lab.requests()[before:]} == {f"unix:{lab.sock}"}
    gone = only(check_sums(load.finish(plan | {"unixSocket": "/nowhere/sock"})), "refused", 50)
    assert "nobody listens" in gone


def test_through_a_proxy(lab, load):
    before = len(lab.requests())
    # tinyproxy ends every connection without saying so: some requests may meet one on its way out.
    result = check_sums(load.finish(plan_for(lab, "plain", rate=20, proxy=lab.proxy)))
    assert result["total"]["ok"] + result["total"]["failed"]["reset"] == 10
    assert result["total"]["ok"] >= 5, result["notes"]
    before = len(lab.requests())
    result = check_sums(load.finish(plan_for(lab, "h2", proxy=lab.proxy, http2=True, streams=4)))
    assert result["total"]["ok"] == 50, result["notes"]
    assert {r.protocol for r in lab.requests()[before:]} == {"HTTP/2.0"}


def test_what_can_go_wrong_with_a_proxy(lab, load):
    """It lets nobody through to this port, is not there, or has a name that is none (of which no
    name server need be asked: a label has at most 63 letters)."""
    refused = load.finish(plan_for(lab, "h1", proxy=lab.proxy))
    assert "the proxy did not connect" in only(check_sums(refused), "proxy", 50)
    gone = load.finish(plan_for(lab, "plain", proxy=f"http://127.0.0.1:{closed_port()}"))
    only(check_sums(gone), "refused", 50)
    named = check_sums(load.finish(plan_for(lab, "plain", proxy=f"http://{'x' * 64}.test:1")))
    assert "did not resolve" in only(named, "dns", 50)
    assert named["total"]["failed"]["dns"] == 50 and named["total"]["failed"]["connect"] == 0


def test_certificates(lab, load):
    note = only(check_sums(load.finish(plan_for(lab, "wrong", http2=True))), "tls", 50)
    assert "squall.test" in note and "certificate" in note.lower()
    result = check_sums(load.finish(plan_for(lab, "wrong", http2=True,
                                             tls=tls(lab, ca=False, insecure=True))))
    assert result["total"]["ok"] == 50 and result["tls"]["verified"] == "nothing"
    assert "INSECURE" in result["notes"][0]
    result = check_sums(load.finish(plan_for(lab, "client", http2=True,
                                             tls=tls(lab, cert=lab.client))))
    assert result["total"]["ok"] == 50 and lab.requests()[-1].client == "CN=client"
    result = check_sums(load.finish(plan_for(lab, "client", http2=True)))
    assert result["total"]["failed"]["http_4xx"] == 50


def test_a_file_for_tls_that_cannot_be_used(lab, load, tmp_path):
    bad = tmp_path / "not.pem"
    bad.write_text("hello")
    one = load(plan_for(lab, "h2", tls=tls(lab) | {"caFile": str(bad)}))
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


def test_both_engines_send_the_same(serve, load):
    """The same request lines, headers (in any order) and bodies, {{fields}} filled in alike."""
    seen = collections.defaultdict(list)
    engine = ""

    def behave(peer, head):
        lines = head.decode().split("\r\n")
        length = next((int(h.split(":")[1]) for h in lines if h.startswith("Content-Length")), 0)
        body, peer.seen = peer.seen[:length], peer.seen[length:]
        assert len(body) == length, "in one piece, so small it is"
        seen[engine].append((lines[0], *sorted(lines[1:]), body))
        peer.send(OK if not lines[0].startswith("HEAD") else OK[:-2])

    server = serve(behave)
    for engine in ("native", "curl"):
        plan = make_plan([server.port], rate=200, seconds=0.5, connections=1, threads=1,
                         routes=ROUTES, engine=engine, maxLateNs=int(2e9))
        assert check_sums(load.finish(plan))["total"]["ok"] == 100
    assert sorted(seen["curl"]) == sorted(seen["native"])
    assert len({request[0].split()[0] for request in seen["curl"]}) == len(ROUTES)


def test_uploads_are_streamed(lab, load, tmp_path):
    (tmp_path / "big").write_bytes(bytes(UPLOAD))
    before = len(lab.requests())
    route = {"name": "up", "method": "POST", "path": "/up", "body": None,
             "bodyFile": str(tmp_path / "big"), "headers": [], "weight": 1}
    result = check_sums(load.finish(plan_for(lab, "h2", rate=10, http2=True, streams=5,
                                             routes=[route], timeoutNs=int(10e9))))
    assert result["total"]["ok"] == 5 and result["total"]["bytesOut"] > 5 * UPLOAD
    seen = [r for r in lab.requests()[before:] if r.protocol == "HTTP/2.0"]
    assert [r.length for r in seen] == [str(UPLOAD)] * 5


def test_refused(load):
    note = only(check_sums(load.finish(make_plan([closed_port()], seconds=0.4, engine="curl"))),
                "refused", 80)
    assert "is the service up" in note


def test_no_request_is_sent_twice(serve, load):
    """A server that takes the second request on a connection and hangs up. libcurl would send it
    again on a new connection, unseen: one failure less, one request more."""
    def behave(peer, head):
        if peer.asked == 1:
            peer.send(OK)
        else:
            peer.transport.close()

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=50, seconds=0.8, connections=1,
                                              threads=1, engine="curl")))
    assert result["total"]["causes"]["closed"] == 20 and result["total"]["ok"] == 20, result["notes"]
    assert server.requests == 40 == result["total"]["sent"]


def test_silent_stalled_and_nonsense(serve, load):
    def behave(peer, head):
        if head.startswith(b"GET /stalled"):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        elif head.startswith(b"GET /protocol"):
            peer.send(b"220 mail.test ESMTP\r\n")

    server = serve(behave)
    routes = [{"name": name, "method": "GET", "path": "/" + name, "body": None, "headers": [],
               "weight": 1} for name in ("stalled", "silent", "protocol")]
    result = check_sums(load.finish(make_plan([server.port], rate=60, seconds=0.5, connections=40,
                                              timeout=0.4, routes=routes, engine="curl")))
    for part in result["parts"]:
        kind = "failed" if part["route"] == "protocol" else "causes"
        assert part["counts"][kind][part["route"]] == part["counts"]["sent"] > 0, result["notes"]
    assert failed(result["total"]) == 30


def test_the_command_line(lab):
    before = len(lab.requests())
    done = run("squall", "load", "-q", "--json", "-r", "100", "-d", "0.5", "-c", "1", "--arrivals",
               "constant", "--http2", "--max-concurrent-streams", "3", "-x", lab.proxy,
               "--ca-file", lab.trusted.cert, "--max-late", "2",
               f"https://127.0.0.1:{lab.port['h2']}/q")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 50
    seen = lab.requests()[before:]
    assert {(r.protocol, r.uri) for r in seen} == {("HTTP/2.0", "/q")} and len(seen) == 50
    for args, word in [(["--http2", "--engine", "curl", "http://127.0.0.1:1/"], "over TLS only"),
                       (["--engine", "native", "-x", "http://p:1", "http://h/"], "native"),
                       (["--streams", "2", "http://h/"], "HTTP/2")]:
        done = run("squall", "load", "-r", "1", *args)
        assert done.returncode == 2 and word in done.stderr, done.stderr
