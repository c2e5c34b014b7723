# SPDX-License-Identifier: Apache-2.0
"""Load on a real PostgreSQL: statements, what the server counted of them, and everything that breaks."""

import json
import shutil

import pytest

from conftest import run, wait_until
from load_lab import check_sums, failed, load, make_plan, quantile, serve, total  # noqa: F401
from load_scenario import Run
from services import PG_BIN, Postgres
from test_e_load_failures import only
from tls_lab import Authority

pytestmark = pytest.mark.skipif(not PG_BIN.exists(), reason="postgresql-15 is not installed")

PASSWORD = "correct-horse-of-the-load"


@pytest.fixture(scope="module")
def server():
    one = Postgres()
    with open(one.root / "data" / "postgresql.conf", "a", encoding="utf-8") as settings:
        settings.write("shared_preload_libraries = 'pg_stat_statements'\n")
    hba = one.root / "data" / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all locked all scram-sha-256\nhost all all all trust\n")
    one.start()
    one.sql("CREATE EXTENSION pg_stat_statements")
    one.sql(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")
    one.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
    yield one
    one.close()


@pytest.fixture
def table(server):
    server.sql("DROP TABLE IF EXISTS t")
    server.sql("CREATE TABLE t (n bigint PRIMARY KEY, r text); GRANT ALL ON t TO PUBLIC")
    server.sql("SELECT pg_stat_statements_reset()")
    return server


def route(name, statement, *params, weight=1):
    return {"name": name, "method": "GET", "path": "/", "body": statement, "headers": [],
            "weight": weight, "params": list(params)}


def plan_for(server, *routes, rate=200, seconds=0.5, connections=2, **more):
    return make_plan([server.port], rate=rate, seconds=seconds, connections=connections,
                     threads=min(2, connections), protocol="postgres", user="postgres",
                     database="postgres", host="localhost", routes=list(routes),
                     maxLateNs=int(2e9)) | more


INSERT = ("INSERT INTO t VALUES ($1, $2)", "{{seq}}", "{{rand}}")


def calls(server, beginning):
    return int(server.sql("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE "
                          f"'{beginning}%'").stdout)


@pytest.mark.parametrize("pipeline", [1, 8])
def test_the_server_counts_the_same(table, load, pipeline):
    """Rows, its own statistics of statements, and our numbers."""
    one = load.finish(plan_for(table, route("insert", *INSERT), pipeline=pipeline))
    result = check_sums(one)
    assert result["total"]["ok"] == result["total"]["intended"] == 100
    assert table.sql("SELECT count(*), min(n), max(n), count(DISTINCT r), min(length(r)) FROM t"
                     ).stdout.strip() == "100|0|99|100|16"
    assert calls(table, "INSERT INTO t") == 100
    assert result["total"]["bytesOut"] == 100 * (12 + 16)
    histograms = one.histograms()
    assert total(histograms["steady/-/connect"]) == 2
    assert 0 < quantile(histograms["steady/insert/service"], 0.5) < 1


def test_many_under_way_on_one_connection(server, load):
    """Each takes 100 ms of the server's time: 8 at once on one connection take turns there, so that
    none waits for a free connection; without a pipeline seven of eight do."""
    shares = {}
    for pipeline in (1, 8):
        plan = plan_for(server, route("slow", "SELECT pg_sleep(0.1)"), rate=40, seconds=0.2,
                        connections=1, pipeline=pipeline, timeoutNs=int(20e9))
        result = check_sums(load.finish(plan))
        assert result["total"]["ok"] == 8
        shares[pipeline] = sum(l["count"] for l in result["lateness"]
                               if l["cause"] == "no_free_connection" and l["maxNs"] > 30e6)
    assert shares[8] == 0 and shares[1] >= 5, shares


def test_an_error_is_its_own_requests_alone(table, load):
    """Pipelined with others, which are served all the same."""
    one = load.finish(plan_for(table, route("insert", *INSERT),
                               route("bad", "SELECT 1 / ($1::int - $1::int)", "7"),
                               connections=1, pipeline=16, rate=400))
    result = check_sums(one)
    parts = {p["route"]: p["counts"] for p in result["parts"]}
    note = only(result, "error_reply", parts["bad"]["sent"])
    assert "division by zero" in note
    assert parts["insert"]["ok"] == parts["insert"]["sent"] > 50 < parts["bad"]["sent"]
    assert table.sql("SELECT count(*) FROM t").stdout.strip() == str(parts["insert"]["ok"])
    assert total(one.histograms()["steady/-/connect"]) == 1  # and none lost its connection


def test_what_is_returned_is_counted_and_copy_is_an_error(server, load):
    result = check_sums(load.finish(plan_for(
        server, route("rows", "SELECT repeat('x', 1000) FROM generate_series(1, 50)"), rate=40)))
    assert result["total"]["ok"] == 20 and result["total"]["bytesIn"] == 20 * 50_000
    note = only(check_sums(load.finish(plan_for(server, route("copy", "COPY (SELECT 1) TO STDOUT"),
                                                rate=20))), "error_reply", 10)
    assert "COPY cannot be sent" in note


def test_a_session_that_cannot_be_had(server, load):
    """The server's words say why: no such table, role, or a connection too many."""
    cases = [({"routes": [route("a", "SELECT * FROM missing")]}, 'relation "missing" does not exist'),
             ({"user": "nobody-here"}, 'role "nobody-here" does not exist'),
             ({"user": "locked"}, "no password supplied")]
    for change, words in cases:
        plan = plan_for(server, route("one", "SELECT 1"), rate=40) | change
        note = only(check_sums(load.finish(plan)), "session", 20)
        assert words in note
    plan = plan_for(server, route("one", "SELECT 1"), user="few", connections=3, rate=40,
                    threads=1)
    result = check_sums(load.finish(plan))
    assert result["total"]["ok"] == 20  # over the one that was granted
    assert any("too many connections" in note for note in result["notes"])


def test_a_timeout_replaces_the_connection(server, load):
    """One statement that hangs ends its connection; those behind it are counted as such, and the load
    goes on over a new one."""
    plan = plan_for(server, route("hang", "SELECT pg_sleep(CASE $1::int WHEN 10 THEN 60 ELSE 0 END)",
                                  "{{seq}}"), rate=100, seconds=1.0, connections=1, pipeline=4,
                    timeoutNs=int(0.3e9))
    one = load.finish(plan)
    result = check_sums(one)
    causes = {name: n for name, n in result["total"]["causes"].items() if n}
    # Who has waited for the new connection until his own time was over, was not sent.
    late = causes.pop("connect_timeout", 0)
    assert causes == {"silent": 1, "behind": 3}, result["notes"]
    assert result["total"]["ok"] == result["total"]["sent"] - 4 - late > 20
    assert total(one.histograms()["steady/-/connect"]) == 2


def test_a_server_that_ends_sessions_and_then_dies(load):
    server = Postgres()
    try:
        server.start()
        one = load(plan_for(server, route("nap", "SELECT pg_sleep(0.02)"), rate=200, seconds=60,
                            pipeline=4))
        while one.line("interval")["counts"]["ok"] == 0:
            pass
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                   "application_name = 'squall-load'")
        while one.line("interval")["counts"]["causes"]["closed"] == 0:
            pass
        while one.line("interval")["counts"]["ok"] == 0:
            pass  # over new ones
        server.kill()
        while one.line("interval")["counts"]["causes"]["refused"] == 0:
            pass
        one.command(type="stop")
        assert one.wait()[0] == 0
    finally:
        server.close()
    result = check_sums(one)
    assert any("(closed)" in n and "terminating connection due to administrator" in n
               for n in result["notes"]), result["notes"]
    assert failed(result["total"]) == sum(
        result["total"]["causes"][c] for c in ("refused", "reset", "closed", "behind",
                                               "connect_reset", "session"))


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"E\xff\xff\xff\xff",
                                      b"R\0\0\0\x08\0\0\0\0" + b"\xff" * 40])
def test_something_that_is_no_postgres(serve, load, greeting):
    """Never a success, and never a hang."""
    def greet(peer):
        peer.send(greeting)
        peer.transport.write_eof()

    bad = serve(greet=greet)
    result = check_sums(load.finish(plan_for(bad, route("one", "SELECT 1"), rate=20, seconds=0.3,
                                             timeoutNs=int(0.5e9))))
    assert result["total"]["ok"] == 0 and failed(result["total"]) == 6, result
    assert result["total"]["failed"]["connect"] == 6


def test_by_the_command_line_with_a_password(table, tmp_path):
    """From PGPASSFILE; it stands in nothing that is written."""
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"localhost:{table.port}:*:locked:{PASSWORD}\n")
    passwords.chmod(0o600)
    words = ["-q", "--json", "-r", "100", "-d", "0.5", "-c", "2", "--arrivals", "constant",
             "--max-late", "2", "--pipeline", "4", "--query", INSERT[0], "--param", "{{seq}}",
             "--param", "x", "--hlog", str(tmp_path / "log")]
    url = f"postgres://locked@localhost:{table.port}/postgres"
    done = run("squall", "load", *words, url, env={"PGPASSFILE": str(passwords)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["ok"] == 50
    assert table.sql("SELECT count(*) FROM t").stdout.strip() == "50"
    assert PASSWORD not in done.stdout + done.stderr + (tmp_path / "log").read_text()
    done = run("squall", "load", *words, url, env={"PGPASSWORD": "wrong"})
    assert done.returncode == 3 and "password authentication failed" in done.stdout
    done = run("squall", "load", *words, url.replace("locked@", f"locked:{PASSWORD}@"))
    assert done.returncode == 2 and "PGPASSFILE" in done.stderr and PASSWORD not in done.stderr


def experiment(server, folder, *words, env=None, load=(), routes=None, **login):
    routes = routes or [
        {"name": "insert", "sql": INSERT[0], "params": ["{{seq}}", "{{rand}}"], "weight": 3},
        {"name": "twice", "sql": "SELECT $1::text || $2", "params": ["x", "x"]}]
    return Run(folder, *words, env=env, url=f"postgres://localhost:{server.port}", routes=routes,
               load={"login": {"user": "locked", "database": "postgres", **login}, "pipeline": 4,
                     **dict(load)},
               thresholds=[{"name": "answered", "expect": "errors < 1%"},
                           {"name": "inserts", "expect": "errors < 1%", "route": routes[0]["name"]}])


def test_a_scenario(table, tmp_path):
    """What the run counts is what the server does, and the password is nowhere in it: from a file
    beside the scenario, then from the environment."""
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    for where in ({"passwordFile": "secret"}, {"passwordEnv": "DATABASE_WORD"}):
        table.sql("TRUNCATE t; SELECT pg_stat_statements_reset()")
        one = experiment(table, tmp_path, env={"DATABASE_WORD": PASSWORD}, **where).expect(0)
        by = one.routes()
        assert by["insert"]["ok"] + by["twice"]["ok"] == one.load()["total"]["intended"] == 100
        assert table.sql("SELECT count(*), count(DISTINCT r) FROM t").stdout.strip() == (
            "{0}|{0}".format(by["insert"]["ok"]))
        assert calls(table, "INSERT INTO t") == by["insert"]["ok"] > by["twice"]["ok"] > 0
        assert calls(table, "SELECT $1::text") == by["twice"]["ok"]
        assert one.judged() == {"answered": "pass", "inserts": "pass"}
        assert not one.holds(PASSWORD) and len(one.holds(next(iter(where.values())))) >= 2  # where it is
        assert "twice" in one.report()


def test_a_scenario_that_is_not_let_in(table, tmp_path):
    """A wrong password is told by the server and passes nothing; one that is not there is found before
    anything is done, by a dry run, too."""
    one = experiment(table, tmp_path, env={"WRONG": "not-the-word"}, passwordEnv="WRONG").expect_refused()
    assert one.load()["total"]["causes"]["session"] == 100 and one.load()["total"]["ok"] == 0
    assert "password authentication failed" in one.report() and "check user, password" in one.report()
    assert not one.holds("not-the-word")
    for words in ((), ("--dry-run",)):
        one = experiment(table, tmp_path, *words, passwordEnv="NOT_THERE").expect(2)
        assert one.folder is None and "spec.load.login: the environment has no variable" in one.output
    one = experiment(table, tmp_path, passwordFile="none").expect(2)
    assert one.folder is None and "none" in one.output
    done = run("squall", "load", "-q", "--json", "--scenario", tmp_path / "scenario.yaml")
    assert done.returncode == 2 and "PostgreSQL's password" in done.stderr


def test_a_scenario_whose_statements_fail(table, tmp_path):
    """By the route's threshold; a statement that cannot be prepared lets nothing through."""
    routes = [{"name": "bad", "sql": "SELECT 1 / ($1::int - $1::int)", "params": ["7"]},
              {"name": "good", "sql": "SELECT 1"}]
    (tmp_path / "secret").write_text(PASSWORD)
    one = experiment(table, tmp_path, passwordFile="secret", routes=routes).expect(1)
    by = one.routes()
    assert by["bad"]["failed"]["error_reply"] == by["bad"]["sent"] > 0
    assert by["good"]["ok"] == by["good"]["sent"] > 0
    assert one.judged()["inserts"] == "fail" and "division by zero" in one.report()
    routes[0] = {"name": "bad", "sql": "SELECT * FROM missing"}
    one = experiment(table, tmp_path, passwordFile="secret", routes=routes).expect_refused()
    assert one.load()["total"]["ok"] == 0 and 'relation "missing" does not exist' in one.report()
    routes[0] = {"name": "bad", "sql": "SELECT {{seq}}"}
    one = experiment(table, tmp_path, passwordFile="secret", routes=routes).expect(2)
    assert "spec.load.routes[0]: " in one.output and "write $1 there" in one.output


def test_a_scenario_on_the_platforms_own_database(sandbox, tmp_path):
    """Whose password lies with the platform's state; the database counts what has come."""
    login = {"user": "squall", "database": "users", "passwordFile": "secrets/users-password"}
    one = Run(tmp_path, env=sandbox.env, url=None, target={"name": sandbox.name},
              routes=[{"name": "insert", "sql": "INSERT INTO users (name, email) VALUES ($1, $2)",
                       "params": ["load", "{{rand}}"]}],
              load={"service": "postgres", "login": login},
              probes=[{"name": "all", "mode": "after", "within": "5s", "sql": {
                  "service": "postgres", "value": "100", **login,
                  "query": "SELECT count(*) FROM users WHERE name = 'load'"}}]).expect(0)
    assert one.routes()["insert"]["ok"] == 100
    secret = (sandbox.dir / "secrets" / "users-password").read_text().strip()
    assert len(secret) > 8 and not one.holds(secret)


def test_over_tls(server, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.issue("pg", "DNS:localhost")
    for source, name in ((cert, "server.crt"), (key, "server.key")):
        target = server.root / "data" / name
        shutil.copyfile(source, target)
        shutil.chown(target, server.root.owner(), server.root.group())
        target.chmod(0o600)
    server.sql("ALTER SYSTEM SET ssl = on")
    server.sql("SELECT pg_reload_conf()")
    words = ["-q", "--json", "-r", "100", "-d", "0.3", "-c", "2", "--arrivals", "constant",
             "--max-late", "2", "--query", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"]
    url = f"postgres://postgres@localhost:{server.port}"

    def result(*more, host="localhost"):
        done = run("squall", "load", *words, *more, url.replace("localhost", host))
        return json.loads(done.stdout), done.returncode

    wait_until(lambda: result("--insecure")[1] == 0, 20, "the server speaks TLS")
    good, code = result("--ca-file", authority.cert)
    assert code == 0 and good["total"]["ok"] == 30 and good["tls"]["handshakes"] == 2, good["notes"]
    assert good["tls"]["verified"] == str(authority.cert)
    other = tmp_path / "other"
    other.mkdir()
    bad, code = result("--ca-file", Authority(other).cert)
    assert code == 3 and bad["total"]["causes"]["tls"] == 30, bad["notes"]
    bad, code = result("--ca-file", authority.cert, host="127.0.0.1")  # good, but another's
    assert code == 3 and bad["total"]["causes"]["tls"] == 30, bad["notes"]
    server.sql("ALTER SYSTEM SET ssl = off")
    server.sql("SELECT pg_reload_conf()")
