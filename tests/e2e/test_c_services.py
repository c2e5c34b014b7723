# SPDX-License-Identifier: Apache-2.0
"""The target's services as real processes: gateway, users, PostgreSQL 15."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import BIN, NUMBER, run, wait_until
from services import Load, Postgres, Service, TOKEN, free_port, raw

SEEDED = 50
HEX32 = re.compile(r"^[0-9a-f]{32}$")
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


def migrate(postgres, rows=SEEDED):
    return run("squall-users", "--migrate", "--seed-rows", rows, "--postgres", postgres.conninfo)


class Platform:
    def __init__(self, folder, postgres, gateway_flags=(), users_flags=()):
        self.services = []
        try:
            self.start_all(folder, postgres, gateway_flags, users_flags)
        except BaseException:
            self.stop()  # nobody else would: the fixture has nothing to stop yet
            raise

    def start_all(self, folder, postgres, gateway_flags, users_flags):
        self.users = [self.start(folder, "squall-users", f"users-{i}", "--postgres",
                                 postgres.conninfo, "--drain", "600ms", *users_flags)
                      for i in (1, 2)]
        self.gateway = self.start(folder, "squall-gateway", "gateway-1", "--upstream",
                                  "users=" + ",".join(f"127.0.0.1:{u.port}" for u in self.users),
                                  "--slow", "300ms", *gateway_flags)
        for service in self.services:
            service.wait_ready()
        wait_until(lambda: self.up() == 2, 5, "both users up in the gateway")

    def start(self, folder, program, instance, *flags):
        self.services.append(Service(folder, program, instance, *flags))
        return self.services[-1]

    def up(self):
        return self.gateway.metric("upstream_up")

    def stop(self):
        for service in self.services:
            service.stop()


@pytest.fixture(scope="module")
def platform(tmp_path_factory, postgres):
    assert migrate(postgres).returncode == 0
    it = Platform(tmp_path_factory.mktemp("platform"), postgres)
    yield it
    it.stop()


@pytest.fixture
def own_platform(tmp_path, postgres):
    """For tests that break it."""
    assert migrate(postgres).returncode == 0
    it = Platform(tmp_path, postgres)
    yield it
    it.stop()


def check_envelope(answer, status=None):
    assert answer.headers["Content-Type"].startswith("application/json"), answer.body
    body = answer.json
    assert set(body) == {"data", "meta", "errors"}
    assert {"requestId", "timestamp", "duration"} <= set(body["meta"])
    assert HEX32.match(body["meta"]["requestId"])
    assert RFC3339.match(body["meta"]["timestamp"])
    assert isinstance(body["meta"]["duration"], float) and body["meta"]["duration"] >= 0
    for error in body["errors"]:
        assert {"code", "message"} <= set(error) <= {"code", "message", "field"}
        assert re.match(r"^[A-Z_]+$", error["code"]) and error["message"]
    assert (answer.status >= 400) == bool(body["errors"])
    for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
                        ("Cache-Control", "no-store")):
        assert answer.headers.get_all(name) == [value]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    if status is not None:
        assert answer.status == status, answer.body
    return body


def codes(body):
    return {(e["code"], e.get("field")) for e in body["errors"]}


def unique(prefix):
    return f"{prefix}.{time.monotonic_ns()}@example.org"


# --- programs ---

def test_a_flags():
    for program in ("squall-users", "squall-gateway"):
        assert "--listen" in run(program, "--help").stdout
        bad = run(program, "--lisen", "x")
        assert bad.returncode == 2 and "did you mean --listen?" in bad.stderr
    assert "--postgres is missing" in run("squall-users").stderr
    assert "malformed" in run("squall-users", "--postgres", "host", "--listen", "127.0.0.1:0").stderr
    for upstream in ("users=", "users=h", "users=h:0", "users=h:1,h:1", "orders=h:1", "users=h:1,"):
        bad = run("squall-gateway", "--upstream", upstream)
        assert bad.returncode == 2 and "upstream" in bad.stderr, upstream


def test_b_address_in_use_and_bad_token(platform, tmp_path):
    taken = run("squall-gateway", "--listen", f"127.0.0.1:{platform.gateway.port}", "--upstream",
                "users=127.0.0.1:1")
    assert taken.returncode == 1 and str(platform.gateway.port) in taken.stderr
    empty = tmp_path / "empty"
    empty.write_text("\n")
    bad = run("squall-gateway", "--upstream", "users=127.0.0.1:1", "--admin-token-file", empty)
    assert bad.returncode == 2 and str(empty) in bad.stderr
    gone = run("squall-gateway", "--upstream", "users=127.0.0.1:1", "--admin-token-file", "/nowhere")
    assert gone.returncode != 0 and "/nowhere" in gone.stderr


def test_c_migrate_is_idempotent_under_concurrent_runs(postgres):
    postgres.sql("DROP TABLE IF EXISTS users")
    runs = [subprocess.Popen([BIN / "squall-users", "--migrate", "--seed-rows", str(SEEDED),
                              "--postgres", postgres.conninfo], stderr=subprocess.PIPE, text=True)
            for _ in range(8)]
    for one in runs:
        _, error = one.communicate(timeout=60)
        assert one.returncode == 0, error
    assert postgres.sql("SELECT count(*), min(id), max(id) FROM users").stdout.strip() == \
        f"{SEEDED}|1|{SEEDED}"
    indexes = postgres.sql("SELECT indexname FROM pg_indexes WHERE tablename='users'").stdout.split()
    assert {"idx_users_email", "idx_users_created_at", "users_pkey"} <= set(indexes)
    columns = postgres.sql("SELECT column_name||':'||data_type||':'||is_nullable FROM"
                           " information_schema.columns WHERE table_name='users'"
                           " ORDER BY ordinal_position").stdout.split("\n")
    assert columns[:5] == ["id:integer:NO", "name:character varying:NO",
                           "email:character varying:NO", "created_at:timestamp without time zone:YES",
                           "updated_at:timestamp without time zone:YES"]


def test_d_migrate_without_a_server_says_so():
    port = free_port()
    bad = run("squall-users", "--migrate", "--postgres", f"host=127.0.0.1 port={port} user=x",
              "--migrate-timeout", "300ms")
    assert bad.returncode == 1 and str(port) in bad.stderr


# --- endpoints ---

ENDPOINTS = [
    ("GET", "/", 200), ("GET", "/health", 200), ("GET", "/ready", 200), ("GET", "/api/data", 200),
    ("GET", "/api/data?points=60", 200), ("GET", "/api/data?points=61", 400),
    ("GET", "/api/status", 200), ("GET", "/api/slow", 200), ("GET", "/api/users", 200),
    ("GET", "/api/users/1", 200), ("GET", "/api/users/999999999", 404),
    ("GET", "/api/users/abc", 400), ("GET", "/nothing", 404), ("GET", "/api/nothing", 404),
    ("DELETE", "/api/data", 405), ("PATCH", "/api/users/1", 405), ("BREW", "/", 405),
    ("GET", "/api/chaos", 401), ("POST", "/api/chaos/errors", 401), ("GET", "/api/chaos/x", 401),
]


@pytest.mark.parametrize("method,path,status", ENDPOINTS)
def test_e_envelope_on_every_endpoint(platform, method, path, status):
    check_envelope(platform.gateway.call(method, path), status)


def test_e_root_lists_endpoints(platform):
    body = check_envelope(platform.gateway.get("/"), 200)["data"]
    assert body["service"] == "gateway" and body["instance"] == "gateway-1"
    paths = {e["path"] for e in body["endpoints"]}
    assert {"/", "/health", "/ready", "/metrics", "/api/data", "/api/status", "/api/flaky",
            "/api/slow", "/api/users", "/api/users/:id"} == paths


def test_f_405_names_what_is_allowed(platform):
    answer = platform.gateway.call("PATCH", "/api/users/1")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}
    answer = platform.gateway.call("DELETE", "/api/data")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_g_head_has_no_body(platform):
    answer = platform.gateway.call("HEAD", "/api/users/1")
    assert answer.status == 200 and answer.body == b""


def test_h_slow_and_flaky(platform):
    assert platform.gateway.get("/api/slow").json["meta"]["duration"] >= 300
    seen = [platform.gateway.get("/api/flaky") for _ in range(200)]
    failed = [a for a in seen if a.status == 500]
    assert {a.status for a in seen} == {200, 500}
    assert 30 <= len(failed) <= 95  # 200 x 0.3, five standard deviations to either side
    assert codes(check_envelope(failed[0])) == {("FLAKY", None)}


def test_i_data_counts_real_requests(platform):
    before = sum(p["requests"] for p in platform.gateway.get("/api/data?points=60").json["data"]["points"])
    after = sum(p["requests"] for p in platform.gateway.get("/api/data?points=60").json["data"]["points"])
    assert after == before + 1


def test_j_trace_is_continued_and_logged_in_both_services(platform):
    trace = os.urandom(16).hex()
    answer = platform.gateway.get("/api/users/1",
                                  headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.json["meta"]["requestId"] == trace
    assert answer.headers["X-Request-Id"] == trace
    gateway = [l for l in platform.gateway.lines() if l.get("traceId") == trace]
    users = [l for u in platform.users for l in u.lines() if l.get("traceId") == trace]
    assert len(gateway) == 1 and len(users) == 1
    assert gateway[0]["spanId"] != users[0]["spanId"]
    assert users[0]["route"] == "/api/users/:id" and users[0]["status"] == 200
    assert users[0]["path"] == "/api/users/1" and users[0]["durationMs"] > 0
    fresh = platform.gateway.get("/", headers={"traceparent": f"00-{trace}-0000000000000000-01"})
    assert fresh.json["meta"]["requestId"] != trace


# --- users ---

def test_k_crud(platform):
    gateway = platform.gateway
    email = unique("ada")
    made = gateway.call("POST", "/api/users", {"name": "Ada Lovelace", "email": email})
    user = check_envelope(made, 201)["data"]
    assert made.headers["Location"] == f"/api/users/{user['id']}"
    assert user["name"] == "Ada Lovelace" and user["email"] == email
    assert RFC3339.match(user["createdAt"])
    path = f"/api/users/{user['id']}"
    assert gateway.get(path).json["data"] == user
    changed = gateway.call("PUT", path, {"name": "Ada König 王", "email": email})
    assert check_envelope(changed, 200)["data"]["name"] == "Ada König 王"
    assert changed.json["data"]["updatedAt"] > user["updatedAt"]
    assert gateway.get(path).json["data"] == changed.json["data"]
    assert check_envelope(gateway.call("DELETE", path), 200)["data"] == \
        {"id": user["id"], "deleted": True}
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"name": "x", "email": email})):
        assert codes(check_envelope(gateway.call(method, path, body), 404)) == {("NOT_FOUND", None)}


def test_l_pagination(platform):
    gateway = platform.gateway
    total = gateway.get("/api/users").json["meta"]["total"]
    assert total >= SEEDED
    ids = []
    for offset in range(0, total, 7):
        body = check_envelope(gateway.get(f"/api/users?limit=7&offset={offset}"), 200)
        assert body["meta"]["total"] == total
        assert (body["meta"]["limit"], body["meta"]["offset"]) == (7, offset)
        ids += [u["id"] for u in body["data"]]
    assert len(ids) == total and ids == sorted(set(ids))
    behind = check_envelope(gateway.get("/api/users?offset=100000"), 200)
    assert behind["data"] == [] and behind["meta"]["total"] == total
    bad = check_envelope(gateway.get("/api/users?limit=0&offset=-1"), 400)
    assert codes(bad) == {("OUT_OF_RANGE", "limit"), ("OUT_OF_RANGE", "offset")}
    for query in ("limit=101", "limit=x", "limit=", "limit=1e1", "offset=99999999999999999999"):
        check_envelope(gateway.get(f"/api/users?{query}"), 400)


def test_m_conflict(platform):
    email = unique("taken")
    first = platform.gateway.call("POST", "/api/users", {"name": "One", "email": email})
    second = platform.gateway.call("POST", "/api/users", {"name": "Two", "email": email})
    assert first.status == 201
    assert codes(check_envelope(second, 409)) == {("CONFLICT", "email")}
    other = platform.gateway.call("PUT", "/api/users/1", {"name": "Three", "email": email})
    check_envelope(other, 409)


@pytest.mark.parametrize("ident,status", [
    ("0", 404), ("2147483647", 404), ("2147483648", 404), ("99999999999999999999999", 404),
    ("-1", 400), ("1.5", 400), ("1%20", 400), ("0x1", 400), ("1;drop", 400), ("%E2%82%AC", 400)])
def test_n_ids_out_of_range(platform, ident, status):
    check_envelope(platform.gateway.get(f"/api/users/{ident}"), status)


VALID = {"name": "N", "email": "n@example.org"}


@pytest.mark.parametrize("body,wanted", [
    ({}, {("REQUIRED", "name"), ("REQUIRED", "email")}),
    ({"name": 7, "email": None}, {("WRONG_TYPE", "name"), ("WRONG_TYPE", "email")}),
    ({"name": "", "email": "a@b"}, {("TOO_SHORT", "name"), ("INVALID_FORMAT", "email")}),
    ({"name": "   ", "email": "a b@c.de"}, {("INVALID_FORMAT", "name"), ("INVALID_FORMAT", "email")}),
    ({"name": "x" * 256, "email": "y" * 250 + "@b.de"}, {("TOO_LONG", "name"), ("TOO_LONG", "email")}),
    ({**VALID, "nmae": 1, "admin": True}, {("UNKNOWN_FIELD", "nmae"), ("UNKNOWN_FIELD", "admin")}),
    ({**VALID, "name": "a\nb"}, {("INVALID_FORMAT", "name")}),
    ([VALID], {("NOT_AN_OBJECT", None)}),
    ("text", None), (None, None),
])
def test_o_validation_reports_every_field_at_once(platform, body, wanted):
    answer = platform.gateway.call("POST", "/api/users", json.dumps(body),
                                   {"Content-Type": "application/json"})
    assert codes(check_envelope(answer, 422)) == (wanted or {("NOT_AN_OBJECT", None)})


def test_o_name_limit_counts_letters_not_bytes(platform):
    user = {"name": "ß" * 255, "email": unique("long")}
    check_envelope(platform.gateway.call("POST", "/api/users", user), 201)
    user = {"name": "ß" * 256, "email": unique("long")}
    check_envelope(platform.gateway.call("POST", "/api/users", user), 422)


@pytest.mark.parametrize("body", [
    b"", b"{", b'{"name":"a","name":"b","email":"a@b.de"}', b'{"name":"\xff","email":"a@b.de"}',
    b'{"name":"\\u0000","email":"a@b.de"}', b'{"name":"a"} x', b"[" * 60000])
def test_p_what_is_not_json(platform, body):
    answer = platform.gateway.call("POST", "/api/users", body, {"Content-Type": "application/json"})
    assert codes(check_envelope(answer, 400)) == {("INVALID_JSON", None)}


def test_p_other_content_type_and_injection(platform):
    answer = platform.gateway.call("POST", "/api/users", b"name=x",
                                   {"Content-Type": "application/x-www-form-urlencoded"})
    check_envelope(answer, 415)
    nasty = "'); DROP TABLE users; --"
    answer = platform.gateway.call("POST", "/api/users", {"name": nasty, "email": unique("bobby")})
    assert check_envelope(answer, 201)["data"]["name"] == nasty
    check_envelope(platform.gateway.get("/api/users"), 200)


# --- metrics ---

def test_q_metrics_are_clean_and_bounded(platform):
    for service in platform.services:
        text = service.get("/metrics")
        assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lint = subprocess.run(["promtool", "check", "metrics"], input=text.body,
                              capture_output=True, timeout=20)
        assert lint.returncode == 0 and not lint.stdout + lint.stderr, lint.stdout + lint.stderr
    gateway = platform.gateway
    before = gateway.metric("http_requests_total", route="/api/users/:id", status="200",
                            traffic="load", method="GET", service="gateway")
    for i in range(1, 6):
        assert gateway.get(f"/api/users/{i}", headers={"X-Traffic": "load"}).status == 200
    after = gateway.metric("http_requests_total", route="/api/users/:id", status="200",
                           traffic="load", method="GET", service="gateway")
    assert after == before + 5
    assert sum(u.metric("http_requests_total", traffic="load") for u in platform.users) >= 5
    gateway.get("/api/data", headers={"X-Traffic": "made-up"})
    gateway.call("MADEUP", "/api/data")
    text = gateway.get("/metrics").body.decode()
    assert "made-up" not in text and "MADEUP" not in text and "/api/users/1" not in text
    for probe in ("/health", "/ready", "/metrics", "/api/chaos"):
        assert f'route="{probe}"' not in text
    assert 'outcome="ok"' in text and 'le="0.005"' in text


# --- faults ---

def ttl(service, kind, **values):
    return service.admin("POST", f"/api/chaos/{kind}", values)


def test_r_chaos_needs_the_token(platform):
    for headers in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer wrong"},
                    {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Bearer "}):
        for method, path in (("GET", "/api/chaos"), ("POST", "/api/chaos/errors"),
                             ("DELETE", "/api/chaos")):
            answer = platform.gateway.call(method, path, headers=headers)
            check_envelope(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_r_chaos_bodies_are_checked(platform):
    gateway = platform.gateway
    cases = [("errors", {"rate": 0.2, "status": 500}, {("REQUIRED", "ttlMs")}),
             ("errors", {"rate": 2, "status": 200, "ttlMs": 0},
              {("OUT_OF_RANGE", "rate"), ("OUT_OF_RANGE", "status"), ("OUT_OF_RANGE", "ttlMs")}),
             ("latency", {"ms": 10, "ttlMs": 3600001}, {("OUT_OF_RANGE", "ttlMs")}),
             ("readiness", {"ttlMs": 1.5}, {("WRONG_TYPE", "ttlMs")}),
             ("readiness", {"ttlMS": 5}, {("REQUIRED", "ttlMs"), ("UNKNOWN_FIELD", "ttlMS")}),
             ("dependency", {"name": "users"}, {("REQUIRED", "ttlMs")}),
             ("dependency", {"name": "redis", "ttlMs": 5}, {("UNKNOWN_DEPENDENCY", "name")}),
             ("cpu", {"load": 2, "ttlMs": 5}, {("OUT_OF_RANGE", "load")}),
             ("memory", {"bytes": 1 << 40}, {("OUT_OF_RANGE", "bytes"), ("REQUIRED", "ttlMs")})]
    for kind, body, wanted in cases:
        assert codes(check_envelope(ttl(gateway, kind, **body), 422)) == wanted
    check_envelope(ttl(gateway, "nonsense", ttlMs=5), 404)
    check_envelope(gateway.admin("POST", "/api/chaos/errors", "{"), 400)
    assert gateway.admin("GET", "/api/chaos").json["data"] == \
        dict.fromkeys(("errors", "latency", "readiness", "dependency", "cpu", "memory"))


def test_s_chaos_errors_expire_by_themselves(platform):
    gateway = platform.gateway
    begin = time.monotonic()
    data = check_envelope(ttl(gateway, "errors", rate=1.0, status=503, ttlMs=1500), 200)["data"]
    assert data["errors"]["rate"] == 1.0 and 1000 < data["errors"]["ttlMs"] <= 1500
    answer = gateway.get("/api/data")
    assert codes(check_envelope(answer, 503)) == {("CHAOS_INJECTED", None)}
    assert answer.headers["Retry-After"] == "1"
    for path in ("/health", "/ready", "/metrics"):
        assert gateway.get(path).status == 200
    assert gateway.admin("GET", "/api/chaos").status == 200
    assert gateway.metric("chaos_active", kind="errors") == 1
    wait_until(lambda: gateway.get("/api/data").status == 200, 5, "the fault expired")
    assert time.monotonic() - begin >= 1.5
    assert gateway.admin("GET", "/api/chaos").json["data"]["errors"] is None
    assert gateway.metric("chaos_injected_total", kind="errors") >= 1


def test_s_chaos_latency_readiness_and_delete(platform):
    gateway = platform.gateway
    ttl(gateway, "latency", ms=250, ttlMs=60000)
    assert gateway.get("/api/data").json["meta"]["duration"] >= 250
    assert gateway.get("/health").json["meta"]["duration"] < 250
    ttl(gateway, "latency", ms=100, ttlMs=60000)
    assert gateway.admin("GET", "/api/chaos").json["data"]["latency"]["ms"] == 100
    ttl(gateway, "readiness", ttlMs=60000)
    ready = check_envelope(gateway.get("/ready"), 503)
    assert ready["data"]["ready"] is False and codes(ready) == {("NOT_READY", None)}
    assert gateway.get("/health").status == 200
    left = check_envelope(gateway.admin("DELETE", "/api/chaos/latency"), 200)["data"]
    assert left["latency"] is None and left["readiness"] is not None
    assert gateway.admin("DELETE", "/api/chaos").json["data"]["readiness"] is None
    assert gateway.get("/ready").status == 200
    probes = {(l["path"], l["status"]) for l in gateway.lines()
              if l["message"] == "request" and l["path"] in ("/health", "/ready", "/metrics")}
    assert probes == {("/ready", 503)}, "what probes and scrapes find well is no news"


def test_s_a_dependency_that_has_failed_by_order(platform):
    """One of two users services behaves as if its database were away; the database is not."""
    users, other = platform.users
    ttl(users, "dependency", name="postgres", ttlMs=60000)
    answer = users.get("/api/users/1")
    assert codes(check_envelope(answer, 503)) == {("DATABASE_UNAVAILABLE", None)}
    assert answer.headers["X-Chaos"] == "dependency" and answer.headers["Retry-After"] == "1"
    assert codes(check_envelope(users.get("/ready"), 503)) == {("NOT_READY", None)}
    assert users.get("/health").status == 200 and users.metric("chaos_active", kind="dependency") == 1
    assert users.metric("chaos_injected_total", kind="dependency") >= 1
    assert other.get("/api/users/1").status == 200
    wait_until(lambda: {platform.gateway.get("/api/users/1").status for _ in range(20)} == {200}, 10,
               "its /ready has been heard, and requests go to the other one")
    left = check_envelope(ttl(users, "dependency", name="postgres", ttlMs=300), 200)["data"]
    assert left["dependency"]["name"] == "postgres" and left["dependency"]["ttlMs"] <= 300
    wait_until(lambda: users.get("/api/users/1").status == 200, 5, "the fault expired")
    assert users.get("/ready").status == 200


def test_s_share_of_injected_errors(platform):
    gateway = platform.gateway
    ttl(gateway, "errors", rate=0.2, status=500, ttlMs=60000)
    try:
        failed = sum(gateway.get("/api/data").status == 500 for _ in range(400))
    finally:
        gateway.admin("DELETE", "/api/chaos")
    assert 40 <= failed <= 120  # 80 expected, five standard deviations to either side


# --- hostile requests ---

@pytest.mark.parametrize("data", [
    b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 512,
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 100000 + b"\r\n\r\n",
    b"GET /api/users/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/users/%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/users/../chaos HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/users/..%2fchaos HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/users/1#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET http://other/api/data HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
], ids=range(18))
def test_t_hostile_bytes_never_crash(platform, data):
    for service in (platform.gateway, platform.users[0]):
        reply = raw(service.port, data)
        assert not re.match(rb"HTTP/1\.[01] (2|5)", reply) or b"GET / HTTP" in data, reply[:200]
        assert service.process.poll() is None
        assert service.get("/health").status == 200
    platform.gateway.lines()  # the log is still JSON, line by line


def test_t_large_bodies_are_refused(platform):
    answer = raw(platform.gateway.port, b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length:"
                 b" 200000\r\nContent-Type: application/json\r\n\r\n" + b"x" * 200000)
    assert b" 413 " in answer.split(b"\r\n")[0]


def test_t_clients_that_leave(platform):
    for _ in range(20):
        import socket
        s = socket.create_connection(("127.0.0.1", platform.gateway.port))
        s.sendall(b"GET /api/slow HTTP/1.1\r\nHost: x\r\n\r\n")
        s.close()
    wait_until(lambda: platform.gateway.metric("http_requests_in_flight") <= 1, 5,
               "abandoned requests gone")
    check_envelope(platform.gateway.get("/api/slow"), 200)


# --- bad luck ---

def test_u_kill_one_users_process_and_the_gateway_keeps_answering(own_platform):
    it = own_platform
    load = Load(it.gateway, "/api/users/1")
    try:
        load.wait_more(100)
        it.users[0].process.kill()
        killed = time.monotonic()
        wait_until(lambda: it.up() == 1, 5, "one peer out")
        load.wait_more(200)
    finally:
        seen = load.stop()
    after = [s for t, _, s in seen if t > killed]
    assert len(after) >= 200
    assert not [s for s in after if s != 200]  # each GET that died with it found a second try
    assert it.gateway.metric("upstream_ejections_total") + it.gateway.metric(
        "upstream_retries_total") >= 1
    assert it.gateway.get("/ready").status == 200


def test_u_all_users_gone(own_platform):
    it = own_platform
    for users in it.users:
        users.process.kill()
    wait_until(lambda: it.up() == 0, 5, "no peer up")
    answer = it.gateway.get("/api/users/1")
    assert codes(check_envelope(answer, 503)) == {("UPSTREAM_UNAVAILABLE", None)}
    assert answer.headers.get_all("Retry-After") == ["1"]
    check_envelope(it.gateway.get("/ready"), 503)
    check_envelope(it.gateway.get("/health"), 200)
    check_envelope(it.gateway.get("/api/data"), 200)


def test_u_slow_upstream_is_given_up(own_platform):
    it = own_platform
    for users in it.users:
        ttl(users, "latency", ms=5000, ttlMs=60000)
    begin = time.monotonic()
    answer = it.gateway.get("/api/users/1")
    assert codes(check_envelope(answer, 504)) == {("GATEWAY_TIMEOUT", None)}
    assert 0.9 < time.monotonic() - begin < 4
    wait_until(lambda: it.users[0].metric("http_requests_in_flight") <= 1, 8, "abandoned upstream")


def test_u_retries_stay_within_their_budget(own_platform):
    it = own_platform
    for users in it.users:
        ttl(users, "errors", rate=1.0, status=503, ttlMs=60000)
    before = it.gateway.metric("upstream_retries_total")
    n = 200
    for _ in range(n):
        assert it.gateway.get("/api/users/1").status == 503
    retries = it.gateway.metric("upstream_retries_total") - before
    assert 0.15 * n <= retries <= 0.2 * n + 1
    assert it.gateway.metric("upstream_retries_denied_total", reason="budget") >= 0.7 * n
    # A write is not repeated: it may have been done.
    before = it.gateway.metric("upstream_retries_total")
    for users in it.users:
        users.admin("DELETE", "/api/chaos")
    ttl(it.users[0], "errors", rate=1.0, status=503, ttlMs=60000)
    answers = [it.gateway.call("POST", "/api/users", {"name": "W", "email": unique("w")}).status
               for _ in range(10)]
    assert it.gateway.metric("upstream_retries_total") == before and set(answers) == {201, 503}


def test_v_locked_table_bounded_and_pool_recovers(own_platform, postgres):
    it = own_platform
    holder = subprocess.Popen(["/usr/lib/postgresql/15/bin/psql", "-h", str(postgres.root), "-p",
                               str(postgres.port), "-U", "postgres", "-XAtq"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == "locked"
        seen, users = [], it.users[0]

        def ask():
            begin = time.monotonic()
            answer = users.get("/api/users/1")
            seen.append((answer.status, time.monotonic() - begin, answer.headers["Retry-After"]))

        threads = [threading.Thread(target=ask) for _ in range(260)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 260 and {s for s, _, _ in seen} <= {503, 504}
        assert all(r == "1" for s, _, r in seen if s == 503)
        assert users.metric("db_pool_connections") <= 20
        # The server is well, only the table is not: this must not read as a dead database.
        assert users.get("/ready").status == 200
    finally:
        holder.stdin.close()
        holder.wait(10)
    wait_until(lambda: users.get("/api/users/1").status == 200, 5, "after the lock")


def outage(it, break_it, mend):
    """Breaks the database under load: every answer comes in bounded time, readiness falls and
    comes back, and so do good answers."""
    load = Load(it.gateway, "/api/users/1")
    try:
        load.wait_more(50)
        break_it()
        broken = time.monotonic()
        wait_until(lambda: all(u.answers("/ready", 503) for u in it.users), 5, "users not ready")
        assert all(u.get("/health").status == 200 for u in it.users)
        wait_until(lambda: it.gateway.answers("/ready", 503), 5, "gateway not ready")
        known = time.monotonic()
        assert known - broken < 5
        load.wait_more(100)
        mending = time.monotonic()  # a database may answer before its start is seen to be over
        mend()
        mended = time.monotonic()
        wait_until(lambda: it.gateway.answers("/ready", 200), 10, "ready again")
        back = time.monotonic() - mended
        load.wait_more(100)
    finally:
        seen = load.stop()
    during = [(d, s) for t, d, s in seen if known < t and t + d < mending]
    assert during and {s for _, s in during} == {503}
    assert {s for _, _, s in seen} <= {200, 502, 503, 504}
    # The gateway's own deadline is 2 s; the rest is for a busy machine.
    assert max(d for _, d, _ in seen) < 4
    assert seen[-1][2] == 200
    return back


def test_w_postgres_stopped_and_continued(own_platform, postgres):
    try:
        back = outage(own_platform, lambda: postgres.signal_all(signal.SIGSTOP),
                      lambda: postgres.signal_all(signal.SIGCONT))
    finally:
        postgres.signal_all(signal.SIGCONT)
    assert back < 6
    own_platform.stop()
    for users in own_platform.users:
        assert any(l["message"] == "PostgreSQL answers" for l in users.lines())


def test_w_postgres_killed_and_restarted(own_platform, postgres):
    def restart():
        (postgres.root / "data" / "postmaster.pid").unlink(missing_ok=True)
        postgres.start()
    outage(own_platform, postgres.kill, restart)


@pytest.fixture
def far_postgres():
    """PostgreSQL in a network namespace of its own, which can be cut off."""
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        pytest.skip("a partition with dropped packets needs root, nft and ip")
    name, net = f"tgt-{os.getpid() % 100000}", f"10.213.{NUMBER}"

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)
    server = None
    ip("netns", "add", name)
    try:
        ip("link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}n", "netns", name)
        ip("addr", "add", f"{net}.1/24", "dev", f"{name}h")
        ip("link", "set", f"{name}h", "up")
        ip("-n", name, "addr", "add", f"{net}.2/24", "dev", f"{name}n")
        ip("-n", name, "link", "set", f"{name}n", "up")
        ip("-n", name, "link", "set", "lo", "up")
        server = Postgres(f"{net}.2", ["ip", "netns", "exec", name])
        server.netns = name
        server.start()
        yield server
    finally:
        if server is not None:
            server.close()
        ip("netns", "del", name)


def test_x_partition_with_dropped_packets(tmp_path, far_postgres):
    assert migrate(far_postgres).returncode == 0
    it = Platform(tmp_path, far_postgres)

    def nft(*words):
        subprocess.run(["ip", "netns", "exec", far_postgres.netns, "nft", *words], check=True)

    def cut():
        nft("add table inet cut; add chain inet cut in { type filter hook input priority 0; }; "
            f"add rule inet cut in tcp dport {far_postgres.port} drop")
    try:
        back = outage(it, cut, lambda: nft("delete table inet cut"))
        assert back < 4  # about 2 s; the rest is for a busy machine
    finally:
        it.stop()


def test_y_sigterm_under_load_loses_nothing(own_platform):
    it = own_platform
    load = Load(it.gateway, "/api/users/1")
    try:
        load.wait_more(100)
        it.users[0].process.send_signal(signal.SIGTERM)
        wait_until(lambda: it.users[0].answers("/ready", 503), 2, "not ready at once")
        assert it.users[0].process.wait(15) == 0
        load.wait_more(100)
    finally:
        seen = load.stop()
    assert {s for _, _, s in seen} == {200}
    phases = [l["phase"] for l in it.users[0].lines() if l["message"] == "phase changed"]
    assert phases == ["draining", "finishing", "stopped"]


def test_y_sigterm_lets_requests_under_way_finish(tmp_path, postgres):
    gateway = Service(tmp_path, "squall-gateway", "g", "--upstream", "users=127.0.0.1:1", "--slow",
                      "1500ms", "--drain", "200ms")
    try:
        wait_until(lambda: gateway.answers("/health", 200), 5, "gateway up")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(gateway.get("/api/slow")))
                   for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: gateway.metric("http_requests_in_flight") >= 6, 5, "five under way")
        gateway.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert [a.status for a in answers] == [200] * 5
        assert all(a.headers["Connection"] == "close" for a in answers)
        assert gateway.process.wait(5) == 0
    finally:
        gateway.stop()


def test_y_grace_is_a_deadline_and_a_second_signal_ends_it(tmp_path):
    for second in (False, True):
        gateway = Service(tmp_path, "squall-gateway", "g", "--upstream", "users=127.0.0.1:1",
                          "--slow", "60s", "--drain", "100ms", "--grace",
                          "60s" if second else "300ms")
        try:
            wait_until(lambda: gateway.answers("/health", 200), 5, "gateway up")
            thread = threading.Thread(target=lambda: gateway.answers("/api/slow", 200))
            thread.start()
            wait_until(lambda: gateway.metric("http_requests_in_flight") >= 2, 5, "one under way")
            gateway.process.send_signal(signal.SIGTERM)
            if second:
                wait_until(lambda: "draining" in gateway.log.read_text(), 5, "draining")
                gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 0
            thread.join()
        finally:
            gateway.stop()
