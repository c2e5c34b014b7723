# SPDX-License-Identifier: Apache-2.0
"""Flows of several steps: what is carried from one to the next, when each is due, how they end."""

import collections
import http.server
import json
import shutil
import subprocess
import threading
import time

import pytest

from conftest import run, wait_until
from services import free_port
from test_e_arrivals import S, stage
from load_lab import (OK, check_sums, closed_port, failed, load, make_plan, quantile,  # noqa: F401
                         serve)


class Shop(http.server.BaseHTTPRequestHandler):
    """Users with sessions: POST /login, POST /users, GET, DELETE /users/N, as JSON."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for head and body

    def log_message(self, *args):
        pass

    def reply(self, status, body=None, **headers):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        with self.server.lock:
            self.server.seen.append((self.command, self.path, dict(self.headers), self.body,
                                     time.monotonic()))
            self.server.counter += 1
            number = self.server.counter
        self.server.behave(self, number)

    do_GET = do_POST = do_DELETE = do_PUT = answer


@pytest.fixture
def shop():
    made = []

    def start(behave):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        server.behave, server.seen, server.counter = behave, [], 0
        server.lock, server.daemon_threads = threading.Lock(), True
        server.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        made.append((server, thread))
        return server

    yield start
    for server, thread in made:
        server.shutdown()
        thread.join()
        server.server_close()


def step(name, path, method="GET", **more):
    return {"name": name, "method": method, "path": path, **more}


def flow(*steps, name="life", **more):
    return {"name": name, "weight": 1, "steps": list(steps), **more}


def plan_of(port, *flows, feeders=(), **more):
    return make_plan([port], routes=[], flows=list(flows), feeders=list(feeders), **more)


def counts_of(result):
    """By route, summed over phases."""
    sums = collections.defaultdict(collections.Counter)
    for part in result["parts"]:
        for key, value in part["counts"].items():
            if isinstance(value, int):
                sums[part["route"]][key] += value
        for failure, value in part["counts"]["failed"].items():
            sums[part["route"]][failure] += value
    return sums


def check_flow(result, name, steps):
    """Nobody gets lost between two steps: what begins at one goes on, fails, or is skipped after."""
    counts = counts_of(result)
    begun = counts[f"{name}.{steps[0]}"]["intended"]
    for one in steps:
        at = counts[f"{name}.{one}"]
        assert at["intended"] + at["skipped"] == begun, (one, at)
    for one, after in zip(steps, steps[1:]):
        assert counts[f"{name}.{one}"]["ok"] >= counts[f"{name}.{after}"]["intended"]
    return begun


def expect_status(status):
    return {"on": "status", "status": status}


def test_a_life_goes_from_step_to_step(shop, load):
    """Path, header and body carry what was extracted; cookies come back; each step is recorded under
    its own name."""
    def behave(peer, number):
        if peer.command == "POST":
            return peer.reply(201, {"data": {"id": number, "name": json.loads(peer.body)["name"]}},
                              ETag=f'"v{number}"', Set_Cookie=f"sid=s{number}; Path=/")
        user = peer.path.rpartition("/")[2]
        good = (peer.headers["Cookie"] == f"sid=s{user}" and peer.headers["If-Match"] == f'"v{user}"')
        return peer.reply(200 if good else 409, f"user {user} of s{user}".encode())

    server = shop(behave)
    result = check_sums(load.finish(plan_of(server.port, flow(
        step("create", "/users", "POST", headers=["Content-Type: application/json"],
             body='{"name":"n{{seq}}"}',
             extract=[{"name": "id", "from": "json", "json": "/data/id"},
                      {"name": "tag", "from": "header", "header": "etag"},
                      {"name": "code", "from": "status"}],
             expect=[expect_status(201),
                     {"on": "json", "status": 0, "json": "/data/name", "equals": "n{{seq}}"}]),
        step("read", "/users/{{id}}", headers=["If-Match: {{tag}}", "X-Code: {{code}}"],
             extract=[{"name": "owner", "from": "regex", "regex": r"of (\w+)$"}],
             expect=[{"on": "bodyContains", "status": 0, "bodyContains": "user {{id}} of"}]),
        step("delete", "/x/{{owner}}/users/{{id}}", "DELETE", headers=["If-Match: {{tag}}"])),
        rate=60, seconds=1.0)))
    assert check_flow(result, "life", ["create", "read", "delete"]) == 60
    assert result["total"]["ok"] == 180 and failed(result["total"]) == 0
    assert {part["route"] for part in result["parts"]} == {"life.create", "life.read", "life.delete"}
    deleted = [path for method, path, *_ in server.seen if method == "DELETE"]
    created = {f"/x/s{n}/users/{n}" for n in range(1, 181)}
    assert len(set(deleted)) == 60 and set(deleted) <= created
    names = [json.loads(body)["name"] for method, _, _, body, _ in server.seen if method == "POST"]
    assert sorted(names) == [f"n{i:012}" for i in range(60)]
    assert all(h["X-Code"] == "201" for m, p, h, *_ in server.seen if m == "GET")


def test_a_step_is_due_by_what_was_expected_hdrhistogram_148(serve, load):
    """The analytic answer: a step's response time is when the target answered, less when the step was
    meant to begin, that is its arrival and the expected (not the observed) times of the steps before
    it. A target that is stalled for a second therefore shows that second to each step alike."""
    rate, seconds, gap, stall = 200, 3.0, 0.3, (0.8, 1.8)
    answered, state = {}, {}

    def answer(peer, key):
        answered[key] = time.monotonic()
        peer.send(OK)

    def behave(peer, head):
        _, number, name = head.split()[1].decode().split("/")
        now = time.monotonic()
        begin = state.setdefault("begin", now)
        left = begin + stall[1] - now if now >= begin + stall[0] else 0
        server.loop.call_later(max(left, 0), answer, peer, (int(number), name))

    server = serve(behave)
    one = load(plan_of(server.port, flow(
        step("one", "/{{seq}}/one", expectedNs=int(0.1 * S), thinkNs=int((gap - 0.1) * S)),
        step("two", "/{{seq}}/two", thinkNs=int(gap * S)),
        step("three", "/{{seq}}/three")), rate=rate, seconds=seconds, connections=800, timeout=8))
    start = one.line("started")["mono"] / 1e9
    assert one.wait()[0] == 0, one.stderr()
    result = check_sums(one)
    begun = check_flow(result, "life", ["one", "two", "three"])
    assert begun == rate * seconds and failed(result["total"]) == 0
    for place, name in enumerate(("one", "two", "three")):
        exact = sorted(answered[i, name] - (start + i / rate + place * gap) for i in range(begun))
        assert exact[int(0.85 * begun)] > 0.3, "the stall is there to be seen"
        seen = one.histograms()[f"steady/life.{name}/response"]
        for q in (0.75, 0.8, 0.85, 0.9, 0.95, 0.99):
            due = exact[int(q * begun)]
            assert abs(quantile(seen, q) - due) < 0.05 + 0.05 * due, (name, q, due)
    # What was sent late did not suffer again: the service time of step two has no second second.
    service = quantile(one.histograms()["steady/life.two/service"], 0.9)
    response = quantile(one.histograms()["steady/life.two/response"], 0.9)
    assert service < 0.75 * response


def test_early_answers_do_not_hurry_the_next_step(serve, load):
    times = {}

    def behave(peer, head):
        path = head.split()[1].decode()
        times[path] = time.monotonic()
        peer.send(OK)

    server = serve(behave)
    one = load.finish(plan_of(server.port, flow(
        step("a", "/a{{seq}}", expectedNs=int(0.05 * S), thinkNs=int(0.2 * S)),
        step("b", "/b{{seq}}")), rate=20, seconds=1.0))
    check_sums(one)
    gaps = sorted(times[f"/b{i:012}"] - times[f"/a{i:012}"] for i in range(20))
    assert 0.2 < gaps[10] and gaps[0] > 0.15, gaps
    assert quantile(one.histograms()["steady/life.b/response"], 0.5) < 0.1, "due when it was sent"


@pytest.mark.parametrize("more, failure, why", [
    ({"expect": [expect_status(200)]}, "assertion", "status is 201, expected 200"),
    ({"expect": [{"on": "json", "status": 0, "json": "/id", "equals": "x"}]}, "assertion",
     '/id is "7", expected "x"'),
    ({"extract": [{"name": "id", "from": "json", "json": "/none"}]}, "extraction",
     "the body has nothing at /none"),
    ({"path": "/refuse"}, "http_4xx", "status is 404"),
    ({"path": "/large", "expect": [{"on": "bodyMatches", "status": 0, "bodyMatches": "."}]},
     "too_large", "larger than the 1048576 bytes"),
    ({"path": "/break"}, "reset", None),
    ({"path": "/{{people.name}}"}, "input", '{{people.name}} is "a b"'),
])
def test_a_step_that_fails_ends_its_flow_by_name(shop, load, tmp_path, more, failure, why):
    def behave(peer, number):
        if peer.path == "/refuse":
            peer.reply(404)
        elif peer.path == "/large":
            peer.reply(200, b"x" * (2 << 20))
        elif peer.path == "/break":
            peer.close_connection = True
        else:
            peer.reply(201, {"id": 7})

    server = shop(behave)
    (tmp_path / "people.csv").write_text("name\na b\n")
    people = {"name": "people", "file": str(tmp_path / "people.csv"), "format": "csv",
              "order": "sequential"}
    bad = {**step("two", "/"), **more}
    if "extract" in more or failure == "input":
        last = step("three", "/{{id}}" if "extract" in more else "/")
    else:
        last = step("three", "/")
    result = check_sums(load.finish(plan_of(server.port, flow(step("one", "/"), bad, last),
                                            feeders=[people], rate=40, seconds=0.25)))
    assert check_flow(result, "life", ["one", "two", "three"]) == 10
    counts = counts_of(result)
    assert counts["life.one"]["ok"] == 10
    assert counts["life.two"][failure] == 10 and counts["life.two"]["ok"] == 0
    assert counts["life.three"]["skipped"] == 10 and counts["life.three"]["intended"] == 0
    if why is not None:
        note = next(n for n in result["notes"] if n.startswith("step life.two: 10 failed"))
        assert f"({failure})" in note and why in note
    if failure == "input":
        assert {path for _, path, *_ in server.seen} == {"/"}, "it was not sent"


def test_rows_are_used_once_and_then_there_are_none(shop, load, tmp_path):
    server = shop(lambda peer, number: peer.reply(200))
    lines = [json.dumps({"mail": f"m{i}@x", "age": i}) for i in range(7)]
    (tmp_path / "people.jsonl").write_text("\n".join(lines) + "\n")
    people = {"name": "people", "file": str(tmp_path / "people.jsonl"), "format": "jsonl",
              "order": "unique"}
    result = check_sums(load.finish(plan_of(
        server.port, flow(step("a", "/a/{{people.mail}}"), step("b", "/b/{{people.age}}")),
        feeders=[people], rate=40, seconds=0.5, threads=2)))
    assert check_flow(result, "life", ["a", "b"]) == 20
    counts = counts_of(result)
    assert counts["life.a"]["ok"] == counts["life.b"]["ok"] == 7
    assert counts["life.a"]["input"] == counts["life.b"]["skipped"] == 13
    assert sorted(path for _, path, *_ in server.seen) == sorted(
        [f"/a/m{i}@x" for i in range(7)] + [f"/b/{i}" for i in range(7)])
    assert any("each of the 7 rows of" in note for note in result["notes"])


def test_setup_and_teardown_run_once(shop, load):
    """Before anything else and after everything, on whatever many threads; what setup learned is
    there for every passage and for teardown, and neither is in the load's figures."""
    def behave(peer, number):
        if peer.path == "/login":
            peer.reply(200, {"key": "k9"}, Set_Cookie="sid=root; Path=/")
        elif peer.path == "/prepare?k9":
            peer.reply(200, {"room": 4})
        else:
            peer.reply(200 if peer.headers["Cookie"] == "sid=root" else 403)

    server = shop(behave)
    plan = plan_of(server.port, flow(
        step("look", "/rooms/{{room}}"),
        setup=[step("login", "/login", "POST", thinkNs=int(0.1 * S),
                    extract=[{"name": "key", "from": "json", "json": "/key"}]),
               step("prepare", "/prepare?{{key}}",
                    extract=[{"name": "room", "from": "json", "json": "/room"}])],
        teardown=[step("clear", "/rooms/{{room}}", "DELETE"),
                  step("leave", "/none", expect=[expect_status(204)])]),
        rate=50, seconds=0.6, threads=3)
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == 30 and set(counts_of(result)) == {"life.look"}
    paths = [(method, path) for method, path, *_ in server.seen]
    assert paths[:2] == [("POST", "/login"), ("GET", "/prepare?k9")]
    assert paths[-2:] == [("DELETE", "/rooms/4"), ("GET", "/none")]
    assert set(paths[2:-2]) == {("GET", "/rooms/4")} and len(paths) == 34
    assert server.seen[1][4] - server.seen[0][4] >= 0.1
    assert [(o["part"], o["step"], o["ok"]) for o in result["once"]] == [
        ("setup", "login", True), ("setup", "prepare", True), ("teardown", "clear", True),
        ("teardown", "leave", False)]
    assert any("teardown of flow life failed at its step leave: assertion: status is 200, "
               "expected 204" in note for note in result["notes"])


def test_without_its_setup_there_is_no_load(shop, load):
    server = shop(lambda peer, number: peer.reply(403))
    for port, why in ((server.port, "http_4xx: status is 403"),
                      (closed_port(), "no connection could be made: refused")):
        one = load(plan_of(port, flow(step("a", "/a"), setup=[step("login", "/login")],
                                      teardown=[step("out", "/out")])))
        code, lines = one.wait()
        assert code == 5 and lines[-1]["type"] == "error"
        assert f'setup of flow "life" failed at its step "login": {why}' in lines[-1]["message"]
    assert [path for _, path, *_ in server.seen] == ["/login"]


def half_set_up(port):
    """Three flows, the second with three steps of setup, of which the server decides."""
    key = [{"name": "key", "from": "json", "json": "/key"}]
    return plan_of(
        port,
        flow(step("a", "/x"), name="one", setup=[step("in", "/one", "POST", extract=key)],
             teardown=[step("out", "/one/{{key}}", "DELETE")]),
        flow(step("a", "/x"), name="bare", teardown=[step("out", "/bare", "DELETE")]),
        flow(step("a", "/x"), name="two",
             setup=[step("in", "/two", "POST", extract=key),
                    step("room", "/room", "POST",
                         extract=[{"name": "room", "from": "json", "json": "/room"}]),
                    step("seat", "/seat", "POST")],
             teardown=[step("stand", "/seat", "DELETE"), step("leave", "/room/{{room}}", "DELETE"),
                       step("out", "/two/{{key}}", "DELETE")]),
        flow(step("a", "/x"), name="three", setup=[step("in", "/three", "POST")],
             teardown=[step("out", "/three", "DELETE")]),
        rate=100, threads=2, timeout=20)


def test_what_half_a_setup_made_is_torn_down(shop, load):
    """Once, with what it had learned, although some of it is not there: by the server's counts."""
    server = shop(lambda peer, number: peer.reply(
        500 if peer.path == "/room" or (peer.command, peer.path) == ("DELETE", "/seat") else 200,
        {"key": f"k{number}"}))
    code, lines = load(half_set_up(server.port)).wait()
    assert code == 5
    assert [(method, path) for method, path, *_ in server.seen] == [
        ("POST", "/one"), ("POST", "/two"), ("POST", "/room"),
        ("DELETE", "/one/k1"), ("DELETE", "/seat"), ("DELETE", "/two/k2")]
    said = lines[-1]["message"]
    assert 'setup of flow "two" failed at its step "room": http_5xx' in said
    assert "has been torn down, but for two.stand (http_5xx" in said and ", but for two.leave (" in said
    assert "two.out" not in said and "one.out" not in said


def test_a_stop_amid_setup_leaves_nothing(shop, load):
    """What was set up by then is torn down, and so is what the step under way made after all."""
    held = threading.Event()

    def behave(peer, number):
        if peer.path == "/room" and peer.command == "POST":
            held.wait(60)
        peer.reply(200, {"key": f"k{number}", "room": 4})

    server = shop(behave)
    one = load(half_set_up(server.port))
    try:
        wait_until(lambda: len(server.seen) == 3, 30, "the third step")
        one.process.terminate()
        one.line("started")  # and is over at once
    finally:
        held.set()
    assert one.wait()[0] == 0
    # The answer may have come before the stop had come to the thread, which then went one further.
    made = [path for method, path, *_ in server.seen if method == "POST"]
    assert made[:3] == ["/one", "/two", "/room"] and made[3:] in ([], ["/seat"], ["/seat", "/three"])
    torn = [path for method, path, *_ in server.seen if method == "DELETE"]
    assert [path for path in torn if path not in ("/bare", "/three")] == [
        "/one/k1", "/seat", "/room/4", "/two/k2"]
    assert ("/three" in torn) == ("/three" in made) and len(torn) == len(set(torn))
    once = one.result()["once"]
    assert len([o for o in once if o["part"] == "setup"]) == len(made)
    assert all(o["ok"] for o in once)


def test_users_keep_their_cookies_and_arrivals_do_not(shop, load):
    """Closed model: an iteration is a passage, and a user comes back with his session."""
    def behave(peer, number):
        if peer.headers["Cookie"] is None:
            peer.reply(200, Set_Cookie=f"sid=s{number}; Path=/")
        else:
            peer.reply(200)

    server = shop(behave)
    steps = flow(step("a", "/a"), step("b", "/b", thinkNs=int(0.02 * S)))
    closed = {"stages": [stage(30, 4)], "iterations": 24, "iterationsEach": 0, "think": "constant",
              "thinkANs": int(0.01 * S), "thinkBNs": 0}
    result = check_sums(load.finish(plan_of(server.port, steps, rate=0, seconds=30, users=closed)))
    assert result["complete"] and result["scheduledNs"] < 20 * S
    assert check_flow(result, "life", ["a", "b"]) == 24 and result["total"]["ok"] == 48
    fresh = [path for _, path, headers, *_ in server.seen if "Cookie" not in headers]
    assert fresh == ["/a"] * 4, "each of the four users was new once"
    server.seen.clear()
    result = check_sums(load.finish(plan_of(server.port, steps, rate=40, seconds=0.5)))
    fresh = [path for _, path, headers, *_ in server.seen if "Cookie" not in headers]
    assert fresh == ["/a"] * 20, "each arrival is somebody new"


def test_flows_and_routes_share_the_arrivals(shop, load):
    server = shop(lambda peer, number: peer.reply(200))
    plan = plan_of(server.port, flow(step("a", "/a"), step("b", "/b"), name="both") | {"weight": 3},
                   rate=200, seconds=1.0)
    plan["routes"] = make_plan([1])["routes"]
    result = check_sums(load.finish(plan))
    counts = counts_of(result)
    assert counts["home"]["ok"] + counts["both.a"]["ok"] == 200
    assert 120 <= counts["both.a"]["ok"] == counts["both.b"]["ok"] <= 180


def test_what_the_end_cuts_off_is_counted(shop, load):
    """The schedule's end lets flows go on for the timeout, a stop lets nothing new begin; what is
    left of them counts as skipped, and teardown still comes."""
    server = shop(lambda peer, number: peer.reply(200))
    quick = flow(step("a", "/a", thinkNs=int(0.3 * S)), step("b", "/b"),
                 step("c", "/c", thinkNs=0), teardown=[step("out", "/out")])
    result = check_sums(load.finish(plan_of(server.port, quick, rate=40, seconds=0.5)))
    assert counts_of(result)["life.c"]["ok"] == 20, "short ones are let go on to their end"
    slow = flow(step("a", "/a", thinkNs=int(60 * S)), step("b", "/b"), step("c", "/c"),
                teardown=[step("out", "/out")])
    began = time.monotonic()
    result = check_sums(load.finish(plan_of(server.port, slow, rate=40, seconds=0.5, timeout=0.5)))
    assert time.monotonic() - began < 20
    assert check_flow(result, "life", ["a", "b", "c"]) == 20
    assert counts_of(result)["life.b"]["skipped"] == 20
    assert any(note.startswith("20 flows were under way when") for note in result["notes"])
    one = load(plan_of(server.port, slow, rate=40, seconds=60))
    wait_until(lambda: len(server.seen) > 100, 20, "some flows to be under way")
    server.seen.clear()
    one.command(type="stop")
    code, lines = one.wait()
    assert code == 0 and lines[-1]["status"] == "stopped", one.stderr()
    result = check_sums(one)
    assert check_flow(result, "life", ["a", "b", "c"]) == counts_of(result)["life.c"]["skipped"]
    assert server.seen[-1][1] == "/out"


def test_after_a_stop_nobody_goes_on(shop, load):
    """Not even who is in the middle of a step and would be sent on by its answer."""
    def behave(peer, number):
        time.sleep(1)
        peer.reply(200)

    server = shop(behave)
    one = load(plan_of(server.port, flow(step("a", "/a"), step("b", "/b")), rate=40, seconds=60,
                       connections=20))
    wait_until(lambda: server.seen, 20, "the first step is under way")
    one.command(type="stop")
    assert one.wait()[0] == 0, one.stderr()
    result = check_sums(one)
    begun = check_flow(result, "life", ["a", "b"])
    assert begun > 0 and {path for _, path, *_ in server.seen} == {"/a"}
    assert counts_of(result)["life.b"]["skipped"] == begun


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
    access_log off; {temps}
    server {{
        listen 127.0.0.1:{port};
        default_type text/plain;
        location = /in {{
            add_header Set-Cookie "sid=$request_id; Path=/room; HttpOnly";
            add_header Set-Cookie "old=1; Max-Age=0";
            return 200 "key=$request_id;\\n";
        }}
        location /room {{
            if ($cookie_sid = "") {{ return 403; }}
            if ($cookie_old != "") {{ return 409; }}
            return 200 "$cookie_sid";
        }}
        location /file {{ root {folder}; }}
        location / {{ if ($cookie_sid != "") {{ return 400; }} return 200 "ok"; }}
    }}
}}
"""


@pytest.fixture
def nginx(tmp_path):
    tmp_path.chmod(0o755)
    port = free_port()
    temps = " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in
                     ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "conf").write_text(NGINX.format(folder=tmp_path, port=port, temps=temps))
    (tmp_path / "file").write_text("a file, sent chunk by chunk or whole\n")
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c",
                                tmp_path / "conf"], stderr=subprocess.DEVNULL)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 10, "nginx")
    yield port
    process.kill()
    process.wait()


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: rooms}}
spec:
  target: {{kind: external, urls: ["http://127.0.0.1:{port}"]}}
  duration: 2s
  load:
    rate: 150/s
    maxLate: 5s
    feeders: [{{name: words, file: words.csv, order: random}}]
    flows:
      - name: room
        steps:
          - name: in
            path: "/in?word={{{{words.word|url}}}}"
            extract: [{{name: key, regex: 'key=(\\w+);'}}]
            expect: [{{header: Content-Type, contains: text/plain}}]
          - name: look
            path: /room
            expected: 5ms
            expect: [{{bodyMatches: "^[0-9a-f]{{32}}$"}}, {{bodyContains: "{{{{key}}}}"}}]
          - {{name: file, path: /file, expect: [{{bodyContains: chunk by chunk}}]}}
  thresholds:
    - {{name: quick, expect: p95 < 5s, route: room.look}}
    - {{name: all-well, expect: errors <= 0%, route: room.in}}
    - {{name: sent, expect: count >= 60, route: room.file}}
"""


def test_a_scenario_against_nginx(nginx, tmp_path):
    """Cookies by path, headers, bodies, feeders and thresholds on steps, from file to verdict."""
    (tmp_path / "s.yaml").write_text(SCENARIO.format(port=nginx))
    (tmp_path / "words.csv").write_text('word\n"two words"\nön&e\n')
    done = run("squall", "check", tmp_path / "s.yaml")
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    done = run("squall", "run", tmp_path / "s.yaml", "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = next((tmp_path / "runs").iterdir())
    result = json.loads((folder / "load.json").read_text())
    assert failed(result["total"]) == 0 and not result.get("notes")
    assert check_flow(result, "room", ["in", "look", "file"]) >= 60
    assert "route room.look" in (folder / "report.md").read_text()


def test_mistakes_are_told_with_their_place(tmp_path):
    file = tmp_path / "s.yaml"
    good = SCENARIO.format(port=1)

    def check(old, new, *expected, code=2):
        assert old in good
        file.write_text(good.replace(old, new))
        done = run("squall", "check", file)
        assert done.returncode == code, done.stderr
        for one in expected:
            assert f"{file}:{one}" in done.stderr, done.stderr

    (tmp_path / "words.csv").write_text("word\nx\n")
    check("{{words.word|url}}", "{{words.wrd}}",
          f'10:35: spec.load.feeders[0].file: {tmp_path}/words.csv:1: no column "wrd", did you mean '
          '"word"?')
    check("words.csv", "none.csv", "10:35: spec.load.feeders[0].file: ")
    check("{{words.word|url}}", "{{wrods.word}}", '15:19: spec.load.flows[0].steps[0].path: {{wrods'
          '.word}}: no feeder "wrods", did you mean "words"?')
    check("key=(", "key=((", "16:42: spec.load.flows[0].steps[0].extract[0].regex: ")
    check('{bodyContains: "{{key}}"}', '{json: key}',
          '21:62: spec.load.flows[0].steps[1].expect[1].json: "key" is no JSON pointer')
    check(', {bodyContains: "{{key}}"}', "",
          '16:30: warning: spec.load.flows[0].steps[0].extract[0].name: "key" is never used', code=0)
    (tmp_path / "words.csv").write_text('word\n"x\n')
    check("2s", "3s", f"10:35: spec.load.feeders[0].file: {tmp_path}/words.csv:2: a quote is opened")
