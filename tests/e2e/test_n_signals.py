# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM at every moment of an experiment."""

import signal
import time

import pytest

from experiment import FAULTS, Experiment, needs_root, start_sandbox, stop_sandbox

pytestmark = needs_root


@pytest.fixture(scope="module", name="sandbox")
def _sandbox():
    box = start_sandbox()
    yield box
    stop_sandbox(box)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["run.started", "load.started", "fault.requested",
                                    "fault.active", "fault.gone", "load.finished"])
def test_a_signal_at_any_moment(sandbox, tmp_path, number, moment):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event(moment)
    one.process.send_signal(number)
    before = time.monotonic()
    assert one.end() == 4, one.text()
    assert time.monotonic() - before < 15
    assert not sandbox.in_force("partition")
    assert sandbox.rules() == ""
    assert one.load_processes() == []
    assert one.verdict()["exitCode"] == 4
    assert (one.dir() / "report.html").exists()
    kinds = [e["type"] for e in one.events()]
    if "fault.gone" in kinds and "load.finished" in kinds and moment == "fault.active":
        assert kinds.index("fault.gone") < kinds.index("load.finished")
