# SPDX-License-Identifier: Apache-2.0
"""When requests are sent, as a server sees it: ramps, steps, bursts, recordings."""

import json
import time

from conftest import run
from load_lab import AHEAD, OK, check_sums, load, make_plan, serve  # noqa: F401 (fixtures)

S = 10**9


def stage(seconds, rate=0.0, to=None, burst=0, every=0.0):
    return {"lengthNs": int(seconds * S), "from": float(rate),
            "to": float(rate if to is None else to), "burst": burst, "everyNs": int(every * S)}


def staged(ports, stages, **more):
    length = sum(one["lengthNs"] for one in stages) / S
    return make_plan(ports, rate=0, seconds=length, stages=stages, **more)


def noting(serve):
    """A server and the times at which it was asked."""
    times = []

    def behave(peer, head):
        times.append(time.monotonic_ns())
        peer.send(OK)

    return serve(behave, ahead=True), times


def assert_in_time(after, due):
    """Nobody comes before his time, ever, and half of them within 10 ms of it: those that the server
    was asked by are read when it runs, not when they came."""
    for at, when in zip(after, due):
        assert at >= when
    late = sorted(at - when for at, when in zip(after, due))
    assert late[len(late) // 2] < 0.01, late


def test_a_ramp_sends_the_area_below_it(serve, load):
    """From nothing to 600/s in 2 s: 600 requests in all, a quarter of them in the first half."""
    server, times = noting(serve)
    one = load.finish(staged([server.port], [stage(2, 0, 600)], connections=20), prefix=AHEAD)
    result = check_sums(one)
    assert result["total"]["intended"] == 600 == len(times)
    after = sorted((at - result["startMonoNs"]) / S for at in times)
    assert_in_time(after, [2 * (n / 600) ** 0.5 - 1e-6 for n in range(600)])
    assert sum(at < 1 for at in after) <= 150


def test_stages_follow_each_other(serve, load):
    """A rate, silence, bursts, a rate: nobody sends in the silence, bursts come all at once."""
    server, times = noting(serve)
    plan = staged([server.port], [stage(0.5, 100), stage(0.7), stage(0.8, burst=30, every=0.4),
                                  stage(0.5, 40)], connections=40, threads=3)
    one = load.finish(plan, prefix=AHEAD)
    result = check_sums(one)
    assert result["total"]["intended"] == 50 + 60 + 20 == len(times)
    after = sorted((at - result["startMonoNs"]) / S for at in times)
    due = [n / 100 for n in range(50)] + [1.2] * 30 + [1.6] * 30 + [2 + n / 40 for n in range(20)]
    assert_in_time(after, due)
    for first in (50, 80):  # a burst
        assert_in_time(after[first:first + 30], due[first:first + 30])


def test_a_recording_is_replayed(serve, load, tmp_path):
    times = [0, 0.1, 0.1, 0.35, 0.9]
    server, seen = noting(serve)
    file = tmp_path / "times"
    for unit, lines in (("s", [f"{1764170690 + at:.3f}" for at in times]),
                        ("ns", [str(1764170690 * S + int(at * S)) for at in times])):
        seen.clear()
        file.write_text("# recorded\n" + "\n".join(lines) + "\n")
        plan = make_plan([server.port], rate=0, seconds=1, threads=2, replay=str(file),
                         replayUnit=unit)
        one = load.finish(plan, prefix=AHEAD)
        result = check_sums(one)
        after = sorted((at - result["startMonoNs"]) / S for at in seen)
        assert len(after) == 5
        assert_in_time(after, times)


def test_a_bad_recording_is_refused_by_line(serve, load, tmp_path):
    file = tmp_path / "times"
    file.write_text("1\n2\n1.5\n")
    one = load(make_plan([1], rate=0, replay=str(file)))
    code, lines = one.wait()
    assert code == 2 and "line 3: 1.5 lies before" in lines[-1]["message"]
    done = run("squall", "load", "http://127.0.0.1:1/", "--replay", file)
    assert done.returncode == 2 and "line 3" in done.stderr
    scenario = tmp_path / "s.yaml"
    scenario.write_text("""\
apiVersion: squall/v1
kind: Scenario
metadata: {name: recorded}
spec:
  target: {kind: external, urls: ["http://127.0.0.1:1"]}
  duration: 5s
  load:
    replay: {file: times}
    routes: [{name: home, path: /}]
""")
    done = run("squall", "check", scenario)
    assert done.returncode == 2
    assert f"{scenario}:8:20: spec.load.replay.file: timestamps {file}: line 3" in done.stderr
    file.write_text("1\n2\n")
    assert run("squall", "check", scenario).returncode == 0


def test_stages_on_the_command_line(serve):
    server, times = noting(serve)
    done = run("squall", "load", f"http://127.0.0.1:{server.port}/", "--arrivals", "constant",
               "--stage", "300ms 100..300/s", "--stage", "200ms 300/s..100 in 2 steps", "--stage",
               "300ms 20 every 200ms", "--json", "-q")
    assert done.returncode in (0, 3), done.stderr
    result = json.loads(done.stdout)
    assert result["total"]["intended"] == 60 + 40 + 40 == len(times)
    assert result["scheduledNs"] == 0.8 * S
    for words, said in ((["--stage", "5s"], "LENGTH RATE"), (["--stage", "1s 5", "-r5"], "exclude"),
                        (["--stage", "1s 5", "-d1"], "stages say how long")):
        done = run("squall", "load", "http://127.0.0.1:1/", *words)
        assert done.returncode == 2 and said in done.stderr


def test_a_scenario_with_stages(serve, tmp_path):
    """`from` left out: a ramp goes on where the stage before it ended."""
    server, times = noting(serve)
    file = tmp_path / "s.yaml"
    file.write_text(f"""\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: staged}}
spec:
  target: {{kind: external, urls: ["http://127.0.0.1:{server.port}"]}}
  duration: 1.5s
  load:
    arrivals: constant
    maxLate: 5s
    stages:
      - {{for: 500ms, rate: 100/s}}
      - {{for: 500ms, to: 300/s}}
      - {{for: 250ms, rate: 0/s}}
      - {{for: 250ms, burst: 10, every: 50ms}}
    routes: [{{name: home, path: /}}]
""")
    done = run("squall", "run", file, "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(times) == 50 + 100 + 50
    folder = next((tmp_path / "runs").iterdir())
    assert json.loads((folder / "load.json").read_text())["total"]["ok"] == 200
