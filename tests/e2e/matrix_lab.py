# SPDX-License-Identifier: Apache-2.0
"""What the matrices of faults and deaths share: what is compared before and after, a fault in place
and how to tell whether it is, a controller, and the table that comes of it."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from chaos_fail import PATIENCE_S
from chaos_kinds import KINDS
from chaos_lab import GRACE_S, PREFIX, TOKEN, Agent, group_mount, unshared_mounts
from conftest import wait_until

# All kinds are put in place, measured and renewed at once, within these, on a slow machine, too.
LEASE_S = 3.0
LIMIT_S = LEASE_S + GRACE_S
FIRST_LEASE_S = 50.0  # until all are in place
FOR_S = 150.0  # longer than any test needs
LOOK_S = 0.05  # between two looks at an effect: with all kinds in place there are forty who look

# A controller: renews until it is killed.
CONTROLLER = """
import concurrent.futures, http.client, json, sys, time
port, token, lease_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def renew(fault):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", f"/v1/faults/{fault}/renew", json.dumps(
        {"leaseNs": int(lease_s * 1e9)}), {"Authorization": "Bearer " + token,
                                             "Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status
faults = sys.stdin.readline().split()
with concurrent.futures.ThreadPoolExecutor(len(faults)) as pool:
    while True:
        for status in pool.map(renew, faults):
            print(time.monotonic(), status, flush=True)
        time.sleep(lease_s / 5)
"""


@contextlib.contextmanager
def controller_of(agent):
    """A controller that runs already, since starting it may take longer than a lease. Yields what
    tells it which faults to keep, and comes back when nothing but its renewals has kept them; it is
    killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(agent.port), TOKEN, str(LEASE_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def keep(specs):
        process.stdin.write(" ".join(spec["id"] for spec in specs) + "\n")
        process.stdin.flush()
        end = time.monotonic() + 1.5 * LEASE_S
        while time.monotonic() < end:
            at, status = process.stdout.readline().split()
            assert status == "200"
        assert float(at) > end - LEASE_S

    try:
        yield keep
    finally:
        process.kill()
        process.communicate()


# --- what is compared before and after ---

class Said:
    """A command and its last complaint, as text of the moment at which it is printed."""

    def __init__(self, command):
        self.command, self.complaint = command, ""

    def __str__(self):
        return f"{' '.join(self.command)}: {self.complaint}"


def text_of(*command):
    """ip looks through all of /run/netns, where others may remove theirs meanwhile: again, then."""
    said = Said(command)

    def quiet():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # nft warns of what looks as if iptables had made it, and of what its library lacks.
        lines = [] if "nft" in command else done.stderr.splitlines()
        said.complaint = f"{done.returncode} {lines}"
        return None if done.returncode or lines else (done.stdout,)
    return wait_until(quiet, 5, said)[0]


def mounts_of(pid):
    """A namespace's mount point vanishes everywhere when it is unlinked, so others' do not count."""
    lines = pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line for line in lines if " - nsfs " not in line or PREFIX in line]


KNOBS = ("cgroup.freeze", "cpu.max", "memory.max", "pids.max", "io.max", "freezer.state",
         "cpu.cfs_quota_us", "memory.limit_in_bytes",
         *(f"blkio.throttle.{way}_{unit}_device" for way in ("read", "write")
           for unit in ("bps", "iops")))


def process_settings(pid):
    """Where a process is, every setting of its groups, its limits, and whether it is stopped."""
    place = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    settings = {"place": place, "limits": pathlib.Path(f"/proc/{pid}/limits").read_text(),
                "stopped": stat.rpartition(")")[2].split()[0] == "T"}
    for line in place.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = group_mount(controllers.split(",")[0] or None)
        for name in KNOBS if mount is not None else ():
            file = pathlib.Path(str(mount) + path) / name
            settings[str(file)] = file.read_text() if file.exists() else None
    return settings


class Machine:
    """The agents of a test run in a mount namespace of their own, so that what they might mount is
    told from what others on this machine do; the network namespaces are the test's alone."""

    def __init__(self, lab):
        self.lab = lab
        self.holder = unshared_mounts()
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid)]

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def dump(self):
        found = {"host nft": text_of("nft", "list", "ruleset"),
                 "host rules": text_of("ip", "rule"),
                 "mounts": mounts_of(self.holder.pid),
                 "resolv.conf": text_of(*self.inside, "cat", "/etc/resolv.conf")}
        for netns in self.lab.namespaces:
            inside = ["ip", "netns", "exec", netns]
            for what in (["nft", "list", "ruleset"], ["ip", "-d", "link"], ["ip", "address"],
                         ["ip", "route", "show", "table", "all"], ["ip", "rule"],
                         ["tc", "qdisc", "show"]):
                found[f"{netns}: {' '.join(what)}"] = text_of(*inside, *what)
        for instance in self.lab.instances.values():
            found[f"{instance.name}: process"] = process_settings(instance.process.pid)
        return found


# --- the table ---

def table_of(kinds, cells):
    lines = ["| what happens | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for case, row in cells.items():
        shown = [f"{row[k]:.2f}" if isinstance(row.get(k), float) else row.get(k, "")
                 for k in kinds]
        assert "" not in shown, f"{case}: a cell without a test or a reason"
        lines.append(f"| {case} | " + " | ".join(shown) + " |")
    return lines


def made_by(file, began):
    return [f"Made in {time.monotonic() - began:.0f} s by `python3 -m pytest tests/e2e/{file}` as "
            "root (SQUALL_BIN names the build),", f"on Linux {os.uname().release} with "
            f"{os.cpu_count()} processors."]


# --- faults and their effects ---

class Effect:
    """One fault in place, and how to tell whether its effect is there."""

    def __init__(self, lab, kind, spec, rules=None):
        self.lab, self.kind, self.spec = lab, kind, spec
        self.rules = rules or KINDS[kind]
        self.target = lab.instances[spec["targets"][0]]
        self.pid = self.target.process.pid
        self.holds = self.rules.holds

    def gone(self):
        return self.rules.gone(self)

    def assert_present(self):
        self.rules.assert_present(self)

    def untouched(self):
        return self.rules.untouched(self)


def wait_gone(effect, since):
    """Seconds from `since`; fails at the limit."""
    while True:
        try:
            gone = effect.gone()
        except (OSError, AssertionError):
            gone = False  # its process is being started again
        took = time.monotonic() - since
        if gone:
            return max(took, 0.0)
        assert took < LIMIT_S, f"{effect.kind} on {effect.target.name} after {took:.2f} s"
        time.sleep(LOOK_S)


def measure(effects, since):
    with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
        return {e.kind: f.result() for e, f in
                [(e, pool.submit(wait_gone, e, since)) for e in effects]}


class Lab:
    def __init__(self, lab, machine, folder, lost=None, inside=True):
        self.lab, self.machine = lab, machine
        wait_until(lambda: all(i.ready() for i in lab.instances.values()), 60, "all ready")
        self.before = machine.dump()
        self.agent = Agent(lab, folder, "--max-affected", "100%")
        self.agent.prefix = (machine.inside if inside else []) + (
            ["setpriv", f"--bounding-set=-{lost}"] if lost else [])
        self.agent.start()

    def all_kinds(self, kill_for_s=LEASE_S):
        """kind -> spec, on a target each; what holds no lease is over with its `for`."""
        return {name: kind.spec(self.lab, [kind.target], lease_s=FIRST_LEASE_S,
                                duration_s=FOR_S if kind.holds else kill_for_s)
                for name, kind in KINDS.items()}

    def inject(self, specs=None, lease_s=LEASE_S):
        return self.put([Effect(self.lab, kind, spec)
                         for kind, spec in (specs or self.all_kinds()).items()], lease_s)

    def put(self, effects, lease_s=LEASE_S):
        """First those that are measured by fine times, on a machine that is busy enough already.
        When all are in place, their leases begin."""
        self.put_at_once([e for e in effects if e.rules.fine])
        self.put_at_once([e for e in effects if not e.rules.fine])
        self.begin_leases(effects, lease_s)
        return effects

    def begin_leases(self, effects, lease_s=LEASE_S):
        with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
            for status, record in pool.map(lambda e: self.begin_lease(e, lease_s),
                                           [e for e in effects if e.holds]):
                assert status == 200, json.dumps(record, indent=1)

    def begin_lease(self, effect, lease_s):
        status, record = self.renew(effect, lease_s)
        if status != 200 and effect.rules.lapses and record["end"] == "failed":
            effect.spec = {**effect.spec, "id": f"{effect.spec['id']}-again"}
            self.put_one(effect)
            status, record = self.renew(effect, lease_s)
        return status, record

    def put_at_once(self, effects):
        if effects:
            with concurrent.futures.ThreadPoolExecutor(len(effects)) as pool:
                for _ in pool.map(self.put_one, effects):
                    pass

    def put_one(self, effect):
        """A busy machine may hide an effect, and a target may just be started again: refused then,
        which is not what these tests are about."""
        status, record = self.agent.post(effect.spec)
        end = time.monotonic() + PATIENCE_S
        first, again = effect.spec["id"], itertools.count(2)
        while status == 409 and record["state"] == "gone" and time.monotonic() < end:
            effect.spec = {**effect.spec, "id": f"{first}-{next(again)}"}
            effect.rules.again(self.lab)
            status, record = self.agent.post(effect.spec)
        assert status == 200, json.dumps(record, indent=1)
        effect.assert_present()

    def renew(self, effect, lease_s):
        return self.agent.ask("POST", f"/v1/faults/{effect.spec['id']}/renew",
                              {"leaseNs": int(lease_s * 1e9)})

    def settle(self, effects, end):
        """The agent itself comes to know that they are gone, and nothing is left."""
        for effect in effects:
            record = self.agent.wait_state(effect.spec, "gone", 15)
            assert record["end"] in end, record
        self.finish()

    def finish(self):
        wait_until(lambda: all(i.ready() for i in self.lab.instances.values()), 60, "all ready")
        assert not list(self.agent.journal.glob("*.fault"))
        assert self.agent.terminate() == 0, self.agent.log_file.read_text()
        after = self.machine.dump()
        assert after == self.before, [key for key in after if after[key] != self.before.get(key)]

    def abandon(self):
        """What a test that failed has left must not last into the next one: a new agent takes it
        back."""
        if self.agent.process.poll() is None:
            self.agent.signal(signal.SIGCONT)
            self.agent.kill()
        if list(self.agent.journal.glob("*.fault")):
            with contextlib.suppress(OSError, AssertionError, subprocess.SubprocessError,
                                     pytest.fail.Exception):
                self.agent.start()
                wait_until(lambda: not list(self.agent.journal.glob("*.fault")), LIMIT_S + 15,
                           "nothing is left")
                self.agent.terminate()
            if self.agent.process.poll() is None:
                self.agent.kill()
