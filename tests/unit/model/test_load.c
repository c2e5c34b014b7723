/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "json_cases.h"

#include "model/load.h"

#define SPEC                                                                                       \
    "{'arrivals':'poisson','rate':300.0,'durationNs':"                                             \
    "36000000000,'connections':64,'threads':2,"                                                    \
    "'seed':'18446744073709551615','timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':"    \
    "10000000,"                                                                                    \
    "'host':'gateway','targets':[{'address':'10.0.0.3','port':3000}],"                             \
    "'routes':[{'name':'a','method':'GET','path':'/api/"                                           \
    "data','body':null,'bodyFile':null,'headers':[],"                                              \
    "'weight':1},{'name':'b','method':'POST','path':'/api/users','body':'{}','bodyFile':'/f',"     \
    "'headers':['Content-Type: application/json'],'weight':3}],'firstPhase':'steady',"             \
    "'tls':{'serverName':'example.org','caFile':'/ca.pem','certFile':'/c.pem','keyFile':'/k.pem'," \
    "'insecure':false},'sources':['127.0.0.2','127.0.0.3'],"                                       \
    "'engine':'curl','http2':true,'streams':8,'spin':true,'proxy':'http://p:3128'}"
#define STAGED                                                                                     \
    "{'arrivals':'constant','rate':0.0,'stages':[{'lengthNs':4000000000,'from':0.0,'to':500.5,"    \
    "'burst':0,'everyNs':0},{'lengthNs':6000000000,'from':0.0,'to':0.0,'burst':50,'everyNs':"      \
    "1000000000}],'replayUnit':'ns','durationNs':10000000000,'connections':64,"                    \
    "'threads':2,'seed':1,'timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':10000000,"    \
    "'host':'h','targets':[{'address':'10.0.0.3','port':3000}],"                                   \
    "'routes':[{'name':'a','method':'GET','path':'/"                                               \
    "','body':null,'bodyFile':null,'headers':[],'weight':1}],"                                     \
    "'firstPhase':'steady','phases':[{'name':'a','startNs':1},{'name':'b','startNs':4}],"          \
    "'tls':null}"
#define CLOSED                                                                                     \
    "{'arrivals':'poisson','rate':0.0,'users':{'stages':[{'lengthNs':10,'from':0.0,'to':50.0,"     \
    "'burst':0,'everyNs':0}],'iterations':5,'iterationsEach':0,'think':'uniform','thinkANs':1,"    \
    "'thinkBNs':2},'durationNs':10,'connections':64,"                                              \
    "'threads':2,'seed':1,'timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':10000000,"    \
    "'host':'h','targets':[{'address':'10.0.0.3','port':3000}],"                                   \
    "'routes':[{'name':'a','method':'GET','path':'/"                                               \
    "','body':null,'bodyFile':null,'headers':[],'weight':1}],"                                     \
    "'firstPhase':'steady','tls':null}"
#define POSTGRES                                                                                   \
    "{'arrivals':'poisson','rate':3.0,'durationNs':10,'connections':64,'threads':2,'seed':1,"      \
    "'timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':10000000,"                         \
    "'host':'h','targets':[{'address':'10.0.0.3','port':5432}],"                                   \
    "'routes':[{'name':'a','method':'GET','path':'/','body':'SELECT $1','bodyFile':null,"          \
    "'headers':[],'weight':1,'params':['{{seq}}']}],'firstPhase':'steady','tls':null,"             \
    "'protocol':'postgres','pipeline':8,'user':'u','database':'d',"                                \
    "'passwordEnv':'E'}"
#define AMQP                                                                                       \
    "{'arrivals':'poisson','rate':3.0,'durationNs':10,'connections':64,'threads':2,'seed':1,"      \
    "'timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':10000000,"                         \
    "'host':'h','targets':[{'address':'10.0.0.3','port':5672}],"                                   \
    "'routes':[{'name':'a','method':'GET','path':'/','body':'x','bodyFile':null,'headers':[],"     \
    "'weight':1,'key':'k','exchange':'e','persistent':true},{'name':'b','method':'GET','path':"    \
    "'/','body':null,'bodyFile':null,'headers':[],'weight':1,'queue':'q'}],"                       \
    "'firstPhase':'steady','tls':null,'protocol':'amqp','user':'u','database':'d',"                \
    "'passwordFile':'/p'}"
#define COUNTS                                                                                     \
    "{'intended':10,'sent':9,'ok':7,'failed':{'connect':1,'timeout':0,'reset':0,'protocol':0,"     \
    "'http_4xx':0,'http_5xx':1,'status':0,'dns':0,'error_reply':0,'assertion':0,'extraction':0,'"  \
    "too_large':0,'input':0},'causes':{'refused':1,'unreachable':0,"                               \
    "'connect_timeout':0,'connect_reset':0,'no_port':0,'no_descriptor':0,'tls':0,'other':0,"       \
    "'silent':0,'stalled':0,'reset':0,'closed':0,'dns':0,'proxy':0,'not_http2':0,'error_reply':0," \
    "'session':0,'behind':0,'goaway':0,'refused_stream':0,'stream_reset':0,'unusable':0},"         \
    "'missed':1,'bytesIn':100,'bytesOut':200}"
#define STEP                                                                                       \
    "{'name':'s','method':'GET','path':'/{{people.name}}','headers':['A: {{id}}'],'body':'b',"     \
    "'expectedNs':1,'thinkNs':2,'extract':[{'name':'id','from':'json','json':'/id'}],'expect':["   \
    "{'on':'status','status':201},{'on':'header','status':0,'header':'X','contains':'{{id}}'}]}"
#define FLOWS                                                                                      \
    "{'arrivals':'poisson','rate':300.0,'durationNs':1,'connections':1,'threads':0,'seed':1,"      \
    "'timeoutNs':1,'intervalNs':1,'maxLateNs':1,'host':'h','targets':[{'address':'10.0.0.3',"      \
    "'port':3000}],'routes':[],'firstPhase':'steady','tls':null,'flows':[{'name':'f','weight':2,"  \
    "'steps':[" STEP "],'setup':[{'name':'in','method':'GET','path':'/','extract':[{'name':"       \
    "'id','from':'regex','regex':'a(b)'}]}],'teardown':[{'name':'out','method':'GET','path':"      \
    "'/"                                                                                           \
    "{{id}}'}]}],'feeders':[{'name':'people','file':'p.csv','format':'jsonl','order':'unique'}]}"
#define INTERVAL                                                                                   \
    "{'startNs':1,'startMonoNs':2,'lengthNs':1000000000,'phase':'steady','counts':" COUNTS         \
    ",'inFlight':1,'p50Ns':1,'p99Ns':2,'maxNs':3,'lateP99Ns':4,'parts':[{'phase':'steady','route'" \
    ":'a','counts':" COUNTS "}]}"
#define RESULT                                                                                     \
    "{'version':1,'complete':true,'startNs':1,'endNs':2,'startMonoNs':3,'endMonoNs':4,"            \
    "'scheduledNs':5,'total':" COUNTS ",'parts':[{'phase':'steady','route':'a','counts':" COUNTS   \
    "}],'intervals':[" INTERVAL "],'clientLimited':true,'clientLimitedWhy':'late','cpuNs':6,"      \
    "'clientLimitedBy':'loop','lateness':[{'cause':'loop_busy','count':1,'p50Ns':2,'p99Ns':3,"     \
    "'maxNs':4,'histogram':'HISTF'},{'cause':'timer_late','count':1,'p50Ns':2,'p99Ns':3,'maxNs':"  \
    "4}],"                                                                                         \
    "'threads':[{'spanNs':3,'cpuNs':2,'waitedNs':1}],"                                             \
    "'tls':{'verified':'nothing','protocol':'TLSv1.3','handshakes':5,'resumed':4},'notes':['n'],"  \
    "'once':[{'flow':'f','part':'setup','step':'s','ok':false,'tookNs':3,'why':'w'}]}"

static const char *const spec_nullable[] = {
    "body",        "bodyFile",     "stages",      "replay",     "replayUnit", "sources",
    "phases",      "tls",          "caFile",      "certFile",   "keyFile",    "engine",
    "http2",       "streams",      "proxy",       "unixSocket", "protocol",   "until",
    "answerBytes", "headers",      "expectedNs",  "thinkNs",    "extract",    "expect",
    "setup",       "teardown",     "flows",       "feeders",    "contains",   "pipeline",
    "user",        "database",     "params",      "key",        "exchange",   "persistent",
    "queue",       "passwordFile", "passwordEnv", "spin"};
CASE(load_spec, struct load_spec, spec_nullable);
static const char *const interval_nullable[] = {
    "causes",    "parts",          "dns",          "proxy",   "not_http2", "error_reply",
    "assertion", "extraction",     "too_large",    "input",   "session",   "behind",
    "goaway",    "refused_stream", "stream_reset", "unusable"};
CASE(load_interval, struct load_interval, interval_nullable);
static const char *const result_nullable[] = {
    "clientLimitedWhy", "clientLimitedBy", "parts",     "lateness",
    "histogram",        "threads",         "causes",    "tls",
    "protocol",         "notes",           "dns",       "proxy",
    "not_http2",        "error_reply",     "assertion", "extraction",
    "too_large",        "input",           "goaway",    "refused_stream",
    "stream_reset",     "unusable",        "once",      "why",
    "session",          "behind"};
CASE(load_result, struct load_result, result_nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&load_spec_case, SPEC);
    assert_round_trip(&load_spec_case, STAGED);
    assert_round_trip(&load_spec_case, CLOSED);
    assert_round_trip(&load_spec_case, FLOWS);
    assert_round_trip(&load_spec_case, POSTGRES);
    assert_round_trip(&load_spec_case, AMQP);
    assert_round_trip(&load_interval_case, INTERVAL);
    assert_round_trip(&load_result_case, RESULT);
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&load_spec_case, SPEC);
    assert_every_key_guarded(&load_spec_case, STAGED);
    assert_every_key_guarded(&load_spec_case, FLOWS);
    assert_every_key_guarded(&load_spec_case, POSTGRES);
    assert_every_key_guarded(&load_spec_case, AMQP);
    assert_every_key_guarded(&load_interval_case, INTERVAL);
    assert_every_key_guarded(&load_result_case, RESULT);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct bad_value cases[] = {
        {"arrivals", "'bursty'"},
        {"rate", "0"},
        {"rate", "-1"},
        {"durationNs", "0"},
        {"connections", "0"},
        {"connections", "4294967296"},
        {"threads", "65"},
        {"seed", "-1"},
        {"targets", "[]"},
        {"targets/0/port", "70000"},
        {"routes", "[]"},
        {"routes/0/name", "'a/b'"},
        {"routes/0/name", "'a,b'"},
        {"routes/0/name", "'a b'"},
        {"routes/0/name", "'b'"},
        {"routes/0/method", "'get'"},
        {"routes/0/path", "'api'"},
        {"routes/0/path", "'/a b'"},
        {"routes/0/path", "'/a\\r\\nX: y'"},
        {"routes/0/weight", "0"},
        {"routes/1/headers", "['A: b\\r\\nC: d']"},
        {"host", "'a\\nb'"},
        {"engine", "'fast'"},
        {"engine", "'native'"},
        {"streams", "1001"},
        {"http2", "false"},
        {"proxy", "'a\\nb'"},
        {"firstPhase", "''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A name that is taken is found out at the later one of the two. */
        assert_bad_value(&load_spec_case, SPEC, cases[i].pointer, cases[i].value);
    }
    static const struct bad_value flows[] = {
        {"flows/0/name", "'a b'"},
        {"flows/0/weight", "0"},
        {"flows/0/steps", "[]"},
        {"flows/0/steps/0/path", "'/a\\r\\nX: y'"},
        {"flows/0/steps/0/path", "'/{{nobody}}'"},
        {"flows/0/steps/0/thinkNs", "-1"},
        {"flows/0/steps/0/headers", "['A: b\\r\\nC: d']"},
        {"flows/0/steps/0/extract/0/from", "'regex'"},
        {"flows/0/steps/0/extract/0/json", "'id'"},
        {"flows/0/steps/0/expect/0/on", "'json'"},
        {"flows/0/steps/0/expect/0/status", "99"},
        {"flows/0/steps/0/expect/0/status", "600"},
        {"flows/0/setup/0/extract/0/regex", "'('"},
        {"feeders/0/name", "'nobody'"},
        {"feeders/0/order", "'never'"},
    };
    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++)
        assert_bad_value(&load_spec_case, FLOWS, flows[i].pointer, flows[i].value);
    static const struct bad_value staged[] = {
        {"rate", "5"},
        {"replay", "7"},
        {"replayUnit", "'ms'"},
        {"stages", "[]"},
        {"durationNs", "9999999999"},
        {"stages/0/lengthNs", "0"},
        {"stages/0/from", "-1"},
        {"stages/0/to", "1e9"},
        {"stages/0/burst", "5"},
        {"stages/1/everyNs", "0"},
        {"stages/1/burst", "1000001"},
        {"phases/0/startNs", "0"},
        {"phases/0/startNs", "4"},
        {"phases/1/name", "'a b'"},
    };
    static const struct bad_value closed[] = {
        {"rate", "5"},
        {"durationNs", "11"},
        {"users/stages", "[]"},
        {"users/stages/0/burst", "5"},
        {"users/stages/0/to", "0"},
        {"users/stages/0/to", "1000001"},
        {"users/think", "'often'"},
        {"users/thinkBNs", "0"},
        {"users/iterations", "-1"},
    };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
        assert_bad_value(&load_spec_case, CLOSED, closed[i].pointer, closed[i].value);
    for (size_t i = 0; i < sizeof staged / sizeof staged[0]; i++)
        assert_bad_value(&load_spec_case, STAGED, staged[i].pointer, staged[i].value);
    assert_bad_value(&load_interval_case, INTERVAL, "counts/failed/http_5xx", "-1");
    assert_bad_value(&load_result_case, RESULT, "version", "2");
    assert_bad_value(&load_result_case, RESULT, "lateness/0/cause", "'bad luck'");
    assert_bad_value(&load_result_case, RESULT, "clientLimitedBy", "'bad luck'");
}

static void test_counts(void **state)
{
    (void)state;
    struct load_counts sum = {.ok = 1};
    struct load_counts more = {
        .intended = 9, .sent = 8, .ok = 3, .missed = 1, .bytes_in = 5, .skipped = 7};
    more.failed[LOAD_FAIL_TIMEOUT] = 2;
    more.failed[LOAD_FAIL_STATUS] = 3;
    load_counts_add(&sum, &more);
    load_counts_add(&sum, &more);
    assert_int_equal(sum.intended, 18);
    assert_int_equal(sum.sent, 16);
    assert_int_equal(sum.ok, 7);
    assert_int_equal(sum.missed, 2);
    assert_int_equal(sum.bytes_in, 10);
    assert_int_equal(sum.skipped, 14);
    assert_int_equal(load_counts_failed(&sum), 10);
    struct load_counts all = {.sent = 100};
    for (size_t i = 0; i < LOAD_FAIL_COUNT; i++)
        all.failed[i] = i + 1;
    assert_int_equal(load_counts_delivered(&all),
                     100 - (LOAD_FAIL_CONNECT + 1) - (LOAD_FAIL_DNS + 1) - (LOAD_FAIL_INPUT + 1));
    assert_int_equal(load_counts_answered(&all),
                     (LOAD_FAIL_HTTP_4XX + 1) + (LOAD_FAIL_STATUS + 1) + (LOAD_FAIL_ASSERTION + 1) +
                         (LOAD_FAIL_EXTRACTION + 1) + (LOAD_FAIL_TOO_LARGE + 1));
    assert_int_equal(load_counts_unserved(&all),
                     (LOAD_FAIL_CONNECT + 1) + (LOAD_FAIL_TIMEOUT + 1) + (LOAD_FAIL_RESET + 1) +
                         (LOAD_FAIL_PROTOCOL + 1) + (LOAD_FAIL_HTTP_5XX + 1) + (LOAD_FAIL_DNS + 1) +
                         (LOAD_FAIL_REPLY + 1));
}

static void test_words(void **state)
{
    (void)state;
    enum load_arrivals arrivals = LOAD_POISSON;
    assert_true(load_arrivals_parse("constant", &arrivals) && arrivals == LOAD_CONSTANT);
    assert_false(load_arrivals_parse("", &arrivals));
    assert_string_equal(load_arrivals_name(LOAD_POISSON), "poisson");
    assert_string_equal(load_failure_name(LOAD_FAIL_HTTP_5XX), "http_5xx");
}

static void test_proxies(void **state)
{
    (void)state;
    static const struct {
        const char *proxy;
        bool tls, http2, asked;
        enum load_proxy kind;
    } table[] = {
        {NULL, false, false, false, LOAD_PROXY_NONE},
        {"http://p:1", false, false, true, LOAD_PROXY_HTTP},
        {"http://p:1", true, false, false, LOAD_PROXY_HTTP},
        {"http://p:1", false, true, false, LOAD_PROXY_HTTP},
        {"socks-house:1", false, false, true, LOAD_PROXY_HTTP}, /* a host's name */
        {"SOCKS5h://p:1", false, false, false, LOAD_PROXY_SOCKS},
        {"HTTPS://p:1", false, false, false, LOAD_PROXY_HTTPS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[] = "h";
        struct load_spec spec = {.http2 = table[i].http2, .proxy = base_str_dup(table[i].proxy)};
        if (table[i].tls)
            spec.tls.server_name = name;
        assert_int_equal(load_spec_proxy(&spec), table[i].kind);
        assert_int_equal(load_spec_asks_proxy(&spec), table[i].asked);
        free(spec.proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
