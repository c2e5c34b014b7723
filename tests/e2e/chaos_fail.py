# SPDX-License-Identifier: Apache-2.0
"""An agent that one operation of fails, the n-th after it was told so (tests/preload/fail_nth.c), and
the loop over n: whichever it is, the fault is refused by name and nothing of it is left."""

import json
import mmap
import os
import struct
import time

from chaos_lab import Agent, ruleset
from conftest import BIN, each_process, wait_until

LIBRARY = BIN.parent / "tests" / "fail_nth.so"
HEAD = struct.Struct("qqq")  # struct control: at, seen, error
PATIENCE_S = 10
MOST = 400  # operations of one apply: more is a loop that does not end


class FailNth:
    def __init__(self, folder):
        self.path = folder / "fail-nth"
        self.path.write_bytes(bytes(256))
        with open(self.path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 256)

    def environment(self):
        """For env(1). What a sanitizer brings wants to come first, but need not."""
        options = os.environ.get("ASAN_OPTIONS", "")
        return ["env", f"LD_PRELOAD={LIBRARY}", f"SQUALL_FAIL_NTH={self.path}",
                f"ASAN_OPTIONS={options}:verify_asan_link_order=0"]

    def arm(self, number):
        self.shared[HEAD.size:] = bytes(256 - HEAD.size)
        HEAD.pack_into(self.shared, 0, 0, 0, 0)
        HEAD.pack_into(self.shared, 0, number, 0, 0)

    def disarm(self):
        """What failed and with what error (0: so many there were not), after how many in all."""
        _, seen, error = HEAD.unpack_from(self.shared)
        struct.pack_into("q", self.shared, 0, 0)
        return self.shared[HEAD.size:].split(b"\0", 1)[0].decode().strip(), error, seen

    def processes(self):
        """Of the agent and of whatever it has forked."""
        mark = f"SQUALL_FAIL_NTH={self.path}".encode()
        return set(each_process(lambda process: mark in (process / "environ").read_bytes()))


class FailingAgent(Agent):
    def __init__(self, platform, folder, inside):
        folder.mkdir()
        super().__init__(platform, folder, "--max-affected", "100%")
        self.nth = FailNth(folder)
        self.prefix = [*inside, *self.nth.environment()]

    def nothing_left(self, effect, last):
        """Of a fault that was refused or reverted. The last look is at everything, others at what
        there is in a namespace or beside the agent."""
        own, netns = f"squall_{effect.spec['id']}", effect.target.netns
        return (not list(self.journal.glob("*.fault*")) and
                (netns is None or own not in ruleset(netns)) and
                (netns is not None and not last or self.nth.processes() == {self.process.pid}))


def check_refusal(effect, status, record, what, error):
    """Nothing was ever in place, and it says what went wrong: the kernel's word for it, or at whom
    what was seen is not what it should be."""
    assert status in (403, 409, 507), (what, status, record)
    if status == 409:
        assert (record["state"], record["end"], record["wasActive"]) == (
            "gone", "failed", False), (what, record)
    message = record["error"] if status == 409 else record["error"]["message"]
    known = [os.strerror(error), *effect.spec["targets"]]
    odd = [e for e in record.get("evidence", []) if not e["ok"]]
    assert odd or any(word in message for word in known), (what, message)


def present(effect):
    """A packet may pass a queue that nobody reads for a while: looked at again."""
    try:
        effect.assert_present()
        return True
    except AssertionError:
        return False


def gone(effect):
    try:
        instances = effect.lab.instances
        return (all(instances[name].ready() for name in effect.spec["targets"]) and
                (effect.gone() or effect.untouched()))
    except (OSError, AssertionError):
        return False  # its process is being started again


def fail_each(agent, make_effect, first, step):
    """(operations of one apply, how many of them were tried, the longest time that it took from a
    request until nothing was left). What it can do without may fail: then the fault is there."""
    tried, longest, number, patience = 0, 0.0, first, time.monotonic() + PATIENCE_S
    while number < MOST:
        effect = make_effect()
        agent.nth.arm(number)
        since = time.monotonic()
        status, record = agent.post(effect.spec)
        failed, error, seen = agent.nth.disarm()
        what = f"{effect.kind}, operation {number}: {failed}"
        if status == 200:
            wait_until(lambda: present(effect), 3, f"{what}: done without, yet of no effect: {record}")
            status, record = agent.delete(effect.spec)
            assert (status, record["state"]) == (200, "gone"), (what, record)
        elif not error and time.monotonic() < patience:
            continue  # a measurement on a busy machine, or a target that is being started again
        else:
            assert error, json.dumps(record, indent=1)
            check_refusal(effect, status, record, what, error)
        wait_until(lambda: agent.nothing_left(effect, not error) and gone(effect), 10,
                   f"{what}: nothing is left")
        if not error:
            return seen, tried, longest
        tried, number, patience = tried + 1, number + step, time.monotonic() + PATIENCE_S
        longest = max(longest, time.monotonic() - since)
    raise AssertionError(f"more than {MOST} operations")
