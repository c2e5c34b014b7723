# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL primary is cut off, and Patroni fails it over: real servers, each in a network namespace
of its own."""

import json
import shutil

import pytest

from chaos_lab import NEEDS_ROOT, Platform, agent, all_ok, bridge, evidence, inject, revert
from conftest import wait_until
from failover_lab import Patroni, postgres_failover

pytestmark = [NEEDS_ROOT, pytest.mark.skipif(
    shutil.which("patroni") is None or shutil.which("etcd") is None,
    reason="Debian's patroni and etcd-server are not installed")]


@pytest.fixture
def agent_options():
    return ["--max-affected", "100%"]


@pytest.fixture(scope="module")
def platform(bridge, tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("fo"), "netns")
    made.patroni = None
    try:
        made.patroni = Patroni(made, bridge, (66, 67))
        made.write()
        yield made
    finally:
        if made.patroni is not None:
            made.patroni.close(made)
        made.stop()


def test_a_standby_takes_over(platform, agent):
    """What is no primary is refused before."""
    patroni = platform.patroni
    wait_until(lambda: set(patroni.roles().values()) == {"primary", "standby"}, 60, "a standby streams")
    [old] = [name for name, role in patroni.roles().items() if role == "primary"]
    [new] = [name for name in patroni.addresses if name != old]
    status, record = agent.post(postgres_failover(new))
    assert status == 409 and f"{old} is: let the fault be of that one" in record["error"], record
    spec = postgres_failover(old, lease_s=60.0, duration_s=100.0)
    record = inject(agent, spec)
    during = {line["metric"]: line["value"] for line in evidence(record, "during")}
    assert during[f"role of {new}"] == "primary" and "no answer" in during[f"role of {old}"]
    assert patroni.psql(new, "CREATE TABLE t (n int)").returncode == 0
    assert patroni.psql(old, "SELECT 1").returncode != 0
    record = revert(agent, spec)
    assert all_ok(record), json.dumps(record, indent=1)
    assert patroni.roles() == {new: "primary", old: "standby"}
