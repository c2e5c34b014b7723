# SPDX-License-Identifier: Apache-2.0
"""What `squall load` leaves and shows: files that are never half, merged logs, a live view."""

import collections
import csv
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.error
import urllib.parse

import pytest

from conftest import BIN, run, wait_until
from services import free_port
from test_a_hdr_interop import assert_same, ours, theirs  # noqa: F401 (fixtures)
from load_lab import (OK, fetch, fill_up, quantile, read_hlog, samples, serve, small_disk,  # noqa: F401
                      total)

QUICK = ("-c", "4", "-t", "1", "--interval", "100ms", "--arrivals", "constant")


def url_of(server):
    return f"http://127.0.0.1:{server.port}/"


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_all_outputs_tell_the_same(serve, tmp_path):
    done = run("squall", "load", url_of(serve()), "-r", "300", "-d", "1", *QUICK, "--json",
               "--quiet", "--hlog", tmp_path / "a.hlog", "--hgrm", tmp_path / "a.hgrm", "--csv",
               tmp_path / "a.csv")
    assert done.returncode in (0, 3) and done.stderr == "", done.stderr
    result = json.loads(done.stdout)
    ok = result["total"]["ok"]
    assert ok == 300
    assert names(tmp_path) == ["a.csv", "a.hgrm", "a.hlog"]  # and nothing half beside them
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert len(rows) == len(result["intervals"]) >= 2
    assert sum(int(row["ok"]) for row in rows) == ok
    assert [int(row["response_p99_ns"]) for row in rows] == [
        i["p99Ns"] for i in result["intervals"]]
    assert total(read_hlog((tmp_path / "a.hlog").read_text())["load/url/response"]) == ok
    table = (tmp_path / "a.hgrm").read_text()
    assert re.search(rf"Total count    = +{ok}\]", table)
    p100 = [line.split() for line in table.splitlines() if " 1.000000000000 " in line][-1]
    assert float(p100[0]) == pytest.approx(result["latency"]["response"]["maxNs"] / 1e6, rel=2e-3)
    assert int(p100[2]) == ok


def test_csv_on_standard_output(serve):
    url = url_of(serve())
    done = run("squall", "load", url, "-r", "100", "-d", "0.5", *QUICK, "--csv", "-")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert sum(int(row["ok"]) for row in rows) == 50 and "p99.9" in done.stderr
    done = run("squall", "load", url, "-r", "100", "-d", "0.5", *QUICK, "--csv", "-", "-q")
    assert done.stderr == "" and done.stdout.startswith("end_s,")
    assert run("squall", "load", url, "-r", "9", "--csv", "-", "--json").returncode == 2


def test_a_reader_that_leaves_is_an_error_and_leaves_nothing_half(serve, tmp_path):
    """squall load --csv - | head -1"""
    with start(url_of(serve()), "-r", "100", "-d", "60", *QUICK, "-q", "--csv", "-", "--hlog",
               tmp_path / "a.hlog", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        assert one.stdout.readline().startswith("end_s,")
        one.stdout.close()
        assert "standard output" in one.stderr.read()
        assert one.wait(20) == 5
    assert names(tmp_path) == []


def start(*args, **kwargs):
    return subprocess.Popen([BIN / "squall", "load", *map(str, args)], **kwargs)


def test_files_appear_when_they_are_whole(serve, tmp_path):
    """Until then, and for ever when squall is killed, what was there before is there."""
    (tmp_path / "a.hlog").write_text("the log of yesterday")
    server = serve()
    args = (url_of(server), "-r", "100", "-d", "60", *QUICK, "--hlog", tmp_path / "a.hlog", "--csv",
            tmp_path / "a.csv")
    for number in (signal.SIGKILL, signal.SIGINT):
        before = server.requests
        with start(*args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as one:
            wait_until(lambda: server.requests > before + 30, 20, "load")
            assert (tmp_path / "a.hlog").read_text() == "the log of yesterday"
            assert not (tmp_path / "a.csv").exists()
            one.send_signal(number)
            text = one.stdout.read().decode()
            assert one.wait(20) == (4 if number == signal.SIGINT else -number)
    assert "stopped early" in text
    counts = read_hlog((tmp_path / "a.hlog").read_text())["load/url/response"]
    assert total(counts) > 10
    assert sum(int(row["ok"]) for row in csv.DictReader((tmp_path / "a.csv").open())) == total(counts)


@pytest.mark.parametrize("option", ["--hlog", "--csv", "--hgrm"])
def test_disk_full_names_the_file(serve, tmp_path, option):
    with small_disk(tmp_path, "64k") as disk:
        server = serve()
        file = disk / "out"
        with start(url_of(server), "-r", "200", "-d", "1.5" if option == "--hgrm" else "60", *QUICK,
                   "--interval", "20ms", option, file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
            wait_until(lambda: server.requests > 20, 20, "load")
            fill_up(disk)
            _, told = one.communicate(timeout=30)
        assert one.returncode == 5, told
        assert f"cannot write {file}" in told and "space" in told
        assert names(disk) == ["filler"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_first_moment_leaves_nothing_half(serve, tmp_path, number):
    """As soon as there is a file, before any connection: the load ends in order, and the file has its
    name. (One that comes in time to be too late proves nothing: hence several.)"""
    server = serve()
    for i in range(4):
        folder = tmp_path / str(i)
        folder.mkdir()
        with start(url_of(server), "-r", "50", "-d", "60", "-c", "400", "-q", "--hlog",
                   folder / "a.hlog", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                   text=True) as one:
            end = time.monotonic() + 20
            while not names(folder) and time.monotonic() < end:
                pass
            one.send_signal(number)
            out, told = one.communicate(timeout=30)
        assert one.returncode == 4 and "stopped early" in out, (one.returncode, told)
        assert names(folder) == ["a.hlog"]


def test_results_that_cannot_be_printed_are_an_error(serve):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN / "squall", "load", url_of(serve()), "-r", "50", "-d", "0.3", "-q"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 5 and "standard output" in done.stderr


# --- merging ---


def test_merged_logs_are_read_elsewhere(serve, ours, theirs, tmp_path):  # noqa: F811
    """Two generators' logs, merged: the sums to the bucket, here and in another implementation."""
    server = serve()
    both = [start(url_of(server), "-r", rate, "-d", "1", *QUICK, "-q", "--hlog",
                  tmp_path / f"{name}.hlog", stdout=subprocess.DEVNULL)
            for name, rate in (("a", "300"), ("b", "170"))]
    assert all(one.wait(30) in (0, 3) for one in both)
    merged = tmp_path / "merged.hlog"
    done = run("squall", "load", "--merge", tmp_path / "a.hlog", tmp_path / "b.hlog", "-o", merged,
               "--json")
    assert done.returncode == 0, done.stderr
    sums = collections.defaultdict(collections.Counter)
    for name in "ab":
        for tag, counts in read_hlog((tmp_path / f"{name}.hlog").read_text()).items():
            sums[tag].update(counts)
    assert total(sums["load/url/response"]) == 470
    lines = [len((tmp_path / f"{name}.hlog").read_text().splitlines()) for name in
             ("a", "b", "merged")]
    assert lines[2] < lines[0] + lines[1] - 10, "at the same time: intervals became one"
    assert read_hlog(merged.read_text()) == sums
    there = theirs("read", merged, "64")
    assert_same(ours("read", merged), there)
    seen = collections.Counter()
    for entry in there:
        seen[entry["tag"]] += entry["total"]
    assert seen == {tag: total(counts) for tag, counts in sums.items()}
    # Percentiles of the sum, by an independent decoder.
    value = json.loads(done.stdout)
    assert value["latency"]["response"]["count"] == 470
    p99 = quantile(sums["load/url/response"], 0.99)
    assert value["tags"]["load/url/response"]["p99Ns"] / 1e9 == pytest.approx(p99, rel=2e-3)


def test_merge_refuses_what_it_cannot_trust(serve, tmp_path):
    log = tmp_path / "a.hlog"
    assert run("squall", "load", url_of(serve()), "-r", "100", "-d", "0.5", *QUICK, "-q", "--hlog",
               log).returncode in (0, 3)
    cut = tmp_path / "cut.hlog"
    cut.write_text(log.read_text()[:-30])
    lines = len(log.read_text().splitlines())
    other = tmp_path / "other.csv"
    other.write_text("end_s,ok\n1.0,5\n")
    for args, told in (([log, other], f"{other}:1: the start is not a number of its kind: is it a "
                        "histogram log?"), ([log, cut], f"{cut}:{lines}: "), ([log, log], "count twice"),
                       ([log, tmp_path / "none"], "none"), ([], "files are needed"),
                       ([log, "-r", "5"], "--rate means nothing"),
                       ([log, "-o", tmp_path / "no" / "such"], "no/such")):
        done = run("squall", "load", "--merge", *args)
        assert done.returncode == (5 if "-o" in args else 2) and done.stdout == "", args
        assert told in done.stderr
    done = run("squall", "load", "--merge", log, "-o", "/dev/full")
    assert done.returncode == 5 and "/dev/full" in done.stderr
    assert run("squall", "load", url_of(serve()), "-r", "5", "-o", log).returncode == 2


# --- the live view ---


class Screen:
    """A terminal of some columns: what its lines hold, and where the cursor is. Knows what the view
    uses and fails on all else, so that no mode can be left behind unseen."""

    def __init__(self, cols):
        self.cols, self.rows, self.row, self.col = cols, [""], 0, 0
        self.wrapped = 0
        self.frames = 0

    def feed(self, text):
        for part in re.findall(r"\x1b\[\d*[A-Za-z?]|\r|\n|[^\x1b\r\n]+|\x1b", text):
            if part == "\r":
                self.col = 0
            elif part == "\n":
                self.row += 1
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif re.fullmatch(r"\x1b\[\d+A", part):
                assert int(part[2:-1]) <= self.row
                self.row -= int(part[2:-1])
            elif part == "\x1b[J":
                self.frames += 1
                self.rows = self.rows[:self.row] + [self.rows[self.row][:self.col]]
            else:
                assert part[0] != "\x1b", f"not expected: {part!r}"
                line = self.rows[self.row].ljust(self.col)
                self.rows[self.row] = line[:self.col] + part + line[self.col + len(part):]
                self.col += len(part)
                self.wrapped += self.col >= self.cols

    def text(self):
        return "\n".join(self.rows)


class Terminal:
    """squall load with standard error on a terminal of its own."""

    def __init__(self, args, cols, lines=24, term="xterm"):
        self.master, self.slave = pty.openpty()
        self.resize(cols, lines)
        self.modes = termios.tcgetattr(self.slave)
        self.seen = ""
        self.process = start(*args, stdout=subprocess.PIPE, stderr=self.slave, stdin=self.slave,
                             env={**os.environ, "TERM": term}, text=True, start_new_session=True)
        self.reader = threading.Thread(target=self.read)
        self.lock = threading.Lock()
        self.reader.start()

    def resize(self, cols, lines):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, cols, 0, 0))

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            with self.lock:
                self.seen += data.decode()

    def end(self, timeout=30):
        out = self.process.communicate(timeout=timeout)[0]
        assert termios.tcgetattr(self.slave) == self.modes
        # Let the reader have all: what was written before is in the terminal's buffer by now.
        os.write(self.slave, b"\x04END")
        wait_until(lambda: "END" in self.seen, 10, "the end of the output")
        with self.lock:
            self.seen = self.seen.replace("\x04END", "")
        return out

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        os.close(self.slave)
        self.reader.join(10)
        os.close(self.master)


@pytest.fixture
def terminal():
    made = []

    def make(*args, **kwargs):
        made.append(Terminal(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def frames_of(text):
    """What the screen shows after each frame: between two clears."""
    return text.split("\r\x1b[J")


@pytest.mark.parametrize("cols", [200, 80, 40, 24])
def test_the_view_is_drawn_in_place(serve, terminal, cols):
    one = terminal((url_of(serve()), "-r", "200", "-d", "1", *QUICK), cols)
    out = one.end()
    assert one.process.returncode in (0, 3) and "p99.9" in out
    text = one.seen
    screen = Screen(cols)
    for frame in frames_of(text)[1:-1]:
        screen.feed("\r\x1b[J" + frame)
        shown = screen.text()
        for word in ("in flight", "rate", "p50", "p99", "max", "late p99", "no errors", "ok "):
            assert shown.count(word) == (2 if word == "p99" else 1), shown
        assert (screen.row, screen.col) == (0, 0)
        assert all(len(row) < cols for row in screen.rows)
    assert screen.frames >= 3 and screen.wrapped == 0
    screen.feed("\r\x1b[J" + frames_of(text)[-1])
    assert screen.text().strip() == "" and screen.row == 0  # nothing is left of it


def test_the_view_survives_another_size(serve, terminal):
    one = terminal((url_of(serve()), "-r", "200", "-d", "60", *QUICK), 120)
    wait_until(lambda: len(frames_of(one.seen)) > 3, 20, "frames")
    for cols, lines in ((30, 10), (8, 3), (1, 1), (100, 2), (120, 40)):
        one.resize(cols, lines)
        with one.lock:
            before = len(one.seen)
        one.process.send_signal(signal.SIGWINCH)
        if cols > 1:
            wait_until(lambda: len(frames_of(one.seen[before:])) > 3, 20, "frames of another size")
        else:
            time.sleep(0.25)  # there is nothing to wait for: it must show nothing, and live
            assert one.process.poll() is None
            continue
        # The first of them may have been on its way before.
        for frame in frames_of(one.seen[before:])[2:-1]:
            rows = re.sub(r"\x1b\[\d+A|\r", "", frame).strip("\n").split("\n")
            assert len(rows) < lines and all(len(row) < cols for row in rows), (cols, lines, rows)
    one.process.send_signal(signal.SIGINT)
    assert "stopped early" in one.end() and one.process.returncode == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_left_as_it_was(serve, terminal, number):
    """Also by the second signal, which ends squall at once."""
    server = serve(lambda peer, head: None)  # never answers: stopping takes the timeout
    one = terminal((url_of(server), "-r", "50", "-d", "60", "--timeout", "30", *QUICK), 80)
    wait_until(lambda: len(frames_of(one.seen)) > 3, 20, "frames")
    one.process.send_signal(number)
    wait_until(lambda: "late p99 0ns\r\n" in one.seen or one.seen.endswith("\r\x1b[J") or
               re.search(r"\x1b\[J[^\x1b]*in flight[^\x1b]*\n$", one.seen), 20, "the view is gone")
    one.process.send_signal(number)
    one.end()
    assert one.process.returncode == -number
    last = one.seen.rsplit("\x1b[J", 1)[1]
    assert "\x1b" not in last  # plain lines at most: no frame after the first signal


def test_an_error_is_told_below_the_view(serve, terminal, tmp_path):
    with small_disk(tmp_path, "64k") as disk:
        one = terminal((url_of(serve()), "-r", "50", "-d", "60", *QUICK, "--interval", "20ms", "--csv",
                        disk / "a.csv"), 80)
        wait_until(lambda: len(frames_of(one.seen)) > 3, 20, "frames")
        fill_up(disk)
        one.end()
        assert one.process.returncode == 5
        screen = Screen(1000)
        screen.feed(one.seen)
        assert screen.text().startswith("squall: cannot write ") and screen.text().count("\n") == 1


@pytest.mark.parametrize("how", ["dumb", "quiet"])
def test_no_view_where_none_is_wanted(serve, terminal, how):
    args = [url_of(serve()), "-r", "100", "-d", "0.5", *QUICK] + ["-q"] * (how == "quiet")
    one = terminal(args, 80, term="dumb" if how == "dumb" else "xterm")
    one.end()
    assert "\x1b" not in one.seen
    assert ("in flight" in one.seen) == (how == "dumb")


def test_rows_on_the_same_terminal_are_not_drawn_over(serve):
    master, slave = pty.openpty()
    with start(url_of(serve()), "-r", "100", "-d", "0.5", *QUICK, "--csv", "-", stdout=slave,
               stderr=slave, env={**os.environ, "TERM": "xterm"}) as one:
        os.close(slave)
        text = b""
        try:
            while data := os.read(master, 65536):
                text += data
        except OSError:  # the other end is closed
            pass
    os.close(master)
    assert one.returncode in (0, 3) and b"end_s," in text and b"\x1b" not in text


def test_a_stopped_terminal_stops_nobody(serve, terminal):
    """Ctrl-S: nothing is shown, and Ctrl-C is heard."""
    server = serve()
    one = terminal((url_of(server), "-r", "200", "-d", "60", *QUICK), 80)
    wait_until(lambda: len(frames_of(one.seen)) > 3, 20, "frames")
    termios.tcflow(one.slave, termios.TCOOFF)
    before = server.requests
    wait_until(lambda: server.requests > before + 200, 20, "load goes on")
    one.process.send_signal(signal.SIGINT)
    out = one.process.communicate(timeout=15)[0]
    assert one.process.returncode == 4 and "stopped early" in out
    termios.tcflow(one.slave, termios.TCOON)


# --- Prometheus ---


needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus and promtool are not installed")


@needs_prometheus
def test_metrics_are_what_prometheus_takes(serve, tmp_path):
    def behave(peer, head):
        peer.send(OK if server.requests % 5 else OK.replace(b"200 OK", b"503 No"))

    server = serve(behave)
    port, own = free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms}\nscrape_configs:\n- job_name: load\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    with start(url_of(server), "-r", "200", "-d", "60", *QUICK, "-q", "--prometheus",
               f"127.0.0.1:{port}", "--json", stdout=subprocess.PIPE) as one, \
            subprocess.Popen(["prometheus", f"--config.file={tmp_path}/prometheus.yml",
                              f"--storage.tsdb.path={tmp_path}/data",
                              f"--web.listen-address=127.0.0.1:{own}"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) as prometheus:
        try:
            name = "squall_load_response_seconds_bucket"

            def scrape():
                try:
                    kind, text = fetch(f"http://127.0.0.1:{port}/metrics")
                except OSError:
                    return None
                return (kind, text) if max(samples(text, name).values(), default=0) > 20 else None

            kind, text = wait_until(scrape, 30, "metrics")
            assert kind.startswith("text/plain; version=0.0.4")
            lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                  capture_output=True, timeout=30, check=False)
            assert lint.returncode == 0 and lint.stdout + lint.stderr == "", lint.stderr
            labels = '{phase="load",route="url"}'
            sent = samples(text, "squall_load_sent_total")[labels]
            buckets = list(samples(text, name).values())
            assert buckets == sorted(buckets) and 20 < buckets[-1] < sent
            assert fetch(f"http://127.0.0.1:{port}/metrics")[1] != "" and server.requests >= sent
            with pytest.raises(urllib.error.HTTPError):
                fetch(f"http://127.0.0.1:{port}/")

            def ask(query):
                try:
                    answer = json.loads(fetch(f"http://127.0.0.1:{own}/api/v1/query?query="
                                              + urllib.parse.quote(query))[1])
                except OSError:
                    return None
                result = answer["data"]["result"]
                return float(result[0]["value"][1]) if result else None

            # The share of errors and a percentile, as an operator would ask for them.
            bad = wait_until(lambda: ask(
                'sum(rate(squall_load_requests_total{outcome="http_5xx"}[5s]))'
                ' / sum(rate(squall_load_requests_total[5s]))'), 30, "two scrapes")
            assert bad == pytest.approx(0.2, abs=0.1)
            p99 = ask("histogram_quantile(0.99, rate(squall_load_response_seconds_bucket[5s]))")
            assert 0 < p99 < 2.5
            one.send_signal(signal.SIGINT)
            result = json.loads(one.communicate(timeout=30)[0])
            assert ask("max_over_time(squall_load_sent_total[1m])") <= result["total"]["sent"]
        finally:
            prometheus.kill()


def test_a_port_that_is_taken_is_told_before_the_load(serve):
    server = serve()
    done = run("squall", "load", url_of(server), "-r", "5", "--prometheus",
               f"127.0.0.1:{server.port}")
    assert done.returncode == 5 and f"{server.port}" in done.stderr
    assert server.requests == 0
    assert run("squall", "load", url_of(server), "-r", "5", "--prometheus", "9091").returncode == 2


# --- memory ---

def samples_and_peak(port, rate, seconds):
    """Recorded requests of a run, and the most memory it ever had, in bytes: asked for while it
    hands over its result, which does not fit into the pipe at once. (What wait4 says of a child
    begins with what its parent had.)"""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    # Freed memory that a sanitizer holds back is not what this is about.
    with start(f"http://127.0.0.1:{port}/", "-r", rate, "-d", seconds, "-c", "16", "-q",
               "--arrivals", "constant", "--interval", "20ms", "--json", stdout=writer,
               env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"}) as one, \
            open(reader, "rb", buffering=0) as result:
        os.close(writer)
        assert select.select([result], [], [], 60)[0]
        with open(f"/proc/{one.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        value = json.loads(b"".join(iter(lambda: result.read(65536), b"")))
    recorded = value["latency"]["failed"]["count"]
    assert one.returncode == 3 and recorded == value["total"]["intended"]
    return recorded, peak * 1024


def test_k6_763_2367_4670_memory_does_not_grow_with_samples():
    """Ten times the samples at the same memory: what is added is less than a list of numbers would
    take. Nobody listens, so that how many samples there are does not depend on the machine."""
    port = free_port()
    few, base = samples_and_peak(port, "20k", "1")
    many, most = samples_and_peak(port, "100k", "2")
    assert (few, many) == (20000, 200000)
    noise = (8 if "tsan" in str(BIN) else 3) << 20  # pages of histograms that a new value touches; a sanitizer's own book-keeping
    assert most - base < 4 * (many - few) + noise, (few, base, many, most)
