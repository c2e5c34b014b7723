# SPDX-License-Identifier: Apache-2.0
"""A server that stalls for a second: response times by when requests were due, of which each one is
known beforehand, and by when they ended, when all of the stall's come at once."""

import json
import re
import shutil
import time

import pytest

from conftest import SANITIZED, run
from load_lab import (AHEAD, OK, check_sums, decode, load, make_plan, serve,  # noqa: F401
                      value_of)
from test_e_load_cluster import Cluster, _redis, end  # noqa: F401

RATE, SECONDS, INTERVAL = 200, 3.9, 0.5      # it ends in an interval's midst
DUE = round(RATE * SECONDS)
FIRST, STALL = 250, 1.0     # the request with which it begins, in the middle of an interval
SLACK = 0.4 if SANITIZED else 0.15   # of client and server, on a busy machine


class Stalls:
    """What answers at once, but for a second in which it does not."""

    def __init__(self, serve):
        self.held, self.begun, self.ended = [], None, None
        self.server = serve(self.behave, ahead=True)
        self.port = self.server.port

    def behave(self, peer, head):
        if self.begun is None and self.server.requests >= FIRST:
            self.begun = time.time()
            self.server.loop.call_later(STALL, self.thaw)
        if self.begun is not None and self.ended is None:
            self.held.append(peer)
        else:
            peer.send(OK)

    def thaw(self):
        self.ended = time.time()
        for peer in self.held:
            peer.send(OK)


@pytest.fixture
def stalls(serve):
    return Stalls(serve)


def lines_of(text, kind, start):
    """[(start, length, times)] of a kind's lines, in seconds since the load's start."""
    lines = []
    for line in text.splitlines():
        if line.startswith("Tag=") and f"/{kind}," in line:
            _, at, length, _, histogram = line.split(",")
            counts = decode(histogram)
            lines.append((float(at) - start, float(length),
                          sorted(value_of(i) / 1e9 for i, n in counts.items() for _ in range(n))))
    return lines


def check_stall(text, stalls):
    """By what is known: a request that was due at t in the stall was answered at its end, every other
    one at once."""
    start = float(re.search(r"#\[StartTime: ([0-9.]+)", text)[1])
    over = stalls.ended - start
    response = lines_of(text, "response", start)
    each = round(RATE * INTERVAL)
    assert len(response) == 8, "one line for each interval, late ones not apart"
    for number, (at, length, times) in enumerate(response):
        assert at == pytest.approx(number * INTERVAL, abs=0.0011) and length == INTERVAL
        due = [i / RATE for i in range(number * each, min((number + 1) * each, DUE))]
        assert len(times) == len(due), (number, len(times))
        exact = sorted(over - t if t * RATE >= FIRST - 1 and t < over else 0 for t in due)
        for ours, theirs in zip(times, exact):
            assert theirs - 0.02 < ours < theirs + SLACK, (number, ours, theirs)
    waited = sum(len([t for t in times if t > SLACK]) for _, _, times in response)
    assert waited > 0.8 * (STALL - SLACK) * RATE, "the stall is there to be seen"
    ended = lines_of(text, "ended", start)
    late = [(at, length, [t for t in times if t > SLACK]) for at, length, times in ended]
    late = [(at, length, times) for at, length, times in late if times]
    assert len(late) == 1 and len(late[0][2]) == waited, "all of them at once"
    assert late[0][0] < over < late[0][0] + late[0][1]
    everything = [sorted(t for _, _, times in lines for t in times) for lines in (response, ended)]
    assert everything[0] == everything[1], "the same times, bucket for bucket"


@pytest.mark.parametrize("connections", [300, 30])  # for all of the stall's requests, or they wait
def test_a_stall_shows_in_what_was_due_in_it(stalls, load, connections):
    one = load(make_plan([stalls.port], rate=RATE, seconds=SECONDS, connections=connections,
                         timeout=5.0, intervalNs=int(INTERVAL * 1e9)), prefix=AHEAD)
    assert one.wait()[0] == 0, one.stderr()
    result = check_sums(one)
    assert result["total"]["ok"] == DUE
    check_stall(one.hlog_path.read_text(), stalls)
    # The load's own intervals are those of what ended in them.
    slow = [i for i in result["intervals"] if i["maxNs"] > SLACK * 1e9]
    assert len(slow) == 1 and slow[0]["startNs"] / 1e9 < stalls.ended


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_a_stall_seen_by_several_workers(stalls, redis, tmp_path):
    """Their grids are one, and the sum is as if one had sent it all."""
    cluster = Cluster(tmp_path, "127.0.0.1", redis, stalls)
    log = tmp_path / "all.hlog"
    try:
        leader = cluster.lead("--hlog", log, "--json", "-c", 300, "--interval", f"{INTERVAL}s",
                              "--timeout", "5s", "--threshold", "p75 < 100ms", "--threshold",
                              "p75 < 100ms over 1s", workers=2, rate=RATE, seconds=SECONDS)
        workers = [cluster.join(i, wrap=AHEAD) for i in range(2)]
        code, out, told = end(leader)
        assert code in (1, 3), told
        assert all(end(one)[0] in (0, 3) for one in workers)
    finally:
        cluster.close()
    result = json.loads(out)
    assert result["total"]["ok"] == DUE == result["latency"]["response"]["count"]
    check_stall(log.read_text(), stalls)
    values = {one["expect"]: one["value"] for one in result["thresholds"]}
    assert values["p75 < 100ms over 1s"] > 0.2e9, "a window in which the stall ended"


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: stall}}
spec:
  target: {{kind: external, urls: ["http://127.0.0.1:{port}"]}}
  duration: {seconds}s
  load:
    arrivals: constant
    rate: {rate}/s
    connections: 300
    interval: {interval}s
    maxLate: 5s
    routes: [{{name: home, path: /}}]
  thresholds:
    - {{name: whole, expect: p50 < 100ms}}
    - {{name: window, expect: p75 < 100ms, over: 1s}}
    - {{name: steady, expect: p75 < 100ms, over: 1s, phase: steady}}
"""


def test_a_report_judges_a_stall_as_the_run_did(stalls, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO.format(port=stalls.port, seconds=SECONDS, rate=RATE,
                                    interval=INTERVAL))
    done = run("squall", "run", file, "--out", tmp_path / "runs")
    assert done.returncode == 1, done.stdout + done.stderr
    folder = next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    check_stall((folder / "latency.hlog").read_text(), stalls)
    before = (folder / "verdict.json").read_bytes()
    verdict = {one["name"]: one for one in json.loads(before)["objectives"]
               if one["source"] == "threshold"}
    assert verdict["whole"]["status"] == "pass"
    for name in ("window", "steady"):
        # Windows go by the end: the interval in which all of it came, and the one before or behind.
        assert verdict[name]["status"] == "fail" and verdict[name]["value"] > 0.2e9
        assert re.search(r"; 2 of \d windows failed", verdict[name]["measured"])
    assert run("squall", "report", folder).returncode == 1
    assert (folder / "verdict.json").read_bytes() == before
    page = (folder / "report.html").read_text()
    if shutil.which("gnuplot"):
        assert "requests that were due in each interval" in page


def test_a_log_of_an_earlier_release_is_judged_by_what_it_has(stalls, tmp_path):
    """It had response times by when requests ended, under the name that now is of the other ones."""
    test_a_report_judges_a_stall_as_the_run_did(stalls, tmp_path)
    folder = next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    lines = (folder / "latency.hlog").read_text().splitlines(keepends=True)
    (folder / "latency.hlog").write_text("".join(
        line.replace("/ended,", "/response,") for line in lines if "/response," not in line))
    before = json.loads((folder / "verdict.json").read_bytes())["objectives"]
    (folder / "MANIFEST.sha256").unlink(missing_ok=True)
    assert run("squall", "report", folder).returncode == 1
    after = json.loads((folder / "verdict.json").read_bytes())["objectives"]
    assert ([one for one in after if one["source"] == "threshold"] ==
            [one for one in before if one["source"] == "threshold"])
    if shutil.which("gnuplot"):
        assert "requests that ended in each interval" in (folder / "report.html").read_text()
