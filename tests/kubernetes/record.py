# SPDX-License-Identifier: Apache-2.0
"""Answers of the real API server, as the table that tests/unit/chaos/test_pod_answer.c reads:
    tests/kubernetes/run.sh release -o python_files=record.py
writes tests/unit/chaos/pod_answers.h. Left out of them: managedFields, which say who wrote what,
and of /api/v1 what is not about pods."""

import json

from conftest import ROOT, wait_until
from kube_lab import Cluster, Namespace


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


def test_record(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        cluster.start()
        rows = []
        for name, (status, answer) in record(cluster):
            if name == "versions":
                answer["resources"] = [one for one in answer["resources"] if one["name"].startswith("pods")]
            if name == "ready":
                rows.append(uids(answer))
            text = json.dumps(without_managed(answer), separators=(",", ":"))
            rows.append(f"#define POD_{name.upper()}_STATUS {status}\nstatic const char pod_{name}[] =\n{literal(text)};\n")
        version = cluster.ask("GET", "/version")[1]["gitVersion"]
        (ROOT / "tests/unit/chaos/pod_answers.h").write_text(
            "/* SPDX-License-Identifier: Apache-2.0 */\n/* Recorded by tests/kubernetes/record.py from "
            f"Debian's Kubernetes 1.20.2\n * ({version}). */\n#ifndef POD_ANSWERS_H\n#define POD_ANSWERS_H\n\n"
            "/* clang-format off */\n" + "".join(rows) + "/* clang-format on */\n\n#endif\n")
    finally:
        cluster.stop()
