# SPDX-License-Identifier: Apache-2.0
"""Load on a real RabbitMQ: confirms, returns and messages, counted by the broker as by us."""

import json

import pytest

from conftest import run
from load_lab import check_sums, failed, load, make_plan, quantile, total  # noqa: F401 (a fixture)
from rabbit_lab import PASSWORD, SERVER, Rabbit
from test_e_load_failures import only
from tls_lab import Authority

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="rabbitmq-server is not installed")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    one = Rabbit(secure=authority.issue("rabbit", "IP:127.0.0.1"))
    one.authority = authority
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def queue(broker, request):
    name = request.node.name
    broker.declare(name)
    return name


def route(name, weight=1, **more):
    return {"name": name, "method": "GET", "path": "/", "body": None, "headers": [],
            "weight": weight} | more


def plan_for(broker, *routes, rate=200, seconds=0.5, connections=2, **more):
    return make_plan([broker.port], rate=rate, seconds=seconds, connections=connections,
                     threads=min(2, connections), protocol="amqp", routes=list(routes),
                     maxLateNs=int(2e9)) | more


@pytest.mark.parametrize("pipeline", [1, 16])
def test_the_broker_has_as_many_as_it_confirmed(broker, queue, load, pipeline):
    one = load.finish(plan_for(broker, route("out", key=queue, body="n={{seq}}", persistent=True),
                               pipeline=pipeline))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == broker.depth(queue) == 100
    bodies = set()
    with broker.channel() as channel:
        for _ in range(100):
            _, properties, body = channel.basic_get(queue, auto_ack=True)
            assert properties.delivery_mode == 2 and len(properties.message_id) == 16
            bodies.add(body)
    assert bodies == {b"n=%012d" % i for i in range(100)}
    assert total(one.histograms()["steady/-/connect"]) == 2
    assert 0 < quantile(one.histograms()["steady/out/service"], 0.5) < 1


def test_what_is_consumed_is_gone_and_an_empty_queue_is_an_error(broker, queue, load):
    """30 of large messages, then there is none."""
    broker.publish(queue, *[b"x" * 300_000] * 30)
    one = load.finish(plan_for(broker, route("in", queue=queue), rate=80, pipeline=4))
    result = check_sums(one)
    assert result["total"]["ok"] == 30 and broker.depth(queue) == 0
    assert result["total"]["bytesIn"] > 30 * 300_000
    note = only(result, "error_reply", 10)
    assert "the queue is empty" in note
    with broker.channel() as channel:  # none was left unacknowledged, to come back
        assert channel.basic_get(queue)[0] is None


def test_returned_messages_are_told_from_confirmed_ones(broker, queue, load):
    """Both kinds under way at once on one connection: a return has no tag, but an id."""
    one = load.finish(plan_for(broker, route("good", key=queue, body="x"),
                               route("lost", key="no-such-queue", body="y" * 200_000),
                               connections=1, pipeline=16, rate=400))
    result = check_sums(one)
    parts = {p["route"]: p["counts"] for p in result["parts"]}
    note = only(result, "error_reply", parts["lost"]["sent"])
    assert "NO_ROUTE" in note
    assert parts["good"]["ok"] == parts["good"]["sent"] == broker.depth(queue) > 50
    assert total(one.histograms()["steady/-/connect"]) == 1


def test_a_full_queue_says_no(broker, load, request):
    """It rejects what is published beyond its length: basic.nack."""
    name = request.node.name
    broker.declare(name, **{"x-max-length": 10, "x-overflow": "reject-publish"})
    result = check_sums(load.finish(plan_for(broker, route("out", key=name, body="x"), pipeline=8)))
    assert result["total"]["ok"] == broker.depth(name) == 10
    assert "basic.nack" in only(result, "error_reply", 90)


def test_what_is_not_there_refuses_the_session(broker, load):
    for one, words in ((route("in", queue="none"), "NOT_FOUND - no queue 'none'"),
                       (route("out", key="k", exchange="none"), "NOT_FOUND - no exchange 'none'")):
        note = only(check_sums(load.finish(plan_for(broker, one, rate=40))), "session", 20)
        assert words in note
    plan = plan_for(broker, route("out", key="k"), rate=40, database="elsewhere")
    assert "elsewhere" in only(check_sums(load.finish(plan)), "session", 20)


def test_by_the_command_line_with_a_password(broker, queue, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    url = f"amqp://app@127.0.0.1:{broker.port}/%2f"
    words = ["-q", "--json", "-r", "100", "-d", "0.5", "-c", "2", "--arrivals", "constant",
             "--max-late", "2", "--pipeline", "4"]
    done = run("squall", "load", *words, "--publish", queue, "-b", "x", "--password-file", secret, url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == broker.depth(queue) == 50
    assert PASSWORD not in done.stdout + done.stderr
    done = run("squall", "load", *words, "--consume", queue, "--password-file", secret, url)
    assert json.loads(done.stdout)["total"]["ok"] == 50 and broker.depth(queue) == 0
    secret.write_text("wrong\n")
    done = run("squall", "load", *words, "--consume", queue, "--password-file", secret, url)
    assert done.returncode == 3 and "ACCESS_REFUSED" in done.stdout, done.stdout


def test_over_tls(broker, queue, load):
    tls = {"serverName": "127.0.0.1", "caFile": str(broker.authority.cert), "certFile": None,
           "keyFile": None, "insecure": False}
    plan = plan_for(broker, route("out", key=queue, body="x" * 200_000), tls=tls, pipeline=4)
    plan["targets"][0]["port"] = broker.tls_port
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == broker.depth(queue) == 100
    assert result["tls"]["handshakes"] == 2


def test_a_broker_without_room_says_so(broker, queue, load):
    """It takes nothing while its disk is low, by a limit that no disk has."""
    broker.ctl("set_disk_free_limit", "1000000GB")
    try:
        plan = plan_for(broker, route("out", key=queue, body="x"), rate=20, timeoutNs=int(0.5e9))
        note = only(check_sums(load.finish(plan)), "silent")
        assert "the broker blocks those who publish: low on disk" in note
    finally:
        broker.ctl("set_disk_free_limit", "10MB")


def test_a_broker_that_closes_a_channel_and_then_dies(broker, queue, load):
    """Last in this file: it kills the broker. The queue is deleted under a consumer first."""
    broker.publish(queue, *[b"x"] * 2000)
    one = load(plan_for(broker, route("in", queue=queue), rate=200, seconds=60, pipeline=4))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    with broker.channel() as channel:
        channel.queue_delete(queue)
    while one.line("interval")["counts"]["causes"]["error_reply"] == 0:
        pass
    while one.line("interval")["counts"]["causes"]["session"] == 0:
        pass  # the new connections find no queue
    broker.declare(queue)
    broker.publish(queue, *[b"x"] * 2000)
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    broker.kill()
    while one.line("interval")["counts"]["causes"]["refused"] == 0:
        pass
    one.command(type="stop")
    assert one.wait()[0] == 0
    result = check_sums(one)
    assert any("(error_reply)" in n and "NOT_FOUND" in n for n in result["notes"]), result["notes"]
    assert failed(result["total"]) == sum(result["total"]["causes"][c] for c in (
        "refused", "reset", "closed", "behind", "connect_reset", "session", "error_reply"))
