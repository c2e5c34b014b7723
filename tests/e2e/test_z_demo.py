# SPDX-License-Identifier: Apache-2.0
"""tools/demo, as a newcomer runs it. tools/check runs this file alone, since the demo's scenario
has thresholds in milliseconds that a machine busy with other tests does not keep."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import BIN, ROOT, command_of, each_process, run, wait_until
from experiment import needs_root

RELEASE = ROOT / "build" / "release" / "bin"
DEMO_S = 180

pytestmark = [needs_root, pytest.mark.skipif(
    BIN.resolve() != RELEASE.resolve(),
    reason="tools/demo runs what is in build/release; SQUALL_BIN is another build")]


class Demo:
    def __init__(self, root, log):
        self.root, self.log = root, log
        self.begun = time.monotonic()
        with open(log, "wb") as out:
            self.process = subprocess.Popen([str(ROOT / "tools" / "demo")], stdout=out, stderr=out,
                                            env={**os.environ, "SQUALL_STATE": str(root)})

    def text(self):
        return self.log.read_text()

    def end(self, limit_s):
        self.process.wait(timeout=limit_s)
        return self.process.returncode


@pytest.fixture(name="start")
def _start(root, tmp_path):
    begun = []

    def start():
        begun.append(Demo(root, tmp_path / f"log{len(begun)}"))
        return begun[-1]

    yield start
    for demo in begun:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(60)


@pytest.fixture(name="root")
def _root():
    """A state folder that PostgreSQL's own user can reach."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="squall-demo-", dir="/var/tmp"))
    root.chmod(0o755)
    yield root
    run("squall", "down", "--name", "demo", "--purge", env={"SQUALL_STATE": str(root)})
    shutil.rmtree(root)


def platform_of(root):
    file = root / "sandboxes" / "demo" / "topology.json"
    return json.loads(file.read_text()) if file.exists() else None


def namespaces(platform):
    return [pathlib.Path(i["netns"]) for s in platform["services"] for i in s["instances"]]


def processes(root):
    """Command lines of whatever was started for this state folder and is alive."""
    commands = map(" ".join, each_process(command_of).values())
    return [command for command in commands if str(root) in command]


def assert_down(root, spaces):
    status = run("squall", "status", "--name", "demo", env={"SQUALL_STATE": str(root)})
    assert "is not up" in status.stdout, status.stdout
    assert processes(root) == []
    assert [space for space in spaces if space.exists()] == []


def test_the_demo_and_a_second_one_beside_it(root, start):
    one = start()
    platform = wait_until(lambda: platform_of(root), 60, "the platform to be described")
    spaces = namespaces(platform)
    assert all(space.exists() for space in spaces)
    wait_until(lambda: "is up after" in one.text(), 60, f"the platform to be up\n{one.text()}")
    two = start()
    assert two.end(60) == 5 and "is up already" in two.text(), two.text()
    assert "squall down --name demo" in two.text(), "it says what to do"
    assert one.process.poll() is None and platform_of(root) is not None
    assert one.end(DEMO_S) == 0, one.text()
    assert time.monotonic() - one.begun < DEMO_S
    page = pathlib.Path(re.search(r"^report +(\S+report\.html)$", one.text(), re.M)[1])
    folder = (ROOT / page).parent
    try:
        assert (folder / "report.html").read_text().count("<svg") >= 2, "the report has its charts"
        verdict = json.loads((folder / "verdict.json").read_text())
        assert (verdict["status"], verdict["exitCode"]) == ("pass", 0)
        faults = json.loads((folder / "faults.json").read_text())["faults"]
        assert [(f["kind"], f["wasActive"], f["state"]) for f in faults] == [
            ("kill", True, "gone"), ("partition", True, "gone"), ("app", True, "gone")]
    finally:
        shutil.rmtree(folder)
    assert_down(root, spaces)


def test_a_demo_that_is_told_to_end_leaves_nothing(root, start):
    one = start()
    platform = wait_until(lambda: platform_of(root), 60, "the platform to be on its way up")
    one.process.send_signal(signal.SIGTERM)
    assert one.end(60) != 0, one.text()
    assert_down(root, namespaces(platform))
