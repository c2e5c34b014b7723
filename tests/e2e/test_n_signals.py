# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM at every moment of an experiment."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import wait_until
from experiment import FAULTS, Experiment, needs_root

pytestmark = needs_root


QUICK = {kind: fault.replace("at: 3s, for: 6s", "at: 1s, for: 2s")
         for kind, fault in FAULTS.items()}


def start(sandbox, folder, kind):
    sandbox.wait_healthy()
    return Experiment(sandbox, folder, QUICK[kind], duration="5s")


def assert_aborted(sandbox, one, kind):
    before = time.monotonic()
    assert one.end() == 4, one.text()
    assert time.monotonic() - before < 15
    assert not sandbox.in_force(kind)
    assert sandbox.rules() == ""
    assert one.load_processes() == []
    assert one.verdict()["exitCode"] == 4
    assert (one.dir() / "report.html").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["run.started", "load.started", "fault.requested",
                                    "fault.active", "fault.reverting", "fault.gone",
                                    "load.finished"])
def test_a_signal_at_any_moment(sandbox, tmp_path, number, moment):
    one = start(sandbox, tmp_path, "partition")
    one.wait_event(moment)
    one.process.send_signal(number)
    assert_aborted(sandbox, one, "partition")
    kinds = [e["type"] for e in one.events()]
    if moment == "fault.active":
        assert kinds.index("fault.reverting") < kinds.index("load.finished")


@pytest.mark.parametrize("moment", ["fault.requested", "fault.active", "fault.reverting"])
def test_a_signal_while_a_service_is_told_to_fail(sandbox, tmp_path, moment):
    one = start(sandbox, tmp_path, "app")
    one.wait_event(moment)
    one.process.send_signal(signal.SIGTERM)
    assert_aborted(sandbox, one, "app")


def test_a_signal_while_a_restart_is_awaited(sandbox, tmp_path):
    one = start(sandbox, tmp_path, "kill")
    supervisor = json.loads((sandbox.dir / "supervisor.json").read_text())["pid"]
    one.wait_event("load.started")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        one.wait_event("fault.reverting")
        one.process.send_signal(signal.SIGINT)
        one.wait_event("abort")
        assert one.events("fault.gone") == [], "what was killed is not back"
        assert one.process.poll() is None, "the run waits for it all the same"
    finally:
        os.kill(supervisor, signal.SIGCONT)
    wait_until(lambda: one.events("fault.gone"), 15, f"the restart to be seen\n{one.text()}")
    one.process.wait(30)
    sandbox.wait_healthy()
    assert_aborted(sandbox, one, "kill")


ANSWER_S = 8  # that Prometheus has


def test_a_signal_while_prometheus_is_asked(sandbox, tmp_path):
    one = start(sandbox, tmp_path, "partition")
    prometheus = sandbox.instances("prometheus")[0]

    def sent():
        """Bytes that the run has sent to Prometheus on connections that stand."""
        found = subprocess.run(["ss", "-HOtnpi", "dst",
                                f"{prometheus['address']}:{prometheus['port']}"],
                               capture_output=True, text=True, check=True).stdout
        return sum(int(re.search(r" bytes_sent:(\d+)", line)[1]) for line in found.splitlines()
                   if f"pid={one.process.pid}," in line and " bytes_sent:" in line)

    one.wait_event("load.finished")
    os.kill(sandbox.pid("prometheus-1"), signal.SIGSTOP)
    before = sent()
    try:
        wait_until(lambda: sent() > before, 20, "a question to Prometheus, which does not answer")
        assert one.events("query.done") == []
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(ANSWER_S * 0.75)  # the report does not wait for the answer
    finally:
        os.kill(sandbox.pid("prometheus-1"), signal.SIGCONT)
    assert_aborted(sandbox, one, "partition")
