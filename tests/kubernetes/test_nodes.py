# SPDX-License-Identifier: Apache-2.0
"""Nodes that are cordoned, at a real API server, with a real agent that has only the rights that are
documented, and with whoever dies meanwhile."""

import json
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from chaos_lab import fault
from conftest import each_process, run, wait_until
from kube_lab import MARK, MERGE, NARROW, NODE_BINDING, NOBODY, Relay, evidence
from kube_lab import _cluster as _cluster, _lab as _lab

NODES = iter(range(1, 1000))
LEASE_S = 2.0
SLACK_S = 2.0
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Place:
    """A node of the test's own, with an instance on it, and an agent elsewhere."""

    def __init__(self, lab, instances=1, **how):
        self.lab, self.cluster = lab, lab.cluster
        self.web = lab.namespace(replicas=2)
        self.nodes = [lab.cluster.node(f"n-{next(NODES)}", **how) for _ in range(instances)]
        self.relay = Relay(lab.cluster.url)
        self.shop = lab.shop(self.web, url=self.relay.url)
        for pod in self.web.owned():
            number = int(pod["metadata"]["name"].rpartition("-")[2])
            self.shop.name(pod, node=self.nodes[(number - 1) % instances])
        self.shop.write()
        self.agent = lab.agent(self.shop, "--max-affected", "100%")
        self.node = self.nodes[0]
        self.path = f"/api/v1/nodes/{self.node}"

    def cordon(self, targets=("web-1",), **more):
        """Active, and its record."""
        spec = cordon(targets, **more)
        status, record = self.agent.post(spec)
        assert status == 200 and record["state"] == "active", record
        return spec, record

    def marks(self):
        return self.cluster.marks(self.node)

    def clear(self):
        return self.marks() == (False, None)

    def guards(self):
        """Watchdogs of this agent."""
        return [pid for pid, words in each_process(words_of).items()
                if words[:2] == ["squall-guard", "--watch-nodes"] and str(self.shop.token_file) in words[3]]

    def set(self, unschedulable, **annotations):
        """As somebody else would."""
        self.cluster.patch(self.path, {"metadata": {"annotations": annotations},
                                       "spec": {"unschedulable": unschedulable}})


def words_of(process):
    return (process / "cmdline").read_text().split("\0")


def cordon(targets=("web-1",), lease_s=LEASE_S, **more):
    return fault("nodes", "web", list(targets), lease_s=lease_s, action="cordon", emptyDir=False, **more) | {"kind": "node"}


def gone_within(place, seconds, since):
    wait_until(place.clear, 30, "the mark is off")
    took = time.monotonic() - since
    assert took <= seconds, took
    return took


def test_a_node_is_cordoned_and_uncordoned(lab):
    place = Place(lab)
    spec, record = place.cordon()
    metric = f"node {place.node}"
    assert evidence(record, "before", metric)[0]["value"] == "schedulable, without a mark"
    during = evidence(record, "during", metric)[0]
    cordoned, mark = place.marks()
    assert cordoned and spec["id"] in mark and " until 2" in mark, mark
    assert during["ok"] and during["value"] == f"unschedulable, {MARK}: {mark}"
    assert len(place.guards()) == 1
    status, record = place.agent.delete(spec)
    assert status == 200 and record["state"] == "gone" and not record["error"], record
    assert evidence(record, "after", metric)[0]["ok"] and place.clear()
    assert not place.guards()


def test_two_instances_of_one_node_and_one_of_another(lab):
    place = Place(lab, instances=2)
    third = lab.cluster.node(f"n-{next(NODES)}")
    more = place.web.pod("more", owned=False)
    place.shop.name(more, node=place.node).write()
    spec, record = place.cordon(("web-1", "web-2", "more"))
    assert len([e for e in record["evidence"] if e["when"] == "during"]) == 2, record
    assert all(lab.cluster.marks(node)[0] for node in place.nodes)
    assert lab.cluster.marks(third) == (False, None)
    assert place.agent.delete(spec)[1]["state"] == "gone"
    assert all(lab.cluster.marks(node) == (False, None) for node in place.nodes)


# --- whoever dies ---

def test_nobody_renews(lab):
    place = Place(lab)
    begun = time.monotonic()
    spec, _ = place.cordon()
    took = gone_within(place, LEASE_S + SLACK_S, time.monotonic())
    assert time.monotonic() - begun >= LEASE_S * 0.9, took
    assert place.agent.wait_state(spec, "gone", 10)["end"] == "lease"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_agent_dies_or_stops(lab, number):
    place = Place(lab)
    spec, _ = place.cordon()
    renewed = time.monotonic()
    assert place.agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(LEASE_S * 1e9)})[0] == 200
    place.agent.signal(number)
    gone_within(place, LEASE_S + SLACK_S, renewed)
    wait_until(lambda: not place.guards(), 10, "its watchdog ends")
    if number == signal.SIGKILL:
        place.agent.process.wait(10)
        place.agent.start()
    else:
        place.agent.signal(signal.SIGCONT)
    record = place.agent.wait_state(spec, "gone", 20)
    assert record["end"] == ("recovery" if number == signal.SIGKILL else "lease"), record
    assert place.clear()


def test_nothing_stays_cordoned_without_a_watchdog(lab):
    place = Place(lab)
    spec, _ = place.cordon(lease_s=10.0)
    [guard] = place.guards()
    since = time.monotonic()
    subprocess.run(["kill", "-9", str(guard)], check=True)
    gone_within(place, SLACK_S, since)
    record = place.agent.wait_state(spec, "gone", 10)
    assert record["end"] == "failed" and f"its watchdog (process {guard}) has ended" in record["error"]


def test_nothing_is_marked_without_a_watchdog(lab):
    """It dies before it has seen the nodes."""
    place = Place(lab)
    answers = []
    worker = threading.Thread(target=lambda: answers.append(place.agent.post(cordon(lease_s=10.0))))
    worker.start()
    [guard] = wait_until(place.guards, 10, "its watchdog is there")
    subprocess.run(["kill", "-9", str(guard)], check=True)
    worker.join(30)
    [(status, record)] = answers
    assert status != 200 and "watchdog" in record["error"] and record["state"] == "gone", record
    assert place.clear()


@pytest.mark.parametrize("by", ["start", "sweep"])
def test_agent_and_watchdog_die(lab, by):
    """What a host does that goes down: the journal is what remains."""
    place = Place(lab)
    spec, _ = place.cordon()
    [guard] = place.guards()
    subprocess.run(["kill", "-STOP", str(guard)], check=True)
    place.agent.kill()
    subprocess.run(["kill", "-9", str(guard)], check=True)
    assert place.marks()[0], "nobody is there to take it off"
    if by == "start":
        place.agent.start()
        assert place.agent.wait_state(spec, "gone", 20)["end"] == "recovery"
    else:
        done = place.agent.sweep()
        assert done.returncode == 0 and spec["id"] in done.stdout, done
    assert place.clear()


def test_a_watchdog_makes_late_requests_fail(lab):
    """Whether the agent that died had asked for a mark is not to be known: a request that is still on
    its way must not come in behind the watchdog's back."""
    place = Place(lab)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    seen = lab.cluster.ask("GET", place.path)[1]["metadata"]
    marks = json.dumps({"url": place.relay.url, **{k: place.shop.kubernetes[k] for k in ("caFile", "tokenFile")},
                        "marks": [{"node": place.node, "uid": seen["uid"], "text": "ours"}]})
    deadline = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 60 * 10**9
    shell = f'exec "$0" "$@" 3<&{theirs.fileno()}'
    guard = subprocess.Popen(["bash", "-c", shell, place.agent.program, "--watch-nodes", str(deadline), marks],
                             pass_fds=[theirs.fileno()])
    theirs.close()
    assert place.clear()
    ours.close()
    assert guard.wait(20) == 0 and place.clear()
    status, answer = lab.cluster.ask(
        "PATCH", place.path, {"metadata": {"resourceVersion": seen["resourceVersion"]},
                              "spec": {"unschedulable": True}}, MERGE)
    assert status == 409 and place.clear(), answer


# --- somebody else ---

@pytest.mark.parametrize("cordoned,theirs", [(True, {}), (True, {MARK: "somebody"}), (False, {MARK: "somebody"})])
def test_what_is_somebody_elses_is_refused(lab, cordoned, theirs):
    place = Place(lab)
    place.set(cordoned or None, **theirs)
    before = place.marks()
    status, record = place.agent.post(cordon())
    assert status != 200 and "not this fault's to change" in record["error"], record
    assert not evidence(record, "before", f"node {place.node}")[0]["ok"]
    assert place.marks() == before and not place.guards()


def test_the_agents_own_node_is_refused(lab):
    for boot_id, words in ((BOOT_ID, "this agent runs on"), (None, "no bootID")):
        place = Place(lab, boot_id=boot_id)
        status, record = place.agent.post(cordon())
        assert status != 200 and words in record["error"], record
        assert place.clear()
        place.agent.finish()


def renewed(place, spec):
    place.agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(LEASE_S * 1e9)})
    return place.agent.get(spec)["state"] == "gone"


@pytest.mark.parametrize("left", [True, False])
def test_somebody_uncordons_it_meanwhile(lab, left):
    """With our annotation left there, as kubectl does, or without."""
    place = Place(lab)
    spec, _ = place.cordon()
    place.set(None, **({} if left else {MARK: None}))
    wait_until(lambda: renewed(place, spec), 10, "it ends")
    record = place.agent.get(spec)
    assert record["end"] == "failed" and "somebody else has changed node" in record["error"], record
    assert place.clear()


def test_somebody_cordons_it_anew_meanwhile(lab):
    place = Place(lab)
    spec, _ = place.cordon()
    place.set(None, **{MARK: None})
    place.set(True, **{MARK: "somebody"})
    status, record = place.agent.delete(spec)
    assert status == 200 and record["state"] == "gone", record
    assert "left as somebody else has it: unschedulable" in record["error"], record
    assert not evidence(record, "after", f"node {place.node}")[0]["ok"]
    assert place.marks() == (True, "somebody")


def test_a_node_that_is_written_to_all_the_time(lab):
    place = Place(lab)
    stop = threading.Event()

    def beat():
        for number in iter(int, 1):
            if stop.is_set():
                return
            place.cluster.patch(f"{place.path}/status", {"status": {"phase": f"{time.time_ns()}{number}"}})
    worker = threading.Thread(target=beat)
    worker.start()
    try:
        spec, _ = place.cordon()
        status, record = place.agent.delete(spec)
    finally:
        stop.set()
        worker.join()
    assert status == 200 and record["state"] == "gone" and not record["error"], record


def test_another_node_of_that_name(lab):
    place = Place(lab)
    spec, _ = place.cordon()
    assert lab.cluster.ask("DELETE", place.path)[0] == 200
    lab.cluster.node(place.node)
    place.set(True, **{MARK: "somebody"})
    status, record = place.agent.delete(spec)
    assert status == 200 and record["state"] == "gone" and "has the uid" in record["error"], record
    assert place.marks() == (True, "somebody")


# --- a server that cannot be asked ---

def test_a_server_that_is_away_for_a_moment(lab):
    place = Place(lab)
    spec, _ = place.cordon(lease_s=30.0)
    place.relay.cut()
    answers = []
    worker = threading.Thread(target=lambda: answers.append(place.agent.delete(spec)))
    worker.start()
    wait_until(lambda: place.agent.get(spec)["state"] == "reverting", 10, "it is being ended")
    assert place.marks()[0]
    place.relay.mend()
    worker.join(20)
    [(status, record)] = answers
    assert status == 200 and record["state"] == "gone", record
    assert place.clear()


def test_what_a_watchdog_that_had_begun_leaves(lab):
    """A server so slow that both are at it; the agent has the mark off first, and ends the watchdog
    between the two writes of its fence."""
    place = Place(lab)
    spec, _ = place.cordon(lease_s=30.0, duration_s=2.0)
    mark = place.marks()[1]
    place.relay.delay_s = 0.6  # of the agent's look at what is left, which is on its way then
    wait_until(lambda: not place.guards(), 20, "its watchdog is ended")
    place.set(None, **{MARK: f"{mark}; ended"})
    place.relay.delay_s = 0
    record = place.agent.wait_state(spec, "gone", 10)
    assert record["end"] == "expired" and not record["error"], record
    assert place.clear()


def test_a_server_that_is_away_for_longer(lab):
    place = Place(lab)
    spec, _ = place.cordon()
    place.relay.cut()
    record = place.agent.wait_state(spec, "stuck", 40)
    assert f"kubectl uncordon {place.node}" in record["error"], record
    assert place.marks()[0] and len(place.guards()) == 1
    place.relay.mend()
    record = place.agent.wait_state(spec, "gone", 20)
    assert place.clear() and not place.guards()


def test_a_server_that_is_away_when_the_agent_dies(lab):
    place = Place(lab)
    spec, _ = place.cordon()
    place.relay.cut()
    place.agent.kill()
    place.agent.start()
    assert place.agent.wait_state(spec, "stuck", 40)["end"] == "recovery"
    assert place.marks()[0]
    place.relay.mend()
    place.agent.wait_state(spec, "gone", 20)
    assert place.clear()
    wait_until(lambda: not place.guards(), 20, "both watchdogs end")


def test_rights_that_are_lost(lab):
    place = Place(lab)
    spec, _ = place.cordon()
    assert lab.cluster.ask("DELETE", NODE_BINDING)[0] == 200
    place.shop.token_file.write_text(NOBODY + "\n")
    try:
        status, record = place.agent.delete(spec)
        assert record["state"] == "stuck" and "403" in record["error"], (status, record)
        assert place.marks()[0]
    finally:
        lab.cluster.allow("squall-nodes")
    place.shop.token_file.write_text(NARROW + "\n")
    place.agent.wait_state(spec, "gone", 20)
    assert place.clear()


def test_a_server_that_cannot_be_asked_before(lab):
    place = Place(lab)
    place.relay.cut()
    status, record = place.agent.post(cordon())
    assert status != 200 and place.node in record["error"], record
    place.relay.mend()
    assert place.clear() and not place.guards()


# --- by hand ---

def test_by_hand(lab):
    place = Place(lab)
    place.shop.agent_entry = {"url": f"http://127.0.0.1:{place.agent.port}",
                              "tokenFile": str(place.agent.token_file)}
    place.shop.write()
    words = ["squall", "fault", "apply", "node", "web", "--for", "3s", "--select", "one", "cordon={}",
             "--topology", place.shop.topology_file]
    dry = run(*words, "--dry-run")
    assert dry.returncode == 0 and f"node {place.node}" in dry.stdout and "unschedulable" in dry.stdout, dry
    assert place.clear()
    done = run(*words)
    assert done.returncode == 0 and f"unschedulable, {MARK}" in done.stdout, done
    assert place.clear()


def test_what_is_not_there_is_refused_with_its_reason(lab):
    place = Place(lab)
    for what, words in (("reboot={}", "journal would go down"), ("uncordon={}", "unknown key")):
        done = run("squall", "fault", "apply", "node", "web", "--for", "3s", what, "--agent",
                   f"http://127.0.0.1:{place.agent.port}", "--token-file", place.agent.token_file, "--topology", place.shop.topology_file)
        assert done.returncode == 2 and words in done.stderr, done
