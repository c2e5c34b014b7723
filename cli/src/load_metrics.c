/* SPDX-License-Identifier: Apache-2.0 */
#include "load_metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { OK = 200, NOT_FOUND = 404, NOT_ALLOWED = 405, INTERNAL = 500, CONNECTIONS = 64 };
static const size_t metrics_max = (size_t)64 * 1024 * 1024;

static void reply(struct io_exchange *exchange, unsigned status, const char *text)
{
    io_exchange_reply(exchange, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void on_request(void *ctx, struct io_exchange *exchange)
{
    const struct load_metrics *metrics = ctx;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, metrics_max);
    if (!base_str_eq(io_exchange_path(exchange), "/metrics"))
        reply(exchange, NOT_FOUND, "see /metrics\n");
    else if (!base_str_eq(io_exchange_method(exchange), "GET"))
        reply(exchange, NOT_ALLOWED, "GET only\n");
    else if (!metrics->write(metrics->ctx, &text))
        reply(exchange, INTERNAL, "too many metrics\n");
    else
        io_exchange_reply(exchange, OK, "text/plain; version=0.0.4; charset=utf-8", text.data,
                          text.len);
}

struct io_server *load_metrics_start(struct io_loop *loop, const struct load_adhoc *adhoc,
                                     struct load_metrics *metrics, struct base_error *err)
{
    const struct io_server_config config = {.address = adhoc->metrics_address,
                                            .port = adhoc->metrics_port,
                                            .max_connections = CONNECTIONS,
                                            .on_request = on_request,
                                            .ctx = metrics};
    struct io_server *server = io_server_new(loop, &config, err);
    if (server == NULL) {
        (void)base_fail_context(err, "--prometheus");
        return NULL;
    }
    if (!adhoc->quiet)
        (void)fprintf(stderr, "metrics at port %u of %s, path /metrics\n",
                      (unsigned)io_server_port(server), adhoc->metrics_address);
    return server;
}
