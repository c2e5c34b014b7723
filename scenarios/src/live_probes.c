/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes on the real world. Each asks its targets all at once and answers once, when the last of
 * them has answered; the first trouble is the one that is told. What cannot even be asked is an
 * answer, too: a probe never falls silent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "io/connect.h"
#include "live_internal.h"
#include "redis_ask.h"
#include "sql_ask.h"

enum { PASSWORD_MAX = 4096 };

struct asked { /* one of a probe's targets */
    struct live_probe *probe;
    size_t index;
    struct io_http_call *call;  /* NULL: not under way */
    struct io_connect *connect; /* NULL: not under way */
    struct sql_ask *sql;        /* NULL: not under way */
    struct redis_ask *redis;    /* NULL: not under way */
};

struct live_probe {
    struct live_probes *all;
    const struct plan_probe *planned;
    size_t index;
    struct asked *targets;
    size_t target_count;
    size_t open;    /* targets that have not answered */
    size_t unasked; /* of those, which could not even be asked */
    char *trouble;
    struct io_child *child; /* NULL: none runs */
    struct io_timer timer;  /* the child's time is up, or: the answer is there already */
};

static void on_timer(void *ctx);

static size_t count_targets(const struct plan_probe *planned)
{
    switch (planned->kind) {
    case PLAN_PROBE_HTTP:
        return planned->http.url_count;
    case PLAN_PROBE_TCP:
        return planned->tcp.target_count;
    case PLAN_PROBE_SQL:
        return planned->sql.store.target_count;
    case PLAN_PROBE_REDIS:
        return planned->redis.store.target_count;
    case PLAN_PROBE_PROMQL:
    case PLAN_PROBE_EXEC:
        break;
    }
    return 1;
}

void live_probes_init(struct live_probes *probes, struct io_loop *loop, struct io_http *http,
                      struct run *run, const struct plan *plan)
{
    *probes = (struct live_probes){.loop = loop, .http = http, .run = run, .plan = plan};
    probes->list = base_calloc(plan->probe_count, sizeof *probes->list);
    for (size_t i = 0; i < plan->probe_count; i++) {
        struct live_probe *probe = &probes->list[i];
        *probe = (struct live_probe){.all = probes, .planned = &plan->probes[i], .index = i};
        probe->target_count = count_targets(probe->planned);
        probe->targets = base_calloc(probe->target_count, sizeof *probe->targets);
        for (size_t k = 0; k < probe->target_count; k++)
            probe->targets[k] = (struct asked){.probe = probe, .index = k};
        io_timer_init(&probe->timer, loop, on_timer, probe);
    }
}

static void end_child(struct live_probe *probe)
{
    if (probe->child == NULL)
        return;
    /* It leads a session of its own: what it started goes with it. Not yet collected, its number
     * cannot be another's. */
    (void)kill(-io_child_pid(probe->child), SIGKILL);
}

void live_probes_fini(struct live_probes *probes)
{
    for (size_t i = 0; probes->list != NULL && i < probes->plan->probe_count; i++) {
        struct live_probe *probe = &probes->list[i];
        for (size_t k = 0; k < probe->target_count; k++) {
            if (probe->targets[k].call != NULL)
                io_http_cancel(probe->targets[k].call);
            io_connect_cancel(probe->targets[k].connect);
            sql_ask_cancel(probe->targets[k].sql);
            redis_ask_cancel(probe->targets[k].redis);
        }
        end_child(probe);
        io_child_free(probe->child);
        io_timer_fini(&probe->timer);
        free(probe->targets);
        free(probe->trouble);
    }
    free(probes->list);
    *probes = (struct live_probes){0};
}

/* One target has answered; trouble (taken over) is NULL when it was as it should be. */
static void answered(struct live_probe *probe, char *trouble)
{
    if (probe->trouble == NULL)
        probe->trouble = trouble;
    else
        free(trouble);
    if (--probe->open == 0)
        run_on_probe(probe->all->run, probe->index, probe->trouble == NULL, probe->trouble);
}

/* From the loop, since an effect must not answer before it returns. */
static void answer_soon(struct live_probe *probe, const struct base_error *err)
{
    probe->unasked++;
    free(probe->trouble);
    probe->trouble = base_str_dup(err->message);
    io_timer_start(&probe->timer, (struct dur_ns){0});
}

/* --- http --- */

static void on_page(void *ctx, const struct io_http_response *response)
{
    struct asked *asked = ctx;
    const struct plan_probe *planned = asked->probe->planned;
    asked->call = NULL;
    answered(asked->probe, live_http_trouble(planned->http.urls[asked->index], response,
                                             planned->http.status, planned->http.contains));
}

static void ask_page(struct live_probe *probe, size_t index)
{
    static const char *const headers[] = {"X-Traffic: probe", NULL};
    struct asked *asked = &probe->targets[index];
    const struct io_http_request request = {.url = probe->planned->http.urls[index],
                                            .headers = headers,
                                            .timeout = probe->planned->timeout,
                                            .tls = live_target_tls(probe->all->plan)};
    struct base_error err;
    asked->call = io_http_start(probe->all->http, &request, on_page, asked, &err);
    if (asked->call == NULL)
        answer_soon(probe, &err);
}

/* --- tcp --- */

static void on_connected(void *ctx, const struct io_connect_result *result)
{
    struct asked *asked = ctx;
    const struct load_target *target = &asked->probe->planned->tcp.targets[asked->index];
    asked->connect = NULL;
    answered(asked->probe,
             result->connected
                 ? NULL
                 : base_str_printf("%s port %u: %s", target->address, (unsigned)target->port,
                                   result->sys == ETIMEDOUT ? "no answer in time"
                                                            : strerror(result->sys)));
}

static socklen_t fill_address(const struct load_target *target, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, target->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(target->port);
        return sizeof *v4;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(target->port);
    return inet_pton(AF_INET6, target->address, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

static void ask_connection(struct live_probe *probe, size_t index)
{
    struct asked *asked = &probe->targets[index];
    const struct load_target *target = &probe->planned->tcp.targets[index];
    struct sockaddr_storage address;
    socklen_t len = fill_address(target, &address);
    struct base_error err;
    int fd =
        len == 0 ? -1 : socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        asked->connect = io_connect_start(probe->all->loop, fd, (const struct sockaddr *)&address,
                                          len, probe->planned->timeout, on_connected, asked);
        return;
    }
    if (len == 0)
        (void)base_fail(&err, BASE_INVALID, "\"%s\" is no address", target->address);
    else
        (void)base_fail_errno(&err, "cannot make a socket");
    answer_soon(probe, &err);
}

/* --- promql --- */

/* What is wrong with an instant query's answer as a condition; NULL: it holds. */
static char *query_trouble(const struct io_http_response *response)
{
    if (!response->ok)
        return base_str_printf("Prometheus: %s", response->error.message);
    struct base_error err = {0};
    json_t *answer = model_json_parse(response->body, response->body_len, "Prometheus", &err);
    const char *refusal = json_string_value(json_object_get(answer, "error"));
    const json_t *data = json_object_get(answer, "data");
    const char *type = json_string_value(json_object_get(data, "resultType"));
    char *trouble = NULL;
    if (answer == NULL || refusal != NULL || type == NULL)
        trouble = base_str_printf("Prometheus answered %d: %s", response->status,
                                  answer == NULL    ? err.message
                                  : refusal != NULL ? refusal
                                                    : "no result");
    else if (!base_str_eq(type, "vector"))
        trouble =
            base_str_printf("the answer is a %s and no condition: compare, as in sum(x) < 5", type);
    else if (json_array_size(json_object_get(data, "result")) == 0)
        trouble = base_str_dup("the answer is empty: it does not hold, or there is no data");
    json_decref(answer);
    return trouble;
}

static void on_queried(void *ctx, const struct io_http_response *response)
{
    struct asked *asked = ctx;
    asked->call = NULL;
    answered(asked->probe, query_trouble(response));
}

static void ask_prometheus(struct live_probe *probe, size_t index)
{
    struct asked *asked = &probe->targets[index];
    BASE_AUTO_FREE char *url =
        live_query_url(probe->all->plan, probe->planned->promql.query, (struct wall_ns){0});
    const struct io_http_request request = {.url = url, .timeout = probe->planned->timeout};
    struct base_error err;
    asked->call = io_http_start(probe->all->http, &request, on_queried, asked, &err);
    if (asked->call == NULL)
        answer_soon(probe, &err);
}

/* --- stores --- */

/* NULL: none is needed. false with err: it cannot be had. The text is to be wiped. */
static bool read_password(const struct plan_store *store, struct base_buf *out,
                          struct base_error *err)
{
    base_buf_init(out, PASSWORD_MAX);
    return store->password_file == NULL || base_secret_read(store->password_file, out, err);
}

static const char *word_of(const struct base_buf *password)
{
    return password->len > 0 ? password->data : NULL;
}

static void forget(struct base_buf *password)
{
    if (password->len > 0)
        explicit_bzero(password->data, password->len);
    base_buf_fini(password);
}

/* "10.0.0.2 port 5432: <what is wrong>"; takes trouble over, NULL stays NULL. */
static char *at_target(const struct load_target *target, char *trouble)
{
    if (trouble == NULL)
        return NULL;
    char *whole =
        base_str_printf("%s port %u: %s", target->address, (unsigned)target->port, trouble);
    free(trouble);
    return whole;
}

static char *sql_trouble(const struct plan_probe *planned, const struct sql_answer *answer)
{
    char rows[24];
    char expected[24];
    if (answer->trouble != NULL)
        return base_str_dup(answer->trouble);
    if (planned->sql.value != NULL)
        return answer_trouble("the value", answer->value, planned->sql.compare, planned->sql.value);
    (void)snprintf(rows, sizeof rows, "%" PRId64, answer->rows);
    (void)snprintf(expected, sizeof expected, "%" PRId64, planned->sql.rows);
    if (planned->sql.rows >= 0)
        return answer_trouble("the number of rows", rows, planned->sql.compare, expected);
    return answer->rows > 0 ? NULL : base_str_dup("there is no row");
}

static void on_sql(void *ctx, const struct sql_answer *answer)
{
    struct asked *asked = ctx;
    const struct plan_probe *planned = asked->probe->planned;
    asked->sql = NULL;
    answered(asked->probe,
             at_target(&planned->sql.store.targets[asked->index], sql_trouble(planned, answer)));
}

static void ask_sql(struct live_probe *probe, size_t index)
{
    struct asked *asked = &probe->targets[index];
    const struct plan_probe *planned = probe->planned;
    struct base_buf password;
    struct base_error err;
    if (!read_password(&planned->sql.store, &password, &err)) {
        answer_soon(probe, &err);
    } else {
        const struct sql_question question = {.target = &planned->sql.store.targets[index],
                                              .database = planned->sql.database,
                                              .user = planned->sql.store.user,
                                              .password = word_of(&password),
                                              .query = planned->sql.query,
                                              .patience = planned->timeout};
        asked->sql = sql_ask_start(probe->all->loop, &question, on_sql, asked);
    }
    forget(&password);
}

static void on_redis(void *ctx, const struct redis_answer *answer)
{
    struct asked *asked = ctx;
    const struct plan_probe *planned = asked->probe->planned;
    asked->redis = NULL;
    char *trouble = answer->trouble != NULL ? base_str_dup(answer->trouble)
                    : planned->redis.reply == NULL
                        ? NULL
                        : answer_trouble("the reply", answer->reply, planned->redis.compare,
                                         planned->redis.reply);
    answered(asked->probe, at_target(&planned->redis.store.targets[asked->index], trouble));
}

static void ask_redis(struct live_probe *probe, size_t index)
{
    struct asked *asked = &probe->targets[index];
    const struct plan_probe *planned = probe->planned;
    struct base_buf password;
    struct base_error err;
    if (!read_password(&planned->redis.store, &password, &err)) {
        answer_soon(probe, &err);
    } else {
        const struct redis_question question = {.target = &planned->redis.store.targets[index],
                                                .user = planned->redis.store.user,
                                                .password = word_of(&password),
                                                .database = planned->redis.database,
                                                .command = planned->redis.command,
                                                .command_count = planned->redis.command_count,
                                                .patience = planned->timeout};
        asked->redis = redis_ask_start(probe->all->loop, &question, on_redis, asked);
    }
    forget(&password);
}

/* --- exec --- */

static void on_exit_of_child(void *ctx, const struct io_child_exit *ended)
{
    struct live_probe *probe = ctx;
    bool late = !io_timer_active(&probe->timer);
    io_timer_stop(&probe->timer);
    io_child_free(probe->child);
    probe->child = NULL;
    char *trouble = NULL;
    if (ended->signaled)
        trouble = base_str_printf("the command was ended by signal %d%s", ended->status,
                                  late ? ": it took too long" : "");
    else if (ended->status != 0)
        trouble = base_str_printf("the command exited with %d", ended->status);
    answered(probe, trouble);
}

static void run_command(struct live_probe *probe, size_t index)
{
    (void)index;
    const char *const argv[] = {"sh", "-c", probe->planned->exec.command, NULL};
    struct io_child_spec spec = io_child_spec_default(argv);
    spec.new_session = true;
    spec.death_signal = SIGKILL;
    struct base_error err;
    probe->child = io_child_start(probe->all->loop, &spec, on_exit_of_child, probe, &err);
    if (probe->child == NULL)
        answer_soon(probe, &err);
    else
        io_timer_start(&probe->timer, probe->planned->timeout);
}

static void on_timer(void *ctx)
{
    struct live_probe *probe = ctx;
    size_t unasked = probe->unasked;
    probe->unasked = 0;
    end_child(probe); /* its exit answers */
    for (; unasked > 0; unasked--)
        answered(probe, NULL); /* the trouble is noted already */
}

void live_probe_start(struct live_probes *probes, size_t index)
{
    static void (*const ask[])(struct live_probe * probe, size_t index) = {
        [PLAN_PROBE_HTTP] = ask_page,         [PLAN_PROBE_TCP] = ask_connection,
        [PLAN_PROBE_PROMQL] = ask_prometheus, [PLAN_PROBE_EXEC] = run_command,
        [PLAN_PROBE_SQL] = ask_sql,           [PLAN_PROBE_REDIS] = ask_redis,
    };
    struct live_probe *probe = &probes->list[index];
    free(probe->trouble);
    probe->trouble = NULL;
    probe->open = probe->target_count;
    for (size_t i = 0; i < probe->target_count; i++)
        ask[probe->planned->kind](probe, i);
}
