# SPDX-License-Identifier: Apache-2.0
"""Load on a real RabbitMQ: confirms, returns and messages, counted by the broker as by us."""

import base64
import concurrent.futures
import json
import re
import signal
import time

import pytest

from conftest import run, wait_until
from load_lab import check_sums, failed, load, make_plan, quantile, total  # noqa: F401 (a fixture)
from load_scenario import Run, write
from rabbit_lab import PASSWORD, SERVER, Rabbit
from test_e_load_cluster import Redis
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


def test_what_is_got_is_gone_and_an_empty_queue_is_an_error(broker, queue, load):
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
    done = run("squall", "load", *words, "--get", queue, "--password-file", secret, url)
    assert json.loads(done.stdout)["total"]["ok"] == 50 and broker.depth(queue) == 0
    secret.write_text("wrong\n")
    done = run("squall", "load", *words, "--get", queue, "--password-file", secret, url)
    assert done.returncode == 3 and "ACCESS_REFUSED" in done.stdout, done.stdout


def spoken(broker, queue, folder, **changes):
    """A scenario that publishes to the queue, and gets from it."""
    (folder / "secret").write_text(PASSWORD + "\n")
    return {"url": f"amqp://127.0.0.1:{broker.port}",
            "routes": [{"name": "out", "publish": queue, "body": "n={{seq}}", "persistent": True,
                        "weight": 2}, {"name": "in", "get": queue},
                       {"name": "back", "consume": {"key": "scenario"}, "exchange": "amq.direct",
                        "body": "{{rand}}"}],
            "load": {"login": {"user": "app", "virtualHost": "/", "passwordFile": "secret"},
                     "pipeline": 4}} | changes


def test_a_scenario(broker, queue, tmp_path):
    """What was published and not got is in the queue; nothing of the password is in the run."""
    broker.publish(queue, *[b"x"] * 100)  # so that it is never empty
    one = Run(tmp_path, **spoken(broker, queue, tmp_path)).expect(0)
    by = one.routes()
    assert by["out"]["ok"] + by["in"]["ok"] + by["back"]["ok"] == 100
    assert one.load()["total"]["intended"] == one.load()["total"]["ok"] == 100
    assert broker.depth(queue) == 100 + by["out"]["ok"] - by["in"]["ok"] and by["in"]["ok"] > 0
    assert by["out"]["ok"] > by["in"]["ok"] and by["back"]["bytesIn"] >= 16 * by["back"]["ok"] > 0
    assert one.judged() == {"answered": "pass"} and not one.holds(PASSWORD)
    assert not one.holds(base64.b64encode(PASSWORD.encode()).decode())
    with broker.channel() as channel:
        for _ in range(100 - by["in"]["ok"]):
            channel.basic_get(queue, auto_ack=True)
        assert channel.basic_get(queue, auto_ack=True)[1].delivery_mode == 2


def test_a_scenario_that_is_not_served(broker, queue, tmp_path):
    """A wrong password, a queue that is not there and one that is empty: told, and never a pass."""
    one = Run(tmp_path, env={"WRONG": "not-the-word"}, **spoken(broker, queue, tmp_path, load={
        "login": {"user": "app", "passwordEnv": "WRONG"}})).expect_refused()
    assert one.load()["total"]["causes"]["session"] == 100 and not one.holds("not-the-word")
    assert "ACCESS_REFUSED" in one.report()
    one = Run(tmp_path, **spoken(broker, queue, tmp_path, routes=[{"name": "in", "get": "none"}]))
    assert one.expect_refused().load()["total"]["causes"]["session"] == 100
    assert "NOT_FOUND - no queue 'none' in vhost '/' (check user, password" in one.report()
    one = Run(tmp_path, **spoken(broker, queue, tmp_path, routes=[{"name": "in", "get": queue}]))
    assert one.expect(1).routes()["in"]["failed"]["error_reply"] == 100
    assert "the queue is empty" in one.report() and one.judged() == {"answered": "fail"}


def test_a_scenario_by_two_workers(broker, queue, tmp_path):
    """Each logs in with the password of its own host; no word of it goes through the Redis where
    they meet."""
    redis = Redis(tmp_path, ["127.0.0.1"])
    try:
        heard = redis.overhear(tmp_path)
        file = write(tmp_path, **spoken(broker, queue, tmp_path, routes=[
            {"name": "out", "publish": queue, "body": "{{seq}}"}]))
        words = ["squall", "load", "-q", "--run", "r"]
        meet = f"127.0.0.1:{redis.port}"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            workers = [pool.submit(run, *words, "--join", meet) for _ in range(2)]
            lead = run(*words, "--json", "--workers", "2", "--redis", meet, "--scenario", file)
            joined = [worker.result() for worker in workers]
        assert [one.returncode for one in (lead, *joined)] == [0, 0, 0], lead.stderr
        assert json.loads(lead.stdout)["total"]["ok"] == broker.depth(queue) == 100
        assert "passwordFile" in heard.read_text() and PASSWORD not in heard.read_text()
    finally:
        redis.close()


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


COUNTED = ("received", "confirmed", "delivered", "acknowledged", "redelivered")


def counters(broker):
    """What the broker itself has counted of messages, since it was started."""
    told = broker.ctl("eval", "rabbit_global_counters:overview().")
    return {name: sum(map(int, re.findall(rf"\bmessages_{name}_total => (\d+)", told)))
            for name in COUNTED}


def own_queues(broker):
    return re.findall(r"^squall\.load\.\w+", broker.ctl("list_queues", "--silent", "name"), re.M)


@pytest.mark.parametrize("pipeline", [1, 16])
def test_each_message_comes_back_to_its_connection(broker, load, pipeline):
    """As many as the broker says; no queue stays."""
    before = counters(broker)
    one = load.finish(plan_for(broker, route("both", consume=True, body="x" * 300_000), rate=80,
                               pipeline=pipeline))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 40, result
    assert "notes" not in result and result["total"]["bytesIn"] > 40 * 300_000
    wait_until(lambda: not own_queues(broker), 20, "queues to go with their connections")
    after = counters(broker)
    assert {name: after[name] - before[name] for name in COUNTED} == {
        "received": 40, "confirmed": 40, "delivered": 40, "acknowledged": 40, "redelivered": 0}
    assert total(one.histograms()["steady/-/connect"]) == 2


def test_what_an_exchange_gives_to_others_too(broker, queue, load):
    """With a key every connection gets what all of them publish, and one more queue does; without,
    each gets its own. What a stranger publishes is nobody's."""
    with broker.channel() as channel:
        channel.exchange_declare("tap", "topic", auto_delete=False)
        channel.queue_bind(queue, "tap", "eu")
    one = load(plan_for(broker, route("both", exchange="tap", key="eu", consume=True, body="x"),
                        route("alone", exchange="tap", consume=True, body="y"), rate=100,
                        seconds=1.5, pipeline=8))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    with broker.channel() as channel:
        channel.basic_publish("tap", "eu", b"nobody's")
    assert one.wait()[0] == 0
    result = check_sums(one)
    parts = {p["route"]: p["counts"] for p in result["parts"]}
    assert result["total"]["ok"] == 150 and parts["both"]["ok"] == broker.depth(queue) - 1 > 40
    (note,) = result["notes"]
    assert note.startswith(f"{parts['both']['ok'] + 2} messages were delivered that others")


def test_a_message_that_goes_elsewhere_is_missed(broker, queue, load):
    """The broker confirms it, since another queue has it; the consumer's has lost its binding."""
    with broker.channel() as channel:
        channel.exchange_declare("half", "direct")
        channel.queue_bind(queue, "half", "k")
    one = load(plan_for(broker, route("both", exchange="half", key="k", consume=True, body="x"),
                        rate=40, seconds=60, connections=1, timeoutNs=int(1e9)))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    name = own_queues(broker)[0]
    broker.ctl("eval", "rabbit_binding:remove({binding, {resource, <<\"/\">>, exchange, <<\"half\">>}, "
               f"<<\"k\">>, {{resource, <<\"/\">>, queue, <<\"{name}\">>}}, []}}, <<\"test\">>).")
    while one.line("interval")["counts"]["causes"]["stalled"] == 0:
        pass
    while one.line("interval")["counts"]["ok"] == 0:
        pass  # the next connection's queue has its own
    one.command(type="stop")
    assert one.wait()[0] == 0
    result = check_sums(one)
    stalled = result["total"]["causes"]["stalled"]
    assert any(f"(stalled): {stalled} requests failed: the broker confirmed the message, but did not "
               "deliver it" in n for n in result["notes"]), result["notes"]
    assert broker.depth(queue) >= result["total"]["ok"] + stalled, "the broker has what was missed"


def test_a_consumer_that_is_cancelled(broker, load):
    """Its queue is deleted while messages are on their way."""
    one = load(plan_for(broker, route("both", consume=True, body="x"), rate=100, seconds=60,
                        connections=1, pipeline=4))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    (name,) = own_queues(broker)
    broker.ctl("delete_queue", name)
    while not [new for new in own_queues(broker) if new != name]:
        pass  # a new connection has a new one
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    one.command(type="stop")
    assert one.wait()[0] == 0
    result = check_sums(one)
    assert any("the broker cancelled 1 consumers" in note for note in result["notes"])
    assert failed(result["total"]) == sum(
        result["total"]["causes"][cause] for cause in ("error_reply", "behind"))
    assert total(one.histograms()["steady/-/connect"]) == 2


def test_what_waits_for_a_broker_that_stands_still(broker, load):
    """Coordinated omission: of 3 s of requests those of 0.7 s wait for 0.7 s to 0 s. The service time of
    a single connection sees that once."""
    one = load(plan_for(broker, route("both", consume=True, body="x"), rate=200, seconds=3,
                        connections=1, arrivals="constant", timeoutNs=int(20e9)))
    while one.line("interval")["counts"]["ok"] < 20:
        pass
    broker.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    wait_until(lambda: time.monotonic() - stopped > 0.7, 5, "its time")  # it is what is measured
    broker.process.send_signal(signal.SIGCONT)
    stood = time.monotonic() - stopped
    assert one.wait()[0] == 0
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 600
    response, service = (one.histograms()[f"steady/both/{kind}"] for kind in ("response", "service"))
    for late in (0.5, 0.25):  # this part of the time that it stood still
        share = 1 - (1 - late) * stood / 3
        assert quantile(response, share) >= 0.85 * late * stood, (late, stood)
    assert quantile(response, 1) >= 0.95 * stood <= quantile(service, 1)
    assert quantile(service, 0.99) < quantile(response, 0.99) / 3


def test_a_broker_that_goes_and_comes_back(broker, load):
    """What was under way is lost, and said to be; the rest goes on in new queues."""
    one = load(plan_for(broker, route("both", consume=True, body="x"), rate=100, seconds=120,
                        pipeline=4))
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    broker.kill()
    while one.line("interval")["counts"]["causes"]["refused"] == 0:
        pass
    broker.start()
    while one.line("interval")["counts"]["ok"] == 0:
        pass
    one.command(type="stop")
    assert one.wait()[0] == 0
    result = check_sums(one)
    assert failed(result["total"]) == sum(result["total"]["causes"][c] for c in (
        "refused", "reset", "closed", "behind", "connect_reset", "unreachable")), result["notes"]
    assert not any("delivered" in note for note in result["notes"]), "nothing came twice"
    wait_until(lambda: not own_queues(broker), 20, "queues to go with their connections")


def test_consuming_by_the_command_line(broker, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    words = ["-q", "--json", "-r", "100", "-d", "0.5", "-c", "2", "--arrivals", "constant",
             "--max-late", "2", "--pipeline", "4", "--password-file", secret,
             f"amqp://app@127.0.0.1:{broker.port}/%2f", "-b", "x", "--consume"]
    done = run("squall", "load", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 50
    for more, told in ((["--publish", "k"], "name an exchange"), (["--get", "q"], "a queue of its own"),
                       (["--persistent"], "nothing is kept on disk")):
        done = run("squall", "load", *words, *more)
        assert done.returncode == 2 and told in done.stderr, done.stderr
    done = run("squall", "load", *words, "--exchange", "none")
    assert done.returncode == 3 and "NOT_FOUND - no exchange 'none'" in done.stdout
    done = run("squall", "load", "http://127.0.0.1:1", "-r", "1", "--consume")
    assert done.returncode == 2 and "expected an amqp:// URL" in done.stderr


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
