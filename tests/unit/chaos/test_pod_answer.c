/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided by an API server's answers: those of a real one (pod_answers.h), and what such a
 * server would not say, or a proxy in between might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pod_answer.h"
#include "pod_answers.h"

#define POD(meta, spec, status)                                                                    \
    "{\"metadata\":{" meta "},\"spec\":{" spec "},\"status\":{" status "}}"
#define WELL              "\"terminationGracePeriodSeconds\":1"
#define READY             "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"
#define LIST(items, meta) "{\"kind\":\"PodList\",\"items\":" items ",\"metadata\":{" meta "}}"
#define OWNED(kind)                                                                                \
    "\"uid\":\"u\",\"ownerReferences\":[{\"kind\":\"" kind                                         \
    "\",\"name\":\"w\",\"uid\":\"o\",\"controller\":true}]"

/* As rest.c makes it; the json is the caller's. */
static struct fault_rest_answer answer_of(int status, const char *text, json_t **json)
{
    *json = text != NULL ? model_json_parse(text, strlen(text), "answer", NULL) : NULL;
    const char *said = json_string_value(json_object_get(*json, "message"));
    return (struct fault_rest_answer){.status = status,
                                      .json = *json,
                                      .error = status == 0    ? "connection refused"
                                               : said != NULL ? said
                                                              : ""};
}

static void assert_says(const struct base_error *err, const char *text)
{
    if (text != NULL && strstr(err->message, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, err->message);
}

static void a_pod_is_seen_as_it_is(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        enum fault_pod_sight sight;
        bool ready;
        bool deleting;
        const char *says;
    } cases[] = {
        {POD_READY_STATUS, pod_ready, FAULT_POD_HERE, true, false, NULL},
        {POD_DELETING_STATUS, pod_deleting, FAULT_POD_HERE, true, true, NULL},
        {POD_ALONE_STATUS, pod_alone, FAULT_POD_GONE, false, false, "expected " POD_UID},
        {POD_MISSING_STATUS, pod_missing, FAULT_POD_GONE, false, false, "pods \"none\" not found"},
        /* Nothing of these shows that it is gone. */
        {404, "{\"message\":\"no such page\"}", FAULT_POD_UNKNOWN, false, false, "404"},
        {404, "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}", FAULT_POD_UNKNOWN, false, false,
         "404"},
        {404, NULL, FAULT_POD_UNKNOWN, false, false, "404"},
        {0, NULL, FAULT_POD_UNKNOWN, false, false, "connection refused"},
        {200, NULL, FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, "[]", FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, "{\"kind\":\"Status\"}", FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, POD("\"uid\":7", WELL, READY), FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, POD("\"uid\":\"\"", WELL, READY), FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, "{\"metadata\":{\"uid\":\"u\"},\"spec\":{" WELL "}}", FAULT_POD_UNKNOWN, false, false,
         "no pod"},
        {200, POD("\"uid\":\"u\"", "", READY), FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, POD("\"uid\":\"u\"", "\"terminationGracePeriodSeconds\":-1", READY),
         FAULT_POD_UNKNOWN, false, false, "no pod"},
        {200, POD("\"uid\":\"u\",\"ownerReferences\":[{\"controller\":true}]", WELL, READY),
         FAULT_POD_UNKNOWN, false, false, "no uid, kind or name"},
        {401, "{\"message\":\"Unauthorized\"}", FAULT_POD_UNKNOWN, false, false, "tokenFile"},
        {403, "{\"message\":\"forbidden\"}", FAULT_POD_UNKNOWN, false, false, "403"},
        {500, "{\"message\":\"etcd\"}", FAULT_POD_UNKNOWN, false, false, "500: etcd"},
        {204, NULL, FAULT_POD_UNKNOWN, false, false, "204"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        struct fault_pod pod = {0};
        struct base_error err = {0};
        assert_int_equal(fault_pod_see(&answer, POD_UID, &pod, &err), cases[i].sight);
        assert_says(&err, cases[i].says);
        assert_int_equal(pod.ready, cases[i].ready);
        assert_int_equal(pod.deleting, cases[i].deleting);
        if (cases[i].sight == FAULT_POD_HERE) {
            assert_string_equal(pod.owner, "ReplicaSet web");
            assert_string_equal(pod.owner_uid, POD_OWNER_UID);
            assert_int_equal(pod.grace_s, 30);
        }
        fault_pod_fini(&pod);
        json_decref(json);
    }
}

static void ready_is_what_its_condition_says(void **state)
{
    (void)state;
    static const struct {
        const char *conditions;
        bool ready;
    } cases[] = {
        {"\"conditions\":[{\"type\":\"Initialized\",\"status\":\"True\"},"
         "{\"type\":\"Ready\",\"status\":\"True\"}]",
         true},
        {"\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]", false},
        {"\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\"}]", false},
        {"\"conditions\":[{\"type\":\"Ready\",\"status\":true}]", false},
        {"\"conditions\":[{\"type\":\"ContainersReady\",\"status\":\"True\"}]", false},
        {"\"conditions\":[\"Ready\"]", false},
        {"\"conditions\":{}", false},
        {"\"phase\":\"Running\"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = base_str_printf(POD("\"uid\":\"u\"", WELL, "%s"), cases[i].conditions);
        json_t *json = model_json_parse(text, strlen(text), "pod", NULL);
        struct fault_pod pod = {0};
        assert_true(fault_pod_read(json, &pod, NULL));
        assert_int_equal(pod.ready, cases[i].ready);
        assert_null(pod.owner_uid);
        fault_pod_fini(&pod);
        json_decref(json);
        free(text);
    }
}

static void pods_of_the_owner_are_counted(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        const char *owner;
        int count; /* -1: not known */
        bool more;
    } cases[] = {
        {POD_LIST_STATUS, pod_list, POD_OWNER_UID, 2, false},
        {POD_PAGE_STATUS, pod_page, POD_OWNER_UID, 1, true},
        {POD_LIST_STATUS, pod_list, "another", 0, false},
        {POD_LIST_DELETING_STATUS, pod_list_deleting, POD_OWNER_UID, 0, false},
        {200, LIST("[]", ""), "o", 0, false},
        {200, LIST("[" POD(OWNED("Job"), WELL, READY) "]", "\"continue\":\"\""), "o", 1, false},
        {200, LIST("[" POD(OWNED("Job"), WELL, "") "]", ""), "o", 0, false},
        /* An owner that is not the controller makes no other pod. */
        {200,
         LIST("[" POD("\"uid\":\"u\",\"ownerReferences\":[{\"kind\":\"A\",\"name\":\"a\",\"uid\":"
                      "\"o\"}]",
                      WELL, READY) "]",
              ""),
         "o", 0, false},
        {200, LIST("[" POD(OWNED("Job"), WELL, READY) ",{}]", ""), "o", -1, false},
        {200, LIST("[null]", ""), "o", -1, false},
        {200, LIST("{}", ""), "o", -1, false},
        {200, "{\"metadata\":{}}", "o", -1, false},
        {200, NULL, "o", -1, false},
        {410, "{\"message\":\"The provided continue parameter is too old\"}", "o", -1, false},
        {403, NULL, "o", -1, false},
        {0, NULL, "o", -1, false},
        {POD_MISSING_STATUS, pod_missing, "o", -1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        struct base_error err = {0};
        size_t ready = 5; /* of the pages before */
        char *next = NULL;
        bool known = fault_pods_count(&answer, cases[i].owner, &ready, &next, &err);
        assert_int_equal(known, cases[i].count >= 0);
        assert_int_equal(ready, 5 + (known ? cases[i].count : 0));
        assert_int_equal(next != NULL, cases[i].more);
        assert_int_equal(err.code != BASE_OK, !known);
        free(next);
        json_decref(json);
    }
}

static void a_request_is_accepted_or_says_why_not(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        enum fault_kill_by by;
        const char *says; /* NULL: accepted */
    } cases[] = {
        {POD_DELETED_STATUS, pod_deleted, FAULT_KILL_DELETE, NULL},
        {POD_EVICTED_STATUS, pod_evicted, FAULT_KILL_EVICT, NULL},
        {202, "{\"kind\":\"Status\",\"status\":\"Success\"}", FAULT_KILL_DELETE, NULL},
        {POD_BUDGET_STATUS, pod_budget, FAULT_KILL_EVICT,
         "The disruption budget keep needs 2 healthy pods and has 2 currently (Cannot evict pod"},
        {POD_DELETE_OTHER_STATUS, pod_delete_other, FAULT_KILL_DELETE,
         "does not match the UID in record (" POD_UID ")"},
        {POD_EVICT_OTHER_STATUS, pod_evict_other, FAULT_KILL_EVICT, "another pod has its name"},
        {POD_DELETE_MISSING_STATUS, pod_delete_missing, FAULT_KILL_DELETE, "gone already"},
        /* A busy server is no budget. */
        {429, "{\"message\":\"Too many requests, please try again later.\"}", FAULT_KILL_EVICT,
         "answered 429: Too many requests"},
        {429, "{\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\"}]}}", FAULT_KILL_EVICT,
         "answered 429"},
        {500,
         "{\"message\":\"This pod has more than one PodDisruptionBudget, which the eviction "
         "subresource does not support.\"}",
         FAULT_KILL_EVICT, "more than one PodDisruptionBudget"},
        {403, "{\"message\":\"no\"}", FAULT_KILL_EVICT, "evict: the API server answered 403"},
        {401, NULL, FAULT_KILL_DELETE, "tokenFile"},
        {0, NULL, FAULT_KILL_DELETE, "connection refused"},
        {200, NULL, FAULT_KILL_DELETE, "no JSON object"},
        {201, "[]", FAULT_KILL_EVICT, "no JSON object"},
        {302, NULL, FAULT_KILL_DELETE, "302"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        struct base_error err = {0};
        assert_int_equal(fault_pod_accepted(&answer, cases[i].by, &err), cases[i].says == NULL);
        assert_says(&err, cases[i].says);
        json_decref(json);
    }
}

static void an_eviction_has_the_servers_version(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        const char *version; /* NULL: none */
    } cases[] = {
        {POD_VERSIONS_STATUS, pod_versions, "policy/v1beta1"},
        {200,
         "{\"resources\":[{\"name\":\"pods\"},{\"name\":\"pods/eviction\",\"group\":\"policy\","
         "\"version\":\"v1\"}]}",
         "policy/v1"},
        {200, "{\"resources\":[{\"name\":\"pods/eviction\"}]}", NULL},
        {200, "{\"resources\":[{\"name\":\"pods\"}]}", NULL},
        {200, "{\"resources\":7}", NULL},
        {200, NULL, NULL},
        {403, "{}", NULL},
        {0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        struct base_error err = {0};
        char *version = fault_pod_eviction_version(&answer, &err);
        if (cases[i].version != NULL)
            assert_string_equal(version, cases[i].version);
        else
            assert_null(version);
        assert_int_equal(err.code != BASE_OK, cases[i].version == NULL);
        free(version);
        json_decref(json);
    }
}

static void a_request_is_about_that_uid_alone(void **state)
{
    (void)state;
    static const struct {
        enum fault_kill_by by;
        int64_t grace_s;
        bool force;
        const char *body;
    } cases[] = {
        {FAULT_KILL_DELETE, 0, false,
         "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"u\"}}"},
        {FAULT_KILL_DELETE, 7, false,
         "{\"apiVersion\":\"v1\",\"gracePeriodSeconds\":7,\"kind\":\"DeleteOptions\","
         "\"preconditions\":{\"uid\":\"u\"}}"},
        {FAULT_KILL_DELETE, 0, true,
         "{\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,\"kind\":\"DeleteOptions\","
         "\"preconditions\":{\"uid\":\"u\"}}"},
        {FAULT_KILL_EVICT, 3, false,
         "{\"apiVersion\":\"policy/v1\",\"deleteOptions\":{\"gracePeriodSeconds\":3,"
         "\"preconditions\":{\"uid\":\"u\"}},\"kind\":\"Eviction\",\"metadata\":{\"name\":\"n\","
         "\"namespace\":\"s\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fault_spec spec = {.kind = FAULT_KILL,
                                        .kill = {.by = cases[i].by,
                                                 .grace = base_dur_s(cases[i].grace_s),
                                                 .force = cases[i].force}};
        json_t *body = fault_pod_request(&spec, "s", "n", "u", "policy/v1");
        char *text = model_json_dump_line(body);
        assert_string_equal(text, cases[i].body);
        free(text);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_is_seen_as_it_is),
        cmocka_unit_test(ready_is_what_its_condition_says),
        cmocka_unit_test(pods_of_the_owner_are_counted),
        cmocka_unit_test(a_request_is_accepted_or_says_why_not),
        cmocka_unit_test(an_eviction_has_the_servers_version),
        cmocka_unit_test(a_request_is_about_that_uid_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
