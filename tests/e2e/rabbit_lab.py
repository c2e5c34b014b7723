# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ node of one's own, with nothing left behind, and clients of it that are not squall's."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from conftest import SCRATCH, each_process, wait_until
from services import call, free_port

SERVER = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # not the wrapper, which changes users
USER = "rabbitmq"  # of Debian's package
PASSWORD = "correct-horse-of-the-broker"
COUNTER = itertools.count()


def as_rabbit():
    """What to put before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]


class Rabbit:
    """Broker, port mapper, data and logs of its own; not under tmp_path, which only root may enter.

    wrap: what to put before its commands (ip netns exec ...). management: with rabbitmq_management,
    whose port is self.management_port. With port=None all ports are free ones of 127.0.0.1; where the
    address is another, in a namespace of its own, they are RabbitMQ's own.

    secure: its certificate and key; then it also speaks TLS, on self.tls_port.

    Two users that may do everything: guest, and app with PASSWORD. start() and close() keep the
    process; who wants to keep it himself (chaos_lab's Instance, which restarts) calls map_ports() and
    runs command(): it stays in the foreground and its pid is that of the broker itself."""

    def __init__(self, address="127.0.0.1", port=None, management=False, wrap=(), secure=()):
        own = port is None and address == "127.0.0.1"
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="squall-rmq-", dir=SCRATCH))
        self.address, self.wrap = address, list(wrap)
        self.port = free_port() if own else port or 5672
        self.management_port = (free_port() if own else 15672) if management else None
        self.tls_port, self.secure = free_port() if own else 5671, secure
        self.epmd_port = free_port() if own else 4369
        self.dist_port = free_port() if own else 25672
        self.node = f"squall-{os.getpid()}-{next(COUNTER)}@localhost"
        self.process = self.epmd = None
        self._write()
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            for path in (self.root, *self.root.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _write(self):
        definitions = {
            "users": [{"name": name, "password": password, "tags": "administrator"}
                      for name, password in (("guest", "guest"), ("app", PASSWORD))],
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": name, "vhost": "/", "configure": ".*", "write": ".*",
                             "read": ".*"} for name in ("guest", "app")]}
        (self.root / "definitions.json").write_text(json.dumps(definitions))
        lines = [f"listeners.tcp.1 = {self.address}:{self.port}", "loopback_users = none",
                 f"load_definitions = {self.root}/definitions.json", "log.file.level = warning",
                 "disk_free_limit.absolute = 10MB"]
        if self.secure:
            shutil.copyfile(self.secure[0], self.root / "cert.pem")
            shutil.copyfile(self.secure[1], self.root / "key.pem")
            lines += [f"listeners.ssl.1 = {self.address}:{self.tls_port}",
                      f"ssl_options.cacertfile = {self.root}/cert.pem",
                      f"ssl_options.certfile = {self.root}/cert.pem",
                      f"ssl_options.keyfile = {self.root}/key.pem",
                      "ssl_options.verify = verify_none"]
        if self.management_port:
            lines += [f"management.tcp.ip = {self.address}",
                      f"management.tcp.port = {self.management_port}"]
        (self.root / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        plugins = "rabbitmq_management" if self.management_port else ""
        (self.root / "plugins").write_text(f"[{plugins}].\n")

    @property
    def environment(self):
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node, "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_CONFIG_FILE": str(self.root / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.root / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.root / "data"),
            "RABBITMQ_LOG_BASE": str(self.root / "log"),
            # One scheduler, for what it saves at the start; in the foreground, by exec.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1", "RUNNING_UNDER_SYSTEMD": "true"}

    def _wrapped(self, *words):
        variables = [f"{key}={value}" for key, value in self.environment.items()]
        return [*self.wrap, "env", "-i", "-C", str(self.root), *variables, *as_rabbit(), *words]

    def command(self):
        return self._wrapped(str(SERVER))

    def map_ports(self):
        """The port mapper: one that nodes find running they do not start, as a daemon that stays."""
        with open(self.root / "epmd.log", "ab") as log:
            self.epmd = subprocess.Popen(self._wrapped("epmd", "-port", str(self.epmd_port)),
                                         stdout=log, stderr=log)
        wait_until(lambda: self._answers_at(self.epmd_port, "127.0.0.1"), 10, "epmd")

    def _answers_at(self, port, address):
        if self.wrap:  # its loopback is not ours
            return self.epmd.poll() is None
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return True
        return False

    def launch(self):
        """As start(), without waiting: it takes seconds in which other things can be done."""
        if self.epmd is None:
            self.map_ports()
        with open(self.root / "out", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return self

    def start(self):
        return self.launch().wait_ready()

    def wait_ready(self, deadline=90):
        wait_until(lambda: self.ready() or self._dead(), deadline, f"RabbitMQ, see {self.root}")
        assert not self._dead(), self._log()
        return self

    def _dead(self):
        return self.process is not None and self.process.poll() is not None

    def _log(self):
        return "\n".join(path.read_text()[-2000:] for path in [self.root / "out",
                                                               *self.root.glob("log/*.log")])

    def ready(self):
        """It offers its protocol, and with the plugin its interface."""
        try:
            with socket.create_connection((self.address, self.port), 1) as s:
                s.sendall(b"AMQP\0\0\x09\x01")
                if s.recv(7)[:3] != b"\x01\0\0":
                    return False
            return self.management_port is None or self.api("GET", "/api/overview").status == 200
        except OSError:
            return False

    # --- asking ---

    def api(self, method, path, body=None):
        """The management plugin's."""
        token = base64.b64encode(f"app:{PASSWORD}".encode()).decode()
        return call(self.management_port, method, path, body, {"Authorization": f"Basic {token}"},
                    address=self.address)

    @contextlib.contextmanager
    def channel(self):
        """Of an ordinary client: python3-pika."""
        import pika
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            self.address, self.port, "/", pika.PlainCredentials("app", PASSWORD),
            blocked_connection_timeout=10, socket_timeout=10))
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()

    def declare(self, queue, durable=False, **arguments):
        with self.channel() as channel:
            channel.queue_declare(queue, durable=durable, arguments=arguments or None)

    def depth(self, queue):
        """How many messages wait in it, by the broker's count."""
        with self.channel() as channel:
            return channel.queue_declare(queue, passive=True).method.message_count

    def publish(self, queue, *bodies):
        with self.channel() as channel:
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("", queue, body, mandatory=True)

    def take(self, queue):
        """The body of its first message, or None."""
        with self.channel() as channel:
            return channel.basic_get(queue, auto_ack=True)[2]

    def ctl(self, *words):
        """rabbitmqctl, which takes a second or two."""
        return subprocess.run(self._wrapped(str(SERVER.with_name("rabbitmqctl")), *words),
                              capture_output=True, text=True, timeout=120, check=True).stdout

    # --- its end ---

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def close(self):
        """SIGKILL at once: the data go anyway. The broker's helpers end with it."""
        for one in (self.process, self.epmd):
            if one is not None and one.poll() is None:
                one.send_signal(signal.SIGKILL)
                one.wait(10)
        end = time.monotonic() + 10
        while self._left() and time.monotonic() < end:
            time.sleep(0.02)
        shutil.rmtree(self.root, ignore_errors=True)

    def _left(self):
        """Processes that still work in its folder."""
        return each_process(
            lambda process: os.readlink(process / "cwd").startswith(str(self.root)))
