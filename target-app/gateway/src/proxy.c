/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { HEADERS_MAX = 16, RESPONSE_MAX = 8 << 20, LEAST_TRY_MS = 50 };

/* One request on its way. */
struct trip {
    struct upstream *upstream;
    const struct proxy_limits *limits;
    struct kit_request *request;
    struct io_http_call *call;
    size_t peer;
    uint32_t tried; /* a bit for each peer */
    unsigned tries;
};

static struct dur_ns time_left(const struct trip *trip)
{
    struct mono_ns end = base_mono_add(kit_request_received(trip->request), trip->limits->deadline);
    return base_mono_sub(end, base_mono_now());
}

static bool is_idempotent(const char *method)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], method) == 0)
            return true;
    }
    return false;
}

/* --- one try --- */

struct header_lines {
    char *line[HEADERS_MAX + 1];
    size_t count;
};

/* Only what is named here goes on: hop-by-hop headers (RFC 9110, 7.6.1) and those that a
 * "Connection" header names are dropped by not being named. */
static void copy_headers(const struct trip *trip, struct header_lines *out)
{
    static const char *const forwarded[] = {
        "Accept",   "Accept-Language", "Authorization", "Content-Type",    "Idempotency-Key",
        "If-Match", "If-None-Match",   "tracestate",    "X-Forwarded-For",
    };
    for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++) {
        const char *value = kit_request_header(trip->request, forwarded[i]);
        if (value != NULL && value[0] != '\0' && strpbrk(value, "\r\n") == NULL)
            out->line[out->count++] = base_str_printf("%s: %s", forwarded[i], value);
    }
    char traceparent[KIT_TRACEPARENT_TEXT];
    kit_trace_format(kit_request_trace(trip->request), traceparent);
    out->line[out->count++] = base_str_printf("traceparent: %s", traceparent);
    out->line[out->count++] = base_str_printf("X-Traffic: %s", kit_request_traffic(trip->request));
}

static void on_answer(void *ctx, const struct io_http_response *response);

static bool send_try(struct trip *trip, struct base_error *err)
{
    struct header_lines headers = {.count = 0};
    copy_headers(trip, &headers);
    BASE_AUTO_FREE char *url =
        base_str_printf("http://%s%s", trip->upstream->balancer.peers[trip->peer].name,
                        kit_request_target(trip->request));
    struct dur_ns left = time_left(trip);
    struct dur_ns limit = trip->limits->try_timeout;
    struct io_http_request request = {
        .method = kit_request_method(trip->request),
        .url = url,
        .headers = (const char *const *)headers.line,
        .timeout = left.ns < limit.ns ? left : limit,
        .connect_timeout = trip->limits->connect,
        .max_response = RESPONSE_MAX,
    };
    request.body = kit_request_body(trip->request, &request.body_len);
    trip->tries++;
    trip->tried |= 1U << trip->peer;
    trip->call = io_http_start(trip->upstream->http, &request, on_answer, trip, err);
    for (size_t i = 0; i < headers.count; i++)
        free(headers.line[i]);
    return trip->call != NULL;
}

/* --- the end --- */

static void pass_on(struct kit_request *request, const struct io_http_response *response)
{
    static const char *const forwarded[] = {"Location", "Allow", "ETag", "Last-Modified"};
    for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++) {
        const char *value = io_http_response_header(response, forwarded[i]);
        if (value != NULL)
            kit_reply_header(request, forwarded[i], value);
    }
    const char *type = response->content_type;
    kit_reply_bytes(request, (unsigned)response->status,
                    type[0] != '\0' ? type : "application/octet-stream", response->body,
                    response->body_len);
}

static void reply_failure(struct kit_request *request, const struct io_http_response *response)
{
    if (response->error.code == BASE_TIMEOUT && response->connected)
        kit_reply_error(request, 504, "GATEWAY_TIMEOUT", NULL,
                        "the service behind the gateway did not answer in time");
    else if (response->error.code == BASE_LIMIT)
        kit_reply_error(request, 502, "BAD_GATEWAY", NULL,
                        "the answer of the service behind the gateway is too large");
    else
        kit_reply_error(request, 502, "BAD_GATEWAY", NULL,
                        response->connected ? "the service behind the gateway broke off its answer"
                                            : "the service behind the gateway cannot be reached");
}

static void finish(struct trip *trip, const struct io_http_response *response)
{
    if (response->ok)
        pass_on(trip->request, response);
    else
        reply_failure(trip->request, response);
    free(trip);
}

static void on_abandon(void *ctx)
{
    struct trip *trip = ctx;
    io_http_cancel(trip->call);
    kit_balancer_drop(&trip->upstream->balancer, trip->peer);
    free(trip);
}

/* --- a second try --- */

static bool wants_retry(const struct trip *trip, const struct io_http_response *response)
{
    bool failed = response->ok ? response->status >= 502 && response->status <= 504
                               : response->error.code != BASE_LIMIT;
    return failed && trip->tries == 1 && is_idempotent(kit_request_method(trip->request)) &&
           time_left(trip).ns >= LEAST_TRY_MS * BASE_NS_PER_MS;
}

/* true when a second try is under way. */
static bool try_again(struct trip *trip)
{
    struct upstream *upstream = trip->upstream;
    int peer = kit_balancer_take(&upstream->balancer, trip->tried);
    if (peer < 0) {
        kit_series_add(kit_series_of(upstream->retries_denied, upstream->name, "no_peer"), 1);
        return false;
    }
    if (!kit_retry_budget_spend(&upstream->budget)) {
        kit_balancer_drop(&upstream->balancer, (size_t)peer);
        kit_series_add(kit_series_of(upstream->retries_denied, upstream->name, "budget"), 1);
        return false;
    }
    trip->peer = (size_t)peer;
    if (!send_try(trip, NULL)) {
        kit_balancer_drop(&upstream->balancer, (size_t)peer);
        return false;
    }
    kit_series_add(upstream->retries, 1);
    return true;
}

static enum kit_outcome outcome_of(const struct io_http_response *response)
{
    if (response->ok || response->error.code == BASE_LIMIT)
        return KIT_OUTCOME_OK;
    return response->connected ? KIT_OUTCOME_BROKEN : KIT_OUTCOME_UNREACHABLE;
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct trip *trip = ctx;
    trip->call = NULL;
    upstream_give(trip->upstream, trip->peer, outcome_of(response));
    if (!wants_retry(trip, response) || !try_again(trip))
        finish(trip, response);
}

void proxy_request(struct upstream *upstream, const struct proxy_limits *limits,
                   struct kit_request *request)
{
    kit_retry_budget_earn(&upstream->budget);
    bool lacks = kit_request_lacks(request, upstream->name);
    int peer = lacks ? -1 : kit_balancer_take(&upstream->balancer, 0);
    if (peer < 0) {
        kit_reply_error(request, 503, "UPSTREAM_UNAVAILABLE", NULL,
                        "no instance of the service behind the gateway is ready");
        return;
    }
    struct trip *trip = base_calloc(1, sizeof *trip);
    *trip = (struct trip){
        .upstream = upstream, .limits = limits, .request = request, .peer = (size_t)peer};
    struct base_error error;
    if (!send_try(trip, &error)) {
        kit_balancer_drop(&upstream->balancer, trip->peer);
        free(trip);
        bool theirs = error.code == BASE_INVALID;
        kit_reply_error(request, theirs ? 400 : 500, theirs ? "BAD_TARGET" : "INTERNAL", NULL,
                        theirs ? "the request target cannot be forwarded"
                               : "the request could not be forwarded");
        return;
    }
    kit_request_on_abandon(request, on_abandon, trip);
}
