# SPDX-License-Identifier: Apache-2.0
"""A real API server and its etcd on loopback, with what this project plays itself: a node that ends
pods and says when they are ready, and a controller that makes another pod for one that goes."""

import contextlib
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

from certificates import Authority, openssl
from conftest import ROOT, wait_until
from services import free_port

SERVER = pathlib.Path(os.environ.get("KUBE_APISERVER", ROOT / "build/kubernetes/kube-apiserver"))
ADMIN, NARROW, NOBODY = "admin-token", "narrow-token", "nobody-token"
# What README.md says that the agent's token needs, and nothing else.
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
         {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}]


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.accounts = folder / "accounts.key"
        openssl("genrsa", "-out", self.accounts, 2048)
        self.pem, self.key = self.authority.issue("api", "serverAuth", "IP:127.0.0.1")
        self.tls = ssl.create_default_context(cafile=str(self.authority.pem))
        self.processes = []
        self.url = None

    def spawn(self, *words):
        log = open(self.folder / f"{pathlib.Path(words[0]).name}.log", "wb")
        with log:
            self.processes.append(subprocess.Popen([str(word) for word in words], stdout=log,
                                                   stderr=subprocess.STDOUT))

    def start(self):
        store, peer, port = free_port(), free_port(), free_port()
        at, peers = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
        self.spawn("etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", at,
                   "--advertise-client-urls", at, "--listen-peer-urls", peers,
                   "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}")
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{ADMIN},admin,1,"system:masters"\n{NARROW},squall,2\n{NOBODY},nobody,3\n')
        self.spawn(SERVER, "--etcd-servers", at, "--secure-port", port, "--bind-address", "127.0.0.1",
                   "--advertise-address", "10.99.0.1", "--insecure-port=0",
                   "--tls-cert-file", self.pem, "--tls-private-key-file", self.key,
                   "--service-account-key-file", self.accounts,
                   "--service-account-signing-key-file", self.accounts,
                   "--service-account-issuer", "https://127.0.0.1", "--token-auth-file", tokens,
                   "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24",
                   "--disable-admission-plugins=ServiceAccount")
        self.url = f"https://127.0.0.1:{port}"

        def ready():
            for process in self.processes:
                assert process.poll() is None, f"{process.args[0]} died, see {self.folder}"
            with contextlib.suppress(OSError):
                return self.ask("GET", "/readyz")[0] == 200
        wait_until(ready, 120, f"the API server is ready, see {self.folder}")
        self.make("/api/v1/nodes", {"metadata": {"name": "node-1"}})
        self.make("/apis/rbac.authorization.k8s.io/v1/clusterroles",
                  {"metadata": {"name": "squall"}, "rules": RULES})
        return self

    def stop(self):
        for process in reversed(self.processes):  # the store last: the server writes to it at its end
            process.terminate()
            process.wait(30)

    def ask(self, method, path, body=None, kind="application/json"):
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": kind})
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        return status, json.loads(text) if text[:1] == b"{" else text.decode()

    def make(self, path, body):
        status, answer = self.ask("POST", path, body)
        assert status == 201, (path, answer)
        return answer


class Namespace:
    """A namespace with one ReplicaSet, and who does for it what node and controller do."""

    def __init__(self, cluster, name, replicas=2, grace_s=1):
        self.cluster, self.name, self.replicas, self.grace_s = cluster, name, replicas, grace_s
        self.pods_path = f"/api/v1/namespaces/{name}/pods"
        self.node_works = self.controller_works = True  # switched off by tests
        self.graces = {}  # uid -> the grace that its deletion has
        self.born = 0
        self.stopping = threading.Event()
        cluster.make("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.make(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings", {
            "metadata": {"name": "squall"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "squall"},
            "subjects": [{"kind": "User", "name": "squall"}]})
        labels = {"app": "web"}
        self.owner = cluster.make(f"/apis/apps/v1/namespaces/{name}/replicasets", {
            "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": self.spec()}}})
        for _ in range(replicas):
            self.bear()
        self.worker = threading.Thread(target=self.work, daemon=True)
        self.worker.start()

    def spec(self):
        return {"nodeName": "node-1", "terminationGracePeriodSeconds": self.grace_s,
                "containers": [{"name": "c", "image": "x"}]}

    def pod(self, name, owned=True, ready=True):
        meta = {"name": name, "labels": {"app": "web"} if owned else {}}
        if owned:
            meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
                                        "uid": self.owner["metadata"]["uid"], "controller": True}]
        made = self.cluster.make(self.pods_path, {"metadata": meta, "spec": self.spec()})
        if ready:
            self.set_ready(made)
        return made

    def set_ready(self, pod, ready=True):
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        code, answer = self.cluster.ask(
            "PATCH", f"{self.pods_path}/{pod['metadata']['name']}/status", {"status": status},
            "application/merge-patch+json")
        assert code == 200, answer

    def bear(self):
        self.born += 1
        return self.pod(f"web-{self.born}")

    def look(self, name):
        status, answer = self.cluster.ask("GET", f"{self.pods_path}/{name}")
        return answer if status == 200 else None

    def owned(self):
        return [pod for pod in self.cluster.ask("GET", f"{self.pods_path}?labelSelector=app%3Dweb")[1]["items"]]

    def remove(self, name):
        return self.cluster.ask("DELETE", f"{self.pods_path}/{name}", {"gracePeriodSeconds": 0})

    def budget(self, allowed, healthy=None):
        """A disruption budget with the status that its controller would write."""
        path = f"/apis/policy/v1beta1/namespaces/{self.name}/poddisruptionbudgets"
        made = self.cluster.make(path, {"metadata": {"name": "keep"}, "spec": {
            "minAvailable": self.replicas, "selector": {"matchLabels": {"app": "web"}}}})
        made["status"] = {"disruptionsAllowed": allowed, "currentHealthy": healthy or self.replicas,
                          "desiredHealthy": self.replicas, "expectedPods": self.replicas,
                          "observedGeneration": made["metadata"]["generation"]}
        status, answer = self.cluster.ask("PUT", f"{path}/keep/status", made)
        assert status == 200, answer

    def step(self):
        """The node ends what is being deleted; the controller makes what is missing, at once, as it
        does when a pod is on its way out."""
        pods = self.owned()
        for pod in pods:
            if "deletionTimestamp" in pod["metadata"]:
                self.graces[pod["metadata"]["uid"]] = pod["metadata"]["deletionGracePeriodSeconds"]
                if self.node_works:
                    self.remove(pod["metadata"]["name"])
        standing = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        if self.controller_works and len(standing) < self.replicas:
            self.bear()

    def work(self):
        while not self.stopping.wait(0.05):
            with contextlib.suppress(OSError, KeyError):
                self.step()

    def stop(self):
        self.stopping.set()
        self.worker.join(30)


class Shop:
    """What an agent serves: the pods of a namespace as instances of the service web."""

    def __init__(self, folder, namespace, token=NARROW, ca=None, url=None):
        self.folder, self.namespace = folder, namespace
        self.topology_file = folder / "topology.json"
        self.token_file = folder / "kubernetes.token"
        self.token_file.write_text(token + "\n")
        self.kubernetes = {"url": url or namespace.cluster.url, "tokenFile": str(self.token_file),
                           "caFile": str(ca or namespace.cluster.authority.pem)}
        self.pods = {}
        self.agent_entry = None

    def name(self, pod, **changes):
        meta = pod["metadata"]
        self.pods[meta["name"]] = {"namespace": meta["namespace"], "name": meta["name"],
                                   "uid": meta["uid"], **changes}
        return self

    def write(self):
        instances = [{"name": name, "address": "127.0.0.1", "port": 80, "netns": None, "cgroup": None,
                      "statusFile": "", "logFile": "", "pod": pod} for name, pod in self.pods.items()]
        whole = self.topology_file.with_suffix(".new")
        whole.write_text(json.dumps({
            "version": 1, "name": "shop", "mode": "external", "stateDir": str(self.folder),
            "agent": self.agent_entry, "prometheus": None, "kubernetes": self.kubernetes,
            "services": [{"name": "web", "port": 80, "kind": "http", "healthPath": None,
                          "readyPath": None, "adminTokenFile": None, "observability": False,
                          "instances": instances}]}))
        whole.rename(self.topology_file)
        return self


def evidence(record, when, metric):
    found = [one for one in record["evidence"] if (one["when"], one["metric"]) == (when, metric)]
    assert found, record
    return found
