/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include "model/fault.h"

#define HEAD(kind)                                                                                 \
    "{'id':'r1-1','run':'r1','startedNs':7,'name':'lose-one','kind':'" kind                        \
    "','durationNs':5000000000,"                                                                   \
    "'leaseNs':3000000000,'maxAffected':0.5,'service':'users','targets':['users-1'],"
#define KILL HEAD("kill") "'kill':{'signal':9,'restartWithinNs':5000000000}}"
#define PARTITION                                                                                  \
    HEAD("partition")                                                                              \
    "'partition':{'peers':['postgres','10.0.0.1'],'action':'reject','direction':'egress'}}"
#define APP HEAD("app") "'app':{'errorRate':0.2,'errorStatus':500,'latencyNs':250000000}}"

#define ROUTE "'direction':'outbound','peers':['postgres'],'port':5432"
#define TCP   HEAD("tcp") "'tcp':{" ROUTE ",'toxic':'slicer','bytes':10,'timeNs':1000000}}"
#define HTTP                                                                                       \
    HEAD("http")                                                                                   \
    "'http':{" ROUTE ",'method':'GET','path':'/api/users','pathPrefix':'/api/','headers':"         \
    "['X-Who: me'],'share':0.5,'seed':7,'action':'abort','status':503,'body':'no','timeNs':0,"     \
    "'bytes':0,'set':['A: b'],'remove':['C']}}"
#define DNS                                                                                        \
    HEAD("dns")                                                                                    \
    "'dns':{'names':['db.test'],'share':0.5,'seed':7,'answer':'address','address':'192.0.2.1',"    \
    "'server':'10.0.0.2'}}"

#define RECORD                                                                                     \
    "{'id':'r1-1','run':'r1','name':'lose-one','kind':'kill','targets':['users-1'],"               \
    "'state':'gone','end':'expired','wasActive':true,'error':'late','requestedAtNs':1,"            \
    "'appliedAtNs':2,'verifiedAtNs':3,'revertedAtNs':4,'goneAtNs':5,'expiresAtNs':6,"              \
    "'evidence':[{'target':'users-1','when':'during','metric':'process alive','value':'no',"       \
    "'expected':'no','ok':true,'atNs':3}]}"

static const char *const spec_nullable[] = {"method", "path",    "pathPrefix",
                                            "body",   "address", "server"};
CASE(fault_spec, struct fault_spec, spec_nullable);
static const char *const record_nullable[] = {"error", "value", "expected"};
CASE(fault_record, struct fault_record, record_nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&fault_spec_case, KILL);
    assert_round_trip(&fault_spec_case, PARTITION);
    assert_round_trip(&fault_spec_case, APP);
    assert_round_trip(&fault_spec_case, TCP);
    assert_round_trip(&fault_spec_case, HTTP);
    assert_round_trip(&fault_spec_case, DNS);
    assert_round_trip(&fault_record_case, RECORD);
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&fault_spec_case, KILL);
    assert_every_key_guarded(&fault_spec_case, PARTITION);
    assert_every_key_guarded(&fault_spec_case, APP);
    assert_every_key_guarded(&fault_spec_case, TCP);
    assert_every_key_guarded(&fault_spec_case, HTTP);
    assert_every_key_guarded(&fault_spec_case, DNS);
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
        {KILL, {"surprise", "1"}},
        {PARTITION, {"partition/peers", "[]"}},
        {PARTITION, {"partition/action", "'tarpit'"}},
        {PARTITION, {"partition/direction", "'up'"}},
        {APP, {"app/errorRate", "2"}},
        {APP, {"app/errorStatus", "404"}},
        {APP, {"app/latencyNs", "-1"}},
        {TCP, {"tcp/direction", "'ingress'"}},
        {TCP, {"tcp/port", "65536"}},
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
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad_value(&fault_spec_case, cases[i].sample, cases[i].bad.pointer,
                         cases[i].bad.value);
    assert_bad_value(&fault_record_case, RECORD, "state", "'lost'");
    assert_bad_value(&fault_record_case, RECORD, "end", "'bored'");
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
    enum fault_kind kind = FAULT_KILL;
    assert_true(fault_kind_parse("app", &kind) && kind == FAULT_APP);
    assert_false(fault_kind_parse("App", &kind));
    assert_false(fault_kind_parse(NULL, &kind));
    assert_string_equal(fault_state_name(FAULT_STUCK), "stuck");
    assert_string_equal(fault_end_name(FAULT_END_LEASE), "lease");
    assert_true(fault_state_final(FAULT_GONE) && fault_state_final(FAULT_STUCK));
    assert_false(fault_state_final(FAULT_REVERTING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values),   cmocka_unit_test(test_kind_and_parameters_agree),
        cmocka_unit_test(test_copy_is_deep), cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
