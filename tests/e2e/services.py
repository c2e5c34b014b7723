# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, users and gateway as real processes on 127.0.0.1, and HTTP to talk to them."""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from conftest import BIN, SCRATCH, each_process, wait_until

PG_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
TOKEN = "correct-horse-battery"


def free_port(address="127.0.0.1"):
    """Not one of those that the kernel gives to connections: while a server that has it is down, one
    of the thousands that other tests open could take it, and the server could not come back."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10000, low), min(100, low - 10000)) if low > 12000 else []:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind((address, port))
            return port
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def as_postgres():
    """What to put before a command so that it does not run as root, which initdb refuses."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def parent_of(process):
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def descendants(pid):
    """pid and every process below it, from /proc."""
    parents = each_process(parent_of)
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Postgres:
    """A server in its own folder; not under tmp_path, which only root may enter."""

    def __init__(self, address="127.0.0.1", wrap=(), port=None, template=None, scratch=SCRATCH):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tgt-pg-", dir=scratch))
        self.settings = {"fsync": "off"}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.root, user.pw_uid, user.pw_gid)
        self.address, self.wrap = address, list(wrap)
        self.port = port or (free_port() if address == "127.0.0.1" else 5432)
        self.process = None
        if template is not None:  # not started yet; a copy costs less than another initdb
            subprocess.run(["cp", "-a", template.root / "data", self.root], check=True)
            return
        subprocess.run([*as_postgres(), PG_BIN / "initdb", "-D", self.root / "data", "-A", "trust",
                        "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
                       check=True, capture_output=True, cwd=self.root)
        with open(self.root / "data" / "pg_hba.conf", "a") as hba:
            hba.write("host all all all trust\n")

    def command(self, connections=100):
        return [*self.wrap, *as_postgres(), str(PG_BIN / "postgres"), "-D",
                str(self.root / "data"), "-k", str(self.root), "-p", str(self.port), "-c",
                f"listen_addresses={self.address}", "-c", f"max_connections={connections}",
                *(word for key, value in self.settings.items() for word in ("-c", f"{key}={value}"))]

    def start(self):
        log = open(self.root / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.root)
        log.close()
        wait_until(lambda: self.sql("select 1", check=False).returncode == 0, 30,
                   f"PostgreSQL ready, see {self.root / 'log'}")

    def sql(self, text, check=True):
        return subprocess.run(
            [PG_BIN / "psql", "-h", str(self.root), "-p", str(self.port), "-U", "postgres", "-XAtq",
             "-v", "ON_ERROR_STOP=1", "-c", text],
            check=check, capture_output=True, text=True, timeout=30)

    @property
    def conninfo(self):
        return f"host={self.address} port={self.port} user=postgres dbname=postgres"

    def signal_all(self, number):
        # Stopped, the postmaster forks no more, and keeps its children: the list is complete.
        self.process.send_signal(signal.SIGSTOP)
        for pid in descendants(self.process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait(10)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.root, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def call(port, method, path, body=None, headers=None, timeout=10, address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def raw(port, data, timeout=5):
    """Sends bytes as they are and returns all that comes back until the peer closes or pauses."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        s.settimeout(1.0)
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return out


class Service:
    def __init__(self, folder, program, instance, *flags, address="127.0.0.1"):
        self.port, self.instance, self.address = free_port(address), instance, address
        self.log = folder / f"{instance}.log"
        token = folder / f"{instance}.token"
        token.write_text(TOKEN + "\n")
        self.stdout = open(self.log, "ab")
        self.process = subprocess.Popen(
            [BIN / program, "--instance", instance, "--listen", f"{address}:{self.port}",
             "--admin-token-file", token, *map(str, flags)],
            stdout=self.stdout, stderr=self.stdout)

    def call(self, method, path, body=None, headers=None, timeout=10):
        return call(self.port, method, path, body, headers, timeout, self.address)

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def admin(self, method, path, body=None):
        return self.call(method, path, body, {"Authorization": f"Bearer {TOKEN}"})

    def answers(self, path, status):
        try:
            return self.get(path, timeout=2).status == status
        except OSError:
            return False

    def wait_ready(self, deadline=15):
        wait_until(lambda: self.answers("/ready", 200), deadline, f"{self.instance} ready\n"
                   + self.log.read_text()[-2000:])
        return self

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def metric(self, name, **labels):
        """The sum of the samples of this name whose labels include these."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith((name + "{", name + " ")) and all(
                    f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.stdout.close()


class Load:
    """Threads that ask again and again and note when, how long and what came of it."""

    def __init__(self, service, path, threads=4, pause=0.005):
        self.service, self.path, self.pause = service, path, pause
        self.seen, self.stopping = [], threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.stopping.is_set():
            begin = time.monotonic()
            try:
                status = self.service.get(self.path, timeout=10).status
            except OSError as error:
                status = type(error).__name__
            self.seen.append((begin, time.monotonic() - begin, status))
            time.sleep(self.pause)

    def wait_more(self, n, deadline=20):
        have = len(self.seen)
        wait_until(lambda: len(self.seen) >= have + n, deadline, f"{n} more requests")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.seen
