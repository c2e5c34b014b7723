/* SPDX-License-Identifier: Apache-2.0 */
/* squall-gateway: the way into the target platform. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "kit/program.h"
#include "proxy.h"
#include "sample.h"

struct options {
    struct kit_service_config service;
    const char *upstream;
    const char *users; /* behind "users=" in upstream */
    struct dur_ns probe_every;
    struct proxy_limits limits;
    double flaky_rate;
    uint64_t seed;
    struct dur_ns slow;
};

struct gateway {
    const struct options *options;
    struct upstream users;
    struct sample_app sample;
};

static void on_users(void *ctx, struct kit_request *request)
{
    struct gateway *gateway = ctx;
    proxy_request(&gateway->users, &gateway->options->limits, request);
}

static bool add_routes(struct gateway *gateway, struct base_error *err)
{
    static const struct kit_route routes[] = {
        {"GET", "/api/users", on_users},        {"POST", "/api/users", on_users},
        {"GET", "/api/users/:id", on_users},    {"PUT", "/api/users/:id", on_users},
        {"DELETE", "/api/users/:id", on_users},
    };
    return sample_routes(&gateway->sample, err) &&
           kit_service_routes(gateway->sample.service, routes, sizeof routes / sizeof routes[0],
                              gateway, err);
}

static bool serve_with(const struct options *options, struct kit_service *service,
                       struct io_http *http, struct base_error *err)
{
    struct gateway gateway = {
        .options = options,
        .sample = {.service = service,
                   .instance = options->service.instance,
                   .users = &gateway.users,
                   .flaky_rate = options->flaky_rate,
                   .slow = options->slow},
    };
    base_rng_seed(&gateway.sample.rng, options->seed);
    if (!upstream_init(&gateway.users, "users", options->users, service, http, options->probe_every,
                       err))
        return false;
    kit_service_check(service, "users", upstream_ready, &gateway.users);
    bool ok = add_routes(&gateway, err) && kit_service_run(service, err);
    upstream_fini(&gateway.users);
    return ok;
}

static bool serve(void *ctx, struct base_error *err)
{
    const struct options *options = ctx;
    struct kit_service *service = kit_service_new(&options->service, err);
    if (service == NULL)
        return false;
    struct io_http *http = io_http_new(kit_service_loop(service));
    bool ok = serve_with(options, service, http, err);
    io_http_free(http);
    kit_service_free(service);
    return ok;
}

static bool check(void *ctx, struct base_error *err)
{
    struct options *options = ctx;
    const char *name = "users=";
    if (options->upstream == NULL || !base_str_starts(options->upstream, name))
        return base_fail(err, BASE_INVALID,
                         "--upstream users=HOST:PORT,HOST:PORT is missing: name the users service");
    options->users = options->upstream + strlen(name);
    if (options->probe_every.ns < 10 * BASE_NS_PER_MS ||
        options->limits.try_timeout.ns < BASE_NS_PER_MS ||
        options->limits.deadline.ns < BASE_NS_PER_MS)
        return base_fail(err, BASE_INVALID,
                         "--probe-every must be 10ms or more, the timeouts 1ms or more");
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {
        .service = kit_service_defaults("gateway", 3000),
        .probe_every = base_dur_ms(500),
        .limits = {.connect = base_dur_ms(400),
                   .try_timeout = base_dur_ms(1000),
                   .deadline = base_dur_ms(2000)},
        .flaky_rate = 0.3,
        .seed = 1,
        .slow = base_dur_ms(500),
    };
    const struct kit_flag flags[] = {
        KIT_SERVICE_FLAGS(&options.service),
        {"upstream", KIT_FLAG_TEXT, &options.upstream, "users=HOST:PORT,HOST:PORT (required)"},
        {"probe-every", KIT_FLAG_DURATION, &options.probe_every,
         "period and timeout of the upstreams' health probes (500ms)"},
        {"try-timeout", KIT_FLAG_DURATION, &options.limits.try_timeout,
         "of one try at an upstream (1s)"},
        {"deadline", KIT_FLAG_DURATION, &options.limits.deadline, "of a proxied request (2s)"},
        {"flaky-rate", KIT_FLAG_FRACTION, &options.flaky_rate,
         "share of /api/flaky that fails (0.3)"},
        {"seed", KIT_FLAG_COUNT, &options.seed, "of /api/flaky (1)"},
        {"slow", KIT_FLAG_DURATION, &options.slow, "delay of /api/slow (500ms)"},
    };
    const struct kit_program program = {
        .name = "squall-gateway",
        .flags = flags,
        .flag_count = sizeof flags / sizeof flags[0],
        .ctx = &options,
        .check = check,
        .run = serve,
    };
    return kit_program_run(&program, argc, argv, stdout, stderr);
}
