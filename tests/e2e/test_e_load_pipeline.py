# SPDX-License-Identifier: Apache-2.0
"""Several requests under way on one connection: HTTP/1.1 on a real nginx, commands on a real Redis."""

import re
import shutil

import pytest

from load_lab import check_sums, failed, load, make_plan, total  # noqa: F401 (a fixture)
from test_e_load_failures import only
from test_e_load_redis import plan_for, redis, route  # noqa: F401 (a fixture)
from tls_lab import Authority, Nginx

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None or
                                shutil.which("redis-server") is None,
                                reason="nginx-light and redis-server are needed")


@pytest.fixture
def web(tmp_path):
    """Two sites: one that keeps connections, and one that ends each behind its tenth response.
    .served(n): what its access log has of them."""
    tmp_path.chmod(0o755)
    authority = Authority(tmp_path)
    cert = authority.issue("web", "IP:127.0.0.1")
    logs = [tmp_path / f"access{i}.log" for i in range(2)]
    one = Nginx(tmp_path / "nginx", [(*cert, f"access_log {logs[0]};"),
                                     (*cert, f"access_log {logs[1]}; keepalive_requests 10;")])
    one.authority = authority
    one.served = lambda site: logs[site].read_text().splitlines()
    yield one
    one.close()


def web_plan(web, site, **more):
    tls = {"serverName": "127.0.0.1", "caFile": str(web.authority.cert), "certFile": None,
           "keyFile": None, "insecure": False}
    paths = [{"name": "get", "method": "GET", "path": "/{{seq}}"},
             {"name": "head", "method": "HEAD", "path": "/"}]
    routes = [{"body": None, "headers": [], "weight": 1} | path for path in paths]
    return make_plan([web.ports[site]], rate=400, seconds=0.5, connections=2, threads=2, tls=tls,
                     routes=routes, maxLateNs=int(2e9), pipeline=8) | more


def test_http_in_the_order_of_the_requests(web, load):
    """GET and HEAD mixed, whose responses look alike and end differently."""
    one = load.finish(web_plan(web, 0))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 200 == len(web.served(0))
    parts = {p["route"]: p["counts"]["ok"] for p in result["parts"]}
    seen = {m: sum(f'"{m} /' in line for line in web.served(0)) for m in ("GET", "HEAD")}
    assert seen == {"GET": parts["get"], "HEAD": parts["head"]} and min(parts.values()) > 50
    numbers = {re.search(r"GET /(\d{12}) ", line)[1] for line in web.served(0) if '"GET' in line}
    assert len(numbers) == parts["get"]
    assert total(one.histograms()["steady/-/connect"]) == 2


def test_a_response_that_is_its_connections_last(web, load):
    """What was sent behind it is counted by name and not sent again."""
    one = load.finish(web_plan(web, 1, users={
        "stages": [{"lengthNs": int(30e9), "from": 8.0, "to": 8.0, "burst": 0, "everyNs": 0}],
        "iterations": 300, "iterationsEach": 0, "think": "none", "thinkANs": 0, "thinkBNs": 0},
        rate=0, durationNs=int(30e9), connections=1, threads=1))
    result = check_sums(one)
    behind = result["total"]["causes"]["behind"]
    only(result, "behind", behind)
    assert result["total"]["sent"] == 300 and behind > 20
    assert result["total"]["ok"] == len(web.served(1)) == 300 - behind
    assert total(one.histograms()["steady/-/connect"]) >= result["total"]["ok"] // 10


def test_redis_counts_the_same(redis, load):
    """Also where some replies are errors."""
    redis.ask("SET", "text", "x")
    redis.ask("CONFIG", "RESETSTAT")
    one = load.finish(plan_for(redis, route("set", "SET key:{{seq}} {{rand}}"),
                               route("bad", "INCR text"), rate=1000, connections=1, threads=1,
                               pipeline=32))
    result = check_sums(one)
    parts = {p["route"]: p["counts"] for p in result["parts"]}
    only(result, "error_reply", parts["bad"]["sent"])
    assert parts["set"]["ok"] == parts["set"]["sent"] == int(redis.ask("DBSIZE")) - 1 > 100
    stats = redis.ask("INFO", "commandstats")
    assert f"cmdstat_set:calls={parts['set']['ok']}," in stats
    assert f"cmdstat_incr:calls={parts['bad']['sent']}," in stats
    assert parts["set"]["bytesIn"] == parts["set"]["ok"] * len("+OK\r\n")
    assert total(one.histograms()["steady/-/connect"]) == 1


def test_a_command_that_blocks_those_behind_it(redis, load):
    """Its connection is replaced when its time is over."""
    plan = plan_for(redis, route("wait", "BLPOP nothing 0"), rate=40, seconds=0.2, connections=1,
                    threads=1, pipeline=8, timeoutNs=int(0.5e9))
    result = check_sums(load.finish(plan))
    causes = {name: n for name, n in result["total"]["causes"].items() if n}
    assert set(causes) == {"silent", "behind"} and failed(result["total"]) == 8, causes
    assert causes["silent"] == 1
