# SPDX-License-Identifier: Apache-2.0
"""Experiments on real traffic that must not pass: what is broken is found, by both sides' numbers."""

import json
import os
import signal
import time

from experiment import FAULTS, Experiment, needs_root

pytestmark = needs_root


def objectives(one, source):
    return {o["name"]: (o["status"], o["reason"]) for o in one.verdict()["objectives"]
            if o["source"] == source}


SICK = ("  - {name: broken, at: 2s, for: 7s, lease: 3s, service: gateway, select: one,\n"
        "     app: {errorRate: 50%, errorStatus: 500, latency: 60ms}}")
# Half of the load goes to the sick gateway, which fails half of that; were it much slower, its
# connections would be busy and take less of the load.
JUDGED = """\
 thresholds:
  - {name: few-errors, expect: errors < 5%, phase: broken, route: list-users}
  - {name: fast, expect: p90 < 50ms, phase: broken, route: list-users}
  - {name: well-before, expect: errors < 1%, phase: steady}
 slos:
  - {name: availability, objective: 99%, availability: {service: gateway}}
  - {name: latency, objective: 90%, latency: {service: gateway, within: 50ms}}
 abort:
  - {name: too-many-errors, when: errors > 95%, over: 3s}
"""


def test_a_platform_that_fails_its_objectives_is_found_out(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, SICK, judged=JUDGED)
    assert one.end() == 1, one.text()
    assert objectives(one, "fault") == {"broken": ("pass", "met")}
    assert objectives(one, "slo") == {"availability": ("fail", "not_met"),
                                      "latency": ("fail", "not_met")}
    assert objectives(one, "threshold") == {"few-errors": ("fail", "not_met"),
                                            "fast": ("fail", "not_met"),
                                            "well-before": ("pass", "met")}
    load = json.loads((one.dir() / "load.json").read_text())["total"]["failed"]["http_5xx"]
    slo = [o for o in one.verdict()["objectives"] if o["name"] == "availability"][0]
    assert f"{load} bad of" in slo["measured"], (load, slo)


GUARDED = JUDGED.replace("errors > 95%, over: 3s", "errors > 10%, over: 2s")


def test_a_guard_ends_the_run_and_the_fault_first(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, SICK, judged=GUARDED)
    assert one.end() == 4, one.text()
    assert "too-many-errors: measured" in one.text()
    kinds = [e["type"] for e in one.events()]
    # Asked to go first; when it has been measured gone, the load may have run out.
    assert kinds.index("abort") < kinds.index("fault.reverting") < kinds.index("load.finished")
    assert not sandbox.in_force("app")
    assert one.verdict()["abortedBy"].startswith("guard: too-many-errors")
    load = json.loads((one.dir() / "load.json").read_text())
    assert not load["complete"] and load["scheduledNs"] < 8 * 10**9


def test_a_target_that_stays_dead_passes_nothing(sandbox, tmp_path):
    """Nothing answers from some moment to the end, and Prometheus sees no failed request."""
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["kill"])
    one.wait_event("load.interval")
    supervisor = json.loads((sandbox.dir / "supervisor.json").read_text())["pid"]
    gateways = [sandbox.pid(i["name"]) for i in sandbox.instances("gateway")]
    os.kill(supervisor, signal.SIGSTOP)  # nobody starts them again
    try:
        for pid in gateways:
            os.kill(pid, signal.SIGKILL)
        assert one.end(deadline=90) not in (0, 2), one.text()
    finally:
        os.kill(supervisor, signal.SIGCONT)
    status, _ = objectives(one, "slo")["availability"]
    assert status in ("fail", "insufficient"), one.text()
    sandbox.wait_healthy()


def test_a_hung_generator_ends_the_fault(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event("fault.active")
    since = time.monotonic()
    pids = one.load_processes()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        one.wait_event("fault.gone", deadline=20)
        assert time.monotonic() - since < 15
        assert one.end() == 5, one.text()
    finally:
        for pid in one.load_processes():
            os.kill(pid, signal.SIGCONT)
    assert "fallen silent" in one.text()
    assert one.load_processes() == []
