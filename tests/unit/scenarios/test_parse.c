/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>
#include <unistd.h>

static void test_defaults(void **state)
{
    (void)state;
    struct scn_scenario scenario = parsed(SAMPLE);
    assert_string_equal(scenario.name, "sample");
    assert_string_equal(scenario.description, "");
    assert_int_equal(scenario.target.kind, SCN_TARGET_SANDBOX);
    assert_string_equal(scenario.target.name, "default");
    assert_int_equal(scenario.seed, 1);
    assert_int_equal(scenario.duration.ns, 20 * BASE_NS_PER_S);
    assert_int_equal(scenario.load.arrivals, LOAD_POISSON);
    assert_int_equal(scenario.load.connections, 64);
    assert_int_equal(scenario.load.timeout.ns, 5 * BASE_NS_PER_S);
    assert_string_equal(scenario.load.routes[1].method, "GET");
    assert_int_equal(scenario.load.routes[1].weight, 1);
    assert_null(scenario.load.routes[1].body);
    assert_int_equal(scenario.steady.hold.ns, 2 * BASE_NS_PER_S);
    assert_int_equal(scenario.steady.within.ns, 30 * BASE_NS_PER_S);
    assert_string_equal(scenario.steady.checks[0].path, "/ready");
    assert_int_equal(scenario.steady.checks[0].status, 200);
    assert_null(scenario.steady.checks[0].service);
    assert_int_equal(scenario.faults[0].lease.ns, 3 * BASE_NS_PER_S);
    assert_int_equal(scenario.faults[0].select.mode, SCN_SELECT_ONE);
    assert_true(scenario.faults[0].max_affected == 0.5);
    assert_int_equal(scenario.faults[0].kind, FAULT_KILL);
    assert_int_equal(scenario.faults[0].kill.signal, SIGKILL);
    assert_int_equal(scenario.faults[1].kind, FAULT_PARTITION);
    assert_int_equal(scenario.faults[1].partition.action, FAULT_DROP);
    assert_int_equal(scenario.faults[2].app.error_status, 500);
    assert_true(scenario.slos[0].min_coverage == 0.9);
    assert_int_equal(scenario.slos[1].kind, PLAN_SLO_LATENCY);
    assert_int_equal(scenario.aborts[0].over.ns, 5 * BASE_NS_PER_S);
    scn_scenario_fini(&scenario);
    scn_scenario_fini(&scenario);
}

static void test_values_with_units(void **state)
{
    (void)state;
    struct scn_scenario scenario = parsed(
        HEAD "  target: {kind: external, urls: ['http://[::1]:81', http://h/], prometheus: "
             "'https://p:9090/x', scrapeInterval: 5s}\n"
             "  seed: 9223372036854775807\n"
             "  duration: 1.5m\n"
             "  load:\n"
             "    arrivals: constant\n"
             "    rate: 30/m\n"
             "    connections: 2\n"
             "    threads: 2\n"
             "    timeout: 250ms\n"
             "    interval: 500ms\n"
             "    routes:\n"
             "      - name: r\n"
             "        method: POST\n"
             "        path: \"/a?b=%20\"\n"
             "        weight: 7\n"
             "        headers: {Content-Type: application/json, X-Empty: \"\"}\n"
             "        body: |\n"
             "          {\"a\": 1}\n"
             "  slos:\n"
             "    - name: own\n"
             "      objective: 99.95%\n"
             "      minCoverage: 50%\n"
             "      latency: {service: s, within: 300ms, total: 'a{b=\"}\\\"{\"}', good: c, up: "
             "'up{job=~\"x.*\"}'}\n");
    assert_int_equal(scenario.target.url_count, 2);
    assert_string_equal(scenario.target.prometheus, "https://p:9090/x");
    assert_int_equal(scenario.target.scrape_interval.ns, 5 * BASE_NS_PER_S);
    assert_int_equal(scenario.seed, INT64_MAX);
    assert_int_equal(scenario.duration.ns, 90 * BASE_NS_PER_S);
    assert_true(scenario.load.rate == 0.5);
    assert_null(scenario.load.service);
    assert_int_equal(scenario.load.routes[0].header_count, 2);
    assert_string_equal(scenario.load.routes[0].headers[0], "Content-Type: application/json");
    assert_string_equal(scenario.load.routes[0].headers[1], "X-Empty: ");
    assert_string_equal(scenario.load.routes[0].body, "{\"a\": 1}\n");
    assert_true(scenario.slos[0].objective == 99.95 / 100);
    assert_string_equal(scenario.slos[0].indicator.good, "c");
    scn_scenario_fini(&scenario);
}

static void test_a_fault_with_units(void **state)
{
    (void)state;
    char *text = replaced(SAMPLE, "service: users, kill: {}",
                          "service: users, lease: 1500ms, select: {percent: 33%}, maxAffected: "
                          "100%, app: {latency: 250ms, errorRate: 1.5%, errorStatus: 503}");
    struct scn_scenario scenario = parsed(text);
    assert_int_equal(scenario.faults[0].lease.ns, 1500 * BASE_NS_PER_MS);
    assert_int_equal(scenario.faults[0].select.mode, SCN_SELECT_PERCENT);
    assert_true(scenario.faults[0].select.percent == 0.33);
    assert_true(scenario.faults[0].max_affected == 1.0);
    assert_int_equal(scenario.faults[0].app.latency.ns, 250 * BASE_NS_PER_MS);
    assert_true(scenario.faults[0].app.error_rate == 0.015);
    assert_int_equal(scenario.faults[0].app.error_status, 503);
    scn_scenario_fini(&scenario);
    free(text);
}

static void test_places(void **state)
{
    (void)state;
    struct scn_scenario scenario = parsed(SAMPLE);
    struct scn_mark mark = scn_scenario_mark(&scenario, "spec.faults[1].partition.from[0]");
    assert_int_equal(mark.line, 16);
    assert_int_equal(mark.column, 71);
    /* What is left to its default stands where the object does that would hold it. */
    struct scn_mark element = scn_scenario_mark(&scenario, "spec.faults[1].lease");
    assert_int_equal(element.line, 16);
    assert_int_equal(element.column, 7);
    assert_true(scn_scenario_has(&scenario, "spec.duration"));
    assert_false(scn_scenario_has(&scenario, "spec.seed"));
    scn_scenario_fini(&scenario);
}

/* One change to the sample, and what must be said about it: place, what, what was expected. */
#define PROBE(fields) "  probes:\n    - {" fields "}\n"

static const struct {
    const char *old;
    const char *new_text;
    const char *complaint;
} bad[] = {
    {"squall/v1", "squall/v2", "s.yaml:1:13: apiVersion: expected squall/v1, found \"squall/v2\""},
    {"kind: Scenario\n", "", "s.yaml:1:1: kind: this key is missing, expected Scenario"},
    {"metadata: {name: sample}\n", "metadata: sample\n",
     "s.yaml:3:11: metadata: expected a mapping, found a value"},
    {"name: sample", "name: Sample",
     "s.yaml:3:18: metadata.name: expected a name of lower-case letters, digits and '-'"},
    {"name: sample", "name: 12", "found the number 12; put it in quotes"},
    {"name: sample", "name: yes-", "expected a name of"},
    {"name: sample", "name: true", "found the boolean true; put it in quotes"},
    {"name: sample", "name: null",
     "s.yaml:3:18: metadata.name: expected a name of lower-case letters, "
     "digits and '-' such as first, found nothing"},
    {"duration: 20s", "duration: 20",
     "s.yaml:5:13: spec.duration: the bare number 20 needs a unit, expected a duration with its "
     "unit such as 250ms (ns, us, ms, s, m, h)"},
    {"duration: 20s", "duration: 20x", "s.yaml:5:13: spec.duration: expected a duration"},
    {"duration: 20s", "duration: -20s", "spec.duration: expected a duration"},
    {"duration: 20s", "duration: 1us", "1us is out of range, expected 1s to 24h"},
    {"duration: 20s", "duration: 99999999999999999999h", "(the duration is too long)"},
    {"duration: 20s", "duration: 20s\n  duration: 30s",
     "s.yaml:6:3: key \"duration\" is there twice, first at line 5"},
    {"duration: 20s", "duration: {a: b}", "spec.duration: expected a duration with its unit such"},
    {"duration: 20s", "durations: 20s",
     "s.yaml:5:3: spec: unknown key \"durations\", did you mean \"duration\"?"},
    {"duration: 20s", "duration: 20s\n  colour: red",
     "s.yaml:6:3: spec: unknown key \"colour\", expected one of target, seed, duration"},
    {"duration: 20s", "duration: &a 20s", "anchors (&name) are not supported"},
    {"duration: 20s", "duration: !!str 20s", "s.yaml:5:13: spec.duration: tags (!name) are not"},
    {"duration: 20s", "duration: 20s\n  seed: -1", "-1 is out of range, expected 0 to"},
    {"duration: 20s", "duration: 20s\n  seed: 99999999999999999999", "spec.seed: expected a whole"},
    {"duration: 20s", "duration: 20s\n  seed: \"1\"", "found text in quotes"},
    {"duration: 20s", "duration: 20s\n  seed: 010", "spec.seed: expected a whole number"},
    {"duration: 20s", "duration: 20s\n  target: {kind: external}",
     "s.yaml:6:11: spec.target.urls: this key is missing, expected a list, each an origin"},
    {"duration: 20s", "duration: 20s\n  target: {urls: [http://x]}",
     "\"urls\" makes sense only with kind: external, found sandbox"},
    {"duration: 20s", "duration: 20s\n  target: {kind: external, urls: [ftp://x]}",
     "spec.target.urls[0]: expected an origin http://HOST"},
    {"duration: 20s", "duration: 20s\n  target: {kind: external, urls: [https://x, http://y]}",
     "spec.target.urls[1]: http:// and https:// are mixed"},
    {"duration: 20s",
     "duration: 20s\n  target: {kind: external, urls: [http://x], tls: {verify: none}}",
     "spec.target.tls: makes sense only with urls that begin with https://"},
    {"duration: 20s",
     "duration: 20s\n  target: {kind: external, urls: [https://x], tls: {certFile: a}}",
     "spec.target.tls: certFile and keyFile belong together"},
    {"duration: 20s",
     "duration: 20s\n  target: {kind: external, urls: [https://x], tls: {caFile: a, verify: none}}",
     "spec.target.tls: caFile says whom to trust and verify: none"},
    {"duration: 20s",
     "duration: 20s\n  target: {kind: external, urls: [https://x], tls: {verify: maybe}}",
     "expected one of full, none, found \"maybe\""},
    {"duration: 20s", "duration: 20s\n  target: {kind: external, urls: []}",
     "expected at least 1 element, found 0"},
    {"duration: 20s", "duration: 20s\n  target: {kind: external, urls: [http://h]}",
     "s.yaml:16:5: spec.faults: cannot be applied to an external target, of which squall knows "
     "nothing but its URLs; leave them out, or break a sandbox"},
    {"duration: 20s", "duration: 20s\n  target: {kind: external, urls: [http://h], agent: {}}",
     "spec.target: unknown key \"agent\", expected one of kind, name, urls, prometheus"},
    {"duration: 20s", "duration: 20s\n  target: {kind: kubernetes}",
     "expected one of sandbox, external, found \"kubernetes\""},
    {"rate: 100/s", "rate: 100", "needs a unit, expected a rate with its unit such as 500/s"},
    {"rate: 100/s", "rate: 0/s", "spec.load.rate: expected a rate"},
    {"rate: 100/s", "rate: 2000000/s", "is out of range, expected 1/h to 1000000/s"},
    {"rate: 100/s", "rate: 100/s\n    http2: true\n    proxy: https://p:1",
     "spec.load: http2 through a proxy that is spoken to over TLS"},
    {"rate: 100/s", "rate: 100/s\n    streams: 4", "spec.load: streams: only HTTP/2 has several"},
    {"rate: 100/s", "rate: 100/s\n    proxy: http://p:1\n    engine: native",
     "spec.load: the engine \"native\" connects to targets itself"},
    {"rate: 100/s", "rate: 100/s\n    proxy: http://p:1\n    unixSocket: /s",
     "spec.load: a proxy and a unix socket exclude each other"},
    {"rate: 100/s", "rate: 100/s\n    proxy: http://u:secret@p:1",
     "spec.load.proxy: a user and password would be kept"},
    {"rate: 100/s", "rate: 100/s\n    unixSocket: /s\n    sources: [127.0.0.2]",
     "spec.load: sources: a unix socket"},
    {"rate: 100/s", "rate: 100/s\n    engine: fast", "expected one of auto, native, curl"},
    {"    service: gateway\n", "", "spec.load.service: this key is missing, expected the name"},
    {"service: gateway", "service: gateway\n    threads: 65",
     "s.yaml:8:14: spec.load.threads: 65 threads for 64 connections"},
    {"service: gateway", "service: gateway\n    arrivals: poison", "did you mean \"poisson\"?"},
    {"name: list,", "name: data,",
     "s.yaml:11:16: spec.load.routes[1].name: \"data\" is taken by element 1 of the list"},
    {"path: /api/users", "path: api/users", "expected a path that starts with '/'"},
    {"path: /api/users", "path: \"/a b\"", "expected a path that starts with '/'"},
    {"path: /api/users", "path: \"/a\\r\\nX: y\"", "found \"/a??X: y\""},
    {"path: /api/users", "path: /x, method: get", "expected an HTTP method in capital letters"},
    {"path: /api/users", "path: /x, headers: {Host: y}", "Host is set by the load generator"},
    {"path: /api/users", "path: /x, headers: {X-A: \"b\\nc\"}", "expected the value of a header"},
    {"path: /api/users", "path: /x, headers: {'a b': c}", "expected the name of a header"},
    {"path: /api/users", "path: /x, weight: 0", "0 is out of range, expected 1 to 1000000"},
    {"path: /api/users", "path: /x, body: 5", "put it in quotes"},
    {"    checks: [{name: ready}]", "    for: 40s\n    checks: [{name: ready}]",
     "s.yaml:13:5: spec.steadyState.within: ends before the checks can have held"},
    {"checks: [{name: ready}]", "within: 9s", "checks: this key is missing, expected a list"},
    {"at: 2s, for: 2s", "at: 2s", "spec.faults[0].for: this key is missing, expected a duration"},
    {"at: 10s, for: 2s", "at: 10s, for: 10s",
     "s.yaml:17:33: spec.faults[2].for: the fault ends at 20s, expected before the load does at "
     "20s"},
    {"at: 2s, for: 2s", "at: 2s, for: 2s, lease: 10ms", "10ms is out of range, expected 1s to 60s"},
    {"kill: {}", "kill: {signal: 9}", "expected one of SIGKILL, SIGTERM"},
    {"kill: {}", "kill: {}, app: {errorRate: 1%}",
     "s.yaml:15:63: spec.faults[0]: \"app\" beside \"kill\", expected exactly one kind of fault"},
    {", kill: {}", "",
     "s.yaml:15:7: spec.faults[0]: a kind of fault is missing, expected one of kill, partition, "
     "app, pause, cpu, memory, network, diskFill, limits, tcp, http, dns, postgres, redis, io, "
     "ioThrottle, rabbitmq, node"},
    {"kill: {}", "clock: {offset: 1h}",
     "s.yaml:15:53: spec.faults[0].clock: there is no clock skew: a process gets another clock "
     "only by being changed from inside (ptrace, the vDSO), where nothing takes that back when "
     "squall dies, and the host's clock is everybody's, the lease's too; start the service under "
     "libfaketime, as another platform"},
    {"kill: {}", "kill: {}, clock: {}", "spec.faults[0].clock: there is no clock skew"},
    {"kill: {}", "node: {reboot: {}}",
     "s.yaml:15:60: spec.faults[0].node.reboot: agent, watchdog and journal would go down with the "
     "host, and nothing brings it back when it does not come up; `suspend` the run and reboot it "
     "by hand, or hit what runs on a node with `where: {node: ...}`; a kubelet that stands still "
     "is `pause` on kubelet.service, found by unit"},
    {"kill: {}", "node: {}",
     "spec.faults[0].node: what is done to it is missing, expected one of cordon, drain"},
    {"kill: {}", "node: {cordon: {}}, track: true", "track: makes no sense with node"},
    {"kill: {}", "node: cordon", "spec.faults[0].node: expected a mapping"},
    {"kill: {}", "kill: {by: drain}", "spec.faults[0].kill.by: expected one of signal, delete"},
    {"kill: {}", "kill: {by: delete, signal: SIGTERM}",
     "spec.faults[0].kill: signal: makes no sense with by: delete"},
    {"kill: {}", "kill: {by: evict, signal: SIGKILL}", "signal: makes no sense with by: evict"},
    {"kill: {}", "kill: {by: evict, every: 1s}", "every: makes no sense with by: evict"},
    {"kill: {}", "kill: {by: delete, grace: 1500ms}", "grace: expected whole seconds"},
    {"kill: {}", "kill: {by: delete, grace: 1s, force: true}", "force: is without a grace"},
    {"kill: {}", "kill: {by: evict, force: true}", "force: makes sense only with by: delete"},
    {"kill: {}", "kill: {force: true}", "force: makes sense only with by: delete"},
    {"kill: {}", "kill: {}, track: true",
     "spec.faults[0].track: makes no sense with kill: what comes back is what a kill waits for"},
    {"kill: {}", "diskFill: {left: 5%}, track: true", "track: makes no sense with diskFill"},
    {"kill: {}", "pause: {}, track: 5", "track: expected true or false"},
    {"kill: {}", "kill: {}, where: {}",
     "spec.faults[0].where: says nothing, expected zone, node, namespace or labels"},
    {"kill: {}", "kill: {}, where: {zone: 'a b'}", "where.zone: expected a name of letters"},
    {"kill: {}", "kill: {}, where: {labels: [front]}", "expected a label as KEY=VALUE"},
    {"kill: {}", "kill: {}, where: {labels: []}", "spec.faults[0].where.labels"},
    {"kill: {}", "kill: {}, where: {host: a}", "spec.faults[0].where: unknown key \"host\""},
    {"kill: {}", "memory: {}", "a measure is missing, expected one of size, percent"},
    {"kill: {}", "memory: {size: 64}", "the bare number 64 needs a unit"},
    {"kill: {}", "memory: {size: 64MiB, percent: 5%}", "expected exactly one measure"},
    {"kill: {}", "memory: {size: 1kB}", "is out of range, expected 1MiB to 1024GiB"},
    {"kill: {}", "diskFill: {size: 1GiB, left: 5%}", "expected exactly one measure"},
    {"kill: {}", "limits: {}",
     "spec.faults[0].limits: does nothing, expected files or filesPercent, pids or pidsPercent"},
    {"kill: {}", "limits: {files: 9, filesPercent: 10%}",
     "spec.faults[0].limits: filesPercent: beside files, expected one of them"},
    {"kill: {}", "limits: {pids: 9, pidsPercent: 10%}",
     "spec.faults[0].limits: pidsPercent: beside pids, expected one of them"},
    {"kill: {}", "limits: {filesPercent: 100%}", "is out of range, expected 0% to 99%"},
    {"kill: {}", "limits: {filesPercent: 10}", "expected a percentage"},
    {"kill: {}", "io: {mode: append}", "expected one of write, read, both"},
    {"kill: {}", "io: {size: 1kB}", "is out of range, expected 1MiB to 64GiB"},
    {"kill: {}", "io: {rate: 1000}", "the bare number 1000 needs a unit"},
    {"kill: {}", "rabbitmq: {}", "a way to break it is missing"},
    {"kill: {}", "rabbitmq: {fillQueue: {size: 1GiB}}", "is out of range, expected 1MiB to 256MiB"},
    {"kill: {}", "rabbitmq: {closeConnections: {every: 10ms}}",
     "rabbitmq.closeConnections.every: expected 0s (once) or at least 100ms"},
    {"kill: {}", "ioThrottle: {}", "spec.faults[0].ioThrottle: does nothing, expected one of "},
    {"kill: {}", "ioThrottle: {readRate: 1kB}", "is out of range, expected 64KiB to 64GiB"},
    {"kill: {}", "ioThrottle: {writeRate: 1MiB, writeOps: 100}",
     "spec.faults[0].ioThrottle: writeOps: beside writeRate, expected one of them"},
    {"kill: {}", "ioThrottle: {readOps: 9}",
     "spec.faults[0].ioThrottle.readOps: expected at least 10"},
    {"kill: {}", "cpu: {load: 0%}", "is out of range, expected 1% to 100%"},
    {"kill: {}", "kil: {}", "unknown key \"kil\", did you mean \"kill\"?"},
    {"kill: {}", "app: {errorRate: 0.5%}",
     "spec.faults[0].app.errorRate: 0.5% of the requests cannot be measured, expected 1% or more"},
    {"kill: {}", "app: {errorRate: 1%}, ramp: {steps: 2}",
     "0.5% of the requests (the first step of the ramp) cannot be measured"},
    {"kill: {}", "app: {unready: true, cpu: 50%}",
     "spec.faults[0].app: beside each other these would hide each other's effect"},
    {"kill: {}", "app: {errorRate: 5%, memory: 64MiB}", "a fault of its own for each"},
    {"kill: {}", "app: {unready: false}", "spec.faults[0].app: does nothing"},
    {"kill: {}", "app: {dependency: postgres}", "app.dependency: expected a mapping"},
    {"kill: {}", "app: {dependency: {name: postgres}}", "app.dependency.path: this key is missing"},
    {"kill: {}", "app: {dependency: {path: /x}}", "app.dependency.name: this key is missing"},
    {"kill: {}", "app: {cpu: 10%}", "app.cpu: 10% of a processor cannot be told from"},
    {"kill: {}", "app: {cpu: 110%}", "expected a percentage such as 60%, found \"110%\""},
    {"kill: {}", "app: {memory: 1MiB}", "app.memory: 1 MiB cannot be told from"},
    {"kill: {}", "app: {memory: 2GiB}", "2GiB is out of range, expected 0B to 1GiB"},
    {"kill: {}", "app: {cpu: 30%}, ramp: {steps: 2}",
     "15% of a processor (the first step of the ramp) cannot be told from"},
    {"kill: {}", "app: {memory: 30MiB}, ramp: {steps: 2}",
     "15 MiB (the first step of the ramp) cannot be told from"},
    {"kill: {}", "app: {unready: true}, ramp: {steps: 2}",
     "app.unready does not grow: it is there or it is not"},
    {"kill: {}", "app: {dependency: {name: a, path: /b}}, ramp: {steps: 2}",
     "app.dependency does not grow"},
    {"kill: {}", "kill: {signal: SIGKILL, grace: 1s}",
     "spec.faults[0].kill.grace: does nothing, expected another signal than SIGKILL with it"},
    {"kill: {}", "kill: {grace: 2s}", "kill.grace: does nothing, expected less than the fault's"},
    {"kill: {}", "kill: {every: 2s}", "kill.every: does nothing, expected less than the fault's"},
    {"kill: {}", "kill: {grace: 11s}", "is out of range, expected 0s to 10s"},
    {"kill: {}", "pause: {for: 1s}", "unknown key \"for\""},
    {"kill: {}", "app: {}", "does nothing, expected errorRate, latency or both"},
    {"kill: {}", "network: {peers: [postgres]}",
     "s.yaml:15:62: spec.faults[0].network: does nothing, expected one of delay, loss, lossBursts"},
    {"kill: {}", "network: {delay: 10ms}", "network.peers: this key is missing"},
    {"kill: {}", "network: {peers: [users], delay: 10ms}",
     "network.peers[0]: \"users\" is the target itself, expected other services"},
    {"kill: {}", "network: {peers: [postgres], delay: 100}",
     "the bare number 100 needs a unit, expected a duration with its unit such as 100ms"},
    {"kill: {}", "network: {peers: [postgres], delay: 11s}", "11s is out of range, expected 0s to"},
    {"kill: {}", "network: {peers: [postgres], delay: 1ms, jitter: 2ms}",
     "network: jitter: larger than the delay"},
    {"kill: {}", "network: {peers: [postgres], loss: 5%, lossBursts: {enter: 1%, leave: 10%}}",
     "network: loss: either loss or lossBursts, not both"},
    {"kill: {}", "network: {peers: [postgres], lossStates: {enter: 1%}}",
     "network: lossStates: leave must be more than 0%"},
    {"kill: {}", "network: {peers: [postgres], lossStates: {enter: 51%, leave: 60%}}",
     "lossStates.enter: 51% is out of range, expected 0% to 50%"},
    {"kill: {}", "network: {peers: [postgres], lossStates: {p13: 1%}}", "unknown key \"p13\""},
    {"kill: {}", "network: {peers: [postgres], loss: 50%, percent: 0%}",
     "s.yaml:15:102: spec.faults[0].network.percent: hits nothing, expected more than 0%"},
    {"kill: {}", "network: {peers: [postgres], loss: 50%, percent: 101%}",
     "network.percent: expected a percentage such as 20%, found \"101%\""},
    {"kill: {}", "network: {peers: [postgres], loss: 50%, percent: 20}",
     "network.percent: the bare number 20 needs a unit, expected a percentage"},
    {"kill: {}", "network: {peers: [postgres], rate: 1mbit, percent: 20%}",
     "s.yaml:15:62: spec.faults[0].network: percent: a link has one bandwidth for all packets"},
    {"kill: {}", "network: {peers: [postgres], lossBursts: {enter: 1%, leave: 10%}, percent: 20%}",
     "network: percent: bursts are of packets in a row"},
    {"kill: {}", "network: {peers: [postgres], delay: 5ms, percent: 20%}",
     "network: percent: needs a delay of at least 10ms"},
    {"kill: {}", "network: {peers: [postgres], loss: 1%, ports: [0]}",
     "ports[0]: expected a port such as 5432, found \"0\""},
    {"kill: {}", "network: {peers: [postgres], loss: 1%, ports: [65536]}", "a port is 1 to 65535"},
    {"kill: {}", "network: {peers: [postgres], loss: 1%, ports: ['80']}", "found text in quotes"},
    {"kill: {}", "network: {peers: [postgres], rate: 10}",
     "the bare number 10 needs a unit, expected a bandwidth with its unit such as 10mbit "
     "(kbit, mbit, gbit)"},
    {"kill: {}", "network: {peers: [postgres], rate: 1gbit}",
     "1gbit is out of range, expected 64kbit to 200mbit"},
    {"kill: {}", "network: {peers: [postgres], rate: 1mbit, protocol: tcp}",
     "network: rate: is measured by single packets"},
    {"kill: {}", "network: {peers: [postgres, '10.0.0.9:53'], delay: 1ms, protocol: udp}",
     "network.peers[1]: what befalls UDP alone cannot be measured at an ADDRESS:PORT"},
    {"kill: {}", "partition: {from: ['[fd00::1]:53', 10.1.0.0/16, 'fd00::2'], protocol: udp}",
     "partition.from[0]: what befalls UDP alone cannot be measured at an ADDRESS:PORT"},
    {"kill: {}", "partition: {from: [postgres], action: tcp-reset, protocol: udp}",
     "partition.action: tcp-reset is about TCP, expected drop or reject with protocol: udp"},
    {"kill: {}", "partition: {from: [postgres], action: reset}",
     "partition.action: expected one of drop, reject, tcp-reset"},
    {"kill: {}", "partition: {from: [postgres], protocol: icmp}",
     "protocol: expected one of any, tcp, udp, found \"icmp\""},
    {"kill: {}", "kill: {}, select: any", "expected one of one, all, or a mapping with count or"},
    {"kill: {}", "kill: {}, select: {count: 1, percent: 5%}", "expected exactly one way to select"},
    {"kill: {}", "kill: {}, select: {}", "a way to select is missing, expected one of count, perc"},
    {"kill: {}", "kill: {}, select: {percent: 0%}", "selects nothing, expected more than 0%"},
    {"kill: {}", "kill: {}, select: {randomMaxPercent: 0%}",
     "randomMaxPercent: selects nothing, expected more than 0%"},
    {"kill: {}", "kill: {}, select: {count: 0}", "0 is out of range, expected 1 to 10000"},
    {"kill: {}", "kill: {}, maxAffected: 0.5", "the bare number 0.5 needs a unit, expected a perc"},
    {"kill: {}", "tcp: {}", "a toxic is missing, expected one of latency, slicer, limitData"},
    {"kill: {}", "tcp: {latency: 1s, limitData: 5}", "expected exactly one toxic"},
    {"kill: {}", "tcp: {latency: 0s}", "0s is out of range, expected 1ms to 60s"},
    {"kill: {}", "tcp: {slicer: {size: 5}}", "delay: this key is missing"},
    {"kill: {}", "tcp: {limitData: 0}", "0 is out of range, expected 1 to 1048576"},
    {"kill: {}", "tcp: {timeout: 0s, direction: ingress}", "expected one of inbound, outbound"},
    {"kill: {}", "tcp: {timeout: 0s, direction: outbound}",
     "spec.faults[0].tcp.peers: outbound connections need peers"},
    {"kill: {}", "tcp: {timeout: 0s, peers: [users]}", "\"users\" is the target itself"},
    {"kill: {}", "tcp: {timeout: 0s, port: 80, ports: [81]}",
     "spec.faults[0].tcp.ports: port is given, too, expected one of the two"},
    {"kill: {}", "tcp: {timeout: 0s, ports: [0]}", "expected a port such as 5432"},
    {"kill: {}", "tcp: {timeout: 0s, percent: 0%}",
     "spec.faults[0].tcp.percent: hits nothing, expected more than 0%"},
    {"kill: {}", "tcp: {timeout: 1s, jitter: 1ms}",
     "spec.faults[0].tcp.jitter: makes sense only with latency"},
    {"kill: {}", "tcp: {latency: 10ms, jitter: 6ms}", "expected no more than half of the latency"},
    {"kill: {}", "http: {patchRequest: {}}",
     "spec.faults[0].http.patchRequest: does nothing, expected set, remove or both"},
    {"kill: {}", "http: {truncate: 1, jitter: 1ms}",
     "spec.faults[0].http.jitter: makes sense only with delay"},
    {"kill: {}", "http: {delay: 10ms, jitter: 6ms}", "expected no more than half of the delay"},
    {"kill: {}", "tcp: {timeout: 0s, port: 65536}", "65536 is out of range, expected 0 to 65535"},
    {"kill: {}", "http: {delay: 1s, truncate: 5}", "expected exactly one disturbance"},
    {"kill: {}", "http: {abort: {}}", "status: this key is missing"},
    {"kill: {}", "http: {abort: {status: 199}}", "199 is out of range, expected 200 to 599"},
    {"kill: {}", "http: {delay: 1s, percent: 0%}", "hits nothing, expected more than 0%"},
    {"kill: {}", "http: {delay: 1s, path: /a, pathPrefix: /b}",
     "spec.faults[0].http.pathPrefix: path is given, too"},
    {"kill: {}", "http: {delay: 1s, path: /a, method: DELETE}", "which change things"},
    {"kill: {}", "http: {delay: 1s, path: '/a?b'}", "expected a path without a query"},
    {"kill: {}", "http: {patch: {}}", "does nothing, expected set, remove or both"},
    {"kill: {}", "http: {patch: {set: {Content-Length: '5'}}}", "Content-Length is set by the"},
    {"kill: {}", "dns: {}", "names: this key is missing"},
    {"kill: {}", "postgres: {}",
     "a way to break it is missing, expected one of terminate, lock, connections"},
    {"kill: {}", "redis: {}", "a way to break it is missing, expected one of pause, fill, "},
    {"kill: {}", "redis: {fill: {}}", "size: this key is missing"},
    {"kill: {}", "redis: {fill: {size: 9GiB}}", "is out of range, expected 1MiB to 8GiB"},
    {"kill: {}", "redis: {pause: {clients: reads}}", "expected one of all, writes"},
    {"kill: {}", "redis: {killClients: {every: 99ms}}", "expected 0s (once) or at least 100ms"},
    {"kill: {}", "redis: {sleep: {time: 2s}}", "2s is out of range, expected 100ms to 500ms"},
    {"kill: {}", "redis: {sleep: {time: 5ms}}", "5ms is out of range, expected 100ms to 500ms"},
    {"kill: {}", "redis: {evict: {}}", "spec.faults[0].redis.evict.destroys: this key is missing"},
    {"kill: {}", "redis: {evict: {destroys: 3MiB}}", "3MiB is out of range, expected 4MiB to 1GiB"},
    {"kill: {}", "redis: {evict: {destroys: 2GiB}}", "2GiB is out of range, expected 4MiB to 1GiB"},
    {"kill: {}", "redis: {evict: {destroys: much}}",
     "evict.destroys: expected a size with its unit such as 64MiB"},
    {"kill: {}", "redis: {evict: {destroys: 8MiB, size: 8MiB}}",
     "unknown key \"size\", expected one of destroys"},
    {"kill: {}", "redis: {evict: {destroys: 8MiB}, sleep: {}}",
     "\"evict\" beside \"sleep\", expected exactly one way to break it"},
    {"kill: {}", "redis: {evict: {destroys: 8MiB}}, ramp: {steps: 2}", "redis does not grow"},
    {"kill: {}", "redis: {failover: {}}",
     "s.yaml:15:71: spec.faults[0].redis.failover.members: this key is missing"},
    {"kill: {}", "redis: {failover: {members: []}}", "redis.failover.members: "},
    {"kill: {}", "postgres: {failover: {members: [users], restoredWithin: 100ms}}",
     "postgres.failover.restoredWithin: 100ms is out of range, expected 1s to 10m"},
    {"kill: {}", "redis: {sleep: {}, failover: {members: [users]}}",
     "\"failover\" beside \"sleep\", expected exactly one way to break it"},
    {"kill: {}", "rabbitmq: {stopNode: {members: [users]}}, ramp: {steps: 2}",
     "stopNode does not grow"},
    {"kill: {}", "postgres: {slowDisk: {rate: 1MiB}}",
     "unknown key \"rate\", expected one of folder, readRate, writeRate"},
    {"kill: {}", "postgres: {slowDisk: {}}",
     "postgres.slowDisk: slows no commit, expected writeRate or writeOps"},
    {"kill: {}", "postgres: {slowDisk: {readRate: 1MiB}}",
     "s.yaml:15:74: spec.faults[0].postgres.slowDisk: slows no commit"},
    {"kill: {}", "postgres: {slowDisk: {writeRate: 1MiB, writeOps: 100}}",
     "spec.faults[0].postgres.slowDisk: writeOps: beside writeRate, expected one of them"},
    {"kill: {}", "postgres: {slowDisk: {writeOps: 9}}",
     "spec.faults[0].postgres.slowDisk.writeOps: expected at least 10"},
    {"kill: {}", "postgres: {slowDisk: {writeOps: 50}, lock: {table: t}}",
     "expected exactly one way to break it"},
    {"kill: {}", "postgres: {slowDisk: {writeOps: 50}}, track: true",
     "track: makes no sense with postgres"},
    {"kill: {}", "rabbitmq: {stopNode: {}}", "rabbitmq.stopNode.members: this key is missing"},
    {"kill: {}", "postgres: {lock: {}}", "table: this key is missing"},
    {"kill: {}", "postgres: {lock: {table: a.b.c}}", "expected the name of a table"},
    {"kill: {}", "postgres: {lock: {table: \"\"}}", "expected the name of a table"},
    {"kill: {}", "postgres: {lock: {table: t, mode: reads}}", "expected one of all, writes"},
    {"kill: {}", "postgres: {terminate: {every: 50ms}}", "expected 0s (once) or at least 100ms"},
    {"kill: {}", "postgres: {connections: {left: -1}}", "is out of range, expected 0 to 10000"},
    {"kill: {}", "postgres: {terminate: {}, connections: {}}",
     "expected exactly one way to break it"},
    {"kill: {}", "dns: {names: [a.b], answer: address}", "expected the IPv4 or IPv6 address"},
    {"kill: {}", "dns: {names: [a.b], address: 192.0.2.1}", "only with answer: address"},
    {"kill: {}", "dns: {names: [a.b], server: here}", "expected an IPv4 or IPv6 address"},
    {"name: lose,", "name: steady,", "\"steady\" is the phase before all faults"},
    {"name: lose,", "name: after-cut,", "\"after-cut\" is the phase after \"cut\""},
    {"rate: 100/s", "stages: [{name: lose, for: 20s, rate: 1/s}]",
     "spec.load.stages[0].name: \"lose\" is the phase of the fault \"lose\", expected another"},
    {"rate: 100/s", "stages: [{for: 5s, rate: 1/s}, {name: after-cut, for: 15s, rate: 1/s}]",
     "spec.load.stages[1].name: \"after-cut\" is the phase after the fault \"cut\""},
    {"rate: 100/s", "users: {stages: [{name: steady, for: 20s, count: 1}]}",
     "spec.load.users.stages[0].name: \"steady\" is the phase of stages without a name"},
    {"rate: 100/s", "stages: [{name: warm up, for: 20s, rate: 1/s}]",
     "expected a name of lower-case letters"},
    {"rate: 100/s", "stages: [{name: warm-up, for: 20s, rate: 1/s}]", "no phase \"steady\""},
    {"name: lose,", "name: err,", "\"err\" is taken by element 1 of the list"},
    {"at: 2s, for: 2s", "at: 2s, for: 2s, after: cot",
     "s.yaml:15:44: spec.faults[0].after: no fault \"cot\", did you mean \"cut\"?"},
    {"at: 2s, for: 2s", "at: 2s, for: 2s, after: lose", "\"lose\" itself waits for this fault"},
    {"at: 2s, for: 2s", "at: 6s, for: 2s, after: err",
     "s.yaml:15:33: spec.faults[0].for: the fault ends at 20s, expected before the load does at "
     "20s"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, repeat: {times: 2, every: 2s}",
     "spec.faults[2].repeat.every: not longer than \"for\", expected a pause"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, repeat: {times: 3, every: 4s}",
     "spec.faults[2].for: the fault ends at 20s, expected before the load does at 20s"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, repeat: {times: 2}",
     "spec.faults[2].repeat.every: this key is missing"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, repeat: {times: 1, every: 4s}",
     "1 is out of range, expected 2 to 100"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, ramp: {steps: 3}",
     "spec.faults[2].ramp: 3 steps in less than as many seconds, expected at least 1s for each"},
    {"at: 10s, for: 2s", "at: 10s, for: 2s, ramp: {steps: 2}, repeat: {times: 2, every: 4s}",
     "spec.faults[2].ramp: beside \"repeat\", expected one of them"},
    {"at: 2s, for: 2s", "at: 2s, for: 2s, ramp: {steps: 2}",
     "spec.faults[0].ramp: kill does not grow: a process is ended or it is not"},
    {"kill: {}", "limits: {files: 9}, ramp: {steps: 2}",
     "spec.faults[0].ramp: limits does not grow: write its steps as faults of their own"},
    {"kill: {}", "io: {rate: 127KiB}, ramp: {steps: 2}",
     "spec.faults[0].io.rate: the first step of the ramp would have less than 64KiB a second"},
    {"kill: {}", "io: {}, ramp: {steps: 2}",
     "spec.faults[0].io.workers: without a rate it is the number of workers that grows, expected "
     "at least as many as the ramp has steps (2), or a rate"},
    {"kill: {}", "rabbitmq: {closeConnections: {}}, ramp: {steps: 2}",
     "spec.faults[0].ramp: closeConnections does not grow: it closes all of them"},
    {"kill: {}", "rabbitmq: {fillQueue: {size: 1MiB}}, ramp: {steps: 2}",
     "fillQueue.size: the first step of the ramp would have less than a message of 1MiB"},
    {"from: [postgres]", "from: [users]", "\"users\" is the target itself, expected other"},
    {"from: [postgres]", "from: []", "expected at least 1 element, found 0"},
    {"from: [postgres]", "from: [a, b, a]", "\"a\" is in the list twice"},
    {"from: [postgres]", "from: postgres", "expected a list, found a value"},
    {"errorRate: 20%", "errorRate: 101%", "found \"101%\" (a percentage is 0% to 100%)"},
    {"errorRate: 20%", "errorStatus: 404", "404 is out of range, expected 500 to 599"},
    {"  thresholds:\n", PROBE("name: x, http: {path: x}") "  thresholds:\n",
     "s.yaml:19:30: spec.probes[0].http.path: expected a path that starts with '/'"},
    {"  thresholds:\n", PROBE("name: x") "  thresholds:\n",
     "a kind of probe is missing, expected one of http, tcp, promql, exec"},
    {"  thresholds:\n", PROBE("name: x, tcp: {port: 70000}") "  thresholds:\n",
     "70000 is out of range, expected 0 to 65535"},
    {"  thresholds:\n", PROBE("name: x, promql: {}") "  thresholds:\n",
     "spec.probes[0].promql.query: this key is missing"},
    {"  thresholds:\n", PROBE("name: x, mode: while, tcp: {}") "  thresholds:\n",
     "expected one of before, during, continuous, after"},
    {"  thresholds:\n", PROBE("name: x, fault: cut, tcp: {}") "  thresholds:\n",
     "spec.probes[0].fault: makes sense only with mode: during"},
    {"  thresholds:\n", PROBE("name: x, mode: during, fault: cot, tcp: {}") "  thresholds:\n",
     "spec.probes[0].fault: no fault \"cot\", did you mean \"cut\"?"},
    {"  thresholds:\n", PROBE("name: ready, tcp: {}") "  thresholds:\n",
     "spec.probes[0].name: \"ready\" is the name of a steady-state check"},
    {"p99 < 250ms", "p99 < 250",
     "s.yaml:19:28: spec.thresholds[0].expect: \"p99 < 250\": at character 7: expected a duration"},
    {"p99 < 250ms", "latency < 1s", "at character 1: expected a statistic"},
    {"phase: steady", "phase: stedy",
     "s.yaml:19:48: spec.thresholds[0].phase: no phase \"stedy\", did you mean \"steady\"?"},
    {"phase: steady", "phase: after-lose", "no phase \"after-lose\""},
    {"route: list", "route: lists", "no route \"lists\", did you mean \"list\"?"},
    {"objective: 95%", "objective: 100%",
     "100% is out of range, expected more than 0% and less than 100%"},
    {"objective: 95%", "objective: 0.95", "the bare number 0.95 needs a unit"},
    {"within: 250ms", "within: 300ms",
     "s.yaml:24:73: spec.slos[1].latency.within: not a bound of the platform's latency histogram, "
     "expected one of 5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2.5s, 5s"},
    {"within: 250ms", "within: 300ms, total: a", "\"total\" without \"good\", expected both"},
    {"availability: {service: gateway}", "availability: {service: gateway, bad: b}",
     "\"bad\" without \"total\", expected both or neither"},
    {"availability: {service: gateway}", "availability: {service: gateway, up: 'up{'}",
     "expected a PromQL selector"},
    {"availability: {service: gateway}", "availability: {service: gateway, up: 'up[5m]'}",
     "expected a PromQL selector"},
    {"when: errors > 60%", "when: errors", "expected one of < <= > >="},
    {"when: errors > 60%", "when: errors > 60%, over: 10ms", "expected 1s to 10m"},
    {"when: errors > 60%", "when: errors > 60%, over: 30s",
     "spec.abort[0].over: a window of 30s is never full in a load of 20s, expected a shorter one"},
    {"    rate: 100/s\n", "",
     "s.yaml:7:5: spec.load: a schedule is missing, expected one of rate, "},
    {"rate: 100/s", "rate: 1/s\n    replay: {file: x}",
     "\"replay\" beside \"rate\", expected exactly one schedule"},
    {"rate: 100/s", "replay: {}", "spec.load.replay.file: this key is missing"},
    {"rate: 100/s", "replay: {file: x, unit: ms}", "expected one of s, ns, found \"ms\""},
    {"rate: 100/s", "stages: []", "expected at least 1 element, found 0"},
    {"rate: 100/s", "stages: [{for: 20s}]", "a kind of stage is missing, expected one of rate, to"},
    {"rate: 100/s", "stages: [{for: 20s, rate: 5/s, to: 6/s}]", "expected exactly one kind of"},
    {"rate: 100/s", "stages: [{for: 20s, rate: -5/s}]", "expected a rate with its unit such as"},
    {"rate: 100/s", "stages: [{for: 20s, rate: 1000001/s}]", "out of range, expected 0/s to"},
    {"rate: 100/s", "stages: [{for: 19s, rate: 5/s}]",
     "s.yaml:8:13: spec.load.stages: the stages last 19s together, expected the 20s of"},
    {"rate: 100/s", "stages: [{for: 20s, rate: 5/s, from: 1/s}]",
     "s.yaml:8:42: spec.load.stages[0].from: makes sense only beside \"to\""},
    {"rate: 100/s", "stages: [{for: 20s, burst: 5, every: 1s, steps: 2}]", "only beside \"to\""},
    {"rate: 100/s", "stages: [{for: 20s, to: 5/s, every: 1s}]", "only beside \"burst\""},
    {"rate: 100/s", "stages: [{for: 20s, to: 5/s, steps: 1}]", "1 is out of range, expected 2"},
    {"rate: 100/s", "stages: [{for: 20s, burst: 5}]",
     "stages[0].every: this key is missing beside \"burst\""},
    {"phase: steady", "over: 30s",
     "thresholds[0].over: a window of 30s is never full in a load of"},
    {"phase: steady", "over: 10ms", "10ms is out of range, expected 1s to 1h"},
    {"rate: 100/s", "rate: 100/s\n    interval: 5001ms",
     "spec.abort[0].over: a window of 5s is shorter than the load's interval of 5.001s, expected"},
    {"phase: steady", "abort: true",
     "s.yaml:19:48: spec.thresholds[0].abort: needs \"over\", expected the length of the window"},
    {"phase: steady", "over: 5s, abort: yes", "expected true or false, without quotes"},
    {"phase: steady", "over: 5s, abort: 'true'", "expected true or false, without quotes"},
    {"phase: steady", "over: 5s, abort: 1", "expected true or false, without quotes"},
    {"p99 < 250ms", "p99 < 250", "found \"250\"; did you mean 250ms?"},
    {"rate: 100/s", "users: {}", "a number of users is missing, expected one of count, stages"},
    {"rate: 100/s", "users: {count: 0}", "0 is out of range, expected 1 to 1000000"},
    {"rate: 100/s", "users: {count: 5, think: {}}", "a distribution is missing, expected one of"},
    {"rate: 100/s", "users: {count: 5, think: {constant: 1s, exponential: 1s}}",
     "expected exactly one distribution"},
    {"rate: 100/s", "users: {count: 5, think: {uniform: {min: 2s, max: 1s}}}",
     "s.yaml:8:55: spec.load.users.think.uniform.max: is less than \"min\""},
    {"rate: 100/s", "users: {count: 5, think: {lognormal: {median: 2s, p95: 1s}}}",
     "lognormal.p95: is less than \"median\""},
    {"rate: 100/s", "users: {stages: [{for: 19s, count: 5}]}", "the stages last 19s together"},
    {"rate: 100/s", "users: {stages: [{for: 20s, count: 0}]}", "there is never a user"},
    {"rate: 100/s", "users: {stages: [{for: 20s, count: 5, from: 1}]}", "only beside \"to\""},
    {"path: /api/users", "weight: 2",
     "s.yaml:10:9: spec.load.routes[0]: a request is missing, expected one of path, command, send"},
    {"path: /api/users", "path: /, command: PING",
     "spec.load.routes[0]: \"command\" beside \"path\", expected exactly one request"},
    {"path: /api/data", "command: PING",
     "s.yaml:11:31: spec.load.routes[1].command: a load speaks one protocol, expected \"path\" as "
     "in the first route"},
    {"path: /api/users", "path: /, until: x",
     "routes[0].until: makes sense only beside \"send\", expected it or not this"},
};

/* The same of loads that speak another protocol. */
#define LOGGED_IN(url, login, routes)                                                              \
    HEAD "  target: {kind: external, urls: [" url "]}\n  duration: 20s\n"                          \
         "  load: {rate: 1/s, " login ", routes: [" routes "]}\n"
#define SPOKEN(urls, routes)                                                                       \
    HEAD "  target: {kind: external, urls: [" urls "]}\n  duration: 20s\n"                         \
         "  load: {rate: 1/s, routes: [" routes "]}\n"
static const struct {
    const char *text;
    const char *complaint;
} spoken[] = {
    {SPOKEN("redis://h", "{name: a, path: /}"),
     "s.yaml:7:46: spec.load.routes[0].path: the targets are redis://, expected \"command\""},
    {SPOKEN("http://h", "{name: a, command: PING}"),
     "spec.load.routes[0].command: the targets are http://, expected \"path\""},
    {SPOKEN("'tls://h:1'", "{name: a, command: PING}"),
     "the targets are tls://, expected \"send\""},
    {SPOKEN("redis://h, rediss://h", "{name: a, command: PING}"),
     "spec.target.urls[1]: rediss:// and redis:// are mixed"},
    {SPOKEN("redis://h", "{name: a, command: PING, method: GET}"),
     "spec.load.routes[0].method: makes sense only beside \"path\""},
    {SPOKEN("redis://h", "{name: a, command: PING, body: x}"), "only beside \"path\""},
    {SPOKEN("redis://h", "{name: a, command: PING, answerBytes: 5}"), "only beside \"send\""},
    {SPOKEN("'tcp://h:1'", "{name: a, send: x, until: y, answerBytes: 5}"),
     "spec.load.routes[0]: a response ends with certain bytes or after so many: give one of them"},
    {SPOKEN("'tcp://h:1'", "{name: a, send: x, answerBytes: 0}"), "0 is out of range, expected 1"},
    {SPOKEN("redis://h", "{name: a, command: PING}") "  steadyState: {checks: [{name: up}]}\n",
     "spec.steadyState.checks[0]: asks by HTTP, but the load's targets speak redis"},
    {SPOKEN("'tcp://h:1'", "{name: a, send: x}") "  probes: [{name: up, http: {path: /}}]\n",
     "spec.probes[0].http: asks by HTTP, but the load's targets speak tcp, expected a probe by "
     "tcp"},
    {HEAD "  target: {kind: external, urls: [redis://h]}\n  duration: 20s\n"
          "  load: {rate: 1/s, http2: true, routes: [{name: a, command: PING}]}\n",
     "spec.load: the engine \"curl\", http2, a proxy and a unix socket are for HTTP"},
    {HEAD "  target: {kind: external, urls: [redis://h]}\n  duration: 20s\n"
          "  load: {rate: 1/s, flows: [{name: a, steps: [{name: b, path: /}]}]}\n",
     "spec.load: flows are of HTTP requests"},
    {SPOKEN("amqp://h", "{name: a, sql: SELECT 1}"),
     "s.yaml:7:45: spec.load.routes[0].sql: the targets are amqp://, expected \"publish\", "
     "\"get\" or \"consume\""},
    {SPOKEN("postgres://h", "{name: a, sql: SELECT 1}, {name: b, get: q}"),
     "spec.load.routes[1].get: the targets are postgres://, expected \"sql\""},
    {SPOKEN("amqp://h", "{name: a, get: q, publish: k}"),
     "spec.load.routes[0]: \"get\" beside \"publish\", expected exactly one request"},
    {SPOKEN("http://h", "{name: a, path: /, sql: SELECT 1}"),
     "spec.load.routes[0]: \"sql\" beside \"path\", expected exactly one request"},
    {SPOKEN("amqp://h", "{name: a, get: q, body: x}"),
     "spec.load.routes[0].body: makes sense only beside \"path\", \"publish\" or \"consume\""},
    {SPOKEN("amqp://h", "{name: a, get: q, exchange: x}"),
     "spec.load.routes[0].exchange: makes sense only beside \"publish\" or \"consume\""},
    {SPOKEN("amqp://h", "{name: a, publish: q, persistent: yes}"),
     "spec.load.routes[0].persistent: expected true or false"},
    {SPOKEN("redis://h", "{name: a, command: PING, params: [x]}"),
     "spec.load.routes[0].params: makes sense only beside \"sql\""},
    {SPOKEN("postgres://h", "{name: a, sql: SELECT 1, params: [5]}"),
     "params[0]: expected text such as \"some text\", found the number 5; put it in quotes"},
    {SPOKEN("'postgres://app:hunter2@h'", "{name: a, sql: SELECT 1}"),
     "spec.target.urls[0]: expected an origin http://HOST"},
    {LOGGED_IN("postgres://h", "login: {user: a, password: hunter2}", "{name: a, sql: SELECT 1}"),
     "spec.load.login.password: a scenario is kept with its run, expected passwordFile"},
    {LOGGED_IN("postgres://h", "login: {user: a, passwordEnv: hunter2}",
               "{name: a, sql: SELECT 1}"),
     "spec.load.login.passwordEnv: expected the name of a variable of the environment"},
    {LOGGED_IN("postgres://h", "login: {user: a, passwordEnv: 4711}", "{name: a, sql: SELECT 1}"),
     "such as APP_PASSWORD, found something else, which is not shown"},
    {LOGGED_IN("postgres://h", "login: {passwordFile: f, passwordEnv: E}",
               "{name: a, sql: SELECT 1}"),
     "spec.load.login.passwordEnv: beside \"passwordFile\", expected one of them"},
    {LOGGED_IN("postgres://h", "login: {virtualHost: /}", "{name: a, sql: SELECT 1}"),
     "spec.load.login.virtualHost: makes sense only where routes have \"publish\", \"get\" or "
     "\"consume\""},
    {LOGGED_IN("amqp://h", "login: {database: d}", "{name: a, get: q}"),
     "spec.load.login.database: makes sense only where routes have \"sql\""},
    {LOGGED_IN("amqp://h", "login: {user: '', passwordEnv: P}", "{name: a, get: q}"),
     "spec.load.login.user: expected text that is not empty, without control characters"},
    {LOGGED_IN("amqp://h", "login: {user: app}", "{name: a, get: q}"),
     "spec.load.login.user: RabbitMQ wants a password with it, expected passwordFile"},
    {LOGGED_IN("http://h", "login: {user: app}", "{name: a, path: /}"),
     "spec.load.login: makes sense only where routes have \"sql\", \"publish\", \"get\" or "
     "\"consume\""},
    {HEAD "  target: {kind: external, urls: [postgres://h], tls: {}}\n  duration: 20s\n"
          "  load: {rate: 1/s, routes: [{name: a, sql: SELECT 1}]}\n",
     "spec.load: PostgreSQL's certificate is verified by the authorities of a file: name it"},
    {LOGGED_IN("'tcp://h:1'", "pipeline: 2", "{name: a, send: x}"),
     "spec.load: pipeline: over plain TCP nobody knows which response is whose"},
    {LOGGED_IN("postgres://h", "pipeline: 0", "{name: a, sql: SELECT 1}"),
     "spec.load.pipeline: 0 is out of range, expected 1 to 1000"},
};

static void test_what_is_spoken_with_whom(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof spoken / sizeof spoken[0]; i++) {
        char *list = complaints(spoken[i].text, strlen(spoken[i].text));
        bool one = strchr(list, '\n') == list + strlen(list) - 1;
        if (!one || strstr(list, spoken[i].complaint) == NULL || strstr(list, "hunter2") != NULL) {
            print_error("%s\n%sexpected: %s\n\n", spoken[i].text, list, spoken[i].complaint);
            wrong++;
        }
        free(list);
    }
    assert_int_equal(wrong, 0);
}

/* "err" happens twice, as err-1 and err-2. */
static void test_the_names_of_repetitions_are_taken(void **state)
{
    (void)state;
    char *named = replaced(SAMPLE, "name: lose,", "name: err-2,");
    char *text = replaced(named, "at: 10s, for: 2s", "at: 10s, for: 2s, ramp: {steps: 2}");
    char *list = complaints(text, strlen(text));
    assert_contains(list,
                    "spec.faults[2].name: \"err-2\" is taken by a time that \"err-2\" happens");
    free(list);
    free(text);
    free(named);
}

static void test_each_mistake_is_named(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = replaced(SAMPLE, bad[i].old, bad[i].new_text);
        char *list = complaints(text, strlen(text));
        /* One mistake, one line: what follows from it is not reported on top. */
        bool one = strchr(list, '\n') == list + strlen(list) - 1;
        if (!one || strstr(list, bad[i].complaint) == NULL) {
            print_error("%s -> %s\n%sexpected: %s\n\n", bad[i].old, bad[i].new_text, list,
                        bad[i].complaint);
            wrong++;
        }
        free(list);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

static void test_all_mistakes_in_one_pass_in_order(void **state)
{
    (void)state;
    static const char text[] = "apiVersion: squall/v9\n"
                               "kind: Scenario\n"
                               "metadata: {nam: a}\n"
                               "spec:\n"
                               "  duration: 5\n"
                               "  load: {service: g, rate: 1, routes: [{path: x}]}\n"
                               "  slos: [{name: a, objective: 1}]\n"
                               "  abort: *nothing\n";
    char *list = complaints(text, strlen(text));
    static const char *const in_order[] = {
        "s.yaml:1:13: ",
        "s.yaml:3:12: metadata: unknown key \"nam\"",
        "did you mean \"name\"?",
        "s.yaml:5:13: ",
        "s.yaml:6:28: spec.load.rate: the bare number 1",
        "s.yaml:6:40: spec.load.routes[0].name: this key",
        "s.yaml:6:47: ",
        "s.yaml:7:10: ",
        "s.yaml:7:31: ",
        "s.yaml:8:10: spec.abort: aliases (*name) are not supported"};
    const char *at = list;
    for (size_t i = 0; i < sizeof in_order / sizeof in_order[0]; i++) {
        at = strstr(at, in_order[i]);
        if (at == NULL)
            fail_msg("%s\nlacks, or has out of order: %s", list, in_order[i]);
    }
    free(list);
}

static void test_problems_are_bounded(void **state)
{
    (void)state;
    struct base_buf text;
    base_buf_init(&text, 1 << 20);
    base_buf_str(&text, HEAD "  duration: 20s\n" LOAD "  faults:\n");
    for (int i = 0; i < 200; i++)
        base_buf_str(&text, "    - 5\n");
    char *list = complaints(text.data, text.len);
    size_t lines = 0;
    for (const char *p = list; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, SCN_MAX_PROBLEMS + 1);
    assert_contains(list, "... and 100 more\n");
    free(list);
    base_buf_fini(&text);
}

static void test_read(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-test-scenario-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 10 << 20), 0);
    close(fd);
    struct base_buf bytes;
    struct scn_problems problems = {.items = NULL};
    base_buf_init(&bytes, 1);
    assert_false(scn_read(path, &bytes, &problems));
    char *list = scn_problems_text(&problems);
    char *expected =
        base_str_printf("%s: larger than 1 MiB, the most that a scenario file may have\n", path);
    assert_string_equal(list, expected);
    scn_problems_fini(&problems);
    free(list);
    free(expected);
    unlink(path);
    assert_false(scn_read(path, &bytes, &problems));
    assert_int_equal(problems.count, 1);
    scn_problems_fini(&problems);
    assert_true(scn_read("scenarios/catalog/first.yaml", &bytes, &problems));
    struct scn_scenario scenario;
    assert_true(scn_parse("first.yaml", bytes.data, bytes.len, &scenario, &problems));
    assert_int_equal(scenario.fault_count, 3);
    scn_scenario_fini(&scenario);
    base_buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_with_units),
        cmocka_unit_test(test_a_fault_with_units),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_the_names_of_repetitions_are_taken),
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_what_is_spoken_with_whom),
        cmocka_unit_test(test_all_mistakes_in_one_pass_in_order),
        cmocka_unit_test(test_problems_are_bounded),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
