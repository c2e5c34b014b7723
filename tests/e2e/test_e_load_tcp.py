# SPDX-License-Identifier: Apache-2.0
"""Load over plain TCP, on a real redis-server, which takes commands as lines of text ("inline")."""

import json
import shutil

import pytest

from conftest import run
from load_lab import check_sums, failed, load, make_plan, quantile, total  # noqa: F401 (a fixture)
from load_scenario import Run
from test_e_load_cluster import Redis
from test_e_load_failures import only
from test_e_load_redis import redis  # noqa: F401 (a fixture)
from tls_lab import Authority

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="redis-server is not installed")


def plan_for(redis, text, rate=200, seconds=0.5, ends=None, **more):
    route = {"name": "line", "method": "GET", "path": "/", "body": text, "headers": [],
             "weight": 1, **(ends or {})}
    return make_plan([redis.port], rate=rate, seconds=seconds, connections=4, threads=2,
                     protocol="tcp", routes=[route], maxLateNs=int(2e9)) | more


def test_a_line_for_a_line(redis, load):
    one = load.finish(plan_for(redis, "SET key:{{seq}} {{rand}}\r\n"))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    assert redis.ask("DBSIZE") == "100"
    assert result["total"]["bytesIn"] == 100 * len("+OK\r\n")
    histograms = one.histograms()
    assert total(histograms["steady/-/connect"]) == 4
    assert 0 < quantile(histograms["steady/line/service"], 0.5) < 1


def test_a_response_of_known_length_and_one_with_another_end(redis, load):
    redis.ask("SET", "text", "a\nb\nEND")
    whole = len("$7\r\na\nb\nEND\r\n")
    for told in ({"answerBytes": whole}, {"until": "END\r\n"}):
        result = check_sums(load.finish(plan_for(redis, "GET text\r\n", ends=told)))
        assert result["total"]["ok"] == 100 and result["total"]["bytesIn"] == 100 * whole


def test_a_response_that_never_ends(redis, load):
    plan = plan_for(redis, "PING\r\n", rate=20, ends={"until": "never"}, timeoutNs=int(0.2e9))
    note = only(check_sums(load.finish(plan)), "stalled", 10)
    assert "timeout" in note, note


def test_more_than_was_asked_for(redis, load):
    """Five bytes come where two should."""
    result = check_sums(load.finish(plan_for(redis, "GET nothing\r\n", rate=20, ends={"answerBytes": 2})))
    assert result["total"]["failed"]["protocol"] == 10, result["total"]
    assert any("(the first: more came than the answers" in note for note in result["notes"])


def test_a_server_that_hangs_up(redis, load):
    """QUIT is answered by +OK and an end: asked for more bytes than that, the response was cut."""
    result = check_sums(load.finish(plan_for(redis, "QUIT\r\n", ends={"answerBytes": 100})))
    assert result["total"]["ok"] == 0 and failed(result["total"]) == 100
    assert result["total"]["causes"]["closed"] > 0


def test_over_tls_and_by_the_command_line(tmp_path):
    authority = Authority(tmp_path)
    redis = Redis(tmp_path, ["127.0.0.1"], authority.issue("redis", "IP:127.0.0.1"))
    try:
        done = run("squall", "load", "-q", "--json", "-r", "100", "-d", "0.5", "-c", "2",
                   "--arrivals", "constant", "--max-late", "2", "--ca-file", authority.cert, "-b",
                   "INCR counter\r\n", "--until", "\r\n", f"tls://127.0.0.1:{redis.port}")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["total"]["ok"] == 50 and redis.ask("GET", "counter") == "50"
        assert result["tls"]["handshakes"] == 2
    finally:
        redis.close()
    bad = run("squall", "load", "-r", "5", "-d", "1", "tcp://127.0.0.1:1")
    assert bad.returncode == 2 and "what is to be sent" in bad.stderr


def test_a_scenario(redis, tmp_path):
    """Each route has its own way to end a response; told wrongly, its responses are no such thing."""
    redis.ask("SET", "text", "a\nb\nEND")
    whole = len("$7\r\na\nb\nEND\r\n")
    for size, code in ((whole, 0), (whole - 1, 1)):
        by = Run(tmp_path, url=f"tcp://127.0.0.1:{redis.port}", routes=[
            {"name": "ping", "send": "PING\r\n"},
            {"name": "text", "send": "GET text\r\n", "until": "END\r\n"},
            {"name": "sized", "send": "GET text\r\n", "answerBytes": size}]).expect(code).routes()
        assert by["ping"]["ok"] == by["ping"]["sent"] > 0 < by["text"]["ok"] == by["text"]["sent"]
        assert by["text"]["bytesIn"] == by["text"]["sent"] * whole
        assert by["sized"]["ok"] == (by["sized"]["sent"] if code == 0 else 0)
