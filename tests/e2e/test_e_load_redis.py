# SPDX-License-Identifier: Apache-2.0
"""Load on a real redis-server: commands, error replies, and everything that breaks under them."""

import json
import shutil
import signal

import pytest

from conftest import run
from load_lab import check_sums, failed, load, make_plan, quantile, total  # noqa: F401 (a fixture)
from load_scenario import Run
from test_e_load_cluster import Redis
from test_e_load_failures import only
from tls_lab import Authority, Nginx

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="redis-server is not installed")

@pytest.fixture
def redis(tmp_path):
    one = Redis(tmp_path, ["127.0.0.1"])
    yield one
    one.close()


def route(name, command, weight=1):
    return {"name": name, "method": "GET", "path": "/", "body": command, "headers": [],
            "weight": weight}


def plan_for(redis, *routes, rate=200, seconds=0.5, **more):
    return make_plan([getattr(redis, "port", None) or redis.ports[0]], rate=rate, seconds=seconds, connections=4, threads=2,
                     protocol="redis", routes=list(routes), maxLateNs=int(2e9)) | more


def test_commands_arrive_as_they_were_written(redis, load):
    one = load.finish(plan_for(redis, route("set", 'SET "key {{seq}}" "a \\"b\\""'),
                               route("get", "LRANGE nothing 0 10")))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    sets = next(p["counts"]["ok"] for p in result["parts"] if p["route"] == "set")
    assert redis.ask("DBSIZE") == str(sets) and 20 < sets < 80
    keys = redis.ask("KEYS", "key 0000000000??").splitlines()
    assert len(keys) == sets and {redis.ask("GET", k) for k in keys[:3]} == {'a "b"'}
    assert result["total"]["bytesIn"] == sets * len("+OK\r\n") + (100 - sets) * len("*0\r\n")
    histograms = one.histograms()
    assert total(histograms["steady/-/connect"]) == 4
    assert 0 < quantile(histograms["steady/set/service"], 0.5) < 1


def test_error_replies_are_a_class_of_their_own(redis, load):
    redis.ask("SET", "text", "x")
    note = only(check_sums(load.finish(plan_for(redis, route("bad", "INCR text")))),
                "error_reply", 100)
    assert "ERR value is not an integer" in note


def test_a_large_reply_and_a_slow_one(redis, load):
    redis.ask("SETRANGE", "big", "1000000", "x")
    result = check_sums(load.finish(plan_for(redis, route("get", "GET big"), rate=20)))
    assert result["total"]["ok"] == 10 and result["total"]["bytesIn"] > 10 * 1_000_000
    result = load.finish(plan_for(redis, route("wait", "BLPOP nothing 0"), rate=20,
                                  timeoutNs=int(0.2e9)))
    assert check_sums(result)["total"]["causes"]["silent"] == 10


def test_a_server_that_dies(redis, load):
    """Requests in its hands are reset, those after it refused; the run goes on."""
    one = load(plan_for(redis, route("ping", "PING"), rate=400, seconds=60))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    redis.process.send_signal(signal.SIGKILL)
    while one.line("interval")["counts"]["causes"]["refused"] == 0:
        pass
    one.command(type="stop")
    code, _ = one.wait()
    assert code == 0
    result = check_sums(one)
    assert result["total"]["ok"] > 0
    assert failed(result["total"]) == sum(
        result["total"]["causes"][c] for c in ("refused", "reset", "closed", "connect_reset"))


def test_something_that_is_no_redis(tmp_path, load):
    """nginx, which answers by "HTTP/1.1 400"."""
    tmp_path.chmod(0o755)
    authority = Authority(tmp_path)
    nginx = Nginx(tmp_path / "nginx", [(*authority.issue("web", "IP:127.0.0.1"), "")])
    try:
        plan = plan_for(nginx, route("ping", "PING"), rate=50, tls={
            "serverName": "127.0.0.1", "caFile": str(authority.cert), "certFile": None,
            "keyFile": None, "insecure": False})
        result = check_sums(load.finish(plan))
    finally:
        nginx.close()
    assert result["total"]["failed"]["protocol"] == 25, result["notes"]
    assert any('(the first: Protocol error, got "H" as reply type byte)' in note for note in result["notes"])


def test_over_tls_and_by_the_command_line(tmp_path, load):
    authority = Authority(tmp_path)
    redis = Redis(tmp_path, ["127.0.0.1"], authority.issue("redis", "IP:127.0.0.1"))
    try:
        done = run("squall", "load", "-q", "--json", "-r", "100", "-d", "0.5", "-c", "2",
                   "--arrivals", "constant", "--max-late", "2", "--ca-file", authority.cert, "-b",
                   "INCR counter", f"rediss://127.0.0.1:{redis.port}")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["total"]["ok"] == 50 and redis.ask("GET", "counter") == "50"
        assert result["tls"]["handshakes"] == 2
    finally:
        redis.close()


def experiment(redis, folder, get):
    address = f"127.0.0.1:{redis.port}"
    return Run(folder, url=f"redis://{address}",
               routes=[{"name": "set", "command": 'SET "key {{seq}}" {{rand}}', "weight": 3},
                       {"name": "get", "command": get}],
               probes=[{"name": "up", "mode": "before",
                        "redis": {"address": address, "command": ["PING"], "reply": "PONG"}}],
               thresholds=[{"name": "answered", "expect": "errors < 1%"},
                           {"name": "of-a-route", "expect": "p50 < 1s", "route": "set"}])


def test_a_scenario(redis, tmp_path):
    """Passes, and fails where one of the commands is refused by the store: by its threshold."""
    one = experiment(redis, tmp_path, "GET nothing").expect(0)
    sent = {route: counts["ok"] for route, counts in one.routes().items()}
    assert sum(sent.values()) == 100 and sent["set"] > sent["get"]
    assert redis.ask("DBSIZE") == str(sent["set"]), "all of them were carried out"
    assert "100 requests" in one.report()
    redis.ask("SET", "text", "x")
    one = experiment(redis, tmp_path, "INCR text").expect(1)
    assert one.judged()["answered"] == "fail" and one.judged()["of-a-route"] == "pass"
    counts = one.load()["total"]
    assert counts["failed"]["error_reply"] == failed(counts) > 0
    assert "not an integer" in one.report()


def test_a_command_that_does_not_end_is_found_beforehand(redis, tmp_path):
    one = experiment(redis, tmp_path, 'GET "x').expect(2)
    assert one.folder is None
    assert "spec.load.routes[1]: " in one.output and "a quote in it does not end" in one.output
