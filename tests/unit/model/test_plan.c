/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include "model/plan.h"

#define LOAD                                                                                       \
    "{'arrivals':'constant','rate':1.5,'durationNs':10,'connections':1,'threads':0,'seed':7,"      \
    "'timeoutNs':1,'intervalNs':1,'maxLateNs':1,'host':'h','targets':[{'address':'::1','port':1}]" \
    ","                                                                                            \
    "'routes':[{'name':'a','method':'GET','path':'/"                                               \
    "','body':null,'bodyFile':null,'headers':[],'weight':1}],"                                     \
    "'firstPhase':'steady','tls':null}"
#define FAULT                                                                                      \
    "{'atNs':2,'after':null,'suspendNs':3,'message':'look','waitFor':'g','waitNs':4,'onlyIf':'g'," \
    "'unless':'g','spec':{'id':'r-1','run':'r','startedNs':7,'name':'lose','kind':'"               \
    "kill',"                                                                                       \
    "'durationNs':3,'leaseNs':3,'maxAffected':0.5,'service':'users','targets':['users-1'],"        \
    "'kill':{'signal':9,'restartWithinNs':5,'graceNs':0,'everyNs':0}}}"
#define SLO(kind, bad, good)                                                                       \
    "{'name':'" kind "','kind':'" kind "','objective':0.95,'service':'gateway','withinNs':0,"      \
    "'minCoverage':0.9,'total':'t','bad':" bad ",'good':" good                                     \
    ",'up':'u','instances':2,'predictedBad':0.25}"
#define PROBE(mode, kind, rest)                                                                    \
    "{'name':'" kind "','mode':'" mode "','kind':'" kind "','faults':['lose'],'everyNs':1,"        \
    "'timeoutNs':1,'withinNs':2,'atLeast':0.5,'" kind "':" rest "}"
#define PROBES                                                                                     \
    PROBE("before", "http", "{'urls':['http://h/'],'status':200,'contains':null}")                 \
    "," PROBE("during", "tcp", "{'targets':[{'address':'::1','port':1}]}") "," PROBE(              \
        "continuous", "promql", "{'query':'up == 1'}") "," PROBE("after", "exec",                  \
                                                                 "{'command':'true'}") "," STORES
#define STORE "'targets':[{'address':'::1','port':1}],'user':'u','passwordFile':'/p',"
#define STORES                                                                                     \
    PROBE("gate", "sql",                                                                           \
          "{" STORE "'database':'d','query':'q','compare':'>=','value':'v','rows':-1}")            \
    "," PROBE("gate", "redis",                                                                     \
              "{" STORE "'database':3,'command':['GET','k'],'compare':'!=','reply':'r'}")
#define PLAN                                                                                       \
    "{'version':1,'run':'r','scenario':'first','description':'','seed':42,"                        \
    "'targetName':'default','targetMode':'netns','durationNs':10,'load':" LOAD                     \
    ",'maxMissed':0.25,'steadyForNs':1,'steadyDeadlineNs':2,'checks':[{'name':'c','urls':['http:/" \
    "/h/ready'],"                                                                                  \
    "'status':200,'timeoutNs':1}],'probes':[" PROBES                                               \
    "],'phases':[{'name':'steady','startNs':0,'fault':null},"                                      \
    "{'name':'lose','startNs':2,'fault':'lose'},{'name':'after-lose','startNs':5,'fault':null}],"  \
    "'faults':[" FAULT "],'skipped':[{'name':'p','why':'no root'}],"                               \
    "'thresholds':[{'name':'t','expect':'p99.9 < 250ms','phase':'steady','route':null},"           \
    "{'name':'w','expect':'p99 < 1s','phase':null,'route':'a','overNs':5,'abort':true}],"          \
    "'slos':[" SLO("availability", "'b'", "null") "," SLO(                                         \
        "latency", "null",                                                                         \
        "'g'") "],'aborts':[{'name':'a','when':'errors > "                                         \
               "60%','overNs':3}],'maxSpend':0.5,'budgetOverNs':9,"                                \
               "'agentUrl':'http://a','agentTokenFile':'/t','agentCaFile':'/"                      \
               "ca','agentCertFile':'/c','agentKeyFile':'/k','prometheusUrl':'http://p',"          \
               "'scrapeIntervalNs':1000000000}"

static const char *const nullable[] = {
    "overNs",       "abort",         "contains",       "tls",         "body",
    "bodyFile",     "sources",       "after",          "fault",       "phase",
    "route",        "agentUrl",      "agentTokenFile", "agentCaFile", "agentCertFile",
    "agentKeyFile", "prometheusUrl", "predictedBad",   "maxSpend",    "budgetOverNs",
    "suspendNs",    "message",       "waitFor",        "waitNs",      "onlyIf",
    "unless",       "user",          "passwordFile",   "value",       "reply"};
CASE(plan, struct plan, nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&plan_case, PLAN);
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    static const char *const slo_nullable[] = {
        "overNs",         "abort",        "contains",      "tls",
        "body",           "bodyFile",     "sources",       "after",
        "fault",          "phase",        "route",         "agentUrl",
        "agentTokenFile", "agentCaFile",  "agentCertFile", "agentKeyFile",
        "prometheusUrl",  "bad",          "good",          "predictedBad",
        "maxSpend",       "budgetOverNs", "suspendNs",     "message",
        "waitFor",        "waitNs",       "onlyIf",        "unless",
        "user",           "passwordFile", "value",         "reply"};
    struct json_case of = plan_case;
    of.nullable = slo_nullable;
    of.nullable_count = sizeof slo_nullable / sizeof slo_nullable[0];
    assert_every_key_guarded(&of, PLAN);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct bad_value cases[] = {
        {"version", "0"},
        {"durationNs", "0"},
        {"phases", "[]"},
        {"phases", "[{'name':'late','startNs':1,'fault':null}]"},
        {"phases", "[{'name':'a','startNs':0,'fault':null},{'name':'b','startNs':9,'fault':null},"
                   "{'name':'c','startNs':8,'fault':null}]"},
        {"load/rate", "-5"},
        {"faults/0/spec/leaseNs", "0"},
        {"faults/0/spec/kill/signal", "99"},
        {"thresholds/0/expect", "'p99.9 < 250'"},
        {"thresholds/0/abort", "true"},
        {"aborts/0/when", "'errors'"},
        {"aborts/0/overNs", "0"},
        {"slos/0/objective", "1"},
        {"slos/0/objective", "0"},
        {"slos/0/minCoverage", "1.5"},
        {"slos/0/bad", "null"},
        {"slos/1/good", "null"},
        {"slos/0/instances", "-2"},
        {"checks/0/urls", "[]"},
        {"checks/0/status", "99"},
        {"probes/4/sql/rows", "-2"},
        {"probes/4/sql/compare", "'='"},
        {"probes/4/sql/targets", "[]"},
        {"probes/5/redis/command", "[]"},
        {"probes/5/redis/database", "-1"},
        {"probes/5/mode", "'gates'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad_value(&plan_case, PLAN, cases[i].pointer, cases[i].value);
}

static void test_nested_place_is_named(void **state)
{
    (void)state;
    struct plan plan;
    struct base_error err;
    json_t *json = json_of(PLAN);
    json_t *fault = json_array_get(json_object_get(json, "faults"), 0);
    json_object_del(json_object_get(fault, "spec"), "run");
    assert_false(plan_from_json(json, &plan, &err));
    assert_string_equal(err.message, "plan.faults[0].spec: key \"run\" is missing, expected text");
    json_decref(json);
}

/* A number that is not one cannot leak into a file as something that reads as a number. */
static void test_nan_is_not_written_as_a_number(void **state)
{
    (void)state;
    struct plan plan;
    struct base_error err;
    json_t *json = json_of(PLAN);
    assert_true(plan_from_json(json, &plan, &err));
    plan.load.rate = (double)__builtin_nanf("");
    json_t *bad = plan_to_json(&plan);
    assert_refused(&plan_case, bad, "rate");
    plan_fini(&plan);
    json_decref(json);
    json_decref(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_nested_place_is_named),
        cmocka_unit_test(test_nan_is_not_written_as_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
