# SPDX-License-Identifier: Apache-2.0
"""Load over TLS: real nginx and openssl s_server, with certificates that are good and bad."""

import json
import os
import socket
import subprocess
import time

import pytest

from conftest import BIN, run, wait_until
from services import free_port
from load_lab import check_sums, load, make_plan, quantile, total  # noqa: F401 (a fixture)
from load_scenario import Run
from tls_lab import Authority, Nginx

CLOSING = "keepalive_requests 5;"


def extensions(hello):
    """Of a TLS record with a ClientHello (RFC 8446, section 4.1.2): number -> bytes."""
    assert hello[0] == 22 and hello[5] == 1, hello[:6]
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # session
    at += 2 + int.from_bytes(hello[at:at + 2], "big")  # cipher suites
    at += 1 + hello[at]  # compression
    end = at + 2 + int.from_bytes(hello[at:at + 2], "big")
    found, at = {}, at + 2
    while at < end:
        size = int.from_bytes(hello[at + 2:at + 4], "big")
        found[int.from_bytes(hello[at:at + 2], "big")] = hello[at + 4:at + 4 + size]
        at += 4 + size
    return found


def first_record(peer):
    """b"": it ended before."""
    record = b""
    while len(record) < 5 or len(record) < 5 + int.from_bytes(record[3:5], "big"):
        more = peer.recv(4096)
        if not more:
            return b""
        record += more
    return record


ALPN = 16
HTTP1 = b"\x08http/1.1"


@pytest.mark.parametrize("scheme, words, offered", [
    ("https", [], HTTP1), ("https", ["--pipeline", "2"], HTTP1),
    ("https", ["--http2"], b"\x02h2" + HTTP1), ("https", ["--engine", "curl"], HTTP1),
    ("rediss", [], None), ("rediss", ["--pipeline", "2"], None), ("tls", ["-b", "x\n"], None),
    ("amqps", ["--publish", "q"], None)])
def test_only_http_is_offered_as_http(scheme, words, offered):
    """By ALPN: what has no name there offers none, for a server that knows others would be right to
    refuse (RFC 7301, section 3.2)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen([BIN / "squall", "load", "-q", "-r", "20", "-d", "60", "-c", "1",
                                    *words, url], stdout=subprocess.DEVNULL)
        try:
            hello = b""
            while not hello:
                peer, _ = listener.accept()  # the first may only be to find an address that answers
                with peer:
                    peer.settimeout(20)
                    hello = first_record(peer)
        finally:
            process.kill()
            process.wait()
    found = extensions(hello).get(ALPN)
    assert found == (None if offered is None else len(offered).to_bytes(2, "big") + offered)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One nginx with a port for each kind of certificate."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    trusted, stranger = Authority(folder), Authority(folder, "stranger")
    good = trusted.issue("good", "DNS:squall.test,IP:127.0.0.1")
    (folder / "records").write_bytes(b"x" * 100_000)
    kinds = {
        "good": (*good, CLOSING + "ssl_protocols TLSv1.3;"),
        "tls12": (*good, CLOSING + "ssl_protocols TLSv1.2; ssl_session_cache shared:s:1m;"),
        "wrong-host": (*trusted.issue("other", "DNS:other.test,DNS:another.test"), ""),
        "expired": (*trusted.issue("expired", "DNS:squall.test", days=-1), ""),
        "untrusted": (*stranger.issue("unknown", "DNS:squall.test"), ""),
        "records": (*good, "ssl_buffer_size 256;"
                           f"location /records {{ root {folder}; }}"),
        "client": (*good, f"ssl_client_certificate {trusted.cert}; ssl_verify_client on;"),
    }
    nginx = Nginx(folder / "nginx", list(kinds.values()))
    nginx.port = dict(zip(kinds, nginx.ports))
    nginx.trusted = trusted
    nginx.client = trusted.issue("client", "DNS:client.test")
    nginx.foreign = stranger.issue("foreign", "DNS:client.test")
    yield nginx
    nginx.close()


def tls(lab, name="squall.test", cert=None, insecure=False, ca=True):
    return {"serverName": name, "caFile": str(lab.trusted.cert) if ca else None,
            "certFile": cert and str(cert[0]), "keyFile": cert and str(cert[1]),
            "insecure": insecure}


def plan_for(lab, kind, rate=100, seconds=0.5, connections=2, **more):
    return make_plan([lab.port[kind]], rate=rate, seconds=seconds, connections=connections,
                     threads=1, tls=tls(lab, **more))


@pytest.mark.parametrize("kind, protocol", [("good", "TLSv1.3"), ("tls12", "TLSv1.2")])
def test_requests_are_answered_and_sessions_resumed(lab, load, kind, protocol):
    """The server ends a connection after five requests, so that twenty are made; it says itself
    which of them took up an earlier session."""
    before = len(lab.requests())
    one = load.finish(plan_for(lab, kind))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 50
    seen = lab.requests()[before:]
    assert {(r.protocol, r.server_name, r.alpn) for r in seen} == {
        (protocol, "squall.test", "http/1.1")}
    connections = {r.connection: r.reused for r in seen}
    resumed = [reused == "r" for reused in connections.values()]
    # Not all: two began at once, and a connection may be made before the ticket has come.
    assert len(resumed) >= 10 and sum(resumed) > len(resumed) / 2 + 1
    assert result["tls"]["handshakes"] >= result["tls"]["resumed"] >= sum(resumed)
    assert result["tls"]["protocol"].startswith(protocol + " ")
    assert result["tls"]["verified"] == str(lab.trusted.cert)
    assert result.get("notes", []) == []
    histograms = one.histograms()
    assert total(histograms["steady/-/tls"]) == result["tls"]["handshakes"]
    assert total(histograms["steady/-/connect"]) >= result["tls"]["handshakes"]
    assert quantile(histograms["steady/-/tls"], 1) < 1


@pytest.mark.parametrize("kind, name, words", [
    ("wrong-host", "squall.test", ["certificate of squall.test is not trusted", "mismatch",
                                   "other.test, another.test", "use a name that it has"]),
    ("wrong-host", "127.0.0.1", ["certificate of 127.0.0.1 is not trusted", "IP address mismatch"]),
    ("expired", "squall.test", ["certificate of squall.test is not trusted", "expired",
                                "renew it"]),
    ("untrusted", "squall.test", ["certificate of squall.test is not trusted",
                                  "name the authority"]),
])
def test_bad_certificates_are_named(lab, load, kind, name, words):
    one = load.finish(plan_for(lab, kind, name=name))
    result = check_sums(one)
    assert result["total"]["ok"] == 0
    assert result["total"]["failed"]["connect"] == result["total"]["causes"]["tls"] == 50
    (note,) = result["notes"]
    for word in ["connect (tls): 50 requests", f"127.0.0.1:{lab.port[kind]}", *words]:
        assert word in note
    assert result["tls"]["handshakes"] == 0 and result["tls"]["protocol"] is None
    # None of it was sent to somebody who is not the target.
    assert result["total"]["bytesIn"] == 0


def test_insecure_takes_any_certificate_and_says_so(lab, load):
    for kind in ("wrong-host", "expired", "untrusted"):
        result = check_sums(load.finish(plan_for(lab, kind, ca=False, insecure=True)))
        assert result["total"]["ok"] == 50
        assert result["tls"]["verified"] == "nothing"
        assert "INSECURE: TLS certificates were not verified" in result["notes"][0]


def test_an_address_in_the_certificate(lab, load):
    result = check_sums(load.finish(plan_for(lab, "good", name="127.0.0.1")))
    assert result["total"]["ok"] == 50
    assert lab.requests()[-1].server_name == "-", "no literal address in SNI"


def test_client_certificates(lab, load):
    """nginx lets everybody in and answers 400 to those without."""
    result = check_sums(load.finish(plan_for(lab, "client", cert=lab.client)))
    assert result["total"]["ok"] == 50 and lab.requests()[-1].client == "CN=client"
    for cert in (None, lab.foreign):
        result = check_sums(load.finish(plan_for(lab, "client", cert=cert)))
        assert result["total"]["failed"]["http_4xx"] == 50


@pytest.fixture
def s_server(lab, tmp_path):
    """openssl s_server, which refuses clients by an alert."""
    started = []

    def start(*args):
        port = free_port()
        log = open(tmp_path / "s_server", "ab")
        started.append((subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
             lab.trusted.folder / "good.pem", "-key", lab.trusted.folder / "good.key", "-www",
             "-quiet", *map(str, args)], stdin=subprocess.DEVNULL, stdout=log, stderr=log), log))

        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, 10, "s_server listens")
        return port

    yield start
    for process, log in started:
        process.kill()
        process.wait()
        log.close()


@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_a_server_that_refuses_clients_without_certificate(lab, load, s_server, version):
    """With TLS 1.3 its alert comes when the handshake is over for the client."""
    port = s_server(version, "-CAfile", lab.trusted.cert, "-Verify", 2, "-verify_return_error")
    plan = make_plan([port], rate=50, seconds=0.5, connections=1, timeout=0.4, threads=1,
                     tls=tls(lab))
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == 0
    assert result["total"]["causes"]["tls"] > 5
    note = next(n for n in result["notes"] if n.startswith("connect (tls)"))
    assert "does it ask for a client certificate?" in note
    plan["tls"] = tls(lab, cert=lab.client)
    assert check_sums(load.finish(plan))["total"]["ok"] > 0


def test_a_certificate_that_is_refused_while_nobody_asks(lab, load, s_server):
    """The alert comes on an idle connection; the one request then finds none, and is told why."""
    port = s_server("-tls1_3", "-CAfile", lab.trusted.cert, "-Verify", 2, "-verify_return_error")
    result = check_sums(load.finish(make_plan([port], rate=2, seconds=0.4, connections=1,
                                              timeout=0.4, threads=1, tls=tls(lab))))
    assert result["total"]["causes"]["tls"] == result["total"]["intended"] == 1


def test_bytes_that_wait_in_the_record_layer(lab, load):
    """A response of 400 small records, of which one read takes dozens from the socket: no readiness
    is reported for those."""
    routes = [{"name": "records", "method": "GET", "path": "/records", "body": None, "headers": [],
               "weight": 1}]
    plan = plan_for(lab, "records", rate=200, connections=4)
    result = check_sums(load.finish({**plan, "routes": routes}))
    assert result["total"]["ok"] == 100
    assert result["total"]["bytesIn"] > 100 * 100_000


def test_no_tls_on_the_other_side(load, lab):
    """Neither a server without TLS nor one that says nothing is waited for for ever."""
    begin = time.monotonic()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        plan = make_plan([silent.getsockname()[1]], rate=50, seconds=0.5, connections=2,
                         timeout=0.4, threads=1, tls=tls(lab))
        result = check_sums(load.finish(plan))
    assert result["total"]["causes"]["connect_timeout"] > 0 and result["total"]["ok"] == 0
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("change, words", [
    ({"caFile": "/no/such"}, ["CA file", "/no/such"]),
    ({"certFile": "/no/such", "keyFile": "/no/such"}, ["client certificate", "/no/such"]),
    ({"certFile": "/c", "keyFile": None}, ["certFile and keyFile"]),
])
def test_bad_files(lab, load, change, words):
    one = load(make_plan([1], tls={**tls(lab), **change}))
    code, lines = one.wait()
    assert code == 2, one.stderr()
    for word in words:
        assert word in lines[-1]["message"]


needs_squall = pytest.mark.skipif(not os.access(BIN / "squall", os.X_OK),
                                  reason="squall is not built")


@needs_squall
def test_ad_hoc(lab):
    url = f"https://127.0.0.1:{lab.port['good']}/"
    common = ["-r", "100", "-c", "2", "-d", "0.5", "--arrivals", "constant", "-q"]
    done = run("squall", "load", url, *common, "--ca-file", lab.trusted.cert)
    assert done.returncode in (0, 3), done.stderr
    assert "50 ok, 0 failed" in done.stdout and "INSECURE" not in done.stdout
    assert "TLS        TLSv1.3" in done.stdout and "first-byte" in done.stdout
    done = run("squall", "load", url, *common)
    assert done.returncode == 3
    assert "connect 50 (tls 50)" in done.stdout
    assert "note: connect (tls)" in done.stdout and "name the authority" in done.stdout
    done = run("squall", "load", url, *common, "--insecure", "--json")
    value = json.loads(done.stdout)
    assert value["tls"]["verified"] == "nothing" and "INSECURE" in value["notes"][0]
    assert value["latency"]["tls"]["count"] == value["tls"]["handshakes"]
    done = run("squall", "load", url, *common, "-k")
    assert "note: INSECURE" in done.stdout


@needs_squall
def test_a_scenario(lab, tmp_path):
    """Its checks and its load both trust what it says, and nothing else."""
    def outcome(**tls):
        return Run(tmp_path, url=f"https://127.0.0.1:{lab.port['good']}", target={"tls": tls},
                   routes=[{"name": "root", "path": "/"}],
                   steadyState={"for": "100ms", "within": "1s",
                                "checks": [{"name": "root", "path": "/"}]})

    outcome(caFile=str(lab.trusted.cert)).expect(0)
    one = outcome(caFile=str(lab.client[0])).expect(4)
    assert "steady" in one.output and "certificate" in one.output
    one = outcome(verify="none").expect(0)
    assert "INSECURE: TLS certificates were not verified" in one.report()
    assert one.load()["tls"]["verified"] == "nothing"
