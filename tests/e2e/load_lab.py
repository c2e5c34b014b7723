# SPDX-License-Identifier: Apache-2.0
"""What the tests of load share: servers that behave as told, squall-load under way, and its log read
without squall's own code."""

import asyncio
import base64
import collections
import contextlib
import errno
import json
import os
import re
import socket
import struct
import subprocess
import threading
import urllib.request
import zlib

import pytest

from conftest import BIN

# Before everybody else who wants a core: what is late then is late by its own doing. Where nobody may
# ask for that, a busy machine counts as the generator's own doing, too.
FIFO = 10
AHEAD = ("chrt", "--fifo", str(FIFO))
if subprocess.run([*AHEAD, "true"], capture_output=True, check=False).returncode != 0:
    AHEAD = ()

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer(asyncio.Protocol):
    """One connection: calls server.behave(peer, head) for each request without a body."""

    def __init__(self, server):
        self.server = server
        self.seen = b""

    def connection_made(self, transport):
        self.transport = transport
        self.asked = 0
        self.server.accepted += 1
        self.server.peers.add(self)
        if self.server.greet:
            self.server.greet(self)

    def connection_lost(self, exc):
        self.server.peers.discard(self)

    def data_received(self, data):
        self.seen += data
        while b"\r\n\r\n" in self.seen:
            head, self.seen = self.seen.split(b"\r\n\r\n", 1)
            self.server.requests += 1
            self.asked += 1
            self.server.behave(self, head)

    def send(self, data):
        self.transport.write(data)

    def reset(self):
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Server:
    """An HTTP server on a free loopback port, on a loop in a thread of its own; ahead: it is asked
    what time it is, and runs before everybody else."""

    def __init__(self, behave, port=0, greet=None, ahead=False):
        self.behave = behave
        self.greet = greet
        self.ahead = ahead and AHEAD != ()
        self.accepted = 0
        self.requests = 0
        self.peers = set()
        self.loop = asyncio.new_event_loop()
        self.listener = self.loop.run_until_complete(
            self.loop.create_server(lambda: Peer(self), "127.0.0.1", port, backlog=1024))
        self.port = self.listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        if self.ahead:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))  # of this thread alone
        self.loop.run_forever()

    def _die(self):
        self.listener.close()
        for peer in list(self.peers):
            peer.reset()

    def die(self):
        """As kill -9 looks from outside: connections reset, new ones refused."""
        self.loop.call_soon_threadsafe(self._die)

    def close(self):
        self.die()
        self.loop.call_soon_threadsafe(self.loop.call_later, 0.05, self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def serve():
    servers = []

    def start(behave=lambda peer, head: peer.send(OK), **more):
        servers.append(Server(behave, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_plan(ports, rate=200, seconds=1.0, connections=10, timeout=2.0, **more):
    plan = {
        "arrivals": "constant", "rate": rate, "durationNs": int(seconds * 1e9),
        "connections": connections, "threads": min(2, connections), "seed": 1,
        "timeoutNs": int(timeout * 1e9), "intervalNs": int(0.25e9), "maxLateNs": int(10e6), "host": "test.example",
        "targets": [{"address": "127.0.0.1", "port": port} for port in ports],
        "routes": [{"name": "home", "method": "GET", "path": "/", "body": None, "headers": [],
                    "weight": 1}],
        "firstPhase": "steady"}
    plan.update(more)
    return plan


class Load:
    """A running squall-load with its standard input held open."""

    def __init__(self, folder, plan, hlog=None, result=None, prefix=()):
        self.hlog_path = hlog or folder / "latency.hlog"
        self.result_path = result or folder / "load.json"
        (folder / "plan.json").write_text(json.dumps(plan))
        self.errors = open(folder / "stderr", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*prefix, BIN / "squall-load", "--plan", folder / "plan.json", "--hlog", self.hlog_path,
             "--result", self.result_path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def command(self, **fields):
        self.process.stdin.write(json.dumps(fields) + "\n")
        self.process.stdin.flush()

    def line(self, kind):
        for text in self.process.stdout:
            line = json.loads(text)
            if line["type"] == kind:
                return line
        pytest.fail(f"no line of type {kind}: {self.stderr()}")

    def stderr(self):
        self.errors.flush()
        self.errors.seek(0)
        return self.errors.read()

    def wait(self, timeout=30):
        """Lets it end by itself; lines that came, by type."""
        lines = [json.loads(text) for text in self.process.stdout]
        code = self.process.wait(timeout)
        self.process.stdin.close()
        return code, lines

    def result(self):
        return json.loads(self.result_path.read_text())

    def histograms(self):
        return read_hlog(self.hlog_path.read_text())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()
        self.errors.close()


@pytest.fixture
def load(tmp_path):
    started = []

    def start(plan, **paths):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Load(folder, plan, **paths))
        return started[-1]

    def finish(plan, **paths):
        one = start(plan, **paths)
        code, lines = one.wait()
        assert code == 0, one.stderr()
        assert lines[-1] == {"type": "finished", "status": "complete"}
        return one

    start.finish = finish
    yield start
    for one in started:
        one.close()


def decode(text):
    """The counts of a histogram (3 significant figures from 1), independently of our decoder."""
    raw = base64.b64decode(text)
    cookie, length = struct.unpack(">ii", raw[:8])
    assert cookie == 0x1c849314 and length == len(raw) - 8
    payload = zlib.decompress(raw[8:])
    cookie, length, _, figures, lowest = struct.unpack(">iiiiq", payload[:24])
    assert (cookie, figures, lowest) == (0x1c849313, 3, 1)
    counts, index, at = {}, 0, 40
    while at < 40 + length:
        value, shift = 0, 0
        while True:
            byte = payload[at]
            at += 1
            if shift == 56:
                value |= byte << shift
                break
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        value = (value >> 1) ^ -(value & 1)
        if value < 0:
            index -= value
        else:
            if value:
                counts[index] = value
            index += 1
    return counts


def value_of(index):
    """The middle of a bucket, in ns."""
    if index < 2048:
        return index
    bucket, sub = (index >> 10) - 1, (index & 1023) + 1024
    return (sub << bucket) + (1 << bucket >> 1)


def read_hlog(text):
    """Tag -> counts by bucket index, summed over intervals."""
    sums = collections.defaultdict(collections.Counter)
    for line in text.splitlines():
        if line.startswith("Tag="):
            tag, _, _, _, histogram = line.split(",")
            sums[tag[4:]].update(decode(histogram))
    return sums


def total(counts):
    return sum(counts.values())


def quantile(counts, q):
    """In seconds."""
    left = q * total(counts)
    for index in sorted(counts):
        left -= counts[index]
        if left <= 0:
            return value_of(index) / 1e9
    raise AssertionError("empty histogram")


def failed(counts):
    return sum(counts["failed"].values())


def lacks_connections(result):
    """Whether the generator blames itself for that; a busy machine may also make it late."""
    assert result["clientLimited"] == (result["clientLimitedWhy"] is not None)
    return result["clientLimited"] and "no free connection" in result["clientLimitedWhy"]


CAUSES = {"connect": ("refused", "unreachable", "connect_timeout", "connect_reset", "no_port",
                      "no_descriptor", "tls", "other", "proxy", "not_http2", "session", "unusable"),
          "timeout": ("silent", "stalled"), "dns": ("dns",),
          "reset": ("reset", "closed", "behind", "goaway", "refused_stream", "stream_reset"),
          "error_reply": ("error_reply",)}


def check_sums(one):
    """Every request is accounted for, in the result, its parts, its intervals and the log."""
    result = one.result()
    whole = result["total"]
    assert whole["intended"] == whole["sent"] + whole["missed"]
    assert whole["sent"] == whole["ok"] + failed(whole)
    for key in ("intended", "sent", "ok", "missed", "bytesIn", "bytesOut"):
        assert whole[key] == sum(part["counts"][key] for part in result["parts"])
        assert whole[key] == sum(i["counts"][key] for i in result["intervals"])
    for failure, causes in CAUSES.items():
        assert whole["failed"][failure] == sum(whole["causes"][cause] for cause in causes)
    for kind, expected in (("response", whole["ok"]), ("ended", whole["ok"]),
                           ("service", whole["ok"]),
                           ("first-byte", whole["ok"]), ("failed", failed(whole))):
        seen = sum(total(counts) for tag, counts in one.histograms().items()
                   if tag.endswith("/" + kind))
        assert seen == expected, kind
    check_both_ways(one.hlog_path.read_text())
    return result


def check_both_ways(text):
    """Response times by when requests were due and by when they ended are the same ones, bucket for
    bucket, in every phase and route; the former in one line for each interval, in their order."""
    histograms = read_hlog(text)
    ways = [{tag.rsplit("/", 1)[0]: counts for tag, counts in histograms.items()
             if tag.endswith("/" + kind)} for kind in ("response", "ended")]
    assert ways[0] == ways[1]
    starts = collections.defaultdict(list)
    for tag, start in re.findall(r"^Tag=(\S+?/response),([0-9.]+),", text, re.M):
        starts[tag].append(start)
    assert all(one == sorted(set(one)) for one in starts.values())


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of so many bytes below that folder; fill_up leaves no room on it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "squall-e2e", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill_up(folder):
    try:
        with open(folder / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
    except OSError as error:
        assert error.errno == errno.ENOSPC


# --- what Prometheus reads ---

def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def samples(text, name):
    """Labels (as text) -> value."""
    return {line[len(name):].rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if re.match(name + r"[{ ]", line)}
