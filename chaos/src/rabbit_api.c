/* SPDX-License-Identifier: Apache-2.0 */
#include "rabbit_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/digest.h"

enum { timeout_ms = 2000, answer_max = 8 << 20, words_max = 4096 };

struct call {
    struct fault_rabbit *rabbit;
    struct call *next;
    struct io_http_call *http; /* NULL: it could not even be set up */
    struct io_timer late;      /* then its answer comes from the loop all the same */
    struct base_error error;
    fault_rabbit_next *then;
    void *ctx;
};

struct fault_rabbit {
    struct io_loop *loop;
    struct io_http *http;
    char *origin;
    char *authorization; /* a header */
    struct call *calls;
};

static char *authorization(const struct fault_credentials *credentials)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, words_max);
    BASE_AUTO_FREE char *plain =
        base_str_printf("%s:%s", credentials->user != NULL ? credentials->user : "guest",
                        credentials->password != NULL ? credentials->password : "");
    bool ok =
        base_buf_str(&text, "Authorization: Basic ") && io_base64(plain, strlen(plain), &text);
    explicit_bzero(plain, strlen(plain));
    char *header = ok ? base_str_dup(text.data) : NULL;
    explicit_bzero(text.data, text.len);
    return header;
}

struct fault_rabbit *fault_rabbit_new(struct io_loop *loop, struct io_http *http,
                                      const char *address, uint16_t port,
                                      const struct fault_credentials *credentials)
{
    struct fault_rabbit *rabbit = base_calloc(1, sizeof *rabbit);
    bool v6 = strchr(address, ':') != NULL;
    rabbit->loop = loop;
    rabbit->http = http;
    rabbit->origin =
        base_str_printf("http://%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "", (unsigned)port);
    rabbit->authorization = authorization(credentials);
    return rabbit;
}

static void forget(struct call *call)
{
    struct call **at = &call->rabbit->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    io_timer_fini(&call->late);
    free(call);
}

void fault_rabbit_cancel(struct fault_rabbit *rabbit)
{
    while (rabbit->calls != NULL) {
        if (rabbit->calls->http != NULL)
            io_http_cancel(rabbit->calls->http);
        forget(rabbit->calls);
    }
}

void fault_rabbit_free(struct fault_rabbit *rabbit)
{
    if (rabbit == NULL)
        return;
    fault_rabbit_cancel(rabbit);
    if (rabbit->authorization != NULL)
        explicit_bzero(rabbit->authorization, strlen(rabbit->authorization));
    free(rabbit->authorization);
    free(rabbit->origin);
    free(rabbit);
}

/* {"error":"...","reason":"..."} */
static const char *reason_of(const json_t *json)
{
    const char *reason = json_string_value(json_object_get(json, "reason"));
    return reason != NULL ? reason : "";
}

static void on_done(void *ctx, const struct io_http_response *response)
{
    struct call *call = ctx;
    fault_rabbit_next *then = call->then;
    void *then_ctx = call->ctx;
    json_t *json = response->ok && response->body_len > 0
                       ? model_json_parse(response->body, response->body_len, "answer", NULL)
                       : NULL;
    struct fault_rabbit_answer answer = {
        .status = response->ok ? response->status : 0,
        .json = json,
        .error = response->ok ? reason_of(json) : response->error.message,
    };
    forget(call);
    then(then_ctx, &answer);
    json_decref(json);
}

static void on_late(void *ctx)
{
    struct call *call = ctx;
    fault_rabbit_next *then = call->then;
    void *then_ctx = call->ctx;
    struct base_error error = call->error;
    forget(call);
    then(then_ctx, &(struct fault_rabbit_answer){.error = error.message});
}

void fault_rabbit_ask(struct fault_rabbit *rabbit, const char *method, const char *path,
                      json_t *body, fault_rabbit_next *next, void *ctx)
{
    struct call *call = base_calloc(1, sizeof *call);
    *call = (struct call){.rabbit = rabbit, .next = rabbit->calls, .then = next, .ctx = ctx};
    rabbit->calls = call;
    io_timer_init(&call->late, rabbit->loop, on_late, call);
    BASE_AUTO_FREE char *url = base_str_printf("%s/api%s", rabbit->origin, path);
    BASE_AUTO_FREE char *text = body != NULL ? model_json_dump_line(body) : NULL;
    json_decref(body);
    const char *const headers[] = {rabbit->authorization, "Content-Type: application/json", NULL};
    const struct io_http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = text,
        .body_len = text != NULL ? strlen(text) : 0,
        .timeout = base_dur_ms(timeout_ms),
        .max_response = answer_max,
    };
    call->http = io_http_start(rabbit->http, &request, on_done, call, &call->error);
    if (call->http == NULL)
        io_timer_start(&call->late, (struct dur_ns){0});
}

char *fault_rabbit_encode(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, words_max);
    for (const char *at = text; *at != '\0'; at++)
        (void)(strchr(plain, *at) != NULL ? base_buf_printf(&out, "%c", *at)
                                          : base_buf_printf(&out, "%%%02X", (unsigned char)*at));
    return base_str_dup(out.len > 0 ? out.data : "");
}
