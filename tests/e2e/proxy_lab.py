# SPDX-License-Identifier: Apache-2.0
"""Faults of the proxy, and the name server and resolver that those of dns are seen with."""

import contextlib
import socket
import struct
import subprocess

import pytest

from chaos_lab import all_ok, fault, tcp_socket
from conftest import wait_until

MS = 1_000_000


def tcp_fault(toxic, nbytes=0, time_ms=0, targets=("api-11",), peers=(), direction="inbound",
              ports=(), service="api", jitter_ms=0, share=1.0, seed=7, **more):
    more.setdefault("lease_s", 10.0)  # nobody renews: it must not lapse on a busy machine
    return fault("tcp", service, list(targets), direction=direction, peers=list(peers),
                 ports=[str(port) for port in ports], toxic=toxic, bytes=nbytes,
                 timeNs=int(time_ms * MS), jitterNs=int(jitter_ms * MS), share=share, seed=seed,
                 **more)


def http_fault(action, targets=("gateway-14",), **more):
    details = {"direction": "inbound", "peers": [], "ports": [], "method": None, "path": None,
               "pathPrefix": "/api/", "headers": [], "share": 1.0, "seed": 7, "action": action,
               "status": 0, "body": None, "timeNs": 0, "jitterNs": 0, "bytes": 0, "set": [], "remove": []}
    extra = {k: more.pop(k) for k in list(more) if k in details}
    more.setdefault("lease_s", 10.0)
    return fault("http", "gateway", list(targets), **{**details, **extra}, **more)


class Client:
    """A connection to an instance, from the host or from a namespace."""

    def __init__(self, platform, name="api-11", netns=None, timeout=5.0, port=None,
                 source=None):
        instance = platform.instances[name]
        self.sock = tcp_socket(netns)
        self.sock.settimeout(timeout)
        if source is not None:
            self.sock.bind(source)
        self.sock.connect((instance.address, port or instance.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def echo(self, data=b"hello"):
        self.sock.sendall(data)
        return self.hear(len(data))

    def hear(self, count):
        """Up to count bytes, and how it ended: "more", "closed", "reset" or "silent"."""
        got = b""
        while len(got) < count:
            try:
                piece = self.sock.recv(count - len(got))
            except TimeoutError:
                return got, "silent"
            except ConnectionError:
                return got, "reset"
            if not piece:
                return got, "closed"
            got += piece
        return got, "more"


@contextlib.contextmanager
def injected(agent, spec):
    status, record = agent.post(spec)
    assert status == 200 and record["state"] == "active", record
    yield record
    status, record = agent.delete(spec)
    assert status == 200 and record["state"] == "gone", record
    assert {e["when"] for e in record["evidence"]} == {"before", "during", "after"}
    assert all_ok(record), record["evidence"]


ZONE = """
import socket, struct, sys, threading
address = sys.argv[1]
def answer(q):
    name = q[12:q.index(b"\\0", 12)]
    known = name.lower().endswith(b"\\x04test")
    head = q[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, int(known), 0, 0)
    end = q.index(b"\\0", 12) + 5
    rr = b"\\xc0\\x0c" + struct.pack("!HHIH4B", 1, 1, 60, 4, 192, 0, 2, 1)
    return head + q[12:end] + (rr if known else b"")
def serve(connection):
    try:
        while size := connection.recv(2, socket.MSG_WAITALL):
            reply = answer(connection.recv(*struct.unpack("!H", size), socket.MSG_WAITALL))
            connection.sendall(struct.pack("!H", len(reply)) + reply)
    except ConnectionError:
        pass
    connection.close()
def tcp(listener):
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
threading.Thread(target=tcp, args=(socket.create_server((address, 53)),), daemon=True).start()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((address, 53))
while True:
    q, peer = udp.recvfrom(4096)
    udp.sendto(answer(q), peer)
"""


def dns_fault(server, answer="nxdomain", names=("db.test", "*.far.test"), **more):
    details = {"names": list(names), "share": 1.0, "seed": 7, "answer": answer, "address": None,
               "server": server}
    extra = {k: more.pop(k) for k in list(more) if k in details}
    targets = more.pop("targets", ("api-11",))
    more.setdefault("lease_s", 10.0)
    return fault("dns", "api", list(targets), **{**details, **extra}, **more)


def lookup(platform, server, name, over="udp", instance="api-11", timeout=0.5, sock=None):
    """(rcode, address) as the instance gets it; "silent" when it gets nothing."""
    query = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\1\0\1"
    own = sock or tcp_socket(platform.instances[instance].netns,
                             socket.SOCK_STREAM if over == "tcp" else socket.SOCK_DGRAM)
    own.settimeout(timeout)
    try:
        if sock is None:
            own.connect((server, 53))
        if over == "tcp":
            own.sendall(struct.pack("!H", len(query)) + query)
            reply = own.recv(struct.unpack("!H", own.recv(2, socket.MSG_WAITALL))[0],
                             socket.MSG_WAITALL)
        else:
            own.send(query)
            reply = own.recv(4096)
    except TimeoutError:
        return "silent"
    finally:
        if sock is None:
            own.close()
    assert reply[:2] == query[:2]
    found = reply[7] and socket.inet_ntoa(reply[-4:])
    return reply[3] & 15, found or None


RIGHT = (0, "192.0.2.1")


@pytest.fixture(scope="module")
def zone(platform):
    """A name server in a namespace: it knows every name under test."""
    instance = platform.instances["store-13"]
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{instance.netns}", "/usr/bin/python3",
                                "-c", ZONE, instance.address])
    wait_until(lambda: connected(platform, instance.address, 53), 10, "the name server listens")
    yield instance.address
    process.kill()
    process.wait()


def connected(platform, address, port):
    with tcp_socket(platform.instances["api-12"].netns) as sock:
        sock.settimeout(0.3)
        return sock.connect_ex((address, port)) == 0
