# SPDX-License-Identifier: Apache-2.0
"""Stores to break, each a real server, and clients of theirs that are not the agent's."""

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from chaos_lab import Instance, fault
from conftest import wait_until
from rabbit_lab import PASSWORD as RABBIT_PASSWORD
from rabbit_lab import Rabbit
from services import PG_BIN, Postgres

PASSWORD = "correct-horse-of-the-store"
CONNECTIONS = 12  # of a server
RESERVED = 3      # of those, for superusers
STOCK_BYTES = 10_000  # of each key that a cache has in stock


def credentials(folder, kind, **words):
    """What only its owner may read."""
    path = folder / f"{kind}.credentials"
    path.write_text(json.dumps(words))
    path.chmod(0o600)
    return path


class Database:
    """A PostgreSQL server whose process an Instance keeps; its clients come over TCP with a password."""

    def __init__(self, address, port, template=None, **where):
        self.server = Postgres(address, port=port, template=template and template.server, **where)
        hba = self.server.root / "data" / "pg_hba.conf"
        hba.write_text("local all all trust\nhost all all all scram-sha-256\n")

    def launch(self, platform, name, service="pg", groups=()):
        command = ["env", "-C", str(self.server.root), *self.server.command(CONNECTIONS)]
        self.instance = platform.add(service, Instance(
            platform.folder, name, command, self.server.address, self.server.port, groups=groups))
        wait_until(lambda: self.local("select 1").returncode == 0, 30, "the database answers")
        return self

    def keep(self, platform, name, service="pg", groups=()):
        """Started, with the table t, which the role app may use and has a session for."""
        self.launch(platform, name, service, groups)
        for statement in ("CREATE TABLE IF NOT EXISTS t (n int)",
                          f"ALTER ROLE postgres PASSWORD '{PASSWORD}'",
                          f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'", "GRANT ALL ON t TO app"):
            assert self.local(statement).returncode == 0, statement
        return self

    def psql(self, *words):
        return [str(PG_BIN / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *words]

    def local(self, text):
        return subprocess.run(self.psql("-h", str(self.server.root), "-p", str(self.server.port),
                                        "-U", "postgres", "-d", "postgres", "-c", text),
                              capture_output=True, text=True, check=False)

    def remote(self, *words):
        return self.psql("-h", self.server.address, "-p", str(self.server.port), "-U", "app", "-d",
                         "postgres", *words)

    ENVIRONMENT = {**os.environ, "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "5"}

    def app(self, text):
        """A statement of an ordinary client, in a session of its own."""
        return subprocess.run(self.remote("-c", text), capture_output=True, text=True, check=False,
                              env=self.ENVIRONMENT)

    def number(self, text):
        return int(self.local(text).stdout)

    def named(self, name):
        """Sessions of that application_name."""
        return self.number(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'")

    def waits(self, mode="ACCESS SHARE"):
        """Whether an ordinary client has to wait for that lock on t."""
        done = self.app(f"BEGIN; SET LOCAL lock_timeout = 100; LOCK TABLE t IN {mode} MODE")
        if "lock timeout" in done.stderr:
            return True
        assert done.returncode == 0, done.stderr
        return False

    def client(self):
        return subprocess.Popen(self.remote(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env=self.ENVIRONMENT)

    @contextlib.contextmanager
    def session(self, text="SELECT 1"):
        """A session of an ordinary client that says this and then stays; psql's exit is its end."""
        client = self.client()
        try:
            client.stdin.write(text + ";\n\\echo there\n")
            client.stdin.flush()
            lines = iter(client.stdout.readline, "")
            assert any(line == "there\n" for line in lines), "no session"
            yield client
        finally:
            client.kill()
            client.communicate()

    def stop(self):
        """By SIGQUIT, which leaves no shared memory behind."""
        self.instance.stopping, self.instance.restart = True, False
        self.instance.process.send_signal(signal.SIGQUIT)
        self.instance.process.wait(10)
        self.instance.stop()
        self.server.close()


def still_there(client):
    """Whether the session of that client lives."""
    try:
        client.stdin.write("SELECT 'alive';\n")
        client.stdin.flush()
        return client.stdout.readline() == "alive\n"
    except OSError:
        return False


def postgres_fault(action, targets=("pg-31",), every_s=0.0, table=None, lock="all", left=0,
                   service="pg", **more):
    return fault("postgres", service, list(targets), action=action, everyNs=int(every_s * 1e9),
                 table=table, lock=lock, left=left, **more)


class Cache:
    """A Redis server whose process an Instance keeps, and ordinary clients of it."""

    def __init__(self, address, port, maxmemory=0, debug="no"):
        self.address, self.port, self.maxmemory = address, port, maxmemory
        self.debug = debug

    def keep(self, platform, name, service="redis"):
        folder = platform.folder / name
        folder.mkdir()
        settings = folder / "redis.conf"  # not the command line: who looks at it would see
        settings.write_text(f"bind {self.address}\nport {self.port}\ndir {folder}\nsave \"\"\n"
                            f"requirepass {PASSWORD}\nmaxmemory {self.maxmemory}\n"
                            f"maxmemory-policy allkeys-lru\nenable-debug-command {self.debug}\n")
        self.instance = platform.add(service, Instance(
            platform.folder, name, ["redis-server", str(settings)], self.address, self.port))
        wait_until(lambda: self.answers(), 10, "Redis answers")
        return self

    def client(self, timeout=5.0):
        sock = socket.create_connection((self.address, self.port), timeout=timeout)
        return Client(sock)

    def ask(self, *words, timeout=5.0):
        with contextlib.closing(self.client(timeout)) as client:
            return client.ask(*words)

    def of_faults(self, *words):
        """In the database that keys of faults are in."""
        with contextlib.closing(self.client()) as client:
            assert client.ask("SELECT", 15) == "OK"
            return client.ask(*words)

    def answers(self, *words, timeout=0.15):
        """Whether an ordinary client is answered in time; an answer that came later is none, even
        when this process did not run when its time was up and found both."""
        try:
            with contextlib.closing(self.client(timeout)) as client:
                end = time.monotonic() + timeout
                client.ask(*(words or ["PING"]))
                return time.monotonic() <= end
        except OSError:
            return False

    def slowest(self, wait_s=0.02, count=4):
        """Seconds that the slowest of some PINGs took, of an ordinary client. Apart, as of somebody who
        has other work, too: at once they might all be answered between two sleeps of the server."""
        with contextlib.closing(self.client()) as client:
            took = []
            for _ in range(count):
                began = time.monotonic()
                client.ask("PING")
                took.append(time.monotonic() - began)
                time.sleep(wait_s)
            return max(took)

    def stock(self, size, name="mine", ttl_ms=None):
        """Somebody's keys, in two databases; of that name there are no others then."""
        with contextlib.closing(self.client()) as client:
            client.ask("FLUSHALL" if name == "mine" else "PING")
            count = size // STOCK_BYTES
            for n in range(count):
                if n == count - 50:
                    client.ask("SELECT", "3")
                client.ask("SET", f"{name}:{n}", "x" * STOCK_BYTES,
                           *(["PX", ttl_ms] if ttl_ms else []))

    def info(self, key):
        """A number that INFO tells; keys: in all databases."""
        text = self.ask("INFO")
        if key == "keys":
            return sum(int(n) for n in re.findall(r"^db\d+:keys=(\d+)", text, re.M))
        return int(re.search(rf"^{key}:(\d+)", text, re.M).group(1))


class Passage:
    """Stands between a server and its clients; on_connection(n) happens before the nth is let in."""

    def __init__(self, address, port, on_connection):
        self.server, self.on_connection = (address, port), on_connection
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            for number in itertools.count(1):
                client, _ = self.listener.accept()
                self.on_connection(number)
                server = socket.create_connection(self.server)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def carry(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


@contextlib.contextmanager
def passage(lab, server, on_connection=lambda number: None):
    """What the agent takes for the first database is a server behind it."""
    between = Passage(server.address, server.port, on_connection)
    topology = json.loads(lab.topology_file.read_text())
    [database] = [s["instances"][0] for s in topology["services"] if s["name"] == "pg"]
    database["port"] = between.port
    lab.topology_file.write_text(json.dumps(topology))
    try:
        yield
    finally:
        between.close()
        lab.write()


class Relay:
    """Stands between a server and its clients, and keeps the second CLIENT LIST to itself until the
    server has ended that client."""

    def __init__(self, server):
        self.server, self.lists, self.held = server, 0, 0
        self.listener = socket.create_server((server.address, 0))
        self.address, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=self.listener.accept()[:1],
                                 daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection((self.server.address, self.server.port)) as server:
            answers = threading.Thread(target=self.carry, args=(server, client), daemon=True)
            answers.start()
            self.carry(client, server, answers)

    def carry(self, source, sink, until=None):
        """until: to the server, and what ends with the session there."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                at = data.find(b"*4\r\n$6\r\nCLIENT\r\n$4\r\nLIST") if until is not None else -1
                self.lists += at >= 0
                if at >= 0 and self.lists == 2:
                    sink.sendall(data[:at])
                    until.join(10)
                    self.held += not until.is_alive()
                    return
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


class Client:
    """Redis' protocol, as far as these tests go."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        assert self.ask("AUTH", PASSWORD) == "OK"

    def ask(self, *words):
        encoded = [str(word).encode() for word in words]
        self.sock.sendall(b"*%d\r\n" % len(encoded) +
                          b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line:
            raise ConnectionResetError("closed by Redis")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def lives(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def close(self):
        self.file.close()
        self.sock.close()


def redis_fault(action, targets=("redis-41",), pause="all", mib=0, every_s=0.0, service="redis",
                time_s=0.0, **more):
    return fault("redis", service, list(targets), action=action, pause=pause, bytes=mib << 20,
                 everyNs=int(every_s * 1e9), timeNs=int(time_s * 1e9), **more)


def rabbitmq_fault(action, targets=("rmq-1",), every_s=0.0, mib=0, service="rmq", **more):
    return fault("rabbitmq", service, list(targets), action=action, everyNs=int(every_s * 1e9),
                 bytes=mib << 20, **more)


class Alias:
    """An instance under a second name: two faults of one kind are for two targets, and starting
    another process may take seconds."""

    def __init__(self, instance, name):
        self.instance, self.name = instance, name

    def __getattr__(self, name):
        return getattr(self.instance, name)

    def topology(self):
        return {**self.instance.topology(), "name": self.name}

    def stop(self):
        pass  # the other name's


class Broker:
    """A RabbitMQ node whose process an Instance keeps, and ordinary clients of it (pika)."""

    def __init__(self, address):
        self.node = Rabbit(address, management=True)
        with open(self.node.root / "rabbitmq.conf", "a", encoding="utf-8") as settings:
            settings.write("vm_memory_high_watermark.absolute = 400MB\n")

    def launch(self, platform, name):
        """It takes seconds in which other things can be done."""
        self.node.map_ports()
        self.instance = Instance(platform.folder, name, self.node.command(), self.node.address,
                                 self.node.port)
        return self

    def keep(self, platform, name, service="rmq"):
        platform.stores[service] = ("rabbitmq", credentials(
            platform.folder, "rabbitmq", user="app", password=RABBIT_PASSWORD,
            managementPort=self.node.management_port))
        platform.add(service, self.instance, patience_s=90)
        wait_until(self.node.ready, 90, f"RabbitMQ, see {self.node.root}")
        return self

    def connect(self):
        """Again while the node is just starting, or somebody closes connections."""
        return wait_until(self.try_connect, 60, "connected")

    def try_connect(self):
        import pika
        try:
            return BrokerClient(self.node)
        except (pika.exceptions.AMQPError, OSError):
            return None

    def add_user(self, name, *vhosts):
        """Who may do everything there; the virtual hosts are made."""
        if name != "app":
            assert self.node.api("PUT", f"/api/users/{name}", {
                "password": RABBIT_PASSWORD, "tags": ""}).status in (201, 204)
        for vhost in map(urllib.parse.quote_plus, vhosts):
            if vhost != "%2F":
                assert self.node.api("PUT", f"/api/vhosts/{vhost}").status in (201, 204)
            assert self.node.api("PUT", f"/api/permissions/{vhost}/{name}", {
                "configure": ".*", "write": ".*", "read": ".*"}).status in (201, 204)

    @contextlib.contextmanager
    def client(self, vhost="/", user="app"):
        client = BrokerClient(self.node, vhost, user)
        try:
            yield client
        finally:
            client.close()

    def names(self):
        return [c["name"] for c in json.loads(
            self.node.api("GET", "/api/connections?disable_stats=true").body)]

    def listed(self, count):
        wait_until(lambda: len(self.names()) == count, 20, f"{count} connections are listed")

    def has(self, queue):
        """Asked over HTTP: a connection could be closed by another fault."""
        return self.node.api("GET", f"/api/queues/%2F/{queue}").status == 200

    def depth(self, queue):
        """None: there is no such queue."""
        import pika
        try:
            return self.node.depth(queue)
        except pika.exceptions.ChannelClosedByBroker as error:
            assert error.reply_code == 404, error
            return None

    def delete(self, queue):
        assert self.node.api("DELETE", f"/api/queues/%2F/{queue}").status == 204

    def close(self):
        self.instance.stop()
        self.node.close()


class BrokerClient:
    """Connected, and reading what the broker says."""

    def __init__(self, node, vhost="/", user="app"):
        import pika
        self.why, self.closing = "", False
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(
            node.address, node.port, vhost, pika.PlainCredentials(user, RABBIT_PASSWORD),
            socket_timeout=10))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        import pika
        try:
            while not self.closing:
                self.connection.process_data_events(time_limit=0.02)
            self.connection.close()
        except (pika.exceptions.AMQPError, OSError) as error:
            self.why = str(error)

    def lives(self):
        return self.reader.is_alive()

    def close(self):
        self.closing = True
        self.reader.join(10)
