/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include "model/load.h"

#define SPEC                                                                                       \
    "{'arrivals':'poisson','rate':300.0,'durationNs':36000000000,'connections':64,'threads':2,"    \
    "'seed':'18446744073709551615','timeoutNs':2000000000,'intervalNs':1000000000,'maxLateNs':"    \
    "10000000,"                                                                                    \
    "'host':'gateway','targets':[{'address':'10.0.0.3','port':3000}],"                             \
    "'routes':[{'name':'a','method':'GET','path':'/api/"                                           \
    "data','body':null,'bodyFile':null,'headers':[],"                                              \
    "'weight':1},{'name':'b','method':'POST','path':'/api/users','body':'{}','bodyFile':'/f',"     \
    "'headers':['Content-Type: application/json'],'weight':3}],'firstPhase':'steady',"             \
    "'tls':{'serverName':'example.org','caFile':'/ca.pem','certFile':'/c.pem','keyFile':'/k.pem'," \
    "'insecure':false},'sources':['127.0.0.2','127.0.0.3']}"
#define COUNTS                                                                                     \
    "{'intended':10,'sent':9,'ok':7,'failed':{'connect':1,'timeout':0,'reset':0,'protocol':0,"     \
    "'http_4xx':0,'http_5xx':1,'status':0},'causes':{'refused':1,'unreachable':0,"                 \
    "'connect_timeout':0,'connect_reset':0,'no_port':0,'no_descriptor':0,'tls':0,'other':0,"       \
    "'silent':0,'stalled':0,'reset':0,'closed':0},'missed':1,'bytesIn':100,'bytesOut':200}"
#define INTERVAL                                                                                   \
    "{'startNs':1,'startMonoNs':2,'lengthNs':1000000000,'phase':'steady','counts':" COUNTS         \
    ",'inFlight':1,'p50Ns':1,'p99Ns':2,'maxNs':3,'lateP99Ns':4}"
#define RESULT                                                                                     \
    "{'version':1,'complete':true,'startNs':1,'endNs':2,'startMonoNs':3,'endMonoNs':4,"            \
    "'scheduledNs':5,'total':" COUNTS ",'parts':[{'phase':'steady','route':'a','counts':" COUNTS   \
    "}],'intervals':[" INTERVAL "],'clientLimited':true,'clientLimitedWhy':'late','cpuNs':6,"      \
    "'tls':{'verified':'nothing','protocol':'TLSv1.3','handshakes':5,'resumed':4},'notes':['n']}"

static const char *const spec_nullable[] = {"body",   "bodyFile", "sources", "tls",
                                            "caFile", "certFile", "keyFile"};
CASE(load_spec, struct load_spec, spec_nullable);
static const char *const interval_nullable[] = {"causes"};
CASE(load_interval, struct load_interval, interval_nullable);
static const char *const result_nullable[] = {"clientLimitedWhy", "causes", "tls", "protocol",
                                              "notes"};
CASE(load_result, struct load_result, result_nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&load_spec_case, SPEC);
    assert_round_trip(&load_interval_case, INTERVAL);
    assert_round_trip(&load_result_case, RESULT);
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&load_spec_case, SPEC);
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
        {"firstPhase", "''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A name that is taken is found out at the later one of the two. */
        assert_bad_value(&load_spec_case, SPEC, cases[i].pointer, cases[i].value);
    }
    assert_bad_value(&load_interval_case, INTERVAL, "counts/failed/http_5xx", "-1");
    assert_bad_value(&load_result_case, RESULT, "version", "2");
}

static void test_counts(void **state)
{
    (void)state;
    struct load_counts sum = {.ok = 1};
    struct load_counts more = {.intended = 9, .sent = 8, .ok = 3, .missed = 1, .bytes_in = 5};
    more.failed[LOAD_FAIL_TIMEOUT] = 2;
    more.failed[LOAD_FAIL_STATUS] = 3;
    load_counts_add(&sum, &more);
    load_counts_add(&sum, &more);
    assert_int_equal(sum.intended, 18);
    assert_int_equal(sum.sent, 16);
    assert_int_equal(sum.ok, 7);
    assert_int_equal(sum.missed, 2);
    assert_int_equal(sum.bytes_in, 10);
    assert_int_equal(load_counts_failed(&sum), 10);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
