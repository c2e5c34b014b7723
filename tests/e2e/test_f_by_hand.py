# SPDX-License-Identifier: Apache-2.0
"""squall fault apply|list|revert and --dry-run, on real services with a real agent."""

import http.client
import json
import re
import signal
import socket
import subprocess
import time

import pytest

from chaos_lab import (GRACE_S, NEEDS_ROOT, TOKEN, Agent, Instance, audit_of, bridge, cut_off,
                       injected_share, platform, ruleset)
from conftest import BIN, run, wait_until


@pytest.fixture(scope="module", name="agent")
def _agent(platform, tmp_path_factory):
    for name, zone in [("api-11", "a"), ("api-12", "b")]:
        platform.instances[name].place = {"zone": zone, "labels": [f"is={name}"]}
    platform.write()
    made = Agent(platform, tmp_path_factory.mktemp("agent")).start()
    topology = json.loads(platform.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{made.port}", "tokenFile": str(made.token_file)}
    made.topology = made.folder / "with-agent.json"
    made.topology.write_text(json.dumps(topology))
    yield made
    made.finish()


def squall(agent, *words):
    return run("squall", "fault", *words, "--topology", agent.topology)


class ByHand:
    """squall fault apply, in the foreground of somebody."""

    def __init__(self, agent, tmp_path, *words):
        self.log = tmp_path / "by-hand.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "squall"), "fault", "apply", *words, "--topology", str(agent.topology)],
                stdout=log, stderr=subprocess.STDOUT)

    def text(self):
        return self.log.read_text()

    def wait_for(self, word):
        def said():
            assert self.process.poll() is None or f"  {word}\n" in self.text(), self.text()
            return f"  {word}\n" in self.text()
        wait_until(said, 20, f"it says {word}: {self.text()}")
        return self

    def end(self, deadline=30):
        return self.process.wait(deadline)

    def id(self):
        return re.search(r"^id (\S+);", self.text(), re.M).group(1)


def records(agent):
    return agent.ask("GET", "/v1/faults")[1]["faults"]


LEASE_S = 2  # an effect must have been shown within it, on a busy machine, too
LEASE = f"{LEASE_S}s"
PARTITION = ["partition", "api", "--for", "60s", "from=[store]", "action=drop"]


@NEEDS_ROOT
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_is_kept_beyond_its_lease_and_reverted_by_a_signal(agent, platform, tmp_path, number):
    hand = ByHand(agent, tmp_path, *PARTITION, "--lease", LEASE).wait_for("active")
    record = next(r for r in records(agent) if r["id"] == hand.id())
    (target,) = record["targets"]
    assert f"target     {target} at " in hand.text() and "1 of 2 instances" in hand.text()
    # longer than two leases: only renewal keeps it
    end = time.monotonic() + (2.5 * LEASE_S if number == signal.SIGINT else 0)
    while time.monotonic() < end:
        assert cut_off(platform, target)
    hand.process.send_signal(number)
    assert hand.end() == 0, hand.text()
    assert not cut_off(platform, target)
    assert "during" in hand.text() and "after" in hand.text(), "evidence is shown"
    record = next(r for r in records(agent) if r["id"] == hand.id())
    assert (record["state"], record["end"]) == ("gone", "request")


def echo_time(platform, name):
    instance = platform.instances[name]
    with socket.create_connection((instance.address, instance.port), timeout=5) as sock:
        began = time.monotonic()
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        return time.monotonic() - began


def status_of(platform, name):
    instance = platform.instances[name]
    connection = http.client.HTTPConnection(instance.address, instance.port, timeout=5)
    connection.request("GET", "/api/nothing")
    status = connection.getresponse().status
    connection.close()
    return status


@NEEDS_ROOT
@pytest.mark.parametrize("words, bent", [
    (["tcp", "api", "latency=400ms"], lambda *at: echo_time(*at) > 0.35),
    (["http", "gateway", "abort={status: 418}"], lambda *at: status_of(*at) == 418)])
def test_a_fault_of_a_proxy_is_kept_and_reverted(agent, platform, tmp_path, words, bent):
    hand = ByHand(agent, tmp_path, *words, "--for", "60s", "--lease", "2s").wait_for("active")
    (target,) = next(r for r in records(agent) if r["id"] == hand.id())["targets"]
    end = time.monotonic() + 3  # longer than a lease: only renewal keeps it
    while time.monotonic() < end:
        assert bent(platform, target)
    hand.process.send_signal(signal.SIGINT)
    assert hand.end() == 0, hand.text()
    assert not bent(platform, target)
    assert "during" in hand.text() and "after" in hand.text(), "evidence is shown"


@NEEDS_ROOT
def test_its_for_ends_it(agent, platform, tmp_path):
    hand = ByHand(agent, tmp_path, "app", "gateway", "--for", "3s", "errorRate=100%",
                  "--lease", LEASE).wait_for("active")
    target = next(r for r in records(agent) if r["id"] == hand.id())["targets"][0]
    assert injected_share(platform, target) == 1.0
    assert hand.end() == 0, hand.text()
    assert injected_share(platform, target) == 0
    assert next(r for r in records(agent) if r["id"] == hand.id())["end"] == "expired"


@NEEDS_ROOT
def test_what_is_only_told_has_no_expectation(agent):
    done = squall(agent, "apply", "diskFill", "api", "--for", "1s", "--lease", LEASE, "size=1MiB")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "space at" in done.stdout and "(null)" not in done.stdout, done.stdout


@NEEDS_ROOT
def test_its_lease_ends_it_when_the_command_dies(agent, platform, tmp_path):
    hand = ByHand(agent, tmp_path, *PARTITION, "--lease", LEASE).wait_for("active")
    (target,) = next(r for r in records(agent) if r["id"] == hand.id())["targets"]
    hand.process.kill()
    hand.process.wait()
    wait_until(lambda: not cut_off(platform, target), LEASE_S + GRACE_S, "gone by lease + 2 s")
    wait_until(lambda: next(r for r in records(agent) if r["id"] == hand.id())["end"] == "lease", 5,
               "ended by its lease")


@NEEDS_ROOT
def test_it_is_listed_and_reverted_from_elsewhere(agent, platform, tmp_path):
    hand = ByHand(agent, tmp_path, *PARTITION, "--select", "1", "--where",
                  "{zone: b, labels: [is=api-12]}").wait_for("active")
    assert cut_off(platform, "api-12") and not cut_off(platform, "api-11"), hand.text()
    listed = squall(agent, "list")
    assert listed.returncode == 0 and f"active       partition  {hand.id()}" in listed.stdout
    assert "until" in listed.stdout
    reverted = run("squall", "fault", "revert", hand.id(), "--agent",
                   f"http://127.0.0.1:{agent.port}", "--token-file", agent.token_file)
    assert reverted.returncode == 0 and "gone" in reverted.stdout, reverted.stdout
    assert hand.end() == 0, "somebody reverted it"
    assert "no fault is in place" in squall(agent, "list").stdout
    assert hand.id() in squall(agent, "list", "--all").stdout
    answer = json.loads(squall(agent, "list", "--json").stdout)
    assert hand.id() in [r["id"] for r in answer["faults"]]
    again = squall(agent, "revert", hand.id())
    assert again.returncode == 0, "repeating it is harmless"
    missing = squall(agent, "revert", "nothing-1")
    assert missing.returncode == 5 and "nothing-1" in missing.stderr
    assert squall(agent, "revert", "../halt").returncode == 2


@NEEDS_ROOT
def test_whom_it_is_for_is_what_the_agents_topology_says(agent, tmp_path):
    """The planner's file may be older than the agent's: who is elsewhere by now is not hit."""
    for seed in "123":
        done = squall(agent, "apply", *PARTITION, "--where", "{zone: b}", "--seed", seed, "--dry-run")
        assert done.returncode == 0 and "api-12" in done.stdout and "api-11" not in done.stdout
    moved = json.loads(agent.topology.read_text())
    instance = next(i for s in moved["services"] for i in s["instances"] if i["name"] == "api-11")
    instance["zone"] = "c"
    stale = tmp_path / "stale.json"
    stale.write_text(json.dumps(moved))
    done = run("squall", "fault", "apply", *PARTITION, "--where", "{zone: c}", "--topology", stale)
    assert done.returncode == 5 and "target api-11 is not in the zone" in done.stderr, done.stderr
    done = squall(agent, "apply", *PARTITION, "--where", "{zone: c}")
    assert done.returncode == 2 and "where: none of the 2 instances" in done.stderr, done.stderr


@NEEDS_ROOT
@pytest.mark.parametrize("by", ["--agent", "--topology"])
def test_a_halt_ends_it(agent, platform, tmp_path, by):
    hand = ByHand(agent, tmp_path, *PARTITION, "--lease", "1s").wait_for("active")
    whom = {"--agent": ["--agent", f"http://127.0.0.1:{agent.port}", "--token-file",
                        agent.token_file], "--topology": ["--topology", agent.topology]}
    done = run("squall", "halt", *whom[by])
    assert done.returncode == 0, done.stdout
    assert run("squall", "halt", *whom[by], "--name", "default").returncode == 2
    assert hand.end() == 4 and "ended by halt" in hand.text(), hand.text()


@NEEDS_ROOT
def test_no_effect_is_no_success(agent, platform, tmp_path):
    """Two of a kind on one target are refused; a peer that is down already cannot be cut off."""
    first = ByHand(agent, tmp_path, *PARTITION, "--select", "1", "--seed", "3").wait_for("active")
    second = squall(agent, "apply", *PARTITION, "--select", "1", "--seed", "3")
    assert second.returncode == 5 and first.id() in second.stderr, second.stderr
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 0
    store = platform.instances["store-13"]
    store.stop()
    try:
        done = squall(agent, "apply", *PARTITION)
        assert done.returncode == 1 and "ended by failed" in done.stderr, done.stderr
        assert "(NOT so)" in done.stdout
    finally:
        platform.add("store", Instance(platform.folder, "store-13", store.command, store.address,
                                       store.port, store.netns))


@NEEDS_ROOT
def test_when_the_agent_stops_answering_it_is_not_called_gone(platform, tmp_path, agent):
    mine = Agent(platform, tmp_path).start()
    topology = json.loads(agent.topology.read_text())
    topology["agent"]["url"] = f"http://127.0.0.1:{mine.port}"
    mine.topology = tmp_path / "mine.json"
    mine.topology.write_text(json.dumps(topology))
    hand = ByHand(mine, tmp_path, *PARTITION, "--lease", "1s").wait_for("active")
    mine.kill()
    began = time.monotonic()
    assert hand.end(40) == 6, hand.text()
    assert "squall halt" in hand.text() and time.monotonic() - began < 30
    assert not any(cut_off(platform, name) for name in ("api-11", "api-12"))
    mine.start()
    assert mine.terminate() == 0


@NEEDS_ROOT
def test_a_dry_run_does_nothing_and_names_everything_krkn_1513(agent, platform, tmp_path):
    before = agent.ask("GET", "/v1/faults")
    rules = {netns: ruleset(netns) for netns in platform.namespaces}
    done = squall(agent, "apply", *PARTITION, "--select", "50%", "--seed", "5", "--dry-run")
    assert done.returncode == 0, done.stderr
    (target,) = re.findall(r"target     (\S+) at ", done.stdout)
    assert f"network namespace /run/netns/{platform.instances[target].netns}" in done.stdout
    assert "1 of 2 instances of api (50 %), at most 50 % allowed" in done.stdout
    assert "nftables" in done.stdout and "can be done there" in done.stdout
    assert squall(agent, "apply", *PARTITION, "--select", "50%", "--seed", "5",
                  "--dry-run").stdout == done.stdout, "the seed decides"
    (tmp_path / "s.yaml").write_text("""\
apiVersion: squall/v1
kind: Scenario
metadata: {name: rehearsal}
spec:
  duration: 10s
  load:
    service: gateway
    rate: 50/s
    routes: [{name: any, path: /health}]
  steadyState: {checks: [{name: up, service: gateway, path: /health}]}
  faults:
    - {name: cut, at: 1s, for: 2s, service: api, partition: {from: [store]}}
    - {name: errors, at: 4s, for: 2s, service: gateway, app: {errorRate: 100%}}
""")
    words = ["squall", "run", tmp_path / "s.yaml", "--topology", agent.topology, "--out",
             tmp_path / "runs"]
    done = run(*words, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fault cut: partition of api, at 1s for 2s" in done.stdout
    assert "fault errors: app of gateway" in done.stdout and "load 50/s for 10s" in done.stdout
    done = run(*words, "--dry-run", "--without-kernel-faults")
    assert "LEFT OUT cut" in done.stdout and done.returncode == 0
    assert not (tmp_path / "runs").exists()
    assert agent.ask("GET", "/v1/faults") == before
    assert {netns: ruleset(netns) for netns in platform.namespaces} == rules


@NEEDS_ROOT
@pytest.mark.parametrize("fault, words", [
    (["tcp", "api", "latency=100ms"], "open are reset when it begins and ends"),
    (["http", "gateway", "abort={status: 503}"], "open are reset when it begins and ends"),
    (["dns", "api", "names=[db.test]", "answer=servfail"], "what is asked of port 53")])
def test_a_dry_run_says_by_what_a_proxy_fault_is_made(agent, fault, words):
    """Not what the key means: what is put in place, and what takes it away."""
    done = squall(agent, "apply", *fault, "--for", "5s", "--dry-run")
    (mechanism,) = re.findall(r"^  mechanism  (.*)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and mechanism.startswith(
        "a redirect by nftables in the target's network namespace to a proxy of the agent's; it "
        "times out in the kernel after one lease, table and proxy go with the agent; "), done.stdout
    assert words in mechanism


@NEEDS_ROOT
def test_a_dry_run_says_what_an_agent_cannot(agent, platform, tmp_path):
    weak = Agent(platform, tmp_path)
    weak.prefix = ["setpriv", "--bounding-set=-net_admin"]
    weak.start()
    try:
        words = [*PARTITION, "--dry-run", "--agent", f"http://127.0.0.1:{weak.port}",
                 "--token-file", str(weak.token_file)]
        done = squall(agent, "apply", *words)
        assert done.returncode == 5 and "CAP_NET_ADMIN" in done.stdout, done.stdout
    finally:
        weak.kill()
    done = squall(agent, "apply", *words)
    assert done.returncode == 5 and "127.0.0.1" in done.stderr, "nobody answers"


@NEEDS_ROOT
def test_a_dry_run_asks_the_agent_whom_it_would_hit(agent, platform, tmp_path):
    """And whether it would take it: its own cap and ceiling, what stands there, a target that is
    gone are for it alone to know."""
    words = ["apply", *PARTITION, "--lease", LEASE, "--dry-run"]
    done = squall(agent, *words)
    (target,) = re.findall(r"by-hand +would hit (\S+):", done.stdout)
    instance = platform.instances[target]
    assert f"pid {instance.process.pid}, network namespace /run/netns/{instance.netns}" in done.stdout
    last = audit_of(agent.log_file, path="/v1/rehearse")[-1]
    assert (last["status"], last["targets"]) == (200, [target]), last
    hand = ByHand(agent, tmp_path, *PARTITION, "--lease", LEASE).wait_for("active")
    try:
        done = squall(agent, *words)
        assert done.returncode == 5 and f"CANNOT: fault by-hand" in done.stdout, done.stdout
        assert "the two would hide each other" in done.stdout, done.stdout
    finally:
        hand.process.send_signal(signal.SIGINT)
        assert hand.end() == 0, hand.text()
    strict = Agent(platform, tmp_path, "--max-affected", "40%", "--max-duration", "2m").start()
    where = ["--agent", f"http://127.0.0.1:{strict.port}", "--token-file", str(strict.token_file)]
    try:
        done = squall(agent, *words, *where)
        assert done.returncode == 5 and "--max-affected" in done.stdout, done.stdout
        done = squall(agent, "apply", "partition", "api", "--for", "5m", "from=[store]", "--dry-run",
                      *where)
        assert done.returncode == 5 and "--max-duration" in done.stdout, done.stdout
        assert strict.ask("GET", "/v1/faults")[1]["faults"] == []
    finally:
        strict.kill()


@NEEDS_ROOT
@pytest.mark.parametrize("words, told", [
    ([], "apply, list or revert"),
    (["do"], "none of apply, list and revert"),
    (["apply", "app"], "which KIND on which SERVICE"),
    (["apply", "app", "gateway"], "--for"),
    (["apply", "app", "gateway", "--for", "5"], "needs a unit"),
    (["apply", "app", "gateway", "--for", "2h", "errorRate=50%"], "out of range"),
    (["apply", "ap", "gateway", "--for", "5s"], 'no kind of fault "ap"'),
    (["apply", "name", "gateway", "--for", "5s"], "expected one of kill"),
    (["apply", "app", "nobody", "--for", "5s", "errorRate=50%"], "nobody"),
    (["apply", "app", "gateway", "--for", "5s", "errorRate"], "KEY=VALUE"),
    (["apply", "app", "gateway", "--for", "5s", "errrorRate=5%"], "errrorRate"),
    (["apply", "app", "gateway", "--for", "5s", "errorRate=50%\nfor: 1h"], "control characters"),
    (["apply", "app", "gateway\n - x", "--for", "5s", "errorRate=50%"], "control characters"),
    (["apply", "app", "gateway", "--for", "5s", "--select", "all", "errorRate=50%"], "maxAffected"),
    (["apply", "app", "gateway", "--for", "5s", "--select", "3", "errorRate=50%"], "3 instances"),
    (["apply", "partition", "api", "--for", "5s", "from=[nobody]"], "nobody"),
    (["revert"], "which ID"),
    (["list", "more"], "not expected"),
    (["list", "--agent", "http://127.0.0.1:1"], "need each other"),
])
def test_words_that_are_wrong_are_named_and_nothing_is_asked(agent, words, told):
    before = agent.log_file.read_text()
    done = squall(agent, *words)
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert "spec.faults" not in done.stderr
    assert agent.log_file.read_text() == before
    assert TOKEN not in done.stderr + done.stdout
