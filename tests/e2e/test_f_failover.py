# SPDX-License-Identifier: Apache-2.0
"""A store's primary is cut off, and what guards it fails over: real clusters, each node in a network
namespace of its own."""

import contextlib
import json
import shutil
import signal

import pytest

import test_f_by_hand
from chaos_lab import (NEEDS_ROOT, Platform, agent, all_ok, bridge, evidence, inject, revert,
                       ruleset)
from conftest import run, wait_until
from failover_lab import Guarded, redis_failover

pytestmark = [NEEDS_ROOT, pytest.mark.skipif(shutil.which("redis-server") is None,
                                             reason="Debian's redis-server is not installed")]


@pytest.fixture
def agent_options():
    return ["--max-affected", "100%"]


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("fo"), "netns")
    made.guarded = None
    try:
        made.guarded = Guarded(made, bridge, (61, 62, 63), 3)
        for name in made.guarded.nodes:
            made.instances[name].place = {"labels": [f"is={name}"]}
        made.write()
        yield made
    finally:
        if made.guarded is not None:
            made.guarded.close()
        made.stop()


@pytest.fixture
def guarded(platform):
    platform.guarded.primary()
    platform.guarded.watched()
    return platform.guarded


def test_a_replica_takes_over(platform, agent, guarded):
    old = guarded.primary()
    node = guarded.nodes[old]
    with contextlib.closing(node.client()) as client:
        spec = redis_failover(old, lease_s=20.0)
        record = inject(agent, spec)
        assert not client.lives() and not node.answers()
    heads = [name for name, one in guarded.nodes.items() if one.role() == "master"]
    assert len(heads) == 1 and heads[0] != old
    guarded.agree(heads[0])
    assert guarded.nodes[heads[0]].ask("SET", "k", "v") == "OK"
    during = {line["metric"]: line["value"] for line in evidence(record, "during")}
    assert during[f"role of {heads[0]}"] == "primary" and "no answer" in during[f"role of {old}"]
    record = revert(agent, spec)
    assert all_ok(record) and guarded.whole() and node.role() == "slave"
    assert {line["value"] for line in evidence(record, "after")} == {"absent", "primary", "follows"}


def test_the_agent_dies(platform, agent, guarded):
    """Who it is that it has to ask stands in its journal."""
    old = guarded.primary()
    spec = redis_failover(old, lease_s=20.0)
    inject(agent, spec)
    guarded.agree(next(name for name, one in guarded.nodes.items() if one.role() == "master"))
    agent.kill()
    wait_until(guarded.nodes[old].answers, 2, "it is reached again")
    agent.start()
    record = agent.wait_state(spec, "gone", 20)
    assert record["end"] == "recovery" and all_ok(record)
    assert {line["metric"] for line in evidence(record, "after")} >= {
        f"role of {name}" for name in guarded.nodes}


def test_by_hand(platform, agent, guarded, tmp_path):
    old = guarded.primary()
    topology = json.loads(platform.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}",
                         "tokenFile": str(agent.token_file)}
    agent.topology = tmp_path / "with-agent.json"
    agent.topology.write_text(json.dumps(topology))
    words = ["redis", "redis", "--for", "60s", "--lease", "20s", "--where",
             f"{{labels: [is={old}]}}", "failover={members: [redis]}"]
    done = run("squall", "fault", "apply", *words, "--topology", agent.topology, "--dry-run")
    assert done.returncode == 0 and guarded.nodes[old].answers(), done.stdout + done.stderr
    assert "asks       redis whether the cluster goes on without the target" in done.stdout
    assert "which reset or drop all that comes in or goes out" in done.stdout
    one = test_f_by_hand.ByHand(agent, tmp_path, *words).wait_for("active")
    assert not guarded.nodes[old].answers()
    guarded.agree(next(name for name, node in guarded.nodes.items() if node.role() == "master"))
    one.process.send_signal(signal.SIGINT)
    assert one.end() == 0 and guarded.whole(), one.text()


def test_nobody_takes_over(platform, agent, guarded):
    old = guarded.primary()
    with guarded.unguarded():
        status, record = agent.post(redis_failover(old, lease_s=2.0))
        assert (status, record["state"], record["end"]) == (409, "gone", "failed"), record
        assert f"nobody took over from {old} within the lease" in record["error"]
        assert "ended before" not in record["error"] and not record["wasActive"]
        assert guarded.primary() == old and guarded.nodes[old].ask("SET", "k", "v") == "OK"


def test_two_primaries_are_split_brain(platform, agent, guarded):
    """Who took over keeps the role; nobody tells the one that comes back."""
    old = guarded.primary()
    spec = redis_failover(old, lease_s=30.0, restored_s=1.0)
    inject(agent, spec)
    new = next(name for name, one in guarded.nodes.items() if one.role() == "master")
    guarded.agree(new)
    with guarded.unguarded():
        status, record = agent.delete(spec)
        assert record["state"] == "stuck", (status, record)
        assert "split brain: " in record["error"]
        assert old in record["error"] and new in record["error"]
        assert not all(line["ok"] for line in evidence(record, "after"))
        assert ruleset(platform.instances[old].netns) == ""
    guarded.primary()
    assert agent.delete(spec)[1]["state"] == "gone"


def test_a_halt_waits_for_no_cluster(platform, agent, guarded):
    spec = redis_failover(guarded.primary(), lease_s=30.0)
    inject(agent, spec)
    with guarded.unguarded():
        assert agent.ask("POST", "/v1/halt")[0] == 200
        record = agent.get(spec)
        assert (record["state"], record["end"]) == ("gone", "halt"), record


def test_who_is_refused(platform, agent, guarded):
    primary = guarded.primary()
    other = next(name for name in guarded.nodes if name != primary)

    def refusal(target, members, more=()):
        spec = redis_failover(target, members)
        spec["targets"] += more
        status, record = agent.post(spec)
        assert status != 200, record
        return record["error"] if isinstance(record["error"], str) else record["error"]["message"]
    assert f"{primary} is: let the fault be of that one" in refusal(other, ["redis"])
    assert "has no members beside itself" in refusal(primary, [primary])
    assert 'member "nobody" is neither' in refusal(primary, ["nobody"])
    assert "expected the others of its cluster" in refusal(primary, [])
    assert "cuts off one instance, and 2 are named" in refusal(primary, ["redis"], [other])
    third = next(name for name in guarded.nodes if name not in (primary, other))
    with contextlib.closing(guarded.nodes[other].client()) as client, guarded.unguarded():
        client.ask("REPLICAOF", "127.0.0.1", 1)
        wait_until(lambda: guarded.nodes[other].role() is None, 5, "follows nobody")
        assert "nobody could take over" in refusal(primary, [other])
        client.ask("REPLICAOF", "NO", "ONE")
        assert "both primaries" in refusal(primary, [other, third])
    guarded.primary()
