# SPDX-License-Identifier: Apache-2.0
"""How exactly requests are sent, what kept them, and what users of other generators complain of:
each such test carries the complaint's number."""

import json
import pathlib
import signal
import socket
import threading
import time

import pytest

from conftest import run, wait_until
from test_e_arrivals import S, noting, stage, staged
from load_lab import (AHEAD, OK, check_sums, load, make_plan, quantile, serve,  # noqa: F401
                      total, value_of)


def lateness(result):
    return {one["cause"]: one for one in result["lateness"]}


def test_coordinated_omission_matches_the_analytic_answer(serve, load):
    """1000/s on ten connections; the server answers nobody for a second. It knows when it answered
    the n-th request, and when the next one came on that connection, which the generator, with a
    thousand in line, sent as soon as it had the answer. The schedule says when the n-th was due:
    the differences are what a user would have seen, and each percentile of what was recorded lies
    between theirs, give or take 1 %."""
    answered, taken, held, latest = [], {}, [], {}
    stall = {"until": None}

    def answer(peer):
        peer.send(OK)
        latest[peer] = len(answered)
        answered.append(time.monotonic_ns())

    def release():
        stall["until"] = 0
        for peer in held:
            answer(peer)

    def behave(peer, head):
        if peer in latest:
            taken[latest.pop(peer)] = time.monotonic_ns()
        if stall["until"] is None and server.requests == 50:
            stall["until"] = time.monotonic() + 1.0
            server.loop.call_later(1.0, release)
        if stall["until"]:
            held.append(peer)
        else:
            answer(peer)

    server = serve(behave, ahead=True)
    one = load.finish(make_plan([server.port], rate=1000, seconds=1.3, connections=10, threads=1,
                                timeout=10), prefix=AHEAD)
    result = check_sums(one)
    assert len(answered) == 1300 == result["total"]["ok"]
    start = result["startMonoNs"]
    least = sorted((at - start) / S - n / 1000 for n, at in enumerate(answered))
    most = sorted((max(at, taken.get(n, at)) - start) / S - n / 1000
                  for n, at in enumerate(answered))
    response = one.histograms()["steady/home/response"]
    for q in (0.5, 0.75, 0.9, 0.99, 0.999):
        rank = min(int(q * 1300), 1299)
        measured = quantile(response, q)
        assert least[rank] > 0.3, "the stall is what this percentile shows"
        assert 0.99 * least[rank] < measured < 1.01 * most[rank], (q, measured)
    service = one.histograms()["steady/home/service"]
    assert sum(n for i, n in service.items() if value_of(i) > 0.5e9) == len(held) == 10
    assert quantile(service, 0.95) < 0.3 * quantile(response, 0.95)


def is_idle(pid):
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return all((t / "stat").read_text().rpartition(")")[2].split()[0] == "S" for t in threads)


def test_late_starts_are_noticed_k6_3664_2837(serve, load):
    """The generator is stopped for half a second while it is idle: that is its own lateness, of the
    timer's kind, and no evidence about the target."""
    server = serve()
    one = load(make_plan([server.port], rate=400, seconds=1.2, connections=400, threads=1))
    one.line("interval")
    wait_until(lambda: is_idle(one.process.pid), 5, "none of its threads wants a processor")
    one.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # the lateness itself
    one.process.send_signal(signal.SIGCONT)
    code, _ = one.wait()
    result = check_sums(one)
    assert code == 0 and result["total"]["intended"] == 480 == result["total"]["sent"]
    assert result["clientLimitedBy"] == "lateness"
    assert "not woken in time" in result["clientLimitedWhy"]
    causes = lateness(result)
    assert 0.4 * S < causes["timer_late"]["maxNs"] < 5 * S
    busy = causes.get("loop_busy", {"count": 0, "maxNs": 0})
    assert causes["timer_late"]["count"] + busy["count"] == 480
    assert busy["maxNs"] < 0.2 * S, "not what became due in the meantime"
    assert quantile(one.histograms()["steady/home/response"], 1) > 0.4, "users waited that long"


def lateness_of(load, port, spin):
    """Of the most punctual half of 300 requests."""
    one = load.finish(make_plan([port], rate=500, seconds=0.6, threads=1, spin=spin), prefix=AHEAD)
    assert check_sums(one)["total"]["ok"] == 300
    assert one.result()["threads"][0]["cpuNs"] > 0, "what was spun is taken off, and no more than that"
    return quantile(one.histograms()["steady/-/schedule"], 0.5)


def test_spinning_is_more_punctual(serve, load):
    """Only when asked for: half of all requests leave in less than half of the time that waking takes.
    A generator that gets no processor for a while is late either way: less than before and than
    after it, which such a while would have to spare, in one of three tries."""
    port = serve().port
    late = []
    for _ in range(3):
        late.append([lateness_of(load, port, spin) for spin in (False, True, False)])
        before, spun, after = late[-1]
        if spun < 0.5 * min(before, after):
            return
    raise AssertionError(late)


def test_waiting_for_a_connection_is_told_apart(serve, load):
    server = serve(lambda peer, head: server.loop.call_later(0.02, peer.send, OK))
    one = load.finish(make_plan([server.port], rate=100, connections=1, timeout=20, seconds=0.6))
    causes = lateness(check_sums(one))
    assert causes["no_free_connection"]["count"] >= 55
    assert causes["no_free_connection"]["p50Ns"] > 0.2 * S
    own = causes.get("timer_late", causes.get("loop_busy"))
    assert own["p50Ns"] < 0.1 * causes["no_free_connection"]["p50Ns"]


def test_who_waits_for_a_connection_is_not_late_by_the_generator(serve, load):
    """With every connection busy alarms are coarse, by 5 ms: what comes due meanwhile could not have
    been sent, and is late by the generator only from when it wanted to wake."""
    server = serve(lambda peer, head: server.loop.call_later(0.02, peer.send, OK))
    for _ in range(5):  # a busy machine makes the generator late in earnest: one run shows it
        one = load.finish(make_plan([server.port], rate=2000, connections=1, timeout=0.3,
                                    seconds=0.5, threads=1), prefix=AHEAD)
        causes = lateness(check_sums(one))
        own = [causes[name] for name in ("timer_late", "loop_busy") if name in causes]
        assert own and causes["no_free_connection"]["p50Ns"] > 0.05 * S, causes
        if all(cause["p50Ns"] < 1_250_000 for cause in own):
            return
    pytest.fail(str(causes))


def test_sending_others_first_is_told_apart(serve, load):
    """A burst: the first one goes out at once, the others when those before them are sent. Only
    where the machine woke the generator later than all that takes, the timer is to blame: then the
    last was not much later than the one in the middle. (Each case alone: test_limits.c.)"""
    one = load.finish(staged([serve().port], [stage(0.4, burst=400, every=1)], connections=400,
                             threads=1))
    causes = lateness(check_sums(one))
    busy = causes.get("loop_busy", {"count": 0})["count"]
    timer = causes["timer_late"]
    assert busy + timer["count"] == 400
    assert busy >= 100 or timer["maxNs"] < 1.9 * timer["p50Ns"]


def test_a_blocked_send_is_told_apart(load):
    """A peer that does not read for a while: the kernel takes the 16 MiB only piece by piece."""
    size = 16 << 20

    def receive(listener):
        peer, _ = listener.accept()
        with peer:
            time.sleep(0.3)  # the blocking itself
            left = size
            while left > 0:
                left -= len(peer.recv(1 << 20))
            peer.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=receive, args=(listener,))
        thread.start()
        route = {"name": "big", "method": "POST", "path": "/", "body": "x" * size, "headers": [],
                 "weight": 1}
        one = load(make_plan([listener.getsockname()[1]], rate=1, connections=1, timeout=20,
                             routes=[route]))
        code, _ = one.wait()
        thread.join()
    assert code == 0, one.stderr()
    blocked = lateness(check_sums(one))["send_blocked"]
    assert blocked["count"] == 1 and 0.25 * S < blocked["maxNs"] < 15 * S


def test_threads_tell_how_busy_they_were(serve, load):
    result = load.finish(make_plan([serve().port], rate=100, threads=2)).result()
    assert len(result["threads"]) == 2
    for one in result["threads"]:
        assert 0.9 * S < one["spanNs"] < 30 * S
        assert 0 < one["cpuNs"] < one["spanNs"]
        assert 0 <= one["waitedNs"] < one["spanNs"]
    assert sum(one["cpuNs"] for one in result["threads"]) <= result["cpuNs"] * 1.1


def test_short_runs_are_right_wrk2_117_138(serve, load):
    """No calibration: a fifth of a second is measured as exactly as an hour."""
    server, times = noting(serve)
    one = load.finish(make_plan([server.port], rate=500, seconds=0.2, connections=20))
    result = check_sums(one)
    assert result["total"]["intended"] == result["total"]["ok"] == 100 == len(times)
    assert result["scheduledNs"] == 0.2 * S
    assert total(one.histograms()["steady/home/response"]) == 100


def test_no_bursts_and_no_overshoot_h2load_1584(serve, load):
    """Nobody is ever asked before the time that the schedule says, so there is no overshoot; and
    half of all requests leave within a quarter of a gap of it: who paces by a clock of 10 ms has
    them wait for half a tick."""
    server, times = noting(serve)
    one = load.finish(make_plan([server.port], rate=200, threads=1, connections=100), prefix=AHEAD)
    result = check_sums(one)
    for number, at in enumerate(sorted(times)):
        assert at - result["startMonoNs"] >= number * 5_000_000, number
    assert quantile(one.histograms()["steady/-/schedule"], 0.5) < 0.00125


def test_the_rate_is_that_of_all_workers_together_hey_140(serve, load):
    server = serve()
    for threads, connections in ((1, 1), (1, 50), (4, 4), (7, 50)):
        one = load.finish(make_plan([server.port], rate=150, seconds=0.3, threads=threads,
                                    connections=connections, timeout=20))
        assert check_sums(one)["total"]["sent"] == 45, (threads, connections)


def test_the_rate_does_not_distort_latency_oha_100(serve, load):
    """A target that takes 20 ms takes 20 ms at whatever rate it is asked."""
    server = serve(lambda peer, head: server.loop.call_later(0.02, peer.send, OK), ahead=True)
    median = {}
    for rate in (20, 200):
        one = load.finish(make_plan([server.port], rate=rate, seconds=0.5, connections=50),
                          prefix=AHEAD)
        median[rate] = quantile(one.histograms()["steady/home/response"], 0.5)
        assert median[rate] > 0.019
    assert 0.7 < median[20] / median[200] < 1.4, median


def test_percentiles_are_ordered_and_none_is_above_the_maximum_locust_331(serve):
    server = serve(lambda peer, head: server.loop.call_later(
        0.001 * (server.requests % 17), peer.send, OK))
    done = run("squall", "load", f"http://127.0.0.1:{server.port}/", "-r", "300", "-d", "1",
               "--json", "-q")
    latency = json.loads(done.stdout)["latency"]
    assert {"response", "service", "schedule", "first-byte", "connect"} == set(latency)
    for kind, values in latency.items():
        order = [values[key] for key in ("p50Ns", "p90Ns", "p99Ns", "p99_9Ns", "p99_99Ns", "maxNs")]
        assert order == sorted(order), kind


def cpu_of(process):
    """Of all its threads, in ns; ticks of 10 ms would hide what is looked for."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())


def test_an_idle_generator_costs_nothing_nighthawk_334(serve, load):
    """One request a second needs no core: no spinning. Between two intervals: starting is work."""
    one = load(make_plan([serve().port], rate=1, seconds=60))
    one.line("interval")
    begin, before = time.monotonic_ns(), cpu_of(one.process)
    for _ in range(6):
        one.line("interval")
    used = (cpu_of(one.process) - before) / (time.monotonic_ns() - begin)
    one.command(type="stop")
    assert one.wait()[0] == 0 and check_sums(one)["total"]["ok"] >= 1
    assert used < 0.05, used


def test_what_cannot_be_sent_is_said_nighthawk_576(serve, load):
    """A million a second is asked for; what is not sent is counted as such, and the result is no
    evidence. A timeout after the schedule's end nothing more is sent: given two seconds for that, a
    quiet machine sends nearly all."""
    server = serve()
    one = load.finish(make_plan([server.port], rate=1e6, seconds=0.3, connections=8, timeout=0.3))
    result = check_sums(one)
    assert result["total"]["intended"] == 300_000
    assert result["total"]["missed"] > 100_000
    assert result["clientLimited"] and result["clientLimitedBy"] in ("lateness", "connections")
