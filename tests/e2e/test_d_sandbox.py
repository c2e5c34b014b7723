# SPDX-License-Identifier: Apache-2.0
"""squall up, down and status, with the real programs: what starts, what restarts, what is left."""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from conftest import BIN, SCRATCH, command_of, each_process, run, wait_until

INSTANCES = {"postgres-1", "users-1", "users-2", "gateway-1", "gateway-2", "prometheus-1"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
needs_to_switch = pytest.mark.skipif(os.geteuid() != 0, reason="changing user needs root")


def lines_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines())


def ticks_of(pid):
    """Field 22 of /proc/PID/stat, None for no process and for a zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def processes_with(text):
    """pid -> command line of every living process that has text in its command line."""
    def look(process):
        command = " ".join(command_of(process))
        others = int(process.name) != os.getpid() and text in command
        return command if others and ticks_of(process.name) is not None else None

    return each_process(look)


def cgroups():
    roots = [line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"]
    return {str(p) for root in roots for p in pathlib.Path(root).glob("squall/**/") if p.is_dir()}


def machine():
    """Everything a sandbox may put on a machine, apart from processes and its state."""
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
    return {
        "links": {link["ifname"] for link in links},
        "netns": lines_of("ip", "netns", "list"),
        "routes": lines_of("ip", "route", "show", "table", "all"),
        "cgroups": cgroups(),
        "mounts": {line.split()[1] for line in open("/proc/mounts")},
    }


def firewall():
    nft = lines_of("nft", "list", "ruleset") if shutil.which("nft") else set()
    return nft | lines_of("ip", "rule")


def fnv(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001b3) % 2**64
    return value


class Sandbox:
    """One name in one state root, and the user who runs squall."""

    def __init__(self, root, name="e2e", user=None, programs=BIN):
        self.root, self.name, self.user, self.programs = root, name, user, programs
        self.dir = root / "sandboxes" / name
        seed = fnv(f"{self.dir}squall")
        # What every link, namespace, group and mount of this sandbox has in its name. Others may
        # come and go on the machine meanwhile.
        self.mark = f"{(seed ^ seed >> 32) % 2**32:08x}"[:6]

    def command(self, verb, *args):
        prefix = []
        if self.user:
            prefix = ["setpriv", f"--reuid={self.user}", "--regid=nogroup", "--clear-groups"]
        return [*prefix, str(self.programs / "squall"), verb, "--name", self.name, "--state", str(self.root),
                *args]

    def __call__(self, verb, *args, env=None):
        return subprocess.run(self.command(verb, *args), capture_output=True, text=True, timeout=120,
                              check=False, env={**os.environ, **(env or {})})

    def up(self, *args, **kwargs):
        done = self("up", *args, **kwargs)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def down(self, *args):
        done = self("down", *args)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self):
        return json.loads(self("status", "--json").stdout)

    def statuses(self):
        return {entry["name"]: entry for entry in self.status()["statuses"]}

    def topology(self):
        return json.loads((self.dir / "topology.json").read_text())

    def instances(self):
        return {i["name"]: i for s in self.topology()["services"] for i in s["instances"]}

    def url(self, name, path):
        instance = self.instances()[name]
        return f"http://{instance['address']}:{instance['port']}{path}"

    def get(self, name, path):
        with urllib.request.urlopen(self.url(name, path), timeout=5) as answer:
            return json.loads(answer.read())

    def supervisor(self):
        return json.loads((self.dir / "supervisor.json").read_text())["pid"]

    def processes(self):
        return processes_with(str(self.root))

    def traces(self):
        return {(kind, thing) for kind, things in machine().items() for thing in things
                if self.mark in thing}

    def assert_nothing_left(self):
        wait_until(lambda: not self.processes(), 5, f"no process of it: {self.processes()}")
        assert not self.traces()
        assert not (self.dir / "topology.json").exists()


@pytest.fixture
def state_root():
    """A state root that the postgres user may enter, which pytest's tmp_path is not."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="squall-e2e-", dir=SCRATCH))
    root.chmod(0o755)
    yield root
    for folder in (root / "sandboxes").glob("*"):
        run("squall", "down", "--purge", "--name", folder.name, "--state", root)
    assert not processes_with(str(root))
    shutil.rmtree(root)


@pytest.fixture
def box(state_root):
    return Sandbox(state_root)


@pytest.fixture
def nobody_box(state_root):
    """The build may lie where only root may go: its programs are copied to where all may."""
    shutil.chown(state_root, "nobody")
    programs = pathlib.Path(shutil.copytree(BIN, state_root / "bin"))
    return Sandbox(state_root, user="nobody", programs=programs)


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


# --- the whole life ---


@needs_root
def test_up_status_down_leaves_nothing(box):
    forwarded = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
    rules = firewall()
    assert not box.traces()
    progress = box.up()
    for name in INSTANCES | {"agent"}:
        assert any(name in line and "ready" in line for line in progress.splitlines()), name
    status = box("status")
    assert status.returncode == 0
    assert all(name in status.stdout for name in INSTANCES)
    assert {kind for kind, _ in box.traces()} == {"links", "netns", "routes", "cgroups", "mounts"}
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == forwarded
    assert firewall() == rules
    statuses = box.statuses()
    assert set(statuses) == INSTANCES | {"agent"}
    for name, entry in statuses.items():
        assert entry["state"] == "ready" and entry["restarts"] == 0 and entry["lastExit"] is None
        assert ticks_of(entry["pid"]) == entry["startTicks"], name
    down = box.down()
    assert "postgres" in down and "--purge" in down
    box.assert_nothing_left()
    assert "database system is shut down" in (box.dir / "logs/postgres-1.log").read_text()
    again = box("status")
    assert again.returncode == 5 and "not up" in again.stdout
    assert "was not up" in box.down()


@needs_root
def test_each_instance_has_its_own_network_and_group(box):
    box.up()
    topology = box.topology()
    assert topology["version"] == 1 and topology["mode"] == "netns"
    instances, statuses = box.instances(), box.statuses()
    assert len({i["address"] for i in instances.values()}) == len(INSTANCES)
    host = os.stat("/proc/self/ns/net").st_ino
    namespaces = set()
    listed = {line.split()[0] for line in lines_of("ip", "netns", "list")}
    for name, instance in instances.items():
        pid = statuses[name]["pid"]
        inode = os.stat(f"/proc/{pid}/ns/net").st_ino
        assert inode == os.stat(instance["netns"]).st_ino
        namespaces.add(inode)
        assert pathlib.Path(instance["netns"]).name in listed
        assert str(pid) in (pathlib.Path(instance["cgroup"]) / "cgroup.procs").read_text().split()
    assert len(namespaces) == len(INSTANCES) and host not in namespaces
    inside = ["nsenter", "-t", str(statuses["gateway-1"]["pid"]), "-m", "-n"]
    users = lines_of(*inside, "getent", "ahostsv4", "users")
    for name in ("users-1", "users-2"):
        assert any(instances[name]["address"] in line for line in users)
        found = lines_of(*inside, "getent", "hosts", name)
        assert {line.split()[0] for line in found} == {instances[name]["address"]}
    links = subprocess.run([*inside, "ip", "-j", "link"], capture_output=True, check=True).stdout
    assert {link["ifname"]: "UP" in link["flags"] for link in json.loads(links)} == {
        "lo": True, "eth0": True}


@needs_root
def test_the_services_work_together(box):
    box.up()
    made = post(box.url("gateway-1", "/api/users"), {"name": "Ada", "email": "ada@example.org"})
    user = made["data"]["id"]
    assert box.get("gateway-2", f"/api/users/{user}")["data"]["email"] == "ada@example.org"

    def scraped():
        result = box.get("prometheus-1", "/api/v1/query?query=up")["data"]["result"]
        return {(s["metric"]["job"], s["metric"]["instance"]) for s in result
                if s["value"][1] == "1"} == {("users", "users-1"), ("users", "users-2"),
                                             ("gateway", "gateway-1"), ("gateway", "gateway-2")}

    wait_until(scraped, 15, "Prometheus scrapes all four")
    topology = box.topology()
    with urllib.request.urlopen(topology["agent"]["url"] + "/v1/health", timeout=5) as answer:
        assert answer.status == 200
    assert os.stat(topology["agent"]["tokenFile"]).st_mode & 0o7777 == 0o600
    box.down()
    box.up()
    assert box.get("gateway-1", f"/api/users/{user}")["data"]["email"] == "ada@example.org"
    box.down("--purge")
    assert not box.dir.exists()


def user_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    assert len(set(status["Uid"].split())) == 1 == len(set(status["Gid"].split()))
    return int(status["Uid"].split()[0]), int(status["CapEff"], 16), status["Groups"].split()


@needs_root
def test_only_the_agent_is_root(box):
    box.up()
    users = {name: user_of(entry["pid"]) for name, entry in box.statuses().items()}
    agent = users.pop("agent")
    assert agent[0] == 0
    postgres = users.pop("postgres-1")
    assert postgres == (pwd.getpwnam("postgres").pw_uid, 0, [])
    for name, user in users.items():
        assert 61184 <= user[0] <= 65519 and user[1:] == (0, []), name
        with pytest.raises(KeyError):
            pwd.getpwuid(user[0])
    services = {user[0] for name, user in users.items() if name != "prometheus-1"}
    assert len(services) == 1 and users["prometheus-1"][0] not in services
    # What is secret is readable for whom it is meant, and nobody else.
    token = os.stat(box.topology()["services"][1]["adminTokenFile"])
    assert (token.st_uid, {token.st_gid}, token.st_mode & 0o7777) == (0, services, 0o640)
    password = os.stat(box.dir / "services/pgpass")
    assert ({password.st_uid}, password.st_mode & 0o7777) == (services, 0o600)
    assert "postgres:" not in (box.dir / "services/pgpass").read_text()
    assert os.stat(box.dir / "secrets").st_mode & 0o7777 == 0o700
    for path in ("instances", "agent", "topology.json", "logs", "instances/users-1.json"):
        assert os.stat(box.dir / path).st_uid == 0, path
    asked = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "test", "-x",
                            BIN / "squall-users"], check=False)
    assert (box.dir / "programs").exists() == (asked.returncode != 0), "a copy, where root only may go"


@needs_root
def test_programs_in_a_closed_folder_run_all_the_same(box):
    closed = box.root / "closed"
    closed.mkdir()
    for name in ("squall-users", "squall-gateway", "squall-agent"):
        shutil.copy(BIN / name, closed / name)
    closed.chmod(0o700)  # as /root is, where a build may lie
    for _ in range(2):
        box.up(env={"SQUALL_PROGRAMS": str(closed)})
        assert box.get("gateway-1", "/api/users?limit=1")["data"]
        users = box.statuses()["users-1"]["pid"]
        assert user_of(users)[0] != 0
        assert os.readlink(f"/proc/{users}/exe") == str(box.dir / "programs/squall-users")
        box.down()
        assert not (box.dir / "programs").exists()
    box.assert_nothing_left()


@needs_root
def test_the_shell_may_be_set_up_for_something_else(box):
    before = os.umask(0o077)
    try:
        box.up(env={"PGSSLMODE": "verify-full", "PGOPTIONS": "-c no.such=1", "PGHOST": "nowhere",
                    "PGSERVICE": "nowhere", "http_proxy": "http://127.0.0.1:1"})
    finally:
        os.umask(before)
    assert box.get("gateway-1", "/api/users?limit=1")["data"]


@needs_root
def test_a_log_is_bounded_while_its_service_writes(box):
    box.up()
    log, older = box.dir / "logs/gateway-1.log", box.dir / "logs/gateway-1.log.1"
    pid = box.statuses()["gateway-1"]["pid"]
    load = subprocess.Popen([str(BIN / "squall"), "load", box.url("gateway-1", "/api/data"),
                             "-r", "2000/s", "-c", "20", "-d", "60"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        wait_until(older.exists, 60, "a part of the log to be set aside")
        first = older.stat().st_ino, older.stat().st_mtime_ns
        wait_until(lambda: (older.stat().st_ino, older.stat().st_mtime_ns) != first, 60,
                   "and another in its place")
    finally:
        load.terminate()
        load.wait(20)
    wait_until(lambda: log.stat().st_size <= 1 << 20, 5, "the log to be within its bound")
    assert 0.9 * (1 << 20) < older.stat().st_size <= 1 << 20
    lines = older.read_text().splitlines()
    assert all(json.loads(line)["service"] == "gateway" for line in lines), "whole lines"
    assert box.statuses()["gateway-1"]["pid"] == pid
    box.get("gateway-1", "/api/status")
    wait_until(lambda: "/api/status" in log.read_text(), 5, "the service to write on")


@needs_root
def test_a_second_up_says_so(box):
    box.up()
    pids = {name: entry["pid"] for name, entry in box.statuses().items()}
    assert "up already" in box.up()
    assert {name: entry["pid"] for name, entry in box.statuses().items()} == pids


@needs_root
def test_parallel_ups_of_one_name_make_one_platform(box):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda _: box.up(), range(3)))
    assert sum(" is up after " in text for text in texts) == 1
    supervisors = [c for c in box.processes().values() if "--foreground" in c]
    assert len(supervisors) == 1
    assert box.status()["healthy"]


@needs_root
def test_two_sandboxes_coexist(state_root):
    boxes = [Sandbox(state_root, "one"), Sandbox(state_root, "two")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda b: b.up(), boxes))
    addresses = [{i["address"] for i in b.instances().values()} for b in boxes]
    assert not {a.rpartition(".")[0] for a in addresses[0]} & {
        a.rpartition(".")[0] for a in addresses[1]}
    assert boxes[0].topology()["agent"]["url"] != boxes[1].topology()["agent"]["url"]
    boxes[0].down()
    assert boxes[1].status()["healthy"]
    assert boxes[1].get("gateway-1", "/api/users?limit=1")["data"]
    boxes[1].down()
    boxes[0].assert_nothing_left()


# --- crashes ---


@needs_root
def test_a_killed_instance_runs_again(box):
    box.up()
    first = box.statuses()
    kill(first["users-1"]["pid"])

    def back():
        now = box.statuses()["users-1"]
        return now if now["state"] == "ready" and now["pid"] != first["users-1"]["pid"] else None

    now = wait_until(back, 10, "users-1 is ready again")
    assert now["restarts"] == 1 and now["lastExit"] == "killed by signal 9"
    assert ticks_of(now["pid"]) == now["startTicks"]
    assert box.statuses()["users-2"] == first["users-2"]
    assert box.get("users-1", "/api/users?limit=1")["data"]
    # Once more at once: it waits longer, and says that it waits. On a busy machine it may be back
    # before anybody has said so: then it waits longer still.
    def strike_again():
        pid = box.statuses()["users-1"]["pid"]
        with contextlib.suppress(ProcessLookupError):
            if pid > 0:
                kill(pid)

    def waits():
        one = box.statuses()["users-1"]
        if one["state"] == "ready":
            strike_again()
        return one if one["state"] == "backoff" else None

    def says_so():
        if box("status").returncode == 5:
            return True
        strike_again()
        return False

    waiting = wait_until(waits, 20, "users-1 is in back-off")
    assert waiting["pid"] == 0 and waiting["restarts"] >= 2
    wait_until(says_so, 20, "status says that not all are ready")
    wait_until(lambda: box.statuses()["users-1"]["state"] == "ready", 20, "and ready again")


@needs_root
def test_a_killed_database_recovers(box):
    box.up()
    kill(box.statuses()["postgres-1"]["pid"])
    wait_until(lambda: box.statuses()["postgres-1"]["restarts"] == 1, 5, "its end is seen")
    # "healthy" is what the last round of probes saw, which the users' pools may not have noticed yet.
    def serves():
        try:
            return box.status()["healthy"] and box.get("gateway-1", "/api/users?limit=1")["data"]
        except urllib.error.HTTPError as error:
            assert error.code == 503, error
            return None

    wait_until(serves, 30, "all are ready again, and users are served from the database")


@needs_root
@pytest.mark.parametrize("then", ["up", "down"])
def test_after_the_supervisor_was_killed(box, then):
    box.up()
    # One that will not end by itself when its parent is gone.
    stubborn = box.statuses()["gateway-2"]["pid"]
    kill(stubborn, signal.SIGSTOP)
    kill(box.supervisor())
    wait_until(lambda: box.status()["state"] == "crashed", 5, "status says that it crashed")
    assert ticks_of(stubborn) is not None
    assert box("status").returncode == 5
    if then == "up":
        assert "earlier start" in box.up()
        assert box.status()["healthy"]
        assert box.get("gateway-2", "/api/users?limit=1")["data"]
    box.down()
    box.assert_nothing_left()


@needs_root
def test_killed_in_the_middle_of_a_start(box):
    starter = subprocess.Popen(box.command("up"), stdout=subprocess.PIPE, text=True)
    pid = wait_until(lambda: (box.dir / "supervisor.json").exists() and box.supervisor(), 10,
                     "the supervisor is there")
    assert "network" in starter.stdout.readline()
    kill(pid)
    rest = starter.communicate(timeout=30)[0]
    assert starter.returncode == 5, rest
    box.up()
    assert box.status()["healthy"]
    box.down()
    box.assert_nothing_left()


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_up_takes_all_down(box, number):
    starter = subprocess.Popen(box.command("up"), stdout=subprocess.PIPE, text=True)
    assert "network" in starter.stdout.readline()
    starter.send_signal(number)
    starter.communicate(timeout=60)
    assert starter.returncode == 4
    box.assert_nothing_left()


@needs_root
def test_foreground_stays_until_a_signal(box):
    process = subprocess.Popen(box.command("up", "--foreground"), stdout=subprocess.PIPE, text=True)
    wait_until(lambda: box.status()["healthy"], 30, "healthy")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    box.assert_nothing_left()


# --- what cannot start says why ---

Broken = collections.namedtuple("Broken", "program text args says logged")
BROKEN = [
    Broken("squall-gateway", "#!/bin/sh\necho no frobnicator here >&2\nexit 3\n", (),
           ["gateway-", "exit status 3"], "no frobnicator here"),
    Broken("squall-users", "#!/nonexistent/interpreter\n", (), ["squall-users"], None),
    Broken("squall-gateway", "#!/bin/sh\necho dozing\nexec sleep 600\n",
           ("--ready-timeout", "4s"), ["gateway-", "not ready within 4s"], "dozing"),
    Broken("squall-users", None, (), ["squall-users is not in"], None),
]


@needs_root
@pytest.mark.parametrize("broken", BROKEN, ids=["exits", "cannot-exec", "silent", "missing"])
def test_a_broken_service_is_named(box, broken):
    programs = box.root / "programs"
    programs.mkdir()
    for name in ("squall-users", "squall-gateway", "squall-agent"):
        (programs / name).symlink_to(BIN / name)
    (programs / broken.program).unlink()
    if broken.text is not None:
        (programs / broken.program).write_text(broken.text)
        (programs / broken.program).chmod(0o755)
    done = box("up", *broken.args, env={"SQUALL_PROGRAMS": str(programs)})
    text = done.stdout + done.stderr
    assert done.returncode == 5, text
    for words in broken.says:
        assert words in done.stderr, text
    if broken.logged:
        assert f"| {broken.logged}" in text
        assert str(box.dir / "logs") in done.stderr
    box.assert_nothing_left()
    box.up()
    assert box.status()["healthy"]


@pytest.mark.parametrize("variable,program,package", [
    ("SQUALL_POSTGRES_BIN", "initdb", "postgresql-15"),
    ("SQUALL_POSTGRES_BIN", "psql", "postgresql-client-15")])
def test_a_missing_program_names_its_package(box, variable, program, package):
    done = box("up", env={variable: "/nonexistent"})
    assert done.returncode == 5
    assert f"{program} is not installed" in done.stderr
    assert f"apt-get install {package}" in done.stderr


@pytest.mark.parametrize("args,says", [
    (("--name", "a/b"), "a/b"), (("--mode", "cloud"), "cloud"), (("--subnet", "10.0.0.0/8"), "/24"),
    (("--ready-timeout", "30"), "--ready-timeout"), (("--frob",), "frob"), (("extra",), "extra")])
def test_wrong_arguments_are_usage_errors(box, args, says):
    done = box("up", *args)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr


@needs_root
def test_a_network_in_use_is_refused(box):
    box.up()
    subnet = box.instances()["users-1"]["address"].rpartition(".")[0] + ".0/24"
    done = Sandbox(box.root, "second")("up", "--subnet", subnet)
    assert done.returncode == 5 and "in use" in done.stderr and subnet in done.stderr


def test_an_occupied_port_is_named(box):
    with socket.create_server(("127.99.98.12", 8082)):
        done = box("up", "--mode", "loopback", "--subnet", "127.99.98.0/24")
    assert done.returncode == 5
    assert "users-2" in done.stderr and "127.99.98.12:8082" in done.stderr


@needs_to_switch
def test_a_state_folder_closed_to_postgres_is_named(box):
    box.root.chmod(0o700)
    done = box("up")
    assert done.returncode == 5
    assert f"chmod a+x {box.root}" in done.stderr


# --- without root ---


@needs_to_switch
def test_loopback_as_an_ordinary_user(nobody_box):
    box = nobody_box
    box.up()
    topology = box.topology()
    assert topology["mode"] == "loopback"
    for instance in box.instances().values():
        assert instance["address"].startswith("127.")
        assert instance["netns"] is None and instance["cgroup"] is None
    assert len({i["address"] for i in box.instances().values()}) == len(INSTANCES)
    assert box.get("gateway-1", "/api/users?limit=1")["data"]
    pid = box.statuses()["users-2"]["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == os.stat(box.root).st_uid
    kill(pid)
    wait_until(lambda: box.statuses()["users-2"]["restarts"] == 1, 5, "its end is seen")
    wait_until(lambda: box.status()["healthy"], 10, "users-2 is ready again")
    other = Sandbox(box.root, "other", user="nobody", programs=box.programs)
    other.up()
    assert not {i["address"] for i in box.instances().values()} & {
        i["address"] for i in other.instances().values()}
    other.down()
    assert box.status()["healthy"]
    stubborn = box.statuses()["gateway-1"]["pid"]
    kill(stubborn, signal.SIGSTOP)
    kill(box.supervisor())
    wait_until(lambda: box.status()["state"] == "crashed", 5, "status says that it crashed")
    box.up()
    assert ticks_of(stubborn) is None
    assert box.status()["healthy"]
    box.down()
    box.assert_nothing_left()


@needs_to_switch
def test_netns_mode_needs_root(nobody_box):
    done = nobody_box("up", "--mode", "netns")
    assert done.returncode == 5 and "root" in done.stderr
