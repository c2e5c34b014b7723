# SPDX-License-Identifier: Apache-2.0
"""squall-agent with real processes and a real kernel: each fault's whole life, and what becomes of
it when the agent is killed or stopped, the controller falls silent, or somebody halts."""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import signal
import socket
import threading
import time

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, S, SUBNET, Agent, Instance, agent,
                       agent_options, all_ok, app_fault, bridge, connects, cut_off, evidence,
                       injected_share, kill_fault, network_fault, partition_fault, platform, ruleset,
                       sh, tcp_socket)
from conftest import wait_until


# --- the whole life of each fault ---

@NEEDS_ROOT
def test_kill_is_seen_and_the_restart_awaited(agent, platform):
    instance = platform.instances["api-11"]
    pid = instance.process.pid
    spec = kill_fault()
    status, record = agent.post(spec)
    assert status == 200, record
    assert record["state"] == "active" and record["wasActive"]
    # The thread that starts it anew may not have heard of its death yet.
    wait_until(lambda: instance.process.pid != pid or instance.process.poll() is not None, 5,
               "killed")
    assert f"pid {pid}" in evidence(record, "during")[0]["value"]
    status, record = agent.delete(spec)
    assert (status, record["state"], record["end"]) == (200, "gone", "request"), record
    assert all_ok(record) and record["error"] is None
    after = evidence(record, "after")[0]["value"]
    assert f"pid {json.loads(instance.status_file.read_text())['pid']} ready after" in after
    assert record["requestedAtNs"] <= record["appliedAtNs"] <= record["verifiedAtNs"]
    assert record["verifiedAtNs"] <= record["revertedAtNs"] <= record["goneAtNs"]


@NEEDS_ROOT
def test_a_service_that_does_not_come_back_is_named(agent, platform):
    instance = platform.instances["api-12"]
    instance.restart = False
    spec = kill_fault(["api-12"], within_s=1.0)
    assert agent.post(spec)[0] == 200
    status, record = agent.delete(spec)
    try:
        assert (status, record["state"]) == (200, "gone"), record
        assert not evidence(record, "after")[0]["ok"]
        assert "no new process ready" in record["error"]
    finally:
        platform.add("api", Instance(platform.folder, "api-12", instance.command,
                                     instance.address, instance.port, instance.netns))


@NEEDS_ROOT
def test_killing_what_is_down_is_refused_with_evidence(agent, platform):
    instance = platform.instances["api-12"]
    status_before = instance.status_file.read_text()
    instance.status("backoff")
    try:
        status, record = agent.post(kill_fault(["api-12"]))
        assert (status, record["state"], record["wasActive"]) == (409, "gone", False)
        assert record["end"] == "failed" and record["appliedAtNs"] == 0
        assert not evidence(record, "before")[0]["ok"]
    finally:
        instance.status_file.write_text(status_before)


@NEEDS_ROOT
def test_a_signal_that_is_ignored_is_ineffective(agent, platform):
    pid = platform.instances["api-12"].process.pid
    spec = kill_fault(["api-12"], number=signal.SIGHUP, within_s=1.0)
    status, record = agent.post(spec)
    assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert not record["wasActive"] and record["appliedAtNs"] > 0
    assert [(e["ok"], e["value"]) for e in evidence(record, "during")] == [
        (False, f"pid {pid} still runs")]


@NEEDS_ROOT
@pytest.mark.parametrize("action", ["drop", "reject", "tcp-reset"])
@pytest.mark.parametrize("direction", ["both", "ingress", "egress"])
def test_partition_cuts_and_heals(agent, platform, action, direction):
    netns = platform.instances["api-11"].netns
    spec = partition_fault(action=action, direction=direction)
    status, record = agent.post(spec)
    assert status == 200, record
    assert cut_off(platform)
    at_once = action != "drop" and direction != "ingress"
    assert ("refused" in evidence(record, "during")[0]["value"]) == at_once, record
    assert connects(netns, f"{SUBNET}.12", 8000), "a partition from store cuts off nobody else"
    assert not cut_off(platform, "api-12"), "the other instance is no target"
    assert f"squall_{spec['id']}" in ruleset(netns)
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert all_ok(record) and not cut_off(platform)
    assert [e["when"] for e in record["evidence"] if "tcp" in e["metric"]] == [
        "before", "during", "after"]


BLOCK = f"{SUBNET}.8/29"  # holds the target itself, too


def block_fault(**more):
    return partition_fault(peers=[BLOCK], **more)


@NEEDS_ROOT
@pytest.mark.parametrize("action, peers", [("drop", [BLOCK]),
                                           ("reject", ["store", BLOCK, f"{SUBNET}.12/32"]),
                                           ("tcp-reset", ["store", BLOCK])])
def test_a_block_of_addresses_is_cut_off(agent, platform, action, peers):
    """All of it, flows that are open already, and for longer than the first lease; but not what the
    target says to itself, though its own address lies in it."""
    target, store = platform.instances["api-11"], platform.instances["store-13"]
    spec = partition_fault(peers=peers, action=action, lease_s=1.0, duration_s=60)
    with tcp_socket(target.netns) as flow:
        flow.settimeout(1.0 if action == "drop" else 5.0)
        flow.connect((store.address, store.port))
        flow.sendall(b"one")
        assert flow.recv(3) == b"one"
        status, record = agent.post(spec)
        assert status == 200, record
        named = {e["metric"] for e in evidence(record, "during")}
        assert named == {f"tcp connect to {i.name}:{i.port}" for n in ("api-12", "store-13",
                         "gateway-14", "gateway-15") for i in [platform.instances[n]]}, record
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})[0] == 200
            assert cut_off(platform) and cut_off(platform, peer="api-12")
        assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 20 * S})[0] == 200
        with contextlib.suppress(OSError):  # it is reset, or nobody answers
            flow.sendall(b"two")
            assert flow.recv(3) == b""
    assert connects(target.netns, target.address, target.port), "what it says to itself"
    assert not cut_off(platform, "api-12"), "the other instance is no target"
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert all_ok(record) and not cut_off(platform) and ruleset(target.netns) == ""


@NEEDS_ROOT
def test_a_block_of_addresses_is_delayed(agent, platform):
    spec = network_fault(peers=[BLOCK], delay_ms=100, lease_s=8.0)  # a tenth of it is let pass
    status, record = agent.post(spec)
    if status == 400 and "netem impairs one" in record["error"]["message"]:
        return  # what this kernel gets is refused, and says so
    assert status == 200, record
    seen = " ".join(e["metric"] for e in evidence(record, "during"))
    assert all(f"to {name}:" in seen for name in ("api-12", "store-13", "gateway-14")), record
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone") and all_ok(record), record
    assert ruleset(platform.instances["api-11"].netns) == ""


@NEEDS_ROOT
def test_a_block_of_ipv6_beside_one_of_ipv4_is_cut_off(agent, platform):
    target, store = platform.instances["api-11"], platform.instances["store-13"]
    for instance, number in [(target, 11), (store, 13)]:
        sh("ip", "-n", instance.netns, "address", "add", f"fd5a::{number}/64", "dev", "eth0", "nodad")
    with tcp_socket(store.netns, family=socket.AF_INET6) as listener:
        listener.bind(("fd5a::13", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def reaches():
            with tcp_socket(target.netns, family=socket.AF_INET6) as sock:
                sock.settimeout(0.3)
                return sock.connect_ex(("fd5a::13", port)) == 0
        spec = partition_fault(peers=["fd5a::8/125", "fd5a::13/128", f"[fd5a::13]:{port}", BLOCK])
        assert agent.post(spec)[0] == 400, "nobody in the first can be measured"
        spec = partition_fault(peers=["fd5a::10/124", f"[fd5a::13]:{port}", BLOCK], lease_s=3)
        wait_until(reaches, 5, "IPv6 works")
        status, record = agent.post(spec)
        assert status == 200, record
        assert not reaches() and cut_off(platform)
        assert [e["ok"] for e in evidence(record, "during") if "fd5a" in e["metric"]] == [True]
        status, record = agent.delete(spec)
        assert (status, record["state"]) == (200, "gone") and all_ok(record), record
        assert reaches() and ruleset(target.netns) == ""


@NEEDS_ROOT
@pytest.mark.parametrize("peers, why", [
    ([f"{SUBNET}.0/28"], f"{SUBNET}.0/28 holds {SUBNET}.1, an address of the agent's own host"),
    (["store", "198.51.100.0/24"], "in the block at 198.51.100.0 lies no instance"),
    ([f"{SUBNET}.11/32"], "lies no instance but the target"),
    (["0.0.0.0/0"], "holds loopback addresses"),
    ([f"{SUBNET}.9/29"], f"the block that holds it is {SUBNET}.8/29")],
    ids=["own-host", "nobody", "only-the-target", "loopback", "more-bits"])
def test_a_block_that_must_not_be_hit_or_cannot_be_measured_is_refused(agent, platform, peers, why):
    status, answer = agent.post(partition_fault(peers=peers))
    assert status in (400, 403, 409) and why in answer["error"]["message"], answer
    assert ruleset(platform.instances["api-11"].netns) == ""
    assert not list(agent.journal.glob("*.fault"))


def held_by(agent):
    """Namespaces and processes that the agent holds on to."""
    links = []
    for entry in pathlib.Path(f"/proc/{agent.process.pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            pass
    return sorted(link for link in links if "/netns/" in link or "net:[" in link or "pidfd" in link)


@NEEDS_ROOT
@ALL_AT_ONCE
def test_a_fault_that_is_gone_holds_nothing(agent, platform):
    assert not held_by(agent)
    specs = [partition_fault(["api-11"]), kill_fault(["api-12"])]
    for spec in specs:
        assert agent.post(spec)[0] == 200
    assert len(held_by(agent)) == 2, "one namespace, one process"
    for spec in specs:
        assert agent.delete(spec)[0] == 200
    refused = partition_fault(peers=[f"{SUBNET}.13:9"])
    assert agent.post(refused)[0] == 409
    assert not held_by(agent)
    for spec in [*specs, refused]:
        assert agent.get(spec)["evidence"], "it is still shown"


@NEEDS_ROOT
def test_partition_hits_established_flows(agent, platform):
    store = platform.instances["store-13"]
    with tcp_socket(platform.instances["api-11"].netns) as flow:
        flow.settimeout(2)
        flow.connect((store.address, store.port))
        flow.sendall(b"before")
        assert flow.recv(100) == b"before"
        spec = partition_fault(action="reject")
        assert agent.post(spec)[0] == 200
        with pytest.raises(ConnectionError):
            flow.sendall(b"during")
            flow.recv(100)
        with tcp_socket(store.netns) as back, pytest.raises(ConnectionRefusedError):
            back.settimeout(2)
            back.connect((f"{SUBNET}.11", 8000))
        assert agent.delete(spec)[0] == 200


@NEEDS_ROOT
def test_partition_needs_a_peer_that_answers_before(agent, platform):
    status, record = agent.post(partition_fault(peers=[f"{SUBNET}.13:9"]))
    assert (status, record["state"], record["end"]) == (409, "gone", "failed")
    assert not evidence(record, "before")[0]["ok"] and not evidence(record, "during")
    assert "refused" in record["error"].lower()


@NEEDS_ROOT
def test_app_errors_and_latency_are_measured(agent, platform):
    spec = app_fault(rate=0.3, latency_ms=60, lease_s=4.0)
    status, record = agent.post(spec)
    assert status == 200, record
    assert {e["metric"] for e in evidence(record, "during")} == {"injected error rate",
                                                                "median latency"}
    rate = [e for e in evidence(record, "during") if e["metric"] == "injected error rate"][0]
    assert "a rate 2 times smaller or larger is outside" in rate["expected"]
    assert 0.02 < injected_share(platform) < 0.75
    assert injected_share(platform, "gateway-15") == 0, "the other instance is no target"
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert all_ok(record) and injected_share(platform) == 0


def order_errors(platform, target, rate):
    """What the agent orders of a target, ordered by somebody else."""
    connection = http.client.HTTPConnection(target.address, target.port, timeout=5)
    connection.request("POST", "/api/chaos/errors",
                       json.dumps({"rate": rate, "status": 503, "ttlMs": 500}),
                       {"Authorization": f"Bearer {platform.admin.read_text().strip()}",
                        "Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


@NEEDS_ROOT
@pytest.mark.parametrize("real", [0.1, 0.4])
def test_errors_of_half_or_twice_the_rate_are_no_effect(agent, platform, real):
    target = platform.instances["gateway-14"]
    spec = app_fault(rate=0.2, latency_ms=50, lease_s=4.0)  # slow enough to interfere with
    answer = {}

    def post():
        answer["status"], answer["record"] = agent.post(spec)

    poster = threading.Thread(target=post)
    poster.start()
    wait_until(lambda: agent.get(spec).get("state") == "applying", 5, "applying")
    while agent.get(spec)["state"] == "applying":
        order_errors(platform, target, real)
    poster.join(30)
    status, record = answer["status"], answer["record"]
    assert (status, record["end"], record["wasActive"]) == (409, "failed", False), record
    during = [e for e in evidence(record, "during") if e["metric"] == "injected error rate"]
    assert [(e["ok"], e["expected"][:7]) for e in during] == [(False, "20.0 %:")], record


@NEEDS_ROOT
def test_renewal_keeps_and_for_ends(agent, platform):
    # Long enough for both to be in place and watched, however busy the machine is.
    specs = [partition_fault(duration_s=6.0, lease_s=1.0),
             app_fault(rate=1.0, duration_s=6.0, lease_s=1.0)]
    for spec in specs:
        status, record = agent.post(spec)
        assert status == 200, record
    end = time.monotonic() + 1.8
    while time.monotonic() < end:  # longer than the lease: only renewal keeps them
        for spec in specs:
            status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})
            assert (status, record["state"]) == (200, "active"), record
        assert cut_off(platform)
    assert injected_share(platform) > 0
    for spec in specs:
        def renewed(spec=spec):
            for each in specs:
                agent.ask("POST", f"/v1/faults/{each['id']}/renew", {"leaseNs": S})
            return (r := agent.get(spec))["state"] == "gone" and r
        record = wait_until(renewed, 9, "ended by its own `for`, though renewed all the time")
        assert record["end"] == "expired" and all_ok(record), record
    assert not cut_off(platform)


# --- deaths ---

@NEEDS_ROOT
@pytest.mark.parametrize("make", [partition_fault, app_fault, kill_fault])
def test_controller_silence_ends_it(agent, platform, make):
    lease = 1.0
    spec = make(lease_s=lease, duration_s=60 if make is not kill_fault else 1.0)
    status, record = agent.post(spec)
    assert status == 200, record
    record = agent.wait_state(spec, "gone", lease + 5)
    assert record["end"] == ("lease" if make is not kill_fault else "expired") and all_ok(record)
    # A kill holds no lease: nothing stays in place that one could end.
    took = (record["revertedAtNs"] - record["verifiedAtNs"]) / S
    assert took < lease + GRACE_S
    assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})[0] == 410


def gone_within(condition, started, lease_s, what):
    wait_until(condition, started + lease_s + GRACE_S - time.monotonic(), what)


@NEEDS_ROOT
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("make", [partition_fault, block_fault, app_fault])
def test_nothing_outlives_a_dead_or_stopped_agent_litmus_2359_pumba_349(agent, platform, make, number):
    spec = make(lease_s=1.5, duration_s=60)
    status, record = agent.post(spec)
    assert status == 200, record
    started = time.monotonic()
    agent.signal(number)
    if make is not app_fault:
        gone_within(lambda: not cut_off(platform), started, 1.5, "connects again")
        if number == signal.SIGKILL:
            wait_until(lambda: ruleset(platform.instances["api-11"].netns) == "", 2,
                       "the table went with its owner")
    else:
        gone_within(lambda: injected_share(platform) == 0, started, 1.5, "no more errors")
    if number == signal.SIGSTOP:
        agent.signal(signal.SIGCONT)
        assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})[0] == 410
        assert agent.wait_state(spec, "gone", 5)["end"] == "lease"
    else:
        agent.process.wait(5)
        agent.start()
        record = agent.wait_state(spec, "gone", 10)
        assert record["end"] == "recovery" and record["wasActive"], record
        assert [e for e in evidence(record, "after") if e["ok"]]
        assert record["id"] in [f["id"] for f in agent.ask("GET", "/v1/faults")[1]["faults"]]
        assert not list(agent.journal.glob("*.fault"))


@NEEDS_ROOT
def test_a_kill_in_the_journal_is_replayed(agent, platform):
    spec = kill_fault(["api-12"])
    assert agent.post(spec)[0] == 200
    agent.kill()
    agent.start()
    record = agent.wait_state(spec, "gone", 15)
    assert record["end"] == "recovery" and evidence(record, "after")[-1]["ok"], record


@NEEDS_ROOT
def test_target_restarts_during_an_app_fault(agent, platform):
    spec = app_fault(rate=1.0, lease_s=2.0)
    assert agent.post(spec)[0] == 200
    instance = platform.instances["gateway-14"]
    pid = instance.process.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: instance.process.pid != pid and instance.ready(), 10, "restarted")
    status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * S})
    assert (status, record["state"]) == (200, "active"), record
    assert injected_share(platform) == 1.0, "the new process has the fault too"
    assert agent.delete(spec)[0] == 200


@NEEDS_ROOT
def test_sigterm_reverts_everything(agent, platform):
    specs = [partition_fault(), app_fault(rate=1.0)]
    for spec in specs:
        assert agent.post(spec)[0] == 200
    assert agent.terminate() == 0
    assert not cut_off(platform) and injected_share(platform) == 0
    assert not list(agent.journal.glob("*.fault"))


@NEEDS_ROOT
@ALL_AT_ONCE
def test_halt_reverts_and_refuses_the_run(agent, platform):
    specs = [partition_fault(), app_fault(rate=1.0), kill_fault(["api-12"])]
    for spec in specs:
        assert agent.post(spec)[0] == 200
    status, answer = agent.ask("POST", "/v1/halt")
    assert status == 200, answer
    assert {f["id"]: f["state"] for f in answer["faults"]} == {s["id"]: "gone" for s in specs}
    assert {f["end"] for f in answer["faults"]} == {"halt"}
    assert not cut_off(platform) and injected_share(platform) == 0
    again = {**partition_fault(), "run": specs[0]["run"]}
    status, answer = agent.post(again)
    assert status == 410 and "halted" in answer["error"]["message"]
    renew = f"/v1/faults/{specs[0]['id']}/renew"
    assert agent.ask("POST", renew, {"leaseNs": S})[0] == 410
    wait_until(platform.instances["api-12"].ready, 10, "api-12 is back")


@NEEDS_ROOT
def test_halt_holds_for_runs_that_had_not_injected_and_outlives_the_agent(agent, platform):
    before, beyond = partition_fault(), app_fault(rate=1.0)
    assert agent.ask("GET", "/v1/health")[1]["halted"] is None
    assert agent.ask("POST", "/v1/halt") == (200, {"faults": []})
    halted = agent.ask("GET", "/v1/health")[1]["halted"]
    assert halted is not None
    after = {**partition_fault(), "startedNs": time.time_ns()}
    status, answer = agent.post(before)
    assert status == 410 and "start a new run" in answer["error"]["message"]
    assert f"was halted at {halted}" in answer["error"]["message"], "a refusal names both times"
    agent.kill()
    agent.start()
    assert agent.ask("GET", "/v1/health")[1]["halted"] == halted
    assert agent.post(beyond)[0] == 410, "a restart does not forget it"
    assert not cut_off(platform) and injected_share(platform) == 0
    assert agent.post(after)[0] == 200, "a run that started since is free"
    assert agent.delete(after)[0] == 200
    agent.kill()
    (agent.journal / "halted").write_text("not a time\n")
    agent.start()
    assert agent.post({**partition_fault(), "startedNs": after["startedNs"]})[0] == 410, (
        "what cannot be read is taken for a halt")
    agent.kill()
    (agent.journal / "halted").write_text(f"{time.time_ns() + 3600 * S:020d}\n")
    agent.start()
    assert "lies ahead of the clock" in agent.log_file.read_text()
    free = {**partition_fault(), "startedNs": time.time_ns()}
    assert agent.post(free)[0] == 200, "a clock that was ahead does not halt the runs of an hour"
    assert agent.delete(free)[0] == 200
    assert agent.terminate() == 0


@NEEDS_ROOT
def test_a_halt_does_not_wait_for_a_restart_nor_for_later_runs(agent, platform):
    instance = platform.instances["api-12"]
    instance.restart = False
    spec = kill_fault(["api-12"], within_s=20.0)
    try:
        assert agent.post(spec)[0] == 200
        revert = threading.Thread(target=lambda: agent.delete(spec))
        revert.start()
        agent.wait_state(spec, "reverting", 5)
        began = time.monotonic()
        status, answer = agent.ask("POST", "/v1/halt")
        took = time.monotonic() - began
        revert.join()
        assert status == 200 and {f["state"] for f in answer["faults"]} == {"gone"}
        assert took < 10, f"{took:.1f} s: it waited for a restart that may take 20 s"
    finally:
        platform.add("api", Instance(platform.folder, "api-12", instance.command,
                                     instance.address, instance.port, instance.netns))


@contextlib.contextmanager
def agent_on_a_small_disk(platform, folder):
    agent = Agent(platform, folder)
    agent.journal.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=12k", "chat", str(agent.journal))
    try:
        agent.start()
        yield agent
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.kill()
        sh("umount", str(agent.journal))


@NEEDS_ROOT
def test_a_full_disk_does_not_lose_a_halt(platform, tmp_path):
    with agent_on_a_small_disk(platform, tmp_path) as agent:
        (agent.journal / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(OSError):
            (agent.journal / "more").write_bytes(b"x" * 4096)
        spec = partition_fault()
        assert agent.ask("POST", "/v1/halt")[0] == 200
        agent.kill()
        agent.start()
        assert agent.post(spec)[0] == 410
        assert agent.terminate() == 0


@NEEDS_ROOT
def test_halt_reaches_a_fault_that_is_being_measured_chaos_mesh_1506_3929(agent, platform):
    spec = app_fault(rate=0.5, latency_ms=400, lease_s=8.0)
    answers = queue.Queue()
    thread = threading.Thread(target=lambda: answers.put(agent.post(spec)))
    thread.start()
    wait_until(lambda: agent.ask("GET", f"/v1/faults/{spec['id']}")[1].get("state") == "applying",
               5, "applying")
    status, _ = agent.ask("POST", "/v1/halt")
    thread.join()
    assert status == 200
    status, record = answers.get()
    assert (status, record["state"], record["end"]) == (409, "gone", "halt"), record
    assert not record["wasActive"]
    assert injected_share(platform) == 0


@NEEDS_ROOT
def test_who_waits_for_a_fault_is_answered_when_the_agent_stops(agent, platform):
    spec = app_fault(rate=0.5, latency_ms=400, lease_s=8.0)
    answers = queue.Queue()
    thread = threading.Thread(target=lambda: answers.put(agent.post(spec)))
    thread.start()
    wait_until(lambda: agent.get(spec).get("state") == "applying", 5, "applying")
    assert agent.terminate() == 0
    thread.join()
    status, record = answers.get(timeout=5)
    assert (status, record["state"], record["end"]) == (409, "gone", "halt"), record
    assert injected_share(platform) == 0


@pytest.fixture
def somebody_elses_drop(platform):
    """A rule that is not squall's and has the effect of a partition; the agent must not touch it."""
    netns = platform.instances["api-11"].netns
    nft = ["ip", "netns", "exec", netns, "nft"]
    store = platform.instances["store-13"].address

    def put():
        sh(*nft, "add", "table", "inet", "mine")
        sh(*nft, "add", "chain", "inet", "mine", "out", "{ type filter hook output priority 0; }")
        sh(*nft, "add", "rule", "inet", "mine", "out", "ip", "daddr", store, "drop")

    def take():
        if "table inet mine" in ruleset(netns):
            sh(*nft, "delete", "table", "inet", "mine")

    yield put, take
    take()


@NEEDS_ROOT
def test_what_cannot_be_shown_to_be_gone_is_stuck(agent, platform, somebody_elses_drop):
    put, take = somebody_elses_drop
    spec = partition_fault(duration_s=60)
    assert agent.post(spec)[0] == 200
    put()
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (409, "stuck"), record
    assert "squall_" not in ruleset(platform.instances["api-11"].netns)
    assert "cannot connect" in record["error"] and not evidence(record, "after")[-1]["ok"]
    status, answer = agent.post(partition_fault())
    assert status == 403 and spec["id"] in answer["error"]["message"], "it still stands"
    assert agent.ask("POST", "/v1/halt")[0] == 409
    assert agent.terminate() == 6, "SIGTERM cannot show it either"
    assert list(agent.journal.glob("*.fault")), "the next agent is to look again"
    assert agent.sweep().returncode == 6
    take()
    assert agent.sweep().returncode == 0
    assert not list(agent.journal.glob("*.fault"))


@NEEDS_ROOT
def test_a_peer_that_is_down_by_itself_is_told_from_a_partition(agent, platform):
    store = platform.instances["store-13"]
    spec = partition_fault()
    assert agent.post(spec)[0] == 200
    store.stop()
    try:
        status, record = agent.delete(spec)
        assert (status, record["state"]) == (200, "gone"), record
        assert "refused" in record["error"] and not all_ok(record)
    finally:
        platform.add("store", Instance(platform.folder, "store-13", store.command, store.address,
                                       store.port, store.netns))


@NEEDS_ROOT
def test_a_full_disk_under_the_journal_applies_nothing(platform, tmp_path):
    with agent_on_a_small_disk(platform, tmp_path) as agent:
        (agent.journal / "filler").write_bytes(b"x" * 4096)
        status, record = agent.post(partition_fault())
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert "No space left" in record["error"] and record["appliedAtNs"] == 0
        assert ruleset(platform.instances["api-11"].netns) == "" and not cut_off(platform)
        (agent.journal / "filler").unlink()
        spec = partition_fault()
        assert agent.post(spec)[0] == 200, "the agent goes on when there is room again"
        assert agent.terminate() == 0


@NEEDS_ROOT
def test_sweep_cleans_up_without_a_server(agent, platform):
    spec = app_fault(rate=1.0, lease_s=30.0)
    assert agent.post(spec)[0] == 200
    running = agent.sweep()
    assert running.returncode == 5 and "in use by another squall-agent" in running.stderr
    agent.kill()
    netns = platform.instances["api-11"].netns
    sh("ip", "netns", "exec", netns, "nft", "add", "table", "inet", "squall_orphan")
    sh("ip", "netns", "exec", netns, "nft", "add", "table", "inet", "somebody_elses")
    try:
        assert injected_share(platform) == 1.0, "its TTL is far away still"
        swept = agent.sweep()
        assert swept.returncode == 0, swept.stdout + swept.stderr
        assert spec["id"] in swept.stdout and "squall_orphan" in swept.stdout
        assert injected_share(platform) == 0
        assert "squall_orphan" not in ruleset(netns) and "somebody_elses" in ruleset(netns)
        assert agent.sweep().returncode == 0
    finally:
        sh("ip", "netns", "exec", netns, "nft", "delete", "table", "inet", "somebody_elses")


@NEEDS_ROOT
@ALL_AT_ONCE
def test_a_damaged_journal_entry_is_set_aside_and_the_rest_replayed(agent, platform):
    specs = [app_fault(["gateway-14"], rate=1.0, lease_s=30.0),
             app_fault(["gateway-15"], rate=1.0, lease_s=30.0)]
    for spec in specs:
        assert agent.post(spec)[0] == 200
    agent.kill()
    damaged = agent.journal / f"{specs[0]['id']}.fault"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    swept = agent.sweep()
    assert swept.returncode == 6, swept.stdout
    assert f"{damaged}.corrupt" in swept.stdout
    assert injected_share(platform, "gateway-15") == 0, "the other entry was replayed"
    assert injected_share(platform, "gateway-14") == 1.0
    again = agent.sweep()
    assert again.returncode == 6 and f"{damaged}.corrupt" in again.stdout, "nobody has seen to it"
    damaged.with_name(damaged.name + ".corrupt").unlink()
    damaged.write_bytes(whole)
    assert agent.sweep().returncode == 0
    assert injected_share(platform, "gateway-14") == 0
