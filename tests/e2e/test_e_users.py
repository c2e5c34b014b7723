# SPDX-License-Identifier: Apache-2.0
"""The closed model against real servers: users who wait, think, come and go."""

import json

from conftest import run
from test_e_arrivals import S, noting, stage
from load_lab import (OK, check_sums, closed_port, failed, load, make_plan, quantile,  # noqa: F401
                      serve)


def users(ports, stages, think="none", a=0.0, b=0.0, iterations=0, each=0, **more):
    length = sum(one["lengthNs"] for one in stages) / S
    closed = {"stages": stages, "iterations": iterations, "iterationsEach": each, "think": think,
              "thinkANs": int(a * S), "thinkBNs": int(b * S)}
    return make_plan(ports, rate=0, seconds=length, users=closed, **more)


def slow(serve, seconds):
    """A server that holds every answer back, and the most requests it held at a time."""
    held = {"now": 0, "most": 0}

    def answer(peer):
        held["now"] -= 1
        peer.send(OK)

    def behave(peer, head):
        held["now"] += 1
        held["most"] = max(held["most"], held["now"])
        server.loop.call_later(seconds, answer, peer)

    server = serve(behave)
    return server, held


def test_users_wait_for_their_answers(serve, load):
    """Never more requests at a time than users, however slow the target is; and what it takes is
    what both latencies show: nobody waits before his own request is due."""
    server, held = slow(serve, 0.1)
    one = load.finish(users([server.port], [stage(1.5, 7)], threads=3))
    result = check_sums(one)
    assert held["most"] == 7
    assert 0.6 * 105 <= result["total"]["ok"] <= 105, "7 users, 10 requests a second each at most"
    for kind in ("response", "service"):
        assert quantile(one.histograms()[f"steady/home/{kind}"], 0) > 0.098


def test_too_few_connections_are_waiting_time(serve, load):
    """Ten users on two connections: service time is what the target takes, response time what a
    user waits, five times as long."""
    server, held = slow(serve, 0.05)
    one = load.finish(users([server.port], [stage(1.5, 10)], connections=2, threads=1))
    check_sums(one)
    assert held["most"] == 2
    service = quantile(one.histograms()["steady/home/service"], 0.5)
    response = quantile(one.histograms()["steady/home/response"], 0.5)
    assert 3.5 < response / service < 6.5


def test_iterations_end_the_load(serve, load):
    server, times = noting(serve)
    one = load.finish(users([server.port], [stage(60, 5)], iterations=123, threads=2))
    result = check_sums(one)
    assert result["complete"] and result["total"]["ok"] == 123 == len(times)
    assert result["scheduledNs"] < 30 * S
    one = load.finish(users([server.port], [stage(60, 5)], each=11, threads=3, think="uniform",
                            a=0.001, b=0.01))
    assert check_sums(one)["total"]["ok"] == 55


def test_iterations_that_are_not_done_in_time_are_no_complete_load(serve, load):
    server, _ = slow(serve, 0.1)
    one = load(users([server.port], [stage(0.5, 2)], iterations=1000))
    code, lines = one.wait()
    assert code == 0 and lines[-1]["status"] == "stopped"
    result = check_sums(one)
    assert not result["complete"]
    begun = result["total"]["intended"]
    assert any(note.startswith(f"{begun} of 1000 iterations were begun")
               for note in result["notes"]), result["notes"]
    done = run("squall", "load", "-q", f"http://127.0.0.1:{server.port}/", "--users", "2", "-d",
               "0.5", "--iterations", "1000", "--max-late", "5s")
    assert done.returncode == 3 and "of 1000 iterations were begun" in done.stdout, done.stdout


def test_each_of_their_requests_has_a_number_of_its_own(serve, load):
    seen = []

    def behave(peer, head):
        seen.append(int(head.split()[1][1:]))
        peer.send(OK)

    server = serve(behave)
    routes = [{"name": "a", "method": "GET", "path": "/{{seq}}", "body": None, "headers": [],
               "weight": 1}]
    load.finish(users([server.port], [stage(60, 5)], each=4, threads=2, routes=routes))
    assert sorted(seen) == list(range(20)), "5 users, 4 requests each"


def test_users_of_a_target_that_refuses_do_not_spin(load):
    one = load.finish(users([closed_port()], [stage(1, 5)], timeout=20))
    result = check_sums(one)
    assert 0 < result["total"]["failed"]["connect"] <= 5 * 101
    assert failed(result["total"]) == result["total"]["intended"]


def test_stopped_users_finish_what_they_began(serve, load):
    server, _ = slow(serve, 0.3)
    one = load(users([server.port], [stage(60, 20)], connections=20))
    one.line("interval")
    one.command(type="stop")
    code, _ = one.wait()
    result = check_sums(one)
    assert code == 0 and failed(result["total"]) == 0 and result["total"]["missed"] == 0
    assert result["total"]["ok"] == server.requests >= 20


def test_users_on_the_command_line_and_in_a_scenario(serve, tmp_path):
    server, times = noting(serve)
    url = f"http://127.0.0.1:{server.port}/"
    done = run("squall", "load", url, "--users", "4", "--iterations-each", "5", "--think",
               "exponential 5ms", "--json", "-q")
    assert done.returncode in (0, 3), done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 20 == len(times)
    done = run("squall", "load", url, "--user-stage", "300ms 0..8", "--user-stage", "200ms 8",
               "--think", "10ms", "-q")
    assert done.returncode in (0, 3) and "closed model, up to 8 users" in done.stdout, done.stderr
    for words in (["--users", "4", "-r", "5"], ["--think", "1s", "-r", "5"], ["--users", "0"]):
        assert run("squall", "load", url, *words).returncode == 2, words
    times.clear()
    file = tmp_path / "s.yaml"
    file.write_text(f"""\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: closed}}
spec:
  target: {{kind: external, urls: ["{url}"]}}
  duration: 20s
  load:
    maxLate: 5s
    users: {{count: 6, iterations: 90, think: {{uniform: {{min: 1ms, max: 20ms}}}}}}
    routes: [{{name: home, path: /}}]
""")
    done = run("squall", "run", file, "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(times) == 90
