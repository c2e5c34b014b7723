# SPDX-License-Identifier: Apache-2.0
"""Faults that wait for a probe or an operator, or depend on one; probes of stores; the budget."""

import json
import os
import pty
import shutil
import socket
import subprocess

import pytest

from conftest import BIN, ROOT, each_process, run, wait_until
from experiment import Experiment, needs_root
from services import parent_of

pytestmark = needs_root
CATALOG = ROOT / "scenarios" / "catalog" / "step-by-step.yaml"
APP = "service: users, lease: 2s, app: {errorRate: 50%}"
SECRET = "squeamish-ossifrage"


@pytest.fixture(name="redis")
def _redis(tmp_path):
    """A server of the test's own that wants a password: its port and the file with the word."""
    assert shutil.which("redis-server"), "redis-server is not installed (tools/setup check)"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = tmp_path / "redis.password"
    secret.write_text(SECRET + "\n")
    config = tmp_path / "redis.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\nsave \"\"\nrequirepass {SECRET}\n"
                      f"dir {tmp_path}\n")
    with open(tmp_path / "redis.log", "wb") as log, \
            subprocess.Popen(["redis-server", str(config)], stdout=log, stderr=log) as server:
        try:
            def answers():
                with socket.socket() as one:
                    return one.connect_ex(("127.0.0.1", port)) == 0
            wait_until(answers, 20, "redis-server to answer")
            yield port, secret
        finally:
            server.kill()


def said(one):
    """The order of what happened to each fault."""
    return [(e["name"], e["type"]) for e in one.events()
            if e["type"].startswith("fault.") and e["type"] != "fault.reverting"]


def objectives(one, source):
    return {o["name"]: o for o in one.verdict()["objectives"] if o["source"] == source}


def test_the_catalog_goes_step_by_step(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment.of_file(sandbox, tmp_path, CATALOG)
    held = one.assert_passed()
    assert objectives(one, "probe")["kill-is-survived"]["status"] == "pass"
    taken, left = "fails-often", "fails-a-little"
    lives = ["fault.requested", "fault.active", "fault.gone"]
    assert said(one) == [
        ("lose-one", "fault.waiting"), ("lose-one", "fault.met"),
        *(("lose-one", what) for what in lives), (taken, "fault.chosen"), (left, "fault.skipped"),
        *((taken, what) for what in lives)]
    # The branch that was not taken is told, with why, and counts for nothing.
    skipped = objectives(one, "fault")[left]
    assert (skipped["reason"], skipped["advisory"]) == ("skipped", True)
    assert "unless kill-is-survived: it held" in skipped["measured"]
    phase = objectives(one, "threshold")
    assert phase["little-failure-is-absorbed"]["reason"] == "skipped"
    assert phase["much-failure-is-absorbed"]["status"] == "pass" or not held
    assert "database-is-quiet" not in objectives(one, "probe")
    for name in ("no-user-is-lost", "nobody-waits-for-a-lock"):
        assert objectives(one, "probe")[name]["status"] == "pass" or not held
    # Nothing was sent in its name.
    load = json.loads((one.dir() / "load.json").read_text())
    phases = {part["phase"] for part in load["parts"]}
    assert left not in phases and taken in phases and f"after-{left}" not in phases, phases
    html = (one.dir() / "report.html").read_text()
    markdown = (one.dir() / "report.md").read_text()
    for text in (html, markdown):
        assert "not injected: unless kill" in text and "SKIPPED" in text
        assert "Predicted spend" in text and "What faults waited for" in text
        assert "its condition came about" in text and "if kill-is-survived: it held" in text
    # Judged again from its directory, to the same byte.
    before = (one.dir() / "verdict.json").read_bytes()
    assert run("squall", "report", one.dir()).returncode == (0 if held else 1)
    assert (one.dir() / "verdict.json").read_bytes() == before


OPERATED = f"""\
  - {{name: first, at: 500ms, for: 500ms, suspend: {{within: 20s, message: look}}, {APP}}}
  - {{name: second, at: 2s, for: 500ms, suspend: {{within: 20s}}, {APP}}}
"""
STORES = """\
 probes:
  - {{name: there, mode: before, timeout: 10s, redis: {{{redis}, command: [PING], reply: PONG}}}}
  - {{name: counted, every: 300ms, timeout: 10s, redis: {{{redis}, command: [INCR, n],
     compare: ">", reply: "0"}}}}
  - {{name: another, every: 300ms, timeout: 10s, redis: {{{redis}, database: 3,
     command: [GET, n], reply: "(nil)"}}}}
  - {{name: wrong, every: 300ms, redis: {{{redis}, command: [GET, n], reply: nowhere}}}}
  - {{name: strangers, every: 300ms, redis: {{address: "127.0.0.1:{port}", command: [PING]}}}}
  - {{name: nobody, every: 300ms, redis: {{address: "127.0.0.1:1", command: [PING]}}}}
  - {{name: rows, mode: during, every: 200ms, timeout: 10s, sql: {{{sql},
     query: SELECT id FROM users LIMIT 7, rows: 7}}}}
  - {{name: too-many, every: 300ms, sql: {{{sql}, query: "SELECT generate_series(1, 9)",
     compare: "<", rows: 9}}}}
  - {{name: no-write, every: 300ms, sql: {{{sql}, query: DELETE FROM users RETURNING id}}}}
  - {{name: no-more, every: 300ms, sql: {{{sql}, query: SELECT 1; SELECT 2}}}}
  - {{name: slow, every: 2s, timeout: 1s, sql: {{{sql}, query: SELECT pg_sleep(30)}}}}
  - {{name: no-login, every: 300ms, sql: {{service: postgres, user: squall, passwordFile: {bad},
     query: SELECT 1}}}}
"""


def arguments_of(pid):
    """The command lines of squall and its children."""
    return b"\0".join(each_process(
        lambda process: pid in (int(process.name), parent_of(process))
        and (process / "cmdline").read_bytes()).values())


class OnTerminal(Experiment):
    """`squall run` whose standard input is a terminal that is its own."""

    def begin(self, box, folder, file, out, *options):
        self.keys, terminal = pty.openpty()
        self.box, self.file, self.out = box, file, out or folder / "runs"
        self.log = open(folder / "log", "w+", encoding="utf-8")
        command = ["setsid", "--ctty", str(BIN / "squall"), "run", str(file), "--out",
                   str(self.out), *options]
        self.process = subprocess.Popen(command, stdin=terminal, stdout=self.log,
                                        stderr=subprocess.STDOUT, env={**os.environ, **box.env})
        os.close(terminal)


def test_an_operator_continues_and_stores_are_asked(sandbox, tmp_path, redis):
    sandbox.wait_healthy()
    port, secret = redis
    bad = tmp_path / "bad.password"
    bad.write_text("no-such-word")
    probes = STORES.format(
        port=port, bad=bad, redis=f'address: "127.0.0.1:{port}", passwordFile: {secret}',
        sql="service: postgres, database: users, user: squall, "
            "passwordFile: secrets/users-password")
    one = OnTerminal(sandbox, tmp_path, OPERATED, duration="50s", judged=probes)
    one.wait_event("load.started")
    os.write(one.keys, b"\n")  # too early: nobody has asked
    one.wait_event("run.suspended")
    assert SECRET.encode() not in arguments_of(one.process.pid)
    assert one.events("fault.requested") == [] and not sandbox.in_force("app")
    assert stat_of(one.dir() / "continue.sock") == 0o600
    done = run("squall", "continue", one.dir())
    assert (done.returncode, done.stdout) == (0, "it goes on; the next fault is first\n"), done
    wait_until(lambda: len(one.events("run.suspended")) == 2, 30, "the second suspension")
    assert [e["type"] for e in one.events() if e["type"] in ("fault.gone", "run.suspended")] == [
        "run.suspended", "fault.gone", "run.suspended"]
    assert not sandbox.in_force("app")
    os.write(one.keys, b"\n")
    wait_until(lambda: len(one.events("fault.gone")) == 2, 30, "the second fault")
    again = run("squall", "continue", one.dir())
    assert again.returncode == 2 and "no run waits" in again.stderr, again
    assert not (one.dir() / "continue.sock").exists()
    one.process.terminate()
    assert one.end() == 4, one.text()
    assert [e["by"] for e in one.events("run.continued")] == [
        "squall continue, user 0", "the terminal"]
    assert "SUSPENDED before fault first: look" in one.text()
    markdown = (one.dir() / "report.md").read_text()
    assert "| the run is suspended before it | look, at most 20s |" in markdown
    assert "| the run goes on | by squall continue, user 0 |" in markdown
    check_stores(one, port)


def stat_of(path):
    return path.stat().st_mode & 0o777


def check_stores(one, port):
    answers = {}
    for entry in json.loads((one.dir() / "probes.json").read_text())["probes"]:
        answers.setdefault(entry["name"], []).append(entry)
    for name in ("there", "counted", "another", "rows"):
        assert all(a["ok"] for a in answers[name]), answers[name]
    expected = {
        "wrong": f'127.0.0.1 port {port}: the reply: "',
        "strangers": "NOAUTH", "nobody": "Connection refused",
        "too-many": 'the number of rows: "9", expected < "9"',
        "no-write": "cannot execute DELETE in a read-only transaction (SQLSTATE 25006)",
        "no-more": "cannot insert multiple commands into a prepared statement",
        "slow": "no answer in time", "no-login": "password authentication failed"}
    for name, text in expected.items():
        assert not any(a["ok"] for a in answers[name]), answers[name]
        assert any(text in a["detail"] for a in answers[name]), answers[name]
    assert sum(a["times"] for a in answers["rows"]) >= 2
    for file in one.dir().iterdir():
        assert SECRET.encode() not in file.read_bytes(), f"{file} holds the password"


SHORT = " abort:\n  - {name: too-many-errors, when: errors > 95%, over: 3s}\n"


def test_nobody_is_there(sandbox, tmp_path):
    """As in CI: no terminal, nobody who knows of the run."""
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, OPERATED.replace("20s", "1s"), judged=SHORT)
    assert one.end() == 4, one.text()
    why = "operator: suspended before fault first, and nobody continued it within 1s"
    assert one.verdict()["abortedBy"] == why, one.verdict()
    assert one.events("fault.requested") == []
    assert objectives(one, "fault")["first"]["reason"] == "aborted"


def test_a_suspended_run_that_dies_leaves_nothing(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, OPERATED, duration="50s", judged=SHORT)
    one.wait_event("run.suspended")
    one.process.kill()
    one.end()
    late = run("squall", "continue", one.dir())
    assert late.returncode == 2 and "no run waits" in late.stderr, late
    assert not sandbox.in_force("app")
    wait_until(lambda: not one.load_processes(), 20, "the load to end with its controller")
    assert run("squall", "report", one.dir()).returncode == 5
    assert "the runner was stopped" in (one.dir() / "report.md").read_text()


def test_a_condition_that_does_not_come_about(sandbox, tmp_path):
    sandbox.wait_healthy()
    fault = f"  - {{name: late, at: 500ms, for: 1s, waitFor: {{probe: flag, within: 1s}}, {APP}}}\n"
    flag = tmp_path / "flag"
    probe = (" probes:\n  - {name: flag, mode: gate, every: 200ms, exec: {command: "
             f"\"test -e {flag}\"}}}}\n")
    one = Experiment(sandbox, tmp_path, fault, judged=probe + SHORT)
    assert one.end() == 3, one.text()
    found = objectives(one, "fault")["late"]
    assert (found["status"], found["reason"]) == ("insufficient", "condition_not_met")
    assert "flag, which did not hold within 1s: the command exited with 1" in found["measured"]
    assert said(one) == [("late", "fault.waiting"), ("late", "fault.unmet")]
    assert "not injected: waited for the probe flag" in (one.dir() / "report.md").read_text()


def test_dry_run_predicts_what_is_spent(sandbox, tmp_path):
    sandbox.wait_healthy()
    dry = run("squall", "run", CATALOG, "--target", sandbox.name, "--dry-run", env=sandbox.env)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    # 9 s of 200/s; a kill of one of two for 5 s, then 40 % and 10 % of one of two for 2 s.
    for line in ("85 % must be good, so that 270 of 1800 requests may be bad",
                 "lose-one   50 % of the requests meet a target for 5s, 100 % of those are bad "
                 "(the worst case): at most 500",
                 "fails-often 50 % of the requests meet a target for 2s, 40 % of those are bad "
                 "(as it states): at most 80",
                 "predicted  at most 222.2 % of this run's budget, 0.5556 % of that of 1h",
                 "waits      for probe database-is-quiet, at most 1s",
                 "unless     probe kill-is-survived holds"):
        assert line in dry.stdout, dry.stdout
    dear = tmp_path / "dear.yaml"
    dear.write_text(CATALOG.read_text().replace("maxSpend: 1%", "maxSpend: 0.5%"))
    for options in (["--dry-run"], []):
        refused = run("squall", "run", dear, "--target", sandbox.name, "--out", tmp_path / "runs",
                      *options, env=sandbox.env)
        assert refused.returncode == 2 and "can spend 0.5556% of the error budget" in refused.stderr
    assert not (tmp_path / "runs").exists()
