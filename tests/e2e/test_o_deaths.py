# SPDX-License-Identifier: Apache-2.0
"""What an experiment depends on dies in the middle of it."""

import errno
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import run, wait_until
from experiment import FAULTS, LEASE_S, Experiment, needs_root

pytestmark = needs_root


@pytest.mark.parametrize("kind", ["app", "partition"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSTOP])
def test_the_agent_dies_during_a_fault(sandbox, tmp_path, kind, death):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    assert sandbox.in_force(kind)
    pid = sandbox.agent_pid()
    os.kill(pid, death)
    wait_until(lambda: not sandbox.in_force(kind), LEASE_S + 2, "fault to be gone by lease + 2 s")
    if death == signal.SIGSTOP:
        wait_until(lambda: one.events("agent.lost"), 20, "the run to notice a silent agent")
        os.kill(pid, signal.SIGCONT)
    # Not 6: it is restarted and replays its journal, or goes on, well within the run's patience
    # (lease + 15 s), and then measures that the fault is gone. What is left is that the fault did
    # not last as planned.
    assert one.end() == 5, one.text()
    restarted = death == signal.SIGKILL and "it ended before its time (recovery)" in one.text()
    assert restarted or "the agent does not answer" in one.text(), one.text()
    verdict = one.verdict()
    assert (verdict["status"], verdict["exitCode"]) == ("error", 5), verdict
    reasons = {o["reason"] for o in verdict["objectives"] if o["source"] == "fault"}
    assert reasons == {"fault_interrupted"}, verdict
    fault = json.loads((one.dir() / "faults.json").read_text())["faults"][0]
    assert fault["state"] == "gone", fault
    assert fault["end"] == ("recovery" if death == signal.SIGKILL else "lease"), fault
    sandbox.wait_healthy()


@pytest.mark.parametrize("kind", ["app", "partition"])
def test_the_controller_dies_during_a_fault(sandbox, tmp_path, kind):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not sandbox.in_force(kind), LEASE_S + 2, "fault to be gone by lease + 2 s")
    wait_until(lambda: one.load_processes() == [], 5, "the orphaned load generator to stop")
    report = run("squall", "report", one.dir())
    assert report.returncode in (3, 5, 6), report.stdout + report.stderr


def test_the_generator_dies_during_a_fault(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event("fault.active")
    for pid in one.load_processes():
        os.kill(pid, signal.SIGKILL)
    assert one.end() == 5, one.text()
    assert not sandbox.in_force("partition")
    assert "signal 9" in one.text()


def test_prometheus_stops_half_way(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["app"])
    one.wait_event("fault.active")
    pid = sandbox.pid("prometheus-1")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert one.end(deadline=90) == 3, one.text()
    finally:
        os.kill(pid, signal.SIGCONT)
    verdict = one.verdict()
    assert verdict["status"] == "insufficient"
    slo = [o for o in verdict["objectives"] if o["source"] == "slo"][0]
    assert slo["status"] == "insufficient", slo


def test_prometheus_dies_and_is_restarted(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["app"])
    one.wait_event("fault.active")
    killed = []

    def kill_until_the_load_ends():
        pid = sandbox.pid("prometheus-1")
        if pid and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        return one.events("load.finished")

    wait_until(kill_until_the_load_ends, 40, "the load to end")
    assert killed
    assert one.end(deadline=90) == 3, one.text()
    sandbox.wait_healthy()


def test_the_disk_of_the_run_directory_is_full(sandbox, tmp_path):
    sandbox.wait_healthy()
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)], check=True)
    try:
        one = Experiment(sandbox, tmp_path, FAULTS["partition"], out=mount / "runs")
        one.wait_event("fault.active")
        ballast = os.open(mount / "ballast", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(ballast, b"x" * 512)
        except OSError as error:
            assert error.errno == errno.ENOSPC
        finally:
            os.close(ballast)
        assert one.end() == 5, one.text()
        assert not sandbox.in_force("partition")
        assert sandbox.rules() == ""
        assert re.search(r"disk full|No space left", one.text()), one.text()
        assert one.load_processes() == []
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)
