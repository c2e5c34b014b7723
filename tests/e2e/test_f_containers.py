# SPDX-License-Identifier: Apache-2.0
"""A pod of real containers, made by runc as kubelet's runtime makes them: a sandbox that holds the
network namespace and a container that lives in it, each in a control group of its own below that of
the pod. The agent knows nothing of it but the pod's UID; no runtime is asked."""

import json
import os
import pathlib
import subprocess
import time
import uuid

import pytest

from chaos_lab import (NEEDS_ROOT, PREFIX, SUBNET, Agent, all_ok, bridge, connects, echo_command,
                       fault, group_mount, network_fault, partition_fault, platform,
                       remove_group, ruleset, sh)
from conftest import wait_until

pytestmark = NEEDS_ROOT
PORT = 8040
NUMBERS = iter(range(40, 60))  # of addresses: the bridge remembers whose one was
LOWEST_ROUND_TRIP_S = 0.1


class Container:
    """In the host's own files, which it cannot change."""

    def __init__(self, pod, command, network):
        self.id = uuid.uuid4().hex * 2
        self.runc = ["runc", "--root", str(pod.folder / "runc")]
        bundle = pod.folder / self.id[:12]
        (bundle / "rootfs").mkdir(parents=True)
        self.log = bundle / "log"
        (bundle / "config.json").write_text(json.dumps({
            "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True},
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
                        "args": command, "env": ["PATH=/usr/bin:/bin"]},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
            "linux": {"cgroupsPath": f"/{pod.top}/pod{pod.uid}/{self.id}",
                      "namespaces": [{"type": "pid"}, {"type": "mount"}, network]}}))
        with open(self.log, "wb") as log:
            made = subprocess.run(
                ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
                 'mount --bind / "$0/rootfs"; exec "$@"', str(bundle), *self.runc, "run",
                 "--no-pivot", "--detach", "--bundle", str(bundle), self.id],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60)
        assert made.returncode == 0, self.log.read_text()
        state = subprocess.run([*self.runc, "state", self.id], check=True, capture_output=True)
        self.pid = json.loads(state.stdout)["pid"]

    def remove(self):
        subprocess.run([*self.runc, "delete", "--force", self.id], check=False, timeout=60,
                       capture_output=True)


class Pod:
    def __init__(self, folder):
        self.folder = folder
        self.uid = str(uuid.uuid4())
        self.top = f"{PREFIX}-kubepods"
        self.containers = []
        self.netns = f"{PREFIX}-pod"
        self.outer = f"{PREFIX}vpod"
        self.address = f"{SUBNET}.{next(NUMBERS)}"

    def run(self, command, network):
        self.containers.append(Container(self, command, network))
        return self.containers[-1]

    def connect(self, bridge, pid):
        """As a CNI plugin does it."""
        sh("ip", "netns", "attach", self.netns, str(pid))
        sh("ip", "link", "add", self.outer, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        sh("ip", "link", "set", self.outer, "master", bridge, "up")
        sh("ip", "-n", self.netns, "link", "set", "eth0", "addrgenmode", "none", "up")
        sh("ip", "-n", self.netns, "address", "add", f"{self.address}/24", "dev", "eth0")

    def remove(self):
        for container in self.containers:
            container.remove()
        # By itself it goes when the kernel gets round to the namespace: the next pod has its name.
        subprocess.run(["ip", "link", "del", self.outer], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.netns], check=False, capture_output=True)
        for mount in {line.split()[1] for line in pathlib.Path("/proc/mounts").read_text()
                      .splitlines() if line.split()[2] in ("cgroup", "cgroup2")}:
            for group in (f"{self.top}/pod{self.uid}", self.top):
                folder = pathlib.Path(mount) / group
                if folder.exists():
                    wait_until(lambda folder=folder: remove_group(folder), 10, f"{folder} is empty")


@pytest.fixture(name="pod")
def _pod(bridge, tmp_path):
    made = Pod(tmp_path)
    try:
        made.sandbox = made.run(["/usr/bin/sleep", "infinity"], {"type": "network"})
        made.connect(bridge, made.sandbox.pid)
        made.app = made.run(echo_command(made.address, PORT), {
            "type": "network", "path": f"/proc/{made.sandbox.pid}/ns/net"})
        wait_until(lambda: connects(None, made.address, PORT), 20, f"it listens, see {made.app.log}")
        yield made
    finally:
        made.remove()


def agent_of(platform, pod, value):
    """Of a platform that has the pod as the only instance of a service more."""
    topology = json.loads(platform.topology_file.read_text())
    shop = {**topology["services"][0], "name": "shop", "kind": "tcp", "port": PORT, "instances": [
        {"name": "shop-1", "address": pod.address, "port": PORT, "netns": None, "cgroup": None,
         "statusFile": "", "logFile": "", "find": {"by": "pod", "value": value}}]}
    topology["services"].append(shop)

    class Described:
        topology_file = pod.folder / "pods.json"
    Described.topology_file.write_text(json.dumps(topology))
    return Agent(Described, pod.folder, "--max-affected", "100%").start()


def of_shop(spec):
    return {**spec, "service": "shop"}


def round_trip_s(pod, platform):
    """Of a connect from inside the pod to the store."""
    store = platform.instances["store-13"]
    began = time.monotonic()
    assert connects(pod.netns, store.address, store.port, timeout=10)
    return time.monotonic() - began


def test_a_pod_is_cut_off_slowed_down_and_stopped(platform, pod):
    store = platform.instances["store-13"]
    agent = agent_of(platform, pod, pod.uid)
    before = ruleset(pod.netns)
    try:
        spec = of_shop(partition_fault(["shop-1"], lease_s=10.0))
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        assert not connects(pod.netns, store.address, store.port)
        assert connects(platform.instances["api-12"].netns, store.address, store.port)
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record), record
        assert connects(pod.netns, store.address, store.port, timeout=5)

        spec = network_fault(["shop-1"], delay_ms=60, service="shop", lease_s=10.0)
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        assert min(round_trip_s(pod, platform) for _ in range(3)) > LOWEST_ROUND_TRIP_S
        assert agent.delete(spec)[0] == 200
        assert min(round_trip_s(pod, platform) for _ in range(20)) < LOWEST_ROUND_TRIP_S

        spec = fault("pause", "shop", ["shop-1"], lease_s=10.0)
        status, record = agent.post(spec)
        assert status == 200 and all_ok(record), record
        mount = group_mount(None) or group_mount("freezer")
        frozen = (mount / pod.top / f"pod{pod.uid}" / pod.app.id / "cgroup.events")
        assert not frozen.exists() or "frozen 1" in frozen.read_text()
        assert agent.delete(spec)[0] == 200 and connects(None, pod.address, PORT, timeout=5)

        spec = of_shop(partition_fault(["shop-1"], lease_s=10.0))
        assert agent.post(spec)[0] == 200
        agent.kill()
        wait_until(lambda: connects(pod.netns, store.address, store.port), 5, "gone with the agent")
        assert ruleset(pod.netns) == before
    finally:
        agent.start()
        assert agent.terminate() == 0, agent.log_file.read_text()


def test_one_container_of_a_pod_is_not_its_namespace(platform, pod):
    """The sandbox lives there, too; killing the one that is meant leaves it alone."""
    agent = agent_of(platform, pod, f"{pod.uid}/{pod.app.id[:12]}")
    try:
        status, answer = agent.post(of_shop(partition_fault(["shop-1"], lease_s=10.0)))
        assert status == 403, answer
        assert f"holds process {pod.sandbox.pid} (sleep), too" in answer["error"]["message"]
        assert ruleset(pod.netns) == ""
        spec = fault("kill", "shop", ["shop-1"], signal=9, restartWithinNs=1_000_000_000,
                     graceNs=0, everyNs=0, lease_s=10.0)
        status, record = agent.post(spec)
        assert status == 200 and f"pid {pod.app.pid} exited" in json.dumps(record), record
        os.kill(pod.sandbox.pid, 0)
        status, record = agent.delete(spec)
        assert not all_ok(record), "nobody has started it again, and that is said"
    finally:
        assert agent.terminate() in (0, 6), agent.log_file.read_text()


def test_a_pod_that_is_deleted_takes_the_fault_with_it(platform, pod):
    agent = agent_of(platform, pod, pod.uid)
    try:
        spec = of_shop(partition_fault(["shop-1"], lease_s=10.0))
        assert agent.post(spec)[0] == 200
        pod.remove()
        status, record = agent.delete(spec)
        assert (status, record["state"]) == (200, "gone"), record
        status, answer = agent.post(of_shop(partition_fault(["shop-1"], lease_s=10.0)))
        assert status >= 400 and "nothing would be hit" in answer["error"]["message"], answer
    finally:
        assert agent.terminate() == 0, agent.log_file.read_text()
