/* SPDX-License-Identifier: Apache-2.0 */
#include "chaos/node_watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "node_guard.h"
#include "node_mark.h"

/* A server that does not answer must not keep its next try waiting. */
enum { ask_ms = 2000, again_first_ms = 100, again_most_ms = 5000, give_up_s = 24 * 3600 };

struct node_watch;

struct watched {
    struct node_watch *watch;
    struct fault_node_mark mark;
    struct io_timer again;
    struct dur_ns wait;
    bool over;
};

struct node_watch {
    struct io_loop *loop;
    struct io_http *http;
    struct watched *list;
    size_t count;
    size_t seen; /* nodes that the server has answered about */
    struct io_watch line;
    struct io_timer late;
    struct mono_ns deadline;
    bool lifting;
    bool failed;
    struct mono_ns begun; /* to lift */
};

/* --- taking them off --- */

static void on_lifted(void *ctx, const struct base_error *err);

static void on_again(void *ctx)
{
    struct watched *one = ctx;
    fault_node_mark_ask(&one->mark, FAULT_NODE_LIFT, on_lifted, one);
}

static bool all_over(const struct node_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        if (!watch->list[i].over)
            return false;
    return true;
}

static void on_lifted(void *ctx, const struct base_error *err)
{
    struct watched *one = ctx;
    struct node_watch *watch = one->watch;
    bool late = base_mono_sub(base_mono_now(), watch->begun).ns > give_up_s * BASE_NS_PER_S;
    watch->failed = watch->failed || (err != NULL && late);
    one->over = err == NULL || late;
    if (one->over) {
        if (all_over(watch))
            io_loop_stop(watch->loop);
        return;
    }
    io_timer_start(&one->again, one->wait);
    one->wait.ns *= 2;
    if (one->wait.ns > again_most_ms * BASE_NS_PER_MS)
        one->wait = base_dur_ms(again_most_ms);
}

static void lift(struct node_watch *watch)
{
    watch->lifting = true;
    watch->begun = base_mono_now();
    io_watch_set(&watch->line, 0);
    io_timer_stop(&watch->late);
    for (size_t i = 0; i < watch->count; i++) {
        /* Whether the agent had a request under way is not to be known. */
        watch->list[i].mark.unsure = true;
        on_again(&watch->list[i]);
    }
}

/* --- until then --- */

static void on_line(void *ctx, unsigned events)
{
    (void)events;
    struct node_watch *watch = ctx;
    if (fault_satellite_holds(FAULT_NODE_GUARD_LINE, &watch->deadline))
        io_timer_start(&watch->late, base_mono_sub(watch->deadline, base_mono_now()));
    else
        lift(watch);
}

static void on_late(void *ctx)
{
    on_line(ctx, 0);
}

/* One that cannot see the nodes would be no watchdog: the agent marks nothing without it. Not so
 * when it is to take them off already. */
static void on_seen(void *ctx, const struct base_error *err)
{
    struct watched *one = ctx;
    struct node_watch *watch = one->watch;
    watch->failed = watch->failed || err != NULL;
    if (++watch->seen < watch->count)
        return;
    if (watch->failed && fault_satellite_holds(FAULT_NODE_GUARD_LINE, &watch->deadline)) {
        io_loop_stop(watch->loop);
        return;
    }
    watch->failed = false;
    io_watch_set(&watch->line, IO_READ);
    on_line(watch, 0);
}

/* --- birth and death --- */

static bool read_marks(struct node_watch *watch, const json_t *json, struct base_error *err)
{
    const json_t *marks = model_get_array(json, "watch", "marks", err);
    BASE_AUTO_FREE char *url = NULL;
    BASE_AUTO_FREE char *ca_file = NULL;
    BASE_AUTO_FREE char *token_file = NULL;
    if (marks == NULL || !model_get_text(json, "watch", "url", &url, err) ||
        !model_get_text_or(json, "watch", "caFile", NULL, &ca_file, err) ||
        !model_get_text(json, "watch", "tokenFile", &token_file, err))
        return false;
    const struct fault_kube_access access = {
        .url = url, .ca_file = ca_file, .token_file = token_file, .timeout = base_dur_ms(ask_ms)};
    watch->list = base_calloc(json_array_size(marks), sizeof *watch->list);
    for (; watch->count < json_array_size(marks); watch->count++) {
        const json_t *one = json_array_get(marks, watch->count);
        struct watched *watched = &watch->list[watch->count];
        BASE_AUTO_FREE char *node = NULL;
        BASE_AUTO_FREE char *uid = NULL;
        BASE_AUTO_FREE char *text = NULL;
        if (!model_get_text(one, "mark", "node", &node, err) ||
            !model_get_text(one, "mark", "uid", &uid, err) ||
            !model_get_text(one, "mark", "text", &text, err))
            return false;
        watched->watch = watch;
        watched->wait = base_dur_ms(again_first_ms);
        io_timer_init(&watched->again, watch->loop, on_again, watched);
        fault_node_mark_init(&watched->mark, watch->loop, watch->http, &access, node, uid, text);
    }
    return watch->count > 0;
}

static void run(struct node_watch *watch)
{
    io_watch_init(&watch->line, watch->loop, FAULT_NODE_GUARD_LINE, on_line, watch);
    io_timer_init(&watch->late, watch->loop, on_late, watch);
    for (size_t i = 0; i < watch->count; i++)
        fault_node_mark_ask(&watch->list[i].mark, FAULT_NODE_LOOK, on_seen, &watch->list[i]);
    io_loop_run(watch->loop);
    io_watch_fini(&watch->line);
    io_timer_fini(&watch->late);
}

static void watch_fini(struct node_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        io_timer_fini(&watch->list[i].again);
        fault_node_mark_fini(&watch->list[i].mark);
    }
    free(watch->list);
    io_http_free(watch->http);
    io_loop_free(watch->loop);
}

bool agent_is_node_watch(int argc, char *const *argv)
{
    return argc == FAULT_NODE_GUARD_WORDS && base_str_eq(argv[1], FAULT_NODE_GUARD_WORD);
}

int agent_node_watch(char *const *argv)
{
    struct node_watch watch = {0};
    struct base_error err = {0};
    int fd = -1;
    /* The agent's satellite has closed them: no socket may take their place. */
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    base_fd_close(&fd);
    (void)fcntl(FAULT_NODE_GUARD_LINE, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_NAME, (unsigned long)(uintptr_t)FAULT_NODE_GUARD_NAME, 0UL, 0UL, 0UL);
    json_t *json = model_json_parse(argv[3], strlen(argv[3]), "watch", &err);
    watch.loop = io_loop_new(&err);
    watch.http = watch.loop != NULL ? io_http_new(watch.loop) : NULL;
    bool ok = json != NULL && watch.loop != NULL && base_parse_i64(argv[2], &watch.deadline.ns) &&
              read_marks(&watch, json, &err);
    json_decref(json);
    if (ok)
        run(&watch);
    watch_fini(&watch);
    return ok && !watch.failed ? 0 : 1;
}
