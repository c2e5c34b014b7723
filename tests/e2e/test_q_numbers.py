# SPDX-License-Identifier: Apache-2.0
"""Every number that decides, of a real run, against a second reckoning from the raw files; and the
same report again wherever and however it is made."""

import os
import shutil
import subprocess

import pytest
import recompute
import rundir
from conftest import BIN, run
from experiment import needs_root, start_sandbox, stop_sandbox

SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: numbers, description: short, for its numbers}}
spec:
 target: {{kind: sandbox, name: {sandbox}}}
 seed: 11
 duration: 12s
 load:
  service: gateway
  arrivals: poisson
  rate: 200/s
  connections: 32
  timeout: 2s
  maxLate: 500ms
  routes:
  - {{name: list-users, path: "/api/users?limit=5"}}
  - {{name: data, path: /api/data}}
 steadyState:
  for: 500ms
  within: 20s
  checks: [{{name: ready, service: gateway, path: /ready}}]
 faults:
  - {{name: lose-one, at: 2s, for: 4s, service: users, select: one,
     kill: {{signal: SIGKILL, restartWithin: 8s}}}}
  - {{name: flaky, at: 8s, for: 3s, service: users, select: one,
     app: {{errorRate: 50%, errorStatus: 500}}}}
 thresholds:
  - {{name: median, expect: p50 < 10s}}
  - {{name: p95-of-data, expect: p95 < 10s, route: data}}
  - {{name: p90-while-killed, expect: p90 < 10s, phase: lose-one}}
  - {{name: mean-latency, expect: mean < 10s}}
  - {{name: largest, expect: max < 10s}}
  - {{name: errors-while-flaky, expect: errors < 100%, phase: flaky}}
  - {{name: all-errors, expect: errors < 90%}}
  - {{name: sent, expect: achieved_rate >= 50%}}
  - {{name: many, expect: count >= 1}}
  - {{name: fast-enough, expect: rate >= 1/s, phase: lose-one}}
 slos:
  - {{name: availability, objective: 40%, availability: {{service: gateway}}}}
  - {{name: latency, objective: 40%, latency: {{service: gateway, within: 250ms}}}}
  - {{name: users-availability, objective: 10%, availability: {{service: users}}}}
"""


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    """The run directory of a real run, killed and restarted processes in it."""
    box = start_sandbox()
    folder = tmp_path_factory.mktemp("numbers")
    file = folder / "scenario.yaml"
    file.write_text(SCENARIO.format(sandbox=box.name).replace("short, for", "short for"))
    box.wait_healthy()
    done = run("squall", "run", file, "--out", folder / "runs", env=box.env)
    stop_sandbox(box)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(p for p in (folder / "runs").iterdir() if p.is_dir())


@needs_root
def test_the_numbers_of_a_real_run_follow_from_its_raw_files(folder):
    assert recompute.check(folder) == (10, 3)
    text = (folder / "report.html").read_text()
    assert text.count("<svg") == 3, "a chart of a real run could not be drawn"
    assert text.count("reconcile") >= 1


@needs_root
def test_a_changed_number_would_be_noticed(folder, tmp_path):
    copy = tmp_path / "r"
    shutil.copytree(folder, copy)
    name = "verdict.json"
    text = (copy / name).read_text()
    total = recompute.service_level(copy, {"name": "availability", "kind": "availability",
                                           "objective": 0.4, "instances": 2})["total"]
    assert f'"total": {total:.1f}' in text
    (copy / name).write_text(text.replace(f'"total": {total:.1f}', f'"total": {total + 1:.1f}'))
    with pytest.raises(AssertionError):
        recompute.check(copy)


def test_the_numbers_of_a_run_made_by_hand(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    assert run("squall", "report", made).returncode == 0
    assert recompute.check(made) == (2, 1)


def outputs(folder, *names):
    return {name: (folder / name).read_bytes() for name in names}


ALL = ("verdict.json", "report.html", "report.md", "junit.xml", "MANIFEST.sha256")


@pytest.fixture(name="made")
def _made(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    assert run("squall", "report", made).returncode == 0
    return made


@pytest.mark.parametrize("change", [
    {"TZ": "Pacific/Kiritimati"}, {"TZ": ":/nonexistent"}, {"LC_ALL": "de_DE.UTF-8"},
    {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8"}, {"HOME": "/nonexistent"},
    {"GNUTERM": "png", "GNUPLOT_LIB": "/nonexistent", "GNUPLOT_PS_DIR": "/nonexistent"}],
    ids=str)
def test_the_surroundings_change_no_byte(made, tmp_path, change):
    copy = tmp_path / "other place" / "ä"
    shutil.copytree(made, copy)
    for name in ALL[:-1]:
        (copy / name).unlink()
    done = run("squall", "report", copy, env=change)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(copy, *ALL) == outputs(made, *ALL)


def test_umask_and_current_directory_change_no_byte(made, tmp_path):
    copy = tmp_path / "c"
    shutil.copytree(made, copy)
    done = subprocess.run(["sh", "-c", 'umask 077; cd "$1" && exec "$0" report .',
                           str(BIN / "squall"), str(copy)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert outputs(copy, *ALL) == outputs(made, *ALL)


def test_without_gnuplot_in_the_path_only_the_page_differs(made, tmp_path):
    copy = tmp_path / "c"
    shutil.copytree(made, copy)
    (tmp_path / "bin").mkdir()
    done = run("squall", "report", copy, env={"PATH": str(tmp_path / "bin")})
    assert done.returncode == 0, done.stderr
    names = ("verdict.json", "report.md", "junit.xml")
    assert outputs(copy, *names) == outputs(made, *names)
    text = (copy / "report.html").read_text()
    assert text.count("Install gnuplot") == 3 and "<svg" not in text


def test_a_pipe_in_place_of_a_file_blocks_nothing(tmp_path):
    made = rundir.RunDir(tmp_path / "r").write()
    (made / "probes.json").unlink()
    os.mkfifo(made / "probes.json")
    done = run("squall", "report", made, timeout=30)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "probes.json could not be read" in done.stdout.replace("\n", " ")
