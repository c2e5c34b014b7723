# SPDX-License-Identifier: Apache-2.0
"""A distributed run: workers in network namespaces of their own, a real Redis between them, some of
them killed, stopped and cut off."""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

import pytest

from conftest import BIN, NUMBER, run, wait_until
from services import free_port
from load_lab import AHEAD, FIFO, decode, fetch, read_hlog, samples, total

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PREFIX = f"sqlc{os.getpid() % 100000}"
SUBNET = f"10.232.{NUMBER}"
WORKERS = 3

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="redis-server is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def sh(*words):
    subprocess.run(words, check=True, capture_output=True, text=True)


class Target:
    """An HTTP server that notes when requests came, by the address they came from; ahead: by the
    time, as load_lab.Server."""

    def __init__(self, address, ahead=False):
        self.ahead = ahead and AHEAD != ()
        self.listener = socket.create_server((address, 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.seen = []
        self.paths = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection, peer[0]), daemon=True).start()

    def answer(self, connection, peer):
        if self.ahead:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        try:
            while data := connection.recv(65536):
                rest += data
                while b"\r\n\r\n" in rest:
                    head, rest = rest.split(b"\r\n\r\n", 1)
                    at = time.monotonic()
                    body = re.search(rb"Content-Length: (\d+)", head)
                    rest = rest[int(body[1]) if body else 0:]
                    self.seen.append((at, peer))
                    self.paths.append(head.split()[1].decode())
                    connection.sendall(self.reply(head.decode(), peer))
        except OSError:
            pass
        connection.close()

    def reply(self, head, peer):
        """For others to say something else; they may keep a caller waiting."""
        return OK

    def count(self, peer=None):
        return sum(peer in (None, one) for _, one in self.seen)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Redis:
    """secure: its certificate and key; then it speaks TLS alone. wrap: what it runs under."""

    def __init__(self, folder, addresses, secure=(), wrap=()):
        self.port = free_port()
        self.listeners = []
        self.log = open(folder / "redis.log", "ab")
        listen = ["--port", str(self.port)] if not secure else [
            "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no",
            "--tls-cert-file", secure[0], "--tls-key-file", secure[1], "--tls-ca-cert-file",
            secure[0]]
        self.cli = ["redis-cli", "-p", str(self.port), *(["--tls", "--insecure"] if secure else [])]
        self.process = subprocess.Popen(
            [*wrap, "redis-server", *listen, "--bind", *addresses, "--save", "",
             "--appendonly", "no", "--protected-mode", "no", "--dir", folder],
            stdout=self.log, stderr=self.log)
        wait_until(lambda: self.ask("PING") == "PONG", 15, "Redis")

    def ask(self, *words):
        return subprocess.run([*self.cli, *words], capture_output=True,
                              text=True, timeout=10, check=False).stdout.strip()

    def overhear(self, folder):
        """All that is said to it from now on, as a file."""
        file = folder / "overheard"
        with open(file, "wb") as out:
            self.listeners.append(subprocess.Popen(["redis-cli", "-p", str(self.port), "MONITOR"],
                                                   stdout=out))
        wait_until(lambda: file.read_text().startswith("OK"), 15, "MONITOR")
        return file

    def close(self):
        for one in (*self.listeners, self.process):
            one.kill()
            one.wait()
        self.log.close()


class Cluster:
    """A leader in this namespace, and workers that may be in others."""

    def __init__(self, folder, address, redis, target):
        self.folder, self.address, self.redis, self.target = folder, address, redis, target
        self.started = []

    def start(self, words, name, wrap=()):
        log = open(self.folder / name, "w+", encoding="utf-8")
        one = subprocess.Popen([*wrap, BIN / "squall", "load", *map(str, words)],
                               stdout=subprocess.PIPE, stderr=log, text=True)
        one.log = log
        self.started.append(one)
        return one

    def lead(self, *more, run_id="r", workers=WORKERS, rate=150, seconds=2, path="/", due=None):
        return self.start(
            [f"http://{self.address}:{self.target.port}{path}", *(due or ["-r", rate, "-d", seconds]), "-c", 12,
             "--arrivals", "constant", "--interval", "200ms", "--workers", workers, "--redis",
             f"{self.address}:{self.redis.port}", "--run", run_id, "--patience", "20", *more],
            "leader")

    def join(self, number=0, run_id="r", wrap=(), patience=20):
        return self.start(["--join", f"{self.address}:{self.redis.port}", "--run", run_id,
                           "--patience", patience], f"worker-{number}", wrap)

    def close(self):
        for one in self.started:
            if one.poll() is None:
                one.kill()
            one.wait()
            one.stdout.close()
            one.log.close()


def stderr_of(one):
    one.log.flush()
    one.log.seek(0)
    return one.log.read()


def end(one, timeout=40):
    out = one.communicate(timeout=timeout)[0]
    return one.returncode, out, stderr_of(one)


@pytest.fixture(scope="module", name="redis")
def _redis(tmp_path_factory):
    one = Redis(tmp_path_factory.mktemp("redis"), ["127.0.0.1"])
    yield one
    one.close()


@pytest.fixture
def cluster(redis, tmp_path):
    target = Target("127.0.0.1")
    one = Cluster(tmp_path, "127.0.0.1", redis, target)
    yield one
    one.close()
    target.close()
    redis.ask("FLUSHALL")


class Lab:
    """A bridge with an address here, and namespaces on it, a worker's each."""

    def __init__(self, count):
        self.bridge, self.address = f"{PREFIX}b", f"{SUBNET}.1"
        self.spaces = [f"{PREFIX}-{i}" for i in range(count)]

    def build(self):
        sh("ip", "link", "add", self.bridge, "type", "bridge")
        sh("ip", "addr", "add", f"{self.address}/24", "dev", self.bridge)
        sh("ip", "link", "set", self.bridge, "up")
        for i, space in enumerate(self.spaces):
            sh("ip", "netns", "add", space)
            sh("ip", "link", "add", f"{PREFIX}v{i}", "type", "veth", "peer", "name", "eth0",
               "netns", space)
            sh("ip", "link", "set", f"{PREFIX}v{i}", "master", self.bridge, "up")
            sh("ip", "-n", space, "addr", "add", f"{self.peer(i)}/24", "dev", "eth0")
            sh("ip", "-n", space, "link", "set", "eth0", "up")
            sh("ip", "-n", space, "link", "set", "lo", "up")

    def peer(self, i):
        return f"{SUBNET}.{10 + i}"

    def inside(self, i):
        return ["ip", "netns", "exec", self.spaces[i]]

    def cut_off(self, i, port):
        """From Redis alone: the target stays within reach."""
        sh(*self.inside(i), "nft", f"add table inet t; add chain inet t out {{ type filter hook "
           f"output priority 0; }}; add rule inet t out tcp dport {port} drop")

    def close(self):
        for i, space in enumerate(self.spaces):
            # The kernel takes its time to empty a deleted namespace.
            subprocess.run(["ip", "link", "del", f"{PREFIX}v{i}"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)


@pytest.fixture
def lab():
    made = []

    def make(count):
        made.append(Lab(count))  # before it is built: what is there of it is taken away
        made[-1].build()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def spread(lab, tmp_path):
    """A leader here and a worker in each namespace."""
    made = []

    def make(count):
        place = lab(count)
        redis = Redis(tmp_path, ["127.0.0.1", place.address])
        target = Target(place.address, ahead=True)
        one = Cluster(tmp_path, place.address, redis, target)
        made.append((one, redis, target))
        return place, one

    yield make
    for one, redis, target in made:
        one.close()
        redis.close()
        target.close()


@needs_root
def test_k6_operator_413_one_merged_result(spread, tmp_path):
    """Three hosts send one schedule, started at one moment, and the result is that of one
    generator: counts, histograms by interval, percentiles."""
    place, cluster = spread(WORKERS)
    log = tmp_path / "all.hlog"
    overheard = cluster.redis.overhear(tmp_path)
    leader = cluster.lead("--json", "--hlog", log, rate=60, seconds=3)
    workers = []
    for i in range(WORKERS):
        workers.append(cluster.join(i, wrap=[*place.inside(i), *AHEAD]))
        time.sleep(0.035)  # the disagreement itself: they look for the start at different times
    code, out, told = end(leader)
    assert code in (0, 3), told
    assert all(end(one)[0] in (0, 3) for one in workers)
    result = json.loads(out)
    assert result["total"]["intended"] == result["total"]["ok"] == 180 == cluster.target.count()
    assert result["complete"] and sum(p["counts"]["ok"] for p in result["parts"]) == 180
    assert "late by itself" in (result["clientLimitedWhy"] or "late by itself"), "nothing else"
    assert sum(i["counts"]["ok"] for i in result["intervals"]) == 180
    assert 3 <= len(result["intervals"]) <= 17, "intervals of the workers became one each"
    ends = [i["startMonoNs"] + i["lengthNs"] for i in result["intervals"]]
    assert ends == sorted(ends)
    assert result["latency"]["response"]["count"] == 180
    assert total(read_hlog(log.read_text())["load/url/response"]) == 180
    ends = [line for line in overheard.read_text().splitlines() if r'\"type\":\"finished\"' in line]
    assert len(ends) == WORKERS
    assert all(r'\"intervals\":[]' in line for line in ends), "a day of them is too much at once"
    # Arrival k of the whole is due at k / 60 s and worker k mod 3 sends it: the workers take turns.
    times = {place.peer(i): [] for i in range(WORKERS)}
    for at, peer in cluster.target.seen:
        times[peer].append(at)
    assert [len(one) for one in times.values()] == [60, 60, 60]
    # Who has which index is chance; where their arrivals lie in the common period says.
    order = sorted(times.values(), key=lambda one: statistics.median(
        at - n * WORKERS / 60 for n, at in enumerate(one)))
    for i, one in enumerate(order):
        shift = statistics.median(b - a for a, b in zip(order[0], one))
        assert abs(shift - i / 60) < 0.4 / 60, (i, shift)
    every = sorted(at for at, _ in cluster.target.seen)
    gaps = [b - a for a, b in zip(every, every[1:])]
    assert 0.5 / 60 < statistics.median(gaps) < 1.5 / 60, "each arrival once, not some of them twice"
    assert re.fullmatch(r"squall:r:\w+:down", cluster.redis.ask("KEYS", "*")), "nothing else is left"


@needs_root
def test_workers_that_die_are_missed(spread):
    """One is killed, one is stopped, one is cut off from Redis: each is named, the result is no
    evidence, and nobody goes on sending."""
    place, cluster = spread(4)
    leader = cluster.lead(workers=4, seconds=60)
    workers = [cluster.join(i, wrap=place.inside(i)) for i in range(4)]
    wait_until(lambda: all(cluster.target.count(place.peer(i)) > 10 for i in range(4)), 30, "load")
    pids = {}
    for line in stderr_of(leader).splitlines():
        found = re.match(r"worker (\d) is .*:(\d+)$", line)
        if found:
            pids[int(found[2])] = int(found[1])
    index = [pids[one.pid] for one in workers]  # ip netns exec becomes what it runs
    workers[0].kill()
    workers[1].send_signal(signal.SIGSTOP)
    place.cut_off(2, cluster.redis.port)
    code, out, told = end(leader)
    assert code == 3, told
    why = out[out.index("client limited:"):]
    for i in range(3):
        assert f"worker {index[i]} (" in why and "dead, stopped or cut off" in why, why
    # On a busy machine the survivor may have been late by itself, and says so.
    assert not re.search(rf"worker {index[3]} \([^)]*\) (fell|failed|ended|was)", why), why
    assert "stopped early" in out
    # The one that was cut off has ended by itself, and says why.
    assert end(workers[2])[0] == 5 and "Redis at" in stderr_of(workers[2])
    assert end(workers[3])[0] in (0, 3)
    workers[1].send_signal(signal.SIGCONT)
    assert end(workers[1])[0] == 5 and "leader is gone" in stderr_of(workers[1])
    counts = [cluster.target.count(place.peer(i)) for i in range(4)]
    assert cluster.target.count() == sum(counts) < 60 * 150 / 2


def can_shift_clocks():
    return subprocess.run(["unshare", "--time", "true"], capture_output=True,
                          check=False).returncode == 0


@needs_root
@pytest.mark.skipif(not can_shift_clocks(), reason="the kernel has no time namespaces")
def test_clocks_that_differ_make_one_start(tmp_path):
    """Redis is 400 days ahead of the hosts, and the monotonic clocks of two of three workers began a
    day and a year before the third's: arrivals come in turns all the same, and what is recorded
    carries Redis' time."""
    ahead = 400 * 86400
    redis = Redis(tmp_path, ["127.0.0.1"],
                  wrap=["env", f"LD_PRELOAD={BIN.parent / 'tests' / 'shift_clock.so'}",
                        f"SQUALL_SHIFT_CLOCK={ahead}"])
    target = Target("127.0.0.1", ahead=True)
    one = Cluster(tmp_path, "127.0.0.1", redis, target)
    try:
        assert int(redis.ask("TIME").split()[0]) - time.time() > ahead - 60
        log = tmp_path / "all.hlog"
        before = time.time()
        leader = one.lead("--json", "--hlog", log, rate=60, seconds=1.5)
        workers = [one.join(i, wrap=[*(["unshare", "--time", "--monotonic", str(shift)] if shift
                                       else []), *AHEAD])
                   for i, shift in enumerate((0, 86400, 365 * 86400))]
        code, out, told = end(leader)
        after = time.time()
        assert code in (0, 3), told
        assert all(end(each)[0] in (0, 3) for each in workers)
    finally:
        one.close()
        redis.close()
        target.close()
    result = json.loads(out)
    assert result["complete"] and result["total"]["ok"] == 90 == target.count()
    assert "late by itself" in (result["clientLimitedWhy"] or "late by itself"), "nothing else"
    assert before + ahead < result["startNs"] / 1e9 < after + ahead
    starts = [float(line.split(",")[1]) for line in log.read_text().splitlines()
              if line.startswith("Tag=")]
    assert all(before + ahead < start < after + ahead for start in starts)
    every = sorted(at for at, _ in target.seen)
    gaps = [b - a for a, b in zip(every, every[1:])]
    assert 0.5 / 60 < statistics.median(gaps) < 1.5 / 60, "not three at once, nor one after another"
    assert every[-1] - every[0] < 1.5 + 1


def test_thresholds_are_of_all_workers_k6_operator_413(cluster):
    """Neither worker has 300 answers, both together do; windows are of both, too, and one that fails
    ends the load of all. What made requests late is known of all of them."""
    leader = cluster.lead("--json", "--max-late", "5s", "--threshold", "count >= 300",
                          "--threshold", "p50 < 1ns over 600ms", workers=2)
    workers = [cluster.join(i) for i in range(2)]
    code, out, told = end(leader)
    assert code in (1, 3), told
    assert all(end(each)[0] in (0, 3) for each in workers)
    result = json.loads(out)
    count, window = result["thresholds"]
    limited = result["clientLimited"]  # by a machine that is that busy
    assert count["value"] == 300 and count["status"] == ("insufficient" if limited else "pass")
    assert window["value"] > 1 and window["status"] == ("insufficient" if limited else "fail")
    assert code == (3 if limited else 1)
    late = result["lateness"]
    assert 300 <= sum(one["count"] for one in late) <= 600
    for one in late:
        assert total(decode(one["histogram"])) == one["count"]
    assert len(result["threads"]) >= 2

    leader = cluster.lead("--max-late", "5s", "--threshold", "p50 < 1ns over 600ms abort",
                          run_id="two", seconds=60, workers=2)
    workers = [cluster.join(i, run_id="two") for i in range(2)]
    code, out, told = end(leader)
    assert code in (1, 3) and "stopped early" in out and "p50 < 1ns over 600ms abort: worst" in out
    assert "ended early" not in out
    assert all(end(each)[0] in (0, 3) for each in workers)


def test_stages_with_names_are_phases_of_all_workers(cluster):
    """Each has them by its own clock, and what is judged of one is what all of them sent in it."""
    leader = cluster.lead("--json", "--max-late", "5s", "--threshold", "count >= 200 phase peak",
                          "--threshold", "count >= 201 phase peak", "--threshold",
                          "p50 < 1ns phase warm-up over 400ms", workers=2,
                          due=["--stage", "warm-up: 1s 100/s", "--stage", "peak: 1s 200/s"])
    workers = [cluster.join(i) for i in range(2)]
    code, out, told = end(leader)
    assert all(end(each)[0] in (0, 3) for each in workers)
    result = json.loads(out)
    if not result["clientLimited"]:
        assert code == 1, told
        assert [one["status"] for one in result["thresholds"]] == ["pass", "fail", "fail"]
    assert {one["phase"]: (one["counts"]["ok"], one["response"]["count"])
            for one in result["phases"]} == {"warm-up": (100, 100), "peak": (200, 200)}


def test_without_its_leader_nobody_sends(cluster):
    leader = cluster.lead(seconds=60)
    workers = [cluster.join(i) for i in range(WORKERS)]
    wait_until(lambda: cluster.target.count() > 50, 30, "load")
    leader.kill()
    for one in workers:
        code, _, told = end(one, 15)
        assert code == 5 and "leader is gone" in told


def test_without_redis_nobody_sends(tmp_path):
    """And nobody believes in what there is."""
    redis, target = Redis(tmp_path, ["127.0.0.1"]), Target("127.0.0.1")
    one = Cluster(tmp_path, "127.0.0.1", redis, target)
    try:
        leader = one.lead("--hlog", tmp_path / "all.hlog", seconds=60, workers=2)
        workers = [one.join(i) for i in range(2)]
        wait_until(lambda: target.count() > 50, 30, "load")
        redis.process.kill()
        for each in (leader, *workers):
            code, out, told = end(each, 15)
            assert code == 5 and out == "" and "Redis at 127.0.0.1" in told
        assert not list(tmp_path.glob("all.hlog*"))
    finally:
        one.close()
        redis.close()
        target.close()


def test_ctrl_c_ends_all_of_it(cluster):
    leader = cluster.lead(seconds=60)
    workers = [cluster.join(i) for i in range(WORKERS)]
    wait_until(lambda: cluster.target.count() > 50, 30, "load")
    leader.send_signal(signal.SIGINT)
    code, out, told = end(leader)
    assert code == 4 and "stopped early" in out and "fell silent" not in out, told
    assert "ended early" not in out and "failed:" not in out
    assert all(end(one)[0] in (0, 3) for one in workers)
    sent = int(re.search(r"(\d+) sent", out)[1])
    assert sent == cluster.target.count()


def test_a_worker_that_leaves_is_missed(cluster):
    leader = cluster.lead(seconds=60, workers=2)
    workers = [cluster.join(i) for i in range(2)]
    wait_until(lambda: cluster.target.count() > 50, 30, "load")
    workers[0].send_signal(signal.SIGTERM)
    assert end(workers[0])[0] == 4
    code, out, _ = end(leader)
    assert code == 3 and "ended early" in out
    assert end(workers[1])[0] in (0, 3)


def test_a_name_may_come_again(cluster):
    """What the first run of that name left behind has nothing to say to the second one."""
    leader, worker = cluster.lead(seconds=60, workers=1), cluster.join()
    wait_until(lambda: cluster.target.count() > 10, 30, "load")
    leader.send_signal(signal.SIGINT)
    assert end(leader)[0] == 4 and end(worker)[0] in (0, 3)
    leader, worker = cluster.lead(seconds=1, workers=1), cluster.join()
    code, out, told = end(leader)
    assert code in (0, 3) and "150 ok" in out and "stopped early" not in out, (out, told)
    assert end(worker)[0] in (0, 3)


class Last:
    """Keeps who asks last of so many waiting, and tells the fifth of the others that it cannot."""

    def __init__(self, count):
        self.left, self.lock, self.go = count, threading.Lock(), threading.Event()

    def reply(self, _head, _peer):
        with self.lock:
            self.left -= 1
            mine = self.left
        if mine == 0:
            self.go.wait(30)
        return OK if mine % 5 or mine == 0 else OK.replace(b"200 OK", b"503 No")


def test_metrics_and_fields_are_of_all_workers(cluster):
    """While one request of two workers' 150 is under way, the leader's metrics tell all the others
    as the result does later. What must be new in every request is so whoever sends it."""
    last, port, labels = Last(150), free_port(), '{phase="load",route="url"}'
    cluster.target.reply = last.reply
    leader = cluster.lead("--json", "--prometheus", f"127.0.0.1:{port}", seconds=1, workers=2,
                          path="/{{rand}}/{{seq}}")

    def scrape():
        try:
            return fetch(f"http://127.0.0.1:{port}/metrics")[1]
        except OSError:
            return ""

    assert "squall_load_in_flight 0" in wait_until(scrape, 20, "metrics").splitlines()
    workers = [cluster.join(i) for i in range(2)]

    def up(count):
        text = scrape()
        return sum(samples(text, "squall_load_worker_up").values()) == count and text

    silent = samples(wait_until(lambda: up(2), 20, "workers"), "squall_load_worker_silent_seconds")
    assert list(silent) == ['{worker="0"}', '{worker="1"}']
    assert all(0 <= one < 5 for one in silent.values())

    def all_but_one():  # and the worker that has not got it has finished
        text = up(1)
        return text and samples(text, "squall_load_sent_total") == {labels: 150} and \
            samples(text, "squall_load_in_flight") == {"": 1} and text

    text = wait_until(all_but_one, 30, "all but one")
    last.go.set()
    code, out, told = end(leader)
    assert code in (0, 3), told
    assert all(end(one)[0] in (0, 3) for one in workers)
    result = json.loads(out)
    sums = result["total"]
    assert (sums["ok"], sums["failed"]["http_5xx"]) == (121, 29)
    for name in ("intended", "sent", "missed"):
        assert samples(text, f"squall_load_{name}_total") == {labels: sums[name]}, name
    assert sums["bytesIn"] - samples(text, "squall_load_received_bytes_total")[labels] == len(OK)
    outcomes = samples(text, "squall_load_requests_total")
    assert outcomes[labels[:-1] + ',outcome="ok"}'] == 120
    assert outcomes[labels[:-1] + ',outcome="http_5xx"}'] == 29
    for name, count in (("response", 120), ("service", 120), ("failed", 29)):
        assert samples(text, f"squall_load_{name}_seconds_count") == {labels: count}, name
    late = samples(text, "squall_load_schedule_error_seconds_count")
    assert late == {'{phase="load"}': result["latency"]["schedule"]["count"]}
    for field in (1, 2):
        assert len({path.split("/")[field] for path in cluster.target.paths}) == 150


def test_without_all_workers_nothing_is_sent(cluster):
    leader = cluster.lead("--patience", "1.5", workers=2)
    worker = cluster.join()
    code, out, _ = end(leader)
    assert code == 3 and "(never joined) was not ready in time" in out
    assert cluster.target.count() == 0 and "p99.9" not in out, "nothing was measured"
    assert end(worker)[0] in (3, 5)


def test_who_is_refused(cluster):
    def refused(one, words):
        code, out, told = end(one)
        assert code == 2 and out == "" and words in told, told

    refused(cluster.lead("-c", "2"), "cannot be shared out")
    refused(cluster.lead(run_id="a b"), "a name has")
    refused(cluster.join(run_id="none", patience=0.2), "there is no run")
    taken = f"127.0.0.1:{cluster.redis.port}"
    code, out, told = end(cluster.lead("--prometheus", taken, run_id="taken"))
    assert code == 5 and out == "" and "--prometheus" in told and "start 3 workers" not in told
    leader = cluster.lead(workers=1, seconds=20)
    worker = cluster.join()
    wait_until(lambda: cluster.target.count() > 5, 20, "load")
    refused(cluster.lead(), "already")
    refused(cluster.join(1), "has its 1 workers already")
    assert leader.poll() is None and worker.poll() is None, "they did not disturb the run"
    leader.send_signal(signal.SIGINT)
    assert end(leader)[0] == 4 and end(worker)[0] in (0, 3)


def test_words_that_do_not_go_together():
    url = "http://127.0.0.1:1/"
    for words in ([url, "-r", "5", "--workers", "2"], [url, "-r", "5", "--redis", "h:1"],
                  [url, "-r", "5", "--run", "x"], ["--join", "h:1"],
                  ["--join", "h:1", "--run", "x", url], ["--join", "h:1", "--run", "x", "-r", "5"],
                  [url, "-r", "5", "--workers", "1", "--redis", "h"]):
        done = run("squall", "load", *words)
        assert done.returncode == 2 and done.stdout == "", words
    done = run("squall", "load", url, "-r", "5", "--workers", "1", "--redis",
               f"127.0.0.1:{free_port()}")
    assert done.returncode == 5 and "is it up, and is this where it listens" in done.stderr


def test_damaged_messages_end_the_run(cluster):
    """Whoever else writes there: what cannot be understood is never counted."""
    leader = cluster.lead(workers=1, seconds=30)
    worker = cluster.join()
    wait_until(lambda: cluster.target.count() > 20, 30, "load")
    stream = cluster.redis.ask("KEYS", "squall:r:*:up")
    cluster.redis.ask("XADD", stream, "*", "m", '{"type":"interval","worker":0,"number":77}')
    code, _, told = end(leader)
    assert code == 5 and "worker 0" in told
    assert end(worker, 15)[0] == 5
