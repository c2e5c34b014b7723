# SPDX-License-Identifier: Apache-2.0
"""What a service does to itself beside errors and latency: readiness, a dependency, processor time,
memory. What the agent says is compared with what the service's clients and /proc see."""

import json
import os
import sys
import urllib.request

import pytest

from chaos_lab import (Agent, Instance, Platform, add_fronts, all_ok, asked, evidence, front_fault,
                       inject, load_of, processor_time, resident, revert)
from conftest import wait_until
from services import free_port

MIB = 1 << 20
NEEDS_USERS = {"dependency": "users", "path": "/api/users?limit=1"}

# A service that says yes to every order, and does nothing; or that has no such endpoints.
SERVICE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(int(sys.argv[3]) if self.path.startswith("/api/chaos/") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """Without namespaces and root. Two gateways, and two services of somebody else."""
    made = Platform(tmp_path_factory.mktemp("app"), "loopback")
    try:
        made.fronts = add_fronts(made, "127.0.0.1", [free_port() for _ in range(3)])
        for name, status in (("front-liar", 200), ("front-other", 404)):
            port = free_port()
            made.add("front", Instance(made.folder, name, [
                sys.executable, "-c", SERVICE, "127.0.0.1", str(port), str(status)], "127.0.0.1",
                                       port))
        made.write()
        for front in made.fronts:
            wait_until(lambda front=front: asked(front, "/ready") == 200, 10, "ready")
        yield made
    finally:
        made.stop()


@pytest.fixture
def agent(platform, tmp_path):
    made = Agent(platform, tmp_path, "--max-affected", "100%").start()
    yield made
    made.finish()


def seen(record):
    return {when: [(e["metric"], e["value"]) for e in evidence(record, when)]
            for when in ("before", "during", "after")}


def test_not_ready_and_serving_all_the_same(agent, platform):
    one, other = platform.fronts
    spec = front_fault([one.name], unready=True)
    inject(agent, spec)
    assert asked(one, "/ready") == 503 and asked(other, "/ready") == 200
    assert {asked(one, path) for path in ("/health", "/metrics", "/api/data", "/api/users")} == {200}
    record = revert(agent, spec)
    assert asked(one, "/ready") == 200
    assert seen(record) == {"before": [("GET /ready", "200")],
                            "during": [("GET /ready", "503, ordered")],
                            "after": [("GET /ready", "200")]}


def test_what_needs_the_dependency_fails_and_nothing_else(agent, platform):
    one, other = platform.fronts
    spec = front_fault([one.name], **NEEDS_USERS)
    inject(agent, spec)
    assert asked(one, "/api/users") == 503 and asked(other, "/api/users") == 200
    assert asked(one, "/ready") == 503, "as when the dependency had failed by itself"
    assert {asked(one, path) for path in ("/health", "/metrics", "/api/data")} == {200}
    record = revert(agent, spec)
    assert asked(one, "/api/users") == 200 and asked(one, "/ready") == 200
    metric = "GET /api/users?limit=1"
    assert seen(record) == {"before": [(metric, "200")], "during": [(metric, "503, ordered")],
                            "after": [(metric, "200")]}


def test_processor_time_of_the_service_itself(agent, platform):
    one, other = platform.fronts
    spec = front_fault([one.name], cpu=0.5)
    record = inject(agent, spec)
    assert [e["metric"] for e in evidence(record, "during")] == ["processor time of its processes"]
    wait_until(lambda: load_of(one, 0.2)[1] > 0.25, 10, "half a processor, waiting counted")
    before = [processor_time(i)[0] for i in (one, other)]
    assert asked(one, "/api/data", 5) == 200, "its loop goes on"
    has, wants = load_of(one, 0.4)
    assert has < 0.75 and wants > 0.25
    took = [processor_time(i)[0] - b for i, b in zip((one, other), before, strict=True)]
    assert took[0] > took[1]
    revert(agent, spec)
    wait_until(lambda: load_of(one, 0.2)[1] < 0.25, 10, "over")


def test_memory_of_the_service_itself(agent, platform):
    one, other = platform.fronts
    before, neighbour = resident(one), resident(other)
    spec = front_fault([one.name], memory=96 * MIB)
    record = inject(agent, spec)
    taken = resident(one) - before
    assert 0.9 * 96 * MIB <= taken <= 1.2 * 96 * MIB, taken
    assert abs(resident(other) - neighbour) < 16 * MIB
    assert "96.0 more: 86.4 to 121.6" in evidence(record, "during")[0]["expected"]
    record = revert(agent, spec)
    assert resident(one) - before < 48 * MIB, "half of it"
    assert len(record["evidence"]) == 3 and all_ok(record)


ORDERS = [{"unready": True}, NEEDS_USERS, {"cpu": 0.5}, {"memory": 64 * MIB}]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: next(iter(order)))
def test_a_service_that_only_says_yes_is_found_out(agent, order):
    status, record = agent.post(front_fault(["front-liar"], lease_s=1.0, **order))
    assert (status, record["state"], record["end"], record["wasActive"]) == (
        409, "gone", "failed", False), json.dumps(record, indent=1)
    assert [e["ok"] for e in record["evidence"]] == [True, False, True], record
    assert "not what was asked for" in record["error"]


@pytest.mark.parametrize("order, endpoint", zip(ORDERS, ["readiness", "dependency", "cpu",
                                                         "memory"], strict=True))
def test_an_endpoint_that_is_missing_is_named(agent, order, endpoint):
    status, record = agent.post(front_fault(["front-other"], **order))
    assert (status, record["state"], record["wasActive"]) == (409, "gone", False), record
    for word in ("front-other", f"POST /api/chaos/{endpoint} (answered 404)", "teach it that"):
        assert word in record["error"], record["error"]


def test_refusals_cost_nothing(agent, platform):
    one = platform.fronts[0].name
    for order, status, words in [
            ({"unready": True, "cpu": 0.5}, 400, "cpu beside unready would hide each other"),
            ({"rate": 0.5, "memory": MIB}, 400, "memory beside errorRate or latency"),
            ({"dependency": "users"}, 400, "go together"),
            ({"memory": 2 << 30}, 400, "memory"),
            ({"cpu": 1.5}, 400, "cpu")]:
        rate = order.pop("rate", 0.0)
        spec = front_fault([one], **order)
        spec["app"]["errorRate"] = rate
        answer = agent.post(spec)
        assert answer[0] == status and words in answer[1]["error"]["message"], answer
    assert agent.ask("GET", "/v1/faults")[1] == {"faults": []}


def test_an_unknown_dependency_is_refused_with_those_there_are(agent, platform):
    spec = front_fault([platform.fronts[0].name], dependency="redis", path="/api/users")
    status, record = agent.post(spec)
    assert (status, record["state"]) == (409, "gone"), record
    assert "the dependencies of this service: users" in record["error"], record["error"]


def test_two_orders_on_one_target_are_refused(agent, platform):
    one = platform.fronts[0].name
    first, second = front_fault([one], unready=True), front_fault([one], cpu=0.5)
    inject(agent, first)
    status, answer = agent.post(second)
    assert status == 403 and first["id"] in answer["error"]["message"], answer
    assert revert(agent, first)


def status_of(front):
    url = f"http://{front.address}:{front.port}/api/status"
    with urllib.request.urlopen(url, timeout=5) as answer:
        upstreams = json.load(answer)["data"]["upstreams"]
    return json.dumps(upstreams).encode()


def test_what_fails_by_itself_is_told_from_the_fault(agent, platform):
    """The last one: the dependency is really gone when the orders are taken back."""
    one, other = platform.fronts
    specs = [front_fault([one.name], unready=True), front_fault([other.name], **NEEDS_USERS)]
    for spec in specs:
        inject(agent, spec)
    [back] = [i for i in platform.instances.values() if i.service == "back"]
    back.stop()
    for front in (one, other):
        wait_until(lambda front=front: b'"state": "up"' not in status_of(front), 10, "noticed")
    for spec in specs:
        [after] = evidence(revert(agent, spec), "after")
        assert "by itself: that was not ordered" in after["value"], after
    status, record = agent.post(front_fault([one.name], unready=True))
    assert (status, record["state"]) == (409, "gone") and "before the fault" in record["error"]
    assert os.path.exists(agent.journal) and not list(agent.journal.glob("*.fault"))
