# SPDX-License-Identifier: Apache-2.0
"""What `squall` does with wrong words on its command line, and with an impatient operator."""

import fcntl
import http.server
import json
import os
import signal
import subprocess
import threading

import pytest

from conftest import BIN, ROOT, run, wait_until
from experiment import FAULTS, Experiment, needs_root

FIRST = ROOT / "scenarios/catalog/first.yaml"

EXTERNAL = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: elsewhere}}
spec:
 target: {{kind: external, urls: ["http://127.0.0.1:{port}"]{more}}}
 duration: {duration}
 load: {{rate: 20/s, connections: 2, maxLate: 500ms, routes: [{{name: root, path: /}}]}}
 steadyState: {{for: 100ms, within: 2s, checks: [{{name: root, path: /}}]}}
 thresholds: [{{name: answered, expect: errors < 5%}}]
"""


@pytest.fixture(scope="module", name="port")
def _port():
    """A service of somebody else: plain HTTP on the loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def external(folder, port, duration="1s", more="", tail=""):
    file = folder / "elsewhere.yaml"
    file.write_text(EXTERNAL.format(port=port, duration=duration, more=more) + tail)
    return file


COMMANDS = ("up", "down", "status", "check", "schema", "run", "load", "report", "fault", "halt", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_refuses_what_it_does_not_know(command, tmp_path):
    for word in ("--help", "-h"):
        answer = run("squall", command, word)
        assert answer.returncode == 0 and "usage: squall " + command in answer.stdout
    answer = run("squall", command, "--no-such-option", env={"SQUALL_STATE": str(tmp_path)})
    assert answer.returncode == 2
    assert answer.stdout == "" and "--help" in answer.stderr, answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words, told", [
    (["run", FIRST, "--out", ""], "--out needs"),
    (["run", FIRST, "--target", "../x"], "sandbox name '../x'"),
    (["run", FIRST, "--seed", "-1"], "--seed -1"),
    (["halt", "--token-file", "t"], "need each other"),
    (["halt", "--agent", "http://127.0.0.1:1"], "need each other"),
    (["halt", "--agent", "http://127.0.0.1:1", "--token-file", "t", "--name", "n"], "--agent names"),
])
def test_wrong_arguments_touch_nothing(words, told, tmp_path):
    answer = run("squall", *words, cwd=tmp_path, env={"SQUALL_STATE": str(tmp_path)})
    assert answer.returncode == 2, answer.stderr
    assert told in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_invalid_file_stops_all_of_them_before_the_first(port, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Scenario\n")
    answer = run("squall", "run", external(tmp_path, port), bad, "--out", tmp_path / "runs")
    assert answer.returncode == 2
    assert f"{bad}:1:1: " in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_without_slos_nobody_waits_for_scrapes(port, tmp_path):
    """An external Prometheus is scraped every 15 s; two of those are worth waiting for only when
    there is something to ask it."""
    answer = run("squall", "run", external(tmp_path, port), "--out", tmp_path / "runs")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = next((tmp_path / "runs").iterdir()).joinpath("events.ndjson").read_text().splitlines()
    at = {json.loads(line)["type"]: json.loads(line)["monoNs"] for line in lines}
    assert at["run.finished"] - at["load.finished"] < 5e9


def test_a_prometheus_that_is_down_is_named_before_the_load(port, tmp_path):
    slo = (' slos: [{name: s, objective: 50%, availability: {service: elsewhere, total: a, '
           'bad: b, up: up}}]\n')
    file = external(tmp_path, port, more=', prometheus: "http://127.0.0.1:9"', tail=slo)
    answer = run("squall", "run", file, "--out", tmp_path / "runs")
    assert answer.returncode == 4
    assert "scrapes for SLO s: Prometheus: GET http://127.0.0.1:9/" in answer.stdout
    assert answer.stdout.count("not yet") <= 2  # said once, not at every round
    assert "load    started" not in answer.stdout


def start(*words, **kwargs):
    return subprocess.Popen([str(BIN / "squall"), "run", *map(str, words)],
                            stderr=subprocess.STDOUT, **kwargs)


def seen(folder, kind):
    for file in folder.glob("*/events.ndjson"):
        if f'"type":"{kind}"' in file.read_text():
            return file
    return None


def test_ctrl_c_ends_all_the_files_not_only_the_present_one(port, tmp_path):
    out = tmp_path / "runs"
    file = external(tmp_path, port, duration="20s")
    with start(file, file, "--out", out, stdout=subprocess.PIPE, text=True) as one:
        wait_until(lambda: seen(out, "load.started"), 20, "the load")
        one.send_signal(signal.SIGINT)
        text = one.communicate(timeout=30)[0]
    assert one.returncode == 4, text
    assert len(list(out.iterdir())) == 1
    assert f"{file} was not run" in text


def test_ctrl_c_while_the_report_is_written(port, tmp_path):
    """gnuplot takes its time; the run is over, and its report must still be whole."""
    out = tmp_path / "runs"
    with start(external(tmp_path, port), "--out", out, stdout=subprocess.PIPE, text=True) as one:
        wait_until(lambda: seen(out, "run.finished"), 20, "the run's end")
        one.send_signal(signal.SIGTERM)
        text = one.communicate(timeout=30)[0]
    # It may have been too late even for that: then squall had ended well.
    assert one.returncode in (0, 4), text
    assert (next(out.iterdir()) / "report.html").exists()
    assert (next(out.iterdir()) / "verdict.json").exists()


def test_nohup_is_respected(port, tmp_path):
    out = tmp_path / "runs"
    with start(external(tmp_path, port, duration="2s"), "--out", out, stdout=subprocess.DEVNULL,
               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as one:
        wait_until(lambda: seen(out, "load.started"), 20, "the load")
        one.send_signal(signal.SIGHUP)
        assert one.wait(timeout=30) == 0


def test_ctrl_c_is_heard_where_a_script_put_us_in_the_background(port, tmp_path):
    out = tmp_path / "runs"
    with start(external(tmp_path, port, duration="20s"), "--out", out, stdout=subprocess.DEVNULL,
               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as one:
        wait_until(lambda: seen(out, "load.started"), 20, "the load")
        one.send_signal(signal.SIGINT)
        assert one.wait(timeout=15) == 4


def test_a_reader_that_stops_reading_does_not_stop_the_run(port, tmp_path):
    """Ctrl-S, a pager: the loop must go on renewing leases and hearing Ctrl-C."""
    out = tmp_path / "runs"
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with start(external(tmp_path, port, duration="4s"), "--out", out, stdout=writer) as one:
        wait_until(lambda: seen(out, "run.started"), 20, "the run")
        try:
            while True:
                os.write(writer, b"x")
        except BlockingIOError:
            pass  # full, and nobody reads
        os.set_blocking(writer, True)  # the same open file as squall's standard output
        wait_until(lambda: seen(out, "run.finished"), 30, "the run's end")
        os.close(writer)
        while os.read(reader, 65536):
            pass
        assert one.wait(timeout=30) == 0
    os.close(reader)


# --- with a sandbox of its own ---


@needs_root
def test_an_agent_that_is_not_ours_is_noticed_before_the_load(sandbox, tmp_path):
    sandbox.wait_healthy()
    token = sandbox.dir / "agent" / "token"
    kept = token.read_text()
    token.write_text("another-sandbox's\n")
    try:
        one = Experiment(sandbox, tmp_path, FAULTS["app"], within="2s")
        assert one.end() == 4, one.text()
    finally:
        token.write_text(kept)
    assert "chaos agent: answered 401" in one.text()
    assert one.events("load.started") == [] and one.events("fault.requested") == []


@needs_root
def test_a_halt_before_the_first_fault_is_called_a_halt(sandbox, tmp_path):
    sandbox.wait_healthy()
    one = Experiment(sandbox, tmp_path, FAULTS["partition"])
    one.wait_event("load.started")
    assert sandbox.squall("halt").returncode == 0
    assert one.end() == 4, one.text()
    assert one.verdict()["exitCode"] == 4 and "ABORT   by halt" in one.text()
    assert one.events("fault.active") == []
