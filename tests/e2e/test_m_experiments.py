# SPDX-License-Identifier: Apache-2.0
"""Whole experiments on a real sandbox: what they leave, and who else may interfere."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from conftest import run, wait_until
from experiment import FAULTS, Experiment, needs_root, start_sandbox, stop_sandbox

pytestmark = needs_root


@pytest.fixture(scope="module", name="sandbox")
def _sandbox():
    box = start_sandbox()
    yield box
    stop_sandbox(box)


def test_a_whole_experiment_passes_and_is_reproduced_offline(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["app"])
    assert one.end() == 0, one.text()
    folder = one.dir()
    names = {p.name for p in folder.iterdir()}
    for name in ("scenario.yaml", "plan.json", "events.ndjson", "latency.hlog", "load.json",
                 "faults.json", "probes.json", "queries.json", "verdict.json", "report.html",
                 "report.md", "junit.xml", "MANIFEST.sha256"):
        assert name in names, f"{name} is missing from {names}"
    check = subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=folder,
                           capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
    verdict = (folder / "verdict.json").read_bytes()
    copy = tmp_path / "elsewhere"
    subprocess.run(["cp", "-r", str(folder), str(copy)], check=True)
    again = run("squall", "report", copy)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (copy / "verdict.json").read_bytes() == verdict
    fault = json.loads((folder / "faults.json").read_text())["faults"][0]
    assert fault["state"] == "gone" and fault["wasActive"]
    assert {e["when"] for e in fault["evidence"]} == {"before", "during", "after"}


@pytest.mark.parametrize("kind", ["kill", "partition", "pause"])
def test_each_fault_takes_effect_and_is_gone(sandbox, tmp_path, kind):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    if kind == "partition":
        assert "drop" in sandbox.rules()
    elif kind == "pause":
        assert sandbox.in_force(kind)
    assert one.end() == 0, one.text()
    assert not sandbox.in_force(kind)
    assert sandbox.rules() == ""


def test_the_supervisor_waits_for_what_is_frozen(sandbox):
    """A process that is started into a frozen group stops before exec, and would hold up whoever
    waits for that."""
    sandbox.wait_healthy()
    users, gateway = sandbox.instances("users")[0], sandbox.instances("gateway")[1]
    freeze = pathlib.Path(users["cgroup"]) / "cgroup.freeze"
    pids = {one["name"]: sandbox.pid(one["name"]) for one in (users, gateway)}
    freeze.write_text("1")
    try:
        os.kill(pids[users["name"]], signal.SIGKILL)
        wait_until(lambda: sandbox.pid(users["name"]) == 0, 5, "its end is seen")
        os.kill(pids[gateway["name"]], signal.SIGKILL)
        wait_until(lambda: sandbox.pid(gateway["name"]) not in (0, pids[gateway["name"]]), 10,
                   "the supervisor goes on")
        assert sandbox.pid(users["name"]) == 0
    finally:
        freeze.write_text("0")
    sandbox.wait_healthy()


def test_no_steady_state_no_fault(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["kill"], within="2s", check="/api/absent")
    assert one.end() == 4, one.text()
    assert "steady state was not reached" in one.text() and "404" in one.text()
    assert one.events("load.started") == []


def test_halt_while_a_run_goes_on(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event("fault.active")
    halt = sandbox.squall("halt")
    assert halt.returncode == 0, halt.stdout + halt.stderr
    assert not sandbox.in_force("partition")
    assert one.end() == 4, one.text()


def test_two_runs_of_one_sandbox_do_not_share_a_target(sandbox, tmp_path):
    sandbox.wait_healthy()
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    one = Experiment(sandbox, first, FAULTS["partition"])
    one.wait_event("fault.active")
    two = Experiment(sandbox, second, FAULTS["partition"].replace("at: 3s", "at: 100ms"))
    two.wait_event("load.started")  # what is broken by another run is not steady
    assert one.events("fault.gone") and "fault broken of run" in two.text(), two.text()
    assert two.end() == 0, two.text()
    assert one.end() == 0, one.text()
    assert sandbox.rules() == ""
