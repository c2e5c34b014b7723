# SPDX-License-Identifier: Apache-2.0
"""postgres: slowDisk, at a real server whose data lies on a real disk: what its clients feel of it,
and what is refused since nobody could feel it. By cgroup v1; io.max, which this kernel has not, is
shown by ioThrottle inside user-mode-linux (throttle_inside.py)."""

import contextlib
import json
import shutil
import signal
import threading
import time

import pytest

from chaos_lab import (GRACE_S, NEEDS_ROOT, S, Agent, Platform, add_groups, device_of, evidence, inject,
                       limits_on, no_throttle_here, revert)
from conftest import run, wait_until
from services import free_port
from stores_lab import PASSWORD, Database, credentials, passage, postgres_fault
from test_f_process import guards

pytestmark = [NEEDS_ROOT,
              pytest.mark.skipif(no_throttle_here() is not None, reason=str(no_throttle_here()))]
DISK = "/var/tmp"  # as the folder of the test, and not memory
KIB, MIB = 1 << 10, 1 << 20
COMMIT = "time of a commit"


def new_database(template=None):
    """Whose commits reach a disk."""
    made = Database("127.0.0.1", free_port(), template, scratch=DISK)
    made.server.settings = {}
    return made


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Platform(tmp_path_factory.mktemp("slow"), "loopback")
    assert device_of(made.folder) == device_of(DISK)
    made.database, made.other = new_database(), None
    try:
        made.other = new_database(made.database)  # before there is anything in it
        made.stores["pg"] = ("postgres", credentials(
            made.folder, "postgres", user="app", password=PASSWORD, database="postgres"))
        made.group = add_groups(made, "pg-71", ["blkio"])[0]
        made.database.keep(made, "pg-71", groups=[made.group])
        made.write()
        yield made
    finally:
        for database in filter(None, (made.database, made.other)):
            if hasattr(database, "instance"):
                database.stop()
            else:  # never started
                database.server.close()
        made.stop()


@pytest.fixture
def agent(lab, tmp_path):
    made = Agent(lab, tmp_path, "--max-affected", "100%").start()
    yield made
    made.finish()
    assert rules(lab) == {}


def rules(lab):
    return limits_on(lab.group, device_of(DISK))


def slow_fault(lab, targets=("pg-71",), read=0, write=0, read_ops=0, write_ops=0, path=None, **more):
    return postgres_fault("slowDisk", targets, disk={
        "path": str(path or lab.folder), "readRate": read, "writeRate": write, "readOps": read_ops,
        "writeOps": write_ops}, **more)


def commit_s(lab, count=5, size=1):
    """What an ordinary client's insert of a text of that size takes, each in a transaction of its
    own."""
    one = f"INSERT INTO t2 SELECT 1, repeat(md5(random()::text), {max(size // 32, 1)})"
    with lab.database.session("CREATE TABLE IF NOT EXISTS t2 (n int, x text); "
                              "ALTER TABLE t2 ALTER x SET STORAGE EXTERNAL") as client:
        began = time.monotonic()
        for _ in range(count):
            client.stdin.write(one + ";\n")
        client.stdin.write("\\echo done\n")
        client.stdin.flush()
        assert client.stdout.readline() == "done\n"
        return (time.monotonic() - began) / count


@pytest.fixture(scope="module")
def writer(lab):
    assert lab.database.local("GRANT CREATE ON SCHEMA public TO app").returncode == 0


def of_commits(record, when):
    [found] = [e for e in evidence(record, when) if COMMIT in e["metric"]]
    return found


def rows(lab):
    """Everything that somebody could find of the fault in the database."""
    return lab.database.local("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
                              " ORDER BY 1; SELECT slot_name FROM pg_replication_slots").stdout


@pytest.mark.parametrize("limit, each_s", [
    # A flush is two writes at least, one of them that of the log's page.
    (dict(write_ops=20), 1 / 20), (dict(write=256 * KIB), 16 * KIB / (256 * KIB))], ids=str)
def test_commits_wait_for_the_disk(agent, lab, writer, limit, each_s):
    before = min(commit_s(lab, size=16 * KIB) for _ in range(3))  # others use that disk as well
    found = rows(lab)
    spec = slow_fault(lab, **limit, lease_s=20.0)
    record = inject(agent, spec)
    assert len(rules(lab)) == 1 and len(guards(agent)) == 1 and rows(lab) == found
    during = commit_s(lab, size=16 * KIB)
    assert during > 0.8 * each_s and during > 2 * before, (before, during)
    said = [e["metric"].split(" of ")[0] for e in evidence(record, "before")]
    assert said[2:] == ["role", "control group", "writes to the device for a commit", "time"], record
    assert float(of_commits(record, "during")["value"].split(" ")[0]) / 1000 > 0.7 * each_s
    record = revert(agent, spec)
    assert rules(lab) == {} and not guards(agent)
    assert of_commits(record, "after")["expected"].startswith("less than")
    wait_until(lambda: commit_s(lab, size=16 * KIB) < during / 2, 10, "commits are quick again")


def test_reads_can_be_slow_beside(agent, lab):
    spec = slow_fault(lab, read=MIB, write_ops=20, lease_s=20.0)
    inject(agent, spec)
    assert rules(lab) == {"read_bps_device": MIB, "write_iops_device": 20}
    revert(agent, spec)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_it_is_lifted_whatever_becomes_of_the_agent(agent, lab, writer, number):
    lease_s = 3.0
    spec = slow_fault(lab, write_ops=20, lease_s=20.0)
    inject(agent, spec)
    assert agent.ask("POST", f"/v1/faults/{spec['id']}/renew", {"leaseNs": int(lease_s * S)})[0] == 200
    since = time.monotonic()
    agent.signal(number)
    wait_until(lambda: rules(lab) == {}, lease_s + GRACE_S, "lifted by lease + 2 s")
    print(f"{number.name}: {time.monotonic() - since:.2f} s")
    assert commit_s(lab) < 1 / 20
    agent.come_back(number)
    record = agent.wait_state(spec, "gone", 15)
    assert record["end"] in ("recovery", "lease"), record


def refused(agent, spec, words):
    status, record = agent.post(spec)
    assert status in (400, 403, 409) and words in json.dumps(record), record
    assert record.get("appliedAtNs", 0) == 0, record
    return record


def test_what_slows_no_commit_is_refused(agent, lab):
    for spec, words in [(slow_fault(lab, read=MIB), "slows no commit"),
                        (slow_fault(lab), "expected writeRate or writeOps"),
                        (slow_fault(lab, write=MIB, write_ops=20), "beside"),
                        (postgres_fault("slowDisk", ("pg-71",)), "expected what slowDisk throttles"),
                        (slow_fault(lab, write=1 << 36), "ask for less"),
                        (slow_fault(lab, path="/var", write=MIB), "does not lie in")]:
        refused(agent, spec, words)


def test_a_limit_that_commits_hardly_notice_is_refused(agent, lab):
    """The disk gives much more than that, but to one who commits it does not."""
    spec = slow_fault(lab, write_ops=4000, lease_s=20.0)
    record = refused(agent, spec, "ask for less")
    if "commits are hardly faster" in record["error"]:  # else the disk is slow, too
        assert not of_commits(record, "before")["ok"]


def test_without_fsync_nothing_waits(agent, lab):
    def setting(value):
        assert lab.database.local(f"ALTER SYSTEM SET fsync = {value}").returncode == 0
        assert lab.database.local("SELECT pg_reload_conf()").returncode == 0
        wait_until(lambda: lab.database.local("SHOW fsync").stdout.strip() == value, 10, value)
    setting("off")
    try:
        refused(agent, slow_fault(lab, write=MIB), "set fsync = on in postgresql.conf")
    finally:
        setting("on")


def test_who_answers_must_be_the_primary_whose_log_lies_there(agent, lab):
    """One server after the other in the place of the target, or as another target."""
    other, data = lab.other, lab.other.server.root / "data"
    other.server.settings = {"max_connections": 100}  # a standby needs no fewer than initdb said
    (data / "standby.signal").touch()
    shutil.chown(data / "standby.signal", "postgres", "postgres")
    (data / "pg_hba.conf").write_text("local all all trust\nhost all all all trust\n")
    memory = Database("127.0.0.1", free_port(), other)  # only for its place
    (data / "pg_wal").rename(data / "pg_wal.old")
    (data / "pg_wal").symlink_to(memory.server.root / "data" / "pg_wal")
    path = lab.stores["pg"][1]
    right = path.read_text()
    group = add_groups(lab, "pg-72", ["blkio"])[0]
    try:
        other.launch(lab, "pg-72", groups=[group])
        assert other.local("CREATE ROLE app LOGIN").returncode != 0  # in recovery
        path.write_text(json.dumps({**json.loads(right), "user": "postgres"}))
        lab.write()
        spec = slow_fault(lab, ["pg-72"], write=MIB)
        refused(agent, spec, "it is a standby (pg_is_in_recovery())")
        assert other.local("SELECT pg_promote()").stdout == "t\n"
        refused(agent, slow_fault(lab, ["pg-72"], write=MIB), "its commits do not go to the device")
        with passage(lab, other.server):
            refused(agent, slow_fault(lab, write=MIB), "works elsewhere: its process")
    finally:
        path.write_text(right)
        lab.instances.pop("pg-72", None)
        lab.write()
        if hasattr(other, "instance"):
            other.stop()
        memory.server.close()


class Mover(threading.Thread):
    """Takes sessions that commit out of the control group once the limit is there, so that they do not
    feel it."""
    sql = ("SELECT pid FROM pg_stat_activity WHERE application_name = 'squall-probe'"
           " AND query LIKE '%logical_emit%'")

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.over, self.moved = lab, False, set()
        self.start()

    def run(self):
        while not self.over:
            for pid in self.lab.database.local(self.sql).stdout.split() if rules(self.lab) else []:
                with contextlib.suppress(OSError):
                    (self.lab.group.parent / "cgroup.procs").write_text(pid)
                    self.moved.add(pid)

    def close(self):
        self.over = True
        self.join(10)


def test_a_limit_that_commits_do_not_feel_is_no_effect(agent, lab):
    mover = Mover(lab)
    try:
        status, record = agent.post(slow_fault(lab, write_ops=20, lease_s=6.0))
    finally:
        mover.close()
    assert mover.moved and (status, record["state"], record["end"]) == (409, "gone", "failed"), record
    assert "do not take as long as the limit says" in record["error"] and not record["wasActive"]
    assert not of_commits(record, "during")["ok"]
    assert all(e["ok"] for e in evidence(record, "during") if COMMIT not in e["metric"]), record


def test_a_server_that_is_gone_has_none_of_it(agent, lab):
    """And one that comes back in its group has all of it, until it is lifted."""
    spec = slow_fault(lab, write=4 * MIB, lease_s=20.0)
    inject(agent, spec)
    first = lab.database.instance.process.pid
    lab.database.instance.process.send_signal(signal.SIGQUIT)
    wait_until(lambda: lab.database.instance.process.pid != first and lab.database.instance.ready()
               and lab.database.local("SELECT 1").returncode == 0, 60, "the server is back")
    revert(agent, spec)


def test_by_hand(agent, lab):
    topology = json.loads(lab.topology_file.read_text())
    topology["agent"] = {"url": f"http://127.0.0.1:{agent.port}", "tokenFile": str(agent.token_file)}
    with_agent = agent.folder / "with-agent.json"
    with_agent.write_text(json.dumps(topology))
    words = ["squall", "fault", "apply", "postgres", "pg", "--for", "4s", "--max-affected", "100%",
             "--topology", with_agent]
    dry = run(*words, "slowDisk={writeOps: 20}", "--dry-run")
    assert dry.returncode == 0 and "as ioThrottle" in dry.stdout and "pg-71" in dry.stdout, dry
    done = run(*words, "slowDisk={writeOps: 20}")
    assert done.returncode == 0 and "time of a commit is" in done.stdout, done
    wrong = run(*words, "slowDisk={readRate: 1MiB}")
    assert wrong.returncode == 2 and "slows no commit" in wrong.stderr, wrong
