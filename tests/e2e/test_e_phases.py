# SPDX-License-Identifier: Apache-2.0
"""Stages with names are phases: on the command line, in a scenario, over several workers. What a
request belongs to is when it was due."""

import collections
import json

import pytest
from conftest import run
from load_lab import OK, Load, make_plan, read_hlog, serve, total  # noqa: F401
from load_scenario import Run

S = 10**9
STAGES = [("warm-up", "1s", 100), (None, "1s", 50), ("peak", "1s", 200), ("warm-up", "500ms", 40)]
DUE = {"warm-up": 100 + 20, None: 50, "peak": 200}


@pytest.fixture(name="cold")
def _cold(serve):
    """A server that answers the first 90 requests after 200 ms and with an error."""
    def behave(peer, head):
        if server.requests <= 90:
            server.loop.call_later(0.2, peer.send, OK.replace(b"200 OK", b"503 No", 1))
        else:
            peer.send(OK)

    server = serve(behave)
    return server


def words():
    for name, length, rate in STAGES:
        yield from ("--stage", f"{name + ': ' if name else ''}{length} {rate}/s")


def tags(hlog):
    """Of the log, requests by phase."""
    counts = collections.Counter()
    for tag, buckets in read_hlog(hlog.read_text()).items():
        phase, _, kind = tag.split("/")
        if kind in ("ended", "failed"):
            counts[phase] += total(buckets)
    return counts


def load(server, *more):
    return run("squall", "load", f"http://127.0.0.1:{server.port}/", "--arrivals", "constant", "-c",
               "100", "--max-late", "5s", "-q", *more)


def test_on_the_command_line(cold, tmp_path):
    """A cold start fails the whole, not the peak."""
    log = tmp_path / "log"
    done = load(cold, *words(), "--json", "--hlog", log, "--threshold", "errors < 1%",
                "--threshold", "errors < 1% phase peak", "--threshold", "errors < 1% phase warm-up",
                "--threshold", "count >= 200 phase peak", "--threshold", "count >= 51 phase load",
                "--threshold", "errors < 1% phase peak over 300ms", "--interval", "0.1")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert [one["status"] for one in result["thresholds"]] == [
        "fail", "pass", "fail", "pass", "fail", "pass"]
    due = {name or "load": count for name, count in DUE.items()}
    phases = {one["phase"]: one for one in result["phases"]}
    assert list(phases) == ["warm-up", "load", "peak"]
    assert {name: one["counts"]["intended"] for name, one in phases.items()} == due
    assert {name: one["scheduledNs"] for name, one in phases.items()} == {
        "warm-up": 15 * 10**8, "load": 10**9, "peak": 10**9}
    assert phases["warm-up"]["counts"]["failed"]["http_5xx"] == 90
    assert phases["warm-up"]["response"]["count"] == 30
    assert {part["phase"]: part["counts"]["intended"] for part in result["parts"]} == due
    assert tags(log) == due
    text = load(cold, *words()).stdout
    assert [line.split()[:3] for line in text.splitlines()
            if line.split()[0] in due] == [["warm-up", "1.5s", "120"], ["load", "1s", "50"],
                                           ["peak", "1s", "200"]]


def test_users_have_stages_with_names(cold):
    done = load(cold, "--user-stage", "warm-up: 1s 5", "--user-stage", "busy: 1s 5", "--think",
                "20ms", "--json", "--threshold", "errors < 1% phase busy")
    result = json.loads(done.stdout)
    warm_up, busy = result["phases"]
    assert result["thresholds"][0]["status"] == "fail" and warm_up["counts"]["intended"] > 0
    assert (warm_up["phase"], busy["phase"]) == ("warm-up", "busy")
    assert busy["counts"]["intended"] > 0
    assert warm_up["counts"]["intended"] + busy["counts"]["intended"] == result["total"]["intended"]


@pytest.mark.parametrize("given, said", [
    (["--stage", "warm up: 1s 5"], "a name and a colon"), (["--stage", "a/b: 1s 5"], "without '/'"),
    (["--stage", "load: 1s 5"], "another name"),
    (["--stage", "warm-up: 1s 5", "--threshold", "p50 < 1s phase warmup"],
     'no phase "warmup", there is "warm-up"')])
def test_names_that_are_none(given, said):
    done = run("squall", "load", "http://127.0.0.1:1/", *given)
    assert done.returncode == 2 and said in done.stderr, done.stderr


def stages():
    return [{**({"name": name} if name else {}), "for": length, "rate": f"{rate}/s"}
            for name, length, rate in STAGES]


def staged(server, folder, **spec):
    return Run(folder, url=f"http://127.0.0.1:{server.port}", routes=[{"name": "home", "path": "/"}],
               load={"rate": None, "stages": stages(), "connections": 100}, duration="3500ms",
               **spec)


def test_in_a_scenario(cold, tmp_path):
    """Its report, made again from the directory, judges the same."""
    one = staged(cold, tmp_path, thresholds=[
        {"name": "whole", "expect": "errors < 1%"},
        {"name": "warm-up", "expect": "errors < 1%", "phase": "warm-up"},
        {"name": "steady", "expect": "rate > 49/s", "phase": "steady"},
        {"name": "peak", "expect": "rate > 199/s", "phase": "peak"},
        {"name": "peak-count", "expect": "count >= 201", "phase": "peak"}]).expect(1)
    judged = {"whole": "fail", "warm-up": "fail", "steady": "pass", "peak": "pass",
              "peak-count": "fail"}
    assert one.judged() == judged
    due = {name or "steady": count for name, count in DUE.items()}
    assert {part["phase"]: part["counts"]["intended"] for part in one.load()["parts"]} == due
    assert tags(one.folder / "latency.hlog") == due
    before = (one.folder / "verdict.json").read_bytes()
    assert run("squall", "report", one.folder).returncode == 1
    assert (one.folder / "verdict.json").read_bytes() == before and one.judged() == judged
    events = [json.loads(line) for line in (one.folder / "events.ndjson").read_text().splitlines()]
    assert [event["phase"] for event in events if event["type"] == "phase.changed"] == [
        "warm-up", "steady", "peak", "warm-up"]
    report = (one.folder / "report.md").read_text()
    assert all(f"phase {name}" in report for name in due)


def test_a_fault_takes_the_place_of_the_stages_to_come(cold, tmp_path):
    """As the runner orders it; by when requests are due, one that comes late included."""
    plan = make_plan([cold.port], rate=100, seconds=2.0, firstPhase="warm-up", phases=[
        {"name": "steady", "startNs": S // 2}, {"name": "peak", "startNs": 3 * S // 2}])
    one = Load(tmp_path, plan)
    one.line("started")
    while one.line("interval")["phase"] != "steady":
        pass
    one.command(type="phase", name="lose")
    code, _ = one.wait()
    assert code == 0
    parts = {part["phase"]: part["counts"]["intended"]
             for part in json.loads((tmp_path / "load.json").read_text())["parts"]}
    assert set(parts) == {"warm-up", "steady", "lose"} and parts["warm-up"] == 50
    assert parts["steady"] + parts["lose"] == 150
    assert parts["lose"] >= 50, "what is due in the last stage is the fault's"
