/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided about the pods of a node: a real API server's list (node_answers.h), and what
 * such a server would not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "drain_answer.h"
#include "node_answers.h"

/* As rest.c makes it; the json is the caller's. */
static struct fault_rest_answer answer_of(int status, const char *text, json_t **json)
{
    *json = text != NULL ? model_json_parse(text, strlen(text), "answer", NULL) : NULL;
    return (struct fault_rest_answer){
        .status = status, .json = *json, .error = status == 0 ? "connection refused" : ""};
}

/* Three pages of it. */
static struct fault_drain_pods recorded(void)
{
    static const struct {
        int status;
        const char *text;
        size_t count; /* up to it */
    } pages[] = {
        {NODE_PODS_1_STATUS, node_pods_1, 3},
        {NODE_PODS_2_STATUS, node_pods_2, 6},
        {NODE_PODS_3_STATUS, node_pods_3, 7},
    };
    struct fault_drain_pods pods = {0};
    for (size_t i = 0; i < 3; i++) {
        struct base_error err = {0};
        json_t *json = NULL;
        char *next = NULL;
        struct fault_rest_answer answer = answer_of(pages[i].status, pages[i].text, &json);
        if (!fault_drain_page(&answer, &pods, &next, &err))
            fail_msg("%s", err.message);
        assert_int_equal(pods.count, pages[i].count);
        assert_int_equal(next == NULL, i == 2);
        free(next);
        json_decref(json);
    }
    return pods;
}

static size_t named(const struct fault_drain_pods *pods, const char *name)
{
    size_t at = 0;
    while (at < pods->count && !base_str_eq(pods->list[at].name, name))
        at++;
    assert_in_range(at, 0, pods->count - 1);
    return at;
}

static void each_pod_has_its_fate(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum fault_drain_fate fate;
        bool owned;
        bool empty_dir;
    } cases[] = {
        {"shop/web-1", FAULT_DRAIN_EVICT, true, false},
        {"shop/daemon", FAULT_DRAIN_DAEMON, true, false},
        {"shop/mirror", FAULT_DRAIN_MIRROR, false, false},
        {"shop/over", FAULT_DRAIN_FINISHED, false, false},
        {"shop/leaving", FAULT_DRAIN_LEAVING, true, false},
        {"shop/scratch", FAULT_DRAIN_EVICT, true, true},
        {"shop/alone", FAULT_DRAIN_EVICT, false, false},
    };
    struct fault_drain_pods pods = recorded();
    assert_int_equal(pods.count, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fault_drain_pod *pod = &pods.list[named(&pods, cases[i].name)];
        assert_int_equal(pod->fate, cases[i].fate);
        assert_int_equal(pod->owned, cases[i].owned);
        assert_int_equal(pod->empty_dir, cases[i].empty_dir);
        assert_int_equal(pod->grace_s, 30);
        assert_ptr_equal(fault_drain_find(&pods, pod->uid), pod);
    }
    assert_null(fault_drain_find(&pods, "another"));
    char *words = fault_drain_words(&pods);
    assert_string_equal(words,
                        "3 to evict; left alone: 1 of DaemonSets, 1 mirrors of files, 1 that "
                        "have ended, 1 being deleted");
    free(words);
    fault_drain_pods_fini(&pods);
}

static void what_would_be_lost_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *only; /* of those to be evicted; NULL: all of them */
        bool empty_dir;
        int64_t within_s;
        const char *says; /* NULL: allowed */
    } cases[] = {
        {NULL, true, 60, "shop/alone has no controller"},
        {"shop/web-1", false, 60, NULL},
        {"shop/web-1", false, 30, "terminationGracePeriodSeconds of 30"},
        {"shop/web-1", false, 31, NULL},
        {"shop/scratch", false, 60, "shop/scratch has an emptyDir"},
        {"shop/scratch", true, 60, NULL},
        {"shop/alone", true, 60, "no controller"},
        {"shop/none", false, 1, NULL}, /* what is left alone is asked for nothing */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault_drain_pods pods = recorded();
        struct base_error err = {0};
        for (size_t k = 0; cases[i].only != NULL && k < pods.count; k++)
            if (pods.list[k].fate == FAULT_DRAIN_EVICT &&
                !base_str_eq(pods.list[k].name, cases[i].only))
                pods.list[k].fate = FAULT_DRAIN_LEAVING;
        bool ok =
            fault_drain_allowed(&pods, cases[i].empty_dir, base_dur_s(cases[i].within_s), &err);
        if (ok != (cases[i].says == NULL) || (!ok && strstr(err.message, cases[i].says) == NULL))
            fail_msg("case %zu: \"%s\"", i, err.message);
        fault_drain_pods_fini(&pods);
    }
}

static void a_list_that_cannot_be_read_shows_nothing(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        const char *says;
    } cases[] = {
        {0, NULL, "refused"},
        {403, "{}", "403"},
        {200, NULL, "no list of pods"},
        {200, "{\"items\":{}}", "no list of pods"},
        {200, "{\"items\":[{}]}", "no pod"},
        {200,
         "{\"items\":[{\"metadata\":{\"uid\":\"u\",\"name\":\"n\"},\"status\":{},\"spec\":{"
         "\"terminationGracePeriodSeconds\":1}}]}",
         "no namespace"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault_drain_pods pods = {0};
        struct base_error err = {0};
        json_t *json = NULL;
        char *next = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        assert_false(fault_drain_page(&answer, &pods, &next, &err));
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("case %zu: \"%s\"", i, err.message);
        assert_int_equal(pods.count, 0);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pod_has_its_fate),
        cmocka_unit_test(what_would_be_lost_is_refused),
        cmocka_unit_test(a_list_that_cannot_be_read_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
