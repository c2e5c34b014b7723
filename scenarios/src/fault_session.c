/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes. One request at a time: a revert that overtook an apply would be told that there is
 * nothing to revert. An answer that does not come leaves the fault's state unknown: from then on it
 * is reverted, again and again, until an answer comes or the lease and the agent's own replay have
 * certainly had their time.
 */
#include "scenarios/fault_session.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control_client.h"
#include "model/control.h"

enum session_stage { CHECKING, APPLYING, HOLDING, REVERTING, DONE, STAGES };

static const bool allowed[STAGES][STAGES] = {
    [CHECKING] = {[APPLYING] = true, [DONE] = true},
    [APPLYING] = {[HOLDING] = true, [REVERTING] = true, [DONE] = true},
    [HOLDING] = {[REVERTING] = true, [DONE] = true},
    [REVERTING] = {[DONE] = true},
};

enum {
    SIGNALS = 3,
    RENEWALS = 3,      /* of them in one lease */
    PATIENCE_S = 30,   /* for an apply or revert, on top of a restart that is awaited */
    RECOVERY_S = 6,    /* for an agent that is restarted, on top of the lease */
    ASK_AGAIN_MS = 250 /* after a question without an answer, or one that was too early */
};

struct session {
    const struct fault_session_config *config;
    struct control_access access;
    struct io_loop *loop;
    struct io_http *http;
    struct io_timer next; /* the next question */
    struct io_signal signals[SIGNALS];
    enum session_stage stage;
    bool waiting;           /* for an answer */
    bool ended_by_user;     /* a signal came */
    struct mono_ns lapses;  /* while held: when its lease has certainly run out */
    struct mono_ns give_up; /* while reverting */
    enum fault_session_end end;
    char *why;
};

static void ask_next(void *ctx);

static void move_to(struct session *session, enum session_stage stage)
{
    if (allowed[session->stage][stage])
        session->stage = stage;
}

static void tell(const struct session *session, const char *what, const struct fault_record *record)
{
    if (session->config->on_news != NULL)
        session->config->on_news(session->config->ctx, what, record);
}

static void finish(struct session *session, enum fault_session_end end, const char *why)
{
    if (session->stage == DONE)
        return;
    move_to(session, DONE);
    session->end = end;
    session->why = base_str_dup(why);
    io_loop_stop(session->loop);
}

static void ask_in(struct session *session, struct dur_ns after)
{
    if (session->stage != DONE && !session->waiting)
        io_timer_start(&session->next, after);
}

static void start_reverting(struct session *session)
{
    const struct fault_spec *spec = session->config->spec;
    if (session->stage == REVERTING)
        return;
    move_to(session, REVERTING);
    tell(session, "reverting", NULL);
    struct dur_ns patience = {spec->lease.ns + RECOVERY_S * BASE_NS_PER_S};
    session->give_up = base_mono_add(base_mono_now(), patience);
}

/* --- what answers mean --- */

static enum fault_session_end end_of(const struct fault_record *record)
{
    if (record->state == FAULT_STUCK)
        return FAULT_SESSION_UNCLEAN;
    if (record->end == FAULT_END_HALT)
        return FAULT_SESSION_HALTED;
    bool meant = record->end == FAULT_END_EXPIRED || record->end == FAULT_END_REQUEST;
    return record->was_active && meant && record->error == NULL ? FAULT_SESSION_ENDED
                                                                : FAULT_SESSION_FAILED;
}

static void take_record(struct session *session, const struct fault_record *record)
{
    const struct fault_spec *spec = session->config->spec;
    if (fault_state_final(record->state)) {
        tell(session, fault_state_name(record->state), record);
        BASE_AUTO_FREE char *why = base_str_printf("ended by %s%s%s", fault_end_name(record->end),
                                                   record->error != NULL ? ": " : "",
                                                   record->error != NULL ? record->error : "");
        finish(session, end_of(record), why);
        return;
    }
    if (session->stage == APPLYING && record->state == FAULT_ACTIVE) {
        tell(session, "active", record);
        move_to(session, HOLDING);
    }
    if (session->ended_by_user)
        start_reverting(session);
    session->lapses = base_mono_add(base_mono_now(), spec->lease);
    if (session->stage == HOLDING && record->state == FAULT_ACTIVE)
        ask_in(session, (struct dur_ns){spec->lease.ns / RENEWALS});
    else
        ask_in(session, base_dur_ms(session->stage == REVERTING ? 0 : ASK_AGAIN_MS));
}

static void no_answer(struct session *session, const struct io_http_response *response)
{
    if (session->stage == APPLYING && !response->connected) {
        finish(session, FAULT_SESSION_REFUSED, response->error.message);
        return;
    }
    bool lapsed = base_mono_before(session->lapses, base_mono_now());
    if (session->stage == APPLYING || (session->stage == HOLDING && lapsed))
        start_reverting(session);
    if (session->stage == REVERTING && base_mono_before(session->give_up, base_mono_now()))
        finish(session, FAULT_SESSION_UNCLEAN, response->error.message);
    else
        ask_in(session, base_dur_ms(ASK_AGAIN_MS));
}

/* An answer without a record. */
static void refusal(struct session *session, int status, const char *text)
{
    BASE_AUTO_FREE char *why = base_str_printf("the agent answered %d: %s", status,
                                               text != NULL ? text : "without saying why");
    if (session->stage == APPLYING && status < 500)
        finish(session, FAULT_SESSION_REFUSED, why);
    else if (session->stage == APPLYING && status == 507)
        finish(session, FAULT_SESSION_REFUSED, why);
    else if (session->stage == REVERTING && status == 404)
        finish(session, FAULT_SESSION_FAILED, why); /* it has forgotten it: it was gone long ago */
    else if (session->stage == REVERTING)
        finish(session, FAULT_SESSION_UNCLEAN, why);
    else
        start_reverting(session);
    ask_in(session, (struct dur_ns){0});
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct session *session = ctx;
    struct fault_record record = {0};
    session->waiting = false;
    if (!response->ok) {
        no_answer(session, response);
        return;
    }
    json_t *body = model_json_parse(response->body, response->body_len, "agent", NULL);
    if (json_object_get(body, "state") != NULL && fault_record_from_json(body, &record, NULL))
        take_record(session, &record);
    else
        refusal(session, response->status, control_error_text(body));
    fault_record_fini(&record);
    json_decref(body);
}

static void on_health(void *ctx, const struct io_http_response *response)
{
    struct session *session = ctx;
    session->waiting = false;
    BASE_AUTO_FREE char *trouble = control_version_trouble(response);
    if (trouble != NULL || session->ended_by_user) {
        finish(session, FAULT_SESSION_REFUSED, trouble != NULL ? trouble : "interrupted");
        return;
    }
    move_to(session, APPLYING);
    tell(session, "applying", NULL);
    ask_in(session, (struct dur_ns){0});
}

/* --- questions --- */

static char *body_of(const struct session *session)
{
    const struct fault_spec *spec = session->config->spec;
    if (session->stage == HOLDING)
        return base_str_printf("{\"leaseNs\":%" PRId64 "}", spec->lease.ns);
    if (session->stage != APPLYING)
        return NULL;
    json_t *json = fault_spec_to_json(spec);
    char *text = model_json_dump_line(json);
    json_decref(json);
    return text;
}

static char *url_of(const struct session *session)
{
    const char *url = session->access.url;
    const char *id = session->config->spec->id;
    switch (session->stage) {
    case CHECKING:
        return base_str_printf("%s%s", url, CONTROL_PATH_HEALTH);
    case APPLYING:
        return base_str_printf("%s%s", url, CONTROL_PATH_FAULTS);
    case HOLDING:
        return base_str_printf("%s%s/%s/renew", url, CONTROL_PATH_FAULTS, id);
    default:
        return base_str_printf("%s%s/%s", url, CONTROL_PATH_FAULTS, id);
    }
}

static struct dur_ns patience_of(const struct session *session)
{
    const struct fault_spec *spec = session->config->spec;
    if (session->stage == CHECKING)
        return base_dur_s(5);
    if (session->stage == HOLDING)
        return (struct dur_ns){spec->lease.ns / RENEWALS};
    struct dur_ns patience = base_dur_s(PATIENCE_S);
    if (spec->kind == FAULT_KILL)
        patience.ns += spec->kill.restart_within.ns;
    if (fault_is_of_pod(spec))
        patience.ns += spec->duration.ns;
    if (spec->kind == FAULT_NODE)
        patience.ns += spec->lease.ns; /* a node is drained within that, or it has failed */
    return patience;
}

static void ask_next(void *ctx)
{
    static const char *const methods[] = {
        [CHECKING] = "GET", [APPLYING] = "POST", [HOLDING] = "POST", [REVERTING] = "DELETE"};
    struct session *session = ctx;
    struct base_error err = {0};
    BASE_AUTO_FREE char *url = url_of(session);
    BASE_AUTO_FREE char *body = body_of(session);
    struct io_http_request request =
        control_request(&session->access, methods[session->stage], url, body);
    request.timeout = patience_of(session);
    request.connect_timeout = base_dur_s(2);
    session->waiting =
        io_http_start(session->http, &request, session->stage == CHECKING ? on_health : on_answer,
                      session, &err) != NULL;
    if (session->waiting)
        return;
    bool before = session->stage == CHECKING || session->stage == APPLYING;
    finish(session, before ? FAULT_SESSION_REFUSED : FAULT_SESSION_UNCLEAN, err.message);
}

static void on_signal(void *ctx, int number)
{
    struct session *session = ctx;
    (void)number;
    session->ended_by_user = true;
    if (session->stage != HOLDING)
        return; /* what is under way is answered first, and then reverted */
    start_reverting(session);
    ask_in(session, (struct dur_ns){0});
}

/* --- the whole --- */

static bool session_open(struct session *session, struct base_error *err)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    const struct control_agent *agent = &session->config->agent;
    session->loop = io_loop_new(err);
    if (session->loop == NULL)
        return false;
    session->http = io_http_new(session->loop);
    if (!control_access_init(&session->access, agent->url, agent->token_file, &agent->tls, err))
        return false;
    io_timer_init(&session->next, session->loop, ask_next, session);
    for (size_t i = 0; i < SIGNALS; i++)
        io_signal_init(&session->signals[i], session->loop, numbers[i], on_signal, session);
    return true;
}

static void session_close(struct session *session)
{
    for (size_t i = 0; i < SIGNALS; i++)
        io_signal_fini(&session->signals[i]);
    io_timer_fini(&session->next);
    io_http_free(session->http);
    control_access_fini(&session->access);
    io_loop_free(session->loop);
}

bool fault_session_run(const struct fault_session_config *config, enum fault_session_end *out,
                       char **why, struct base_error *err)
{
    struct session session = {.config = config};
    bool opened = session_open(&session, err);
    if (opened) {
        ask_in(&session, (struct dur_ns){0});
        io_loop_run(session.loop);
        *out = session.end;
        *why = session.why;
    }
    session_close(&session);
    return opened;
}
