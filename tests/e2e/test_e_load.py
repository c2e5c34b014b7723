# SPDX-License-Identifier: Apache-2.0
"""squall-load against real servers that answer, stall, reset, dribble or are not there."""

import collections
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BIN, run, wait_until
from load_lab import (AHEAD, OK, check_sums, closed_port, failed, fill_up,  # noqa: F401
                      lacks_connections, load, make_plan, quantile, serve, small_disk, total,
                      value_of)


def test_every_request_is_accounted_for(serve, load):
    server = serve()
    one = load.finish(make_plan([server.port], rate=400, seconds=1.5))
    result = check_sums(one)
    assert result["complete"] and not lacks_connections(result)
    assert result["total"]["intended"] == result["total"]["ok"] == 600 == server.requests
    assert result["total"]["bytesIn"] == 600 * len(OK)
    assert set(one.histograms()) == {"steady/home/response", "steady/home/ended",
                                     "steady/home/service",
                                     "steady/home/first-byte", "steady/-/schedule",
                                     "steady/-/connect"}
    assert total(one.histograms()["steady/-/connect"]) == server.accepted == 10
    assert total(one.histograms()["steady/-/schedule"]) == 600
    assert result["scheduledNs"] == 1_500_000_000
    assert 0 < result["cpuNs"]


def test_an_interval_holds_all_that_was_sent_before_its_end(serve, load):
    """Whatever the server has seen by the end of an interval (same clock) is counted by then."""
    seen = []

    def behave(peer, head):
        seen.append(time.monotonic_ns())
        peer.send(OK)

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=400, seconds=1.5)))
    counted = 0
    for interval in result["intervals"]:
        counted += interval["counts"]["sent"]
        end = interval["startMonoNs"] + interval["lengthNs"]
        assert counted >= sum(at <= end for at in seen), interval
    assert counted == len(seen) == 600


def test_poisson_schedule_is_the_same_for_any_number_of_threads(serve, load):
    server = serve()
    counts = set()
    for threads in (1, 2, 5):
        plan = make_plan([server.port], arrivals="poisson", seed=77, threads=threads)
        counts.add(load.finish(plan).result()["total"]["intended"])
    assert len(counts) == 1 and 130 < counts.pop() < 270


def test_request_bytes_and_routes_by_weight(serve, load):
    heads = collections.Counter()

    def behave(peer, head):
        heads[head] += 1
        peer.send(OK)

    server = serve(behave)
    routes = [
        {"name": "a", "method": "GET", "path": "/a?x=1", "body": None, "headers": ["A: b"],
         "weight": 3},
        {"name": "b", "method": "DELETE", "path": "/b", "body": None, "headers": [], "weight": 1}]
    one = load.finish(make_plan([server.port], rate=800, routes=routes))
    check_sums(one)
    parts = {part["route"]: part["counts"]["ok"] for part in one.result()["parts"]}
    assert parts["a"] + parts["b"] == 800
    assert 140 < parts["b"] < 260
    common = b"Host: test.example\r\nUser-Agent: squall-load\r\nX-Traffic: load"
    assert heads == {b"GET /a?x=1 HTTP/1.1\r\n" + common + b"\r\nA: b": parts["a"],
                     b"DELETE /b HTTP/1.1\r\n" + common: parts["b"]}


def test_fields_differ_from_request_to_request(serve, load):
    """{{seq}} numbers the arrivals of all threads, the same in every run; {{rand}} is random."""
    seen = []

    def behave(peer, head):
        seen.append(head.split()[1].decode())
        peer.send(OK)

    server = serve(behave)
    routes = [{"name": "a", "method": "GET", "path": "/{{seq}}/{{rand}}", "body": None,
               "headers": [], "weight": 1}]
    for _ in range(2):
        check_sums(load.finish(make_plan([server.port], rate=400, seconds=0.5, routes=routes)))
    numbers = [int(path.split("/")[1]) for path in seen]
    assert sorted(numbers[:200]) == sorted(numbers[200:]) == list(range(200))
    assert len({path.split("/")[2] for path in seen[:200]}) == 200
    assert all(len(path) == 1 + 12 + 1 + 16 for path in seen)


def test_fields_of_requests_that_are_sent_in_pieces(load):
    """Bodies that no socket takes at once: what is left of one must not get the fields of another.
    """
    bodies = []

    def answer(connection):
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while line not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = stream.readline()
                body = stream.read(length)
                if len(body) < length:
                    return
                bodies.append((body[:12], body[-12:]))
                connection.sendall(OK)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        listener.settimeout(20)

        def accept():
            for _ in range(4):
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        routes = [{"name": "a", "method": "POST", "path": "/",
                   "body": "{{seq}}" + "x" * 6_000_000 + "{{seq}}", "headers": [], "weight": 1}]
        result = check_sums(load.finish(make_plan(
            [listener.getsockname()[1]], rate=60, seconds=0.5, connections=4, threads=1, timeout=20,
            routes=routes)))
        accepting.join()
    assert result["total"]["ok"] == 30 == len(bodies)
    assert all(first == last for first, last in bodies)
    assert sorted(int(first) for first, _ in bodies) == list(range(30))


def test_a_stall_is_in_response_times_and_not_in_service_times(serve, load):
    """Constant 1000/s for 4 s, all answers held back for 1 s: a quarter of the requests fall into
    the stall, at times spread evenly, so that quantile 0.75 + x/4 of response times is x seconds
    (a little more for the backlog that must be worked off). The few requests in flight are all
    that service times see."""

    def behave(peer, head):
        if server.requests == 1000:
            time.sleep(1.0)  # the stall, on the server's only thread
        peer.send(OK)

    server = serve(behave)
    one = load.finish(make_plan([server.port], rate=1000, seconds=4, connections=10, timeout=10))
    check_sums(one)
    response = one.histograms()["steady/home/response"]
    service = one.histograms()["steady/home/service"]
    assert total(response) == 4000
    for x in (0.4, 0.6, 0.8, 0.96):
        measured = quantile(response, 0.75 + x / 4)
        assert x - 0.05 < measured < x + 0.3 * (1 - x) + 0.15, (x, measured)
    assert quantile(response, 1) > 0.95
    assert quantile(response, 0.5) < 0.1
    assert quantile(service, 0.99) < 0.1
    assert quantile(service, 1) > 0.95
    assert sum(n for i, n in service.items() if value_of(i) > 0.5e9) <= 10


def test_resets_are_counted_and_the_load_goes_on(serve, load):
    def behave(peer, head):
        if server.requests % 10 == 0:
            peer.reset()
        else:
            peer.send(OK)

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=400)))
    assert result["total"]["failed"]["reset"] == 40 == failed(result["total"])
    assert result["total"]["ok"] == 360


def test_nobody_listens(load):
    begin = time.monotonic()
    one = load.finish(make_plan([closed_port()], timeout=20))
    assert time.monotonic() - begin < 15, "refused connects must fail at once, not by timeout"
    result = check_sums(one)
    assert result["total"]["failed"]["connect"] == 200 == result["total"]["intended"]
    assert not lacks_connections(result), "the target's fault, not ours"
    assert set(one.histograms()) == {"steady/home/failed"}


def test_a_target_that_refuses_gets_no_requests(serve, load):
    """Fast-failing connects are no black hole: all requests go to the instance that is there."""
    server = serve()
    result = check_sums(load.finish(make_plan([closed_port(), server.port], rate=400)))
    assert result["total"]["ok"] == 400 == server.requests
    assert failed(result["total"]) == 0


def test_a_target_that_refuses_takes_nothing_from_the_queue(serve, load):
    """Requests that wait for a busy healthy connection are not failed by others being refused."""
    def behave(peer, head):
        server.loop.call_later(0.05, peer.send, OK)

    server = serve(behave)
    one = load.finish(make_plan([closed_port(), server.port], rate=60, connections=4, threads=1,
                                timeout=10))
    result = check_sums(one)
    assert result["total"]["ok"] == 60
    assert quantile(one.histograms()["steady/-/schedule"], 1) > 0.1, "some had to wait"


def test_a_target_that_accepts_and_resets_is_not_hammered(serve, load):
    server = serve(greet=lambda peer: peer.reset())
    result = check_sums(load.finish(make_plan([server.port], rate=20, connections=1, timeout=0.2)))
    assert result["total"]["ok"] == 0
    assert 2 < server.accepted < 40, "10 ms doubled at each failure, up to 1 s"


def test_a_target_dies_in_the_middle(serve, load):
    """Each of the five connections to it loses one request at most; nothing here is about time, so
    that servers which a busy machine stops for a while must not look dead (timeout)."""
    servers = [serve(), serve()]
    one = load(make_plan([s.port for s in servers], rate=400, seconds=2, timeout=20))
    wait_until(lambda: servers[0].requests > 200, 10, "the first target has its share")
    servers[0].die()
    code, _ = one.wait()
    assert code == 0
    result = check_sums(one)
    assert failed(result["total"]) <= 5, f"more than were in flight: {result['total']}"
    assert result["total"]["ok"] >= 795
    assert servers[1].requests > 500


def test_a_target_comes_back(serve, load):
    """All refuse, then somebody listens on that port: connections return within their back-off."""
    port = closed_port()
    one = load(make_plan([port], rate=100, seconds=20, timeout=1))
    one.line("started")
    while one.line("interval")["counts"]["failed"]["connect"] == 0:
        pass
    serve(port=port)
    begin = time.monotonic()
    while one.line("interval")["counts"]["ok"] == 0:
        assert time.monotonic() - begin < 5
    one.command(type="stop")
    code, _ = one.wait()
    assert code == 0
    check_sums(one)


def test_slow_bodies(serve, load):
    """Service time runs to the end of the response, however it is framed and cut."""
    pieces = {
        "/length": [b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 6\r\n\r", b"\nabc", b"def"],
        "/chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r", b"\nabc\r\n",
                     b"3;x\r\ndef\r\n0\r\nT: 1\r\n", b"\r\n"],
        "/close": [b"HTTP/1.1 200 OK\r\n\r\n", b"abc", b"def", None]}

    def behave(peer, head):
        path = head.split()[1].decode()
        for i, piece in enumerate(pieces[path]):
            act = peer.transport.close if piece is None else lambda p=piece: peer.send(p)
            server.loop.call_later(0.1 * i, act)

    server = serve(behave)
    routes = [{"name": path[1:], "method": "GET", "path": path, "body": None, "headers": [],
               "weight": 1} for path in pieces]
    one = load.finish(make_plan([server.port], rate=30, connections=30, routes=routes))
    result = check_sums(one)
    assert result["total"]["ok"] == 30
    for path in pieces:
        service = one.histograms()[f"steady/{path[1:]}/service"]
        first = one.histograms()[f"steady/{path[1:]}/first-byte"]
        assert quantile(service, 0) > 0.28 and quantile(service, 1) < 1.5
        assert quantile(first, 0.5) < 0.1 < quantile(service, 0.5) - quantile(first, 0.5)


def test_status_classes_and_protocol_errors(serve, load):
    answers = {
        "/ok": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/moved": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "/http_4xx": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "/http_5xx": b"HTTP/1.1 503 Unavailable\r\nContent-Length: 3\r\n\r\nbad",
        "/status": b"HTTP/1.1 700 What\r\nContent-Length: 0\r\n\r\n",
        "/protocol": b"SSH-2.0-OpenSSH\r\n",
        "/protocol2": OK + b"HTTP/1.1 200 OK\r\n"}
    server = serve(lambda peer, head: peer.send(answers[head.split()[1].decode()]))
    routes = [{"name": path[1:], "method": "GET", "path": path, "body": None, "headers": [],
               "weight": 1} for path in answers]
    result = check_sums(load.finish(make_plan([server.port], rate=280, routes=routes)))
    for part in result["parts"]:
        name = part["route"].rstrip("2")
        counts = part["counts"]
        seen = counts["ok"] if name in ("ok", "moved") else counts["failed"][name]
        assert seen == counts["sent"] > 10, part
    # What the target said is told, and how often.
    total_failed = result["total"]["failed"]
    for failure, status in (("http_4xx", 404), ("http_5xx", 503), ("status", 700)):
        n = total_failed[failure]
        assert any(note.startswith(f"{failure}: {n} requests failed by status {status} ({n}): ")
                   for note in result["notes"]), result["notes"]
    assert any(note.startswith(f"protocol: {total_failed['protocol']} requests failed")
               for note in result["notes"]), result["notes"]


def test_connection_close_is_not_a_failure(serve, load):
    """And it is obeyed: nothing more comes on a connection whose end was announced."""
    most = []

    def behave(peer, head):
        most.append(peer.asked)
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=200)))
    assert result["total"]["ok"] == 200 and max(most) == 1


def test_idle_connections_closed_by_the_server_cost_no_request(serve, load):
    def behave(peer, head):
        peer.send(OK)
        server.loop.call_later(0.05, peer.transport.close)

    server = serve(behave)
    result = check_sums(load.finish(make_plan([server.port], rate=20, connections=10, threads=1)))
    assert result["total"]["ok"] == 20


def test_timeouts(serve, load):
    """Nobody is answered: what was sent times out; what found no connection is missed, and that is
    not the generator's doing."""
    server = serve(lambda peer, head: None)
    one = load.finish(make_plan([server.port], rate=100, connections=4, timeout=0.3))
    result = check_sums(one)
    counts = result["total"]
    assert counts["ok"] == 0 and counts["failed"]["timeout"] >= 4
    assert counts["failed"]["timeout"] + counts["failed"]["connect"] + counts["missed"] == 100
    assert not lacks_connections(result)
    times = one.histograms()["steady/home/failed"]
    assert 0.28 < quantile(times, 1) < 1.5
    assert (result["endMonoNs"] - result["startMonoNs"]) / 1e9 < 1.0 + 0.3 + 1.0


def test_too_few_connections_make_the_generator_the_limit(serve, load):
    def behave(peer, head):
        server.loop.call_later(0.1, peer.send, OK)

    server = serve(behave)
    one = load.finish(make_plan([server.port], rate=100, connections=1, timeout=0.4, seconds=1.5,
                                maxLateNs=2_000_000_000))
    result = check_sums(one)
    assert result["total"]["missed"] > 50
    assert lacks_connections(result)


def test_what_waited_is_not_cut_off(serve, load):
    """A queue is worked off until the last of it had its timeout in line, and what was sent just
    before has its own: a target that answers everything in 20 ms has no timeouts."""
    def behave(peer, head):
        server.loop.call_later(0.02, peer.send, OK)

    server = serve(behave)
    one = load.finish(make_plan([server.port], rate=1500, connections=10, timeout=1.0))
    result = check_sums(one)
    assert result["total"]["missed"] > 0, "the queue was there until the end"
    assert failed(result["total"]) == 0


def test_the_alarm_is_precise_again_after_saturation(serve, load):
    """With one connection every request occupies all there are, and its end must set the alarm for
    the next; otherwise half of the requests are late by half the gap of 4 ms and more."""
    server = serve(ahead=True)
    median = {}
    for connections in (1, 20):
        one = load.finish(make_plan([server.port], rate=250, connections=connections, threads=1),
                          prefix=AHEAD)
        median[connections] = quantile(one.histograms()["steady/-/schedule"], 0.5)
    service = quantile(one.histograms()["steady/home/service"], 0.5)
    assert median[1] < median[20] + service + 0.001, median


@pytest.mark.parametrize("connections", [2, 50])
def test_a_generator_that_was_late_says_so(serve, load, connections):
    """Also when nearly all that was late had to wait for a connection then."""
    server = serve()
    one = load(make_plan([server.port], rate=500, seconds=2, connections=connections))
    one.line("interval")
    one.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # the lateness itself
    one.process.send_signal(signal.SIGCONT)
    code, _ = one.wait()
    assert code == 0
    result = check_sums(one)
    assert result["total"]["intended"] == 1000
    assert "late by itself" in result["clientLimitedWhy"]


def test_phases_by_command(serve, load):
    server = serve()
    one = load(make_plan([server.port], rate=200, seconds=30))
    start = one.line("started")
    assert start["mono"] > 0 and start["wall"] > 1.6e18
    assert one.line("interval")["phase"] == "steady"
    before = server.requests
    one.command(type="phase", name="lose-one")
    while one.line("interval")["phase"] != "lose-one":
        pass
    wait_until(lambda: server.requests > before + 100, 10, "load in the second phase")
    one.command(type="phase", name="after-lose-one")
    wait_until(lambda: server.requests > before + 200, 10, "load in the third phase")
    one.command(type="stop")
    code, lines = one.wait()
    assert code == 0 and lines[-1] == {"type": "finished", "status": "stopped"}
    result = check_sums(one)
    assert not result["complete"]
    assert 0 < result["scheduledNs"] < 30e9
    phases = {part["phase"]: part["counts"]["ok"] for part in result["parts"]}
    assert set(phases) == {"steady", "lose-one", "after-lose-one"}
    for phase, ok in phases.items():
        assert total(one.histograms()[f"{phase}/home/response"]) == ok > 0
    # Due times decide: at 200/s each phase has its length's worth, whatever the threads were doing.
    assert abs(result["total"]["intended"] - 200 * result["scheduledNs"] / 1e9) <= 2


@pytest.mark.parametrize("how", ["eof", "SIGTERM", "SIGINT", "output"])
def test_stops_when_told_or_abandoned(serve, load, how):
    server = serve()
    one = load(make_plan([server.port], rate=100, seconds=600))
    one.line("interval")
    if how == "eof":
        one.process.stdin.close()
    elif how == "output":
        one.process.stdout.close()
    else:
        one.process.send_signal(getattr(signal, how))
    assert one.process.wait(10) == 0, one.stderr()
    result = check_sums(one)
    assert not result["complete"]
    assert result["total"]["ok"] == result["total"]["sent"] > 10


def test_nothing_is_due_when_stopped_before_the_start(serve, load):
    server = serve()
    one = load(make_plan([server.port], rate=20000, connections=100, seconds=60))
    one.process.stdin.close()
    assert one.process.wait(10) == 0, one.stderr()
    result = check_sums(one)
    # Constant arrivals: one is due at the start itself. Nothing is begun after the stop, however late a
    # thread hears of it.
    assert result["total"]["intended"] <= 1 + 20000 * result["scheduledNs"] / 1e9
    assert server.requests == result["total"]["sent"]


def test_stop_waits_for_what_is_under_way(serve, load):
    def behave(peer, head):
        server.loop.call_later(0.6, peer.send, OK)

    server = serve(behave)
    one = load(make_plan([server.port], rate=100, seconds=60, connections=200, timeout=5))
    wait_until(lambda: server.requests > 20, 10, "requests under way")
    one.command(type="stop")
    code, _ = one.wait()
    result = check_sums(one)
    assert code == 0 and failed(result["total"]) == 0 and result["total"]["ok"] > 20


def test_the_log_is_flushed_at_each_interval(serve, load):
    server = serve()
    one = load(make_plan([server.port], rate=100, seconds=30))
    for _ in range(3):
        one.line("interval")
    text = one.hlog_path.read_text()
    assert text.startswith("#[Histogram log format version 1.3]\n")
    assert text.endswith("\n")
    for kind, least in (("ended", 3), ("response", 2)):
        starts = [line.split(",")[1] for line in text.splitlines() if f"/{kind}," in line]
        assert len(starts) >= least and starts == sorted(starts), kind


def expect_error(one, words):
    code, lines = one.wait(10)
    assert code == 5, one.stderr()
    assert lines[-1]["type"] == "error"
    for word in words:
        assert word in lines[-1]["message"]


def test_disk_full_at_the_first_byte(serve, load, tmp_path):
    server = serve()
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    expect_error(load(make_plan([server.port], seconds=60), hlog=full), ["histogram log", "space"])


def test_disk_full_on_the_way(serve, load, tmp_path):
    with small_disk(tmp_path, "512k") as disk:
        server = serve()
        one = load(make_plan([server.port], seconds=60), hlog=disk / "latency.hlog")
        one.line("interval")
        fill_up(disk)
        expect_error(one, ["histogram log", "space"])
        (disk / "latency.hlog").unlink()
        (disk / "filler").unlink()
        fill_up(disk)
        done = load(make_plan([server.port], seconds=0.3), result=disk / "load.json")
        expect_error(done, ["load.json"])


@pytest.mark.parametrize("change, words", [
    ({"rate": -1}, "rate"), ({"connections": 0}, "connections"), ({"targets": []}, "targets"),
    ({"targets": [{"address": "example.org", "port": 80}]}, "address"),
    ({"firstPhase": "a/b"}, "firstPhase"), ({"arrivals": "often"}, "often"),
    ({"host": "a b"}, "host"), ({"intervalNs": 1}, "interval")])
def test_bad_plans(load, change, words):
    one = load(make_plan([1], **change))
    code, lines = one.wait()
    assert code == 2, one.stderr()
    assert [line["type"] for line in lines] == ["error"]
    assert words in lines[0]["message"]


def test_bad_commands_end_the_run(serve, load):
    server = serve()
    for text in ("not json", '{"type":"jump"}', '{"type":"phase","name":"a,b"}', "[]", "{}"):
        one = load(make_plan([server.port], seconds=60))
        one.line("started")
        one.process.stdin.write(text + "\n")
        one.process.stdin.flush()
        expect_error(one, [])


def test_plan_on_standard_input(serve, tmp_path):
    server = serve()
    with subprocess.Popen(
            [BIN / "squall-load", "--plan", "-", "--hlog", tmp_path / "h", "--result",
             tmp_path / "r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(json.dumps(make_plan([server.port], seconds=0.5)) + "\n")
        process.stdin.flush()
        lines = [json.loads(line) for line in process.stdout]
    assert lines[-1] == {"type": "finished", "status": "complete"}
    assert json.loads((tmp_path / "r").read_text())["total"]["ok"] == 100


def test_usage():
    for args in ([], ["--plan", "x"], ["--bogus"], ["--plan", "x", "--hlog", "y", "--result"]):
        done = run("squall-load", *args, stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and "usage:" in done.stderr and done.stdout == ""


needs_squall = pytest.mark.skipif(not os.access(BIN / "squall", os.X_OK),
                                  reason="squall is not built")


@needs_squall
def test_ad_hoc(serve):
    server = serve()
    url = f"http://localhost:{server.port}/x"
    done = run("squall", "load", url, "-r", "100", "-c", "5", "-d", "1", "--arrivals", "constant")
    # On a busy machine the generator may find itself late, and says so.
    assert done.returncode in (0, 3), done.stderr
    assert "100 intended, 100 sent, 100 ok, 0 failed, 0 missed" in done.stdout
    assert "p99.9" in done.stdout and "ok " in done.stderr
    done = run("squall", "load", url, "-r", "100", "-d", "0.5", "--json", "--quiet")
    value = json.loads(done.stdout)
    assert done.returncode in (0, 3) and done.stderr == ""
    assert value["latency"]["response"]["count"] == value["total"]["ok"] > 20


@needs_squall
def test_ad_hoc_takes_the_flags_of_wrk(serve):
    url = f"http://127.0.0.1:{serve().port}/"
    for args in (["-r", "100", "-d", "1"],
                 ["-t1", "-c5", "-d1s", "-r0.1k", "--latency", "--timeout", "2s", "-H", "A: b"],
                 ["-t", "2", "-c", "0.01k", "--duration", "1s", "--rate=100/s", "--timeout=2"]):
        done = run("squall", "load", url, *args)
        assert done.returncode in (0, 3), done.stderr
        assert "schedule   100/s poisson over 1s" in done.stdout
    for args in (["-c", "1.5"], ["-r", "1kk"], ["-c", "5000M"], ["-d", "1x"], ["--latency=1"]):
        done = run("squall", "load", url, "-r", "5", *args)
        assert done.returncode == 2 and args[0].split("=")[0].lstrip("-")[0] in done.stderr


@needs_squall
def test_ad_hoc_exit_codes(tmp_path):
    refused = f"http://127.0.0.1:{closed_port()}/"
    assert run("squall", "load", refused, "-r", "50", "-d", "0.3").returncode == 3
    assert run("squall", "load", refused, "-r", "0").returncode == 2
    assert run("squall", "load", refused, "-r", "5", "--insecure").returncode == 2
    assert run("squall", "load", refused, "-r", "5", "-d", "0.3", "--hlog",
               tmp_path / "no" / "such").returncode == 5
    assert run("squall", "load", "--help").returncode == 0
