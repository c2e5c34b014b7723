/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol's controller side: one request of the runner, one HTTP call, one reply. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control_client.h"
#include "live_internal.h"
#include "model/control.h"

enum { REQUESTS = RUN_STATUS + 1 };

static void on_refusal(void *ctx)
{
    struct live_ask *ask = ctx;
    const struct run_reply reply = {.kind = RUN_REPLY_UNSENT, .error = ask->refused};
    run_on_fault(ask->agent->run, ask->fault, ask->request, &reply);
}

bool live_agent_init(struct live_agent *agent, struct io_loop *loop, struct io_http *http,
                     struct run *run, const struct plan *plan, struct base_error *err)
{
    *agent = (struct live_agent){.http = http, .run = run, .plan = plan};
    if (plan->fault_count == 0)
        return true;
    if (plan->agent_url == NULL || plan->agent_token_file == NULL)
        return base_fail(err, BASE_INVALID,
                         "the plan has faults but its target has no agent; start one "
                         "(squall up does) or take the faults out");
    const struct io_tls_files tls = {
        .ca = plan->agent_ca_file, .cert = plan->agent_cert_file, .key = plan->agent_key_file};
    if (!control_access_init(&agent->access, plan->agent_url, plan->agent_token_file, &tls, err))
        return false;
    agent->asks = base_calloc(plan->fault_count * REQUESTS, sizeof *agent->asks);
    for (size_t i = 0; i < plan->fault_count * REQUESTS; i++) {
        struct live_ask *ask = &agent->asks[i];
        *ask = (struct live_ask){
            .agent = agent, .fault = i / REQUESTS, .request = (enum run_request)(i % REQUESTS)};
        io_timer_init(&ask->refusal, loop, on_refusal, ask);
    }
    return true;
}

void live_agent_fini(struct live_agent *agent)
{
    for (size_t i = 0; agent->asks != NULL && i < agent->plan->fault_count * REQUESTS; i++) {
        io_timer_fini(&agent->asks[i].refusal);
        free(agent->asks[i].refused);
    }
    free(agent->asks);
    control_access_fini(&agent->access);
    *agent = (struct live_agent){0};
}

static struct run_reply reply_of(enum run_request request, const struct io_http_response *response,
                                 const json_t *body, const struct fault_record *record)
{
    const char *text = control_error_text(body);
    if (record->id != NULL)
        return (struct run_reply){.kind = RUN_REPLY_RECORD, .record = record};
    if (!response->ok)
        return (struct run_reply){.kind = response->connected ? RUN_REPLY_UNREACHABLE
                                                              : RUN_REPLY_UNSENT,
                                  .error = response->error.message};
    if (response->status == 404)
        return (struct run_reply){.kind = RUN_REPLY_UNKNOWN, .error = text};
    if (response->status == 410 && request == RUN_APPLY)
        return (struct run_reply){.kind = RUN_REPLY_HALTED, .error = text};
    if ((response->status >= 400 && response->status < 500) || response->status == 507)
        return (struct run_reply){.kind = RUN_REPLY_REFUSED, .error = text};
    return (struct run_reply){.kind = RUN_REPLY_UNREACHABLE,
                              .error = text != NULL ? text : "the agent's answer makes no sense"};
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct live_ask *ask = ctx;
    struct fault_record record = {0};
    json_t *body =
        response->ok ? model_json_parse(response->body, response->body_len, "agent", NULL) : NULL;
    if (json_object_get(body, "state") != NULL)
        (void)fault_record_from_json(body, &record, NULL);
    const struct run_reply reply = reply_of(ask->request, response, body, &record);
    run_on_fault(ask->agent->run, ask->fault, ask->request, &reply);
    fault_record_fini(&record);
    json_decref(body);
}

/* How each request looks on the wire, and how long its answer may take. */
static const struct {
    const char *method;
    const char *suffix;
    int patience_s; /* on top of what the fault itself needs */
} wire[] = {
    [RUN_APPLY] = {"POST", NULL, 20},
    [RUN_RENEW] = {"POST", "/renew", 0},
    [RUN_REVERT] = {"DELETE", "", 20},
    [RUN_STATUS] = {"GET", "", 2},
};

static struct dur_ns patience_for(const struct fault_spec *spec, enum run_request request)
{
    struct dur_ns patience = base_dur_s(wire[request].patience_s);
    if (request == RUN_RENEW)
        patience.ns = spec->lease.ns / 3;
    else if (request == RUN_APPLY && fault_is_of_pod(spec))
        patience.ns += spec->duration.ns; /* a pod ends within that, or it has failed */
    else if (request == RUN_APPLY && spec->kind == FAULT_NODE)
        patience.ns += spec->lease.ns; /* a node is drained within that, or it has failed */
    else if (request == RUN_REVERT && spec->kind == FAULT_KILL)
        patience.ns += spec->kill.restart_within.ns;
    return patience;
}

static char *body_for(const struct fault_spec *spec, enum run_request request)
{
    json_t *json = NULL;
    if (request == RUN_APPLY)
        json = fault_spec_to_json(spec);
    else if (request == RUN_RENEW)
        json = json_pack("{s:I}", "leaseNs", (json_int_t)spec->lease.ns);
    char *text = json != NULL ? model_json_dump_line(json) : NULL;
    json_decref(json);
    return text;
}

void live_agent_ask(struct live_agent *agent, size_t fault, enum run_request request)
{
    const struct fault_spec *spec = &agent->plan->faults[fault].spec;
    const char *suffix = wire[request].suffix;
    BASE_AUTO_FREE char *url =
        suffix == NULL ? base_str_printf("%s%s", agent->plan->agent_url, CONTROL_PATH_FAULTS)
                       : base_str_printf("%s%s/%s%s", agent->plan->agent_url, CONTROL_PATH_FAULTS,
                                         spec->id, suffix);
    BASE_AUTO_FREE char *body = body_for(spec, request);
    struct io_http_request call = control_request(&agent->access, wire[request].method, url, body);
    call.timeout = patience_for(spec, request);
    call.connect_timeout = base_dur_s(2);
    struct live_ask *ask = &agent->asks[fault * REQUESTS + (size_t)request];
    struct base_error err;
    if (io_http_start(agent->http, &call, on_answer, ask, &err) == NULL) {
        free(ask->refused);
        ask->refused = base_str_dup(err.message);
        io_timer_start(&ask->refusal, (struct dur_ns){0});
    }
}

/* --- before the load: is there an agent, is it ours, is it free? --- */

/* What stands in the way, or NULL; free() it. */
static char *why_not_free(const struct io_http_response *response, const json_t *body)
{
    size_t i;
    const json_t *fault;
    const char *text = control_error_text(body);
    if (!response->ok)
        return base_str_dup(response->error.message);
    if (response->status != 200)
        return base_str_printf("answered %d: %s", response->status,
                               text != NULL ? text : "no reason given");
    json_array_foreach(json_object_get(body, "faults"), i, fault)
    {
        const char *state = json_string_value(json_object_get(fault, "state"));
        const char *run = json_string_value(json_object_get(fault, "run"));
        const char *name = json_string_value(json_object_get(fault, "name"));
        if (state != NULL && !base_str_eq(state, fault_state_name(FAULT_GONE)))
            return base_str_printf("fault %s of run %s is %s; squall halt ends it, or says why not",
                                   name != NULL ? name : "?", run != NULL ? run : "?", state);
    }
    return NULL;
}

static void on_listing(void *ctx, const struct io_http_response *response)
{
    struct live_agent *agent = ctx;
    json_t *body =
        response->ok ? model_json_parse(response->body, response->body_len, "agent", NULL) : NULL;
    BASE_AUTO_FREE char *trouble = why_not_free(response, body);
    json_decref(body);
    run_on_check(agent->run, agent->check, trouble == NULL, trouble);
}

static void ask_check(struct live_agent *agent, const char *path,
                      void (*on_done)(void *ctx, const struct io_http_response *))
{
    BASE_AUTO_FREE char *url = base_str_printf("%s%s", agent->plan->agent_url, path);
    struct io_http_request call = control_request(&agent->access, "GET", url, NULL);
    call.timeout = base_dur_s(2);
    (void)io_http_start(agent->http, &call, on_done, agent, NULL);
}

/* What an agent of another version makes of our requests is not tried out under load. */
static void on_health(void *ctx, const struct io_http_response *response)
{
    struct live_agent *agent = ctx;
    BASE_AUTO_FREE char *trouble = control_version_trouble(response);
    if (trouble != NULL)
        run_on_check(agent->run, agent->check, false, trouble);
    else
        ask_check(agent, CONTROL_PATH_FAULTS, on_listing);
}

void live_agent_check(struct live_agent *agent, size_t check)
{
    agent->check = check;
    ask_check(agent, CONTROL_PATH_HEALTH, on_health);
}
