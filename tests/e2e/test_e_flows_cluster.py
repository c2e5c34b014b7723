# SPDX-License-Identifier: Apache-2.0
"""Flows sent by several workers: what one of them sets up all of them use, no row is used twice, and
nothing is torn down before everybody has ended."""

import collections
import json
import os
import re
import shutil
import signal

import pytest

from conftest import run, wait_until
from load_lab import AHEAD
from test_e_load_cluster import (Cluster, Target, end, lab, needs_root,  # noqa: F401 (fixtures)
                                 _redis, spread, stderr_of)

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="redis-server is not installed")


class Shop(Target):
    """Whoever has not logged in is refused; what came, by whom, in its order."""

    refuse = False  # to log anybody in

    def answer(self, connection, peer):
        self.calls = getattr(self, "calls", [])
        rest = b""
        try:
            while data := connection.recv(65536):
                rest += data
                while b"\r\n\r\n" in rest:
                    head, rest = rest.split(b"\r\n\r\n", 1)
                    body = re.search(rb"Content-Length: (\d+)", head)
                    rest = rest[int(body[1]) if body else 0:]
                    connection.sendall(self.reply(head.decode(), peer))
        except OSError:
            pass
        connection.close()

    def reply(self, head, peer):
        method, path = head.split()[:2]
        self.calls.append((method, path, peer))
        if method == "POST":
            if self.refuse:
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
  feeders: [{{name: people, file: people.csv, order: unique}}]
  flows:
  - name: life
    setup:
    - {{name: login, method: POST, path: /login, body: x, extract: [{{name: key, json: /key}}]}}
    steps:
    - {{name: one, path: "/one/{{{{people.id}}}}?{{{{key}}}}"}}
    - {{name: two, path: "/two/{{{{people.id}}}}?{{{{key}}}}"}}
    teardown: [{{name: logout, method: DELETE, path: /login}}]
"""


def scenario(folder, shop, address="127.0.0.1", seconds=2, rows=120):
    (folder / "people.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(rows)))
    file = folder / "shop.yaml"
    file.write_text(SCENARIO.format(address=address, port=shop.port, seconds=seconds))
    return file


def lead(cluster, file, workers, run_id="r"):
    return cluster.start(["--scenario", file, "--json", "--workers", workers, "--redis",
                          f"{cluster.address}:{cluster.redis.port}", "--run", run_id,
                          "--patience", "20"], f"leader-{run_id}")


@pytest.fixture
def here(redis, tmp_path):
    """Workers in this namespace; start as many shops as wanted."""
    shops = []

    def start():
        shops.append(Shop("127.0.0.1"))
        shops[-1].calls = []
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
    shop.calls = []
    try:
        leader = lead(cluster, scenario(tmp_path, shop, place.address), 3)
        workers = [cluster.join(i, wrap=[*place.inside(i), *AHEAD]) for i in range(3)]
        code, out, told = end(leader)
        assert code in (0, 3), told
        assert all(end(one)[0] in (0, 3) for one in workers)
    finally:
        shop.close()
    result = json.loads(out)
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
    shop = here.shop()
    leader = lead(here, scenario(tmp_path, shop, seconds=1, rows=7), 2)
    workers = [here.join(i) for i in range(2)]
    code, out, told = end(leader)
    assert code in (0, 3), told
    assert all(end(one)[0] in (0, 3) for one in workers)
    result = json.loads(out)
    counts = {part["route"]: part["counts"] for part in result["parts"]}
    assert counts["life.one"]["ok"] == counts["life.two"]["ok"] == 7
    assert counts["life.one"]["failed"]["input"] == counts["life.two"]["skipped"] == 53
    assert sum(method == "GET" for method, _, _ in shop.calls) == 14
    assert any("this worker's share of the 7 rows" in note for note in result["notes"])


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


def test_workers_that_die(here, tmp_path):
    """Without one of those that only send, the rest ends and is torn down; without the one that set
    it up nobody can, and that is said."""
    runs = {}
    for who in (0, 1):
        folder = tmp_path / str(who)
        folder.mkdir()
        shop = here.shop()
        leader = lead(here, scenario(folder, shop, seconds=60, rows=10000), 2, f"r{who}")
        runs[who] = shop, leader, [here.join(f"{who}-{i}", f"r{who}") for i in range(2)]
    for who, (shop, leader, workers) in runs.items():
        wait_until(lambda calls=shop.calls: len(calls) > 20, 30, "load")
        (pid,) = re.findall(rf"worker {who} is .*:(\d+)$", stderr_of(leader), re.MULTILINE)
        os.kill(int(pid), signal.SIGKILL)
    for who, (shop, leader, workers) in runs.items():
        code, out, told = end(leader)
        assert code == 3, told
        assert f"worker {who} (" in out and "dead, stopped or cut off" in out
        assert ("was not torn down" in out) == (who == 0)
        assert [method for method, _, _ in shop.calls].count("DELETE") == who
        assert sorted(end(one)[0] for one in workers)[0] == -signal.SIGKILL
        if who == 1:
            assert shop.calls[-1][0] == "DELETE"


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
    done = run("squall", "load", "--scenario", file, "--json", "-q", "--threshold", "count > 100")
    assert done.returncode in (0, 3), done.stderr
    result = json.loads(done.stdout)
    assert result["total"]["ok"] == 120 and result["thresholds"][0]["status"] == "pass"
    assert shop.calls[0][0] == "POST" and shop.calls[-1][0] == "DELETE"
    done = run("squall", "load", "--scenario", file, "-r", "5")
    assert done.returncode == 2 and "--rate means nothing with --scenario" in done.stderr
    done = run("squall", "load", "--scenario", file, "http://127.0.0.1:1/")
    assert done.returncode == 2 and "its target says where to" in done.stderr
    file.write_text(file.read_text().replace("rate: 60/s", "rate: 60"))
    done = run("squall", "load", "--scenario", file)
    assert done.returncode == 2 and "spec.load.rate: the bare number" in done.stderr
