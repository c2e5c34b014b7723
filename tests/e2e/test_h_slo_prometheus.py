# SPDX-License-Identifier: Apache-2.0
"""Budget and SLI against a real Prometheus filled from OpenMetrics text: samples are asked for as
the runner asks, squall computes, and the answers are those worked out by hand."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import rundir
from conftest import run, wait_until
from services import free_port

pytestmark = pytest.mark.skipif(not (shutil.which("prometheus") and shutil.which("promtool")),
                                reason="prometheus and promtool are not installed")

# Promtool makes blocks of two hours; the load lies well inside one, in the recent past.
BASE = (int(time.time()) // 7200 - 2) * 7200 + 1000
LOAD_S = 20
SCRAPES = range(-4, LOAD_S + 3)   # window: -2 .. 22, one scrape a second


def counter(**labels):
    text = ",".join(f'{k}="{v}"' for k, v in labels.items())
    return f"http_requests_total{{{text}}}"


def steady(start, per_second):
    return {t: start + per_second * min(max(t, 0), LOAD_S) for t in SCRAPES}


def restarted_at(samples, when, back):
    """The process dies after `when`, is scraped again at `back`, having counted from zero."""
    out = {t: v for t, v in samples.items() if t <= when}
    out.update({t: samples[t] - samples[back] + 3 for t in SCRAPES if t >= back})
    return out


def up(job, missing=()):
    return {t: 0 if t in missing else 1 for t in SCRAPES}


def series():
    """name -> samples. Each job is one case."""
    ok = {"job": "plain", "instance": "a", "status": "200"}
    out = {counter(**ok): steady(1000, 100),
           counter(**{**ok, "status": "500"}): steady(7, 1),
           'up{job="plain",instance="a"}': up("plain")}
    killed = {"job": "killed", "instance": "b", "status": "200"}
    out[counter(**killed)] = restarted_at(steady(50, 100), 9, 12)
    out['up{job="killed",instance="b"}'] = up("killed", missing=(10, 11))
    fresh = {"job": "fresh", "instance": "c"}
    out[counter(**fresh, status="200")] = steady(0, 100)
    out[counter(**fresh, status="503")] = {t: 4 + (t - 8) for t in SCRAPES if t >= 8}
    out['up{job="fresh",instance="c"}'] = up("fresh")
    out[counter(job="idle", instance="d", status="200")] = steady(123, 0)
    out['up{job="idle",instance="d"}'] = up("idle")
    out[counter(job="gone", instance="e", status="200")] = {
        t: v for t, v in steady(0, 100).items() if t <= 10}
    out['up{job="gone",instance="e"}'] = {t: 1 for t in SCRAPES if t <= 10}
    return out


# job: (total, bad, scrapes present of 24, verdict, reason); target 99 %
BY_HAND = {
    # 20 x 100 + 20 x 1; bad 20, budget 20.2
    "plain": (2020, 20, 24, "pass", "met"),
    # up to t=9: 900; from zero to 3 at t=12: 3; then to t=20: 800. No error series: none bad.
    "killed": (1703, 0, 23, "pass", "met"),
    # the error series appears at t=8 with 4 and grows to 4+14 at t=22: 18
    "fresh": (2018, 18, 24, "pass", "met"),
    "idle": (0, 0, 24, "insufficient", "too_few_events"),
    # scrapes at -2..10: 13 of 24
    "gone": (1000, 0, 13, "insufficient", "low_coverage"),
}


def openmetrics():
    """Families in order, samples by time within a series."""
    lines = []
    for family, kind in (("http_requests", "counter"), ("up", "gauge")):
        lines.append(f"# TYPE {family} {kind}")
        for name, samples in series().items():
            if name.startswith(family):
                lines += [f"{name} {value} {BASE + t}" for t, value in sorted(samples.items())]
    return "\n".join(lines) + "\n# EOF\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "in.txt").write_text(openmetrics())
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "in.txt",
                    folder / "data"], check=True, capture_output=True, timeout=60)
    (folder / "prometheus.yml").write_text("global: {}\n")
    port = free_port()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", "--storage.tsdb.retention.time=10y",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def ready():
        assert process.poll() is None, (folder / "log").read_text()
        try:
            with urllib.request.urlopen(url + "/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    try:
        wait_until(ready, 60, "Prometheus ready")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(url, selector):
    text = urllib.parse.urlencode({"query": f"{selector}[60s]", "time": BASE + LOAD_S + 2.5})
    with urllib.request.urlopen(f"{url}/api/v1/query?{text}", timeout=10) as answer:
        return json.load(answer)["data"]


@pytest.fixture(scope="module")
def judged(prometheus, tmp_path_factory):
    made = rundir.RunDir(tmp_path_factory.mktemp("run") / "r")
    shift = (BASE - rundir.START_S) * 10**9
    made.load.update(startNs=BASE * 10**9, endNs=(BASE + LOAD_S) * 10**9)
    for interval in made.load["intervals"]:
        interval["startNs"] += shift
    made.plan["slos"] = []
    made.queries["queries"] = []
    for job in BY_HAND:
        total = f'http_requests_total{{job="{job}"}}'
        bad = f'http_requests_total{{job="{job}",status=~"5.."}}'
        scrapes = f'up{{job="{job}"}}'
        made.plan["slos"].append(rundir.slo(job, total=total, bad=bad, up=scrapes, service=job))
        made.queries["queries"] += [rundir.query(job, role, ask(prometheus, selector)) for
                                    role, selector in (("total", total), ("bad", bad),
                                                       ("up", scrapes))]
    done = run("squall", "report", made.write())
    assert done.returncode == 3, done.stdout + done.stderr
    return {slo["name"]: slo for slo in json.loads((made.path / "verdict.json").read_text())["slos"]}


@pytest.mark.parametrize("job", BY_HAND)
def test_budget_equals_the_hand_computation(judged, job):
    total, bad, scrapes, status, reason = BY_HAND[job]
    got = judged[job]
    assert got["total"] == pytest.approx(total, abs=1e-9)
    assert got["bad"] == pytest.approx(bad, abs=1e-9)
    assert (got["scrapesPresent"], got["scrapesExpected"]) == (scrapes, 24)
    assert got["coverage"] == pytest.approx(scrapes / 24, abs=1e-9)
    assert (got["status"], got["reason"]) == (status, reason)
    if total == 0:
        assert got["sli"] is None and got["budgetSpent"] is None
    else:
        assert got["sli"] == pytest.approx(1 - bad / total, abs=1e-9)
        assert got["budgetSpent"] == pytest.approx(bad / (0.01 * total), abs=1e-9)


def test_promql_increase_would_have_answered_otherwise(prometheus, judged):
    """Why squall reckons itself: the events of the error series that appears in the window."""
    text = urllib.parse.urlencode({
        "query": 'sum(increase(http_requests_total{job="fresh",status="503"}[24s]))',
        "time": BASE + LOAD_S + 2})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query?{text}", timeout=10) as answer:
        value = float(json.load(answer)["data"]["result"][0]["value"][1])
    assert abs(value - judged["fresh"]["bad"]) > 1
