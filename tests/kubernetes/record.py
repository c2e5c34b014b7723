# SPDX-License-Identifier: Apache-2.0
"""Answers of the real API server, as the tables that tests/unit/chaos/test_pod_answer.c and
test_node_answer.c read:
    tests/kubernetes/run.sh release -o python_files=record.py -k record
writes tests/unit/chaos/pod_answers.h and node_answers.h (-k pods, -k nodes: one of them). Left out
of them: managedFields, which say who wrote what, and of /api/v1 what is not about pods."""

import json

import pytest

from conftest import ROOT, wait_until
from kube_lab import MARK, MERGE, NOBODY, Cluster, Namespace


def without_managed(value):
    if isinstance(value, dict):
        return {k: without_managed(v) for k, v in value.items() if k != "managedFields"}
    return [without_managed(v) for v in value] if isinstance(value, list) else value


def record(cluster):
    web = Namespace(cluster, "shop", replicas=2, grace_s=30)
    web.node_works = web.controller_works = False
    one, two = (f"{web.pods_path}/web-{number}" for number in (1, 2))
    uid = web.look("web-1")["metadata"]["uid"]
    other = "00000000-0000-0000-0000-000000000000"
    evict = {"apiVersion": "policy/v1beta1", "kind": "Eviction",
             "metadata": {"name": "web-1", "namespace": "shop"}}
    yield "ready", cluster.ask("GET", one)
    web.pod("alone", owned=False, ready=False)
    yield "alone", cluster.ask("GET", f"{web.pods_path}/alone")
    web.remove("alone")
    yield "list", cluster.ask("GET", f"{web.pods_path}?limit=100")
    yield "page", cluster.ask("GET", f"{web.pods_path}?limit=1")
    yield "versions", cluster.ask("GET", "/api/v1")
    yield "missing", cluster.ask("GET", f"{web.pods_path}/none")
    yield "delete_missing", cluster.ask("DELETE", f"{web.pods_path}/none")
    for by, ask in (("delete", ("DELETE", one, {"preconditions": {"uid": other}})),
                    ("evict", ("POST", f"{one}/eviction",
                               {**evict, "deleteOptions": {"preconditions": {"uid": other}}}))):
        yield f"{by}_other", cluster.ask(*ask)
    web.budget(allowed=0, healthy=2)
    yield "budget", cluster.ask("POST", f"{one}/eviction", evict)
    assert cluster.ask("DELETE", "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets/keep")[0] == 200
    wait_until(lambda: cluster.ask("GET", one)[0] == 200, 5, "it is there")
    yield "evicted", cluster.ask("POST", f"{one}/eviction",
                                 {**evict, "deleteOptions": {"preconditions": {"uid": uid}}})
    yield "deleted", cluster.ask("DELETE", two, {"gracePeriodSeconds": 7})
    yield "deleting", cluster.ask("GET", one)
    yield "list_deleting", cluster.ask("GET", f"{web.pods_path}?limit=100")
    web.stop()


def uids(answer):
    meta = answer["metadata"]
    return f'#define POD_UID "{meta["uid"]}"\n#define POD_OWNER_UID "{meta["ownerReferences"][0]["uid"]}"\n'


def literal(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    cut = []
    while quoted:
        end = 90
        while quoted[end - 1:end] == "\\":
            end += 1
        cut, quoted = [*cut, quoted[:end]], quoted[end:]
    return "\n".join(f'    "{part}"' for part in cut)


def record_nodes(cluster):
    cluster.node("n-1", boot_id="b00710")
    path = "/api/v1/nodes/n-1"
    free = cluster.ask("GET", path)
    ours = {"metadata": {"annotations": {MARK: "ours"}}, "spec": {"unschedulable": True}}
    yield "free", free
    yield "marked", cluster.ask("PATCH", path, ours, MERGE)
    yield "ours", cluster.ask("GET", path)
    version = free[1]["metadata"]["resourceVersion"]
    yield "conflict", cluster.ask("PATCH", path, {"metadata": {"resourceVersion": version}, **{
        "spec": {"unschedulable": None}}}, MERGE)
    yield "other_uid", cluster.ask("PATCH", path, {"metadata": {"uid": "other"}}, MERGE)
    cluster.patch(path, {"spec": {"unschedulable": None}})
    yield "opened", cluster.ask("GET", path)
    cluster.patch(path, {"metadata": {"annotations": {MARK: None}}, "spec": {"unschedulable": True}})
    yield "cordoned", cluster.ask("GET", path)
    yield "missing", cluster.ask("GET", "/api/v1/nodes/none")
    yield "forbidden", cluster.ask("GET", path, token=NOBODY)
    put_pods(cluster, "n-1")
    pods, after = "/api/v1/pods?fieldSelector=spec.nodeName%3Dn-1&limit=3", ""
    for number in (1, 2, 3):
        page = cluster.ask("GET", f"{pods}&continue={after}")
        yield f"pods_{number}", page
        after = page[1]["metadata"].get("continue")
    assert not after


def put_pods(cluster, node):
    """One of each sort."""
    web = Namespace(cluster, "shop", replicas=1, grace_s=30, homes=[node])
    web.node_works = web.controller_works = False
    web.pod("daemon", owned=False, kind="DaemonSet", nodeName=node)
    web.pod("mirror", owned=False, nodeName=node, annotations={"kubernetes.io/config.mirror": "x"})
    web.pod("over", owned=False, nodeName=node)
    cluster.patch(f"{web.pods_path}/over/status", {"status": {"phase": "Failed"}})
    web.pod("leaving", owned=False, kind="ReplicaSet", nodeName=node)
    assert cluster.ask("DELETE", f"{web.pods_path}/leaving")[0] == 200
    web.pod("scratch", owned=False, kind="Job", nodeName=node, volumes=[{"name": "v", "emptyDir": {}}])
    web.pod("alone", owned=False, nodeName=node)
    web.stop()


def of_pods(cluster):
    for name, (status, answer) in record(cluster):
        if name == "versions":
            answer["resources"] = [one for one in answer["resources"] if one["name"].startswith("pods")]
        yield uids(answer) if name == "ready" else "", name, status, answer


def of_nodes(cluster):
    for name, (status, answer) in record_nodes(cluster):
        meta = answer["metadata"]
        yield (f'#define NODE_UID "{meta["uid"]}"\n#define NODE_VERSION "{meta["resourceVersion"]}"\n'
               if name == "free" else "", name, status, answer)


@pytest.mark.parametrize("what,of", [("pod", of_pods), ("node", of_nodes)], ids=["pods", "nodes"])
def test_record(tmp_path, what, of):
    cluster = Cluster(tmp_path)
    try:
        cluster.start()
        rows = []
        for more, name, status, answer in of(cluster):
            text = json.dumps(without_managed(answer), separators=(",", ":"))
            rows.append(f"{more}#define {what.upper()}_{name.upper()}_STATUS {status}\n"
                        f"static const char {what}_{name}[] =\n{literal(text)};\n")
        version = cluster.ask("GET", "/version")[1]["gitVersion"]
        guard = f"{what.upper()}_ANSWERS_H"
        (ROOT / f"tests/unit/chaos/{what}_answers.h").write_text(
            "/* SPDX-License-Identifier: Apache-2.0 */\n/* Recorded by tests/kubernetes/record.py from "
            f"Debian's Kubernetes 1.20.2\n * ({version}). */\n#ifndef {guard}\n#define {guard}\n\n"
            "/* clang-format off */\n" + "".join(rows) + "/* clang-format on */\n\n#endif\n")
    finally:
        cluster.stop()
