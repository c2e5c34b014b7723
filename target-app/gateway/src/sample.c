/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <stdlib.h>

#include "base/text.h"

enum { POINTS_DEFAULT = 10 };

static int64_t count_request(struct sample_app *app)
{
    int64_t second = base_wall_now().ns / BASE_NS_PER_S;
    size_t i = (size_t)(second % SAMPLE_SECONDS);
    if (app->ring[i].second != second) {
        app->ring[i].second = second;
        app->ring[i].requests = 0;
    }
    app->ring[i].requests++;
    return second;
}

static json_t *points(const struct sample_app *app, int64_t second, int64_t count)
{
    json_t *list = json_array();
    for (int64_t s = second - count + 1; s <= second; s++) {
        size_t i = (size_t)(s % SAMPLE_SECONDS);
        uint64_t requests = app->ring[i].second == s ? app->ring[i].requests : 0;
        char at[BASE_WALL_TEXT];
        base_wall_format((struct wall_ns){s * BASE_NS_PER_S}, at);
        json_array_append_new(list,
                              json_pack("{s:s,s:I}", "at", at, "requests", (json_int_t)requests));
    }
    return list;
}

/* How often this endpoint was asked, second by second: ?points=1..60. */
static void on_data(void *ctx, struct kit_request *request)
{
    struct sample_app *app = ctx;
    const char *text = kit_request_query(request, "points");
    int64_t count = POINTS_DEFAULT;
    if (text != NULL && (!base_parse_i64(text, &count) || count < 1 || count > SAMPLE_SECONDS)) {
        kit_reply_error(request, 400, "OUT_OF_RANGE", "points",
                        "points must be a whole number from 1 to 60");
        return;
    }
    int64_t second = count_request(app);
    kit_reply_json(
        request, 200,
        json_pack("{s:s,s:o}", "instance", app->instance, "points", points(app, second, count)),
        NULL);
}

static void on_status(void *ctx, struct kit_request *request)
{
    const struct sample_app *app = ctx;
    json_t *upstreams = json_array();
    json_array_append_new(upstreams, upstream_describe(app->users));
    kit_reply_json(request, 200,
                   json_pack("{s:s,s:s,s:f,s:o,s:o}", "instance", app->instance, "version",
                             KIT_VERSION, "uptimeSeconds",
                             base_dur_to_s(kit_service_uptime(app->service)), "upstreams",
                             upstreams, "chaos",
                             kit_chaos_describe(kit_service_chaos(app->service), base_mono_now())),
                   NULL);
}

static void on_flaky(void *ctx, struct kit_request *request)
{
    struct sample_app *app = ctx;
    if (base_rng_unit(&app->rng) < app->flaky_rate) {
        kit_reply_error(request, 500, "FLAKY", NULL, "this endpoint fails a share of requests");
        return;
    }
    kit_reply_json(request, 200, json_pack("{s:f}", "failureRate", app->flaky_rate), NULL);
}

/* --- /api/slow --- */

struct nap {
    struct kit_request *request;
    struct io_timer timer;
    struct dur_ns length;
};

static void nap_free(struct nap *nap)
{
    io_timer_fini(&nap->timer);
    free(nap);
}

static void on_awake(void *ctx)
{
    struct nap *nap = ctx;
    struct kit_request *request = nap->request;
    json_t *data = json_pack("{s:I}", "delayMs", (json_int_t)base_dur_to_ms(nap->length));
    nap_free(nap);
    kit_reply_json(request, 200, data, NULL);
}

static void on_abandon(void *ctx)
{
    nap_free(ctx);
}

static void on_slow(void *ctx, struct kit_request *request)
{
    const struct sample_app *app = ctx;
    struct nap *nap = base_calloc(1, sizeof *nap);
    nap->request = request;
    nap->length = app->slow;
    io_timer_init(&nap->timer, kit_service_loop(app->service), on_awake, nap);
    io_timer_start(&nap->timer, nap->length);
    kit_request_on_abandon(request, on_abandon, nap);
}

bool sample_routes(struct sample_app *app, struct base_error *err)
{
    static const struct kit_route routes[] = {
        {"GET", "/api/data", on_data},
        {"GET", "/api/status", on_status},
        {"GET", "/api/flaky", on_flaky},
        {"GET", "/api/slow", on_slow},
    };
    return kit_service_routes(app->service, routes, sizeof routes / sizeof routes[0], app, err);
}
