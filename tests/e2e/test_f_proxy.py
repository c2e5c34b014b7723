# SPDX-License-Identifier: Apache-2.0
"""Faults of the proxy in the target's namespace: tcp. Real processes, real connections from where
clients are, and every death: what is held ends, what comes next goes direct."""

import concurrent.futures
import contextlib
import signal
import socket
import threading
import time

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, S, all_ok, agent, agent_options, bridge,
                       evidence, fault, platform, ruleset, sh, tcp_socket)
from conftest import wait_until

pytestmark = NEEDS_ROOT
MS = 1_000_000
LEASE_S = 1.0


def tcp_fault(toxic, nbytes=0, time_ms=0, targets=("api-11",), peers=(), direction="inbound",
              port=0, service="api", **more):
    return fault("tcp", service, list(targets), direction=direction, peers=list(peers), port=port,
                 toxic=toxic, bytes=nbytes, timeNs=int(time_ms * MS), **more)


class Client:
    """A connection to an instance, from the host or from a namespace."""

    def __init__(self, platform, name="api-11", netns=None, timeout=5.0):
        instance = platform.instances[name]
        self.sock = tcp_socket(netns)
        self.sock.settimeout(timeout)
        self.sock.connect((instance.address, instance.port))

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


def echoes(platform, name="api-11", netns=None, timeout=1.0):
    try:
        with Client(platform, name, netns, timeout) as client:
            return client.echo() == (b"hello", "more")
    except OSError:
        return False


@contextlib.contextmanager
def injected(agent, spec):
    status, record = agent.post(spec)
    assert status == 200 and record["state"] == "active", record
    yield record
    status, record = agent.delete(spec)
    assert status == 200 and record["state"] == "gone", record
    assert {e["when"] for e in record["evidence"]} == {"before", "during", "after"}
    assert all_ok(record), record["evidence"]


# --- every toxic, as clients see it ---

def see_latency(client):
    began = time.monotonic()
    assert client.echo() == (b"hello", "more")
    assert 0.15 <= time.monotonic() - began < 0.6


def see_slices(client):
    began = time.monotonic()
    client.sock.sendall(b"x" * 40)
    sizes = []
    while sum(sizes) < 40:
        sizes.append(len(client.sock.recv(100)))
    assert max(sizes) <= 20 and time.monotonic() - began > 0.8 * 3 * 0.05


def see_limit(client):
    client.sock.sendall(b"y" * 100)
    assert client.hear(200) == (b"y" * 64, "closed")


def see_reset(client):
    client.sock.sendall(b"z" * 100)
    assert client.hear(200) == (b"z" * 64, "reset")


def see_reset_later(client):
    began = time.monotonic()
    assert client.echo() == (b"hello", "more")
    assert client.hear(1) == (b"", "reset")
    assert 0.2 < time.monotonic() - began < 0.6


def see_nothing(client):
    client.sock.settimeout(0.4)
    assert client.echo() == (b"", "silent")


def see_slow_close(client):
    assert client.echo() == (b"hello", "more")
    began = time.monotonic()
    client.sock.shutdown(socket.SHUT_WR)
    assert client.hear(1) == (b"", "closed")
    assert 0.15 <= time.monotonic() - began < 0.6


TOXICS = {"latency": (0, 200, see_latency), "slicer": (10, 50, see_slices),
          "limitData": (64, 0, see_limit), "resetAfterBytes": (64, 0, see_reset),
          "resetAfter": (0, 300, see_reset_later), "timeout": (0, 0, see_nothing),
          "slowClose": (0, 200, see_slow_close)}


@pytest.mark.parametrize("toxic", TOXICS)
def test_a_toxic_is_there_and_goes(agent, platform, toxic):
    nbytes, time_ms, see = TOXICS[toxic]
    with injected(agent, tcp_fault(toxic, nbytes, time_ms)), Client(platform) as client:
        see(client)
    with Client(platform) as client, pytest.raises(AssertionError):
        see(client)
