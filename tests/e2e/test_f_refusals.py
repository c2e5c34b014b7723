# SPDX-License-Identifier: Apache-2.0
"""What an agent refuses, whom it listens to, what it writes down before it does anything, and what
it does without: nothing is applied then, and nothing is left."""

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

from chaos_lab import (NEEDS_ROOT, S, TOKEN, Agent, Instance, Platform, agent, agent_options,
                       all_ok, app_fault, audit_of, bridge, cut_off, fault, gateway_command,
                       injected_share, kill_fault, partition_fault, platform, ruleset, sh)
from conftest import BIN, wait_until
from services import free_port


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


CAP_KILL, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW = 1 << 5, 1 << 10, 1 << 12, 1 << 13
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
        try:
            text = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):  # one that looked into a namespace is done
            continue
        lines = dict(line.split(":", 1) for line in text.splitlines())
        found.append({"nnp": int(lines["NoNewPrivs"]),
                      **{k: int(v, 16) for k, v in lines.items() if k.startswith("Cap")}})
    return found


def own_capabilities():
    return privileges("self")[0]["CapEff"]


@NEEDS_ROOT
def test_the_agent_keeps_only_what_its_faults_need(agent):
    keep = own_capabilities() & (CAP_KILL | CAP_NET_BIND_SERVICE | CAP_NET_ADMIN | CAP_NET_RAW |
                                 CAP_SYS_ADMIN | CAP_SYS_RESOURCE)
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
