# SPDX-License-Identifier: Apache-2.0
"""Many requests at a time, which wait for the disk together: what was acknowledged is there whenever
the agent dies, and when the disk is full all are refused, with nothing applied."""

import concurrent.futures
import http.client
import signal

import pytest

from chaos_lab import (JOBS, NEEDS_ROOT, Agent, app_fault, bridge, cut_off, files_limit,
                       injected_share, limits_fault, partition_fault, platform, ruleset, sh,
                       unshared_mounts)
from conftest import wait_until

pytestmark = NEEDS_ROOT
LOW = 200  # open files: a limit that no target notices


def specs_of(lease_s=10.0):
    """One each on as many targets."""
    times = {"duration_s": 60.0, "lease_s": lease_s}
    return ([limits_fault([f"jobs-{number}"], files=LOW, **times) for number, _ in JOBS] +
            [partition_fault([name], **times) for name in ("api-11", "api-12")] +
            [app_fault([name], **times) for name in ("gateway-14", "gateway-15")])


def in_place(platform):
    """Targets that show an effect."""
    found = {f"jobs-{number}" for number, _ in JOBS
             if files_limit(platform.instances[f"jobs-{number}"].process.pid) == LOW}
    found |= {name for name in ("api-11", "api-12") if cut_off(platform, name)}
    return found | {name for name in ("gateway-14", "gateway-15")
                    if injected_share(platform, name, 5) > 0}


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(32) as made:
        yield made


def post(agent, spec):
    """None: the agent died before it had answered."""
    try:
        return agent.post(spec)
    except (OSError, http.client.HTTPException):
        return None


# When the agent is killed: the first of these is seen.
MOMENTS = {
    "an id is on disk": lambda agent, answers: any((agent.journal / "used").iterdir()),
    "an entry is on disk": lambda agent, answers: any(agent.journal.glob("*.fault")),
    "half of the entries are": lambda agent, answers: len(list(agent.journal.glob("*.fault"))) > 6,
    "the first is answered": lambda agent, answers: any(a.done() for a in answers),
    "all are answered": lambda agent, answers: all(a.done() for a in answers),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_acknowledged_is_on_disk_when_the_agent_is_killed(platform, tmp_path, pool, moment):
    agent = Agent(platform, tmp_path, "--max-affected", "100%").start()
    specs = specs_of()
    answers = [pool.submit(post, agent, spec) for spec in specs]
    wait_until(lambda: MOMENTS[moment](agent, answers), 20, moment)
    agent.kill()
    answered = [spec["id"] for spec, answer in zip(specs, answers) if answer.result() is not None]
    assert all(answer.result()[0] == 200 for answer in answers if answer.result() is not None)
    entries = {path.stem for path in agent.journal.glob("*.fault")}
    used = {path.name for path in (agent.journal / "used").iterdir()}
    assert set(answered) <= entries <= used, (answered, entries, used)
    if moment == "all are answered":
        assert len(answered) == len(specs)
        inodes = {path.stat().st_ino for path in agent.journal.glob("*.fault")}
        assert len(inodes) < len(specs), "each entry was written by itself"
    agent.start()
    try:
        wait_until(lambda: not in_place(platform), 5, "all are gone")
        wait_until(lambda: not list(agent.journal.glob("*.fault*")), 5, "all are reverted")
        for spec in specs:
            if spec["id"] in used:
                assert agent.post(spec)[0] in (403, 409), "one request is carried out twice"
        assert not in_place(platform)
    finally:
        assert agent.terminate() == 0, agent.log_file.read_text()


def test_a_full_disk_refuses_all_who_wait(platform, tmp_path, pool):
    holder = unshared_mounts()
    inside = ["nsenter", "-m", "-t", str(holder.pid)]
    agent = Agent(platform, tmp_path, "--max-affected", "100%")
    agent.prefix = inside
    agent.journal.mkdir()
    filler = agent.journal / "filler"
    before = {netns: ruleset(netns) for netns in platform.namespaces}
    try:
        sh(*inside, "mount", "-t", "tmpfs", "-o", "size=256k", "chat", str(agent.journal))
        sh(*inside, "dd", "if=/dev/zero", f"of={filler}", "bs=4k", "count=62")
        agent.start()
        answers = list(pool.map(agent.post, specs_of()))
        for status, record in answers:
            assert (status, record["state"], record["appliedAtNs"]) == (409, "gone", 0), record
            assert "No space left" in record["error"] and not record["wasActive"]
        assert not in_place(platform)
        assert before == {netns: ruleset(netns) for netns in platform.namespaces}
        sh(*inside, "rm", str(filler))
        specs = specs_of()
        assert [status for status, _ in pool.map(agent.post, specs)] == [200] * len(specs)
        assert len(in_place(platform)) == len(specs)
        assert agent.ask("POST", "/v1/halt")[0] == 200
        assert not in_place(platform)
        assert agent.terminate() == 0, agent.log_file.read_text()
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.signal(signal.SIGKILL)
        holder.kill()
        holder.wait()


def test_faults_that_are_gone_are_shown_as_they_were(platform, tmp_path):
    """Of many that have ended, the agent keeps what it shows of them, and nothing else."""
    agent = Agent(platform, tmp_path).start()
    try:
        specs = [limits_fault(["jobs-23"], files=LOW) for _ in range(70)]
        records = []
        for spec in specs:
            assert agent.post(spec)[0] == 200
            status, record = agent.delete(spec)
            assert status == 200
            records.append(record)
        standing = limits_fault(["jobs-24"], files=LOW)
        active = agent.post(standing)[1]
        assert [agent.get(spec) for spec in specs] == records
        assert agent.ask("GET", "/v1/faults")[1]["faults"] == [*records, active]
        first, record = specs[3], records[3]
        assert agent.post(first) == (409, record), "it is not carried out twice"
        assert agent.delete(first) == (200, record)
        assert agent.ask("POST", f"/v1/faults/{first['id']}/renew", {"leaseNs": 1 << 30})[0] == 410
        status, answer = agent.post({**first, "durationNs": first["durationNs"] + 1})
        assert status == 400 and "belongs to another fault" in answer["error"]["message"], answer
        assert agent.ask("GET", "/v1/faults")[1]["faults"] == [*records, active]
        assert agent.ask("POST", "/v1/halt")[0] == 200
        status, answer = agent.post({**limits_fault(["jobs-23"], files=LOW), "run": specs[5]["run"],
                                     "startedNs": specs[5]["startedNs"] + (60 << 30)})
        assert status == 410 and "halted" in answer["error"]["message"], "its run is remembered"
    finally:
        assert agent.terminate() == 0, agent.log_file.read_text()
