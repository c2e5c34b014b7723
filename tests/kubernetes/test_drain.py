# SPDX-License-Identifier: Apache-2.0
"""Nodes that are drained, at a real API server, with a real agent that has only the rights that are
documented."""

import contextlib
import signal
import threading
import time

import pytest

from chaos_lab import fault
from conftest import run, wait_until
from kube_lab import evidence
from kube_lab import _cluster as _cluster, _lab as _lab

NODES = iter(range(1, 1000))


def drain(targets=("web-1",), lease_s=20.0, empty=False, **more):
    return fault("nodes", "web", list(targets), lease_s=lease_s, duration_s=60.0, action="drain",
                 emptyDir=empty, **more) | {"kind": "node"}


class Place:
    """A node with two of four pods of the service web, and an agent elsewhere."""

    def __init__(self, lab, *options, grace_s=1, budget=None):
        self.lab, self.cluster = lab, lab.cluster
        self.node = lab.cluster.node(f"d-{next(NODES)}")
        self.web = lab.namespace(replicas=4, grace_s=grace_s, homes=[self.node, self.node])
        if budget is not None:
            self.web.budget(allowed=budget, healthy=4)
        self.shop = lab.shop(self.web)
        self.options = options
        self.metric = f"pods of node {self.node}"

    @property
    def agent(self):
        if not self.lab.agents:
            self.lab.agent(self.shop, *self.options)
        return self.lab.agents[0]

    def pods(self):
        """Names of what is there and not on its way out."""
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self.node}"
        return {pod["metadata"]["name"] for pod in self.cluster.ask("GET", path)[1]["items"]
                if "deletionTimestamp" not in pod["metadata"]}

    def clear(self):
        return self.cluster.marks(self.node) == (False, None)

    def refused(self, spec, *words, left=("web-1", "web-2")):
        """Before anything was done."""
        version = self.cluster.ask("GET", f"/api/v1/nodes/{self.node}")[1]["metadata"]["resourceVersion"]
        status, record = self.agent.post(spec)
        assert status != 200, record
        for word in words:
            assert word in record["error"], record
        assert set(left) <= self.pods(), "nothing was evicted"
        after = self.cluster.ask("GET", f"/api/v1/nodes/{self.node}")[1]["metadata"]["resourceVersion"]
        assert version == after, "nothing was marked"
        return record


class HalfWay(Place):
    """Where a drain has evicted the first of two pods, and the budget holds the other one back."""

    def __init__(self, lab, **more):
        super().__init__(lab, budget=1)
        self.answers = []
        asking = threading.Thread(target=self.ask, args=(self.agent, drain(**more)), daemon=True)
        self.begun, self.asking = time.monotonic(), asking
        asking.start()
        wait_until(lambda: len(self.pods()) == 1, 10, "one of them is evicted")

    def ask(self, agent, spec):
        with contextlib.suppress(OSError):  # of an agent that dies
            self.answers.append(agent.post(spec))

    def answer(self):
        """What the agent says in the end."""
        self.asking.join(30)
        [answer] = self.answers
        return answer


def test_a_node_is_drained(lab):
    place = Place(lab, budget=2)
    place.web.pod("daemon", owned=False, kind="DaemonSet", nodeName=place.node)
    place.web.pod("mirror", owned=False, nodeName=place.node,
                  annotations={"kubernetes.io/config.mirror": "x", "kubernetes.io/config.source": "file"})
    over = place.web.pod("over", owned=False, nodeName=place.node)
    place.cluster.patch(f"{place.web.pods_path}/over/status", {"status": {"phase": "Succeeded"}})
    uids = {name: place.web.look(name)["metadata"]["uid"] for name in ("web-1", "web-2")}
    status, record = place.agent.post(spec := drain())
    assert status == 200 and record["state"] == "active", record
    assert evidence(record, "before", place.metric)[0]["value"] == (
        "2 to evict; left alone: 1 of DaemonSets, 1 mirrors of files, 1 that have ended, 0 being deleted")
    during = {e["target"]: e["value"] for e in evidence(record, "during", "pod") if e["ok"]}
    assert all(uid in during[name] for name, uid in uids.items()), record
    assert place.pods() == {"daemon", "mirror", over["metadata"]["name"]}
    assert place.cluster.marks(place.node)[0]
    status, record = place.agent.delete(spec)
    assert status == 200 and record["state"] == "gone" and not record["error"], record
    assert place.clear()


def test_a_budget_that_allows_one_after_the_other(lab):
    place = HalfWay(lab)
    assert place.pods() < {"web-1", "web-2"}
    place.web.allow(1)
    status, record = place.answer()
    assert status == 200 and record["state"] == "active", record
    assert not place.pods()


def test_a_budget_that_holds_one_back(lab):
    place = Place(lab, budget=1)
    begun = time.monotonic()
    status, record = place.agent.post(drain(lease_s=4.0))
    assert status != 200 and record["end"] == "failed" and not record["wasActive"], record
    assert "The disruption budget keep needs" in record["error"], record
    assert time.monotonic() - begun < 4 + 2, "and that within the lease"
    assert sorted(e["ok"] for e in evidence(record, "during", "pod")) == [False, True], record
    assert record["state"] == "gone" and place.clear(), record
    assert len(place.pods()) == 1


def test_what_may_not_be_evicted_is_left_alone(lab):
    place = Place(lab, "--max-affected", "100%")
    alone = place.web.pod("alone", owned=False, nodeName=place.node)
    place.shop.name(alone).write()
    record = place.refused(drain(), "pod", "alone has no controller")
    assert not evidence(record, "before", place.metric)[0]["ok"]


def test_what_no_topology_has_is_left_alone(lab):
    place = Place(lab, "--max-affected", "100%")
    place.web.pod("stranger", owned=False, kind="ReplicaSet", nodeName=place.node)
    place.refused(drain(), "stranger", "is no instance on node")
    place.shop.name(place.web.look("stranger"), node="node-1").write()  # it says so, wrongly
    place.refused(drain(), "stranger", "is no instance on node")


def test_an_empty_dir_is_asked_for(lab):
    place = Place(lab, "--max-affected", "100%")
    full = place.web.pod("full", owned=False, kind="ReplicaSet", nodeName=place.node,
                         volumes=[{"name": "v", "emptyDir": {}}])
    place.shop.name(full).write()
    place.refused(drain(), "emptyDir", "full")
    status, record = place.agent.post(drain(empty=True))
    assert status == 200, record
    assert not place.pods()


def test_a_grace_that_outlasts_the_lease(lab):
    place = Place(lab, grace_s=30)
    place.refused(drain(lease_s=20.0), "terminationGracePeriodSeconds of 30", "longer `lease`")


def test_pods_that_do_not_end(lab):
    place = Place(lab)
    place.web.node_works = False
    status, record = place.agent.post(drain(lease_s=3.0))
    assert status != 200 and "not gone, and the lease is over" in record["error"], record
    assert record["state"] == "gone" and place.clear(), record


def test_who_comes_meanwhile(lab):
    """Past the scheduler, which the mark keeps away: then it is not drained."""
    place = HalfWay(lab)
    place.web.pod("late", owned=False, kind="ReplicaSet", nodeName=place.node)
    place.web.allow(1)
    status, record = place.answer()
    assert status != 200 and "late has come to node" in record["error"], record
    assert place.pods() == {"late"} and place.clear()


@pytest.mark.parametrize("service,words", [
    ("other", "2 of 2 instances of other would be affected (100 %), the cap is 50 %"),
    ("watcher", "which observes the platform")])
def test_all_services_of_the_node_count(lab, service, words):
    place = Place(lab)
    for number in (1, 2):
        pod = place.web.pod(f"other-{number}", owned=False, kind="ReplicaSet", nodeName=place.node)
        place.shop.name(pod, service=service)
    place.shop.write()
    status, answer = place.agent.post(drain())
    assert status in (403, 409) and words in answer["error"]["message"], answer
    assert len(place.pods()) == 4 and place.clear()


def test_the_rights_to_list_are_named(lab):
    place = Place(lab)
    binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/squall-drain"
    assert lab.cluster.ask("DELETE", binding)[0] == 200
    try:
        place.refused(drain(), "403", "cannot list resource")
    finally:
        lab.cluster.allow("squall-drain")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_agent_dies_half_way(lab, number):
    place = HalfWay(lab, lease_s=5.0)
    place.agent.signal(number)
    wait_until(place.clear, 20, "the mark is off")
    assert time.monotonic() - place.begun < 5 + 2
    if number == signal.SIGKILL:
        place.agent.process.wait(10)
        place.agent.start()
    else:
        place.agent.signal(signal.SIGCONT)
    assert len(place.pods()) == 1


def test_a_halt_half_way(lab):
    place = HalfWay(lab)
    begun = time.monotonic()
    done = run("squall", "halt", "--agent", f"http://127.0.0.1:{place.agent.port}", "--token-file",
               place.agent.token_file)
    assert done.returncode == 0 and place.clear(), done
    assert time.monotonic() - begun < 5
    assert place.answer()[1]["end"] == "halt"


def test_by_hand_with_exactly_those_pods_in_the_dry_run(lab):
    place = Place(lab, budget=2)
    place.shop.agent_entry = {"url": f"http://127.0.0.1:{place.agent.port}",
                              "tokenFile": str(place.agent.token_file)}
    place.shop.write()
    words = ["squall", "fault", "apply", "node", "web", "--for", "6s", "--lease", "10s", "--select", "one",
             "--where", f"{{node: {place.node}}}", "drain={}", "--topology", place.shop.topology_file]
    dry = run(*words, "--dry-run")
    listed = [line for line in dry.stdout.splitlines() if line.startswith("  evicts ")]
    assert dry.returncode == 0 and len(listed) == 2, dry
    for name in ("web-1", "web-2"):
        uid = place.web.look(name)["metadata"]["uid"]
        assert any(f"pod {place.web.name}/{name} uid {uid} of node {place.node}" in line for line in listed)
    assert place.pods() == {"web-1", "web-2"} and place.clear()
    done = run(*words)
    assert done.returncode == 0 and not place.pods(), done
    assert place.clear()
