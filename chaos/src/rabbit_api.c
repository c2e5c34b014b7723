/* SPDX-License-Identifier: Apache-2.0 */
#include "rabbit_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/digest.h"

enum { timeout_ms = 2000, answer_max = 8 << 20, words_max = 4096 };

struct fault_rabbit {
    struct fault_rest *rest;
    char *authorization; /* a header */
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
    BASE_AUTO_FREE char *origin = base_str_printf("http://%s%s%s:%u/api", v6 ? "[" : "", address,
                                                  v6 ? "]" : "", (unsigned)port);
    rabbit->rest = fault_rest_new(loop, http,
                                  &(struct fault_rest_config){
                                      .origin = origin,
                                      .error_key = "reason", /* {"error":"...","reason":"..."} */
                                      .timeout = base_dur_ms(timeout_ms),
                                      .max_response = answer_max,
                                  });
    rabbit->authorization = authorization(credentials);
    return rabbit;
}

void fault_rabbit_cancel(struct fault_rabbit *rabbit)
{
    fault_rest_cancel(rabbit->rest);
}

void fault_rabbit_free(struct fault_rabbit *rabbit)
{
    if (rabbit == NULL)
        return;
    fault_rest_free(rabbit->rest);
    if (rabbit->authorization != NULL)
        explicit_bzero(rabbit->authorization, strlen(rabbit->authorization));
    free(rabbit->authorization);
    free(rabbit);
}

void fault_rabbit_ask(struct fault_rabbit *rabbit, const char *method, const char *path,
                      json_t *body, fault_rest_next *next, void *ctx)
{
    fault_rest_ask(rabbit->rest, method, path, rabbit->authorization, body, next, ctx);
}
