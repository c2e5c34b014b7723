#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast squall-agent is, and what it costs while it does nothing, against the goals of the project.

A real agent and 200 small targets, processes in network namespaces of their own (small_targets.c),
all inside a network and a mount namespace that exist for this script alone. Nothing is taken from
what the agent says of itself:

in place    from the moment at which the request is sent until its effect is there, as seen at the
            target: the first datagram that is lost or late, the first look at the kernel that finds
            the process stopped, gone or with the limit. One fault after the other, each on another
            target.
answered    the same until the answer has come: then the effect is not only there, but measured by
            the agent, for which some kinds have to wait (for a silence to be one, say).
at once     200 targets by one request, and 200 requests at a time, until the last one is answered.
halt        with those 200 in place, until the answer to POST /v1/halt: all are measured gone.
idle        resident memory, and processor time in ten seconds of nothing: just started, and when
            those faults are over and the agent has had the half minute after which it tidies up.

A goal that is missed is exit code 1. Needs root.

Usage: agent_speed.py [BUILD_DIR]
"""

import contextlib
import ctypes
import json
import os
import pathlib
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
COUNT, EACH = 200, 100  # targets; injections of each kind
TIDY_S = 31
SUBNET, PORT = "10.77", 8000
STORE = f"{SUBNET}.0.1"
S = 1_000_000_000
LIBC = ctypes.CDLL(None, use_errno=True)
INSIDE = "SQUALL_BENCH_INSIDE"
GOALS = {"in place": 50.0, "at once": 1000.0, "halt": 1000.0, "memory": 8.0, "processor": 0.1}


def address(index):
    return f"{SUBNET}.{1 + index // 250}.{1 + index % 250}"


def wait_until(condition, what, deadline_s=30):
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            sys.exit(f"agent_speed: not within {deadline_s} s: {what}")
        time.sleep(0.01)
    return value


def bind(what, place):
    """As `ip netns` does it, so that whoever may not look into a process may still go there."""
    place.touch()
    if LIBC.mount(what.encode(), str(place).encode(), None, 4096, None) != 0:
        sys.exit(f"agent_speed: mount {what}: {os.strerror(ctypes.get_errno())}")


def start_ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


class Targets:
    def __init__(self, build, folder):
        self.folder = folder
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=f"""
            link set lo up
            link add squallbr type bridge
            address add {STORE}/16 dev squallbr
            link set squallbr up
        """)
        self.process = subprocess.Popen([build / "bench" / "small_targets", str(COUNT), SUBNET,
                                         str(PORT)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pids = [int(self.process.stdout.readline()) for _ in range(COUNT + 1)][1:]
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input="".join(
            f"link add squallv{i} type veth peer name eth0 netns {pid}\n"
            f"link set squallv{i} master squallbr up\n" for i, pid in enumerate(self.pids)))
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ready\n":
            sys.exit("agent_speed: the targets do not start")
        for i, pid in enumerate(self.pids):
            bind(f"/proc/{pid}/ns/net", self.netns(i))

    def name(self, index):
        return f"small-{index}"

    def netns(self, index):
        return self.folder / f"{self.name(index)}.net"

    def write_topology(self):
        """As the sandbox writes it: every process with a status file."""
        instances = []
        for i, pid in enumerate(self.pids):
            status = self.folder / f"{self.name(i)}.json"
            status.write_text(json.dumps({
                "name": self.name(i), "state": "ready", "pid": pid,
                "startTicks": start_ticks(pid), "restarts": 0, "lastExit": None}))
            instances.append({"name": self.name(i), "address": address(i), "port": PORT,
                              "netns": str(self.netns(i)), "cgroup": None,
                              "statusFile": str(status), "logFile": "/dev/null"})
        store = {"name": "store-1", "address": STORE, "port": PORT, "netns": None, "cgroup": None,
                 "statusFile": "/dev/null", "logFile": "/dev/null"}
        services = [{"name": name, "port": PORT, "kind": "http", "healthPath": None,
                     "readyPath": None, "adminTokenFile": None, "observability": False,
                     "instances": members}
                    for name, members in (("small", instances), ("store", [store]))]
        path = self.folder / "topology.json"
        path.write_text(json.dumps({"version": 1, "name": "bench", "mode": "netns",
                                    "stateDir": str(self.folder), "agent": None,
                                    "prometheus": None, "services": services}))
        return path

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        for i in range(len(self.pids)):
            LIBC.umount2(str(self.netns(i)).encode(), 2)


class Agent:
    def __init__(self, build, folder, topology):
        log = folder / "agent.log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [build / "bin" / "squall-agent", "--listen", "127.0.0.1:0", "--topology", topology,
                 "--journal", folder / "journal", "--audit", folder / "audit", "--max-affected",
                 "100%"], stdout=out, stderr=out)

        def port():
            for line in log.read_text().splitlines():
                if '"listening"' in line:
                    return json.loads(line)["port"]
            return self.process.poll() is not None and sys.exit(log.read_text())
        self.port = wait_until(port, "the agent listens")
        self.log = log

    def request(self, method, path, body=None):
        text = b"" if body is None else json.dumps(body).encode()
        return (f"{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                ).encode() + text

    def ask(self, method, path, body=None):
        return self.ask_many([self.request(method, path, body)])[0]

    def ask_many(self, requests):
        """All at a time, over a connection each; their answers."""
        waiting = selectors.DefaultSelector()
        answers = [b""] * len(requests)
        for i, request in enumerate(requests):
            sock = socket.create_connection(("127.0.0.1", self.port), 10)
            sock.sendall(request)
            sock.setblocking(False)
            waiting.register(sock, selectors.EVENT_READ, i)
        deadline = time.monotonic() + 60
        while waiting.get_map():
            if time.monotonic() > deadline:
                sys.exit("agent_speed: no answer in 60 s")
            for key, _ in waiting.select(1):
                data = key.fileobj.recv(1 << 20)
                answers[key.data] += data
                if not data:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
        waiting.close()
        for answer in answers:
            if b" 200 " not in answer.partition(b"\r\n")[0]:
                sys.exit(f"agent_speed: {answer.decode()[:2000]}")
        return answers

    def processor_s(self):
        return sum(int((task / "schedstat").read_text().split()[0]) for task in
                   pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()) / S

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            sys.exit(self.log.read_text())


NUMBERS = iter(range(1, 1 << 30))


def fault(kind, targets, **details):
    number = next(NUMBERS)
    return {"id": f"bench-{number}", "run": f"bench-{number}", "startedNs": time.time_ns(),
            "name": kind, "kind": kind, "durationNs": 60 * S, "leaseNs": 60 * S,
            "maxAffected": 1.0, "service": "small", "targets": targets, kind: details}


def partition(targets, action):
    return fault("partition", targets, peers=["store"], action=action, direction="both")


def network(targets):
    zeros = dict.fromkeys(("jitterNs", "correlation", "loss", "duplicate", "corrupt", "reorder",
                           "burstEnter", "burstLeave", "burstLoss", "burstCalm", "rateBits"), 0)
    return fault("network", targets, peers=["store"], ports=[], protocol="any", direction="both",
                 distribution="uniform", delayNs=100_000_000, seed=1, **zeros)


def limits(targets):
    return fault("limits", targets, files=40, pids=-1)


def pause(targets):
    return fault("pause", targets)


# --- when the effect is there, as seen at the target ---

def udp_inside(pid):
    """A socket in that process' network namespace, made by a thread that ends there."""
    made = []

    def visit():
        with open(f"/proc/{pid}/ns/net", "rb") as place:
            if LIBC.setns(place.fileno(), 0x40000000) != 0:
                sys.exit("agent_speed: setns")
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    made[0].connect((STORE, PORT))
    return made[0]


class Packets:
    """Datagrams to the store, half a millisecond apart; there is the first that was not answered
    within a few milliseconds, and so were those behind it."""
    late_s, enough = 0.03, 20

    def __init__(self, pid):
        self.socket = udp_inside(pid)
        self.socket.setblocking(False)
        self.sent = []
        self.answered = {}

    def look(self):
        with contextlib.suppress(OSError):  # a rule refuses it: as good as lost
            self.socket.send(len(self.sent).to_bytes(8, "big"))
        self.sent.append(time.monotonic())
        with contextlib.suppress(OSError):
            while True:
                number = int.from_bytes(self.socket.recv(64), "big")
                self.answered.setdefault(number, time.monotonic())
        since = None
        for number in range(len(self.sent) - 1, -1, -1):
            answer = self.answered.get(number)
            if answer is not None and answer - self.sent[number] < self.late_s:
                since = number + 1
                break
        missing = self.sent[since:] if since is not None else []
        found = len(missing) > self.enough and missing[-1] - missing[0] > self.late_s
        return missing[0] if found else None

    def close(self):
        self.socket.close()


class Limit:
    def __init__(self, pid):
        self.pid = pid

    def look(self):
        there = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[0] == 40
        return time.monotonic() if there else None

    def close(self):
        pass


class Stopped:
    def __init__(self, pid):
        self.stat = open(f"/proc/{pid}/stat", "rb")

    def look(self):
        self.stat.seek(0)
        return time.monotonic() if self.stat.read().rpartition(b")")[2][1:2] == b"T" else None

    def close(self):
        self.stat.close()


KINDS = {
    "partition (drop)": (lambda t: partition(t, "drop"), Packets),
    "partition (reject)": (lambda t: partition(t, "reject"), Packets),
    "network (delay)": (network, Packets),
    "limits (files)": (limits, Limit),
    "pause (SIGSTOP)": (pause, Stopped),
}


def inject_one(agent, targets, index, make, watch):
    """(ms until in place, ms until answered)"""
    watching = watch(targets.pids[index])
    spec = make([targets.name(index)])
    for _ in range(5):  # it answers before
        watching.look()
        time.sleep(0.002)
    answered = []
    seen = None
    request = agent.request("POST", "/v1/faults", spec)
    sock = socket.create_connection(("127.0.0.1", agent.port), 10)
    since = time.monotonic()
    sock.sendall(request)

    def read():
        text = b""
        while data := sock.recv(1 << 16):
            text += data
        answered.append((time.monotonic(), text))
    reader = threading.Thread(target=read)
    reader.start()
    deadline = since + 20
    while seen is None and time.monotonic() < deadline:
        seen = watching.look()
        time.sleep(0.0005)
    reader.join()
    sock.close()
    watching.close()
    when, text = answered[0]
    if b" 200 " not in text.partition(b"\r\n")[0] or seen is None:
        sys.exit(f"agent_speed: {spec['kind']}: seen {seen}: {text.decode()[:2000]}")
    agent.ask("DELETE", f"/v1/faults/{spec['id']}")
    return (seen - since) * 1000, (when - since) * 1000


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Report:
    def __init__(self):
        self.missed = []
        print("| what | figure | goal |\n|---|---|---|")

    def row(self, what, figure, unit, goal=None, shown=None):
        limit = GOALS.get(goal)
        verdict = "" if limit is None else f"{limit:g} {unit}"
        if limit is not None and figure > limit:
            self.missed.append(what)
            verdict += ": missed"
        print(f"| {what} | {shown or f'{figure:.1f} {unit}'} | {verdict} |", flush=True)


def one_by_one(report, agent, targets):
    for kind, (make, watch) in KINDS.items():
        placed, answered = zip(*(inject_one(agent, targets, i, make, watch) for i in range(EACH)))
        for what, values, goal in (("in place", placed, "in place"), ("answered", answered, None)):
            middle, high = percentile(values, 0.5), percentile(values, 0.99)
            report.row(f"{kind}, {what}, p50 and p99 of {EACH}", high, "ms", goal,
                       f"{middle:.1f} and {high:.1f} ms")


def at_once(report, agent, targets, how):
    every = [targets.name(i) for i in range(COUNT)]
    for name, make in (("partition (reject)", lambda t: partition(t, "reject")),
                       ("limits (files)", limits)):
        specs = ([make(every)] if how == "one request" else [make([t]) for t in every])
        if how == "one request" and name != "partition (reject)":
            continue  # a watchdog holds something for each target: 64 in a request at the most
        requests = [agent.request("POST", "/v1/faults", spec) for spec in specs]
        since = time.monotonic()
        agent.ask_many(requests)
        took = time.monotonic() - since
        report.row(f"{name}, {COUNT} targets, {how}", took * 1000, "ms", "at once")
        since = time.monotonic()
        agent.ask("POST", "/v1/halt")
        took = time.monotonic() - since
        report.row("halt of those, to verified absence", took * 1000, "ms", "halt")


def idle(report, agent, when):
    wall, used = time.monotonic(), agent.processor_s()
    time.sleep(10)
    share = (agent.processor_s() - used) / (time.monotonic() - wall) * 100
    report.row(f"idle, {when}: resident memory", agent.memory_mib(), "MiB", "memory")
    report.row(f"idle, {when}: processor", share, "%", "processor", f"{share:.3f} %")


def measure(build):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="squall-bench-"))
    targets = agent = None
    try:
        targets = Targets(build, folder)
        agent = Agent(build, folder, targets.write_topology())
        report = Report()
        idle(report, agent, "just started")
        one_by_one(report, agent, targets)
        at_once(report, agent, targets, "one request")
        at_once(report, agent, targets, "a request each")
        time.sleep(TIDY_S)
        idle(report, agent, "after all that")
        agent.close()
        agent = None
        if report.missed:
            print("missed: " + "; ".join(report.missed))
        return 1 if report.missed else 0
    finally:
        if agent is not None:
            agent.process.kill()
            agent.process.wait()
        if targets is not None:
            targets.close()
        shutil.rmtree(folder)


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                         else HERE.parents[1] / "build" / "release").resolve()
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        return 0
    if INSIDE not in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(["unshare", "--net", "--mount", "--propagation", "private",
                               sys.executable, __file__, str(build)],
                              env={**os.environ, INSIDE: "1"}, check=False).returncode
    return measure(build)


if __name__ == "__main__":
    sys.exit(main())
