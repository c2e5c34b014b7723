# SPDX-License-Identifier: Apache-2.0
"""squall report on run directories made by hand: whole, broken in every way, hostile."""

import html.parser
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import rundir
from conftest import run


def verdict_of(path):
    return json.loads((path / "verdict.json").read_text())


def objective(path, source, name):
    found = [o for o in verdict_of(path)["objectives"]
             if (o["source"], o["name"]) == (source, name)]
    assert len(found) == 1, found
    return found[0]


def report(path, *args, **kwargs):
    return run("squall", "report", *args, path, **kwargs)


def test_good_run_passes_with_every_file_sealed(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    done = report(made)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("PASS")
    sealed = subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=made, check=False,
                            capture_output=True, text=True)
    assert sealed.returncode == 0, sealed.stdout
    listed = {line.split("  ")[1] for line in (made / "MANIFEST.sha256").read_text().splitlines()}
    assert listed == {p.name for p in made.iterdir()} - {"MANIFEST.sha256"}


def test_verdict_is_the_same_bytes_again_elsewhere_and_without_gnuplot(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    assert report(made).returncode == 0
    first = (made / "verdict.json").read_bytes()
    page = (made / "report.html").read_bytes()
    assert report(made).returncode == 0
    assert (made / "verdict.json").read_bytes() == first
    assert (made / "report.html").read_bytes() == page
    other = rundir.RunDir(tmp_path / "elsewhere" / "with another name").write()
    assert report(other, "--gnuplot", "/nonexistent/gnuplot").returncode == 0
    assert (other / "verdict.json").read_bytes() == first
    text = (other / "report.html").read_text()
    assert "<svg" not in text and text.count("could not be drawn") == 3


def test_changed_evidence_is_an_error_and_stays_one(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    report(made)
    plan = json.loads((made / "plan.json").read_text())
    plan["slos"][0]["objective"] = 0.5
    (made / "plan.json").write_text(json.dumps(plan))
    (made / "probes.json").unlink()
    for _ in range(2):
        assert report(made).returncode == 5
        said = objective(made, "run", "evidence")
        assert said["status"] == "error" and not said["advisory"]
        assert "plan.json is not what it was" in said["measured"]
        assert "probes.json is missing" in said["measured"]
    (made / "MANIFEST.sha256").write_text("no manifest\n")
    assert report(made).returncode == 5
    (made / "MANIFEST.sha256").unlink()
    assert report(made).returncode == 0, "whoever removes the seal takes it as it is"


@pytest.mark.parametrize("name", ["report.html", "verdict.json", "junit.xml", "report.md"])
def test_what_is_rendered_is_no_evidence(tmp_path, name):
    made = rundir.RunDir(tmp_path / "r").write()
    report(made)
    before = (made / name).read_bytes()
    (made / name).write_text("changed")
    assert report(made).returncode == 0
    assert (made / name).read_bytes() == before


@pytest.mark.parametrize("name, code", [
    ("plan.json", 3), ("events.ndjson", 3), ("latency.hlog", 3), ("load.json", 3),
    ("faults.json", 3), ("queries.json", 3), ("probes.json", 0), ("scenario.yaml", 0)])
def test_missing_file_never_passes_where_it_is_needed(tmp_path, name, code):
    made = rundir.RunDir(tmp_path / "r").write()
    (made / name).unlink()
    done = report(made)
    assert done.returncode == code, done.stdout
    assert verdict_of(made)["evidence"][name] == "missing"
    assert f"{name} is missing" in objective(made, "run", "evidence")["measured"]


@pytest.mark.parametrize("name", ["plan.json", "load.json", "faults.json", "probes.json",
                                  "queries.json", "events.ndjson", "latency.hlog"])
def test_damaged_file_is_an_error(tmp_path, name):
    made = rundir.RunDir(tmp_path / "r").write()
    data = bytearray((made / name).read_bytes())
    middle = len(data) // 2
    data[middle:middle + 8] = b"\x00\xff\x00\xff\x00\xff\x00\xff"
    (made / name).write_bytes(data)
    done = report(made)
    assert done.returncode == 5, done.stdout
    assert verdict_of(made)["evidence"][name] == "damaged"


@pytest.mark.parametrize("name", ["plan.json", "load.json", "faults.json", "probes.json",
                                  "queries.json", "events.ndjson", "latency.hlog"])
def test_cut_anywhere_is_never_a_crash_and_never_a_pass(tmp_path, name):
    made = rundir.RunDir(tmp_path / "r").write()
    whole = (made / name).read_bytes()
    for share in (0, 0.01, 0.3, 0.5, 0.77, 0.99):
        (made / name).write_bytes(whole[:int(len(whole) * share)])
        done = report(made, "--gnuplot", "/nonexistent/gnuplot")
        assert done.returncode in (3, 5, 6), (share, done.stdout, done.stderr)


@pytest.mark.parametrize("wall", [-2**63, -1])
def test_times_before_the_epoch_are_damage(tmp_path, wall):
    made = rundir.RunDir(tmp_path / "r")
    made.events[4]["wallNs"] = wall
    done = report(made.write(), "--gnuplot", "/nonexistent/gnuplot")
    assert done.returncode == 5 and verdict_of(made.path)["evidence"]["events.ndjson"] == "damaged"
    assert "runtime error" not in done.stderr


@pytest.mark.parametrize("wall", [1, 2**63 - 1])
def test_times_at_the_ends_of_their_range_crash_nothing(tmp_path, wall):
    made = rundir.RunDir(tmp_path / "r")
    made.events[4]["wallNs"] = wall
    for key in ("startNs", "endNs"):
        made.load[key] = wall
    made.load["intervals"][0]["startNs"] = wall
    for key in ("requestedAtNs", "appliedAtNs", "goneAtNs"):
        made.faults["faults"][0][key] = wall
    done = report(made.write())
    assert done.returncode in (3, 5, 6), done.stdout
    assert "runtime error" not in done.stderr
    for svg in re.findall(r"<svg.*?</svg>", (made.path / "report.html").read_text(), re.S):
        ElementTree.fromstring(svg)


def test_half_a_last_line_is_partial_not_damaged(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    for name in ("events.ndjson", "latency.hlog"):
        data = (made / name).read_bytes()
        (made / name).write_bytes(data[:-10])
    done = report(made)
    evidence = verdict_of(made)["evidence"]
    assert evidence["events.ndjson"] == "partial" and evidence["latency.hlog"] == "partial"
    assert objective(made, "threshold", "fast")["reason"] == "no_data"
    assert done.returncode == 5  # no run.finished: the runner died


def test_log_cut_between_lines_is_noticed_by_its_counts(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    lines = (made / "latency.hlog").read_text().splitlines(keepends=True)
    (made / "latency.hlog").write_text("".join(lines[:-2]))
    assert report(made).returncode == 3
    assert "1000 of the 2000 responses" in objective(made, "run", "evidence")["measured"]


def test_log_that_holds_more_than_was_counted_is_damage(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    lines = (made / "latency.hlog").read_text().splitlines(keepends=True)
    twice = next(line for line in lines if "/response," in line)
    (made / "latency.hlog").write_text("".join(lines + [twice]))
    assert report(made).returncode == 5
    assert "load.json counts only 2000" in objective(made, "run", "evidence")["measured"]


def test_prometheus_that_died_half_way_is_insufficient(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    for entry in made.queries["queries"]:
        for series in entry["result"]["result"]:
            series["values"] = series["values"][:9]
    assert report(made.write()).returncode == 3
    assert objective(made.path, "slo", "available")["reason"] == "low_coverage"


def test_failed_query_and_warnings_are_shown(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.queries["queries"][0]["warnings"] = ["results may be <incomplete>"]
    made.queries["queries"][1].update(ok=False, error="connection refused", result=None)
    assert report(made.write()).returncode == 3
    assert objective(made.path, "slo", "available")["reason"] == "query_failed"
    assert "refused" in objective(made.path, "slo", "available")["measured"]
    page = (made.path / "report.html").read_text()
    assert "results may be &lt;incomplete&gt;" in page and "connection refused" in page


def test_answers_with_a_warning_prove_nothing(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.queries["queries"][0]["warnings"] = ["results may be incomplete"]
    assert report(made.write()).returncode == 3
    said = objective(made.path, "slo", "available")
    assert said["status"] == "insufficient" and "warned" in said["measured"]


@pytest.mark.parametrize("text", ["total[12s]", "total[60s", "total", "total[x]"])
def test_a_range_shorter_than_the_window_proves_nothing(tmp_path, text):
    made = rundir.RunDir(tmp_path / "r")
    made.queries["queries"][0]["query"] = text
    assert report(made.write()).returncode == 3
    said = objective(made.path, "slo", "available")
    assert said["reason"] == "no_data" and "less than the window" in said["measured"]


@pytest.mark.parametrize("sent, code", [(2080, 0), (2110, 3), (5000, 3), (1000, 0)])
def test_the_generator_s_requests_must_be_seen(tmp_path, sent, code):
    """A killed process takes a scrape's worth along; others' requests may be counted, too."""
    made = rundir.RunDir(tmp_path / "r")
    made.load["total"] = rundir.counts(sent)
    made.plan["thresholds"] = []
    made.hlog = [("steady/list/response", rundir.START_S, 10, {2_000_000: sent})]
    assert report(made.write()).returncode == code
    if code:
        assert objective(made.path, "slo", "available")["reason"] == "counts_differ"
    row = objective(made.path, "reconcile", "available")
    assert row["advisory"] and row["value"] == pytest.approx((2000 - sent) / sent, abs=1e-12)


@pytest.mark.parametrize("failed, code", [
    ({"http_5xx": 80}, 3), ({"timeout": 40, "reset": 30}, 3), ({"http_4xx": 80}, 0),
    ({"http_5xx": 20}, 0)])
def test_what_the_generator_saw_fail_must_not_pass(tmp_path, failed, code):
    """Prometheus' selector of the bad finds nothing, perhaps because there is no such label."""
    made = rundir.RunDir(tmp_path / "r")
    made.load["total"] = rundir.counts(2000, failed)
    made.plan["thresholds"] = []
    made.plan["slos"][0]["objective"] = 0.97
    for query in made.queries["queries"]:
        if query["role"] == "bad":
            query["result"]["result"] = []
    assert report(made.write()).returncode == code
    if code:
        said = objective(made.path, "slo", "available")
        assert said["reason"] == "counts_differ" and "more failures" in said["measured"]


def probe(name, mode, at_least=1.0):
    return {"name": name, "mode": mode, "kind": "exec", "faults": [], "everyNs": 10**9,
            "timeoutNs": 10**9, "withinNs": 10**9, "atLeast": at_least, "exec": {"command": "true"}}


def answers(name, *runs):
    """runs: (ok, times) one after the other."""
    return [{"name": name, "at": "2025-10-09T08:53:21.000Z", "until": "2025-10-09T08:53:21.000Z",
             "times": times, "ok": ok, "detail": None if ok else "exited with 3"}
            for ok, times in runs]


@pytest.mark.parametrize("mode, at_least, runs, status", [
    ("continuous", 1.0, [(True, 30)], "pass"),
    ("continuous", 1.0, [(True, 29), (False, 1)], "fail"),
    ("continuous", 0.9, [(True, 20), (False, 3), (True, 7)], "pass"),
    ("during", 0.9, [(True, 20), (False, 4), (True, 7)], "fail"),
    ("after", 1.0, [(False, 3), (True, 1)], "pass"),
    ("after", 0.0, [(True, 3), (False, 1)], "fail"),
    ("before", 1.0, [(False, 3), (True, 1)], "pass"),
    ("continuous", 0.0, [], "insufficient"), ("after", 1.0, [], "insufficient")])
def test_probes_are_judged(tmp_path, mode, at_least, runs, status):
    made = rundir.RunDir(tmp_path / "r")
    made.plan["probes"] = [probe("asked", mode, at_least)]
    made.probes["probes"] += answers("asked", *runs)
    code = {"pass": 0, "fail": 1, "insufficient": 3}[status]
    done = report(made.write())
    assert done.returncode == code, done.stdout
    said = objective(made.path, "probe", "asked")
    assert said["status"] == status
    held = sum(times for ok, times in runs if ok)
    assert said["measured"].startswith(f"{held} of {sum(times for _, times in runs)} answers held")


def test_probes_without_their_file_prove_nothing(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.plan["probes"] = [probe("asked", "continuous", 0.0)]
    made.probes["probes"] += answers("asked", (True, 5))
    made.write()
    (made.path / "probes.json").unlink()
    assert report(made.path).returncode == 3
    assert objective(made.path, "probe", "asked")["status"] == "insufficient"


def test_more_answers_than_are_read_prove_nothing(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.plan["probes"] = [probe("asked", "continuous", 0.0)]
    made.probes["probes"] += answers("asked", *[(i % 2 == 0, 1) for i in range(20001)])
    assert report(made.write(), timeout=30).returncode == 3
    assert "not whole" in objective(made.path, "probe", "asked")["measured"]


def test_load_that_met_nobody_or_was_not_sent(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.plan["thresholds"] = []
    made.load["total"] = rundir.counts(0)
    logged, made.hlog = made.hlog, []
    assert report(made.write()).returncode == 3
    assert "none was ever due" in objective(made.path, "load", "load")["measured"]
    made.load["total"] = rundir.counts(0, {"connect": 2000})
    assert report(made.write()).returncode == 3
    assert "not one of them succeeded" in objective(made.path, "load", "load")["measured"]
    made.hlog = logged
    made.load["total"] = dict(rundir.counts(2000), intended=2100, missed=100)
    assert report(made.write()).returncode == 1
    assert objective(made.path, "load", "load")["status"] == "fail"
    made.plan["maxMissed"] = 0.05
    assert report(made.write()).returncode == 0


def test_ctrl_c_is_4_stuck_is_6_full_disk_is_5(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    abort = rundir.event("abort", 4, by="signal", why="SIGINT")
    made.events.insert(5, abort)
    made.load["complete"] = False
    assert report(made.write()).returncode == 4
    assert verdict_of(made.path)["abortedBy"] == "signal: SIGINT"
    made.faults = {"faults": [rundir.fault_record("lose-one", 1, state="stuck", goneAtNs=0)]}
    done = report(made.write())
    assert done.returncode == 6 and "UNCLEAN" in done.stdout
    made.faults = {"faults": [rundir.fault_record("lose-one", 1)]}
    abort.update(by="tool", why="no space left")
    assert report(made.write()).returncode == 5


def test_junit_and_markdown(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.plan["thresholds"][0]["expect"] = "p99 < 1ms"
    made.plan["thresholds"][1]["expect"] = "p99.9 < 1s"
    assert report(made.write()).returncode == 1
    suite = ElementTree.parse(made.path / "junit.xml").getroot().find("testsuite")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert int(suite.get("tests")) == len(suite.findall("testcase"))
    assert cases["fast"].find("failure").get("type") == "not_met"
    assert cases["few-errors"].find("error").get("type") == "too_few_events"
    assert suite.find("testcase[@classname='squall.reconcile']").find("skipped") is not None
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "1")
    numbers = {p.get("name"): p.get("value") for p in cases["fast"].iter("property")}
    assert 5_000_000 <= float(numbers["value"]) <= 5_005_000
    text = (made.path / "report.md").read_text()
    assert text.startswith("# squall: FAIL") and "| FAIL | fast |" in text


def shrink(made, seconds, values):
    """One phase, one interval of that length, with these responses {ns: count}."""
    n = sum(values.values())
    made.load.update(total=rundir.counts(n), scheduledNs=int(seconds * 1e9),
                     endNs=rundir.wall(seconds),
                     parts=[{"phase": "steady", "route": "list", "counts": rundir.counts(n)}],
                     intervals=[{**made.load["intervals"][0], "lengthNs": int(seconds * 1e9),
                                 "counts": rundir.counts(n), "p50Ns": min(values),
                                 "p99Ns": max(values), "maxNs": max(values)}])
    made.hlog = [("steady/list/response", rundir.START_S, seconds, values)]


@pytest.mark.parametrize("values", [
    {1: 1}, {1_000_000: 1}, {999_999: 2}, {3_600_000_000_000: 1},
    {1: 1, 3_600_000_000_000: 1}, {5_000_000: 3_000_000}, {10_000_000: 1000}], ids=str)
@pytest.mark.parametrize("seconds", [0.001, 1, 100_000])
def test_every_run_with_a_response_has_its_charts(tmp_path, values, seconds):
    made = rundir.RunDir(tmp_path / "r")
    shrink(made, seconds, values)
    report(made.write())
    text = (made.path / "report.html").read_text()
    assert "could not be drawn" not in text
    assert text.count("<svg") == 3
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        assert ElementTree.fromstring(svg).findall(".//{*}path")
        assert "nan" not in svg.lower() and "inf" not in svg.lower()


def test_more_phases_than_colours_are_said(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    names = [f"phase-{i}" for i in range(12)]
    made.plan["phases"] = [{"name": n, "startNs": i * 10**8, "fault": None}
                           for i, n in enumerate(names)]
    made.hlog = [(f"{n}/list/response", rundir.START_S, 1, {2_000_000: 100}) for n in names]
    report(made.write())
    text = (made.path / "report.html").read_text()
    assert text.count("<svg") == 3 and "5 more phases: see Load and latency" in text


def test_no_response_says_why_there_is_no_chart(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.load.update(total=rundir.counts(0), parts=[], intervals=[])
    made.hlog = []
    assert report(made.write()).returncode == 3
    text = (made.path / "report.html").read_text()
    assert text.count("There is no data for this chart") == 3


def test_killed_process_that_is_not_back_in_time_fails(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    record = made.faults["faults"][0]
    record["evidence"][-1].update(ok=False, value="no new process ready after 5010ms")
    record["error"] = "users-1: no new process ready after 5010ms"
    done = report(made.write())
    assert done.returncode == 1, done.stdout
    assert objective(made.path, "fault", "lose-one")["reason"] == "fault_not_recovered"
    page = (made.path / "report.html").read_text()
    assert 'id="not-met"' in page and "restart policy" in page
    record.update(end="failed", error="its effect went away")
    record["evidence"][-1]["ok"] = True
    assert report(made.write()).returncode == 1
    assert objective(made.path, "fault", "lose-one")["reason"] == "fault_ineffective"


def test_a_latency_slo_is_compared_with_what_was_answered(tmp_path):
    """A latency SLO's total holds no errors: a third of 5xx makes no difference to explain."""
    made = rundir.RunDir(tmp_path / "r")
    made.load["total"] = rundir.counts(2000, {"http_5xx": 1000})
    made.plan["thresholds"] = []
    made.plan["slos"].append(rundir.slo("quick", kind="latency", total="count{}"))
    made.queries["queries"] += made.availability("quick")
    made.queries["queries"][-2].update(id="quick/good", role="good",
                                       result=made.queries["queries"][-3]["result"])
    report(made.write())
    assert objective(made.path, "reconcile", "quick")["value"] == 0
    assert objective(made.path, "reconcile", "available")["reason"] == "counts_differ"


def test_words_for_spreadsheets_terminals_and_bidi_are_only_text(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    evil = "=cmd|'/C calc'!A0\x1b[2J\x1b]0;t\x07\u202etxt.exe \u2066@all #1 https://evil.example"
    made.plan.update(scenario=evil, description=evil)
    made.faults["faults"][0]["error"] = evil
    made.events.insert(3, rundir.event("note" + evil, 1, text=evil, **{evil: evil}))
    made.queries["queries"][0]["warnings"] = [evil]
    done = report(made.write())
    assert done.returncode == 3, done.stdout  # a warning: insufficient
    assert re.fullmatch("[ -~\n]*", done.stdout)
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 110
    for name in ("report.html", "report.md", "junit.xml"):
        text = (made.path / name).read_text()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), name
    text = (made.path / "report.md").read_text()
    assert not re.search("https://|@all|(?<!&)#1", text)
    assert json.loads((made.path / "verdict.json").read_text())["scenario"] == evil


class Page(html.parser.HTMLParser):
    VOID = {"meta", "br", "link", "input", "img", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.ids = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


HOSTILE = "</td><script>alert(1)</script>`id`\"'|&\u0007"


def test_page_is_self_contained_and_hostile_names_stay_text(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.plan.update(scenario=HOSTILE, description=HOSTILE, targetName=HOSTILE,
                     skipped=[{"name": HOSTILE, "why": HOSTILE}])
    made.plan["thresholds"][0]["name"] = HOSTILE
    made.faults["faults"][0]["error"] = HOSTILE
    made.faults["faults"][0]["evidence"][0]["value"] = HOSTILE
    made.events.insert(3, rundir.event("note", 1, text=HOSTILE))
    made.scenario = HOSTILE
    done = report(made.write())
    assert done.returncode == 0, done.stdout
    assert "\u0007" not in done.stdout
    text = (made.path / "report.html").read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [] and "script" not in page.tags and page.tags.count("svg") == 3
    assert len(page.ids) == len(set(page.ids))
    assert not [n for n, v in page.attributes if n.startswith("on") or n in ("src", "action")]
    assert not [v for n, v in page.attributes if n.endswith("href") and not v.startswith("#")]
    assert "prefers-color-scheme:dark" in text and "width=device-width" in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)
    ElementTree.parse(made.path / "junit.xml")
    assert "<script>" not in (made.path / "report.md").read_text()


def test_large_timeline_stays_below_a_step_summary(tmp_path):
    made = rundir.RunDir(tmp_path / "r")
    made.events[3:3] = [rundir.event("note", 1, text="|<&" * 500) for _ in range(3000)]
    assert report(made.write()).returncode == 0
    assert (made.path / "report.md").stat().st_size < 1024 * 1024


def test_usage(tmp_path):
    (tmp_path / "empty").mkdir()
    done = report(tmp_path / "empty")
    assert done.returncode == 2 and "holds none of a run's files" in done.stderr
    assert run("squall", "report").returncode == 2
    assert run("squall", "report", "--nonsense", tmp_path).returncode == 2


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    (made / "verdict.json").mkdir()
    (made / "verdict.json" / "in the way").touch()
    done = report(made)
    assert done.returncode == 5 and "verdict.json" in done.stderr
