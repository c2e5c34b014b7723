# SPDX-License-Identifier: Apache-2.0
"""Flows sent by several workers: what one of them sets up all of them use, no row is used twice, and
nothing is torn down before everybody has ended."""

import collections
import json
import os
import re
import shutil
import signal
import threading

import pytest

from conftest import run, wait_until
from services import free_port
from load_lab import AHEAD, fetch, samples
from test_e_load_cluster import (Cluster, Redis, Target, end, lab,  # noqa: F401 (fixtures)
                                 needs_root, _redis, spread, stderr_of)

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="redis-server is not installed")


class Shop(Target):
    """Whoever has not logged in is refused; what came, by whom, in its order."""

    refuse = False  # to log anybody in, or that of which path

    def __init__(self, address):
        self.calls = []
        self.slow = None  # whose steps are held, too
        self.slowed = []
        self.held = threading.Event()  # while it is not set, nobody is logged out
        self.held.set()
        super().__init__(address)

    def reply(self, head, peer):
        method, path = head.split()[:2]
        self.calls.append((method, path, peer))
        if peer == self.slow:
            self.slowed.append(path)
        if method == "DELETE" or peer == self.slow or path == self.refuse:
            self.held.wait(90)
        if method == "POST":
            if self.refuse in (True, path):
                return b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
            return (b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=root; Path=/\r\nContent-Length: 12\r\n"
                    b'\r\n{"key":"k9"}')
        good = "Cookie: sid=root" in head and (method == "DELETE" or path.endswith("?k9"))
        return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (204 if good else 403)


SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {{name: shop}}
spec:
 target: {{kind: external, urls: ["http://{address}:{port}"]}}
 duration: {seconds}s
 load:
  arrivals: constant
  rate: 60/s
  connections: 12
  interval: 200ms
  maxLate: 5s
  timeout: {timeout}s
  feeders: [{{name: people, file: people.csv, order: unique}}]
  flows:
  - name: life
    setup:
    - {{name: login, method: POST, path: /login, body: x, extract: [{{name: key, json: /key}}]}}
    steps:
    - {{name: one, path: "/one/{{{{people.id}}}}?{{{{key}}}}"}}
    - {{name: two, path: "/two/{{{{people.id}}}}?{{{{key}}}}"}}
    teardown: [{{name: logout, method: DELETE, path: "/login/{{{{key}}}}"}}]
"""


def scenario(folder, shop, address="127.0.0.1", seconds=2, rows=120, timeout=2):
    (folder / "people.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(rows)))
    file = folder / "shop.yaml"
    file.write_text(SCENARIO.format(address=address, port=shop.port, seconds=seconds,
                                    timeout=timeout))
    return file


def lead(cluster, file, workers, *words, run_id="r"):
    return cluster.start(["--scenario", file, "--json", "--workers", workers, "--redis",
                          f"{cluster.address}:{cluster.redis.port}", "--run", run_id,
                          "--patience", "20", *words], f"leader-{run_id}")


@pytest.fixture
def here(redis, tmp_path):
    """Workers in this namespace; start as many shops as wanted."""
    shops = []

    def start():
        shops.append(Shop("127.0.0.1"))
        return shops[-1]

    one = Cluster(tmp_path, "127.0.0.1", redis, None)
    one.shop = start
    yield one
    one.close()
    for shop in shops:
        shop.close()
    redis.ask("FLUSHALL")


@needs_root
def test_one_load_of_three_hosts(spread, tmp_path):
    place, cluster = spread(3)
    shop = Shop(place.address)
    try:
        leader = lead(cluster, scenario(tmp_path, shop, place.address), 3,
                      "--threshold", "count >= 121", "--threshold", "count >= 121 route life.two",
                      "--threshold", "p50 < 1ns route life.two",
                      "--threshold", "p50 < 1ns route life.one phase steady over 600ms")
        workers = [cluster.join(i, wrap=[*place.inside(i), *AHEAD]) for i in range(3)]
        code, out, told = end(leader)
        assert code in (1, 3), told
        assert all(end(one)[0] in (0, 3) for one in workers)
    finally:
        shop.close()
    result = json.loads(out)
    # Of a step of all workers, which only they together have 120 of; and its times, not others'.
    both, count, whole, window = result["thresholds"]
    assert (both["value"], count["value"]) == (240, 120)
    assert whole["value"] > 1 and window["value"] > 1
    if not result["clientLimited"]:
        assert [one["status"] for one in result["thresholds"]] == ["pass"] + 3 * ["fail"]
    assert result["complete"] and "were due" not in (result["clientLimitedWhy"] or "")
    assert result["total"]["ok"] == result["total"]["intended"] == 240, result["notes"]
    by = {part["route"]: part["counts"]["ok"] for part in result["parts"]}
    assert by == {"life.one": 120, "life.two": 120}
    # Each row once, whoever had it, and each of them a third.
    for step in ("one", "two"):
        rows = [path for _, path, _ in shop.calls if path.startswith(f"/{step}/")]
        assert sorted(rows) == sorted(f"/{step}/{i}?k9" for i in range(120))
    peers = collections.Counter(peer for method, _, peer in shop.calls if method == "GET")
    assert [peers[place.peer(i)] for i in range(3)] == [80, 80, 80]
    # Set up and torn down once, by the same one, before and after all of them.
    assert [method for method, _, _ in shop.calls].count("POST") == 1
    assert shop.calls[0][0] == "POST" and shop.calls[-1][0] == "DELETE"
    assert shop.calls[0][2] == shop.calls[-1][2]
    assert [(o["part"], o["step"], o["ok"]) for o in result["once"]] == [
        ("setup", "login", True), ("teardown", "logout", True)]


def test_rows_that_are_used_up(here, tmp_path):
    """While the teardown is held, all has ended: the metrics are then, by step, the result."""
    shop, port = here.shop(), free_port()
    shop.held.clear()
    leader = lead(here, scenario(tmp_path, shop, seconds=1, rows=7, timeout=20), 2, "--prometheus",
                  f"127.0.0.1:{port}")
    workers = [here.join(i) for i in range(2)]
    wait_until(lambda: logouts(shop), 30, "the teardown")

    def all_told():
        text = fetch(f"http://127.0.0.1:{port}/metrics")[1]
        ended = sum(samples(text, "squall_load_requests_total").values())
        return ended == 14 + 53 and text

    text = wait_until(all_told, 20, "the last interval")
    shop.held.set()
    code, out, told = end(leader)
    assert code in (0, 3), told
    assert all(end(one)[0] in (0, 3) for one in workers)
    result = json.loads(out)
    counts = {part["route"]: part["counts"] for part in result["parts"]}
    assert counts["life.one"]["ok"] == counts["life.two"]["ok"] == 7
    assert counts["life.one"]["failed"]["input"] == counts["life.two"]["skipped"] == 53
    assert sum(method == "GET" for method, _, _ in shop.calls) == 14
    assert any("this worker's share of the 7 rows" in note for note in result["notes"])
    outcomes = samples(text, "squall_load_requests_total")
    for part in result["parts"]:
        label = f'{{phase="{part["phase"]}",route="{part["route"]}"'
        assert samples(text, "squall_load_sent_total")[label + "}"] == part["counts"]["sent"]
        assert outcomes[label + ',outcome="ok"}'] == part["counts"]["ok"]
        for failure, count in part["counts"]["failed"].items():
            assert outcomes[f'{label},outcome="{failure}"}}'] == count, (part["route"], failure)


def test_a_setup_that_fails(here, tmp_path):
    shop = here.shop()
    shop.refuse = True
    leader = lead(here, scenario(tmp_path, shop), 2)
    workers = [here.join(i) for i in range(2)]
    code, out, told = end(leader)
    assert code == 3, told
    assert 'the setup of flow \\"life\\" failed at its step \\"login\\"' in out
    # One of them may have come when all was over.
    assert all(end(one)[0] in (2, 3, 5) for one in workers)
    assert [method for method, _, _ in shop.calls] == ["POST"], "no load, and nothing to tear down"
    # Half way: who did it undoes it, once, and nobody else does.
    shop = here.shop()
    shop.refuse = "/more"
    file = scenario(tmp_path, shop)
    file.write_text(file.read_text().replace(
        "    steps:", "    - {name: more, method: POST, path: /more, body: x}\n    steps:"))
    leader = lead(here, file, 2, run_id="half")
    shop.held.clear()
    workers = [here.join(f"half-{i}", "half") for i in range(2)]
    wait_until(lambda: len(pids_of(leader)) == 2, 30, "workers")
    shop.held.set()
    code, out, told = end(leader)
    assert code == 3, told
    assert 'failed at its step \\"more\\"' in out and "what it had set up has been torn down" in out
    assert "by hand" not in out
    assert all(end(one)[0] in (2, 3, 5) for one in workers)
    assert [call[:2] for call in shop.calls] == [
        ("POST", "/login"), ("POST", "/more"), ("DELETE", "/login/k9")]


def pids_of(leader):
    """Of the workers, by their index."""
    return {int(index): int(pid) for index, pid in re.findall(
        r"^worker (\d+) is .*:(\d+)$", stderr_of(leader), re.MULTILINE)}


def is_set_up(overheard, run_id):
    """Worker 0 has said to the leader what its setup left."""
    return any("ready" in line and "k9" in line and f"squall:{run_id}:" in line
               for line in overheard.read_text().splitlines())


def logouts(shop):
    return [peer for method, _, peer in shop.calls if method == "DELETE"]


def three(place, cluster, folder, shop, run_id="r", timeout=2):
    """A leader and three workers in namespaces of their own, under way: them by their index, and
    where each of them is."""
    file = scenario(folder, shop, place.address, seconds=150, rows=10000, timeout=timeout)
    leader = lead(cluster, file, 3, run_id=run_id)
    workers = [cluster.join(f"{run_id}-{i}", run_id, wrap=place.inside(i)) for i in range(3)]
    wait_until(lambda: len(pids_of(leader)) == 3, 30, "workers")
    index = {i: next(k for k, one in enumerate(workers) if one.pid == pid)
             for i, pid in pids_of(leader).items()}  # ip netns exec becomes what it runs
    wait_until(lambda: len(shop.calls) > 60, 30, "load")
    return leader, {i: workers[k] for i, k in index.items()}, {i: place.peer(k)
                                                               for i, k in index.items()}


def killed(run_of, who):
    """Worker `who` of a run is killed; the others end, and one of them has torn down."""
    shop, leader, workers, peers = run_of
    code, out, told = end(leader)
    assert code in (3, 4), told
    assert f"worker {who} (" in out and "dead, stopped or cut off" in out, out
    assert sorted(end(one)[0] for one in workers.values())[0] == -signal.SIGKILL
    assert logouts(shop) == [peers[1 if who == 0 else 0]], peers
    assert shop.calls[-1][0] == "DELETE" and "teardown not run" not in out
    once = [(o["part"], o["ok"]) for o in json.loads(out)["once"]]
    assert once == [("setup", True), ("teardown", True)][who == 0:]


def told_in_vain(run_of):
    """Worker 0 was told to tear down, and stood still before it had begun: the next one is told."""
    shop, leader, workers, peers = run_of
    code, out, told = end(leader)
    assert code == 4, told
    assert "worker 0 (" in out and "teardown not run" not in out, out
    assert logouts(shop) == [peers[1]] and shop.calls[-1][0] == "DELETE"
    workers[0].send_signal(signal.SIGCONT)
    assert end(workers[0])[0] in (0, 3, 5)
    assert len(logouts(shop)) == 1


def killed_in_teardown(run_of):
    """Whoever had begun with it: how far it came nobody knows, and nobody repeats it."""
    shop, leader, workers, peers = run_of
    code, out, told = end(leader)
    assert code == 4, told
    assert "teardown not run to its end: worker 0 had begun with it and was lost" in out
    assert "by hand: life.logout: DELETE /login/k9" in out
    assert sorted(end(one)[0] for one in workers.values()) != [0, 0, 0]
    assert logouts(shop) == [peers[0]]


def leader_killed(run_of):
    """Workers 1 and 2 agree; worker 0, which stands still, is not waited for for ever, and has
    nothing to add when it comes back."""
    shop, _, workers, peers = run_of
    told = {i: end(workers[i]) for i in (1, 2)}
    assert [code for code, _, _ in told.values()] == [5, 5]
    assert len(logouts(shop)) == 1 and shop.calls[-1][0] == "DELETE"
    (did,) = [i for i in told if "this worker has torn down what setup made" in told[i][2]]
    assert logouts(shop) == [peers[did]]
    assert "another worker tears down" in told[3 - did][2]
    workers[0].send_signal(signal.SIGCONT)
    code, _, words = end(workers[0])
    assert code == 5 and "leader is gone; another worker tears down" in words
    assert len(logouts(shop)) == 1


@needs_root
def test_whoever_dies_it_is_torn_down_once(spread, tmp_path):
    """Runs side by side, since each of them waits for what has gone to be missed."""
    place, cluster = spread(3)
    runs = {}
    try:
        overheard = cluster.redis.overhear(tmp_path)
        for who in ("leader", "told", "0", "1", "teardown"):
            folder = tmp_path / who
            folder.mkdir()
            shop = Shop(place.address)
            runs[who] = shop, None, {}, {}
            runs[who] = shop, *three(place, cluster, folder, shop, f"r-{who}", timeout=60 if who == "told" else 2)
            if who == "leader":
                runs[who][2][0].send_signal(signal.SIGSTOP)
                runs[who][1].kill()
            elif who in "01":
                runs[who][2][int(who)].kill()
        shop, leader, workers, peers = runs["told"]
        shop.held.clear()
        shop.slow = peers[1]
        wait_until(lambda: shop.slowed, 30, "a step")
        leader.send_signal(signal.SIGINT)
        wait_until(lambda: any("r-told" in line and r'\"type\":\"ended\"' in line
                               and r'\"worker\":0' in line for line in
                               overheard.read_text().splitlines()), 50, "worker 0's end")
        workers[0].send_signal(signal.SIGSTOP)
        shop.held.set()
        shop, leader, workers, _ = runs["teardown"]
        shop.held.clear()
        leader.send_signal(signal.SIGINT)
        wait_until(lambda: logouts(shop), 30, "a teardown")
        workers[0].kill()
        killed(runs["1"], 1)
        killed(runs["0"], 0)
        killed_in_teardown(runs["teardown"])
        told_in_vain(runs["told"])
        leader_killed(runs["leader"])
        for shop, *_ in runs.values():
            assert [method for method, _, _ in shop.calls].count("POST") == 1
    finally:
        for shop, *_ in runs.values():
            shop.held.set()
            shop.close()


def test_nobody_knows_without_redis(tmp_path):
    """Then each says what is left to be done."""
    redis, shop = Redis(tmp_path, ["127.0.0.1"]), Shop("127.0.0.1")
    one = Cluster(tmp_path, "127.0.0.1", redis, None)
    try:
        leader = lead(one, scenario(tmp_path, shop, seconds=60, rows=10000), 2)
        workers = [one.join(i) for i in range(2)]
        wait_until(lambda: len(shop.calls) > 20, 30, "load")
        redis.process.kill()
        for each in (leader, *workers):
            code, out, told = end(each, 30)
            assert code == 5 and out == "" and "teardown not run" in told, told
            assert "by hand: life.logout: DELETE /login/k9" in told
        assert not logouts(shop)
    finally:
        one.close()
        redis.close()
        shop.close()


def test_a_run_that_never_starts(here, tmp_path):
    """One worker has set up when the other is given up on, or when it is killed itself."""
    overheard = here.redis.overhear(tmp_path)
    shop = here.shop()
    leader = lead(here, scenario(tmp_path, shop), 2)
    worker = here.join()
    wait_until(lambda: is_set_up(overheard, "r"), 30, "setup")
    leader.send_signal(signal.SIGINT)
    code, out, told = end(leader)
    assert code == 4, told
    assert [method for method, _, _ in shop.calls] == ["POST", "DELETE"]
    assert end(worker)[0] in (0, 3) and "teardown not run" not in out
    shop = here.shop()
    leader = lead(here, scenario(tmp_path, shop), 3, run_id="r2")
    workers = [here.join(f"b{i}", "r2") for i in range(2)]
    wait_until(lambda: is_set_up(overheard, "r2") and len(pids_of(leader)) == 2, 30, "setup")
    os.kill(pids_of(leader)[0], signal.SIGKILL)
    code, out, told = end(leader)
    assert code == 3, told
    assert [(method, path) for method, path, _ in shop.calls] == [
        ("POST", "/login"), ("DELETE", "/login/k9")]
    assert "teardown not run" not in out
    assert sorted(end(one)[0] for one in workers)[0] == -signal.SIGKILL


def test_users_are_shared_out_too(here, tmp_path):
    """Six users of three workers send what they are bound to; a number of its own for each request."""
    target = Target("127.0.0.1")
    here.target = target
    try:
        words = [f"http://127.0.0.1:{target.port}/{{{{seq}}}}", "--users", 6, "--iterations", 61,
                 "--json", "--workers", 3, "--redis", f"127.0.0.1:{here.redis.port}", "-d", "20"]
        leader = here.start([*words, "--run", "u"], "leader")
        workers = [here.join(i, "u") for i in range(3)]
        code, out, told = end(leader)
        assert code in (0, 3), told
        assert all(end(one)[0] in (0, 3) for one in workers)
        result = json.loads(out)
        assert result["complete"] and result["total"]["ok"] == 61 == target.count()
        assert len(set(target.paths)) == 61
        few = here.start([*words[:4], 2, *words[5:], "--run", "few"], "few")
        code, _, told = end(few)
        assert code == 2 and "2 iterations cannot be shared out to 3 workers" in told
    finally:
        target.close()


def test_the_load_of_a_scenario_alone(here, tmp_path):
    shop = here.shop()
    file = scenario(tmp_path, shop, seconds=1)
    done = run("squall", "load", "--scenario", file, "--json", "-q", "--threshold", "count > 100",
               "--threshold", "count > 59 route life.one", "--threshold", "p50 < 9s route life.two")
    assert done.returncode in (0, 3), done.stderr
    result = json.loads(done.stdout)
    assert result["total"]["ok"] == 120
    assert [one["status"] for one in result["thresholds"]] == 3 * ["pass"]
    assert result["thresholds"][1]["value"] == 60
    done = run("squall", "load", "--scenario", file, "--threshold", "p50 < 9s route life.tow")
    assert done.returncode == 2 and 'there is "life.two"' in done.stderr
    assert shop.calls[0][0] == "POST" and shop.calls[-1][0] == "DELETE"
    done = run("squall", "load", "--scenario", file, "-r", "5")
    assert done.returncode == 2 and "--rate means nothing with --scenario" in done.stderr
    done = run("squall", "load", "--scenario", file, "http://127.0.0.1:1/")
    assert done.returncode == 2 and "its target says where to" in done.stderr
    file.write_text(file.read_text().replace("rate: 60/s", "rate: 60"))
    done = run("squall", "load", "--scenario", file)
    assert done.returncode == 2 and "spec.load.rate: the bare number" in done.stderr
