/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closes the connections of others to the virtual host, once or again and again. RabbitMQ closes
 * them by user, which is at once, while those by name are known to its statistics only, seconds
 * late: who is connected to another virtual host, too, is therefore refused. It tells each client
 * that an operator did it (CONNECTION_FORCED), and waits up to 30 s for one that does not read;
 * clients may connect again. Shown by those from before that are connected no more; over when one
 * that is connected now still is after longer than from one strike to the next. Nothing is held.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "rabbit_action.h"

enum { poll_ms = 50, most_names = 10000 };

/* --- who is connected --- */

static void ask_connected(struct fault_rabbit_subject *subject, struct fault_rabbit *api,
                          fault_rest_next *next)
{
    fault_rabbit_ask(api, "GET", "/connections?disable_stats=true&columns=name,user,vhost", NULL,
                     next, subject);
}

static bool is_list(const struct fault_rest_answer *answer)
{
    return answer->status == 200 && json_is_array(answer->json) &&
           json_array_size(answer->json) <= most_names;
}

static const char *word_of(const json_t *one, const char *key)
{
    const char *word = json_string_value(json_object_get(one, key));
    return word != NULL ? word : "";
}

static bool is_here(const struct fault_rabbit_subject *subject, const json_t *one)
{
    return base_str_eq(word_of(one, "vhost"), subject->vhost_name);
}

static bool holds(const struct fault_rabbit_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (base_str_eq(names->list[i], name))
            return true;
    return false;
}

static void add(struct fault_rabbit_names *names, const char *name)
{
    names->list = base_reallocarray(names->list, names->count + 1, sizeof *names->list);
    names->list[names->count++] = base_str_dup(name);
}

/* Names of the connections to the virtual host. */
static void remember(const struct fault_rabbit_subject *subject, const json_t *list,
                     struct fault_rabbit_names *names)
{
    fault_rabbit_names_fini(names);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_here(subject, json_array_get(list, i)))
            add(names, word_of(json_array_get(list, i), "name"));
}

/* Of those that are watched. */
static size_t still_there(const struct fault_rabbit_subject *subject, const json_t *list)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        count += holds(&subject->watched, word_of(json_array_get(list, i), "name")) ? 1 : 0;
    return count;
}

/* Whoever is connected to another virtual host with the same name; NULL: nobody. */
static const char *elsewhere(const struct fault_rabbit_subject *subject, const json_t *list,
                             const char *user)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (base_str_eq(word_of(json_array_get(list, i), "user"), user) &&
            !is_here(subject, json_array_get(list, i)))
            return word_of(json_array_get(list, i), "vhost");
    return NULL;
}

/* Users of the virtual host, and of no other one. */
static void users_of(const struct fault_rabbit_subject *subject, const json_t *list,
                     struct fault_rabbit_names *users)
{
    fault_rabbit_names_fini(users);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *user = word_of(one, "user");
        if (is_here(subject, one) && !holds(users, user) && elsewhere(subject, list, user) == NULL)
            add(users, user);
    }
}

/* --- before --- */

static bool all_alone(struct fault_rabbit_subject *subject, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *user = word_of(one, "user");
        const char *other = is_here(subject, one) ? elsewhere(subject, list, user) : NULL;
        if (other == NULL)
            continue;
        BASE_AUTO_FREE char *why = base_str_printf(
            "the user %s is connected to the virtual host %s, too: all connections of a user are "
            "closed",
            user, other);
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, why, NULL);
        return false;
    }
    return true;
}

static void before_list(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (!is_list(answer)) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot list its connections", answer);
        return;
    }
    remember(subject, answer->json, &subject->watched);
    size_t count = subject->watched.count;
    BASE_AUTO_FREE char *value = base_str_printf("%zu", count);
    fault_store_evidence(subject->store, "connections", value, "at least 1", count > 0);
    if (count == 0)
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "nobody is connected to the virtual host",
                          NULL);
    else if (all_alone(subject, answer->json))
        fault_rabbit_ok(subject);
}

static void close_prepare(void *own)
{
    struct fault_rabbit_subject *subject = own;
    ask_connected(subject, subject->api, before_list);
}

/* --- strikes --- */

/* Of a node that has carried it out; one that is away has no connections either. */
static void strike_over(struct fault_rabbit_subject *subject)
{
    subject->toll.strikes += subject->struck_all ? 1 : 0;
    subject->toll.ended += subject->struck_all ? (int64_t)subject->struck : 0;
    if (subject->spec->rabbitmq.every.ns > 0)
        io_timer_start(&subject->again, subject->spec->rabbitmq.every);
}

/* How many connections the users have that are about to lose them. */
static size_t count_struck(const struct fault_rabbit_subject *subject, const json_t *list)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        bool struck = is_here(subject, one) && holds(&subject->users, word_of(one, "user"));
        count += struck ? 1 : 0;
    }
    return count;
}

static void close_all(struct fault_rabbit_subject *subject, struct fault_rabbit *api,
                      const json_t *list, fault_rest_next *next)
{
    users_of(subject, list, &subject->users);
    subject->struck = count_struck(subject, list);
    subject->struck_all = true;
    subject->answers_due = subject->users.count;
    for (size_t i = 0; i < subject->users.count; i++) {
        BASE_AUTO_FREE char *user = fault_rest_encode(subject->users.list[i]);
        BASE_AUTO_FREE char *path = base_str_printf("/connections/username/%s", user);
        fault_rabbit_ask(api, "DELETE", path, NULL, next, subject);
    }
}

static void on_hand(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->struck_all = subject->struck_all && answer->status == 204;
    if (--subject->answers_due == 0)
        strike_over(subject);
}

static void hand_list(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->answers_due = 0;
    subject->struck_all = false;
    if (is_list(answer))
        close_all(subject, subject->hand, answer->json, on_hand);
    if (subject->answers_due == 0)
        strike_over(subject);
}

static void strike(struct fault_rabbit_subject *subject)
{
    ask_connected(subject, subject->hand, hand_list);
}

static void after_close(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (answer->status != 204) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot close connections", answer);
    } else if (--subject->answers_due == 0) {
        strike_over(subject);
        fault_rabbit_ok(subject);
    }
}

static void apply_list(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->answers_due = 0;
    if (is_list(answer)) {
        remember(subject, answer->json, &subject->watched);
        close_all(subject, subject->api, answer->json, after_close);
    }
    if (subject->answers_due == 0)
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "nobody is connected any more",
                          is_list(answer) ? NULL : answer);
}

static void close_apply(void *own)
{
    struct fault_rabbit_subject *subject = own;
    subject->due = strike;
    ask_connected(subject, subject->api, apply_list);
}

/* --- during --- */

static void look(struct fault_rabbit_subject *subject);

static void during_list(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    int64_t patience = subject->spec->lease.ns / 2;
    bool patient = base_mono_sub(base_mono_now(), subject->began).ns < patience;
    size_t all = subject->watched.count;
    size_t left = is_list(answer) ? still_there(subject, answer->json) : all;
    if (left > 0 && patient) { /* clients are to answer first */
        subject->waited = look;
        io_timer_start(&subject->wait, base_dur_ms(poll_ms));
        return;
    }
    bool ok = left < all;
    BASE_AUTO_FREE char *value = base_str_printf(
        "%zu of %zu%s", left, all, left > 0 ? ", whose clients have not answered yet" : "");
    fault_store_evidence(subject->store, "connections from before", value, "fewer than all", ok);
    if (ok)
        fault_rabbit_ok(subject);
    else
        fault_rabbit_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                          "connections from before the fault are still there; see the evidence",
                          is_list(answer) ? NULL : answer);
}

static void look(struct fault_rabbit_subject *subject)
{
    ask_connected(subject, subject->api, during_list);
}

static void close_verify(void *own)
{
    struct fault_rabbit_subject *subject = own;
    subject->began = base_mono_now();
    look(subject);
}

static void close_revert(void *own)
{
    struct fault_rabbit_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_rabbit_cancel(subject->hand);
    fault_rabbit_ok(subject);
}

/* --- after --- */

/* Unless nobody has counted, as after a recovery. */
static void say_toll(struct fault_rabbit_subject *subject)
{
    const struct fault_toll *toll = &subject->toll;
    BASE_AUTO_FREE char *value =
        base_str_printf("%" PRId64 ", by %" PRId64 " strikes", toll->ended, toll->strikes);
    if (toll->strikes > 0)
        fault_store_evidence(subject->store, "connections that were closed", value, "at least 1",
                             toll->ended > 0);
}

static void after_rest(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    size_t all = subject->watched.count;
    size_t left = is_list(answer) ? still_there(subject, answer->json) : 0;
    int64_t ms = base_dur_to_ms(base_mono_sub(base_mono_now(), subject->began));
    if (!is_list(answer) || (all > 0 && left == 0)) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "no connection lives on",
                          is_list(answer) ? NULL : answer);
        return;
    }
    BASE_AUTO_FREE char *value =
        all == 0 ? base_str_dup("nobody is connected")
                 : base_str_printf("%zu of %zu live after %" PRId64 " ms", left, all, ms);
    fault_store_evidence(subject->store, "connections", value, "one lives, if there is any", true);
    say_toll(subject);
    fault_rabbit_ok(subject);
}

static void rested(struct fault_rabbit_subject *subject)
{
    ask_connected(subject, subject->api, after_rest);
}

static void after_list(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_rabbit_subject *subject = ctx;
    if (!is_list(answer)) {
        fault_rabbit_fail(subject, FAULT_OUTCOME_FAILED, "cannot list its connections", answer);
        return;
    }
    remember(subject, answer->json, &subject->watched);
    subject->began = base_mono_now();
    subject->waited = rested;
    io_timer_start(&subject->wait, fault_toll_rest(subject->store, subject->spec->rabbitmq.every));
}

static void close_gone(void *own)
{
    struct fault_rabbit_subject *subject = own;
    ask_connected(subject, subject->api, after_list);
}

const struct fault_rabbit_steps fault_rabbit_close = {
    .step = {[FAULT_STEP_PREPARE] = close_prepare,
             [FAULT_STEP_APPLY] = close_apply,
             [FAULT_STEP_VERIFY] = close_verify,
             [FAULT_STEP_REVERT] = close_revert,
             [FAULT_STEP_VERIFY_GONE] = close_gone},
};
