# SPDX-License-Identifier: Apache-2.0
"""A real API server and its etcd on loopback, with what this project plays itself: a node that ends
pods and says when they are ready, and a controller that makes another pod for one that goes."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from certificates import Authority, openssl
from chaos_lab import Agent
from conftest import ROOT, wait_until
from services import free_port

SERVER = pathlib.Path(os.environ.get("KUBE_APISERVER", ROOT / "build/kubernetes/kube-apiserver"))
ADMIN, NARROW, NOBODY = "admin-token", "narrow-token", "nobody-token"
# What README.md says that the agent's token needs, and nothing else.
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
         {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}]
NODE_RULES = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
DRAIN_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NODE_BINDING = f"{RBAC}/clusterrolebindings/squall-nodes"
MERGE = "application/merge-patch+json"
MARK = "squall.dev/cordoned-by"
INFO = ("machineID", "systemUUID", "kernelVersion", "osImage", "containerRuntimeVersion",
        "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture")
NAMES = iter(range(1, 1000))


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
        self.node("node-1")
        self.make(f"{RBAC}/clusterroles", {"metadata": {"name": "squall"}, "rules": RULES})
        for role, rules in (("squall-nodes", NODE_RULES), ("squall-drain", DRAIN_RULES)):
            self.make(f"{RBAC}/clusterroles", {"metadata": {"name": role}, "rules": rules})
            self.allow(role)
        return self

    def allow(self, role):
        self.make(f"{RBAC}/clusterrolebindings", {
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": "squall"}]})

    def node(self, name, boot_id="another host's", **meta):
        """With what its kubelet would say of its kernel."""
        self.make("/api/v1/nodes", {"metadata": {"name": name, **meta}})
        if boot_id is not None:
            self.patch(f"/api/v1/nodes/{name}/status", {"status": {"nodeInfo": {
                "bootID": boot_id, **dict.fromkeys(INFO, "")}}})
        return name

    def patch(self, path, body):
        status, answer = self.ask("PATCH", path, body, MERGE)
        assert status == 200, answer
        return answer

    def marks(self, node):
        """Whether it is cordoned, and whose mark it bears."""
        status, answer = self.ask("GET", f"/api/v1/nodes/{node}")
        assert status == 200, answer
        return (answer["spec"].get("unschedulable", False),
                answer["metadata"].get("annotations", {}).get(MARK))

    def stop(self):
        for process in reversed(self.processes):  # the store last: the server writes to it at its end
            process.terminate()
            process.wait(30)

    def ask(self, method, path, body=None, kind="application/json", token=ADMIN):
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind})
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

    def __init__(self, cluster, name, replicas=2, grace_s=1, homes=()):
        self.cluster, self.name, self.replicas, self.grace_s = cluster, name, replicas, grace_s
        self.homes = list(homes)  # nodes of the first pods; all others are put on node-1
        self.pods_path = f"/api/v1/namespaces/{name}/pods"
        self.node_works = self.controller_works = True  # switched off by tests
        self.graces = {}  # uid -> the grace that its deletion has
        self.born = 0
        self.stopping = threading.Event()
        cluster.make("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.make(f"{RBAC}/namespaces/{name}/rolebindings", {
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

    def spec(self, **more):
        return {"nodeName": "node-1", "terminationGracePeriodSeconds": self.grace_s,
                "containers": [{"name": "c", "image": "x"}], **more}

    def pod(self, name, owned=True, ready=True, annotations=None, kind=None, **spec):
        meta = {"name": name, "labels": {"app": "web"} if owned else {}, "annotations": annotations or {}}
        if owned:
            meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
                                        "uid": self.owner["metadata"]["uid"], "controller": True}]
        if kind:
            meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": kind, "name": "theirs",
                                        "uid": "0", "controller": True}]
        made = self.cluster.make(self.pods_path, {"metadata": meta, "spec": self.spec(**spec)})
        if ready:
            self.set_ready(made)
        return made

    def set_ready(self, pod, ready=True):
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        code, answer = self.cluster.ask(
            "PATCH", f"{self.pods_path}/{pod['metadata']['name']}/status", {"status": status},
            MERGE)
        assert code == 200, answer

    def bear(self):
        self.born += 1
        home = self.homes.pop(0) if self.homes else "node-1"
        return self.pod(f"web-{self.born}", nodeName=home)

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

    def allow(self, allowed):
        """As its controller does when pods have come back."""
        self.cluster.patch(f"/apis/policy/v1beta1/namespaces/{self.name}/poddisruptionbudgets/keep/status",
                           {"status": {"disruptionsAllowed": allowed, "currentHealthy": self.replicas + allowed,
                                       "disruptedPods": None}})

    def step(self):
        """The node ends what is being deleted; the controller makes what is missing, at once, as it
        does when a pod is on its way out."""
        pods = self.owned()
        for pod in self.cluster.ask("GET", self.pods_path)[1]["items"]:
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
        self.pods, self.nodes, self.services = {}, {}, {}
        self.agent_entry = None

    def name(self, pod, node=None, service="web", **changes):
        meta = pod["metadata"]
        self.nodes[meta["name"]] = node or pod["spec"]["nodeName"]
        self.services[meta["name"]] = service
        self.pods[meta["name"]] = {"namespace": meta["namespace"], "name": meta["name"],
                                   "uid": meta["uid"], **changes}
        return self

    def write(self):
        instances = {service: [] for service in self.services.values()}
        for name, pod in self.pods.items():
            instances[self.services[name]].append({
                "name": name, "address": "127.0.0.1", "port": 80, "netns": None, "cgroup": None,
                "statusFile": "", "logFile": "", "pod": pod, "node": self.nodes[name]})
        whole = self.topology_file.with_suffix(".new")
        whole.write_text(json.dumps({
            "version": 1, "name": "shop", "mode": "external", "stateDir": str(self.folder),
            "agent": self.agent_entry, "prometheus": None, "kubernetes": self.kubernetes,
            "services": [{"name": service, "port": 80, "kind": "http", "healthPath": None,
                          "readyPath": None, "adminTokenFile": None,
                          "observability": service == "watcher", "instances": of}
                         for service, of in instances.items()]}))
        whole.rename(self.topology_file)
        return self


def evidence(record, when, metric):
    found = [one for one in record["evidence"] if (one["when"], one["metric"]) == (when, metric)]
    assert found, record
    return found


class Relay:
    """In front of the API server; while it is cut nobody gets through."""

    def __init__(self, url):
        self.to = int(url.rpartition(":")[2])
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.pairs, self.listener, self.delay_s = [], None, 0
        self.mend()

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def cut(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        while self.pairs:
            with contextlib.suppress(OSError):
                self.pairs.pop().shutdown(socket.SHUT_RDWR)

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to))
                self.pairs += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                time.sleep(self.delay_s)
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(name="lab")
def _lab(cluster, tmp_path):
    """A namespace, and how a test gets an agent for it."""
    made = Lab(cluster, tmp_path)
    yield made
    made.stop()


class Lab:
    """What a test has of its own in the cluster, which its module's tests share."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.agents, self.namespaces = [], []

    def namespace(self, **more):
        self.namespaces.append(Namespace(self.cluster, f"shop-{next(NAMES)}", **more))
        return self.namespaces[-1]

    def shop(self, namespace, **more):
        made = Shop(self.folder, namespace, **more)
        for pod in namespace.owned():
            made.name(pod)
        return made.write()

    def agent(self, shop, *options):
        self.agents.append(Agent(shop, self.folder, *options).start())
        return self.agents[-1]

    def stop(self):
        for agent in self.agents:
            agent.finish()
            assert not list(agent.journal.glob("*.fault")), "nothing stays in the journal"
        for namespace in self.namespaces:
            namespace.stop()
