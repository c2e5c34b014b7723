/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol (model/control.h): requests in, records out, and one audit line for each
 * answer: who, what, where, until when, with what outcome.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_state.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "model/control.h"

enum wait_kind {
    WAIT_ACTIVE, /* POST: until it is active, or has ended */
    WAIT_RENEWED,
    WAIT_END, /* DELETE */
    WAIT_HALT /* until nothing stands any more */
};

struct agent_waiter {
    enum wait_kind kind;
    struct io_exchange *exchange;
    struct fault *fault; /* NULL for WAIT_HALT */
    struct agent_waiter *next;
};

/* --- answers --- */

static void reply(struct io_exchange *exchange, unsigned status, json_t *body)
{
    BASE_AUTO_FREE char *text = model_json_dump_line(body);
    json_decref(body);
    const char *safe = text != NULL ? text : "{}";
    io_exchange_reply(exchange, status, "application/json", safe, strlen(safe));
}

static void audit(const struct agent *agent, const struct io_exchange *exchange, unsigned status,
                  const struct fault_record *record, const char *outcome)
{
    BASE_AUTO_BUF struct base_buf where;
    base_buf_init(&where, 4096);
    char until[BASE_WALL_TEXT] = "";
    char peer[IO_PEER_TEXT];
    io_exchange_peer(exchange, peer);
    for (size_t i = 0; record != NULL && i < record->target_count; i++)
        (void)base_buf_printf(&where, "%s%s", i > 0 ? " " : "", record->targets[i]);
    if (record != NULL && record->expires_at.ns > 0)
        base_wall_format(record->expires_at, until);
    base_log_line(agent->log, status < 400 ? BASE_INFO : BASE_WARN, "request",
                  BASE_TEXT("peer", peer), BASE_TEXT("method", io_exchange_method(exchange)),
                  BASE_TEXT("path", io_exchange_path(exchange)), BASE_INT("status", status),
                  BASE_TEXT("fault", record != NULL ? record->id : NULL),
                  BASE_TEXT("kind", record != NULL ? fault_kind_name(record->kind) : NULL),
                  BASE_TEXT("targets", record != NULL ? where.data : NULL),
                  BASE_TEXT("until", until[0] != '\0' ? until : NULL),
                  BASE_TEXT("outcome", outcome));
}

static void answer_error(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                         const struct base_error *err, const struct fault_spec *spec)
{
    struct fault_record what = {0};
    if (spec != NULL)
        what = (struct fault_record){.id = spec->id,
                                     .kind = spec->kind,
                                     .targets = spec->targets,
                                     .target_count = spec->target_count};
    audit(agent, exchange, status, spec != NULL ? &what : NULL, err->message);
    json_t *error = json_object();
    json_object_set_new(error, "code", model_json_text(base_code_name(err->code)));
    json_object_set_new(error, "message", model_json_text(err->message));
    json_t *body = json_object();
    json_object_set_new(body, "error", error);
    reply(exchange, status, body);
}

static void answer_fault(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                         const struct fault *fault)
{
    const struct fault_record *record = fault_record_of(fault);
    audit(agent, exchange, status, record, fault_state_name(record->state));
    reply(exchange, status, fault_record_to_json(record));
}

static void answer_all(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                       const char *outcome)
{
    json_t *list = json_array();
    for (size_t i = 0; i < agent->fault_count; i++)
        json_array_append_new(list, fault_record_to_json(fault_record_of(agent->faults[i])));
    json_t *body = json_object();
    json_object_set_new(body, "faults", list);
    audit(agent, exchange, status, NULL, outcome);
    reply(exchange, status, body);
}

/* --- waiting --- */

static void wait_for(struct agent *agent, enum wait_kind kind, struct io_exchange *exchange,
                     struct fault *fault)
{
    struct agent_waiter *waiter = base_calloc(1, sizeof *waiter);
    *waiter = (struct agent_waiter){kind, exchange, fault, agent->waiters};
    agent->waiters = waiter;
}

/* Answers when there is something to say already. */
static bool try_answer(const struct agent *agent, enum wait_kind kind, struct io_exchange *exchange,
                       const struct fault *fault)
{
    if (kind == WAIT_HALT) {
        /* What runs that started since have injected is not waited for. */
        if (agent_has_ending(agent))
            return false;
        if (agent->halt_error.code != BASE_OK) {
            answer_error(agent, exchange, 500, &agent->halt_error, NULL);
            return true;
        }
        bool stuck = agent_has_stuck(agent);
        answer_all(agent, exchange, stuck ? 409 : 200, stuck ? "stuck" : "all gone");
        return true;
    }
    enum fault_state state = fault_record_of(fault)->state;
    bool ended = fault_is_final(fault);
    bool active = state == FAULT_ACTIVE && !fault_is_renewing(fault);
    if (kind == WAIT_END ? !ended : !ended && !active)
        return false;
    unsigned status = active || state == FAULT_GONE ? 200 : 409;
    if (kind == WAIT_ACTIVE && ended)
        status = 409;
    if (kind == WAIT_RENEWED && ended)
        status = 410;
    answer_fault(agent, exchange, status, fault);
    return true;
}

static void answer_or_wait(struct agent *agent, enum wait_kind kind, struct io_exchange *exchange,
                           struct fault *fault)
{
    if (!try_answer(agent, kind, exchange, fault))
        wait_for(agent, kind, exchange, fault);
}

void agent_api_settled(struct agent *agent, const struct fault *fault)
{
    struct agent_waiter **at = &agent->waiters;
    while (*at != NULL) {
        struct agent_waiter *waiter = *at;
        bool mine = waiter->fault == fault || waiter->kind == WAIT_HALT;
        if (!mine || !try_answer(agent, waiter->kind, waiter->exchange, waiter->fault)) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        free(waiter);
    }
}

void agent_api_abandon(void *ctx, struct io_exchange *exchange)
{
    struct agent *agent = ctx;
    struct agent_waiter **at = &agent->waiters;
    while (*at != NULL) {
        struct agent_waiter *waiter = *at;
        if (waiter->exchange != exchange) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        free(waiter);
    }
}

void agent_api_fini(struct agent *agent)
{
    while (agent->waiters != NULL) {
        struct agent_waiter *next = agent->waiters->next;
        free(agent->waiters);
        agent->waiters = next;
    }
}

/* --- requests --- */

static void get_health(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    char started[BASE_WALL_TEXT];
    char halted[BASE_WALL_TEXT];
    struct wall_ns last_halt = agent_journal_halted(agent->journal);
    base_wall_format(agent->started, started);
    base_wall_format(last_halt, halted);
    json_int_t active = 0;
    for (size_t i = 0; i < agent->fault_count; i++)
        active += fault_is_final(agent->faults[i]) ? 0 : 1;
    json_t *kinds = json_object();
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct base_error why = {0};
        bool can = agent_can(agent, (enum fault_kind)kind, &why);
        json_object_set_new(kinds, fault_kind_name((enum fault_kind)kind),
                            model_json_text(can ? NULL : why.message));
    }
    json_t *body = json_object();
    json_object_set_new(body, "status", model_json_text("ok"));
    json_object_set_new(body, "version", json_integer(1));
    json_object_set_new(body, "pid", json_integer(getpid()));
    json_object_set_new(body, "started", model_json_text(started));
    json_object_set_new(body, "halted", model_json_text(last_halt.ns > 0 ? halted : NULL));
    json_object_set_new(body, "active", json_integer(active));
    json_object_set_new(body, "kinds", kinds);
    reply(exchange, 200, body);
}

static unsigned refusal_status(const struct agent *agent, const struct base_error *err)
{
    if (agent->closing)
        return 503;
    return err->code == BASE_INVALID || err->code == BASE_CORRUPT ? 400 : 403;
}

static bool same_spec(const struct fault_spec *a, const struct fault_spec *b)
{
    json_t *left = fault_spec_to_json(a);
    json_t *right = fault_spec_to_json(b);
    bool same = json_equal(left, right) == 1;
    json_decref(left);
    json_decref(right);
    return same;
}

static void refuse_halted(const struct agent *agent, const struct fault_spec *spec,
                          struct base_error *err)
{
    char started[BASE_WALL_TEXT];
    char halted[BASE_WALL_TEXT];
    base_wall_format(spec->started, started);
    base_wall_format(agent_journal_halted(agent->journal), halted);
    (void)base_fail(err, BASE_DENIED,
                    "run %s started at %s and this agent was halted at %s: it may not inject any "
                    "more; start a new run",
                    spec->run, started, halted);
}

static void inject(struct agent *agent, struct io_exchange *exchange, const struct fault_spec *spec)
{
    struct base_error err = {0};
    struct fault *fault = agent_find(agent, spec->id);
    if (fault != NULL && !same_spec(spec, fault_spec_of(fault))) {
        (void)base_fail(&err, BASE_INVALID,
                        "id %s belongs to another fault already; give each fault an id of its own",
                        spec->id);
        answer_error(agent, exchange, 400, &err, spec);
        return;
    }
    if (fault == NULL && agent_is_halted(agent, spec)) {
        refuse_halted(agent, spec, &err);
        answer_error(agent, exchange, 410, &err, spec);
        return;
    }
    if (fault == NULL && agent->closing)
        (void)base_fail(&err, BASE_UNAVAILABLE, "this agent is shutting down");
    else if (fault == NULL)
        fault = agent_inject(agent, spec, &err);
    if (fault == NULL)
        answer_error(agent, exchange, refusal_status(agent, &err), &err, spec);
    else
        answer_or_wait(agent, WAIT_ACTIVE, exchange, fault);
}

static json_t *read_body(const struct io_exchange *exchange, struct base_error *err)
{
    size_t len = 0;
    const char *text = io_exchange_body(exchange, &len);
    return model_json_parse(text, len, "request body", err);
}

static void post_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    struct base_error err = {0};
    struct fault_spec spec = {0};
    json_t *body = read_body(exchange, &err);
    if (body == NULL || !fault_spec_from_json(body, &spec, &err)) {
        json_decref(body);
        answer_error(agent, exchange, 400, &err, NULL);
        return;
    }
    json_decref(body);
    inject(agent, exchange, &spec);
    fault_spec_fini(&spec);
}

static void list_faults(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    answer_all(agent, exchange, 200, "listed");
}

/* The fault of the path, or NULL after a 404. */
static struct fault *find_or_404(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct base_error err = {0};
    struct fault *fault = agent_find(agent, id);
    if (fault == NULL) {
        (void)base_fail(&err, BASE_NOT_FOUND,
                        "no fault %.128s here: it was never taken, or ended over an hour ago", id);
        answer_error(agent, exchange, 404, &err, NULL);
    }
    return fault;
}

static void get_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    const struct fault *fault = find_or_404(agent, exchange, id);
    if (fault != NULL)
        answer_fault(agent, exchange, 200, fault);
}

static void delete_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct fault *fault = find_or_404(agent, exchange, id);
    if (fault == NULL)
        return;
    fault_end(fault, FAULT_END_REQUEST);
    answer_or_wait(agent, WAIT_END, exchange, fault);
}

static void renew_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct base_error err = {0};
    struct dur_ns lease = {0};
    struct fault *fault = find_or_404(agent, exchange, id);
    if (fault == NULL)
        return;
    json_t *body = read_body(exchange, &err);
    bool valid = body != NULL && model_get_dur(body, "renewal", "leaseNs", &lease, &err);
    json_decref(body);
    if (valid && (lease.ns <= 0 || lease.ns > agent->limits.max_duration.ns))
        valid = base_fail(&err, BASE_INVALID,
                          "renewal: leaseNs must be above 0 and at most this agent's ceiling of "
                          "%lld ns",
                          (long long)agent->limits.max_duration.ns);
    if (!valid) {
        answer_error(agent, exchange, 400, &err, fault_spec_of(fault));
        return;
    }
    if (agent_is_halted(agent, fault_spec_of(fault)))
        (void)base_fail(&err, BASE_DENIED, "run %s was halted", fault_spec_of(fault)->run);
    else if (fault_renew(fault, lease, &err)) {
        answer_or_wait(agent, WAIT_RENEWED, exchange, fault);
        return;
    }
    answer_error(agent, exchange, 410, &err, fault_spec_of(fault));
}

static void post_halt(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    agent_halt(agent);
    answer_or_wait(agent, WAIT_HALT, exchange, NULL);
}

/* --- routing --- */

static const struct route {
    const char *method;
    const char *path;   /* up to the id */
    bool has_id;        /* the next segment */
    const char *action; /* behind the id; "" none */
    bool open;          /* without a token */
    void (*handle)(struct agent *agent, struct io_exchange *exchange, const char *id);
} routes[] = {
    {"GET", CONTROL_PATH_HEALTH, false, "", true, get_health},
    {"POST", CONTROL_PATH_FAULTS, false, "", false, post_fault},
    {"GET", CONTROL_PATH_FAULTS, false, "", false, list_faults},
    {"GET", CONTROL_PATH_FAULTS "/", true, "", false, get_fault},
    {"DELETE", CONTROL_PATH_FAULTS "/", true, "", false, delete_fault},
    {"POST", CONTROL_PATH_FAULTS "/", true, "/renew", false, renew_fault},
    {"POST", CONTROL_PATH_HALT, false, "", false, post_halt},
};

/* The id is cut into `id`, "" where the route has none. */
static bool path_matches(const struct route *route, const char *path, char id[static 256])
{
    id[0] = '\0';
    if (!route->has_id)
        return strcmp(path, route->path) == 0;
    if (!base_str_starts(path, route->path))
        return false;
    const char *rest = path + strlen(route->path);
    size_t len = strcspn(rest, "/");
    if (len == 0 || len >= 256 || strcmp(rest + len, route->action) != 0)
        return false;
    memcpy(id, rest, len);
    id[len] = '\0';
    return true;
}

static bool authorized(const struct agent *agent, const struct io_exchange *exchange)
{
    static const char scheme[] = "Bearer ";
    const char *header = io_exchange_header(exchange, "Authorization");
    char digest[IO_SHA256_TEXT];
    if (!agent->has_token)
        return true;
    if (header == NULL || !base_str_starts(header, scheme))
        return false;
    const char *token = header + sizeof scheme - 1;
    /* Digests are of one length: not even the length of the token shows in the time. */
    return io_sha256(token, strlen(token), digest, NULL) &&
           io_secret_equal(digest, agent->token_digest);
}

static void dispatch(struct agent *agent, struct io_exchange *exchange, const struct route *route,
                     const char *id)
{
    struct base_error err = {0};
    if (route->open || authorized(agent, exchange)) {
        route->handle(agent, exchange, id);
        return;
    }
    io_exchange_add_header(exchange, "WWW-Authenticate", "Bearer");
    (void)base_fail(&err, BASE_DENIED,
                    "this needs \"Authorization: Bearer <token>\" with the token of this agent's "
                    "--token-file");
    answer_error(agent, exchange, 401, &err, NULL);
}

void agent_api_request(void *ctx, struct io_exchange *exchange)
{
    struct agent *agent = ctx;
    const char *path = io_exchange_path(exchange);
    const char *method = io_exchange_method(exchange);
    bool known = false;
    char id[256];
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_matches(&routes[i], path, id))
            continue;
        known = true;
        if (strcmp(method, routes[i].method) == 0) {
            dispatch(agent, exchange, &routes[i], id);
            return;
        }
    }
    struct base_error err = {0};
    (void)base_fail(&err, known ? BASE_INVALID : BASE_NOT_FOUND,
                    known ? "%s does not take %s" : "no such path: %s (method %s)", path, method);
    answer_error(agent, exchange, known ? 405 : 404, &err, NULL);
}
