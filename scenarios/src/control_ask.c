/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/control.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "control_client.h"
#include "model/control.h"

struct asked {
    struct io_loop *loop;
    bool ok;
    int status;
    json_t *body;
    char *version_trouble;
    struct base_error error;
};

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct asked *asked = ctx;
    asked->ok = response->ok;
    asked->error = response->error;
    asked->status = response->status;
    asked->version_trouble = control_version_trouble(response);
    if (response->ok)
        asked->body = model_json_parse(response->body, response->body_len, "agent", NULL);
    io_loop_stop(asked->loop);
}

static bool ask(struct asked *asked, struct io_http *http, const struct control_agent *agent,
                const char *method, const char *path, const char *body, struct dur_ns patience,
                struct base_error *err)
{
    struct control_access access = {0};
    if (!control_access_init(&access, agent->url, agent->token_file, &agent->tls, err))
        return false;
    BASE_AUTO_FREE char *url = base_str_printf("%s%s", agent->url, path);
    struct io_http_request request = control_request(&access, method, url, body);
    request.timeout = patience;
    bool started = io_http_start(http, &request, on_answer, asked, err) != NULL;
    control_access_fini(&access);
    if (started)
        io_loop_run(asked->loop);
    if (started && !asked->ok)
        *err = asked->error;
    return started && asked->ok;
}

static bool ask_on_a_loop(struct asked *asked, const struct control_agent *agent,
                          const char *method, const char *path, const char *body,
                          struct dur_ns patience, struct base_error *err)
{
    asked->loop = io_loop_new(err);
    if (asked->loop == NULL)
        return false;
    struct io_http *http = io_http_new(asked->loop);
    bool ok = ask(asked, http, agent, method, path, body, patience, err);
    io_http_free(http);
    io_loop_free(asked->loop);
    return ok;
}

bool control_ask(const struct control_agent *agent, const char *method, const char *path,
                 const char *sent, struct dur_ns patience, int *status, json_t **body,
                 struct base_error *err)
{
    struct asked asked = {0};
    bool ok = ask_on_a_loop(&asked, agent, method, path, sent, patience, err);
    free(asked.version_trouble);
    if (!ok)
        return false;
    *status = asked.status;
    *body = asked.body;
    return true;
}

bool control_health(const struct control_agent *agent, json_t **body, struct base_error *err)
{
    struct asked asked = {0};
    bool ok = ask_on_a_loop(&asked, agent, "GET", CONTROL_PATH_HEALTH, NULL, base_dur_s(5), err);
    BASE_AUTO_FREE char *trouble = asked.version_trouble;
    if (ok && trouble != NULL) {
        json_decref(asked.body);
        return base_fail(err, BASE_UNAVAILABLE, "%s: %s", agent->url, trouble);
    }
    if (ok)
        *body = asked.body;
    return ok;
}

const char *control_why(const json_t *body)
{
    return control_error_text(body);
}
