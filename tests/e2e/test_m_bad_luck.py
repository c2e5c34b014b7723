# SPDX-License-Identifier: Apache-2.0
"""Whole experiments on a real sandbox, and everything that can go wrong with them."""

import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import BIN, ROOT, run, wait_until

LEASE_S = 2
pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="needs root: network namespaces and nftables")

FAULTS = {
    "kill": ("  - {name: broken, at: 3s, for: 6s, lease: 2s, service: users, select: one,\n"
             "     kill: {signal: SIGKILL, restartWithin: 6s}}"),
    "partition": ("  - {name: broken, at: 3s, for: 6s, lease: 2s, service: users, select: one,\n"
                  "     partition: {from: [postgres], action: drop, direction: both}}"),
    "app": ("  - {name: broken, at: 3s, for: 6s, lease: 2s, service: users, select: one,\n"
            "     app: {errorRate: 50%, errorStatus: 500}}"),
}

SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: bad-luck, description: a short experiment for tests}}
spec:
 target: {{kind: sandbox, name: {sandbox}}}
 seed: 7
 duration: 11s
 load:
  service: gateway
  arrivals: poisson
  rate: 150/s
  connections: 16
  timeout: 2s
  routes:
  - {{name: list-users, path: "/api/users?limit=5"}}
  - {{name: data, path: /api/data}}
 steadyState:
  for: 500ms
  within: {within}
  checks: [{{name: ready, service: gateway, path: {check}, status: 200, timeout: 1s}}]
 faults:
{fault}
 thresholds:
  - {{name: mostly-answered, expect: errors < 60%}}
 slos:
  - {{name: availability, objective: 40%, availability: {{service: gateway}}}}
 abort:
  - {{name: too-many-errors, when: errors > 95%, over: 3s}}
"""


class Sandbox:
    """One sandbox for all tests of this file, as `squall up` makes it."""

    def __init__(self, root):
        self.name = f"luck{os.getpid() % 10000}"
        self.env = {"SQUALL_STATE": str(root)}
        self.dir = root / "sandboxes" / self.name

    def squall(self, *args, **kwargs):
        return run("squall", *args, env=self.env, **kwargs)

    def topology(self):
        return json.loads((self.dir / "topology.json").read_text())

    def instances(self, service):
        for one in self.topology()["services"]:
            if one["name"] == service:
                return one["instances"]
        raise KeyError(service)

    def pid(self, instance):
        return json.loads((self.dir / "instances" / f"{instance}.json").read_text())["pid"]

    def rules(self):
        """All of squall's nftables tables in the namespaces of the users service."""
        text = ""
        for one in self.instances("users"):
            listing = subprocess.run(["nsenter", f"--net={one['netns']}", "nft", "list", "ruleset"],
                                     capture_output=True, text=True, check=True)
            text += listing.stdout
        return text

    def app_faults(self):
        """What the chaos endpoints of both users instances say is in force."""
        found = []
        for service in self.topology()["services"]:
            if service["name"] != "users":
                continue
            token = pathlib.Path(service["adminTokenFile"]).read_text().strip()
            for one in service["instances"]:
                answer = subprocess.run(
                    ["curl", "-sf", "-m", "3", "-H", f"Authorization: Bearer {token}",
                     f"http://{one['address']}:{one['port']}/api/chaos"],
                    capture_output=True, text=True, check=True)
                found.append(json.loads(answer.stdout)["data"])
        return found

    def in_force(self, kind):
        if kind == "partition":
            return "expires" in self.rules()
        if kind == "app":
            return any("rate" in json.dumps(one) for one in self.app_faults())
        states = [json.loads((self.dir / "instances" / f"{one['name']}.json").read_text())["state"]
                  for one in self.instances("users")]
        return any(state != "ready" for state in states)

    def agent_pid(self):
        journal = str(self.dir)
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if command[0].endswith("squall-agent") and any(journal in word for word in command):
                return int(entry.name)
        return None

    def wait_healthy(self):
        wait_until(lambda: self.squall("status").returncode == 0, 40, "the sandbox to be healthy")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    root = tmp_path_factory.mktemp("state")
    root.chmod(0o755)
    for parent in root.parents:  # PostgreSQL runs as its own user and must reach its folder
        if parent != pathlib.Path("/") and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    box = Sandbox(root)
    box.squall_up = box.squall("up", "--name", box.name)
    assert box.squall_up.returncode == 0, box.squall_up.stdout + box.squall_up.stderr
    original = box.squall

    def squall(*args, **kwargs):
        if args[0] in ("status", "down", "halt"):
            args = (*args, "--name", box.name)
        return original(*args, **kwargs)

    box.squall = squall
    yield box
    down = box.squall("down", "--purge")
    assert down.returncode == 0, down.stdout + down.stderr


class Experiment:
    """`squall run` under way, with its timeline."""

    def __init__(self, box, folder, fault, out=None, within="20s", check="/ready"):
        self.box = box
        self.file = folder / "scenario.yaml"
        self.file.write_text(SCENARIO.format(sandbox=box.name, fault=fault, within=within,
                                             check=check))
        self.out = out or folder / "runs"
        self.log = open(folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(BIN / "squall"), "run", str(self.file), "--out", str(self.out)],
            stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **box.env})

    def dir(self):
        found = [p for p in self.out.iterdir() if p.is_dir()] if self.out.exists() else []
        return found[0] if found else None

    def events(self, kind=None):
        folder = self.dir()
        file = folder / "events.ndjson" if folder else None
        if not file or not file.exists():
            return []
        lines = file.read_text().splitlines()
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                assert line is lines[-1], f"a damaged line inside the timeline: {line}"
        return [e for e in found if kind is None or e["type"] == kind]

    def wait_event(self, kind, deadline=40):
        return wait_until(lambda: self.events(kind), deadline, f"event {kind}\n{self.text()}")[0]

    def end(self, deadline=60):
        self.process.wait(timeout=deadline)
        return self.process.returncode

    def text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def verdict(self):
        return json.loads((self.dir() / "verdict.json").read_text())


def load_processes():
    listing = subprocess.run(["pgrep", "-x", "squall-load"], capture_output=True, text=True,
                             check=False)
    return listing.stdout.split()


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


@pytest.mark.parametrize("kind", ["kill", "partition"])
def test_each_fault_takes_effect_and_is_gone(sandbox, tmp_path, kind):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    if kind == "partition":
        assert "drop" in sandbox.rules()
    assert one.end() == 0, one.text()
    assert not sandbox.in_force(kind)
    assert sandbox.rules() == ""


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
    assert load_processes() == []
    assert one.verdict()["exitCode"] == 4
    assert (one.dir() / "report.html").exists()
    kinds = [e["type"] for e in one.events()]
    if "fault.gone" in kinds and "load.finished" in kinds and moment == "fault.active":
        assert kinds.index("fault.gone") < kinds.index("load.finished")


@pytest.mark.parametrize("kind", ["app", "partition"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSTOP])
def test_the_agent_dies_during_a_fault(sandbox, tmp_path, kind, death):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    assert sandbox.in_force(kind)
    pid = sandbox.agent_pid()
    os.kill(pid, death)
    start = time.monotonic()
    wait_until(lambda: not sandbox.in_force(kind), LEASE_S + 2, "fault to be gone by lease + 2 s")
    assert time.monotonic() - start <= LEASE_S + 2
    if death == signal.SIGSTOP:
        wait_until(lambda: one.events("agent.lost"), 20, "the run to notice a silent agent")
        os.kill(pid, signal.SIGCONT)
    assert one.end() in (5, 6), one.text()
    assert "agent" in one.text() or "ended before its time" in one.text()
    verdict = one.verdict()
    assert verdict["status"] == "error", verdict
    reasons = {o["reason"] for o in verdict["objectives"] if o["source"] == "fault"}
    assert reasons & {"fault_interrupted", "fault_stuck"}, verdict
    sandbox.wait_healthy()


@pytest.mark.parametrize("kind", ["app", "partition"])
def test_the_controller_dies_during_a_fault(sandbox, tmp_path, kind):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS[kind])
    one.wait_event("fault.active")
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not sandbox.in_force(kind), LEASE_S + 2, "fault to be gone by lease + 2 s")
    wait_until(lambda: load_processes() == [], 5, "the orphaned load generator to stop")
    report = run("squall", "report", one.dir())
    assert report.returncode in (3, 5, 6), report.stdout + report.stderr


def test_the_generator_dies_during_a_fault(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event("fault.active")
    for pid in load_processes():
        os.kill(int(pid), signal.SIGKILL)
    assert one.end() == 5, one.text()
    assert not sandbox.in_force("partition")
    assert "signal 9" in one.text()


def test_prometheus_stops_half_way(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["app"])
    one.wait_event("fault.active")
    pid = sandbox.pid("prometheus-1") if (sandbox.dir / "instances/prometheus-1.json").exists() \
        else sandbox.pid("prometheus")
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
    one.wait_event("load.started")
    name = "prometheus-1" if (sandbox.dir / "instances/prometheus-1.json").exists() else "prometheus"
    killed = []
    while one.process.poll() is None and not one.events("load.finished"):
        pid = sandbox.pid(name)
        if pid and pid not in killed and one.events("fault.active"):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        time.sleep(0.1)
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
        assert load_processes() == []
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


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
    assert two.end() in (4, 5), two.text()
    assert one.end() == 0, one.text()
    assert sandbox.rules() == ""


def test_invalid_yaml_names_file_line_and_column(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("apiVersion: squall/v1\nkind: Scenario\nmetadata: {name: x\nspec: [\n")
    for command in ("check", "run"):
        answer = run("squall", command, file)
        assert answer.returncode == 2
        assert re.search(rf"{re.escape(str(file))}:\d+:\d+: ", answer.stdout + answer.stderr)


def test_all_mistakes_at_once_with_the_nearest_name(tmp_path):
    file = tmp_path / "typos.yaml"
    file.write_text((ROOT / "scenarios/catalog/first.yaml").read_text()
                    .replace("arrivals:", "arivals:").replace("thresholds:", "treshholds:"))
    answer = run("squall", "check", file)
    text = answer.stdout + answer.stderr
    assert answer.returncode == 2
    assert "arivals" in text and "arrivals" in text and "treshholds" in text and "thresholds" in text


def test_a_ten_megabyte_scenario_is_refused_at_once(tmp_path):
    file = tmp_path / "large.yaml"
    file.write_text("metadata:\n" + "  x: y\n" * (10 * 1024 * 1024 // 7))
    start = time.monotonic()
    answer = run("squall", "check", file)
    assert answer.returncode == 2
    assert "1 MiB" in answer.stdout + answer.stderr or "bytes" in answer.stdout + answer.stderr
    assert time.monotonic() - start < 5


def test_no_sandbox_says_what_to_do(tmp_path):
    answer = run("squall", "run", ROOT / "scenarios/catalog/first.yaml", "--out", tmp_path / "runs",
                 env={"SQUALL_STATE": str(tmp_path / "nothing")})
    assert answer.returncode == 5
    assert "squall up" in answer.stdout + answer.stderr
