# SPDX-License-Identifier: Apache-2.0
"""Faults of stores: what their clients feel, and what is left when the agent is no more. The
matrix (test_f_matrix.py) has every death; here is what each fault does, and what is refused."""

import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from chaos_lab import Agent, Platform, all_ok, evidence
from conftest import SANITIZED, run, wait_until
from services import free_port
from stores_lab import (CONNECTIONS, PASSWORD, RESERVED, STOCK_BYTES, Cache, Database, Relay, credentials,
                        passage, postgres_fault, redis_fault, still_there)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("stores"), "loopback")
    database = Database("127.0.0.1", free_port())
    try:
        made.stores["pg"] = ("postgres", credentials(
            made.folder, "postgres", user="postgres", password=PASSWORD, database="postgres"))
        made.stores["redis"] = ("redis", credentials(made.folder, "redis", password=PASSWORD))
        made.database = database.keep(made, "pg-31")
        for statement in (f"CREATE ROLE watcher LOGIN PASSWORD '{PASSWORD}'",
                          "GRANT pg_monitor TO watcher"):
            assert database.local(statement).returncode == 0, statement
        made.cache = Cache("127.0.0.1", free_port(), maxmemory=200 << 20).keep(made, "redis-41")
        made.sleeper = Cache("127.0.0.1", free_port(), maxmemory=24 << 20, debug="local").keep(
            made, "redis-42")
        made.sleeper.stock(10 << 20)
        made.write()
        yield made
    finally:
        if "pg-31" in made.instances:
            database.stop()
        made.stop()


@pytest.fixture(scope="module")
def one_agent(lab, tmp_path_factory):
    made = Agent(lab, tmp_path_factory.mktemp("agent"), "--max-affected", "100%").start()
    yield made
    assert made.terminate() == 0, made.log_file.read_text()


@pytest.fixture
def agent(one_agent):
    """Alive, and without a fault before and after each test."""
    if one_agent.process.poll() is not None:
        one_agent.start()
    yield one_agent
    if one_agent.process.poll() is None:
        one_agent.signal(signal.SIGCONT)
        assert one_agent.ask("POST", "/v1/halt")[0] == 200
    assert not list(one_agent.journal.glob("*.fault"))


def inject(agent, spec):
    status, record = agent.post(spec)
    assert status == 200 and all_ok(record), json.dumps(record, indent=1)
    return record


def revert(agent, spec):
    """By the agent, before the store itself would end it."""
    status, record = agent.delete(spec)
    if spec["leaseNs"] >= 10e9:
        assert record["goneAtNs"] - record["revertedAtNs"] < spec["leaseNs"] / 2, record
    assert status == 200 and record["state"] == "gone" and all_ok(record), json.dumps(record,
                                                                                      indent=1)
    assert evidence(record, "before") and evidence(record, "during") and evidence(record, "after")
    return record


@pytest.mark.parametrize("mode, denied, allowed", [
    ("all", "ACCESS SHARE", None), ("writes", "ROW EXCLUSIVE", "ACCESS SHARE")])
def test_a_table_is_locked(lab, agent, mode, denied, allowed):
    spec = postgres_fault("lock", table="public.t", lock=mode, lease_s=10.0)
    assert not lab.database.waits(denied)
    inject(agent, spec)
    assert lab.database.waits(denied)
    assert allowed is None or not lab.database.waits(allowed)
    revert(agent, spec)
    assert not lab.database.waits(denied)


def others(lab):
    return lab.database.number("SELECT count(*) FROM pg_stat_activity WHERE backend_type ="
                               " 'client backend' AND pid <> pg_backend_pid()")


def nobody_is_there(lab):
    wait_until(lambda: others(lab) == 0, 10, "the last test's sessions have ended")


def test_connections_run_out(lab, agent):
    nobody_is_there(lab)
    spec = postgres_fault("connections", left=1, lease_s=10.0)
    record = inject(agent, spec)
    with lab.database.session():  # the one that was left
        refused = lab.database.app("SELECT 1")
        assert refused.returncode != 0 and "reserved" in refused.stderr, refused.stderr
    [taken] = [e for e in evidence(record, "during") if e["metric"] == "connections of the fault"]
    assert int(taken["value"]) == CONNECTIONS - RESERVED - 1
    assert lab.database.local("SELECT 1").returncode == 0  # an administrator always gets in
    revert(agent, spec)
    assert lab.database.app("SELECT 1").returncode == 0


def test_connections_are_held_while_the_lease_is_renewed(lab, agent):
    lease_s = 2.0 if SANITIZED else 1.0
    spec = postgres_fault("connections", lease_s=lease_s)
    inject(agent, spec)
    end = time.monotonic() + 2 * lease_s
    while time.monotonic() < end:
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew",
                                   {"leaseNs": int(lease_s * 1e9)})
        assert status == 200, record
        time.sleep(0.2)
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'squall-%s'"
    assert lab.database.number(ours % spec["id"]) == CONNECTIONS - RESERVED
    revert(agent, spec)


@contextlib.contextmanager
def clients(lab, count):
    """Ordinary ones; what is yielded ends them."""
    with contextlib.ExitStack() as sessions:
        for _ in range(count):
            sessions.enter_context(lab.database.session())
        yield sessions.close


def taken(lab, spec, count):
    wait_until(lambda: lab.database.named(f"squall-{spec['id']}") == count, 5,
               f"{count} connections are the fault's")


def renew(agent, spec, lease_s):
    status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew",
                               {"leaseNs": int(lease_s * 1e9)})
    assert status == 200, record


def total_of(record):
    """Of connections that were taken after the first."""
    return [e["value"] for e in evidence(record, "after")
            if e["metric"] == "connections taken while it stood"]


@pytest.mark.parametrize("role", ["postgres", "watcher"])
def test_connections_that_clients_give_up_are_taken(lab, agent, role):
    """By a superuser, and by one who is refused as any other client is."""
    _, path = lab.stores["pg"]
    right = path.read_text()
    path.write_text(json.dumps({**json.loads(right), "user": role}))
    nobody_is_there(lab)
    try:
        spec = postgres_fault("connections", lease_s=10.0)
        with clients(lab, 4) as leave:
            inject(agent, spec)
            assert lab.database.named(f"squall-{spec['id']}") == CONNECTIONS - RESERVED - 4
            leave()
            taken(lab, spec, CONNECTIONS - RESERVED)
        refused = lab.database.app("SELECT 1")
        assert refused.returncode != 0 and "reserved" in refused.stderr, refused.stderr
        renew(agent, spec, 10.0)  # those as well
        assert total_of(revert(agent, spec)) == ["4"]
        assert lab.database.app("SELECT 1").returncode == 0
    finally:
        path.write_text(right)


def test_clients_that_leave_while_it_is_applied(lab, agent):
    """What was free when it was counted has been taken, but is not all that is free then."""
    nobody_is_there(lab)
    first = CONNECTIONS - RESERVED - 4
    with clients(lab, 4) as leave:
        def on_connection(number):
            if number == 1 + first + 1:  # who counts, those that hold, who measures
                leave()
                wait_until(lambda: others(lab) == first, 5, "they have left")

        with passage(lab, lab.database.server, on_connection):
            spec = postgres_fault("connections", lease_s=10.0)
            record = inject(agent, spec)
            taken(lab, spec, CONNECTIONS - RESERVED)
            [free] = [e for e in evidence(record, "during")
                      if e["metric"] == "connections that are free"]
            assert free["value"] == "0"
            assert total_of(revert(agent, spec)) == ["4"]


def test_a_reserved_connection_is_given_back(lab, agent):
    """A client was faster than the agent, which comes as a superuser and gets in all the same."""
    nobody_is_there(lab)
    with contextlib.ExitStack() as quick, clients(lab, 1) as leave:
        standing = []

        def gets_in():
            """Not while the server still lets go of the one that it does not list any more."""
            try:
                quick.enter_context(lab.database.session())
                return True
            except AssertionError:
                return False

        def on_connection(_):
            if standing:
                wait_until(gets_in, 5, "the client is there")
                standing.clear()

        with passage(lab, lab.database.server, on_connection):
            spec = postgres_fault("connections", lease_s=10.0)
            inject(agent, spec)
            standing.append(True)
            leave()
            wait_until(lambda: not standing, 10, "the agent comes for what is free")
            taken(lab, spec, CONNECTIONS - RESERVED)
            taken(lab, spec, CONNECTIONS - RESERVED - 1)
            with contextlib.ExitStack() as administrators:
                for _ in range(RESERVED):
                    command = lab.database.psql("-h", str(lab.database.server.root), "-p",
                                                str(lab.database.server.port), "-U", "postgres")
                    one = administrators.enter_context(subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
                    assert still_there(one)
            assert total_of(revert(agent, spec)) == []


def test_what_is_held_is_renewed_though_nobody_is_let_in(lab, agent):
    nobody_is_there(lab)
    standing, let_in = threading.Event(), threading.Event()
    let_in.set()

    def on_connection(_):
        if not let_in.is_set():
            standing.set()
            assert let_in.wait(30)

    with clients(lab, 1) as leave, passage(lab, lab.database.server, on_connection):
        spec = postgres_fault("connections", lease_s=10.0)
        inject(agent, spec)
        let_in.clear()
        leave()
        assert standing.wait(10), "the agent comes for what is free"
        renew(agent, spec, 10.0)
        assert agent.get(spec)["state"] == "active"
        let_in.set()
        taken(lab, spec, CONNECTIONS - RESERVED)
        renew(agent, spec, 10.0)
        assert total_of(revert(agent, spec)) == ["1"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_connections_that_were_taken_later_end_with_the_lease(lab, agent, number):
    """Also the one that has counted since it was renewed, and so was not idle."""
    lease_s = 6.0 if SANITIZED else 4.0
    nobody_is_there(lab)
    spec = postgres_fault("connections", lease_s=lease_s)
    with clients(lab, 4) as leave:
        inject(agent, spec)
        renew(agent, spec, lease_s)
        end = time.monotonic() + lease_s
        while time.monotonic() < end - lease_s * 0.6:
            assert lab.database.app("SELECT 1").returncode != 0
        leave()
        taken(lab, spec, CONNECTIONS - RESERVED)
    wait_until(lambda: time.monotonic() > end - 0.5, lease_s, "little of the lease is left")
    agent.signal(number)
    wait_until(lambda: lab.database.named(f"squall-{spec['id']}") == 0,
               end + 2.0 - time.monotonic(), "they have ended")
    assert lab.database.app("SELECT 1").returncode == 0
    if number == signal.SIGKILL:
        agent.kill()
        assert agent.sweep().returncode == 0
        assert not list(agent.journal.glob("*.fault"))
    else:
        agent.signal(signal.SIGCONT)
        assert agent.wait_state(spec, "gone", 10)["end"] == "lease"


@pytest.mark.parametrize("action", ["connections", "lock"])
def test_the_server_itself_ends_what_a_stopped_agent_holds(lab, agent, action):
    lease_s = 2.0 if SANITIZED else 1.0
    spec = postgres_fault(action, table="t" if action == "lock" else None, lease_s=lease_s)
    held = ("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
            f"'squall-{spec['id']}'")
    inject(agent, spec)
    assert lab.database.number(held) >= 1
    agent.signal(signal.SIGSTOP)
    wait_until(lambda: lab.database.number(held) == 0, lease_s + 2.0, "ended by the server")
    assert not lab.database.waits()
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 10)["end"] == "lease"


def test_sessions_are_ended_once(lab, agent):
    spec = postgres_fault("terminate", duration_s=1.0)
    with lab.database.session() as client:
        inject(agent, spec)
        assert not still_there(client)
    with lab.database.session() as client:
        record = agent.wait_state(spec, "gone", 10)
        assert all_ok(record) and still_there(client)


def test_sessions_are_ended_again_and_again(lab, agent):
    spec = postgres_fault("terminate", every_s=0.2)
    with lab.database.session():
        inject(agent, spec)
    for _ in range(2):  # the last strike may be under way, and not counted, when it is reverted
        try:
            with lab.database.session() as client:  # it came later
                wait_until(lambda client=client: not still_there(client), 5, "the next strike")
        except AssertionError as error:
            assert "no session" in str(error)  # ended before it had begun
    record = revert(agent, spec)
    [total] = [e for e in evidence(record, "after") if e["metric"] == "sessions that were ended"]
    assert int(re.search(r"by (\d+) strikes", total["value"]).group(1)) >= 2, total
    with lab.database.session() as client:
        time.sleep(0.5)  # longer than two strikes: nothing strikes any more
        assert still_there(client)


def test_nobody_to_end_is_a_refusal(lab, agent):
    wait_until(lambda: lab.database.number(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") == 1, 5,
        "nobody is there")
    def refused():
        """Not while the server still ends the session that has just counted them."""
        spec = postgres_fault("terminate")
        status, record = agent.post(spec)
        if status == 409:
            return record
        assert agent.delete(spec)[0] == 200
        return None

    record = wait_until(refused, 10, "there is nobody to end")
    assert "nobody else has a session" in record["error"] and record["appliedAtNs"] == 0, record


def test_a_table_that_is_in_use_is_not_locked(lab, agent):
    with lab.database.session("BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE"):
        status, record = agent.post(postgres_fault("lock", table="t", lease_s=1.0))
        assert status == 409 and "55P03" in record["error"], record
        assert record["state"] == "gone" and not lab.database.waits()


def test_a_table_that_is_not_there(agent):
    status, record = agent.post(postgres_fault("lock", table='no"such'))
    assert status == 409 and "42P01" in record["error"], record


def test_what_a_killed_agent_held_is_gone_and_swept(lab, agent):
    spec = postgres_fault("lock", table="t", lease_s=2.0, duration_s=60.0)
    inject(agent, spec)
    agent.kill()
    wait_until(lambda: not lab.database.waits(), 2, "the lock is gone")
    swept = agent.sweep()
    assert swept.returncode == 0, swept.stderr
    assert not list(agent.journal.glob("*.fault"))


def test_the_password_goes_nowhere_else(lab, agent):
    spec = postgres_fault("lock", table="t")
    inject(agent, spec)
    [entry] = agent.journal.glob("*.fault")
    assert PASSWORD.encode() not in entry.read_bytes()
    for place in ("cmdline", "environ"):
        with open(f"/proc/{agent.process.pid}/{place}", "rb") as file:
            assert PASSWORD.encode() not in file.read()
    assert PASSWORD not in json.dumps(revert(agent, spec))
    assert PASSWORD not in agent.log_file.read_text()


def test_by_hand(lab, agent):
    topology = json.loads(lab.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
    with_agent = agent.folder / "with-agent.json"
    with_agent.write_text(json.dumps(topology))
    words = ["postgres", "pg", "--for", "1s", "--max-affected", "100%", "--topology",
             with_agent, "lock={table: t}"]
    dry = run("squall", "fault", "apply", *words, "--dry-run")
    assert dry.returncode == 0 and "ends them by its own timeouts" in dry.stdout, dry
    assert re.search(r"postgres +can be done there", dry.stdout), dry.stdout
    assert not lab.database.waits()
    done = run("squall", "fault", "apply", *words)
    assert done.returncode == 0 and "ACCESS SHARE" in done.stdout, done
    wrong = run("squall", "fault", "apply", "redis", "pg", *words[2:8], "pause={}")
    assert wrong.returncode == 2 and 'expected "redis"' in wrong.stderr, wrong


@pytest.mark.parametrize("mode, text, words", [
    (0o644, None, "chmod 600"), (0o600, '{"password": 7}', "expected"),
    (0o600, '{"user":"postgres","password":"wrong"}', "28P01")])
def test_credentials_that_will_not_do(lab, agent, mode, text, words):
    _, path = lab.stores["pg"]
    right = path.read_text()
    try:
        path.write_text(text or right)
        path.chmod(mode)
        status, answer = agent.post(postgres_fault("lock", table="t"))
        assert status >= 400 and words in json.dumps(answer), answer
        assert PASSWORD not in json.dumps(answer)
    finally:
        path.write_text(right)
        path.chmod(0o600)


@pytest.mark.parametrize("clients", ["all", "writes"])
def test_clients_of_redis_wait(lab, agent, clients):
    spec = redis_fault("pause", pause=clients, lease_s=1.0)
    inject(agent, spec)
    end = time.monotonic() + 2.0  # two leases, and several links of the chain
    while time.monotonic() < end:
        assert not lab.cache.answers("SET", "mine", "1")
        assert lab.cache.answers() == (clients == "writes")
        status, record = agent.ask("POST", f"/v1/faults/{spec['id']}/renew",
                                   {"leaseNs": 1_000_000_000})
        assert status == 200, record
    revert(agent, spec)
    assert lab.cache.answers("SET", "mine", "1", timeout=1.0)


def test_nobody_gets_through_a_pause(lab, agent):
    """Many clients wait at once; none is answered between two links of the chain, though the agent
    stands still for a while."""
    spec = redis_fault("pause", lease_s=10.0)
    inject(agent, spec)
    crowd = [socket.create_connection((lab.cache.address, lab.cache.port)) for _ in range(50)]
    try:
        for sock in crowd:
            sock.setblocking(False)
            sock.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
        agent.signal(signal.SIGSTOP)
        end = time.monotonic() + 1.5
        readable, _, _ = select.select(crowd, [], [], 1.5)
        assert readable == [] or time.monotonic() > end + 0.1  # this process stood still itself
        agent.signal(signal.SIGCONT)
        revert(agent, spec)
        for sock in crowd:
            sock.settimeout(2)
            assert sock.recv(64).startswith(b"+OK")
    finally:
        for sock in crowd:
            sock.close()


# Keys that expire, but not soon.
SESSIONS = "for i = 1, 2000 do redis.call('SET', 'session:' .. i, 'x', 'EX', 600) end"


def test_memory_of_redis_is_filled(lab, agent):
    lab.cache.ask("SET", "mine", "untouched")
    before = lab.cache.info("used_memory")
    spec = redis_fault("fill", mib=64, lease_s=10.0)
    inject(agent, spec)
    assert before + (60 << 20) < lab.cache.info("used_memory") < before + (90 << 20)
    keys = lab.cache.of_faults("KEYS", f"squall:{spec['id']}:*")
    assert len(keys) > 1 and all(0 < lab.cache.of_faults("PTTL", key) <= 10000 for key in keys)
    revert(agent, spec)
    assert lab.cache.of_faults("KEYS", f"squall:{spec['id']}:*") == []
    assert lab.cache.ask("GET", "mine") == "untouched"
    wait_until(lambda: lab.cache.info("used_memory") < before + (8 << 20), 5, "it is free again")


def test_keys_of_others_are_never_evicted(lab, agent):
    status, record = agent.post(redis_fault("fill", mib=300))  # maxmemory is 200 MiB
    assert status == 409 and "would be evicted" in record["error"], record
    assert record["appliedAtNs"] == 0 and lab.cache.of_faults("KEYS", "squall:*") == []


def test_keys_expire_with_the_lease(lab, agent):
    """Those of others, too; the server looks for a few of them now and then."""
    lab.cache.ask("EVAL", SESSIONS, 0)
    before = lab.cache.info("used_memory")
    spec = redis_fault("fill", mib=16, lease_s=1.0)
    inject(agent, spec)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 10 ** 9})[0] == 200
        time.sleep(0.2)
    assert len(lab.cache.of_faults("KEYS", f"squall:{spec['id']}:*")) > 1  # renewed with it
    agent.signal(signal.SIGSTOP)
    wait_until(lambda: lab.cache.info("used_memory") < before + (4 << 20), 3, "its memory is free")
    assert lab.cache.of_faults("KEYS", f"squall:{spec['id']}:*") == []
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 10)["end"] == "lease"


def test_expired_keys_would_be_found_too_late_among_many(lab, agent):
    lab.cache.of_faults("EVAL", SESSIONS, 0)
    try:
        status, record = agent.post(redis_fault("fill", mib=2))
        assert status == 409 and "keys that expire in database 15" in record["error"], record
    finally:
        lab.cache.of_faults("FLUSHDB")


def test_a_key_that_vanishes_ends_the_fault(lab, agent):
    spec = redis_fault("fill", mib=2)
    inject(agent, spec)
    lab.cache.of_faults("DEL", f"squall:{spec['id']}:0")
    agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 2 * 10 ** 9})
    record = agent.wait_state(spec, "gone", 10)
    assert record["end"] == "failed" and "is gone" in record["error"], record


@pytest.mark.parametrize("every_s", [0.0, 0.2])
def test_clients_of_redis_are_disconnected(lab, agent, every_s):
    with contextlib.closing(lab.cache.client()) as client:
        spec = redis_fault("killClients", every_s=every_s)
        inject(agent, spec)
        assert not client.lives()
    with contextlib.suppress(ConnectionError), contextlib.closing(lab.cache.client()) as client:
        if every_s > 0:  # it came later; perhaps it does not even get in
            wait_until(lambda: not client.lives(), 5, "disconnected by the next strike")
    revert(agent, spec)
    with contextlib.closing(lab.cache.client()) as client:
        time.sleep(0.5)  # longer than two strikes: nothing strikes any more
        assert client.lives()


def test_a_strike_that_hits_the_question_about_it(lab, agent):
    """The agent asks who is left when its own next strike comes: it asks again."""
    relay = Relay(lab.cache)
    topology = json.loads(lab.topology_file.read_text())
    [cache] = [s["instances"][0] for s in topology["services"] if s["name"] == "redis"]
    cache["port"] = relay.port
    lab.topology_file.write_text(json.dumps(topology))
    try:
        with contextlib.closing(lab.cache.client()) as client:
            spec = redis_fault("killClients", every_s=0.1, lease_s=10.0)
            inject(agent, spec)
            assert relay.held == 1 and relay.lists >= 3 and not client.lives()
            revert(agent, spec)
    finally:
        relay.close()
        lab.write()


def test_nobody_to_disconnect_is_a_refusal(agent):
    status, record = agent.post(redis_fault("killClients"))
    assert status == 409 and "nobody else is connected" in record["error"], record


def test_redis_sleeps(lab, agent):
    spec = redis_fault("sleep", targets=["redis-42"], time_s=0.4, lease_s=10.0)
    assert lab.sleeper.slowest() < 0.2
    record = inject(agent, spec)
    [waited] = [e for e in evidence(record, "during") if e["metric"] == "longest PING"]
    assert 320 <= float(waited["value"].split()[0]) <= 1300, waited
    assert lab.sleeper.slowest(count=2) > 0.2
    assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": 10 ** 9})[0] == 200
    agent.signal(signal.SIGSTOP)
    wait_until(lambda: lab.sleeper.slowest() < 0.2, 1.0 + 2.0, "the sleep that has begun is the last")
    agent.signal(signal.SIGCONT)
    assert agent.wait_state(spec, "gone", 10)["end"] in ("lease", "expired")


def test_redis_is_awake_again(lab, agent):
    spec = redis_fault("sleep", targets=["redis-42"], time_s=0.3, lease_s=10.0)
    inject(agent, spec)
    revert(agent, spec)
    assert lab.sleeper.slowest(wait_s=0.0) < 0.3


def test_a_redis_that_does_not_allow_to_sleep(agent):
    status, record = agent.post(redis_fault("sleep", time_s=0.3))
    assert status == 409 and record["appliedAtNs"] == 0, record
    assert "enable-debug-command yes" in record["error"], record


def test_a_storm_of_evictions(lab, agent):
    """It goes on while the fault lasts, destroys no more than was asked for, and stops with it."""
    wait_until(lambda: lab.sleeper.ask("OBJECT", "IDLETIME", "mine:49") >= 1, 5,
               "others' keys are older than the fault's")
    before, limit = lab.sleeper.info("evicted_keys"), lab.sleeper.info("maxmemory")
    spec = redis_fault("evict", targets=["redis-42"], mib=8, lease_s=10.0, duration_s=4.0)
    mine = f"squall:{spec['id']}:*"
    record = inject(agent, spec)
    [said] = [e for e in evidence(record, "during") if e["metric"].startswith("keys of others")]
    at_once = lab.sleeper.info("evicted_keys") - before
    # An eighth, or two keys of the fault, of which the first may still have some room.
    assert 1 << 20 < at_once * STOCK_BYTES * 1.1 < 2.2 * (1 << 20), (at_once, said)
    assert 0 <= at_once - int(said["value"]) < 20, said  # the memory of a client takes a few, too
    keys = lab.sleeper.of_faults("KEYS", mine)
    assert keys and all(0 < lab.sleeper.of_faults("PTTL", key) <= 10000 for key in keys)
    wait_until(lambda: lab.sleeper.info("evicted_keys") - before >= at_once + 200, 10,
               "it goes on evicting")
    assert lab.sleeper.info("used_memory") <= limit + (1 << 20)
    record = revert(agent, spec)
    lost = lab.sleeper.info("evicted_keys") - before
    assert lost * STOCK_BYTES <= 8 << 20, lost
    assert lab.sleeper.of_faults("KEYS", "squall:*") == []
    [toll] = [e for e in evidence(record, "after") if e["metric"].startswith("keys of others")]
    assert toll["value"] == f"{lost} since it began, lost", (toll, lost)
    left = lab.sleeper.info("keys")
    assert left == (10 << 20) // STOCK_BYTES - lost  # nothing came back


def test_a_storm_ends_with_the_lease(lab, agent):
    """Of keys that expire alone; a stopped agent writes nothing more, and its keys make room again."""
    lab.sleeper.stock(10 << 20, ttl_ms=600_000)
    lab.sleeper.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    spec = redis_fault("evict", targets=["redis-42"], mib=8, lease_s=1.0, duration_s=60.0)
    try:
        inject(agent, spec)
        agent.signal(signal.SIGSTOP)
        full = lab.sleeper.info("used_memory")
        assert lab.sleeper.of_faults("KEYS", "squall:*") != []
        wait_until(lambda: lab.sleeper.info("used_memory") < full - (8 << 20), 1.0 + 2.0, "expired")
        assert lab.sleeper.of_faults("KEYS", "squall:*") == []
        evicted = lab.sleeper.info("evicted_keys")
        lab.sleeper.stock(1 << 20, name="new")
        assert lab.sleeper.info("evicted_keys") == evicted
        agent.signal(signal.SIGCONT)
        assert agent.wait_state(spec, "gone", 10)["end"] == "lease"
    finally:
        lab.sleeper.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")


@pytest.mark.parametrize("settings, words", [
    ({"maxmemory": "0"}, "its maxmemory is 0"),
    ({"maxmemory-policy": "noeviction"}, "is noeviction"),
    ({"maxmemory-policy": "volatile-ttl"}, "would be the first to go"),
    ({"maxmemory-policy": "allkeys-random"}, "as often as others'"),
    ({"maxmemory-policy": "volatile-lru"}, "it holds none that does")])
def test_a_redis_that_would_not_evict(lab, agent, settings, words):
    lab.sleeper.stock(5 << 20)
    usual = {"maxmemory": str(24 << 20), "maxmemory-policy": "allkeys-lru"}
    try:
        for key, value in settings.items():
            lab.sleeper.ask("CONFIG", "SET", key, value)
        status, record = agent.post(redis_fault("evict", targets=["redis-42"], mib=4))
        assert status == 409 and words in record["error"] and record["appliedAtNs"] == 0, record
        assert lab.sleeper.of_faults("KEYS", "squall:*") == []
        for key, value in settings.items():  # the agent changes none
            assert lab.sleeper.ask("CONFIG", "GET", key) == [key, value]
    finally:
        for key, value in usual.items():
            lab.sleeper.ask("CONFIG", "SET", key, value)


def test_a_redis_that_does_not_know_the_password(lab, agent):
    _, path = lab.stores["redis"]
    right = path.read_text()
    try:
        path.write_text('{"password":"wrong"}')
        status, record = agent.post(redis_fault("pause"))
        assert status == 409 and "WRONGPASS" in record["error"], record
    finally:
        path.write_text(right)
