/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include "model/fault.h"

#define HEAD(kind)                                                                                 \
    "{'id':'r1-1','run':'r1','startedNs':7,'name':'lose-one','kind':'" kind                        \
    "','durationNs':5000000000,"                                                                   \
    "'leaseNs':3000000000,'maxAffected':0.5,'service':'users','targets':['users-1'],"
#define KILL                                                                                       \
    HEAD("kill")                                                                                   \
    "'kill':{'signal':9,'restartWithinNs':5000000000,'graceNs':2000000000,'everyNs':3000000000}}"
#define POD                                                                                        \
    HEAD("kill")                                                                                   \
    "'kill':{'signal':0,'restartWithinNs':5000000000,'graceNs':0,'everyNs':0,'by':'delete',"       \
    "'force':true}}"
#define PARTITION                                                                                  \
    HEAD("partition")                                                                              \
    "'partition':{'peers':['postgres','10.0.0.1'],'action':'reject','direction':'egress'}}"
#define RESET                                                                                      \
    HEAD("partition")                                                                              \
    "'partition':{'peers':['postgres'],'action':'tcp-reset','direction':'both','protocol':'tcp'}}"
#define APP HEAD("app") "'app':{'errorRate':0.2,'errorStatus':500,'latencyNs':250000000}}"
#define APP_OTHER(rest)                                                                            \
    HEAD("app") "'app':{'errorRate':0.0,'errorStatus':500,'latencyNs':0," rest "}}"
#define APP_DEPENDENCY APP_OTHER("'dependency':'postgres','path':'/a?b'")

#define PAUSE HEAD("pause") "'pause':{}}"

#define CPU    HEAD("cpu") "'cpu':{'workers':2,'load':0.5}}"
#define MEMORY HEAD("memory") "'memory':{'bytes':1048576,'percent':0.0,'rate':7}}"
#define NETWORK                                                                                    \
    HEAD("network")                                                                                \
    "'network':{'peers':['postgres'],'ports':['5432'],'protocol':'tcp','direction':'both',"        \
    "'delayNs':100000000,'jitterNs':10000000,'correlation':0.25,'distribution':'normal',"          \
    "'loss':0.0,'burstEnter':0.01,'burstLeave':0.25,'burstLoss':1.0,'burstCalm':0.01,"             \
    "'duplicate':0.0,'corrupt':0.05,'reorder':0.1,'rateBits':0.0,'seed':7}}"
#define STATES                                                                                     \
    HEAD("network")                                                                                \
    "'network':{'peers':['postgres'],'ports':[],'protocol':'any','direction':'both',"              \
    "'delayNs':9,'jitterNs':3,'correlation':0.0,'distribution':'paretonormal','loss':0.0,"         \
    "'burstEnter':0.0,'burstLeave':0.0,'burstLoss':0.0,'burstCalm':0.0,'duplicate':0.0,"           \
    "'corrupt':0.0,'reorder':0.0,'rateBits':0.0,'seed':7,'stateAlone':0.01,'stateEnter':0.02,"     \
    "'stateLeave':0.25,'statePass':0.5,'stateRelapse':0.75}}"
#define SOME_PACKETS                                                                               \
    HEAD("network")                                                                                \
    "'network':{'peers':['postgres'],'ports':[],'protocol':'any','direction':'both',"              \
    "'delayNs':0,'jitterNs':0,'correlation':0.0,'distribution':'uniform','loss':0.5,"              \
    "'burstEnter':0.0,'burstLeave':0.0,'burstLoss':0.0,'burstCalm':0.0,'duplicate':0.0,"           \
    "'corrupt':0.0,'reorder':0.0,'rateBits':0.0,'seed':7,'share':0.25}}"
#define DISK   HEAD("diskFill") "'diskFill':{'path':'/s/x','bytes':0,'left':0.1}}"
#define LIMITS HEAD("limits") "'limits':{'files':0,'pids':-1}}"
#define SHARES HEAD("limits") "'limits':{'files':-1,'pids':-1,'filesShare':0.1,'pidsShare':0.5}}"
#define ROUTE  "'direction':'outbound','peers':['postgres'],'ports':['5432','5433']"
#define TCP                                                                                        \
    HEAD("tcp")                                                                                    \
    "'tcp':{" ROUTE                                                                                \
    ",'toxic':'slicer','bytes':10,'timeNs':1000000,'jitterNs':0,'share':0.5,'seed':9}}"
#define HTTP                                                                                       \
    HEAD("http")                                                                                   \
    "'http':{" ROUTE ",'method':'GET','path':'/api/users','pathPrefix':'/api/','headers':"         \
    "['X-Who: "                                                                                    \
    "me'],'share':0.5,'seed':7,'action':'abort','status':503,'body':'no','timeNs':0,'jitterNs':0," \
    "'bytes':0,'set':['A: b'],'remove':['C']}}"
#define DNS                                                                                        \
    HEAD("dns")                                                                                    \
    "'dns':{'names':['db.test'],'share':0.5,'seed':7,'answer':'address','address':'192.0.2.1',"    \
    "'server':'10.0.0.2'}}"
#define POSTGRES                                                                                   \
    HEAD("postgres")                                                                               \
    "'postgres':{'action':'lock','everyNs':7,'table':'t','lock':'writes','left':3}}"
#define SLOW_DISK                                                                                  \
    HEAD("postgres")                                                                               \
    "'postgres':{'action':'slowDisk','everyNs':0,'table':null,'lock':'all','left':0,'disk':"       \
    "{'path':'/s','readRate':65536,'writeRate':0,'readOps':0,'writeOps':100}}}"
#define REDIS                                                                                      \
    HEAD("redis")                                                                                  \
    "'redis':{'action':'killClients','pause':'writes','bytes':5,'everyNs':7,"                      \
    "'timeNs':300000000}}"

#define IO                                                                                         \
    HEAD("io")                                                                                     \
    "'io':{'path':'/s/x','workers':2,'mode':'both','bytes':16777216,'rate':1048576}}"
#define THROTTLE                                                                                   \
    HEAD("ioThrottle")                                                                             \
    "'ioThrottle':{'path':'/s','readRate':65536,'writeRate':0,'readOps':0,'writeOps':100}}"

#define RABBITMQ HEAD("rabbitmq") "'rabbitmq':{'action':'closeConnections','everyNs':7,'bytes':0}}"

#define DRAIN   "'nodes':{'action':'drain','emptyDir':true}}"
#define NODE    HEAD("node") DRAIN
#define NODE_ON HEAD("node") "'node':'n1'," DRAIN

#define RECORD                                                                                     \
    "{'id':'r1-1','run':'r1','name':'lose-one','kind':'kill','targets':['users-1'],"               \
    "'state':'gone','end':'expired','wasActive':true,'error':'late','requestedAtNs':1,"            \
    "'appliedAtNs':2,'verifiedAtNs':3,'revertedAtNs':4,'goneAtNs':5,'expiresAtNs':6,"              \
    "'evidence':[{'target':'users-1','when':'during','metric':'process alive','value':'no',"       \
    "'expected':'no','ok':true,'atNs':3}]}"

#define FOLLOWS                                                                                    \
    HEAD("pause") "'track':true,'trackCount':2,'trackShare':0.5,'parent':'r1','pause':{}}"
#define PLACED                                                                                     \
    HEAD("pause")                                                                                  \
    "'zone':'a','node':'n1','namespace':'shop','labels':['tier=front','colour=blue'],'pause':{}}"
#define FOLLOWED                                                                                   \
    "{'id':'r1-1','run':'r1','name':'lose-one','kind':'kill','targets':['users-1'],"               \
    "'state':'gone','end':'expired','wasActive':true,'error':'late','requestedAtNs':1,"            \
    "'appliedAtNs':2,'verifiedAtNs':3,'revertedAtNs':4,'goneAtNs':5,'expiresAtNs':6,"              \
    "'evidence':[],'arrivals':[{'target':'users-3','what':'new instance','who':'pid 7',"           \
    "'joined':true,'how':'as r1-1.2','seenAtNs':3,'decidedAtNs':4}]}"

static const char *const spec_nullable[] = {"method",  "path",   "pathPrefix", "body",
                                            "address", "server", "table"};
CASE(fault_spec, struct fault_spec, spec_nullable);
static const char *const record_nullable[] = {"error", "value", "expected"};
CASE(fault_record, struct fault_record, record_nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&fault_spec_case, KILL);
    assert_round_trip(&fault_spec_case, POD);
    assert_round_trip(&fault_spec_case, PARTITION);
    assert_round_trip(&fault_spec_case, RESET);
    assert_round_trip(&fault_spec_case, APP);
    assert_round_trip(&fault_spec_case, APP_OTHER("'unready':true"));
    assert_round_trip(&fault_spec_case, APP_DEPENDENCY);
    assert_round_trip(&fault_spec_case, APP_OTHER("'cpu':0.5"));
    assert_round_trip(&fault_spec_case, APP_OTHER("'memory':1048576"));
    assert_round_trip(&fault_spec_case, PAUSE);
    assert_round_trip(&fault_spec_case, CPU);
    assert_round_trip(&fault_spec_case, MEMORY);
    assert_round_trip(&fault_spec_case, NETWORK);
    assert_round_trip(&fault_spec_case, STATES);
    assert_round_trip(&fault_spec_case, SOME_PACKETS);
    assert_round_trip(&fault_spec_case, DISK);
    assert_round_trip(&fault_spec_case, LIMITS);
    assert_round_trip(&fault_spec_case, SHARES);
    assert_round_trip(&fault_spec_case, TCP);
    assert_round_trip(&fault_spec_case, HTTP);
    assert_round_trip(&fault_spec_case, DNS);
    assert_round_trip(&fault_spec_case, POSTGRES);
    assert_round_trip(&fault_spec_case, SLOW_DISK);
    assert_round_trip(&fault_spec_case, REDIS);
    assert_round_trip(&fault_spec_case, HEAD("redis") "'redis':{'action':'evict','pause':'all','"
                                                      "bytes':4194304,'everyNs':0,'timeNs':0}}");
    assert_round_trip(&fault_spec_case, IO);
    assert_round_trip(&fault_spec_case, THROTTLE);
    assert_round_trip(&fault_spec_case, RABBITMQ);
    assert_round_trip(&fault_spec_case, NODE);
    assert_round_trip(&fault_spec_case, NODE_ON);
    assert_round_trip(&fault_spec_case, FOLLOWS);
    assert_round_trip(&fault_spec_case, PLACED);
    assert_round_trip(&fault_record_case, RECORD);
    assert_round_trip(&fault_record_case, FOLLOWED);
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&fault_spec_case, KILL);
    assert_every_key_guarded(&fault_spec_case, PARTITION);
    assert_every_key_guarded(&fault_spec_case, APP);
    assert_every_key_guarded(&fault_spec_case, PAUSE);
    assert_every_key_guarded(&fault_spec_case, CPU);
    assert_every_key_guarded(&fault_spec_case, MEMORY);
    assert_every_key_guarded(&fault_spec_case, NETWORK);
    assert_every_key_guarded(&fault_spec_case, DISK);
    assert_every_key_guarded(&fault_spec_case, LIMITS);
    assert_every_key_guarded(&fault_spec_case, TCP);
    assert_every_key_guarded(&fault_spec_case, HTTP);
    assert_every_key_guarded(&fault_spec_case, DNS);
    assert_every_key_guarded(&fault_spec_case, POSTGRES);
    assert_every_key_guarded(&fault_spec_case, SLOW_DISK);
    assert_every_key_guarded(&fault_spec_case, REDIS);
    assert_every_key_guarded(&fault_spec_case, IO);
    assert_every_key_guarded(&fault_spec_case, THROTTLE);
    assert_every_key_guarded(&fault_spec_case, RABBITMQ);
    assert_every_key_guarded(&fault_spec_case, NODE);
    assert_every_key_guarded(&fault_record_case, RECORD);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *sample;
        struct bad_value bad;
    } cases[] = {
        {KILL, {"durationNs", "0"}},
        {KILL, {"leaseNs", "0"}},
        {KILL, {"durationNs", "-1"}},
        {KILL, {"durationNs", "1.5"}},
        {KILL, {"maxAffected", "1.01"}},
        {KILL, {"maxAffected", "-0.1"}},
        {KILL, {"targets", "[]"}},
        {KILL, {"targets", "['']"}},
        {KILL, {"targets", "[1]"}},
        {KILL, {"kind", "'explode'"}},
        {KILL, {"name", "'a/b'"}},
        {KILL, {"id", "'../etc/passwd'"}},
        {KILL, {"kill/signal", "0"}},
        {KILL, {"kill/signal", "65"}},
        {KILL, {"kill/grace", "1"}},
        {KILL, {"kill/graceNs", "-1"}},
        {KILL, {"kill/everyNs", "'2s'"}},
        {KILL, {"kill/by", "'drain'"}},
        {KILL, {"kill/by", "'evict'"}},
        {KILL, {"kill/force", "true"}},
        {POD, {"kill/signal", "9"}},
        {POD, {"kill/by", "'evict'"}},
        {POD, {"kill/by", "'signal'"}},
        {POD, {"kill/force", "1"}},
        {KILL, {"surprise", "1"}},
        {PARTITION, {"partition/peers", "[]"}},
        {PARTITION, {"partition/action", "'tarpit'"}},
        {PARTITION, {"partition/direction", "'up'"}},
        {PARTITION, {"partition/ports", "['0']"}},
        {PARTITION, {"partition/ports", "['http']"}},
        {PARTITION, {"partition/protocol", "'icmp'"}},
        {RESET, {"partition/protocol", "'udp'"}},
        {APP, {"app/errorRate", "2"}},
        {APP, {"app/errorStatus", "404"}},
        {APP, {"app/latencyNs", "-1"}},
        {APP, {"app/unready", "true"}},
        {APP, {"app/cpu", "0.5"}},
        {APP, {"app/memory", "1048576"}},
        {APP_DEPENDENCY, {"app/path", "null"}},
        {APP_DEPENDENCY, {"app/path", "'a'"}},
        {APP_DEPENDENCY, {"app/dependency", "null"}},
        {APP_DEPENDENCY, {"app/unready", "true"}},
        {APP_DEPENDENCY, {"app/memory", "1073741825"}},
        {APP_DEPENDENCY, {"app/cpu", "1.5"}},
        {PAUSE, {"pause/signal", "19"}},
        {CPU, {"cpu/workers", "0"}},
        {CPU, {"cpu/workers", "65"}},
        {CPU, {"cpu/load", "1.1"}},
        {MEMORY, {"memory/bytes", "-1"}},
        {MEMORY, {"memory/percent", "2"}},
        {MEMORY, {"memory/rate", "0"}},
        {NETWORK, {"network/peers", "[]"}},
        {NETWORK, {"network/protocol", "'sctp'"}},
        {NETWORK, {"network/delayNs", "-1"}},
        {NETWORK, {"network/correlation", "1.5"}},
        {NETWORK, {"network/burstEnter", "2"}},
        {NETWORK, {"network/stateAlone", "-0.1"}},
        {NETWORK, {"network/stateEnter", "2"}},
        {NETWORK, {"network/stateLeave", "1.1"}},
        {NETWORK, {"network/statePass", "'0.1'"}},
        {NETWORK, {"network/stateRelapse", "null"}},
        {NETWORK, {"network/surprise", "1"}},
        {SOME_PACKETS, {"network/share", "0"}},
        {SOME_PACKETS, {"network/share", "1"}},
        {SOME_PACKETS, {"network/share", "-0.1"}},
        {SOME_PACKETS, {"network/share", "'20%'"}},
        {DISK, {"diskFill/path", "''"}},
        {DISK, {"diskFill/left", "-0.1"}},
        {LIMITS, {"limits/files", "-2"}},
        {LIMITS, {"limits/pids", "-2"}},
        {SHARES, {"limits/filesShare", "1.1"}},
        {SHARES, {"limits/pidsShare", "'50%'"}},
        {SHARES, {"limits/files", "0"}}, /* a number and a share of the same */
        {SHARES, {"limits/pids", "9"}},
        {TCP, {"tcp/direction", "'ingress'"}},
        {TCP, {"tcp/ports", "[5432]"}},
        {TCP, {"tcp/share", "1.5"}},
        {TCP, {"tcp/jitterNs", "-1"}},
        {TCP, {"tcp/toxic", "'slow'"}},
        {TCP, {"tcp/bytes", "-1"}},
        {HTTP, {"http/method", "'get'"}},
        {HTTP, {"http/path", "'x'"}},
        {HTTP, {"http/share", "1.1"}},
        {HTTP, {"http/status", "600"}},
        {HTTP, {"http/set", "['A: b\\r\\nC: d']"}},
        {HTTP, {"http/action", "'drop'"}},
        {DNS, {"dns/names", "[]"}},
        {DNS, {"dns/answer", "'refused'"}},
        {POSTGRES, {"postgres/action", "'drop'"}},
        {POSTGRES, {"postgres/left", "-1"}},
        {POSTGRES, {"postgres/lock", "'reads'"}},
        {SLOW_DISK, {"postgres/disk/path", "''"}},
        {SLOW_DISK, {"postgres/disk/readRate", "-1"}},
        {REDIS, {"redis/action", "'flushall'"}},
        {REDIS, {"redis/bytes", "-1"}},
        {REDIS, {"redis/everyNs", "-1"}},
        {REDIS, {"redis/timeNs", "500000001"}},
        {IO, {"io/path", "''"}},
        {IO, {"io/workers", "0"}},
        {IO, {"io/workers", "65"}},
        {IO, {"io/mode", "'append'"}},
        {IO, {"io/bytes", "1000"}},
        {IO, {"io/rate", "-1"}},
        {THROTTLE, {"ioThrottle/path", "''"}},
        {THROTTLE, {"ioThrottle/readRate", "-1"}},
        {THROTTLE, {"ioThrottle/writeOps", "'max'"}},
        {RABBITMQ, {"rabbitmq/action", "'stopApp'"}},
        {NODE, {"nodes/action", "'reboot'"}},
        {RABBITMQ, {"rabbitmq/everyNs", "-1"}},
        {RABBITMQ, {"rabbitmq/bytes", "2000000000"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad_value(&fault_spec_case, cases[i].sample, cases[i].bad.pointer,
                         cases[i].bad.value);
    assert_bad_value(&fault_record_case, RECORD, "state", "'lost'");
    assert_bad_value(&fault_record_case, RECORD, "end", "'bored'");
}

static void test_limits_of_a_disk_that_hide_each_other(void **state)
{
    (void)state;
    static const struct {
        int64_t limits[FAULT_IO_LIMITS];
        const char *says; /* NULL: fine */
    } cases[] = {
        {{0, 0, 0, 0}, "does nothing, expected one of readRate, writeRate, readOps, writeOps"},
        {{1, 0, 0, 0}, NULL},
        {{0, 0, 0, 1}, NULL},
        {{1, 0, 0, 1}, NULL},
        {{1, 1, 0, 0}, NULL},
        {{1, 0, 1, 0}, "readOps: beside readRate, expected one of them"},
        {{0, 1, 1, 1}, "writeOps: beside writeRate, expected one of them"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        bool fine = fault_io_limits_check(cases[i].limits, &err);
        if (fine != (cases[i].says == NULL) ||
            (!fine && strstr(err.message, cases[i].says) == NULL))
            fail_msg("case %zu: \"%s\"", i, err.message);
    }
    json_t *json = json_of(THROTTLE);
    json_object_set_new(json_object_get(json, "ioThrottle"), "readOps", json_integer(7));
    assert_refused(&fault_spec_case, json, "readOps: beside readRate");
    json_decref(json);
}

static void test_a_slow_disk_slows_commits(void **state)
{
    (void)state;
    json_t *json = json_of(SLOW_DISK);
    json_t *postgres = json_object_get(json, "postgres");
    json_object_set_new(json_object_get(postgres, "disk"), "readOps", json_integer(7));
    assert_refused(&fault_spec_case, json, "readOps: beside readRate");
    json_object_set_new(json_object_get(postgres, "disk"), "readOps", json_integer(0));
    json_object_set_new(json_object_get(postgres, "disk"), "writeOps", json_integer(0));
    assert_refused(&fault_spec_case, json, "slows no commit, expected writeRate or writeOps");
    json_object_set_new(json_object_get(postgres, "disk"), "writeOps", json_integer(9));
    json_object_set_new(postgres, "action", json_string("connections"));
    assert_refused(&fault_spec_case, json, "disk: expected none, which only slowDisk has");
    json_decref(json);
}

#define MS(ms)                                                                                     \
    {                                                                                              \
        (ms) * INT64_C(1000000)                                                                    \
    }

static void test_network_of_impairments_that_disagree(void **state)
{
    (void)state;
    static char zero[] = "0";
    static char word[] = "http";
    static char fine[] = "5432";
    static char *bad[] = {fine, zero};
    static char *worse[] = {word};
    static char *good[] = {fine};
    static const struct {
        struct fault_network network;
        const char *says; /* NULL: fine */
    } cases[] = {
        {{.protocol = FAULT_PROTOCOL_TCP}, "does nothing, expected one of delay, loss"},
        {{.impairment = {.delay = MS(10000)}}, NULL},
        {{.impairment = {.delay = MS(10001)}}, "delay: at most 10s"},
        {{.impairment = {.loss = 0.1}, .ports = good, .port_count = 1}, NULL},
        {{.impairment = {.loss = 0.1}, .ports = bad, .port_count = 2}, "ports: \"0\" is no port"},
        {{.impairment = {.loss = 0.1}, .ports = worse, .port_count = 1}, "\"http\" is no port"},
        {{.impairment = {.loss = 0.1}, .ports = good, .port_count = 65}, "ports: at most 64"},
        {{.impairment = {.loss = 0.1},
          .ports = good,
          .port_count = 1,
          .protocol = FAULT_PROTOCOL_ICMP},
         "ports: ICMP has none"},
        {{.impairment = {.jitter = MS(5)}}, "jitter: needs a delay"},
        {{.impairment = {.delay = MS(5), .jitter = MS(5)}}, NULL},
        {{.impairment = {.delay = MS(5), .jitter = MS(6)}}, "jitter: larger than the delay"},
        {{.impairment = {.delay = MS(10), .jitter = MS(6), .distribution = FAULT_NORMAL}},
         "jitter: at most half of the delay"},
        {{.impairment = {.delay = MS(5), .correlation = 0.2}}, "correlation: needs a jitter"},
        {{.impairment = {.delay = MS(5), .jitter = MS(1), .correlation = 0.91}},
         "correlation: at most 90%"},
        {{.impairment = {.delay = MS(5), .distribution = FAULT_NORMAL}},
         "distribution: needs a jitter"},
        {{.impairment = {.reorder = 0.2}}, "reorder: needs a delay"},
        {{.impairment = {.delay = MS(9), .reorder = 0.2}}, "reorder: needs a delay of at least"},
        {{.impairment = {.delay = MS(80), .jitter = MS(10), .reorder = 0.2}}, NULL},
        {{.impairment = {.delay = MS(80), .jitter = MS(11), .reorder = 0.2}}, "reorder: hidden by"},
        {{.impairment = {.delay = MS(80), .reorder = 0.51}}, "reorder: at most 50%"},
        {{.impairment = {.loss = 0.91}}, "loss: at most 90%"},
        {{.impairment = {.burst = {.enter = 0.1, .leave = 0.1, .loss = 1.0}}}, NULL},
        {{.impairment = {.loss = 0.1, .burst = {.enter = 0.1, .leave = 0.1, .loss = 1.0}}},
         "loss: either loss or lossBursts"},
        {{.impairment = {.burst = {.enter = 0.1, .loss = 1.0}}}, "lossBursts: leave must be"},
        {{.impairment = {.burst = {.leave = 0.1, .loss = 1.0}}}, "lossBursts: enter must be"},
        {{.impairment = {.burst = {.enter = 0.1, .leave = 0.1, .loss = 0.1, .calm = 0.1}}},
         "lossBursts: loses no more within"},
        {{.impairment = {.burst = {.enter = 0.1, .leave = 0.1, .loss = 1.0, .calm = 0.6}}},
         "lossBursts: loses most packets between"},
        {{.impairment = {.burst = {.enter = 0.2, .leave = 0.1, .loss = 1.0}}},
         "lossBursts: bursts would be the rule"},
        {{.impairment = {.delay = MS(10), .jitter = MS(10), .distribution = FAULT_PARETO}}, NULL},
        {{.impairment = {.delay = MS(10), .jitter = MS(11), .distribution = FAULT_PARETO}},
         "jitter: larger than the delay"},
        {{.impairment = {.delay = MS(10), .jitter = MS(6), .distribution = FAULT_PARETO_NORMAL}},
         "jitter: at most half of the delay when paretonormal"},
        {{.impairment = {.delay = MS(10), .jitter = MS(5), .distribution = FAULT_PARETO_NORMAL}},
         NULL},
        {{.impairment = {.delay = MS(10), .distribution = FAULT_PARETO}},
         "distribution: needs a jitter"},
        {{.impairment = {.states = {.enter = 0.1, .leave = 0.1}}}, NULL},
        {{.impairment = {.states = {0.3, 0.1, 0.7, 0.3, 0.5}}}, NULL},
        {{.impairment = {.loss = 0.1, .states = {.enter = 0.1, .leave = 0.1}}},
         "loss: either loss or lossStates"},
        {{.impairment = {.burst = {.enter = 0.1, .leave = 0.1, .loss = 1.0},
                         .states = {.enter = 0.1, .leave = 0.1}}},
         "lossBursts: either lossBursts or lossStates"},
        {{.impairment = {.states = {.alone = 0.1}}}, "lossStates: enter must be"},
        {{.impairment = {.states = {.relapse = 0.1}}}, "lossStates: enter must be"},
        {{.impairment = {.states = {.enter = 0.1}}}, "lossStates: leave must be"},
        {{.impairment = {.states = {.enter = 0.1, .leave = 0.5, .pass = 0.1}}},
         "lossStates: pass needs relapse"},
        {{.impairment = {.states = {.enter = 0.1, .leave = 0.5, .relapse = 0.1}}},
         "lossStates: relapse needs pass"},
        {{.impairment = {.states = {.alone = 0.4, .enter = 0.7, .leave = 0.9}}},
         "lossStates: enter and alone exceed"},
        {{.impairment = {.states = {0.0, 0.1, 0.7, 0.4, 1.0}}},
         "lossStates: leave and pass exceed"},
        {{.impairment = {.states = {.alone = 0.51, .enter = 0.1, .leave = 0.5}}},
         "lossStates: alone: at most 50%"},
        {{.impairment = {.states = {.enter = 0.2, .leave = 0.1}}},
         "lossStates: bursts would be the rule"},
        {{.impairment = {.states = {0.0, 0.2, 0.5, 0.4, 0.2}}},
         "lossStates: bursts would be the rule"},
        {{.impairment = {.rate = 1e6, .states = {.enter = 0.1, .leave = 0.1}}},
         "rate: what is lost"},
        {{.impairment = {.share = 0.2}}, "does nothing"},
        {{.impairment = {.share = 0.2, .loss = 0.5, .duplicate = 0.5, .corrupt = 0.5}}, NULL},
        {{.impairment = {.share = 0.2, .rate = 1e6}}, "percent: a link has one bandwidth"},
        {{.impairment = {.share = 0.2, .burst = {.enter = 0.1, .leave = 0.1, .loss = 1.0}}},
         "percent: bursts are of packets in a row"},
        {{.impairment = {.share = 0.2, .states = {.enter = 0.1, .leave = 0.1}}},
         "percent: bursts are of packets in a row"},
        {{.impairment = {.share = 0.2, .delay = MS(9)}}, "percent: needs a delay of at least 10ms"},
        {{.impairment = {.share = 0.2, .delay = MS(10), .reorder = 0.1}}, NULL},
        {{.impairment = {.share = 0.2, .delay = MS(80), .jitter = MS(10)}}, NULL},
        {{.impairment = {.share = 0.2, .delay = MS(80), .jitter = MS(11)}}, "percent: a jitter of"},
        {{.impairment = {.share = 1.0, .delay = MS(9), .jitter = MS(9)}}, NULL},
        {{.impairment = {.share = 0.2, .delay = MS(450)}, .protocol = FAULT_PROTOCOL_TCP}, NULL},
        {{.impairment = {.share = 0.2, .delay = MS(451)}, .protocol = FAULT_PROTOCOL_TCP},
         "percent: of TCP a round trip may take 900ms"},
        {{.impairment = {.share = 0.2, .delay = MS(901)},
          .direction = FAULT_EGRESS,
          .ports = good,
          .port_count = 1},
         "percent: of TCP a round trip may take 900ms"},
        {{.impairment = {.share = 0.2, .delay = MS(900)},
          .direction = FAULT_EGRESS,
          .ports = good,
          .port_count = 1},
         NULL},
        {{.impairment = {.share = 0.2, .delay = MS(2000)}}, NULL},
        {{.impairment = {.delay = MS(2000)}, .protocol = FAULT_PROTOCOL_TCP}, NULL},
        {{.impairment = {.corrupt = 0.51}}, "corrupt: at most 50%"},
        {{.impairment = {.duplicate = 0.51}}, "duplicate: at most 50%"},
        {{.impairment = {.duplicate = 0.1}, .protocol = FAULT_PROTOCOL_TCP},
         "duplicate: is measured by"},
        {{.impairment = {.duplicate = 0.1}, .protocol = FAULT_PROTOCOL_ICMP}, NULL},
        {{.impairment = {.duplicate = 0.1}, .ports = good, .port_count = 1},
         "duplicate: is measured by"},
        {{.impairment = {.duplicate = 0.1},
          .ports = good,
          .port_count = 1,
          .protocol = FAULT_PROTOCOL_UDP},
         NULL},
        {{.impairment = {.rate = 1e6}, .protocol = FAULT_PROTOCOL_UDP}, NULL},
        {{.impairment = {.rate = 1e6}, .protocol = FAULT_PROTOCOL_TCP}, "rate: is measured by"},
        {{.impairment = {.rate = 63e3}}, "rate: 64kbit to 200mbit"},
        {{.impairment = {.rate = 64e3}}, NULL},
        {{.impairment = {.rate = 201e6}}, "rate: 64kbit to 200mbit"},
        {{.impairment = {.rate = 1e6}, .ports = good, .port_count = 1}, "rate: is measured by"},
        {{.impairment = {.rate = 1e6, .loss = 0.1}}, "rate: what is lost"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        bool fine_so = fault_network_check(&cases[i].network, &err);
        if (fine_so != (cases[i].says == NULL) ||
            (cases[i].says != NULL && strstr(err.message, cases[i].says) == NULL))
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, err.message,
                     cases[i].says != NULL ? cases[i].says : "nothing to say");
    }
    json_t *json = json_of(NETWORK);
    json_object_set_new(json_object_get(json, "network"), "loss", json_real(0.5));
    assert_refused(&fault_spec_case, json, "loss: either loss or lossBursts");
    json_decref(json);
}

/* The parameters of another kind do not make up for the missing ones. */
static void test_kind_and_parameters_agree(void **state)
{
    (void)state;
    json_t *json = json_of(HEAD("app") "'kill':{'signal':9,'restartWithinNs':5000000000}}");
    assert_refused(&fault_spec_case, json, "\"app\" is missing");
    json_decref(json);
}

static void test_copy_is_deep(void **state)
{
    (void)state;
    struct fault_spec spec;
    struct fault_spec copy;
    struct base_error err;
    json_t *json = json_of(PARTITION);
    assert_true(fault_spec_from_json(json, &spec, &err));
    fault_spec_copy(&copy, &spec);
    fault_spec_fini(&spec);
    json_t *again = fault_spec_to_json(&copy);
    assert_true(json_equal(json, again));
    fault_spec_fini(&copy);
    json_decref(json);
    json_decref(again);
}

static void test_evidence(void **state)
{
    (void)state;
    struct fault_record record;
    struct base_error err;
    json_t *json = json_of(RECORD);
    assert_true(fault_record_from_json(json, &record, &err));
    fault_record_add_evidence(&record, "users-1", "after", "process alive", "yes", NULL, true,
                              (struct wall_ns){7});
    assert_int_equal(record.evidence_count, 2);
    json_t *again = fault_record_to_json(&record);
    json_t *added = json_array_get(json_object_get(again, "evidence"), 1);
    assert_string_equal(json_string_value(json_object_get(added, "when")), "after");
    assert_true(json_is_null(json_object_get(added, "expected")));
    fault_record_fini(&record);
    json_decref(json);
    json_decref(again);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(fault_state_name(FAULT_STUCK), "stuck");
    assert_string_equal(fault_end_name(FAULT_END_LEASE), "lease");
    assert_true(fault_state_final(FAULT_GONE) && fault_state_final(FAULT_STUCK));
    assert_false(fault_state_final(FAULT_REVERTING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_limits_of_a_disk_that_hide_each_other),
        cmocka_unit_test(test_a_slow_disk_slows_commits),
        cmocka_unit_test(test_network_of_impairments_that_disagree),
        cmocka_unit_test(test_kind_and_parameters_agree),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
