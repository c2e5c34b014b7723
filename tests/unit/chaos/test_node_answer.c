/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided by an API server's answers about a node: those of a real one (node_answers.h),
 * and what such a server would not say, or a proxy in between might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "node_answer.h"
#include "node_answers.h"

#define NODE(meta, spec)                                                                           \
    "{\"kind\":\"Node\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"" meta                \
    "},\"spec\":{" spec "}}"
#define MARKED(text) ",\"annotations\":{\"squall.dev/cordoned-by\":" text "}"

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

static void a_node_is_seen_as_it_is(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        const char *uid;
        const char *mark;
        enum fault_node_sight sight;
        const char *says; /* of the node or the error */
    } cases[] = {
        {NODE_FREE_STATUS, node_free, NODE_UID, "ours", FAULT_NODE_FREE, "schedulable, without"},
        {NODE_FREE_STATUS, node_free, NULL, "ours", FAULT_NODE_FREE, NULL},
        {NODE_OURS_STATUS, node_ours, NODE_UID, "ours", FAULT_NODE_OURS,
         "unschedulable, squall.dev/cordoned-by: ours"},
        {NODE_MARKED_STATUS, node_marked, NODE_UID, "ours", FAULT_NODE_OURS, NULL},
        {NODE_OURS_STATUS, node_ours, NODE_UID, "another's", FAULT_NODE_OTHERS, NULL},
        {NODE_OPENED_STATUS, node_opened, NODE_UID, "ours", FAULT_NODE_OPENED, "schedulable, sq"},
        {NODE_OPENED_STATUS, node_opened, NODE_UID, "another's", FAULT_NODE_OTHERS, NULL},
        {NODE_CORDONED_STATUS, node_cordoned, NODE_UID, "ours", FAULT_NODE_OTHERS,
         "unschedulable, without a mark"},
        {NODE_OURS_STATUS, node_ours, "another", "ours", FAULT_NODE_AWAY, "expected another"},
        {NODE_MISSING_STATUS, node_missing, NODE_UID, "ours", FAULT_NODE_AWAY, "not found"},
        {200, NODE(MARKED("\"ours; ended\""), ""), "u", "ours", FAULT_NODE_FENCED, NULL},
        {200, NODE(MARKED("\"ours; or so\""), ""), "u", "ours", FAULT_NODE_OTHERS, NULL},
        {200, NODE(MARKED("\"\""), ""), "u", "ours", FAULT_NODE_OTHERS, NULL},
        {200, NODE("", "\"unschedulable\":false"), "u", "ours", FAULT_NODE_FREE, NULL},
        /* Nothing of these shows that it is free, or gone. */
        {NODE_FORBIDDEN_STATUS, node_forbidden, NODE_UID, "ours", FAULT_NODE_UNKNOWN, "403"},
        {NODE_CONFLICT_STATUS, node_conflict, NODE_UID, "ours", FAULT_NODE_UNKNOWN, "409"},
        {NODE_OTHER_UID_STATUS, node_other_uid, NODE_UID, "ours", FAULT_NODE_UNKNOWN, "422"},
        {404, "{\"message\":\"no such page\"}", NODE_UID, "ours", FAULT_NODE_UNKNOWN, "404"},
        {0, NULL, NODE_UID, "ours", FAULT_NODE_UNKNOWN, "refused"},
        {200, NULL, NODE_UID, "ours", FAULT_NODE_UNKNOWN, "no node"},
        {200, "{}", NODE_UID, "ours", FAULT_NODE_UNKNOWN, "no node"},
        {200, NODE("", "\"unschedulable\":\"false\""), "u", "ours", FAULT_NODE_UNKNOWN, "no node"},
        {200,
         "{\"kind\":\"Pod\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{}}",
         "u", "ours", FAULT_NODE_UNKNOWN, "no node"},
        {200, "{\"kind\":\"Node\",\"metadata\":{\"uid\":\"u\"},\"spec\":{}}", "u", "ours",
         FAULT_NODE_UNKNOWN, "no node"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL;
        struct fault_rest_answer answer = answer_of(cases[i].status, cases[i].text, &json);
        struct fault_node node = {0};
        struct base_error err = {0};
        enum fault_node_sight sight =
            fault_node_see(&answer, cases[i].uid, cases[i].mark, &node, &err);
        if (sight != cases[i].sight)
            fail_msg("case %zu: %d, expected %d", i, (int)sight, (int)cases[i].sight);
        bool seen = sight != FAULT_NODE_UNKNOWN && sight != FAULT_NODE_AWAY;
        char *words = seen ? fault_node_words(&node) : base_str_dup(err.message);
        if (cases[i].says != NULL && strstr(words, cases[i].says) == NULL)
            fail_msg("case %zu: \"%s\" is not in \"%s\"", i, cases[i].says, words);
        free(words);
        fault_node_fini(&node);
        json_decref(json);
    }
}

static void its_kernel_is_known(void **state)
{
    (void)state;
    json_t *json = NULL;
    struct fault_rest_answer answer = answer_of(200, node_free, &json);
    struct fault_node node = {0};
    assert_true(fault_node_read(answer.json, &node, NULL));
    assert_string_equal(node.boot_id, "b00710");
    assert_string_equal(node.version, NODE_VERSION);
    fault_node_fini(&node);
    json_decref(json);
    answer = answer_of(200, NODE("", ""), &json);
    assert_true(fault_node_read(answer.json, &node, NULL));
    assert_null(node.boot_id);
    fault_node_fini(&node);
    json_decref(json);
}

static void only_what_is_ours_is_changed(void **state)
{
    (void)state;
    static const struct {
        enum fault_node_sight sight;
        enum fault_node_next to_mark;
        enum fault_node_next to_lift;
        enum fault_node_next unsure; /* to lift */
    } cases[] = {
        {FAULT_NODE_AWAY, FAULT_NODE_REFUSED, FAULT_NODE_DONE, FAULT_NODE_DONE},
        {FAULT_NODE_FREE, FAULT_NODE_PUT, FAULT_NODE_DONE, FAULT_NODE_FENCE},
        {FAULT_NODE_OURS, FAULT_NODE_DONE, FAULT_NODE_TAKE, FAULT_NODE_TAKE},
        {FAULT_NODE_OPENED, FAULT_NODE_REFUSED, FAULT_NODE_TAKE, FAULT_NODE_TAKE},
        {FAULT_NODE_FENCED, FAULT_NODE_REFUSED, FAULT_NODE_WIPE, FAULT_NODE_WIPE},
        {FAULT_NODE_OTHERS, FAULT_NODE_REFUSED, FAULT_NODE_DONE, FAULT_NODE_DONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum fault_node_sight sight = cases[i].sight;
        assert_int_equal(fault_node_decide(FAULT_NODE_LOOK, sight, true), FAULT_NODE_DONE);
        assert_int_equal(fault_node_decide(FAULT_NODE_MARK, sight, false), cases[i].to_mark);
        assert_int_equal(fault_node_decide(FAULT_NODE_LIFT, sight, false), cases[i].to_lift);
        assert_int_equal(fault_node_decide(FAULT_NODE_LIFT, sight, true), cases[i].unsure);
    }
}

/* Of exactly this node as it was seen: otherwise the server refuses it. */
static void a_request_is_about_what_was_seen(void **state)
{
    (void)state;
    static const struct {
        enum fault_node_next what;
        const char *text;
    } cases[] = {
        {FAULT_NODE_PUT,
         "{\"metadata\":{\"annotations\":{\"squall.dev/cordoned-by\":\"ours\"},"
         "\"resourceVersion\":\"7\",\"uid\":\"u\"},\"spec\":{\"unschedulable\":true}}"},
        {FAULT_NODE_FENCE,
         "{\"metadata\":{\"annotations\":{\"squall.dev/cordoned-by\":\"ours; ended\"},"
         "\"resourceVersion\":\"7\",\"uid\":\"u\"}}"},
        {FAULT_NODE_WIPE, "{\"metadata\":{\"annotations\":{\"squall.dev/cordoned-by\":null},"
                          "\"resourceVersion\":\"7\",\"uid\":\"u\"}}"},
        {FAULT_NODE_TAKE, "{\"metadata\":{\"annotations\":{\"squall.dev/cordoned-by\":null},"
                          "\"resourceVersion\":\"7\",\"uid\":\"u\"},\"spec\":{\"unschedulable\":"
                          "null}}"},
    };
    char uid[] = "u";
    char version[] = "7";
    const struct fault_node node = {.uid = uid, .version = version};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = fault_node_request(cases[i].what, &node, "ours");
        char *text = model_json_dump_line(json);
        assert_string_equal(text, cases[i].text);
        free(text);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_seen_as_it_is),
        cmocka_unit_test(its_kernel_is_known),
        cmocka_unit_test(only_what_is_ours_is_changed),
        cmocka_unit_test(a_request_is_about_what_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
