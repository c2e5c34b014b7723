# SPDX-License-Identifier: Apache-2.0
"""Every kind of fault as the matrix needs it: how it is asked for, how its target shows that it is
there, how it is kept from being applied to the second of two targets. A new kind is a class and a
row of KINDS."""

import contextlib
import http.client
import time

from chaos_lab import (SUBNET, Instance, answers, app_fault, asked, connects, cpu_fault, cut_off, disk_fault,
                       device_of, echo_command, files_limit, fillers, front_fault, group_mount,
                       injected_share, io_fault, kill_fault, limits_fault, limits_on, load_of,
                       memory_fault, network_fault, no_throttle_here, partition_fault, pause_fault,
                       resident, sh, tcp_socket, throttle_fault, workers_in)
from conftest import SANITIZED, wait_until
from failover_lab import redis_failover
from proxy_lab import RIGHT, dns_fault, http_fault, lookup, tcp_fault
from stores_lab import postgres_fault, rabbitmq_fault, redis_fault, still_there

# A service whose /api/chaos is broken: it answers like any other, but takes no fault.
BROKEN = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"data":null,"meta":{},"errors":[{"code":"BROKEN"}]}'
        self.send_response(500 if self.path.startswith("/api/chaos/") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


@contextlib.contextmanager
def replaced(platform, name, command):
    """Another program in the instance's place, under its address."""
    old = platform.instances[name]

    def put(words):
        platform.instances[name].stop()
        platform.add(old.service, Instance(platform.folder, name, words, old.address, old.port,
                                           old.netns, groups=old.groups))
    put(command)
    try:
        yield
    finally:
        put(old.command)


def as_nobody(command):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]


class Kind:
    """`lab` is the platform; the seconds of `times` are duration_s and lease_s."""

    holds = True   # something is in place that a lease could end; otherwise it ends with its `for`
    fine = False   # measured by times so short that a busy machine may hide them
    lapses = False  # its store may end it before the lease, when the agent does not run in time
    target = None  # the instance of the rows with one target
    # The row "apply fails at the second target": both, and words of the refusal; None: cannot be
    # made to happen, and the row says why not in place of seconds.
    pair, words, never = None, None, None
    both = None  # where there is no pair: the targets of the row "each operation"
    each = 1  # of so many operations of an apply one is made to fail
    partner = "limits"  # of PARTNERS: another kind that its target has as well

    def spec(self, lab, targets, **times):
        raise NotImplementedError

    def again(self, lab):
        """Before the same is asked for once more."""

    def gone(self, effect):
        """May raise OSError or AssertionError while the target is being started again."""
        raise NotImplementedError

    def assert_present(self, effect):
        assert not self.gone(effect), effect.spec["kind"]

    def untouched(self, effect):
        """Of a fault that was never applied."""
        return effect.target.process.pid == effect.pid and self.gone(effect)

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        yield


class Kill(Kind):
    holds = False
    partner = "partition"
    target = "api-12"
    pair, words = ("api-11", "api-12"), "not permitt"

    def spec(self, lab, targets, **times):
        return kill_fault(targets, **times)

    def gone(self, effect):  # something serves there again
        target = effect.target
        return target.process.pid != effect.pid and connects(target.netns, target.address,
                                                             target.port)

    def assert_present(self, effect):
        target = effect.target
        wait_until(lambda: target.process.pid != effect.pid or target.process.poll() is not None, 2,
                   "killed")

    def untouched(self, effect):
        return effect.target.process.pid == effect.pid and effect.target.process.poll() is None

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        """A process of somebody else; the agent of that row has no CAP_KILL."""
        second = platform.instances[self.pair[1]]
        with replaced(platform, second.name,
                      as_nobody(echo_command(second.address, second.port))):
            yield


class CrashLoop(Kill):
    """Its effect is that no process grows old."""
    holds = True
    target = "jobs-24"
    partner = "diskFill"
    both, never = ("jobs-24", "jobs-34"), "the next row"
    pair = None
    every_s = 0.1
    old_s = 0.5  # several times `every`, plus a start

    def spec(self, lab, targets, **times):
        return kill_fault(targets, service="jobs", every_s=self.every_s, **times)

    def gone(self, effect):
        pid = effect.target.process.pid
        end = time.monotonic() + self.old_s
        while time.monotonic() < end:
            if effect.target.process.pid != pid or effect.target.process.poll() is not None:
                return False
            time.sleep(0.01)
        return pid != effect.pid and answers(effect.target)

    def assert_present(self, effect):
        wait_until(lambda: not self.gone(effect), 5, "killed again")


class Partition(Kind):
    target = "api-11"
    pair, words = ("api-11", "api-12"), "refused"

    def spec(self, lab, targets, **times):
        return partition_fault(targets, **times)

    def gone(self, effect):
        return not cut_off(effect.lab, effect.target.name)

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        table_in_the_way(platform, self.pair[1], spec)
        yield


class Block(Partition):
    """From a block of addresses, in which the store alone lives."""
    target = "gateway-14"
    pair, never = None, "by the same steps as partition"
    each = 8

    def spec(self, lab, targets, **times):
        return {**partition_fault(targets, peers=[f"{SUBNET}.13/32"], **times),
                "service": lab.instances[targets[0]].service}


class App(Kind):
    target = "gateway-14"
    pair, words = ("gateway-14", "gateway-15"), "answered 500"

    def spec(self, lab, targets, **times):
        return app_fault(targets, rate=1.0, **times)

    def gone(self, effect):
        return injected_share(effect.lab, effect.target.name, 20) == 0

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        second = platform.instances[self.pair[1]]
        with replaced(platform, second.name,
                      ["/usr/bin/python3", "-c", BROKEN, second.address, str(second.port)]):
            yield


class Front(Kind):
    """Of app, by the same steps: an order to a gateway that is ready."""
    never = "by the same steps as app"
    each = 8

    def __init__(self, target, **order):
        self.target, self.order = target, order

    def spec(self, lab, targets, **times):
        return front_fault(targets, **self.order, **times)


class Asked(Front):
    """Gone is who answers well where the order shows."""

    def __init__(self, target, shows, **order):
        super().__init__(target, **order)
        self.shows = shows

    def gone(self, effect):
        return asked(effect.target, self.shows) == 200


class OwnCpu(Front):
    """Gone is who takes less than half of it, in a while that is no window of the agent's."""
    window_s = 0.1

    def gone(self, effect):
        _, wanted = load_of(effect.target, self.window_s)
        return wanted < self.order["cpu"] / 2

    def assert_present(self, effect):
        wait_until(lambda: not self.gone(effect), 5, "it takes processor time")


class OwnMemory(Front):
    idle = 0  # bytes, before

    def spec(self, lab, targets, **times):
        self.idle = resident(lab.instances[targets[0]])
        return super().spec(lab, targets, **times)

    def gone(self, effect):
        return resident(effect.target) - self.idle < self.order["memory"] / 2


class Pause(Kind):
    """A group that can be opened can be frozen: what is not allowed is refused before."""
    never = "the next row"

    def __init__(self, target, other=None):
        self.target = target
        self.both = other and (target, other)

    def spec(self, lab, targets, **times):
        return pause_fault(targets, **times)

    def gone(self, effect):
        return answers(effect.target)


class PauseBySignal(Pause):
    pair, words = ("jobs-23", "jobs-24"), "not permitt"

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        second = platform.instances[self.pair[1]]
        with replaced(platform, second.name,
                      as_nobody(echo_command(second.address, second.port))):
            yield


class Cpu(Kind):
    """Little of it: several of these are in place at once, and everything else has to run beside."""
    target = "jobs-25"
    both, never = ("jobs-25", "jobs-32"), "the next row"

    def spec(self, lab, targets, **times):
        return cpu_fault(targets, load=0.1, **times)

    def gone(self, effect):
        return not workers_in(effect.target)


class Memory(Kind):
    """The second of two has no room in its group: the kernel kills the worker there."""
    target = "jobs-26"
    never = "needs cgroup v1's memory controller"
    if group_mount("memory") is not None:
        pair, words = ("jobs-26", "jobs-27"), "want of memory"

    def spec(self, lab, targets, **times):
        return memory_fault(targets, **times)

    def gone(self, effect):
        return not workers_in(effect.target)

    def assert_present(self, effect):
        [(_, resident)] = workers_in(effect.target).values()
        assert resident > 60 << 20


class DiskFill(Kind):
    target = "jobs-23"
    never = "one file for all targets"

    def spec(self, lab, targets, **times):
        return disk_fault(lab.folder, targets, **times)

    def gone(self, effect):
        return not fillers(effect.lab.folder)

    def assert_present(self, effect):
        [size] = fillers(effect.lab.folder).values()
        assert size >= 64 << 20


class Io(Kind):
    target = "jobs-37"
    never = "by the same steps as cpu"

    def spec(self, lab, targets, **times):
        return io_fault(lab.folder, targets, mib=1, rate=256 << 10, **times)

    def gone(self, effect):
        return not workers_in(effect.target)


class Throttle(Kind):
    """A rule that can be written for one device can be for another."""
    target = "jobs-38"
    both, never = ("jobs-38", "jobs-40"), "the next row"

    def spec(self, lab, targets, **times):
        return throttle_fault(lab.folder, targets, write=1 << 20, **times)

    def gone(self, effect):
        [group] = [g for g in effect.target.groups if (g / "blkio.reset_stats").exists()]
        return not limits_on(group, device_of(effect.lab.folder))


class Files(Kind):
    """Whose limits can be read, can be set."""
    target = "jobs-29"
    partner = "cpu"
    both, never = ("jobs-29", "jobs-36"), "the next row"
    low = 40

    def spec(self, lab, targets, **times):
        return limits_fault(targets, files=self.low, **times)

    def gone(self, effect):
        return files_limit(effect.target.process.pid) != self.low


class Pids(Kind):
    target = "jobs-28"
    partner = "cpu"
    both, never = ("jobs-28", "jobs-35"), "the next row"

    def spec(self, lab, targets, **times):
        return limits_fault(targets, pids=0, **times)

    def gone(self, effect):
        return (effect.target.groups[1] / "pids.max").read_text() == "max\n"


def table_in_the_way(platform, name, spec):
    """The kernel refuses a table of that name to the owner of another; the agent's revert takes it
    along."""
    inside = ["ip", "netns", "exec", platform.instances[name].netns, "nft"]
    sh(*inside, "add", "table", "inet", f"squall_{spec['id']}")


class Proxied(Kind):
    """Gone is who is served as before; nobody answers in place of a proxy that is stopped."""
    words = "refused"

    def right(self, effect):
        raise NotImplementedError

    def gone(self, effect):
        try:
            return self.right(effect)
        except (OSError, http.client.HTTPException):
            return False

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        table_in_the_way(platform, self.pair[1], spec)
        yield


def status_of(instance, timeout):
    """An answer that came too late is none, even when this process did not run when its time was up
    and found both."""
    end = time.monotonic() + timeout
    connection = http.client.HTTPConnection(instance.address, instance.port, timeout=timeout)
    try:
        connection.request("GET", "/api/nothing")
        status = connection.getresponse().status
    finally:
        connection.close()
    if time.monotonic() > end:
        raise TimeoutError(f"{instance.name} answered after more than {timeout} s")
    return status


class Tcp(Proxied):
    fine = True
    target = "web-17"
    pair = ("web-17", "web-18")

    def spec(self, lab, targets, **times):
        return tcp_fault("latency", time_ms=500, targets=targets, service="web", **times)

    def right(self, effect):
        return status_of(effect.target, 0.25) == 404


class Http(Proxied):
    target = "web-18"
    pair = ("web-18", "web-17")

    def spec(self, lab, targets, **times):
        return {**http_fault("abort", targets=targets, status=418, **times), "service": "web"}

    def right(self, effect):
        return status_of(effect.target, 0.25) == 404


class Dns(Proxied):
    target = "api-11"
    pair = ("api-11", "api-12")

    def spec(self, lab, targets, **times):
        return dns_fault(lab.name_server, targets=targets, **times)

    def right(self, effect):
        return lookup(effect.lab, effect.lab.name_server, "db.test", instance=effect.target.name,
                      timeout=0.2) == RIGHT


class Store(Kind):
    """Gone is who is served as before; a server that is being started again is waited for."""
    partner = "diskFill"

    look_s = 0.1  # between two looks: each starts a client, beside all the others

    def server(self, lab, name=None):
        return lab.servers[name or self.target]


class PostgresLock(Store):
    target = "pg-31"
    pair, words = ("pg-31", "pg-32"), "55p03"

    def spec(self, lab, targets, **times):
        return postgres_fault("lock", targets=targets, table="t", **times)

    def gone(self, effect):
        time.sleep(self.look_s)
        return not self.server(effect.lab, effect.target.name).waits()

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        """Somebody writes there: readers are still served, but the table is not to be had."""
        with self.server(platform, self.pair[1]).session(
                "BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE"):
            yield


class PostgresConnections(Store):
    target = "pg-32"
    never = "the next row"

    def spec(self, lab, targets, **times):
        return postgres_fault("connections", targets=targets, **times)

    def gone(self, effect):
        time.sleep(self.look_s)
        done = self.server(effect.lab).app("SELECT 1")
        assert done.returncode == 0 or "reserved" in done.stderr, done.stderr
        return done.returncode == 0


class Struck(Store):
    """Its effect is that no client grows old."""
    every_s = 0.1
    old_s = 0.5  # several times `every`
    busy_s = 5.0  # within which the next strike comes on a busy machine
    client = None

    def again(self, lab):
        """Somebody to strike: who was there has been, even when the fault failed then."""
        if self.client is not None:
            self.leave(self.client)
        self.client = self.enter(lab)

    def enter(self, lab):
        return self.server(lab).client()

    def leave(self, client):
        client.close()

    def assert_present(self, effect):
        wait_until(lambda: not self.gone(effect), self.busy_s, "a client is struck")

    def lives_on(self, lives):
        end = time.monotonic() + self.old_s
        while time.monotonic() < end:
            if not lives():
                return False
            time.sleep(0.02)
        return True


class PostgresTerminate(Struck):
    target = "pg-33"
    never = "the next row"

    def enter(self, lab):
        client = super().enter(lab)
        assert still_there(client)
        return client

    def leave(self, client):
        client.kill()
        client.communicate()

    def spec(self, lab, targets, **times):
        self.again(lab)
        return postgres_fault("terminate", targets=targets, every_s=self.every_s, **times)

    def gone(self, effect):
        try:
            with self.server(effect.lab).session() as client:
                return self.lives_on(lambda: still_there(client))
        except (OSError, AssertionError):
            return False  # ended before it had begun


class RedisStore(Store):
    """The second of two does not allow the command."""
    words = "noperm"
    command = None

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        second = self.server(platform, self.pair[1])
        assert second.ask("ACL", "SETUSER", "default", f"-{self.command}") == "OK"
        try:
            yield
        finally:
            assert second.ask("ACL", "SETUSER", "default", f"+{self.command}") == "OK"


class RedisPause(RedisStore):
    target, command = "redis-41", "client|pause"
    pair = ("redis-41", "redis-42")

    def spec(self, lab, targets, **times):
        return redis_fault("pause", targets=targets, **times)

    def gone(self, effect):
        return self.server(effect.lab, effect.target.name).answers()

    def assert_present(self, effect):
        """An agent that does not run for longer than its links last lets somebody through, once."""
        wait_until(lambda: not self.gone(effect), 2, "clients of Redis wait")


class RedisFill(RedisStore):
    target, command = "redis-42", "setrange"
    pair = ("redis-42", "redis-41")

    def spec(self, lab, targets, **times):
        return redis_fault("fill", targets=targets, mib=8, **times)

    def gone(self, effect):
        return self.server(effect.lab, effect.target.name).of_faults("KEYS", "squall:*") == []


class RedisKillClients(RedisStore, Struck):
    target, command = "redis-43", "client|kill"
    never = "the next row"

    def spec(self, lab, targets, **times):
        self.again(lab)
        return redis_fault("killClients", targets=targets, every_s=self.every_s, **times)

    def gone(self, effect):
        try:
            with contextlib.closing(self.server(effect.lab).client()) as client:
                return self.lives_on(client.lives)
        except OSError:
            return False  # ended before it had begun


class RedisSleep(RedisStore):
    """Refused before anything is done where the command is not to be had."""
    target, never = "redis-44", "the next row"
    pair = None
    time_s = 0.5

    def spec(self, lab, targets, **times):
        return redis_fault("sleep", targets=targets, time_s=self.time_s, **times)

    def gone(self, effect):
        return self.server(effect.lab).slowest() < self.time_s / 2

    def assert_present(self, effect):
        wait_until(lambda: not self.gone(effect), 5, "Redis sleeps")


class RedisEvict(RedisStore):
    """Its servers have 24 MiB, of which others' keys take a quarter; those of the fault fill them."""
    target, command = "redis-45", "setrange"
    pair = ("redis-45", "redis-46")

    def spec(self, lab, targets, **times):
        for target in targets:  # what a fault before, or a restart, has left
            self.server(lab, target).ask("DEBUG", "POPULATE", 600, "mine", 10000)
        return redis_fault("evict", targets=targets, mib=4, **times)

    def gone(self, effect):
        server = self.server(effect.lab, effect.target.name)
        return server.of_faults("KEYS", "squall:*") == [] and server.info("used_memory") < 12 << 20


class RedisFailover(RedisStore):
    """Its Sentinel gives the role back to its target before each fault."""
    target, never = "redis-71", "one node at a time"
    pair, each = None, 8

    def spec(self, lab, targets, **times):
        lab.guarded.lead(self.target)
        return redis_failover(targets[0], ["pair"], service="pair", **times)

    def again(self, lab):
        lab.guarded.lead(self.target)

    def gone(self, effect):
        return effect.lab.guarded.nodes[effect.target.name].answers()


class RabbitStore(Store):
    """One node for both, under two names: starting one takes seconds. What a node held that was
    killed is gone."""
    never = "the next row"

    def gone(self, effect):
        return effect.target.process.pid != effect.pid or self.over(effect)

    def over(self, effect):
        raise NotImplementedError


class RabbitFill(RabbitStore):
    target = "rmq-51"
    lapses = SANITIZED  # the queue goes when it was not declared for two seconds

    def spec(self, lab, targets, **times):
        return rabbitmq_fault("fillQueue", targets=targets, mib=1, **times)

    def over(self, effect):
        time.sleep(self.look_s)
        return not self.server(effect.lab).has(f"squall.{effect.spec['id']}")


class RabbitClose(RabbitStore, Struck):
    target = "rmq-52"

    def enter(self, lab):
        return self.server(lab).connect()

    def spec(self, lab, targets, **times):
        self.again(lab)
        return rabbitmq_fault("closeConnections", targets=targets, every_s=self.every_s, **times)

    def over(self, effect):
        client = self.server(effect.lab).try_connect()
        if client is None:
            return False  # closed before it was open
        with contextlib.closing(client):
            return self.lives_on(client.lives)


class Network(Kind):
    """By the packets between its target and the store; each in both directions."""
    fine = True
    pair, words = ("gateway-15", "gateway-14"), "refused"
    patience_s = 0.1  # a connect on this machine takes less than a hundredth of it

    def __init__(self, target, **what):
        self.target, self.what = target, what

    def spec(self, lab, targets, **times):
        service = targets[0].partition("-")[0]
        return network_fault(targets, service=service, **self.what, **times)

    def passes(self, effect):
        store = effect.lab.instances["store-13"]
        return connects(effect.target.netns, store.address, store.port, self.patience_s)

    def gone(self, effect):
        return self.passes(effect)

    @contextlib.contextmanager
    def second_refuses(self, platform, spec):
        table_in_the_way(platform, self.pair[1], spec)
        yield


class Aside(Network):
    """Not to the store, whose packets another fault may drop."""
    peer = "gateway-15"

    def spec(self, lab, targets, **times):
        return super().spec(lab, targets, peers=(self.peer,), **times)

    def passes(self, effect):
        peer = effect.lab.instances[self.peer]
        return connects(effect.target.netns, peer.address, peer.port, self.patience_s)


class Loss(Network):
    """One in a hundred comes through, to and fro."""

    def gone(self, effect):
        return all(self.passes(effect) for _ in range(3))


class Rate(Network):
    """Some bytes to the store and back take seconds."""
    size = 200_000

    def gone(self, effect):
        store = effect.lab.instances["store-13"]
        end = time.monotonic() + 2 * self.patience_s
        with tcp_socket(effect.target.netns) as sock:
            sock.settimeout(self.patience_s)
            try:
                sock.connect((store.address, store.port))
                sock.sendall(bytes(self.size))
                left = self.size
                while left > 0 and time.monotonic() < end:
                    left -= len(sock.recv(65536))
            except OSError:
                return False
        return left <= 0


# Second targets of those above, and their control groups (chaos_lab.JOBS).
MORE_JOBS = [(31, [None]), (32, [None]), (33, ["freezer"]), (34, []), (35, [None, "pids"]),
             (36, [None]), (37, [None]), (38, [None, "blkio"]), (39, [None]), (40, ["blkio"])]

KINDS = {
    "kill": Kill(),
    "partition": Partition(),
    "app": App(),
    "app (readiness)": Asked("front-8053", "/ready", unready=True),
    "app (dependency)": Asked("front-8054", "/api/users", dependency="users", path="/api/users"),
    "app (cpu)": OwnCpu("front-8055", cpu=0.2),
    "app (memory)": OwnMemory("front-8056", memory=64 << 20),
    "kill (crash loop)": CrashLoop(),
    "pause (cgroup v2)": Pause("jobs-21", "jobs-31"),
    "pause (v1 freezer)": Pause("jobs-22", "jobs-33"),
    "pause (SIGSTOP)": PauseBySignal("jobs-23"),
    "cpu": Cpu(),
    "memory": Memory(),
    "diskFill": DiskFill(),
    "limits (files)": Files(),
    **({"limits (pids)": Pids()} if group_mount("pids") is not None else {}),
    "tcp": Tcp(),
    "http": Http(),
    "dns": Dns(),
    "postgres (lock)": PostgresLock(),
    "postgres (connections)": PostgresConnections(),
    "postgres (terminate)": PostgresTerminate(),
    "redis (pause)": RedisPause(),
    "redis (fill)": RedisFill(),
    "redis (killClients)": RedisKillClients(),
    "redis (sleep)": RedisSleep(),
    "redis (evict)": RedisEvict(),
    "redis (failover)": RedisFailover(),
    "rabbitmq (fillQueue)": RabbitFill(),
    "rabbitmq (closeConnections)": RabbitClose(),
    "io": Io(),
    **({"ioThrottle (v1 blkio)": Throttle()} if no_throttle_here() is None else {}),
    "network (delay)": Network("gateway-15", delay_ms=100.0),
    "network (loss)": Loss("web-17", loss=0.9),
    "network (rate)": Rate("web-18", rate=2e6),
    "partition (block)": Block(),
}


class Roomy(Files):
    """A limit that its target does not notice."""
    low = 200

    def spec(self, lab, targets, **times):
        return {**super().spec(lab, targets, **times), "service": lab.instances[targets[0]].service}


class OtherFill(DiskFill):
    """In a folder of its own for each target."""

    def spec(self, lab, targets, **times):
        folder = self.folder(lab, targets[0])
        folder.mkdir(exist_ok=True)
        return {**disk_fault(folder, targets, mib=8, **times),
                "service": lab.instances[targets[0]].service}

    def folder(self, lab, target):
        return lab.folder / f"other-{target}"

    def gone(self, effect):
        return not fillers(self.folder(effect.lab, effect.target.name))

    def assert_present(self, effect):
        assert not self.gone(effect)


# What the matrix has not, and where it is.
LACKS = [why for why in [no_throttle_here() and f"ioThrottle: {no_throttle_here()}.",
                         "ioThrottle (v2 io.max): in rows of its own, inside user-mode-linux "
                         "(test_f_netem.py); " + (
                             "cgroup v2 has no io controller on this kernel, v1 holds it."
                             if group_mount(None) is None or "io" not in (
                                 group_mount(None) / "cgroup.controllers").read_text().split()
                             else "not in this table."),
                         "network by netem, which this kernel has not or which nfqueue goes before: "
                         "the same deaths, and each operation of an apply, inside user-mode-linux "
                         "(netem_inside.py by test_f_netem.py).",
                         "kill (by: delete, by: evict): at a real API server "
                         "(tests/kubernetes/run.sh); nothing of them stays in place.",
                         "node (cordon, drain): at a real API server, with their deaths (the same; "
                         "ADR 0027).",
                         "postgres (failover) and rabbitmq (stopNode): by the steps and rules of redis "
                         "(failover), at real clusters (test_f_failover_*.py).",
                         "postgres (slowDisk): by the steps of ioThrottle, with its deaths, where a "
                         "database lies on a disk (test_f_slow_disk.py)."] if why]

ASIDE = Aside("web-17", delay_ms=100.0)
PARTNERS = {"limits": Roomy(), "partition": Partition(), "diskFill": OtherFill(), "cpu": Cpu()}
