/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol (model/control.h): requests in, records out. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent_state.h"
#include "answer.h"
#include "base/text.h"
#include "model/control.h"
#include "rehearse.h"
#include "route.h"

enum { insufficient_storage = 507 }; /* RFC 4918, 11.5 */

enum wait_kind {
    WAIT_ACTIVE, /* POST: until it is active, or has ended */
    WAIT_RENEWED,
    WAIT_END, /* DELETE */
    WAIT_HALT /* until nothing stands any more */
};

struct agent_waiter {
    struct agent *agent;
    enum wait_kind kind;
    struct io_exchange *exchange;
    struct fault *fault;        /* NULL for WAIT_HALT */
    struct dur_ns lease;        /* of WAIT_RENEWED, until its audit line is on disk */
    struct agent_ticket ticket; /* for that line; POST: the fault itself waits for it */
    struct agent_waiter *next;
};

/* --- waiting --- */

static struct agent_waiter *wait_for(struct agent *agent, enum wait_kind kind,
                                     struct io_exchange *exchange, struct fault *fault)
{
    struct agent_waiter *waiter = base_calloc(1, sizeof *waiter);
    *waiter = (struct agent_waiter){
        .agent = agent, .kind = kind, .exchange = exchange, .fault = fault, .next = agent->waiters};
    agent->waiters = waiter;
    return waiter;
}

static void drop(struct agent_waiter **at)
{
    struct agent_waiter *waiter = *at;
    *at = waiter->next;
    agent_ticket_cancel(&waiter->ticket);
    free(waiter);
}

static void drop_waiter(struct agent_waiter *waiter)
{
    struct agent_waiter **at = &waiter->agent->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    drop(at);
}

static void answer_unwritten(const struct agent *agent, struct io_exchange *exchange,
                             const struct base_error *why, const struct fault_spec *spec)
{
    struct base_error err = *why;
    (void)base_fail_context(&err, "nothing was done, for it could not be written down");
    agent_answer_error(agent, exchange, insufficient_storage, &err, spec);
}

/* Answers when there is something to say already. */
static bool try_answer(struct agent *agent, enum wait_kind kind, struct io_exchange *exchange,
                       const struct fault *fault)
{
    if (fault != NULL && fault_refusal(fault) != NULL) {
        answer_unwritten(agent, exchange, fault_refusal(fault), fault_spec_of(fault));
        return true;
    }
    if (kind == WAIT_HALT) {
        /* What runs that started since have injected is not waited for. */
        if (agent_has_ending(agent))
            return false;
        if (agent->halt_error.code != BASE_OK) {
            agent_answer_error(agent, exchange, 500, &agent->halt_error, NULL);
            return true;
        }
        bool stuck = agent_has_stuck(agent);
        agent_answer_all(agent, exchange, stuck ? 409 : 200, stuck ? "stuck" : "all gone");
        return true;
    }
    enum fault_state state = fault_record_of(fault)->state;
    bool ended = fault_is_final(fault);
    bool active = state == FAULT_ACTIVE && !fault_is_settling(fault);
    if (kind == WAIT_END ? !ended : !ended && !active)
        return false;
    unsigned status = active || state == FAULT_GONE ? 200 : 409;
    if (kind == WAIT_ACTIVE && ended)
        status = 409;
    if (kind == WAIT_RENEWED && ended)
        status = 410;
    agent_answer_fault(agent, exchange, status, fault_record_of(fault));
    return true;
}

static void answer_or_wait(struct agent *agent, enum wait_kind kind, struct io_exchange *exchange,
                           struct fault *fault)
{
    if (!try_answer(agent, kind, exchange, fault))
        (void)wait_for(agent, kind, exchange, fault);
}

void agent_api_settled(struct agent *agent, const struct fault *fault)
{
    struct agent_waiter **at = &agent->waiters;
    while (*at != NULL) {
        struct agent_waiter *waiter = *at;
        bool mine = waiter->fault == fault || waiter->kind == WAIT_HALT;
        bool may = waiter->ticket.work == NULL || fault_refusal(fault) != NULL;
        if (mine && may && try_answer(agent, waiter->kind, waiter->exchange, waiter->fault))
            drop(at);
        else
            at = &waiter->next;
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
        agent_audit_end(agent, exchange, 0,
                        waiter->fault != NULL ? fault_record_of(waiter->fault) : NULL,
                        "the peer went away before the answer");
        drop(at);
    }
}

void agent_api_refused(void *ctx, struct io_exchange *exchange, unsigned status)
{
    const struct agent *agent = ctx;
    agent_audit_end(agent, exchange, status, NULL,
                    status == 0 ? "the request never came in whole" : "refused unread");
}

bool agent_api_awaits(const struct agent *agent, const struct fault *fault)
{
    for (const struct agent_waiter *waiter = agent->waiters; waiter != NULL; waiter = waiter->next)
        if (waiter->fault == fault)
            return true;
    return false;
}

void agent_api_fini(struct agent *agent)
{
    while (agent->waiters != NULL)
        drop(&agent->waiters);
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
    json_object_set_new(body, "version", json_integer(CONTROL_VERSION));
    json_object_set_new(body, "pid", json_integer(getpid()));
    json_object_set_new(body, "started", model_json_text(started));
    json_object_set_new(body, "halted", model_json_text(last_halt.ns > 0 ? halted : NULL));
    json_object_set_new(body, "active", json_integer(active));
    json_object_set_new(body, "kinds", kinds);
    agent_answer_json(exchange, 200, body);
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

/* NULL: refused, and answered. */
static struct fault *take_and_start(struct agent *agent, struct io_exchange *exchange,
                                    const struct fault_spec *spec)
{
    struct base_error err = {0};
    struct fault *fault = NULL;
    if (agent->closing)
        (void)base_fail(&err, BASE_UNAVAILABLE, "this agent is shutting down");
    else
        fault = agent_take(agent, spec, &err);
    if (fault == NULL) {
        agent_answer_error(agent, exchange, refusal_status(agent, &err), &err, spec);
        return NULL;
    }
    const struct fault_record asked = agent_record_asked(spec);
    if (agent_audit_begin(agent, exchange, &asked, &err) && agent_start(agent, fault, &err))
        return fault;
    fault_free(fault);
    bool refused = err.code == BASE_LIMIT; /* as agent_take would have, a moment earlier */
    agent_answer_error(agent, exchange, refused ? 403 : insufficient_storage, &err, spec);
    return NULL;
}

static void inject(struct agent *agent, struct io_exchange *exchange, const struct fault_spec *spec)
{
    struct base_error err = {0};
    struct fault *fault = agent_find(agent, spec->id);
    if (fault != NULL && !same_spec(spec, fault_spec_of(fault))) {
        (void)base_fail(&err, BASE_INVALID,
                        "id %s belongs to another fault already; give each fault an id of its own",
                        spec->id);
        agent_answer_error(agent, exchange, 400, &err, spec);
        return;
    }
    if (fault == NULL && agent_is_halted(agent, spec)) {
        agent_refuse_halted(agent, spec, &err);
        agent_answer_error(agent, exchange, 410, &err, spec);
        return;
    }
    if (fault == NULL)
        fault = take_and_start(agent, exchange, spec);
    if (fault != NULL)
        answer_or_wait(agent, WAIT_ACTIVE, exchange, fault);
}

/* RFC 9110, 8.3.1: parameters, such as a charset, may follow; case does not matter. A page in a
 * browser cannot send this type to another site, which guards an agent without a token. */
static bool is_json(const struct io_exchange *exchange, struct base_error *err)
{
    static const char wanted[] = "application/json";
    const char *type = io_exchange_header(exchange, "Content-Type");
    size_t len = sizeof wanted - 1;
    if (type != NULL && strncasecmp(type, wanted, len) == 0 && strchr(" \t;", type[len]) != NULL)
        return true;
    return base_fail(err, BASE_INVALID, "the body must be of Content-Type %s, not \"%.100s\"",
                     wanted, type != NULL ? type : "");
}

static json_t *read_body(const struct io_exchange *exchange, struct base_error *err)
{
    size_t len = 0;
    const char *text = io_exchange_body(exchange, &len);
    return model_json_parse(text, len, "request body", err);
}

/* false: it is not there, and that is answered. */
static bool read_spec(struct agent *agent, struct io_exchange *exchange, struct fault_spec *out)
{
    struct base_error err = {0};
    if (!is_json(exchange, &err)) {
        agent_answer_error(agent, exchange, 415, &err, NULL);
        return false;
    }
    json_t *body = read_body(exchange, &err);
    bool ok = body != NULL && fault_spec_from_json(body, out, &err);
    json_decref(body);
    if (!ok)
        agent_answer_error(agent, exchange, 400, &err, NULL);
    return ok;
}

static void post_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    struct fault_spec spec = {0};
    if (read_spec(agent, exchange, &spec))
        inject(agent, exchange, &spec);
    fault_spec_fini(&spec);
}

static void post_rehearsal(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    struct base_error err = {0};
    struct fault_spec spec = {0};
    json_t *found = NULL;
    if (!read_spec(agent, exchange, &spec))
        return;
    if (agent_is_halted(agent, &spec)) {
        agent_refuse_halted(agent, &spec, &err);
        agent_answer_error(agent, exchange, 410, &err, &spec);
    } else if (!agent_rehearse(agent, &spec, &found, &err)) {
        agent_answer_error(agent, exchange, refusal_status(agent, &err), &err, &spec);
    } else {
        const struct fault_record asked = agent_record_asked(&spec);
        agent_audit_end(agent, exchange, 200, &asked, "rehearsed: nothing was done");
        agent_answer_json(exchange, 200, found);
    }
    fault_spec_fini(&spec);
}

static void list_faults(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    agent_answer_all(agent, exchange, 200, "listed");
}

static void answer_404(const struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct base_error err = {0};
    (void)base_fail(&err, BASE_NOT_FOUND,
                    "no fault %.128s here: it was never taken, or ended over an hour ago", id);
    agent_answer_error(agent, exchange, 404, &err, NULL);
}

/* The fault of the path, or NULL after a 404. */
static struct fault *find_or_404(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct fault *fault = agent_find(agent, id);
    if (fault == NULL)
        answer_404(agent, exchange, id);
    return fault;
}

static void get_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct agent_past_fault past;
    const struct fault *fault = agent_live(agent, id);
    if (fault != NULL) {
        agent_answer_fault(agent, exchange, 200, fault_record_of(fault));
    } else if (agent_past_find(agent->past, id, &past)) {
        agent_answer_fault(agent, exchange, 200, &past.record);
        agent_past_fault_fini(&past);
    } else {
        answer_404(agent, exchange, id);
    }
}

static void renew_now(struct agent *agent, struct io_exchange *exchange, struct fault *fault,
                      struct dur_ns lease)
{
    struct base_error err = {0};
    if (agent_is_halted(agent, fault_spec_of(fault)))
        (void)base_fail(&err, BASE_DENIED, "run %s was halted", fault_spec_of(fault)->run);
    else if (fault_renew(fault, lease, &err)) {
        answer_or_wait(agent, WAIT_RENEWED, exchange, fault);
        return;
    }
    agent_answer_error(agent, exchange, 410, &err, fault_spec_of(fault));
}

static void on_written(void *ctx, const struct base_error *err)
{
    struct agent_waiter waiter = *(struct agent_waiter *)ctx;
    struct agent *agent = waiter.agent;
    drop_waiter(ctx);
    if (waiter.kind != WAIT_RENEWED) {
        if (err != NULL)
            base_log_text(agent->log, BASE_ERROR, err->message);
        answer_or_wait(agent, waiter.kind, waiter.exchange, waiter.fault);
    } else if (err != NULL) {
        answer_unwritten(agent, waiter.exchange, err, fault_spec_of(waiter.fault));
    } else {
        renew_now(agent, waiter.exchange, waiter.fault, waiter.lease);
    }
}

static struct agent_waiter *wait_written(struct agent *agent, enum wait_kind kind,
                                         struct io_exchange *exchange, struct fault *fault)
{
    struct agent_waiter *waiter = wait_for(agent, kind, exchange, fault);
    waiter->ticket = (struct agent_ticket){.on_done = on_written, .ctx = waiter};
    agent_commit_written(agent->commit, &waiter->ticket);
    return waiter;
}

/* What takes away is done at once, here and by a halt, and answered when its line is on disk. */
static void delete_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct fault *fault = find_or_404(agent, exchange, id);
    if (fault == NULL)
        return;
    agent_audit_begin_anyway(agent, exchange, fault_record_of(fault));
    fault_end(fault, FAULT_END_REQUEST);
    (void)wait_written(agent, WAIT_END, exchange, fault);
}

static void renew_fault(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    struct base_error err = {0};
    struct dur_ns lease = {0};
    struct fault *fault = find_or_404(agent, exchange, id);
    if (fault == NULL)
        return;
    if (!is_json(exchange, &err)) {
        agent_answer_error(agent, exchange, 415, &err, fault_spec_of(fault));
        return;
    }
    json_t *body = read_body(exchange, &err);
    bool valid = body != NULL && agent_read_renewal(body, &agent->limits, &lease, &err);
    json_decref(body);
    if (!valid) {
        agent_answer_error(agent, exchange, 400, &err, fault_spec_of(fault));
        return;
    }
    if (!agent_audit_begin(agent, exchange, fault_record_of(fault), &err)) {
        agent_answer_error(agent, exchange, insufficient_storage, &err, fault_spec_of(fault));
        return;
    }
    wait_written(agent, WAIT_RENEWED, exchange, fault)->lease = lease;
}

static void post_halt(struct agent *agent, struct io_exchange *exchange, const char *id)
{
    (void)id;
    agent_audit_begin_anyway(agent, exchange, NULL);
    agent_halt(agent);
    (void)wait_written(agent, WAIT_HALT, exchange, NULL);
}

/* --- routing --- */

static void (*const handlers[AGENT_ROUTE_COUNT])(struct agent *agent, struct io_exchange *exchange,
                                                 const char *id) = {
    [AGENT_ROUTE_HEALTH] = get_health,   [AGENT_ROUTE_POST] = post_fault,
    [AGENT_ROUTE_LIST] = list_faults,    [AGENT_ROUTE_GET] = get_fault,
    [AGENT_ROUTE_DELETE] = delete_fault, [AGENT_ROUTE_RENEW] = renew_fault,
    [AGENT_ROUTE_HALT] = post_halt,      [AGENT_ROUTE_REHEARSE] = post_rehearsal,
};

/* What another version means by a request is not guessed at. */
static bool speaks_our_version(const struct io_exchange *exchange, struct base_error *err)
{
    uint64_t version = 0;
    const char *text = io_exchange_header(exchange, CONTROL_VERSION_HEADER);
    if (text == NULL || (base_parse_u64(text, &version) && version == CONTROL_VERSION))
        return true;
    return base_fail(err, BASE_INVALID,
                     "the controller speaks version %.20s of the control protocol and this agent "
                     "version %d: use squall and squall-agent of one release",
                     text, CONTROL_VERSION);
}

static void dispatch(struct agent *agent, struct io_exchange *exchange,
                     const struct agent_route *route, const char *id)
{
    struct base_error err = {0};
    char who[AGENT_WHO_TEXT];
    if (route->open || agent_authorize(agent, exchange, who, &err)) {
        if (!route->strict || speaks_our_version(exchange, &err))
            handlers[route->id](agent, exchange, id);
        else
            agent_answer_error(agent, exchange, 400, &err, NULL);
        return;
    }
    io_exchange_add_header(exchange, "WWW-Authenticate", "Bearer");
    agent_answer_error(agent, exchange, 401, &err, NULL);
}

void agent_api_request(void *ctx, struct io_exchange *exchange)
{
    struct agent *agent = ctx;
    const char *path = io_exchange_path(exchange);
    const char *method = io_exchange_method(exchange);
    bool known = false;
    char id[AGENT_ROUTE_ID_TEXT];
    const struct agent_route *route = agent_route_find(method, path, id, &known);
    if (route != NULL) {
        dispatch(agent, exchange, route, id);
        return;
    }
    struct base_error err = {0};
    (void)base_fail(&err, known ? BASE_INVALID : BASE_NOT_FOUND,
                    known ? "%s does not take %s" : "no such path: %s (method %s)", path, method);
    agent_answer_error(agent, exchange, known ? 405 : 404, &err, NULL);
}
