# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test shares: where the programs are, and waiting with a deadline."""

import contextlib
import os
import pathlib
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SQUALL_BIN", ROOT / "build" / "release" / "bin"))
SANITIZED = any(word in (BIN / "squall-agent").read_bytes()
                for word in (b"__asan_init", b"__tsan_init"))


def _own_number():
    last = 250
    for offset in range(last):
        number = (os.getpid() + offset) % last + 1
        held = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            held.bind(f"\0squall-e2e-{number}")
            return number, held
        held.close()
    raise RuntimeError(f"{last} processes run tests already")


# 1 to 250, and no other process that runs tests on this machine has it: subnets are named by it.
NUMBER, _HELD = _own_number()


def _scratch():
    """Where servers of tests have their data: not on a disk if there is room in memory. A file system's
    journal is one for all, and an fsync of the agent's waits for what a new database has written."""
    memory = pathlib.Path("/dev/shm")
    if os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        room = os.statvfs(memory)
        if room.f_bavail * room.f_frsize >= 8 << 30:
            return str(memory)
    return "/var/tmp"


SCRATCH = _scratch()


def pytest_addoption(parser):
    parser.addoption("--share", default="1/1", metavar="K/N",
                     help="the K-th of N shares of the tests, so that all of them are run in turn")


def pytest_report_header(config):
    return f"share {config.getoption('--share')} of the tests"


def wait_until(condition, deadline_s, what):
    """Polls condition() until it is truthy and returns that value; fails when a look that began
    after deadline_s was in vain. One that began before and took longer, on a busy machine, proves
    nothing."""
    end = time.monotonic() + deadline_s
    while True:
        last = time.monotonic() > end
        value = condition()
        if value:
            return value
        if last:
            pytest.fail(f"not within {deadline_s} s: {what}")
        time.sleep(0.02)


def each_process(look):
    """{pid: what look finds of it}, where that is neither None nor False; look gets its folder in
    /proc. Who ends meanwhile, or may not be looked at, is left out."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            seen = look(entry) if entry.name.isdigit() else None
            if seen is not None and seen is not False:
                found[int(entry.name)] = seen
    return found


def command_of(process):
    """Its command line, as words; process: its folder in /proc."""
    return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")


def run(*args, timeout=120, env=None, **kwargs):
    """Runs a program of the build (first argument its name) and returns CompletedProcess."""
    command = [str(BIN / args[0]), *map(str, args[1:])]
    merged = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=merged,
                          check=False, **kwargs)


# Files by how long they take, measured: with --dist loadfile the longest must not begin last. Any
# other file follows in the order of its name.
LONGEST = ["test_f_matrix", "test_f_track_matrix", "test_f_netem", "test_d_sandbox", "test_m_experiments", "test_o_deaths",
           "test_f_agent", "test_n_signals", "test_e_load", "test_f_network", "test_n_verdicts", "test_f_proxy",
           "test_m_orchestration"]


@pytest.hookimpl(trylast=True)  # of what -k and -m leave
def pytest_collection_modifyitems(config, items):
    """Every so many of them, so that no share of a few is empty."""
    share, shares = map(int, config.getoption("--share").split("/"))
    kept = set(items[share - 1::shares])
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture
def is_root():
    return os.geteuid() == 0


@pytest.fixture(scope="module")
def sandbox():
    """A platform for all tests of a file that ask for it."""
    from experiment import start_sandbox, stop_sandbox  # which begins with this file
    box = start_sandbox()
    yield box
    stop_sandbox(box)
