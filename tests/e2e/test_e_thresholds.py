# SPDX-License-Identifier: Apache-2.0
"""Thresholds over the whole and over sliding windows: on the command line, live in a run, and again
from its directory."""

import collections
import json
import re
import shutil
import time

import pytest
from conftest import run
from load_lab import OK, decode, quantile, serve  # noqa: F401


@pytest.fixture(name="moody")
def _moody(serve):
    """A server that is slow (400 ms) from its 200th to its 399th request."""
    def behave(peer, head):
        if 200 <= server.requests < 400:
            server.loop.call_later(0.4, peer.send, OK)
        else:
            peer.send(OK)

    server = serve(behave)
    return server


def load(server, *words):
    return run("squall", "load", f"http://127.0.0.1:{server.port}/", "--arrivals", "constant", "-r",
               "400", "-c", "400", "--max-late", "5s", "--json", "-q", *words)


def thresholds(done):
    return {one["expect"]: one for one in json.loads(done.stdout)["thresholds"]}


def test_exit_codes(serve):
    server = serve()
    done = load(server, "-d", "0.5", "--threshold", "p(90)<5000", "--threshold", "rate > 300/s",
                "--threshold", "count >= 200", "--threshold", "achieved_rate >= 99%")
    assert done.returncode == 0, done.stdout
    assert {one["status"] for one in thresholds(done).values()} == {"pass"}
    done = load(server, "-d", "0.5", "--threshold", "p90 < 1ns", "--threshold", "p99.9 < 5s")
    assert done.returncode == 1
    assert thresholds(done)["p90 < 1ns"]["status"] == "fail"
    assert thresholds(done)["p99.9 < 5s"]["status"] == "insufficient"
    done = load(server, "-d", "0.5", "--threshold", "p99.9 < 5s")
    assert done.returncode == 3 and "no estimate" in done.stdout
    for text, said in (("p99<250", "did you mean 250ms?"), ("p99 < 1s over 9s", "longer than"),
                       ("error < 1%", "did you mean errors?")):
        done = load(server, "-d", "0.5", "--threshold", text)
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_what_was_not_sent_did_not_pass(serve, tmp_path):
    """A target that falls silent: no connection gets free for the most of the requests, which the
    generator is not to blame for. Without a threshold that is a failure, unless it is allowed."""
    def behave(peer, head):
        if server.requests <= 20:
            peer.send(OK)

    def send(*words):
        server.requests = 0
        return run("squall", "load", "-q", *words)

    server = serve(behave)
    url = f"http://127.0.0.1:{server.port}/"
    words = [url, "-r", "100", "-d", "1", "-c", "2", "--timeout", "0.3", "--arrivals",
             "constant", "--max-late", "5s"]
    done = send(*words)
    assert done.returncode == 1, done.stdout
    assert re.search(r"threshold  fail         missed <= 0%: [4-9]\d(\.\d+)?%; no connection got free",
                     done.stdout), done.stdout
    assert send(*words, "--max-missed", "100%").returncode == 0
    done = send(*words, "--max-missed", "1.5%", "--threshold", "max < 9s", "--json")
    assert done.returncode == 1
    judged = thresholds(done)
    assert judged["missed <= 1.5%"]["status"] == "fail" and judged["max < 9s"]["status"] == "pass"
    total = json.loads(done.stdout)["total"]
    assert judged["missed <= 1.5%"]["value"] == pytest.approx(total["missed"] / total["intended"])
    assert "such as" in send(*words, "--max-missed", "2").stderr
    file = tmp_path / "one.yaml"
    for allowed, code in (("", 1), ("maxMissed: 99%, ", 0)):
        file.write_text(f"""
apiVersion: squall/v1
kind: Scenario
metadata: {{name: one}}
spec:
  target: {{kind: external, urls: ["{url[:-1]}"]}}
  duration: 1s
  load: {{rate: 100/s, connections: 2, timeout: 300ms, maxLate: 5s, {allowed}routes: [{{name: a, path: /}}]}}
""")
        done = send("--scenario", file)
        assert done.returncode == code, done.stdout + done.stderr


def test_of_a_target_that_never_answers_each_is_judged(serve):
    """No response time is a number then, neither in JSON nor for people."""
    server = serve(lambda peer, head: peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    words = ["-d", "1.2", "--threshold", "p50 < 1s", "--threshold", "errors < 1%", "--threshold",
             "max < 1s over 1s"]
    done = load(server, *words)
    assert done.returncode == 1
    judged = thresholds(done)
    assert {text: one["status"] for text, one in judged.items()} == {
        "p50 < 1s": "insufficient", "errors < 1%": "fail", "max < 1s over 1s": "insufficient"}
    assert judged["p50 < 1s"]["value"] is None and judged["errors < 1%"]["value"] == 1
    done = run("squall", "load", "-q", f"http://127.0.0.1:{server.port}/", "-r", "100", *words)
    assert "p50 < 1s: no answer; " in done.stdout, done.stdout


def test_sliding_windows_see_what_the_whole_does_not_k6_2379(moody):
    done = load(moody, "-d", "3", "--threshold", "p75 < 300ms", "--threshold",
                "p75 < 300ms over 1s", "--threshold", "errors < 1% over 1s")
    assert done.returncode == 1
    judged = thresholds(done)
    assert judged["p75 < 300ms"]["status"] == "pass"
    assert judged["p75 < 300ms over 1s"]["status"] == "fail"
    assert judged["p75 < 300ms over 1s"]["value"] > 390e6
    assert judged["errors < 1% over 1s"]["status"] == "pass"


def test_a_failing_window_ends_the_load(serve):
    def behave(peer, head):
        peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" if server.requests > 100 else OK)

    server = serve(behave)
    begin = time.monotonic()
    done = load(server, "-d", "60", "--threshold", "errors < 5% over 1s abort", "--threshold",
                "count > 1")
    assert time.monotonic() - begin < 30
    assert done.returncode == 1
    judged = thresholds(done)
    assert judged["errors < 5% over 1s abort"]["status"] == "fail"
    assert "stopped before its end" in judged["count > 1"]["why"]


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: windows}}
spec:
  target: {{kind: external, urls: ["http://127.0.0.1:{port}"]}}
  duration: {duration}
  load:
    arrivals: constant
    rate: 400/s
    connections: 400
    interval: 250ms
    maxLate: 5s
    routes: [{{name: home, path: /}}, {{name: other, path: /o}}]
  thresholds:
    - {{name: whole, expect: p75 < 300ms}}
    - {{name: window, expect: p75 < 300ms, over: 1s{more}}}
    - {{name: of-a-route, expect: p75 < 300ms, over: 1s, route: other, phase: steady}}
    - {{name: flow, expect: rate > 50/s, over: 1s}}
    - {{name: sparse, expect: p99.9 < 10s, over: 1s}}
"""


def experiment(server, folder, duration, more=""):
    file = folder / "s.yaml"
    file.write_text(SCENARIO.format(port=server.port, duration=duration, more=more))
    done = run("squall", "run", file, "--out", folder / "runs")
    return done, next(path for path in (folder / "runs").iterdir() if path.is_dir())


def objectives(folder):
    verdict = json.loads((folder / "verdict.json").read_text())
    return {one["name"]: one for one in verdict["objectives"] if one["source"] == "threshold"}


def windows(folder, route, over, planned):
    """The p75 of every window, reckoned from the log by other means: for each interval the last
    ones that are `over` long together, or not more than half of a planned interval less."""
    intervals = [(one["startNs"] / 1e9, one["lengthNs"] / 1e9, collections.Counter())
                 for one in json.loads((folder / "load.json").read_text())["intervals"]]
    for line in (folder / "latency.hlog").read_text().splitlines():
        found = re.match(r"Tag=steady/([^/]+)/ended,([0-9.]+),", line)
        if found and route in (None, found[1]):
            start, _, counts = min(intervals, key=lambda one: abs(one[0] - float(found[2])))
            assert abs(start - float(found[2])) < 0.002, "the log has thousandths"
            counts.update(decode(line.split(",")[4]))
    values = []
    for last in range(len(intervals)):
        samples, length = collections.Counter(), 0
        for _, seconds, counts in reversed(intervals[:last + 1]):
            samples += counts
            length += seconds
            if length >= over - planned / 2:
                values.append(quantile(samples, 0.75))
                break
    return values


def test_windows_of_a_run(moody, tmp_path):
    done, folder = experiment(moody, tmp_path, "3s")
    assert done.returncode == 1, done.stdout + done.stderr
    judged = objectives(folder)
    assert judged["whole"]["status"] == "pass"
    assert judged["flow"]["status"] == "pass"
    assert judged["sparse"]["status"] == "insufficient"
    assert judged["sparse"]["reason"] == "too_few_events"
    for name, route in (("window", None), ("of-a-route", "other")):
        assert judged[name]["status"] == "fail"
        assert judged[name]["expected"].endswith("over every 1s")
        values = windows(folder, route, 1, 0.25)
        assert abs(judged[name]["value"] / 1e9 / max(values) - 1) < 0.002
        failed = sum(value >= 0.3 for value in values)
        assert f"; {failed} of {len(values)} windows failed" in judged[name]["measured"], values


def test_a_window_that_fails_ends_the_run_and_is_found_again(moody, tmp_path):
    """The runner saw it live; the report reckons it again from the files, without load.json too,
    and finds the same value."""
    begin = time.monotonic()
    done, folder = experiment(moody, tmp_path, "60s", ", abort: true")
    assert time.monotonic() - begin < 40
    assert done.returncode == 4, done.stdout + done.stderr
    events = [json.loads(line) for line in (folder / "events.ndjson").read_text().splitlines()]
    why = next(one["why"] for one in events if one["type"] == "abort")
    live = re.fullmatch(r"threshold window: measured (\S+)", why)[1]
    judged = objectives(folder)
    assert judged["window"]["status"] == "fail"
    assert f"with {live}" in judged["window"]["measured"]
    assert judged["whole"]["status"] == "insufficient"
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "load.json").unlink()
    run("squall", "report", copy)
    again = objectives(copy)
    assert again["window"]["status"] == "fail"
    assert f"with {live}" in again["window"]["measured"]
