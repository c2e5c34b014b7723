# SPDX-License-Identifier: Apache-2.0
"""squall-agent with real processes and a real kernel: each fault's whole life, and what becomes of
it when the agent is killed or stopped, the controller falls silent, or somebody halts."""

import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from chaos_lab import (ALL_AT_ONCE, GRACE_S, NEEDS_ROOT, S, SUBNET, TOKEN, Agent, Instance, Platform,
                       agent, agent_options, all_ok, app_fault, bridge, connects, cut_off, evidence,
                       fault, gateway_command, injected_share, kill_fault, partition_fault, platform,
                       ruleset, sh, tcp_socket)
from conftest import BIN, wait_until
from services import free_port


# --- the whole life of each fault ---

@NEEDS_ROOT
def test_kill_is_seen_and_the_restart_awaited(agent, platform):
    instance = platform.instances["api-11"]
    pid = instance.process.pid
    spec = kill_fault()
    status, record = agent.post(spec)
    assert status == 200, record
    assert record["state"] == "active" and record["wasActive"]
    assert instance.process.pid != pid or instance.process.poll() is not None
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
@pytest.mark.parametrize("action", ["drop", "reject"])
@pytest.mark.parametrize("direction", ["both", "ingress", "egress"])
def test_partition_cuts_and_heals(agent, platform, action, direction):
    netns = platform.instances["api-11"].netns
    spec = partition_fault(action=action, direction=direction)
    status, record = agent.post(spec)
    assert status == 200, record
    assert cut_off(platform)
    at_once = action == "reject" and direction != "ingress"
    assert ("refused" in evidence(record, "during")[0]["value"]) == at_once, record
    assert connects(netns, f"{SUBNET}.12", 8000), "a partition from store cuts off nobody else"
    assert not cut_off(platform, "api-12"), "the other instance is no target"
    assert f"squall_{spec['id']}" in ruleset(netns)
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), record
    assert all_ok(record) and not cut_off(platform)
    assert [e["when"] for e in record["evidence"] if "tcp" in e["metric"]] == [
        "before", "during", "after"]


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
@pytest.mark.parametrize("make", [partition_fault, app_fault])
def test_nothing_outlives_a_dead_or_stopped_agent(agent, platform, make, number):
    spec = make(lease_s=1.5, duration_s=60)
    status, record = agent.post(spec)
    assert status == 200, record
    started = time.monotonic()
    agent.signal(number)
    if make is partition_fault:
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


@NEEDS_ROOT
def test_a_full_disk_does_not_lose_a_halt(platform, tmp_path):
    agent = Agent(platform, tmp_path)
    agent.journal.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=12k", "chat", str(agent.journal))
    try:
        agent.start()
        (agent.journal / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(OSError):
            (agent.journal / "more").write_bytes(b"x" * 4096)
        spec = partition_fault()
        assert agent.ask("POST", "/v1/halt")[0] == 200
        agent.kill()
        agent.start()
        assert agent.post(spec)[0] == 410
        assert agent.terminate() == 0
    finally:
        if agent.process.poll() is None:
            agent.kill()
        sh("umount", str(agent.journal))


@NEEDS_ROOT
def test_halt_reaches_a_fault_that_is_being_measured(agent, platform):
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
    agent = Agent(platform, tmp_path)
    agent.journal.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=12k", "chat", str(agent.journal))
    try:
        agent.start()
        (agent.journal / "filler").write_bytes(b"x" * 4096)
        status, record = agent.post(partition_fault())
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert "No space left" in record["error"] and record["appliedAtNs"] == 0
        assert ruleset(platform.instances["api-11"].netns) == "" and not cut_off(platform)
        (agent.journal / "filler").unlink()
        spec = partition_fault()
        assert agent.post(spec)[0] == 200, "the agent goes on when there is room again"
        assert agent.terminate() == 0
    finally:
        if agent.process.poll() is None:
            agent.kill()
        sh("umount", str(agent.journal))


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
    damaged.write_bytes(whole)
    assert agent.sweep().returncode == 0
    assert injected_share(platform, "gateway-14") == 0


# --- refusals: nothing applied, nothing left ---

@NEEDS_ROOT
@pytest.mark.parametrize("change, status, words", [
    ({"targets": ["api-99"]}, 403, "api-99"),
    ({"service": "nobody"}, 403, "nobody"),
    ({"service": "store"}, 400, "belongs to the service api"),
    ({"targets": ["api-11", "api-12"]}, 403, "100 %"),
    ({"maxAffected": 0.1}, 403, "the fault's own"),
    ({"durationNs": 7200 * S}, 403, "ceiling"),
    ({"leaseNs": 1000}, 400, "lease"),
    ({"durationNs": 0}, 400, "durationNs"),
    ({"startedNs": 0}, 400, "startedNs"),
    ({"startedNs": time.time_ns() + 3600 * S}, 403, "clocks"),
    ({"id": "../../etc/passwd"}, 400, "id"),
    ({"id": ".hidden"}, 400, "id"),
    ({"netns": "/proc/1/ns/net"}, 400, "netns"),
])
def test_refused(agent, platform, change, status, words):
    spec = {**partition_fault(), **change}
    answer = agent.post(spec)
    assert answer[0] == status and words in answer[1]["error"]["message"], answer
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []}
    assert not cut_off(platform)
    assert not list(agent.journal.glob("*.fault"))


@NEEDS_ROOT
def test_refused_peers_signals_and_rates(agent):
    for spec, words in [(partition_fault(peers=["nobody"]), "no service"),
                        (partition_fault(peers=["api-11"]), "own"),
                        (kill_fault(number=signal.SIGSTOP), "does not end a process"),
                        (app_fault(rate=0.0), "needs an error rate"),
                        (app_fault(rate=0.001), "cannot be shown"),
                        (app_fault(latency_ms=30000), "lease")]:
        status, answer = agent.post(spec)
        assert status in (400, 403) and words in answer["error"]["message"], answer


@NEEDS_ROOT
def test_one_id_is_one_fault_and_two_of_a_kind_are_refused(agent, platform):
    spec = partition_fault()
    assert agent.post(spec)[0] == 200
    status, record = agent.post(spec)
    assert (status, record["state"]) == (200, "active")
    assert ruleset(platform.instances["api-11"].netns).count("table inet squall_") == 1
    status, answer = agent.post({**spec, "durationNs": 5 * S})
    assert status == 400 and "another fault" in answer["error"]["message"]
    status, answer = agent.post(partition_fault(peers=["api-12"]))
    assert status == 403 and spec["id"] in answer["error"]["message"]
    assert agent.delete(spec)[0] == 200
    status, record = agent.delete(spec)
    assert (status, record["state"]) == (200, "gone"), "repeating a DELETE is harmless"
    status, record = agent.post(spec)
    assert (status, record["state"]) == (409, "gone"), "an id is never used twice"


@NEEDS_ROOT
def test_bad_requests_get_answers(agent, platform):
    assert agent.ask("POST", "/v1/faults", b"{")[0] == 400
    assert agent.ask("POST", "/v1/faults", b"\xff\xfe")[0] == 400
    assert agent.ask("POST", "/v1/faults", b"[" * 60000)[0] == 400
    assert agent.ask("POST", "/v1/faults", b" " * 65537)[0] == 413
    assert agent.ask("GET", "/v1/nothing")[0] == 404
    assert agent.ask("PUT", "/v1/halt")[0] == 405
    assert agent.ask("GET", "/v1/faults/none")[0] == 404
    assert agent.ask("DELETE", "/v1/faults/none")[0] == 404
    assert agent.ask("POST", "/v1/faults/none/renew", {"leaseNs": S})[0] == 404
    assert agent.ask("GET", "/v1/health", token=None)[0] == 200


@NEEDS_ROOT
def test_unauthorized(agent, platform):
    spec = partition_fault()
    for token in (None, "", "wrong", TOKEN[:-1], TOKEN + "x"):
        if token == "":
            continue
        for method, path in [("POST", "/v1/faults"), ("GET", "/v1/faults"), ("POST", "/v1/halt"),
                             ("DELETE", "/v1/faults/x"), ("POST", "/v1/faults/x/renew")]:
            assert agent.ask(method, path, spec, token=token)[0] == 401
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []}
    refused = [line for line in audit_of(agent.log_file) if line["status"] == 401]
    assert len(refused) == 20 and all(line["peer"].startswith("127.0.0.1:") for line in refused)
    assert {line["who"] for line in refused} == {None} and {line["event"] for line in refused} == {"end"}


def audit_of(path, **wanted):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["message"] == "audit"
            and all(line[key] == value for key, value in wanted.items())]


@NEEDS_ROOT
def test_audit_lines_say_who_what_where_until_when(agent, platform):
    spec = partition_fault()
    assert agent.post(spec)[0] == 200
    assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": S})[0] == 200
    assert agent.delete(spec)[0] == 200
    audit = audit_of(agent.log_file, fault=spec["id"])
    assert [(line["method"], line["event"], line["status"], line["outcome"]) for line in audit] == [
        ("POST", "begin", None, None), ("POST", "end", 200, "active"),
        ("POST", "begin", None, None), ("POST", "end", 200, "active"),
        ("DELETE", "begin", None, None), ("DELETE", "end", 200, "gone")]
    assert [audit[i]["request"] == audit[i + 1]["request"] for i in range(5)] == [
        True, False, True, False, True]
    for line in audit:
        assert line["kind"] == "partition" and line["targets"] == ["api-11"] and line["until"]
        assert line["who"] == "token token" and line["run"] == spec["run"]


@NEEDS_ROOT
def test_the_audit_line_is_written_before_anything_is_done(platform, tmp_path):
    """The agent is held in the write of the line by a pipe that is full."""
    agent = Agent(platform, tmp_path, "--audit", str(tmp_path / "audit"))
    os.mkfifo(tmp_path / "audit")
    pipe = os.open(tmp_path / "audit", os.O_RDWR | os.O_NONBLOCK)
    agent.start()
    answers = queue.Queue()
    spec = partition_fault()
    sender = threading.Thread(target=lambda: answers.put(agent.post(spec)))
    netns = platform.instances["api-11"].netns
    try:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(pipe, b"#" * 4096)
        sender.start()
        syscall = pathlib.Path(f"/proc/{agent.process.pid}/syscall")
        wait_until(lambda: syscall.read_text().startswith("1 "), 10, "it is inside write(2)")
        assert ruleset(netns) == "" and not list(agent.journal.glob("*.fault"))
        text = b""
        while b'"outcome":"active"' not in text:
            try:
                text += os.read(pipe, 65536)
            except BlockingIOError:
                assert sender.is_alive() or answers.queue[0][0] == 200, answers.queue[0]
        first, last = [json.loads(line) for line in text.lstrip(b"#").splitlines()]
        assert (first["event"], first["fault"], last["event"]) == ("begin", spec["id"], "end")
        sender.join(20)
        assert "squall_" in ruleset(netns)
    finally:
        agent.terminate()
        os.close(pipe)


@NEEDS_ROOT
def test_what_cannot_be_written_down_is_not_done_but_can_be_undone(platform, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=8k", "chat", str(folder))
    agent = Agent(platform, tmp_path, "--audit", str(folder / "audit"))
    netns = platform.instances["api-11"].netns
    try:
        agent.start()
        spec = partition_fault(lease_s=30.0)
        assert agent.post(spec)[0] == 200
        filler = folder / "filler"
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(b"x" * 512)
        whole = folder / "audit"
        while len(whole.read_bytes()) < 4096:  # the page that the file has already
            assert agent.ask("GET", "/v1/faults")[0] == 200
        refused = app_fault(rate=1.0)
        status, answer = agent.post(refused)
        assert status == 507 and "No space left" in answer["error"]["message"], answer
        assert injected_share(platform) == 0
        assert agent.ask("GET", f"/v1/faults/{refused['id']}")[0] == 404
        renew = f"/v1/faults/{spec['id']}/renew"
        assert agent.ask("POST", renew, {"leaseNs": S})[0] == 507
        assert agent.delete(spec)[0] == 200, "what takes a fault away is not kept from it"
        assert "squall_" not in ruleset(netns)
        assert agent.ask("POST", "/v1/halt")[0] == 200
        assert "audit: cannot write" in agent.log_file.read_text()
        filler.unlink()
        after = app_fault(rate=1.0)
        assert agent.post(after)[0] == 200, "the agent goes on when there is room again"
        assert agent.delete(after)[0] == 200
        last = whole.read_text().splitlines()[-1]
        assert json.loads(last)["outcome"] == "gone", "the lines after a torn one are whole"
    finally:
        agent.terminate()
        sh("umount", str(folder))


@NEEDS_ROOT
def test_a_full_audit_file_is_put_away(platform, tmp_path):
    """And where that cannot be done, nothing is put in place that the bound would be broken for."""
    folder = tmp_path / "audits"
    folder.mkdir()
    file = folder / "audit"
    old = '{"message":"audit","event":"end","status":200}\n' * 23000
    file.write_text(old[:(1 << 20) - 100].rpartition("\n")[0] + "\n")
    before = file.read_text()
    agent = Agent(platform, tmp_path, "--audit", str(file), "--audit-max", "1MiB", "--audit-keep",
                  "2").start()
    try:
        spec = partition_fault(lease_s=30.0)
        assert agent.post(spec)[0] == 200
        first = folder / "audit.1"
        assert first.read_text().startswith(before) and first.stat().st_size <= 1 << 20
        assert file.stat().st_mode & 0o777 == 0o600
        lines = (first.read_text()[len(before):] + file.read_text()).splitlines()
        assert [json.loads(line)["event"] for line in lines] == ["begin", "end"], lines
        os.truncate(file, 0)
        file.write_text(before)
        os.chown(folder, 65534, 65534)  # the agent may not do as root may: it gave that up
        folder.chmod(0o755)
        refused = app_fault()
        status, answer = agent.post(refused)
        assert status == 507 and "cannot be rotated" in answer["error"]["message"], answer
        assert injected_share(platform) == 0
        assert agent.delete(spec)[0] == 200, "what takes a fault away is not kept from it"
        said = file.read_text()[len(before):]
        assert refused["id"] in said and '"outcome":"gone"' in said, "every line is there"
        os.chown(folder, os.geteuid(), os.getegid())
        assert agent.post(spec := app_fault())[0] == 200 and agent.delete(spec)[0] == 200
        assert '"outcome":"gone"' in first.read_text() and (folder / "audit.2").exists()
    finally:
        agent.terminate()


CAP_KILL, CAP_NET_ADMIN, CAP_NET_RAW = 1 << 5, 1 << 12, 1 << 13
CAP_SYS_ADMIN = 1 << 21
CAP_SYS_RESOURCE = 1 << 24  # which root of a container may lack


def privileges(pid):
    """Of every thread: no_new_privs, and the capability sets by their names in /proc. The thread
    that the runtime of -fsanitize=thread makes before main is not the agent's."""
    found = []
    sanitized = "libtsan" in pathlib.Path(f"/proc/{pid}/maps").read_text()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if sanitized and int(task.name) != pid:
            continue
        lines = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found.append({"nnp": int(lines["NoNewPrivs"]),
                      **{k: int(v, 16) for k, v in lines.items() if k.startswith("Cap")}})
    return found


def own_capabilities():
    return privileges("self")[0]["CapEff"]


@NEEDS_ROOT
def test_the_agent_keeps_only_what_its_faults_need(agent):
    keep = own_capabilities() & (CAP_KILL | CAP_NET_ADMIN | CAP_NET_RAW | CAP_SYS_ADMIN |
                                 CAP_SYS_RESOURCE)
    assert keep & CAP_SYS_ADMIN
    for thread in privileges(agent.process.pid):
        assert thread == {"nnp": 1, "CapInh": 0, "CapPrm": keep, "CapEff": keep, "CapBnd": keep,
                          "CapAmb": 0}


@NEEDS_ROOT
def test_without_a_capability_the_others_work_and_the_missing_is_named(platform, tmp_path):
    agent = Agent(platform, tmp_path)
    agent.prefix = ["setpriv", "--bounding-set=-net_admin"]
    agent.start()
    try:
        kinds = agent.ask("GET", "/v1/health")[1]["kinds"]
        assert kinds["kill"] is None and kinds["app"] is None
        assert "CAP_NET_ADMIN" in kinds["partition"]
        status, answer = agent.post(partition_fault())
        assert status == 403 and "CAP_NET_ADMIN" in answer["error"]["message"]
        assert {thread["CapEff"] for thread in privileges(agent.process.pid)} == {
            (CAP_KILL | CAP_SYS_RESOURCE) & own_capabilities()}
        spec = app_fault(rate=1.0)
        assert agent.post(spec)[0] == 200
        assert agent.delete(spec)[0] == 200
    finally:
        agent.kill()


def test_listening_elsewhere_needs_a_token(tmp_path):
    (tmp_path / "topology.json").write_text(json.dumps({
        "version": 1, "name": "x", "mode": "loopback", "stateDir": str(tmp_path), "agent": None,
        "prometheus": None, "services": []}))
    done = subprocess.run([str(BIN / "squall-agent"), "--listen", "0.0.0.0:0", "--topology",
                           str(tmp_path / "topology.json"), "--journal", str(tmp_path / "j")],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and "token" in done.stderr


@pytest.mark.parametrize("words", [
    [], ["--listen"], ["--what"], ["--listen", "here:1", "--topology", "t", "--journal", "j"],
    ["--sweep", "--listen", "127.0.0.1:0", "--topology", "t", "--journal", "j"],
    ["--sweep", "--topology", "t", "--journal", "j", "--max-duration", "1"],
    ["--sweep", "--topology", "t", "--journal", "j", "--max-affected", "200%"],
    ["--sweep", "--topology", "t", "--journal", "j", "--audit-max", "2MiB"],
    ["--sweep", "--topology", "t", "--journal", "j", "--audit", "a", "--audit-max", "1kB"],
    ["--sweep", "--topology", "t", "--journal", "j", "--audit", "a", "--audit-keep", "0"],
])
def test_usage_errors(words):
    done = subprocess.run([str(BIN / "squall-agent"), *words], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 2 and "usage:" in done.stderr


@pytest.fixture
def open_folder():
    """One that another user can reach, which pytest's own need not be."""
    with tempfile.TemporaryDirectory(prefix="squall-chat-") as path:
        os.chmod(path, 0o777)
        yield pathlib.Path(path)


def test_without_root_kill_and_app_work_and_partition_says_why(open_folder):
    user = 65534 if os.geteuid() == 0 else None
    programs = pathlib.Path(shutil.copytree(BIN, open_folder / "bin"))  # BIN may be root's only
    platform = Platform(open_folder, "loopback")
    agent = Agent(platform, open_folder, user=user, programs=programs)
    try:
        for name in ("gateway-1", "gateway-2"):
            port = free_port()
            platform.add("gateway", Instance(open_folder, name, gateway_command(
                platform, name, "127.0.0.1", port, programs), "127.0.0.1", port, user=user))
        platform.write()
        agent.start()
        kinds = agent.ask("GET", "/v1/health")[1]["kinds"]
        assert kinds["kill"] is None and kinds["app"] is None
        assert "network namespaces" in kinds["partition"]
        spec = app_fault(["gateway-1"], rate=1.0)
        assert agent.post(spec)[0] == 200
        assert agent.delete(spec)[0] == 200
        spec = kill_fault(["gateway-2"], service="gateway")
        status, record = agent.post(spec)
        assert status == 200, record
        status, record = agent.delete(spec)
        assert status == 200 and all_ok(record), record
        refused = fault("partition", "gateway", ["gateway-1"], peers=["gateway"], action="drop",
                        direction="both")
        status, answer = agent.post(refused)
        assert status == 403 and "network namespaces" in answer["error"]["message"]
        assert agent.terminate() == 0
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.kill()
        platform.stop()
