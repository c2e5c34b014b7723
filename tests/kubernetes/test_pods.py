# SPDX-License-Identifier: Apache-2.0
"""kill by delete and evict, at a real API server, with a real agent that has only the rights that
are documented."""

import contextlib
import json
import subprocess
import sys

import pytest

from certificates import Authority
from chaos_lab import connects, fault
from conftest import run, wait_until
from kube_lab import NARROW, NOBODY, evidence
from kube_lab import _cluster as _cluster, _lab as _lab
from services import free_port

S = 1_000_000_000


def kill(by, targets=("web-1",), within_s=20.0, grace_s=0.0, force=False, **more):
    return fault("kill", "web", list(targets), signal=0, restartWithinNs=int(within_s * S),
                 graceNs=int(grace_s * S), everyNs=0, by=by, force=force, **more)


def uid(namespace, name):
    pod = namespace.look(name)
    return pod["metadata"]["uid"] if pod else None


def standing(namespace):
    return {pod["metadata"]["name"] for pod in namespace.owned()
            if "deletionTimestamp" not in pod["metadata"]}


def finish(agent, spec):
    status, record = agent.delete(spec)
    assert status == 200, record
    return record


def refused(agent, spec, *words, state="gone"):
    """It failed before or in its request, and says why."""
    status, record = agent.post(spec)
    assert status != 200, record
    for word in words:
        assert word in record["error"], record
    assert record.get("state", state) == state, record
    return record


@pytest.mark.parametrize("by", ["delete", "evict"])
def test_a_pod_goes_and_another_takes_its_place(lab, by):
    web = lab.namespace(replicas=3)
    web.budget(allowed=1)
    agent = lab.agent(lab.shop(web))
    old = {name: uid(web, name) for name in ("web-1", "web-2", "web-3")}
    status, record = agent.post(spec := kill(by))
    assert status == 200 and record["state"] == "active", record
    before = evidence(record, "before", "pod")[0]
    assert before["ok"] and old["web-1"] in before["value"] and "ready" in before["value"]
    assert evidence(record, "before", "ready pods")[0]["value"] == "3 of ReplicaSet web"
    during = evidence(record, "during", "pod")[0]
    assert during["ok"] and "deletionTimestamp seen" in during["value"], during
    assert uid(web, "web-1") is None
    record = finish(agent, spec)
    after = evidence(record, "after", "ready pods")[0]
    assert record["state"] == "gone" and after["ok"] and after["value"].startswith("3 of"), record
    assert not record.get("error"), record
    assert standing(web) == {"web-2", "web-3", "web-4"}
    assert (uid(web, "web-2"), uid(web, "web-3")) == (old["web-2"], old["web-3"])


def test_a_budget_holds_an_eviction_back_and_no_deletion(lab):
    web = lab.namespace()
    web.budget(allowed=0, healthy=2)
    agent = lab.agent(lab.shop(web))
    old = uid(web, "web-1")
    record = refused(agent, kill("evict"), "disruption budget keep needs 2 healthy pods and has 2 "
                     "currently", "web-1")
    assert record["end"] == "failed" and not record["wasActive"], record
    pod = web.look("web-1")
    assert pod["metadata"]["uid"] == old and "deletionTimestamp" not in pod["metadata"]
    assert evidence(record, "after", "ready pods")[0]["ok"], record
    status, record = agent.post(spec := kill("delete"))
    assert status == 200, record
    assert finish(agent, spec)["state"] == "gone" and uid(web, "web-1") != old


def test_of_two_evictions_a_budget_allows_one(lab):
    web = lab.namespace(replicas=3)
    web.budget(allowed=1)
    agent = lab.agent(lab.shop(web), "--max-affected", "100%")
    record = refused(agent, kill("evict", ("web-1", "web-2")), "disruption budget keep")
    assert evidence(record, "after", "ready pods")[0]["ok"], record
    assert len(standing(web) & {"web-1", "web-2"}) == 1, "one was evicted, as the record shows"


def test_never_another_pod_of_that_name(lab):
    web = lab.namespace()
    shop = lab.shop(web)
    agent = lab.agent(shop)
    web.controller_works = False
    web.remove("web-1")
    new = web.pod("web-1")["metadata"]["uid"]
    for by in ("delete", "evict"):
        refused(agent, kill(by), f"has the uid {new}", f"expected {shop.pods['web-1']['uid']}")
    assert uid(web, "web-1") == new
    web.remove("web-2")
    refused(agent, kill("delete", ("web-2",)), 'pods "web-2" not found')


def test_a_pod_that_nothing_would_replace_is_left_alone(lab):
    web = lab.namespace()
    alone = web.pod("alone", owned=False)
    agent = lab.agent(lab.shop(web).name(alone).write())
    refused(agent, kill("delete", ("alone",)), "no controller")
    assert uid(web, "alone") == alone["metadata"]["uid"]


def test_a_pod_that_is_not_ready_shows_nothing(lab):
    web = lab.namespace()
    web.set_ready(web.look("web-1"), ready=False)
    old = uid(web, "web-1")
    agent = lab.agent(lab.shop(web))
    refused(agent, kill("delete"), "not up", "not ready")
    assert uid(web, "web-1") == old


def test_the_grace_is_what_was_asked_for(lab):
    web = lab.namespace(grace_s=30)
    agent = lab.agent(lab.shop(web))
    refused(agent, kill("delete", duration_s=20.0), "terminationGracePeriodSeconds of 30")
    for by, name in (("delete", "web-1"), ("evict", "web-2")):
        old = uid(web, name)
        status, record = agent.post(spec := kill(by, (name,), grace_s=7.0))
        assert status == 200, record
        assert web.graces[old] == 7
        assert finish(agent, spec)["state"] == "gone"


def test_without_its_node_only_force_removes_a_pod(lab):
    web = lab.namespace()
    web.node_works = False
    agent = lab.agent(lab.shop(web))
    old = uid(web, "web-1")
    record = refused(agent, kill("delete", within_s=1.0, duration_s=10.0), "took too long")
    during = evidence(record, "during", "pod")[0]
    assert not during["ok"] and "not shown to be gone" in during["value"] and "deletionTimestamp seen" in during["value"]
    assert uid(web, "web-1") == old
    status, record = agent.post(spec := kill("delete", ("web-2",), force=True))
    assert status == 200 and evidence(record, "during", "pod")[0]["ok"], record
    assert uid(web, "web-2") is None
    assert finish(agent, spec)["state"] == "gone"


def test_pods_that_do_not_come_back_are_an_error(lab):
    web = lab.namespace()
    agent = lab.agent(lab.shop(web))
    web.controller_works = False
    status, record = agent.post(spec := kill("delete", within_s=1.0))
    assert status == 200, record
    record = finish(agent, spec)
    after = evidence(record, "after", "ready pods")[0]
    assert record["state"] == "gone" and not after["ok"] and after["value"].startswith("1 of ReplicaSet web")
    assert "expected 2 within 1s" in record["error"], record


def test_an_answer_that_is_missing_shows_nothing(lab):
    """The rights are lost once the pod has gone: how many are ready is not known then."""
    web = lab.namespace()
    shop = lab.shop(web)
    agent = lab.agent(shop)
    web.controller_works = False
    status, record = agent.post(spec := kill("delete", within_s=1.5))
    assert status == 200, record
    binding = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{web.name}/rolebindings/squall"
    assert lab.cluster.ask("DELETE", binding)[0] == 200
    shop.token_file.write_text(NOBODY + "\n")
    web.controller_works = True
    wait_until(lambda: len(standing(web)) == 2, 20, "another pod is there")
    record = finish(agent, spec)
    after = evidence(record, "after", "ready pods")[0]
    assert not after["ok"] and record["error"], record


@pytest.mark.parametrize("what,words", [
    ("token", ("401", "tokenFile")), ("rights", ("403", "cannot get resource")),
    ("authority", ("certificate",)), ("address", ("127.0.0.1",)), ("file", ("missing.token",))])
def test_a_server_that_cannot_be_asked(lab, what, words):
    web = lab.namespace()
    more = {"token": {"token": "wrong"}, "rights": {"token": NOBODY},
            "authority": {"ca": Authority(lab.folder, "other").pem},
            "address": {"url": f"https://127.0.0.1:{free_port()}"}, "file": {}}[what]
    shop = lab.shop(web, **more)
    if what == "file":
        shop.kubernetes["tokenFile"] = str(lab.folder / "missing.token")
        shop.write()
    old = uid(web, "web-1")
    refused(lab.agent(shop), kill("delete"), *words)
    pod = web.look("web-1")
    assert pod["metadata"]["uid"] == old and "deletionTimestamp" not in pod["metadata"]


def test_a_token_is_read_anew(lab):
    web = lab.namespace()
    shop = lab.shop(web, token="wrong")
    agent = lab.agent(shop)
    refused(agent, kill("delete"), "401")
    shop.token_file.write_text(NARROW + "\n")
    status, record = agent.post(spec := kill("delete"))
    assert status == 200, record
    assert finish(agent, spec)["state"] == "gone"


def test_an_agent_that_dies_leaves_a_fault_that_the_next_one_ends(lab):
    web = lab.namespace()
    agent = lab.agent(lab.shop(web))
    status, record = agent.post(spec := kill("delete", duration_s=60.0))
    assert status == 200, record
    agent.kill()
    agent.start()
    record = agent.wait_state(spec, "gone", 40)
    assert record["end"] == "recovery", record
    assert evidence(record, "after", "ready pods")[0]["ok"], record
    assert len(standing(web)) == 2


def test_pods_on_further_pages_of_a_list_count(lab):
    web = lab.namespace()
    for number in range(105):  # in the order of names before web-1
        web.pod(f"other-{number}", owned=False, ready=False)
    agent = lab.agent(lab.shop(web))
    status, record = agent.post(spec := kill("evict"))
    assert status == 200, record
    assert evidence(record, "before", "ready pods")[0]["value"] == "2 of ReplicaSet web", record
    record = finish(agent, spec)
    assert evidence(record, "after", "ready pods")[0]["value"].startswith("2 of"), record


def test_by_hand_with_exactly_that_pod_in_the_dry_run(lab):
    web = lab.namespace()
    shop = lab.shop(web)
    agent = lab.agent(shop)
    shop.agent_entry = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
    shop.write()
    words = ["kill", "web", "--for", "20s", "by=evict", "--max-affected", "50%"]
    done = squall(shop, *words, "--dry-run")
    named = [name for name, one in shop.pods.items()
             if f"pod {web.name}/{name} uid {one['uid']}" in done.stdout]
    assert done.returncode == 0 and len(named) == 1 and "eviction" in done.stdout, done
    assert standing(web) == {"web-1", "web-2"}
    web.budget(allowed=1)
    done = squall(shop, *words, "restartWithin=20s")
    assert done.returncode == 0 and named[0] not in standing(web), done
    assert len(standing(web)) == 2


def squall(shop, *words):
    return run("squall", "fault", "apply", *words, "--topology", shop.topology_file)


# --- a whole experiment ---

SCENARIO = """\
apiVersion: squall/v1
kind: Scenario
metadata: {name: evicted}
spec:
  duration: 6s
  load: {service: front, rate: 20/s, connections: 2, maxLate: 5s,
         routes: [{name: any, path: /health}]}
  thresholds:
    - {name: served, expect: errors <= 0%}
  steadyState: {for: 0s, within: 20s, checks: [{name: up, service: front, path: /health}]}
  faults:
    - {name: evicted, at: 500ms, for: 4s, lease: 10s, service: web, select: one, maxAffected: 50%,
       kill: {by: evict, restartWithin: 20s}}
"""


@contextlib.contextmanager
def front(folder):
    """What is in front of the pods: its port."""
    (folder / "health").write_text("ok\n")
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                                "--directory", str(folder)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: connects(None, "127.0.0.1", port), 20, "it serves")
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("allowed", [1, 0])
def test_a_whole_run(lab, tmp_path, allowed):
    """A scenario that evicts one of two pods, and one that the budget holds back, which is no success
    of anything."""
    web = lab.namespace()
    web.budget(allowed=allowed)
    shop = lab.shop(web)
    agent = lab.agent(shop)
    before = {name: uid(web, name) for name in standing(web)}
    with front(tmp_path) as port:
        topology = json.loads(shop.topology_file.read_text())
        topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
        [pods] = topology["services"]
        [first, *_] = pods["instances"]
        topology["services"].append({**pods, "name": "front", "port": port, "instances": [
            {**first, "name": "front-1", "port": port, "pod": None}]})
        (tmp_path / "run.json").write_text(json.dumps(topology))
        (tmp_path / "s.yaml").write_text(SCENARIO)
        done = run("squall", "run", tmp_path / "s.yaml", "--topology", tmp_path / "run.json", "--out",
                   tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    [record] = json.loads((folder / "faults.json").read_text())["faults"]
    report = (folder / "report.md").read_text()
    if allowed:
        assert done.returncode == 0, done.stdout + done.stderr
        assert record["state"] == "gone" and record["wasActive"] and not record["error"], record
        [gone] = before.keys() - standing(web)
        assert record["targets"] == [gone] and before[gone] in evidence(record, "during", "pod")[0]["value"]
        assert evidence(record, "after", "ready pods")[0]["ok"] and "ready pods" in report
    else:
        assert done.returncode == 5, done.stdout + done.stderr
        assert not record["wasActive"] and "disruption budget" in record["error"], record
        assert "disruption budget" in report and standing(web) == before.keys()
