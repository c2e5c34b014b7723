/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/json.h"
#include "past.h"

enum { MANY = 1024 };

/* One as an agent makes it: a target, and evidence from before, during and after. */
static struct agent_past_fault made(unsigned number)
{
    struct agent_past_fault fault = {0};
    struct fault_spec *spec = &fault.spec;
    struct fault_record *record = &fault.record;
    struct wall_ns base = {INT64_C(1795747394000000000) + number * BASE_NS_PER_S};
    *spec = (struct fault_spec){
        .id = base_str_printf("run-7f3a-%u", number),
        .run = base_str_printf("run-%u", number % 10),
        .started = base,
        .name = base_str_dup("cut-off"),
        .kind = FAULT_PARTITION,
        .duration = base_dur_s(30),
        .lease = base_dur_s(10),
        .max_affected = 0.5,
        .service = base_str_dup("users"),
        .targets = base_calloc(1, sizeof(char *)),
        .target_count = 1,
        .partition = {.peers = base_calloc(1, sizeof(char *)), .peer_count = 1},
    };
    spec->targets[0] = base_str_printf("users-%u", number % 200);
    spec->partition.peers[0] = base_str_dup("postgres");
    *record = (struct fault_record){
        .id = base_str_dup(spec->id),
        .run = base_str_dup(spec->run),
        .name = base_str_dup("cut-off"),
        .kind = FAULT_PARTITION,
        .targets = base_calloc(1, sizeof(char *)),
        .target_count = 1,
        .state = FAULT_GONE,
        .end = FAULT_END_REQUEST,
        .was_active = true,
        .error = number % 7 == 0 ? base_str_dup("an error") : NULL,
        .requested_at = base,
        .applied_at = {base.ns + 1000003 * (int64_t)number},
        .gone_at = {base.ns + 5 * BASE_NS_PER_S},
    };
    record->targets[0] = base_str_dup(spec->targets[0]);
    static const char *const when[] = {"before", "during", "after"};
    for (size_t i = 0; i < 3; i++) {
        BASE_AUTO_FREE char *value = base_str_printf("connected in %u us", 200 + number % 97);
        fault_record_add_evidence(record, spec->targets[0], when[i],
                                  "tcp connect to postgres-1:5432", value, "connected", true,
                                  (struct wall_ns){base.ns + 12345 * (int64_t)i});
    }
    return fault;
}

static char *text_of(json_t *json)
{
    char *text = model_json_dump_line(json);
    json_decref(json);
    return text;
}

static void assert_same(const struct agent_past_fault *a, const struct agent_past_fault *b)
{
    BASE_AUTO_FREE char *spec = text_of(fault_spec_to_json(&a->spec));
    BASE_AUTO_FREE char *other_spec = text_of(fault_spec_to_json(&b->spec));
    BASE_AUTO_FREE char *record = text_of(fault_record_to_json(&a->record));
    BASE_AUTO_FREE char *other_record = text_of(fault_record_to_json(&b->record));
    assert_string_equal(spec, other_spec);
    assert_string_equal(record, other_record);
}

/* Numbers from..to - 1, closed after every `each`; what they take as text. */
static size_t fill(struct agent_past *past, unsigned from, unsigned to, unsigned each)
{
    size_t plain = 0;
    for (unsigned i = from; i < to; i++) {
        struct agent_past_fault fault = made(i);
        BASE_AUTO_FREE char *spec = text_of(fault_spec_to_json(&fault.spec));
        BASE_AUTO_FREE char *record = text_of(fault_record_to_json(&fault.record));
        plain += strlen(spec) + strlen(record);
        assert_true(agent_past_add(past, &fault.spec, &fault.record));
        agent_past_fault_fini(&fault);
        if ((i + 1) % each == 0)
            agent_past_close(past);
    }
    return plain;
}

static void each_is_found_as_it_was(void **state)
{
    (void)state;
    struct agent_past *past = agent_past_new();
    (void)fill(past, 0, 300, 77); /* the last ones are in a piece that is open */
    assert_int_equal(agent_past_count(past), 300);
    for (unsigned i = 0; i < 300; i++) {
        struct agent_past_fault found;
        struct agent_past_fault expected = made(i);
        assert_true(agent_past_find(past, expected.spec.id, &found));
        assert_same(&found, &expected);
        agent_past_fault_fini(&found);
        agent_past_fault_fini(&expected);
    }
    struct agent_past_fault none;
    assert_false(agent_past_find(past, "run-7f3a-300", &none));
    assert_false(agent_past_find(past, "", &none));
    agent_past_free(past);
}

/* What a thousand faults that are gone may cost an idle agent, as bytes and as a part of what they
 * were as text. */
static void a_thousand_take_little_room(void **state)
{
    (void)state;
    struct agent_past *past = agent_past_new();
    size_t plain = fill(past, 0, MANY, 64);
    agent_past_close(past);
    assert_true(plain > MANY * 1000);
    assert_in_range(agent_past_bytes(past), 1, plain / 5);
    assert_in_range(agent_past_bytes(past), 1, 384 * 1024);
    agent_past_prune(past, (struct wall_ns){INT64_MAX}, MANY);
    assert_int_equal(agent_past_count(past), 0);
    /* What is left is the list of them, which is empty. */
    assert_in_range(agent_past_bytes(past), 0, MANY * 64);
    agent_past_free(past);
}

struct seen {
    unsigned count;
    unsigned next;
    unsigned runs;
};

static void on_record(void *ctx, struct wall_ns requested_at, json_t *record)
{
    struct seen *seen = ctx;
    struct agent_past_fault expected = made(seen->next);
    assert_int_equal(requested_at.ns, expected.record.requested_at.ns);
    BASE_AUTO_FREE char *text = text_of(record);
    BASE_AUTO_FREE char *other = text_of(fault_record_to_json(&expected.record));
    assert_string_equal(text, other);
    agent_past_fault_fini(&expected);
    seen->next++;
    seen->count++;
}

static void on_run(void *ctx, const char *run)
{
    struct seen *seen = ctx;
    BASE_AUTO_FREE char *expected = base_str_printf("run-%u", seen->runs++ % 10);
    assert_string_equal(run, expected);
}

static void all_are_told_and_their_runs(void **state)
{
    (void)state;
    struct agent_past *past = agent_past_new();
    struct seen seen = {0};
    (void)fill(past, 0, 200, 90);
    agent_past_each(past, on_record, &seen);
    assert_int_equal(seen.count, 200);
    agent_past_runs(past, on_run, &seen);
    assert_int_equal(seen.runs, 200);
    agent_past_free(past);
}

static void old_ones_go_and_the_oldest_of_too_many(void **state)
{
    (void)state;
    struct agent_past *past = agent_past_new();
    (void)fill(past, 0, 100, 30);
    struct agent_past_fault tenth = made(10);
    agent_past_prune(past, tenth.record.gone_at, 1000); /* the tenth itself is not before then */
    assert_int_equal(agent_past_count(past), 90);
    agent_past_prune(past, tenth.record.gone_at, 50);
    assert_int_equal(agent_past_count(past), 50);
    struct seen seen = {.next = 50};
    agent_past_each(past, on_record, &seen);
    assert_int_equal(seen.next, 100);
    agent_past_fault_fini(&tenth);
    agent_past_free(past);
}

static void one_that_is_taken_is_here_no_more(void **state)
{
    (void)state;
    struct agent_past *past = agent_past_new();
    struct agent_past_fault found;
    struct agent_past_fault expected = made(33);
    (void)fill(past, 0, 64, 16);
    assert_true(agent_past_take(past, "run-7f3a-33", &found));
    assert_same(&found, &expected);
    agent_past_fault_fini(&found);
    assert_int_equal(agent_past_count(past), 63);
    assert_false(agent_past_take(past, "run-7f3a-33", &found));
    /* It ends once more, as when somebody had asked for it: behind the others. */
    assert_true(agent_past_add(past, &expected.spec, &expected.record));
    assert_true(agent_past_find(past, "run-7f3a-33", &found));
    agent_past_fault_fini(&found);
    for (unsigned i = 0; i < 64; i++) {
        BASE_AUTO_FREE char *id = base_str_printf("run-7f3a-%u", i);
        assert_true(agent_past_take(past, id, &found));
        agent_past_fault_fini(&found);
    }
    assert_int_equal(agent_past_count(past), 0);
    agent_past_fault_fini(&expected);
    agent_past_free(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_as_it_was),
        cmocka_unit_test(a_thousand_take_little_room),
        cmocka_unit_test(all_are_told_and_their_runs),
        cmocka_unit_test(old_ones_go_and_the_oldest_of_too_many),
        cmocka_unit_test(one_that_is_taken_is_here_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
