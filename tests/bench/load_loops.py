#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the load threads' own loop gains over libev's (docs/adr/0010): squall-load as it is, and the
same program with the other loop linked in its place, take turns against one nginx. nginx has one
core, the client the other.

The cost of a request is the client's CPU over its whole run by what was answered; the least of the
rounds counts, because what else a machine does can only add to it. A ratio below 1 speaks for the
direct loop. On a machine where others used more than a twentieth of both cores nothing is decided.

Usage: load_loops.py [BUILD_DIR]      ROUNDS=6 SECONDS_EACH=1
"""

import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from load_cost import Nginx, raise_descriptors

ROWS = [(1, 5_000), (100, 5_000), (100, 20_000), (100, 40_000), (1000, 20_000)]
LOOPS = ("libev", "direct")
SERVER_CORE, CLIENT_CORE = 1, 0
QUIET = 0.05          # of both cores, by others
KEEPS, LOSES = 0.97, 1.02   # docs/adr/0010


def plan(port, connections, rate, seconds):
    return {"arrivals": "poisson", "rate": float(rate), "durationNs": int(seconds * 1e9),
            "connections": connections, "threads": 1, "seed": 7, "timeoutNs": 10**9,
            "intervalNs": 10**9, "maxLateNs": 10**9, "host": "bench", "firstPhase": "load",
            "targets": [{"address": "127.0.0.1", "port": port}],
            "routes": [{"name": "home", "method": "GET", "path": "/", "body": None, "headers": [],
                        "weight": 1}]}


def busy_ticks():
    """Of the two cores, whoever used them."""
    ticks = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in (f"cpu{SERVER_CORE}", f"cpu{CLIENT_CORE}"):
            user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks


def ticks_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Others:
    """The share of both cores that went neither to nginx nor to the client."""

    def __init__(self, nginx):
        self.nginx, self.hertz = nginx, os.sysconf("SC_CLK_TCK")
        self.used = self.all = 0.0

    def during(self, run):
        begin, server, clock = busy_ticks(), ticks_of(self.nginx), os.times()
        result = run()
        now = os.times()
        client = (now.children_user - clock.children_user + now.children_system -
                  clock.children_system)
        server = (ticks_of(self.nginx) - server) / self.hertz
        self.used += max(0.0, (busy_ticks() - begin) / self.hertz - server - client)
        self.all += 2 * (now.elapsed - clock.elapsed)
        return result

    def share(self):
        return self.used / self.all if self.all > 0 else math.inf


def one(program, folder, spec):
    """CPU in us for each request that was answered, and how late the timer was at p99, in us."""
    (folder / "plan").write_text(json.dumps(spec))
    with subprocess.Popen(["taskset", "-c", str(CLIENT_CORE), program, "--plan", folder / "plan",
                           "--hlog", "/dev/null", "--result", folder / "result"],
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        code = client.wait()  # its input stays open: the end of it would end the load
    if code != 0:
        sys.exit(f"load_loops: {program} ended with {code}")
    result = json.loads((folder / "result").read_text())
    if result["total"]["ok"] == 0:
        sys.exit("load_loops: nothing was answered")
    late = [row["p99Ns"] for row in result["lateness"] if row["cause"] == "timer_late"]
    return result["cpuNs"] / result["total"]["ok"] / 1e3, (late or [0])[0] / 1e3


def measure(programs, port, folder, others):
    """{(connections, rate): {loop: [(cost, late)]}}; the loops take turns, each first by turns."""
    rounds, seconds = int(os.environ.get("ROUNDS", "6")), float(os.environ.get("SECONDS_EACH", "1"))
    found = {row: {loop: [] for loop in LOOPS} for row in ROWS}
    for row in ROWS:
        spec = plan(port, *row, seconds)
        for turn in range(rounds):
            for loop in LOOPS if turn % 2 == 0 else LOOPS[::-1]:
                found[row][loop].append(
                    others.during(lambda name=loop: one(programs[name], folder, spec)))
    return found


def show(found):
    """The table; the ratios of its rows."""
    ratios = []
    print("| connections, rate /s | libev us a request, least (median) | direct | ratio | timer late"
          " p99 us, libev | direct |")
    print("|---|---|---|---|---|---|")
    for (connections, rate), by in found.items():
        least = {loop: min(cost for cost, _ in by[loop]) for loop in LOOPS}
        middle = {loop: statistics.median(cost for cost, _ in by[loop]) for loop in LOOPS}
        late = {loop: statistics.median(late for _, late in by[loop]) for loop in LOOPS}
        ratios.append(least["direct"] / least["libev"])
        print(f"| {connections}, {rate} | {least['libev']:.2f} ({middle['libev']:.2f}) "
              f"| {least['direct']:.2f} ({middle['direct']:.2f}) | {ratios[-1]:.2f} "
              f"| {late['libev']:.1f} | {late['direct']:.1f} |")
    return ratios


def conclude(ratios, busy):
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    if busy > QUIET:
        print(f"not decided: others used {busy:.0%} of both cores ({QUIET:.0%} may be)")
    elif mean <= KEEPS and max(ratios) <= LOSES:
        print(f"the direct loop pays: {mean:.2f} on the whole, {max(ratios):.2f} at worst")
    else:
        print(f"the direct loop does not pay: {mean:.2f} on the whole, {max(ratios):.2f} at worst")


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release")
    programs = {"direct": build / "bin" / "squall-load", "libev": build / "bench" / "load_on_libev"}
    missing = [tool for tool in ("nginx", "taskset", "openssl") if shutil.which(tool) is None]
    missing += [str(program) for program in programs.values() if not program.exists()]
    if missing or (os.cpu_count() or 1) < 2:
        print(f"load_loops: skipped, missing: {', '.join(missing) or 'a second core'}")
        return
    raise_descriptors(10_000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        nginx = Nginx(folder)
        try:
            os.sched_setaffinity(nginx.process.pid, {SERVER_CORE})
            others = Others(nginx.process.pid)
            conclude(show(measure(programs, nginx.port, folder, others)), others.share())
        finally:
            nginx.close()


if __name__ == "__main__":
    main()
