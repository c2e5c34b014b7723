# SPDX-License-Identifier: Apache-2.0
"""Histogram logs go both ways between squall and an independent implementation, hdr-histogram-js:
same counts, same percentiles, same mean, same maximum, to the bit."""

import json
import shutil
import subprocess

import pytest
from conftest import BIN, ROOT, run
from load_lab import OK, serve  # noqa: F401

INTEROP = ROOT / "tests" / "interop"
EXACT = ("tag", "startMs", "lengthMs", "lowest", "highest", "figures", "total", "min", "max",
         "mean", "stddev", "percentiles", "counts")

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def call(*command):
    """Runs the command and returns the JSON that it prints."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def ours():
    """Runs our program; it is not installed, so it lies with the tests of the build."""
    program = BIN.parent / "tests" / "hdr_interop"
    assert program.exists(), f"build hdr_interop first: {program} is missing"
    return lambda *args: call(program, *args)


@pytest.fixture(scope="module")
def theirs():
    """Runs the other implementation, after installing exactly what the lock file says."""
    if not (INTEROP / "node_modules" / "hdr-histogram-js").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INTEROP,
                       check=True, timeout=300)
    return lambda *args: call("node", INTEROP / "hdr_interop.js", *args)


def rows_of(table):
    """The percentile table as numbers and words."""
    def value(word):
        try:
            return float(word)
        except ValueError:
            return word
    return [[value(word.strip("=,]")) for word in line.split()] for line in table.splitlines()]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right):
        for key in EXACT:
            assert one[key] == other[key], f"{key} of {one['tag']}"
        # Half of a last decimal is rounded either way: 2 ulp of the column are no difference.
        for row, other_row in zip(rows_of(one["table"]), rows_of(other["table"]), strict=True):
            assert row == pytest.approx(other_row, abs=0.0101 if len(row) == 4 else 0.00101) \
                if all(isinstance(word, float) for word in row) else len(row) == len(other_row)


@pytest.mark.parametrize("kind", ["64", "packed"])
def test_they_read_ours(ours, theirs, tmp_path, kind):
    log = tmp_path / "ours.hlog"
    written = ours("write", log)
    assert sum(entry["total"] for entry in written) > 100000
    read = theirs("read", log, kind)
    assert_same(written, read)
    assert_same(ours("read", log), read)


@pytest.mark.parametrize("kind", ["64", "packed"])
def test_we_read_theirs(ours, theirs, tmp_path, kind):
    log = tmp_path / "theirs.hlog"
    written = theirs("write", log, kind)
    assert [entry["tag"] for entry in written] == [None, "phase-1", None, "phase-3", None]
    assert_same(written, ours("read", log))


@pytest.mark.parametrize("kind", ["64", "packed"])
def test_they_read_a_load_s_log(ours, theirs, serve, tmp_path, kind):
    """In which lines of the grid's intervals lie behind those of later intervals of the load."""
    def behave(peer, head):
        server.loop.call_later(0.15 if server.requests % 10 == 0 else 0, peer.send, OK)

    server = serve(behave)
    log = tmp_path / "load.hlog"
    done = run("squall", "load", f"http://127.0.0.1:{server.port}/", "-r", 200, "-d", 1, "-c", 20,
               "--interval", "100ms", "--hlog", log)
    assert done.returncode in (0, 3), done.stderr
    read = theirs("read", log, kind)
    assert_same(ours("read", log), read)
    starts = [entry["startMs"] for entry in read]
    assert starts != sorted(starts)
    sums = {}
    for entry in read:
        for value, count in entry["counts"]:
            key = entry["tag"], value
            sums[key] = sums.get(key, 0) + count
    ways = [{value: count for (tag, value), count in sums.items() if tag == f"load/url/{one}"}
            for one in ("response", "ended")]
    assert ways[0] == ways[1] and sum(ways[0].values()) == server.requests


def test_the_comparison_sees_one_count(ours, theirs, tmp_path):
    """Guards the guard: a log that is off by one value in one interval is not the same."""
    log = tmp_path / "ours.hlog"
    written = ours("write", log)
    written[2]["counts"][0][1] += 1
    with pytest.raises(AssertionError):
        assert_same(written, theirs("read", log, "64"))
