# SPDX-License-Identifier: Apache-2.0
"""Requests to squall-agent that are repeated, too large, cut short, slow, of another kind or version:
refused with a reason, nothing applied, and each of them an audit line."""

import http.server
import json
import os
import pathlib
import socket
import threading
import time

import pytest

from chaos_lab import TOKEN, Agent, S, app_fault, injected_share, two_gateways
from conftest import run, wait_until


@pytest.fixture(scope="module", name="platform")
def _platform(tmp_path_factory):
    with two_gateways(tmp_path_factory.mktemp("requests")) as made:
        yield made


@pytest.fixture(name="agent")
def _agent(platform, tmp_path):
    made = Agent(platform, tmp_path).start()
    yield made
    assert made.terminate() == 0, made.log_file.read_text()


def audit(agent, **wanted):
    lines = [json.loads(line) for line in agent.log_file.read_text().splitlines()]
    return [line for line in lines if line["message"] == "audit"
            and all(line[key] == value for key, value in wanted.items())]


def raw_post(spec, *more, length=None, path="/v1/faults"):
    """The bytes of a POST, as somebody on the wire would capture them."""
    body = json.dumps(spec).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: agent", f"Authorization: Bearer {TOKEN}",
             f"Content-Length: {len(body) if length is None else length}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


JSON = "Content-Type: application/json"


def send(agent, data, timeout=20):
    """The status of the answer to raw bytes and its text; 0: the connection was closed without."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout) as connection:
        connection.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
            answer += more
        return (int(answer.split()[1]) if answer else 0), answer.decode()


def test_a_captured_request_is_not_carried_out_twice(agent, platform):
    spec = app_fault(rate=1.0)
    captured = raw_post(spec, JSON)
    assert send(agent, captured)[0] == 200
    assert injected_share(platform) == 1.0
    assert send(agent, captured)[0] == 200, "the same fault, not a second one"
    assert len(agent.ask("GET", "/v1/faults")[1]["faults"]) == 1
    assert agent.delete(spec)[0] == 200
    assert send(agent, captured)[0] == 409, "its record says that it is gone"
    assert injected_share(platform) == 0
    assert agent.terminate() == 0
    agent.start()
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []}
    status, text = send(agent, captured)
    assert status == 403 and "taken once already" in text, text
    assert injected_share(platform) == 0
    assert audit(agent, fault=spec["id"], status=403)[0]["event"] == "end"
    assert agent.post({**spec, "id": spec["id"] + "-again"})[0] == 200, "a new one is taken"
    agent.kill()
    agent.start()
    assert send(agent, captured)[0] == 403, "nor after the agent was killed"


def test_what_was_planned_long_ago_is_not_taken(agent, platform):
    spec = {**app_fault(rate=1.0), "startedNs": time.time_ns() - 27 * 3600 * S}
    status, answer = agent.post(spec)
    assert status == 403 and "more than 26 h ago" in answer["error"]["message"], answer
    assert injected_share(platform) == 0
    spec = {**app_fault(rate=1.0), "startedNs": time.time_ns() - 25 * 3600 * S}
    assert agent.post(spec)[0] == 200, "a long load may still inject"
    assert agent.delete(spec)[0] == 200


def test_ids_are_forgotten_when_they_are_too_old_to_be_taken(agent, platform):
    used = agent.journal / "used"
    spec = app_fault(rate=1.0)
    assert agent.post(spec)[0] == 200
    assert [p.name for p in used.iterdir()] == [spec["id"]]
    assert agent.delete(spec)[0] == 200
    (used / "old").touch()
    (used / "young").touch()
    for name, hours in (("old", 27), ("young", 25)):
        then = time.time() - hours * 3600
        os.utime(used / name, (then, then))
    agent.kill()
    agent.start()
    assert {p.name for p in used.iterdir()} == {spec["id"], "young"}


@pytest.mark.parametrize("how", ["declared", "chunked", "endless"])
def test_more_than_64_kib_is_not_read(agent, platform, how):
    spec = {**app_fault(rate=1.0), "name": "x" * 66000}
    if how == "declared":
        data = raw_post(spec, JSON)
    else:
        head, body = raw_post(spec, JSON, "Transfer-Encoding: chunked").split(b"\r\n\r\n", 1)
        head = b"\r\n".join(line for line in head.split(b"\r\n") if b"Content-Length" not in line)
        data = head + b"\r\n\r\n" + f"{len(body):x}\r\n".encode() + body
        data += b"\r\n0\r\n\r\n" if how == "chunked" else b""
    if how != "endless":
        assert send(agent, data)[0] == 413
        status, text = agent.ask("POST", "/v1/faults", spec)
        assert status == 413 and b"65536 bytes" in text and b"send less" in text, text
    else:
        with socket.create_connection(("127.0.0.1", agent.port), 5) as connection:
            connection.sendall(data)
        wait_until(lambda: audit(agent, path="/v1/faults"), 10, "it is seen to have ended")
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []} and injected_share(platform) == 0
    line = audit(agent, path="/v1/faults", method="POST")[0]
    assert line["peer"].startswith("127.0.0.1:") and line["event"] == "end"
    assert line["status"] == (413 if how != "endless" else None)


def test_exactly_64_kib_is_read(agent):
    spec = app_fault(rate=1.0)
    spec["name"] = "n" * (65536 - len(json.dumps({**spec, "name": ""})))
    status, answer = agent.post(spec)
    assert status == 200, answer
    assert agent.delete(spec)[0] == 200


def test_a_body_that_is_cut_short_applies_nothing(agent, platform):
    spec = app_fault(rate=1.0)
    whole = raw_post(spec, JSON)
    head = whole.index(b"\r\n\r\n") + 4
    for cut in (head, head + 1, len(whole) - 1):
        with socket.create_connection(("127.0.0.1", agent.port), 5) as connection:
            connection.sendall(whole[:cut])
    wait_until(lambda: len(audit(agent, status=None, path="/v1/faults")) == 3, 10, "three audit lines")
    assert {line["outcome"] for line in audit(agent)} == {"the request never came in whole"}
    shorter = raw_post(spec, JSON, length=len(json.dumps(spec)) - 1)
    status, text = send(agent, shorter)
    assert status == 400, text
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []} and injected_share(platform) == 0


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded",
                                  "application/jsonx", "multipart/form-data; boundary=x"])
def test_what_is_not_json_is_not_looked_at(agent, platform, kind):
    spec = app_fault(rate=1.0)
    more = [f"Content-Type: {kind}"] if kind else []
    status, text = send(agent, raw_post(spec, *more))
    assert status == 415 and "application/json" in text, text
    assert injected_share(platform) == 0
    assert send(agent, raw_post(spec, "Content-Type: Application/JSON; charset=utf-8"))[0] == 200
    renew = f"/v1/faults/{spec['id']}/renew"
    assert send(agent, raw_post({"leaseNs": S}, *more, path=renew))[0] == 415
    assert agent.delete(spec)[0] == 200


def test_slow_requests_do_not_keep_others_out(agent, platform):
    """More of them than the agent has connections, each sending a byte now and then."""
    slow = []
    stop = threading.Event()

    def drip():
        while not stop.wait(0.2):
            for connection in list(slow):
                try:
                    connection.send(b"x")
                except OSError:
                    pass

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        spec = app_fault(rate=1.0)
        assert agent.post(spec)[0] == 200
        for _ in range(300):
            connection = socket.create_connection(("127.0.0.1", agent.port), 5)
            connection.sendall(b"POST /v1/halt HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            connection.setblocking(False)
            slow.append(connection)
        began = time.monotonic()
        assert agent.ask("POST", "/v1/halt", timeout=10)[0] == 200
        assert time.monotonic() - began < 3, "as if nobody else were there"
        assert injected_share(platform) == 0

        def all_gone():
            gone = 0
            for connection in slow:
                try:
                    gone += connection.recv(1) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    gone += 1
            return gone == len(slow)
        wait_until(all_gone, 15, "each is cut off in time")
    finally:
        stop.set()
        dripping.join()
        for connection in slow:
            connection.close()


def test_a_controller_of_another_version_is_refused_but_may_halt(agent, platform):
    spec = app_fault(rate=1.0)
    for version in ("2", "0", "1x", ""):
        status, text = send(agent, raw_post(spec, JSON, f"Squall-Protocol: {version}"))
        assert status == 400 and "version 1" in text and f"version {version}" in text, text
    assert injected_share(platform) == 0
    assert send(agent, raw_post(spec, JSON, "Squall-Protocol: 1"))[0] == 200
    assert send(agent, raw_post(None, "Squall-Protocol: 2", path="/v1/halt"))[0] == 200
    assert injected_share(platform) == 0


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {name: versions}
spec:
  duration: 3s
  load:
    service: gateway
    rate: 50/s
    connections: 4
    routes: [{name: any, path: /health}]
  steadyState: {for: 0s, within: 1s, checks: [{name: up, service: gateway, path: /health}]}
  faults:
    - {name: errors, at: 500ms, for: 1s, lease: 1s, service: gateway, select: one,
       app: {errorRate: 100%, errorStatus: 503}}
"""


class FutureAgent(http.server.BaseHTTPRequestHandler):
    """An agent of a version that does not exist yet."""
    asked = []

    def do_GET(self):
        self.asked.append(("GET", self.path))
        body = json.dumps({"status": "ok", "version": 7, "faults": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.asked.append(("POST", self.path))
        self.send_error(500)

    def log_message(self, format, *args):
        pass


def test_an_agent_of_another_version_is_not_worked_with(platform, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FutureAgent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    topology = json.loads(platform.topology_file.read_text())
    (tmp_path / "token").write_text("t\n")
    topology["agent"] = {"url": f"http://127.0.0.1:{server.server_port}",
                         "tokenFile": str(tmp_path / "token")}
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    (tmp_path / "s.yaml").write_text(SCENARIO)
    done = run("squall", "run", tmp_path / "s.yaml", "--topology", tmp_path / "topology.json",
               "--out", tmp_path / "runs")
    server.shutdown()
    assert done.returncode not in (0, 1), done.stdout
    assert "version 7" in done.stdout and "version 1" in done.stdout, done.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert '"load.started"' not in (folder / "events.ndjson").read_text(), "not a request was sent"
    assert {method for method, _ in FutureAgent.asked} == {"GET"}, "and nothing injected"
    assert pathlib.Path(folder / "verdict.json").exists()
