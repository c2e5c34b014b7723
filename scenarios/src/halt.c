/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/halt.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control_client.h"
#include "io/http_client.h"
#include "model/control.h"
#include "model/fault.h"

struct halt {
    struct io_loop *loop;
    struct io_http *http;
    size_t open;
};

struct halt_ask {
    struct halt *halt;
    struct halt_agent *agent;
};

static void name_the_stuck(struct halt_agent *agent, const json_t *faults)
{
    struct base_buf names;
    base_buf_init(&names, 4096);
    size_t i;
    const json_t *fault;
    json_array_foreach(faults, i, fault)
    {
        const char *state = json_string_value(json_object_get(fault, "state"));
        const char *name = json_string_value(json_object_get(fault, "name"));
        if (base_str_eq(state, fault_state_name(FAULT_STUCK)) && name != NULL)
            base_buf_printf(&names, "%s%s", names.len > 0 ? ", " : "not shown to be gone: ", name);
    }
    agent->error = base_str_dup(names.len > 0 ? names.data : "the agent reports a stuck fault");
    base_buf_fini(&names);
}

static void take_answer(struct halt_agent *agent, const struct io_http_response *response)
{
    json_t *body =
        response->ok ? model_json_parse(response->body, response->body_len, "agent", NULL) : NULL;
    const json_t *faults = json_object_get(body, "faults");
    agent->faults = json_array_size(faults);
    if (!response->ok) {
        agent->error = base_str_dup(response->error.message);
    } else if (response->status == 200 && json_is_array(faults)) {
        agent->result = HALT_CLEAN;
    } else if (response->status == 409) {
        agent->result = HALT_STUCK;
        name_the_stuck(agent, faults);
    } else {
        const char *why = control_error_text(body);
        agent->error = base_str_printf("it answered %d: %s", response->status,
                                       why != NULL ? why : "without saying why");
    }
    json_decref(body);
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct halt_ask *ask = ctx;
    take_answer(ask->agent, response);
    if (--ask->halt->open == 0)
        io_loop_stop(ask->halt->loop);
}

static void ask_agent(struct halt_ask *ask, struct dur_ns patience)
{
    struct base_error err;
    struct halt_agent *agent = ask->agent;
    agent->result = HALT_UNREACHABLE;
    struct control_access access = {0};
    BASE_AUTO_FREE char *url = base_str_printf("%s%s", agent->url, CONTROL_PATH_HALT);
    bool asked = control_access_init(&access, agent->url, agent->token_file, &agent->tls, &err);
    if (asked) {
        struct io_http_request request = control_request(&access, "POST", url, NULL);
        request.timeout = patience;
        asked = io_http_start(ask->halt->http, &request, on_answer, ask, &err) != NULL;
    }
    control_access_fini(&access);
    if (asked)
        ask->halt->open++;
    else
        agent->error = base_str_dup(err.message);
}

bool halt_agents(struct halt_agent *agents, size_t count, struct dur_ns patience,
                 struct base_error *err)
{
    struct halt halt = {.loop = io_loop_new(err)};
    if (halt.loop == NULL)
        return false;
    halt.http = io_http_new(halt.loop);
    BASE_AUTO_FREE struct halt_ask *asks = base_calloc(count, sizeof *asks);
    for (size_t i = 0; i < count; i++) {
        asks[i] = (struct halt_ask){&halt, &agents[i]};
        ask_agent(&asks[i], patience);
    }
    if (halt.open > 0)
        io_loop_run(halt.loop);
    io_http_free(halt.http);
    io_loop_free(halt.loop);
    return true;
}
