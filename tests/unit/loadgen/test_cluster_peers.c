/* SPDX-License-Identifier: Apache-2.0 */
/* What several workers hand over becomes one result, and what does not add up is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "cluster_peers.h"
#include "lateness.h"
#include "model/hlog.h"

enum { WORKERS = 2, DUE = 100 };

static struct load_route route = {.weight = 1};
static const struct load_spec spec = {.arrivals = LOAD_CONSTANT,
                                      .rate = DUE,
                                      .duration = {BASE_NS_PER_S},
                                      .routes = &route,
                                      .route_count = 1};

struct sum {
    struct load_peers peers;
    struct load_merge *merge;
    struct load_result result;
};

static void record(struct load_peer *peer, const char *tag, int64_t value, int64_t count)
{
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, value, count);
    assert_true(
        hlog_write_entry(&peer->log, tag, (struct wall_ns){0}, base_dur_ms(1000), &hdr, NULL));
    hdr_fini(&hdr);
}

/* Two workers that did half of the schedule each. */
static struct sum two_good_ones(void)
{
    struct sum sum = {.merge = load_merge_new()};
    load_peers_init(&sum.peers, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        struct load_peer *peer = &sum.peers.all[i];
        peer->name = base_str_printf("host-%d:7", i);
        peer->ready = peer->finished = true;
        peer->counts = (struct load_counts){.intended = DUE / 2, .sent = DUE / 2, .ok = DUE / 2};
        peer->result = (struct load_result){.complete = true,
                                            .total = peer->counts,
                                            .scheduled = {BASE_NS_PER_S},
                                            .end = {2 * BASE_NS_PER_S + i},
                                            .cpu = {5}};
        record(peer, "load/url/ended", 1000 * (i + 1), DUE / 2);
        if (i == 0) /* the other one was lost before all of its intervals were closed */
            record(peer, "load/url/response", 1000 * (i + 1), DUE / 2);
    }
    return sum;
}

static void conclude(struct sum *sum)
{
    const struct load_peers_start start = {.wall = {BASE_NS_PER_S}, .mono = {77}};
    struct base_error err;
    if (!load_peers_conclude(&sum->peers, &spec, &start, sum->merge, &sum->result, &err))
        fail_msg("%s", err.message);
}

static void fini(struct sum *sum)
{
    load_peers_fini(&sum->peers);
    load_merge_free(sum->merge);
    load_result_fini(&sum->result);
}

static void test_two_halves_are_a_whole(void **state)
{
    (void)state;
    struct sum sum = two_good_ones();
    conclude(&sum);
    const struct load_result *result = &sum.result;
    assert_true(result->complete);
    assert_false(result->client_limited);
    assert_null(result->client_limited_why);
    assert_int_equal(result->total.ok, DUE);
    assert_int_equal(result->end.ns, 2 * BASE_NS_PER_S + 1);
    assert_int_equal(result->end_mono.ns, 77 + BASE_NS_PER_S + 1);
    assert_int_equal(result->cpu.ns, 10);
    const struct hdr *response = load_merge_ended(sum.merge);
    assert_int_equal(hdr_count_at(response, 1000), DUE / 2);
    assert_int_equal(hdr_count_at(response, 2000), DUE / 2);
    fini(&sum);
}

static void late(struct load_peer *peer, enum load_delay cause, int64_t ns, int64_t count)
{
    struct hdr late[LOAD_DELAY_COUNT] = {{.counts = NULL}};
    assert_true(hdr_init_latency(&late[cause], NULL));
    hdr_record_n(&late[cause], ns, count);
    load_lateness_list(&peer->result, late);
    hdr_fini(&late[cause]);
}

/* Why requests were sent late is known of all of them: the histograms are added, not their figures.
 * 10 of 1 us and 990 of 9 ms have a p50 of 9 ms. */
static void test_lateness_and_threads_are_of_all(void **state)
{
    (void)state;
    struct sum sum = two_good_ones();
    late(&sum.peers.all[0], LOAD_DELAY_TIMER, 1000, 10);
    late(&sum.peers.all[1], LOAD_DELAY_TIMER, 9000000, 990);
    for (size_t i = 0; i < WORKERS; i++) {
        struct load_result *one = &sum.peers.all[i].result;
        one->threads = base_calloc(i + 1, sizeof *one->threads);
        one->thread_count = i + 1;
        one->threads[i] = (struct load_thread){.span = {(int64_t)(10 + i)}};
    }
    conclude(&sum);
    assert_int_equal(sum.result.lateness_count, 1);
    const struct load_lateness *timer = &sum.result.lateness[0];
    assert_int_equal(timer->cause, LOAD_DELAY_TIMER);
    assert_int_equal(timer->count, 1000);
    assert_true(timer->p50.ns > 8900000 && timer->max.ns < 9100000);
    struct hdr both;
    assert_true(hdr_decode(timer->histogram, strlen(timer->histogram), &both, NULL));
    assert_int_equal(hdr_count_at(&both, 1000), 10);
    assert_int_equal(hdr_count_at(&both, 9000000), 990);
    hdr_fini(&both);
    assert_int_equal(sum.result.thread_count, 3);
    assert_int_equal(sum.result.threads[0].span.ns, 10);
    assert_int_equal(sum.result.threads[2].span.ns, 11);
    fini(&sum);

    for (int damage = 0; damage < 2; damage++) {
        sum = two_good_ones();
        late(&sum.peers.all[1], LOAD_DELAY_BUSY, 5, 7);
        struct load_lateness *busy = &sum.peers.all[1].result.lateness[0];
        if (damage == 0) {
            busy->count = 8;
        } else {
            free(busy->histogram);
            busy->histogram = NULL;
        }
        const struct load_peers_start start = {.wall = {1}, .mono = {1}};
        struct base_error err;
        assert_false(load_peers_conclude(&sum.peers, &spec, &start, sum.merge, &sum.result, &err));
        assert_int_equal(err.code, BASE_CORRUPT);
        assert_non_null(strstr(err.message, "worker 1 (host-1:7): schedule errors (loop_busy): "));
        fini(&sum);
    }
}

static void note(struct load_result *result, const char *text)
{
    result->notes = base_reallocarray(result->notes, result->note_count + 1, sizeof *result->notes);
    result->notes[result->note_count++] = base_str_dup(text);
}

/* That certificates were not verified, and what failed where, is no less so with several hosts. */
static void test_what_weakens_the_evidence_is_said(void **state)
{
    (void)state;
    struct sum sum = two_good_ones();
    for (int i = 0; i < WORKERS; i++) {
        struct load_result *one = &sum.peers.all[i].result;
        one->tls = (struct load_tls_result){.verified = base_str_dup("nothing"),
                                            .protocol = base_str_dup("TLSv1.3"),
                                            .handshakes = 5,
                                            .resumed = 2};
        note(one, "INSECURE");
    }
    note(&sum.peers.all[1].result, "connect (refused): 3 requests failed");
    sum.peers.all[1].result.client_limited = true;
    sum.peers.all[1].result.client_limited_by = LOAD_LIMIT_CPU;
    sum.peers.all[1].result.client_limited_why = base_str_dup("busy");
    conclude(&sum);
    const struct load_result *result = &sum.result;
    assert_string_equal(result->tls.verified, "nothing");
    assert_string_equal(result->tls.protocol, "TLSv1.3");
    assert_int_equal(result->tls.handshakes, 10);
    assert_int_equal(result->tls.resumed, 4);
    assert_int_equal(result->note_count, 2);
    assert_string_equal(result->notes[0], "INSECURE");
    assert_string_equal(result->notes[1],
                        "worker 1 (host-1:7): connect (refused): 3 requests failed");
    assert_int_equal(result->client_limited_by, LOAD_LIMIT_CPU);
    fini(&sum);
}

static void expect_trouble(struct sum *sum, const char *told)
{
    conclude(sum);
    assert_true(sum->result.client_limited);
    assert_int_equal(sum->result.client_limited_by, LOAD_LIMIT_WORKER);
    if (strstr(sum->result.client_limited_why, told) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", sum->result.client_limited_why, told);
    fini(sum);
}

static void test_what_does_not_add_up(void **state)
{
    (void)state;
    struct sum sum = two_good_ones();
    sum.peers.all[1].result.total.sent++; /* an interval did not come */
    expect_trouble(&sum, "worker 1 (host-1:7) counted 51 requests, but its intervals hold 50");

    sum = two_good_ones();
    record(&sum.peers.all[0], "load/url/ended", 5, 1); /* a histogram came twice */
    expect_trouble(&sum, "100 requests succeeded, but 101 were recorded");

    sum = two_good_ones();
    base_buf_clear(&sum.peers.all[0].log);
    expect_trouble(&sum, "100 requests succeeded, but 50 were recorded");

    sum = two_good_ones(); /* both took the same share, and one arrival nobody's */
    sum.peers.all[0].counts.intended--;
    sum.peers.all[0].result.total.intended--;
    expect_trouble(&sum, "100 requests were due, but the workers together knew of 99");

    sum = two_good_ones();
    sum.peers.all[1].result.client_limited = true;
    sum.peers.all[1].result.client_limited_why = base_str_dup("late");
    load_peers_trouble(&sum.peers, "worker %d fell silent", 0);
    expect_trouble(&sum, "worker 0 fell silent; worker 1 (host-1:7): late");
}

/* One that was lost: what it had handed over counts, and the whole is not complete. */
static void test_who_is_lost_leaves_a_hole(void **state)
{
    (void)state;
    struct sum sum = two_good_ones();
    sum.peers.all[1].finished = false;
    sum.peers.all[1].lost = true;
    load_result_fini(&sum.peers.all[1].result);
    sum.peers.all[1].result = (struct load_result){.complete = false};
    conclude(&sum);
    assert_false(sum.result.complete);
    assert_int_equal(sum.result.total.ok, DUE);
    assert_int_equal(sum.result.cpu.ns, 5);
    fini(&sum);

    sum = two_good_ones();
    base_buf_clear(&sum.peers.all[0].log);
    assert_true(base_buf_str(&sum.peers.all[0].log, "Tag=x,nonsense\n"));
    const struct load_peers_start start = {.wall = {1}, .mono = {1}};
    struct base_error err;
    assert_false(load_peers_conclude(&sum.peers, &spec, &start, sum.merge, &sum.result, &err));
    assert_non_null(strstr(err.message, "host-0:7:1: "));
    fini(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_halves_are_a_whole),
        cmocka_unit_test(test_lateness_and_threads_are_of_all),
        cmocka_unit_test(test_what_weakens_the_evidence_is_said),
        cmocka_unit_test(test_what_does_not_add_up),
        cmocka_unit_test(test_who_is_lost_leaves_a_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
