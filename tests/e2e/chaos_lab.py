# SPDX-License-Identifier: Apache-2.0
"""A platform to break, made of real processes and a real kernel, and squall-agent on top of it.

Two services in network namespaces of their own on one bridge, with a hand-written topology.json,
and the squall-gateway of the build for faults inside an application. What is measured is measured
from the target's namespace, not taken from what the agent says."""

import contextlib
import ctypes
import errno
import http.client
import json
import os
import pathlib
import queue
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import BIN, NUMBER, each_process, wait_until
from services import free_port

PREFIX = f"chat{os.getpid() % 10000}"
SUBNET = f"10.231.{NUMBER}"
TOKEN = "correct-horse-battery"
S = 1_000_000_000
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
# What "gone by lease + 2 s" allows, as CHAOS.md's goal 1 has it.
GRACE_S = 2.0
JOBS_27_LIMIT = 48 << 20  # bytes of memory, where cgroup v1 can say so

SERVER = """
import signal, socket, sys, threading
signal.signal(signal.SIGHUP, signal.SIG_IGN)
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
def echo(connection):
    while data := connection.recv(4096):
        connection.sendall(data)
    connection.close()
while True:
    connection, _ = listener.accept()
    threading.Thread(target=echo, args=(connection,), daemon=True).start()
"""


def sh(*words):
    subprocess.run(words, check=True, capture_output=True, text=True)


def start_ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def tcp_socket(netns, kind=socket.SOCK_STREAM, family=socket.AF_INET):
    """A socket, of TCP unless said otherwise, made inside a namespace, by a thread that ends there."""
    made = queue.Queue()

    def visit():
        if netns is not None:
            with open(f"/run/netns/{netns}", "rb") as place:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.setns(place.fileno(), 0x40000000) == 0, ctypes.get_errno()
        made.put(socket.socket(family, kind))

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    return made.get(timeout=5)


def connects(netns, address, port, timeout=0.3):
    with tcp_socket(netns) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
            return True
        except OSError:
            return False


def answers(instance, timeout=0.15):
    """Whether the process itself says a word: the kernel accepts connections also for one that is
    frozen. From the host's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((instance.address, instance.port))
            sock.sendall(b"anybody there?\r\n\r\n")
            return sock.recv(1) != b""
        except OSError:
            return False


def group_mount(controller):
    """Where a cgroup v1 controller is mounted, or with None cgroup v2; None: it is not."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == ("cgroup2" if controller is None else "cgroup") and (
                controller is None or controller in options.split(",")):
            return pathlib.Path(place)
    return None


def ruleset(netns):
    return subprocess.run(["ip", "netns", "exec", netns, "nft", "list", "ruleset"], check=True,
                          capture_output=True, text=True).stdout


def unshared_mounts():
    """A process in a mount namespace of its own."""
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep",
                               "infinity"])
    own = os.readlink("/proc/self/ns/mnt")
    wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/mnt") != own, 5, "unshared")
    return holder


class Instance:
    """One process of a service, restarted at once when it exits, as the sandbox does."""

    def __init__(self, folder, name, command, address, port, netns=None, user=None, restart=True,
                 groups=()):
        self.name, self.command, self.netns, self.user = name, command, netns, user
        self.address, self.port, self.restart = address, port, restart
        self.status_file = folder / f"{name}.json"
        self.log_file = folder / f"{name}.log"
        self.groups = groups  # cgroup folders that are there already
        self.group = groups[0] if groups else None  # the one that the topology names
        self.place = {}  # zone, node, namespace, labels: what the topology says of it beside
        self.stopping = False
        self.restarts = 0
        self.process = None
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    def status(self, state):
        process = self.process
        alive = state not in ("stopped", "backoff")
        pid = process.pid if alive else 0
        try:
            ticks = start_ticks(pid) if alive else 0
        except (FileNotFoundError, ProcessLookupError):
            pid, ticks = 0, 0
        text = json.dumps({"name": self.name, "state": state, "pid": pid, "startTicks": ticks,
                           "restarts": self.restarts, "lastExit": None})
        temporary = self.status_file.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.chmod(0o644)
        temporary.rename(self.status_file)

    def keep(self):
        while not self.stopping:
            command = self.command
            if self.netns is not None:
                command = ["nsenter", f"--net=/run/netns/{self.netns}", *command]
            for group in self.groups:
                command = ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"',
                           str(group / "cgroup.procs"), *command]
            with open(self.log_file, "ab") as log:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user)
            self.status("starting")
            while self.process.poll() is None and not self.stopping:
                if connects(self.netns, self.address, self.port):
                    self.status("ready")
                    break
                time.sleep(0.02)
            self.process.wait()
            self.restarts += 1
            self.status("backoff")
            if not self.restart:
                return

    def stop(self):
        self.stopping = True
        self.restart = False
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        self.keeper.join(10)

    def ready(self):
        try:
            return json.loads(self.status_file.read_text())["state"] == "ready"
        except FileNotFoundError:
            return False

    def topology(self):
        return {"name": self.name, "address": self.address, "port": self.port,
                "netns": f"/run/netns/{self.netns}" if self.netns else None, "cgroup": str(self.group) if self.group else None,
                "statusFile": str(self.status_file), "logFile": str(self.log_file), **self.place}


class Platform:
    def __init__(self, folder, mode):
        self.folder, self.mode = folder, mode
        self.instances = {}
        self.namespaces = []
        self.groups = []
        self.stores = {}  # service -> its kind and credentialsFile
        self.hidden = set()  # instances that the topology does not name
        self.ready_services = {"front"}  # of gateways that are ready
        self.topology_file = folder / "topology.json"
        self.admin = folder / "admin-token"
        self.admin.write_text("admin-secret\n")

    def add(self, service, instance, patience_s=10):
        self.instances[instance.name] = instance
        instance.service = service
        wait_until(instance.ready, patience_s, f"{instance.name} ready, see {instance.log_file}")
        return instance

    def write(self):
        services = {}
        for instance in [i for n, i in self.instances.items() if n not in self.hidden]:
            front = instance.service in self.ready_services
            app = front or instance.service == "gateway"
            kind, credentials = self.stores.get(instance.service, ("http", None))
            entry = services.setdefault(instance.service, {
                "name": instance.service, "port": instance.port, "kind": kind,
                "credentialsFile": str(credentials) if credentials else None,
                "healthPath": None, "readyPath": "/ready" if front else None,
                "observability": False,
                "adminTokenFile": str(self.admin) if app else None, "instances": []})
            entry["instances"].append(instance.topology())
        whole = self.topology_file.with_suffix(".new")  # an agent may read it at any time
        whole.write_text(json.dumps({
            "version": 1, "name": "chat", "mode": self.mode, "stateDir": str(self.folder),
            "agent": None, "prometheus": None, "services": list(services.values())}))
        whole.rename(self.topology_file)

    def stop(self):
        for instance in self.instances.values():
            instance.stop()
        for netns in list(self.namespaces):
            self.remove_namespace(netns)
        for group in self.groups:  # a process that was killed leaves its group a little later
            wait_until(lambda group=group: remove_group(group), 5, f"{group} is empty")

    def remove_namespace(self, netns):
        """An orphaned TCP connection may keep the namespace itself for a while, but not the link."""
        sh("ip", "link", "del", netns.replace("-", "v"))
        sh("ip", "netns", "del", netns)
        self.namespaces.remove(netns)


def remove_group(group):
    try:
        group.rmdir()
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False


JOBS = [(21, [None]), (22, ["freezer"]), (23, []), (24, []), (25, [None]), (26, [None]),
        (27, [None, "memory"]), (28, [None, "pids"]), (29, [None])]


def add_groups(platform, name, controllers):
    """Control groups of an instance: of cgroup v2 (None), of a v1 controller."""
    groups = []
    for mount in filter(None, map(group_mount, controllers)):
        groups.append(mount / f"{PREFIX}-{name}")
        with contextlib.suppress(FileNotFoundError):
            groups[-1].rmdir()  # of a run that was cut off
        groups[-1].mkdir()
        platform.groups.append(groups[-1])
    return groups


def add_jobs(platform, jobs=tuple(JOBS), service="jobs"):
    """A service on the bridge's own address, each instance in control groups of its own."""
    for number, controllers in jobs:
        name = f"{service}-{number}"
        groups = add_groups(platform, name, controllers)
        for limit in (group / "memory.limit_in_bytes" for group in groups):
            if limit.exists():
                limit.write_text(str(JOBS_27_LIMIT))
        address, port = f"{SUBNET}.1", 8000 + number
        platform.add(service, Instance(platform.folder, name, echo_command(address, port), address,
                                       port, groups=groups))


def gateway_command(platform, name, address, port, programs=BIN, upstream="127.0.0.1:1"):
    return [str(programs / "squall-gateway"), "--instance", name, "--listen", f"{address}:{port}",
            "--upstream", f"users={upstream}", "--admin-token-file", str(platform.admin)]


def add_back(platform, address, port):
    """What stands behind gateways that are ready."""
    files = platform.folder / "back"
    (files / "api").mkdir(parents=True)
    (files / "ready").write_text("yes")
    (files / "api" / "users").write_text("[]")
    platform.add("back", Instance(platform.folder, f"back-{port}", [
        "/usr/bin/python3", "-m", "http.server", "--bind", address, "--directory", str(files),
        str(port)], address, port))


def add_front(platform, address, port, back, service="front"):
    platform.ready_services.add(service)
    name = f"{service}-{port}"
    return platform.add(service, Instance(platform.folder, name, gateway_command(
        platform, name, address, port, upstream=f"{address}:{back}"), address, port))


def add_fronts(platform, address, ports):
    """ports: the first is of what stands behind them."""
    back, *own = ports
    add_back(platform, address, back)
    return [add_front(platform, address, port, back) for port in own]


def asked(instance, path, timeout=0.5, method="GET"):
    connection = http.client.HTTPConnection(instance.address, instance.port, timeout=timeout)
    try:
        connection.request(method, path, headers={"X-Traffic": "probe"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def resident(instance):
    """Bytes of memory of its process."""
    text = pathlib.Path(f"/proc/{instance.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor_time(instance):
    """Seconds on a processor, and waiting for one, of all threads of its process."""
    threads = pathlib.Path(f"/proc/{instance.process.pid}/task").iterdir()
    times = [(thread / "schedstat").read_text().split() for thread in threads]
    return tuple(sum(int(each[i]) for each in times) / 1e9 for i in (0, 1))


def load_of(instance, window_s):
    """Shares of a processor that it has, and that it wants, which on a busy machine is more. Over a
    window of time: a rate has no condition to wait for."""
    since, (run, wait) = time.monotonic(), processor_time(instance)
    time.sleep(window_s)
    passed, (run_now, wait_now) = time.monotonic() - since, processor_time(instance)
    return (run_now - run) / passed, (run_now - run + wait_now - wait) / passed


@contextlib.contextmanager
def two_gateways(folder):
    """A platform that needs neither namespaces nor root."""
    made = Platform(folder, "loopback")
    try:
        for name in ("gateway-14", "gateway-15"):
            port = free_port()
            made.add("gateway", Instance(made.folder, name,
                                         gateway_command(made, name, "127.0.0.1", port),
                                         "127.0.0.1", port))
        made.write()
        yield made
    finally:
        made.stop()


def echo_command(address, port):
    return ["/usr/bin/python3", "-c", SERVER, address, str(port)]


@pytest.fixture(scope="module")
def bridge():
    name = f"{PREFIX}br"
    sh("ip", "link", "add", name, "type", "bridge")
    sh("ip", "address", "add", f"{SUBNET}.1/24", "dev", name)
    sh("ip", "link", "set", name, "up")
    yield name
    sh("ip", "link", "del", name)


def make_namespace(platform, bridge, number):
    netns = f"{PREFIX}-{number}"
    outer = f"{PREFIX}v{number}"
    sh("ip", "netns", "add", netns)
    platform.namespaces.append(netns)
    sh("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", netns)
    sh("ip", "link", "set", outer, "master", bridge, "up")
    sh("ip", "-n", netns, "link", "set", "lo", "up")
    sh("ip", "-n", netns, "link", "set", "eth0", "addrgenmode", "none", "up")
    sh("ip", "-n", netns, "address", "add", f"{SUBNET}.{number}/24", "dev", "eth0")
    return netns


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("chat"), "netns")
    try:
        for number, (service, port) in enumerate([("api", 8000), ("api", 8000), ("store", 5432),
                                                  ("gateway", 3000), ("gateway", 3000)], 11):
            netns = make_namespace(made, bridge, number)
            address = f"{SUBNET}.{number}"
            name = f"{service}-{number}"
            command = (gateway_command(made, name, address, port) if service == "gateway"
                       else echo_command(address, port))
            made.add(service, Instance(made.folder, name, command, address, port, netns))
        add_jobs(made)
        made.write()
        yield made
    finally:
        made.stop()


class Agent:
    def __init__(self, platform, folder, *extra, user=None, token=True, listen="127.0.0.1:0",
                 programs=BIN):
        self.platform, self.folder, self.user = platform, folder, user
        self.program = str(programs / "squall-agent")
        self.listen = listen
        self.journal = folder / "journal"
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.extra = extra
        self.token = TOKEN if token else None
        self.log_file = folder / "agent.log"
        self.prefix = []
        self.process = None
        self.port = None

    def options(self):
        return ["--topology", str(self.platform.topology_file), "--journal", str(self.journal)]

    def start(self):
        before = self.log_file.stat().st_size if self.log_file.exists() else 0
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.program, "--listen", self.listen, "--token-file",
                 str(self.token_file), *self.options(), *self.extra],
                stdout=log, stderr=log, user=self.user)

        def listening():
            assert self.process.poll() is None, self.log_file.read_text()
            for line in self.log_file.read_text()[before:].splitlines():
                if '"listening"' in line:
                    return json.loads(line)["port"]
            return None

        self.port = wait_until(listening, 10, "the agent listens")
        return self

    def ask(self, method, path, body=None, token="", timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        token = self.token if token == "" else token
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        headers["Content-Type"] = "application/json"
        data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] == b"{" else text
        finally:
            connection.close()

    def post(self, spec):
        return self.ask("POST", "/v1/faults", spec)

    def delete(self, spec):
        return self.ask("DELETE", f"/v1/faults/{spec['id']}")

    def get(self, spec):
        return self.ask("GET", f"/v1/faults/{spec['id']}")[1]

    def come_back(self, number):
        """After that signal."""
        if number == signal.SIGKILL:
            self.process.wait(10)
            self.start()
        else:
            self.signal(signal.SIGCONT)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def terminate(self):
        self.process.terminate()
        return self.process.wait(30)

    def finish(self):
        """It ends well, one that a test has stopped as well; what a test has ended is left alone."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            assert self.terminate() == 0, self.log_file.read_text()

    def sweep(self):
        return subprocess.run([self.program, "--sweep", *self.options()],
                              capture_output=True, text=True, timeout=60, check=False,
                              user=self.user)

    def wait_state(self, spec, state, deadline_s):
        return wait_until(lambda: (r := self.get(spec))["state"] == state and r, deadline_s,
                          f"{spec['id']} {state}: {self.get(spec)}")


@pytest.fixture
def agent_options():
    return []


ALL_AT_ONCE = pytest.mark.parametrize("agent_options", [["--max-affected", "100%"]])


@pytest.fixture
def agent(platform, tmp_path, agent_options):
    made = Agent(platform, tmp_path, *agent_options).start()
    before = {netns: ruleset(netns) for netns in platform.namespaces}
    yield made
    made.finish()
    assert {netns: ruleset(netns) for netns in platform.namespaces} == before


COUNTER = iter(range(1, 1 << 30))


def fault(kind, service, targets, duration_s=20.0, lease_s=2.0, affected=1.0, **details):
    number = next(COUNTER)
    return {"id": f"chat-{number}", "run": f"run-{number}", "startedNs": time.time_ns(),
            "name": f"{kind} of {service}".replace(" ", "-"), "kind": kind, "durationNs": int(duration_s * S),
            "leaseNs": int(lease_s * S), "maxAffected": affected, "service": service,
            "targets": targets, kind: details}


def kill_fault(targets=("api-11",), number=signal.SIGKILL, within_s=10.0, service="api",
               grace_s=0.0, every_s=0.0, **more):
    return fault("kill", service, list(targets), signal=int(number),
                 restartWithinNs=int(within_s * S), graceNs=int(grace_s * S),
                 everyNs=int(every_s * S), **more)


def partition_fault(targets=("api-11",), peers=("store",), action="drop", direction="both",
                    **more):
    return fault("partition", "api", list(targets), peers=list(peers), action=action,
                 direction=direction, **more)


def app_fault(targets=("gateway-14",), rate=1.0, latency_ms=0, **more):
    return fault("app", "gateway", list(targets), errorRate=rate, errorStatus=503,
                 latencyNs=latency_ms * 1_000_000, **more)


def front_fault(targets, **more):
    """An app fault that orders something else than errors or latency."""
    return {**app_fault(targets, rate=0.0, **more), "service": "front"}


def pause_fault(targets=("jobs-21",), **more):
    return fault("pause", "jobs", list(targets), **more)


def cpu_fault(targets=("jobs-25",), workers=1, load=0.5, **more):
    return fault("cpu", "jobs", list(targets), workers=workers, load=load, **more)


def memory_fault(targets=("jobs-26",), mib=64, percent=0.0, rate=1 << 30, **more):
    return fault("memory", "jobs", list(targets), bytes=mib << 20, percent=percent, rate=rate,
                 **more)


def disk_fault(path, targets=("jobs-21",), mib=64, left=0.0, **more):
    return fault("diskFill", "jobs", list(targets), path=str(path), bytes=mib << 20, left=left,
                 **more)


def io_fault(path, targets=("jobs-37",), workers=1, mode="write", mib=4, rate=1 << 20, **more):
    return fault("io", "jobs", list(targets), path=str(path), workers=workers, mode=mode,
                 bytes=mib << 20, rate=rate, **more)


def throttle_fault(path, targets=("jobs-38",), read=0, write=0, read_ops=0, write_ops=0, **more):
    return fault("ioThrottle", "jobs", list(targets), path=str(path), readRate=read,
                 writeRate=write, readOps=read_ops, writeOps=write_ops, **more)


def device_of(folder):
    """The whole disk that a folder lies on, as rules name it; None: on none."""
    place = os.stat(folder).st_dev
    if os.major(place) == 0:
        return None
    block = pathlib.Path(f"/sys/dev/block/{os.major(place)}:{os.minor(place)}").resolve()
    return ((block.parent if (block / "partition").exists() else block) / "dev").read_text().strip()


def no_throttle_here():
    """Why no disk can be throttled by cgroup v1 here; None: it can."""
    if group_mount("blkio") is None:
        return "cgroup v1 has no blkio controller mounted"
    if device_of(tempfile.gettempdir()) is None:
        return f"{tempfile.gettempdir()} lies on no block device"
    return None


def limits_on(group, device):
    """What cgroup v1 has of limits for a device: file -> number."""
    found = {}
    for file in group.glob("blkio.throttle.*_device"):
        for line in file.read_text().splitlines():
            if line.split()[0] == device:
                found[file.name.removeprefix("blkio.throttle.")] = int(line.split()[1])
    return found


def limits_fault(targets=("jobs-28",), files=-1, pids=-1, files_share=0.0, pids_share=0.0, **more):
    shares = {key: share for key, share in (("filesShare", files_share), ("pidsShare", pids_share))
              if share}
    return fault("limits", "jobs", list(targets), files=files, pids=pids, **shares, **more)


def files_limit(pid):
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def fillers(folder):
    """pid -> bytes that the file without a name takes, which it holds in that folder."""
    def held(process):
        if (process / "comm").read_text() == "squall-fill\n":
            for entry in (process / "fd").iterdir():
                if os.path.dirname(os.readlink(entry)) == str(folder):
                    return os.stat(entry).st_blocks * 512
        return None

    return each_process(held)


def workers_in(instance):
    """pid -> seconds of processor time and bytes of memory, of squall's own in its group."""
    found = {}
    for pid in (instance.group / "cgroup.procs").read_text().split():
        try:
            process = pathlib.Path("/proc") / pid
            if (process / "comm").read_text() != "squall-stress\n":
                continue
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            found[int(pid)] = (sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"), resident)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def network_fault(targets=("api-11",), peers=("store",), delay_ms=0.0, jitter_ms=0.0, rate=0.0,
                  direction="both", protocol="any", ports=(), distribution="uniform", burst=None,
                  service="api", correlation=0.0, loss=0.0, duplicate=0.0, corrupt=0.0, reorder=0.0,
                  lease_s=3.0, states=None, **more):
    enter, leave, bad = burst or (0.0, 0.0, 0.0)
    if states:
        more.update(zip(("stateAlone", "stateEnter", "stateLeave", "statePass", "stateRelapse"),
                        states, strict=True))
    return fault("network", service, list(targets), peers=list(peers), protocol=protocol,
                 ports=[str(p) for p in ports], direction=direction, distribution=distribution,
                 delayNs=int(delay_ms * 1e6), jitterNs=int(jitter_ms * 1e6), rateBits=rate,
                 correlation=correlation, loss=loss, duplicate=duplicate, corrupt=corrupt,
                 reorder=reorder, burstEnter=enter, burstLeave=leave, burstLoss=bad, burstCalm=0.0,
                 seed=7, lease_s=lease_s, **more)


def evidence(record, when):
    return [e for e in record["evidence"] if e["when"] == when]


def all_ok(record):
    return record["evidence"] and all(e["ok"] for e in record["evidence"])


def cut_off(platform, name="api-11", peer="store-13"):
    return not connects(platform.instances[name].netns, platform.instances[peer].address,
                        platform.instances[peer].port)


def injected_share(platform, name="gateway-14", count=40):
    instance = platform.instances[name]
    connection = http.client.HTTPConnection(instance.address, instance.port, timeout=5)
    hits = 0
    for _ in range(count):
        connection.request("GET", "/api/nothing-here", headers={"X-Traffic": "probe"})
        hits += b'"CHAOS_INJECTED"' in connection.getresponse().read()
    connection.close()
    return hits / count


def inject(agent, spec):
    status, record = agent.post(spec)
    assert (status, record.get("state")) == (200, "active"), json.dumps(record, indent=1)
    return record


def revert(agent, spec):
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), json.dumps(record, indent=1)
    assert all_ok(record) and record["error"] is None, json.dumps(record, indent=1)
    return record


def audit_of(file, **wanted):
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if line["message"] == "audit"
            and all(line[key] == value for key, value in wanted.items())]
