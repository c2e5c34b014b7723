/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of the fault's own is filled with messages: they take memory, and disk where the node
 * pages. The queue goes by itself two seconds after it was declared last (x-expires), messages and
 * all; the agent declares it again several times a second. An expiry cannot be changed afterwards,
 * so that of a lease would not follow a renewal. Refused when the node's own watermark, at which it
 * blocks every publisher, would be reached.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "rabbit_action.h"

enum {
    mib = 1 << 20,
    message_bytes = mib,
    at_once = 4,
    again_ms = 200,
    expiry_ms = 2000,
    refresh_ms = 400
};
static const double limit_share = 0.9; /* of the watermark: more is never filled */
static const double cost = 1.5; /* of what is sent: while it is taken in, it is there twice */

/* --- before --- */

static void ask_nodes(struct fault_rabbit_subject *subject);

static double number_of(const json_t *node, const char *key)
{
    return (double)json_integer_value(json_object_get(node, key));
}

const json_t *fault_rabbit_tightest(const json_t *nodes)
{
    const json_t *tightest = NULL;
    double least = 0;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        double limit = number_of(node, "mem_limit");
        double left = limit * limit_share - number_of(node, "mem_used");
        if (json_is_false(json_object_get(node, "running")))
            continue;
        if (limit <= 0)
            return NULL;
        if (tightest == NULL || left < least) {
            tightest = node;
            least = left;
        }
    }
    return tightest;
}

static void before_nodes(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    const json_t *node = fault_rabbit_tightest(answer->json);
    double used = number_of(node, "mem_used");
    double limit = number_of(node, "mem_limit");
    double wanted = (double)subject->spec->rabbitmq.bytes * cost;
    if (answer->status == 200 && node == NULL) {
        subject->waited = ask_nodes;
        io_timer_start(&subject->wait, base_dur_ms(again_ms));
        return;
    }
    if (answer->status != 200) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot ask for its memory", answer);
        return;
    }
    bool ok = used + wanted <= limit * limit_share;
    BASE_AUTO_FREE char *value = base_str_printf("%.1f of %.1f MiB", used / mib, limit / mib);
    BASE_AUTO_FREE char *most = base_str_printf("%.1f MiB more below 90%% of that", wanted / mib);
    fault_store_evidence(subject->store, "memory below its watermark", value, most, ok);
    if (ok)
        fault_rabbit_ok(subject);
    else
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED,
                          "it would come near its memory watermark, at which nobody may publish: "
                          "ask for less",
                          NULL);
}

static void ask_nodes(struct fault_rabbit_subject *subject)
{
    fault_rabbit_ask(subject->api, "GET", "/nodes?columns=running,mem_used,mem_limit", NULL,
                     before_nodes, subject);
}

static void say_queue(struct fault_rabbit_subject *subject, const char *value, const char *expected,
                      bool ok)
{
    fault_store_evidence(subject->store, "messages in the fault's queue", value, expected, ok);
}

static void before_queue(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    bool ok = answer->status == 404;
    if (answer->status == 200 || ok)
        say_queue(subject, ok ? "no such queue" : "there is one", "no such queue", ok);
    if (ok)
        ask_nodes(subject);
    else
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot look for a queue of that name",
                          answer);
}

static void fill_prepare(void *own)
{
    struct fault_rabbit_subject *subject = own;
    fault_rabbit_ask(subject->api, "GET", subject->queue, NULL, before_queue, subject);
}

/* --- filling --- */

/* Declared again with the same words, its expiry begins anew. */
static void declare(struct fault_rabbit_subject *subject, struct fault_rabbit *api,
                    fault_rest_next *next)
{
    fault_rabbit_ask(api, "PUT", subject->queue,
                     json_pack("{s:b, s:b, s:{s:i}}", "durable", 0, "auto_delete", 0, "arguments",
                               "x-expires", expiry_ms),
                     next, subject);
}

/* 201: it was gone, and is a new one; no answer: the next time, then. */
static void refreshed(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->lost = subject->lost || answer->status == 201;
    io_timer_start(&subject->again, base_dur_ms(refresh_ms));
}

/* Not for longer than the lease, should nobody revert it. */
static void refresh(struct fault_rabbit_subject *subject)
{
    if (fault_effect_left(subject->store->fault).ns > 0)
        declare(subject, subject->hand, refreshed);
}

static void one_sent(void *ctx, const struct fault_rest_answer *answer);

static void send_one(struct fault_rabbit_subject *subject)
{
    BASE_AUTO_FREE char *path =
        base_str_printf("/exchanges/%s/amq.default/publish", subject->vhost);
    BASE_AUTO_FREE char *key = base_str_printf("squall.%s", subject->spec->id);
    BASE_AUTO_FREE char *payload = base_calloc(1, message_bytes + 1);
    memset(payload, 'x', message_bytes);
    subject->sent++;
    fault_rabbit_ask(subject->api, "POST", path,
                     json_pack("{s:{s:i}, s:s, s:s, s:s}", "properties", "delivery_mode", 1,
                               "routing_key", key, "payload", payload, "payload_encoding",
                               "string"),
                     one_sent, subject);
}

static void one_sent(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->answers_due--;
    if (answer->status != 200 || !json_is_true(json_object_get(answer->json, "routed"))) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot publish to the fault's queue",
                          answer);
    } else if (subject->sent < subject->messages) {
        subject->answers_due++;
        send_one(subject);
    } else if (subject->answers_due == 0) {
        fault_rabbit_ok(subject);
    }
}

static void declared(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (answer->status != 201) { /* 204: somebody was faster */
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot declare a queue", answer);
        return;
    }
    io_timer_start(&subject->again, base_dur_ms(refresh_ms));
    subject->messages = (size_t)(subject->spec->rabbitmq.bytes + message_bytes - 1) / message_bytes;
    subject->sent = 0;
    subject->answers_due = 0;
    while (subject->answers_due < at_once && subject->sent < subject->messages) {
        subject->answers_due++;
        send_one(subject);
    }
}

static void fill_apply(void *own)
{
    struct fault_rabbit_subject *subject = own;
    subject->due = refresh;
    subject->lost = false;
    declare(subject, subject->api, declared);
}

/* --- during --- */

/* The node's own count, not that of its statistics, which are seconds old: the first message is
 * taken and put back, and with it comes how many there are behind it. */
static void during_first(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    const json_t *first = json_array_get(answer->json, 0);
    int64_t behind = json_integer_value(json_object_get(first, "message_count"));
    int64_t size = json_integer_value(json_object_get(first, "payload_bytes"));
    int64_t count = first != NULL ? behind + 1 : 0;
    bool ok = count == (int64_t)subject->messages && size == message_bytes;
    BASE_AUTO_FREE char *value =
        base_str_printf("%" PRId64 " of %.1f MiB", count, (double)size / mib);
    BASE_AUTO_FREE char *expected =
        base_str_printf("%zu of %.1f MiB", subject->messages, (double)message_bytes / mib);
    say_queue(subject, value, expected, ok);
    if (ok)
        fault_rabbit_ok(subject);
    else
        fault_rabbit_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                          "its messages are not all there; see the evidence",
                          answer->status == 200 ? NULL : answer);
}

static void fill_verify(void *own)
{
    struct fault_rabbit_subject *subject = own;
    BASE_AUTO_FREE char *path = base_str_printf("%s/get", subject->queue);
    fault_rabbit_ask(subject->api, "POST", path,
                     json_pack("{s:i, s:s, s:s, s:i}", "count", 1, "ackmode", "ack_requeue_true",
                               "encoding", "auto", "truncate", 1),
                     during_first, subject);
}

static void redeclared(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (answer->status == 204 && !subject->lost)
        fault_rabbit_ok(subject);
    else
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "the fault's queue was gone",
                          answer->status == 0 ? answer : NULL);
}

static void fill_renew(void *own)
{
    struct fault_rabbit_subject *subject = own;
    declare(subject, subject->api, redeclared);
}

/* --- after --- */

static void deleted(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (answer->status == 204 || answer->status == 404)
        fault_rabbit_ok(subject);
    else /* then it expires */
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot delete the fault's queue", answer);
}

static void fill_revert(void *own)
{
    struct fault_rabbit_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_rabbit_cancel(subject->hand);
    fault_rabbit_ask(subject->api, "DELETE", subject->queue, NULL, deleted, subject);
}

static void after_queue(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (answer->status != 404) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "the fault's queue is still there",
                          answer->status == 200 ? NULL : answer);
        return;
    }
    say_queue(subject, "no such queue", "no such queue", true);
    fault_rabbit_ok(subject);
}

static void fill_gone(void *own)
{
    struct fault_rabbit_subject *subject = own;
    fault_rabbit_ask(subject->api, "GET", subject->queue, NULL, after_queue, subject);
}

const struct fault_rabbit_steps fault_rabbit_fill = {
    .step = {[FAULT_STEP_PREPARE] = fill_prepare,
             [FAULT_STEP_APPLY] = fill_apply,
             [FAULT_STEP_VERIFY] = fill_verify,
             [FAULT_STEP_RENEW] = fill_renew,
             [FAULT_STEP_REVERT] = fill_revert,
             [FAULT_STEP_VERIFY_GONE] = fill_gone},
};
