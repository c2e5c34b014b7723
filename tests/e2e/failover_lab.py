# SPDX-License-Identifier: Apache-2.0
"""Clusters of stores, each node in a network namespace of its own, and what fails them over."""

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

from chaos_lab import SUBNET, Instance, fault, make_namespace
from conftest import SCRATCH, wait_until
from rabbit_lab import Rabbit
from services import PG_BIN, as_postgres, call, descendants
from stores_lab import PASSWORD, Cache, Client, credentials


class Node(Cache):
    """A Redis server that replicates, in a namespace."""

    def __init__(self, number):
        super().__init__(f"{SUBNET}.{number}", 6379)
        self.number, self.name = number, f"redis-{number}"

    def keep(self, platform, bridge, primary=None, service="redis"):
        folder = platform.folder / self.name
        folder.mkdir()
        settings = folder / "redis.conf"
        settings.write_text(
            f"bind {self.address} 127.0.0.1\nport {self.port}\ndir {folder}\nsave \"\"\n"
            f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\nrepl-diskless-sync-delay 0\n"
            + (f"replicaof {primary.address} {primary.port}\n" if primary else ""))
        self.instance = platform.add(service, Instance(
            platform.folder, self.name, ["redis-server", str(settings)], self.address, self.port,
            make_namespace(platform, bridge, self.number)))
        return self

    def role(self):
        """"master", "slave" while it follows, or None while there is neither."""
        try:
            text = self.ask("INFO", "replication", timeout=0.5)
        except OSError:
            return None
        return "master" if "role:master" in text else (
            "slave" if "master_link_status:up" in text else None)


class Sentinel:
    """One that looks ten times as often as usual (SENTINEL DEBUG): the rest of its time is what it is
    told to wait."""
    QUICK = ("INFO-PERIOD", 100, "PING-PERIOD", 100, "ASK-PERIOD", 100, "PUBLISH-PERIOD", 100,
             "MIN-LINK-RECONNECT-PERIOD", 100, "ELECTION-TIMEOUT", 1000,
             "TILT-TRIGGER", 3600_000)  # one that was stopped goes on at once

    def __init__(self, folder, port, primary, quorum, down_ms):
        self.port = port
        settings = folder / f"sentinel-{port}.conf"
        settings.write_text(
            f"bind {SUBNET}.1\nport {port}\ndir {folder}\nprotected-mode no\n"
            f"sentinel monitor mine {primary.address} {primary.port} {quorum}\n"
            f"sentinel auth-pass mine {PASSWORD}\n"
            f"sentinel down-after-milliseconds mine {down_ms}\n"
            "sentinel failover-timeout mine 1000\nsentinel parallel-syncs mine 4\n")
        with open(folder / f"sentinel-{port}.log", "ab") as log:
            self.process = subprocess.Popen(["redis-server", str(settings), "--sentinel"], stdout=log,
                                            stderr=log)
        wait_until(lambda: self.ask("PING") == "PONG", 10, f"Sentinel, see {folder}")
        self.ask("SENTINEL", "DEBUG", *self.QUICK)

    def ask(self, *words):
        with contextlib.suppress(OSError):
            sock = socket.create_connection((f"{SUBNET}.1", self.port), timeout=2)
            with contextlib.closing(Open(sock)) as client:
                return client.ask(*words)
        return None

    def state(self):
        words = self.ask("SENTINEL", "MASTER", "mine")
        return dict(zip(words[::2], words[1::2])) if isinstance(words, list) else {}

    def sees(self, followers, others):
        state = self.state()
        return (state.get("flags") == "master" and int(state["num-slaves"]) == followers and
                int(state["num-other-sentinels"]) == others)

    def close(self):
        self.process.kill()
        self.process.wait(10)


class Open(Client):
    """Of a server without a password."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")


class Guarded:
    """A primary, its replicas, and Sentinels outside of their namespaces."""

    def __init__(self, platform, bridge, numbers, sentinels, service="redis", port=26379,
                 down_ms=300):
        platform.stores[service] = ("redis", credentials(platform.folder, f"{service}-guarded",
                                                         password=PASSWORD))
        self.nodes, self.sentinels = {}, []
        try:
            self._start(platform, bridge, numbers, sentinels, service, port, down_ms)
        except BaseException:
            self.close()
            raise

    def _start(self, platform, bridge, numbers, sentinels, service, port, down_ms):
        for number in numbers:
            node = Node(number)
            node.keep(platform, bridge, next(iter(self.nodes.values()), None), service)
            self.nodes[node.name] = node
        first = next(iter(self.nodes.values()))
        wait_until(lambda: self.roles().count("slave") == len(numbers) - 1, 20, "replicas follow")
        for i in range(sentinels):
            self.sentinels.append(Sentinel(platform.folder, port + i, first, sentinels // 2 + 1,
                                           down_ms))
        self.watched()

    def watched(self):
        wait_until(lambda: all(s.sees(len(self.nodes) - 1, len(self.sentinels) - 1)
                               for s in self.sentinels), 20, "Sentinels see all")

    def roles(self):
        return [node.role() for node in self.nodes.values()]

    def whole(self):
        return self.roles().count("master") == 1 and None not in self.roles()

    def primary(self):
        """Its name, once there is one, and all others follow it."""
        wait_until(self.whole, 30, "one primary, and all others follow it")
        return next(name for name, node in self.nodes.items() if node.role() == "master")

    def agree(self, name):
        """All Sentinels know that one leads: one that does not yet would make it follow again."""
        wait_until(lambda: all(s.state().get("ip") == self.nodes[name].address
                               for s in self.sentinels), 20, f"Sentinels know that {name} leads")

    def lead(self, name):
        """That one becomes the primary, by its Sentinel, which refuses while it does not see all."""
        def leads():
            if self.nodes[name].role() == "master":
                return True
            self.sentinels[0].ask("SENTINEL", "FAILOVER", "mine")
            return False
        if self.primary() != name:
            wait_until(leads, 30, f"{name} leads")
            self.agree(name)
            self.primary()

    @contextlib.contextmanager
    def unguarded(self):
        """Nobody fails over."""
        for sentinel in self.sentinels:
            os.kill(sentinel.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for sentinel in self.sentinels:
                os.kill(sentinel.process.pid, signal.SIGCONT)

    def close(self):
        for sentinel in self.sentinels:
            sentinel.close()


def redis_failover(target, members=("redis",), restored_s=30.0, service="redis", **more):
    return fault("redis", service, [target], action="failover", pause="all", bytes=0, everyNs=0,
                 timeNs=0, members=list(members), restoredWithinNs=int(restored_s * 1e9), **more)


class Mate(Rabbit):
    """A RabbitMQ node in a namespace, which joins the first of its cluster at its start."""

    def __init__(self, platform, bridge, number, first=None):
        self.netns = make_namespace(platform, bridge, number)
        self.first = first
        super().__init__(f"{SUBNET}.{number}", management=True,
                         wrap=["ip", "netns", "exec", self.netns])
        self.name = f"rmq-{number}"

    def _write(self):
        self.node = f"squall@{self.address}"
        super()._write()
        cookie = self.root / ".erlang.cookie"
        cookie.write_text("squall")
        cookie.chmod(0o400)
        with open(self.root / "rabbitmq.conf", "a", encoding="utf-8") as settings:
            settings.write("cluster_partition_handling = autoheal\n"
                           "cluster_formation.peer_discovery_backend = classic_config\n"
                           f"cluster_formation.classic_config.nodes.1 = "
                           f"{(self.first or self).node}\n")

    @property
    def environment(self):
        return {**super().environment, "RABBITMQ_USE_LONGNAME": "true",
                "ERL_EPMD_ADDRESS": self.address}

    def keep(self, platform, service="rmq"):
        self.map_ports()
        platform.add(service, Instance(platform.folder, self.name, self.command(), self.address,
                                       self.port, self.netns), patience_s=90)
        wait_until(self.ready, 90, f"RabbitMQ, see {self.root}")

    def sees(self, *mates):
        """Those run in its eyes, and no others do; nobody is parted."""
        with contextlib.suppress(OSError, ValueError):
            answer = self.api("GET", "/api/nodes")
            return answer.status == 200 and {
                (one["name"], one["running"], bool(one.get("partitions")))
                for one in answer.json} == {(mate.node, True, False) for mate in mates}
        return False


def rabbitmq_stop(target, members=("rmq",), restored_s=60.0, **more):
    return fault("rabbitmq", "rmq", [target], action="stopNode", bytes=0, everyNs=0,
                 members=list(members), restoredWithinNs=int(restored_s * 1e9), **more)


class Patroni:
    """PostgreSQL servers, each in a namespace with a Patroni of its own, and an etcd outside of them. Its
    ttl is the least that Patroni takes."""
    TTL_S = 20

    def __init__(self, platform, bridge, numbers):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="squall-patroni-", dir=SCRATCH))
        user = pwd.getpwnam("postgres")
        os.chown(self.root, user.pw_uid, user.pw_gid)
        self.addresses = {f"pg-{number}": f"{SUBNET}.{number}" for number in numbers}
        self.etcd = None
        try:
            self._start(platform, bridge, numbers)
        except BaseException:
            self.close(platform)
            raise

    def _start(self, platform, bridge, numbers):
        platform.stores["pg"] = ("postgres", credentials(
            platform.folder, "pg", user="postgres", password=PASSWORD, database="postgres"))
        client, peer = f"http://{SUBNET}.1:2379", f"http://{SUBNET}.1:2380"
        with open(self.root / "etcd.log", "ab") as log:
            self.etcd = subprocess.Popen(
                ["etcd", "--name", "one", "--data-dir", str(self.root / "etcd"),
                 "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", f"one={peer}", "--unsafe-no-fsync"], stdout=log, stderr=log)
        wait_until(self.stores, 20, f"etcd, see {self.root}")
        for number, name in zip(numbers, self.addresses):
            platform.add("pg", Instance(platform.folder, name, self.command(name),
                                        self.addresses[name], 5432,
                                        make_namespace(platform, bridge, number)), patience_s=60)
            wait_until(lambda name=name: self.role(name), 60, f"{name}, see {platform.folder}")

    def stores(self):
        with contextlib.suppress(OSError):
            return call(2379, "GET", "/health", address=f"{SUBNET}.1").status == 200
        return False

    def command(self, name):
        folder, address = self.root / name, self.addresses[name]
        settings = self.root / f"{name}.yml"
        settings.write_text(json.dumps({  # which is YAML, too
            "scope": "squall", "name": name, "etcd3": {"host": f"{SUBNET}.1:2379"},
            "restapi": {"listen": f"{address}:8008", "connect_address": f"{address}:8008"},
            "bootstrap": {
                "dcs": {"ttl": self.TTL_S, "loop_wait": 1, "retry_timeout": 3,
                        "postgresql": {"use_pg_rewind": True}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"],
                "pg_hba": ["local all all trust", "host all all all scram-sha-256",
                           "host replication all all scram-sha-256"]},
            "postgresql": {
                "listen": f"{address}:5432", "connect_address": f"{address}:5432",
                "data_dir": str(folder), "bin_dir": str(PG_BIN), "pgpass": f"{folder}.pass",
                "authentication": {"superuser": {"username": "postgres", "password": PASSWORD},
                                   "replication": {"username": "copy", "password": PASSWORD}},
                "remove_data_directory_on_diverged_timelines": True,
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
                "parameters": {"fsync": "off", "unix_socket_directories": ""}}}))
        return [*as_postgres(), "env", "-C", str(self.root), "patroni", str(settings)]

    def role(self, name):
        """"primary", or "standby" while it streams, or None."""
        done = self.psql(name, "SELECT pg_is_in_recovery(), count(status) FROM pg_stat_wal_receiver "
                               "WHERE status = 'streaming'")
        return {"f|0": "primary", "t|1": "standby"}.get(done.stdout.strip())

    def psql(self, name, text):
        return subprocess.run(
            [str(PG_BIN / "psql"), "-XAtq", "-h", self.addresses[name], "-U", "postgres", "-c", text],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "2"})

    def roles(self):
        return {name: self.role(name) for name in self.addresses}

    def close(self, platform):
        """The servers live on without their Patroni."""
        for name in self.addresses:
            instance = platform.instances.get(name)
            if instance is not None:
                instance.stopping, instance.restart = True, False
                for pid in reversed(descendants(instance.process.pid)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if self.etcd is not None:
            self.etcd.kill()
            self.etcd.wait(10)
        shutil.rmtree(self.root, ignore_errors=True)


def postgres_failover(target, members=("pg",), restored_s=60.0, **more):
    return fault("postgres", "pg", [target], action="failover", everyNs=0, table=None, lock="all",
                 left=0, members=list(members), restoredWithinNs=int(restored_s * 1e9), **more)
