# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ node is cut off from its cluster, which goes on without it: real nodes, each in a network
namespace of its own."""

import json
import shutil

import pytest

from chaos_lab import NEEDS_ROOT, Platform, agent, all_ok, bridge, evidence, inject, revert, ruleset
from conftest import wait_until
from failover_lab import Mate, rabbitmq_stop
from rabbit_lab import PASSWORD
from stores_lab import credentials

pytestmark = [NEEDS_ROOT, pytest.mark.skipif(shutil.which("rabbitmqctl") is None,
                                             reason="Debian's rabbitmq-server is not installed")]


@pytest.fixture
def agent_options():
    return ["--max-affected", "100%"]


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("fo"), "netns")
    made.stores["rmq"] = ("rabbitmq", credentials(made.folder, "rmq", user="app",
                                                  password=PASSWORD))
    mates = []
    try:
        for number in (64, 65):
            mates.append(Mate(made, bridge, number, *mates[:1]))
            mates[-1].keep(made)  # two that start at once may wait for each other for ever
        made.mates = mates
        made.write()
        yield made
    finally:
        made.stop()
        for mate in mates:
            mate.close()


@pytest.fixture
def cluster(platform):
    mates = platform.mates
    wait_until(lambda: all(mate.sees(*mates) for mate in mates), 90, "all see all")
    return mates


def test_a_node_goes_and_comes_back(platform, agent, cluster):
    first, second = cluster
    spec = rabbitmq_stop(second.name, lease_s=60.0, duration_s=100.0)
    record = inject(agent, spec)
    assert first.sees(first, second) is False and not second.ready()
    during = {line["metric"]: line["value"] for line in evidence(record, "during")}
    assert during[f"cluster in the eyes of {first.name}"] == f"{second.node} does not run"
    record = revert(agent, spec)
    assert all_ok(record)
    assert all(mate.sees(*cluster) for mate in cluster)


def test_a_stranger_is_refused(platform, agent, cluster):
    status, record = agent.post(rabbitmq_stop(cluster[0].name, [cluster[0].name]))
    assert status != 200 and "has no members beside itself" in json.dumps(record)


def test_a_partition_that_stays_is_found(platform, agent, cluster):
    """With cluster_partition_handling = ignore, RabbitMQ's default, it is an operator's to mend."""
    first, second = cluster
    for mate in cluster:
        mate.ctl("eval", "application:set_env(rabbit, cluster_partition_handling, ignore).")
    spec = rabbitmq_stop(second.name, lease_s=60.0, duration_s=100.0, restored_s=3.0)
    inject(agent, spec)

    def parted():
        """RabbitMQ comes to know of it when the two have spoken to each other again."""
        record = agent.delete(spec)[1]
        assert record["state"] == "stuck", json.dumps(record, indent=1)
        return "RabbitMQ reports a partition: " in record["error"] and record
    record = wait_until(parted, 60, "parted")
    assert second.node in record["error"] and "an operator has to mend that" in record["error"]
    assert ruleset(second.netns) == "" and not all_ok(record)
    agent.kill()  # it would go on looking
