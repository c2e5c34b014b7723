/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream.h"

#include "base/cleanup.h"
#include "base/text.h"

static void log_state(const struct upstream *upstream, size_t index, const char *why)
{
    const struct kit_peer *peer = &upstream->balancer.peers[index];
    base_log_line(kit_service_log(upstream->service),
                  peer->state == KIT_PEER_UP ? BASE_INFO : BASE_WARN, "upstream changed",
                  BASE_TEXT("upstream", upstream->name), BASE_TEXT("peer", peer->name),
                  BASE_TEXT("state", kit_peer_state_name(peer->state)), BASE_TEXT("why", why));
}

static void on_probed(void *ctx, const struct io_http_response *response)
{
    struct probe *probe = ctx;
    probe->call = NULL;
    enum kit_probe result = KIT_PROBE_REFUSED;
    if (response->ok)
        result = response->status == 200 ? KIT_PROBE_OK : KIT_PROBE_REFUSED;
    else if (response->error.code == BASE_TIMEOUT)
        result = KIT_PROBE_SILENT;
    if (kit_balancer_probed(&probe->upstream->balancer, probe->index, result))
        log_state(probe->upstream, probe->index,
                  response->ok ? "its /ready answered" : response->error.message);
}

static void start_probe(struct probe *probe)
{
    static const char *const headers[] = {"X-Traffic: probe", NULL};
    struct upstream *upstream = probe->upstream;
    if (probe->call != NULL)
        return;
    BASE_AUTO_FREE char *url =
        base_str_printf("http://%s/ready", upstream->balancer.peers[probe->index].name);
    const struct io_http_request request = {
        .url = url,
        .headers = headers,
        .timeout = upstream->probe_every,
        .max_response = 65536,
    };
    struct base_error error;
    probe->call = io_http_start(upstream->http, &request, on_probed, probe, &error);
    if (probe->call == NULL)
        base_log_line(kit_service_log(upstream->service), BASE_ERROR, "no probe possible",
                      BASE_TEXT("error", error.message));
}

static void on_timer(void *ctx)
{
    struct upstream *upstream = ctx;
    io_timer_start(&upstream->timer, upstream->probe_every);
    for (size_t i = 0; i < upstream->balancer.count; i++)
        start_probe(&upstream->probes[i]);
}

static void collect(void *ctx)
{
    const struct upstream *upstream = ctx;
    for (size_t i = 0; i < upstream->balancer.count; i++) {
        const struct kit_peer *peer = &upstream->balancer.peers[i];
        kit_series_set(kit_series_of(upstream->up, upstream->name, peer->name),
                       peer->state == KIT_PEER_UP ? 1 : 0);
        kit_series_set(kit_series_of(upstream->in_flight, upstream->name, peer->name),
                       peer->in_flight);
        kit_series_set(kit_series_of(upstream->ejections, upstream->name, peer->name),
                       (double)peer->ejections);
    }
}

static void add_metrics(struct upstream *upstream)
{
    struct kit_metrics *metrics = kit_service_metrics(upstream->service);
    struct kit_family_spec spec = {
        .type = KIT_GAUGE,
        .name = "upstream_up",
        .help = "1 while requests are sent to this peer.",
        .labels = {"upstream", "peer"},
    };
    upstream->up = kit_metrics_add(metrics, &spec);
    spec.name = "upstream_requests_in_flight";
    spec.help = "Tries under way.";
    upstream->in_flight = kit_metrics_add(metrics, &spec);
    spec.type = KIT_COUNTER;
    spec.name = "upstream_ejections_total";
    spec.help = "Times a peer was taken out because requests could not reach it.";
    upstream->ejections = kit_metrics_add(metrics, &spec);
    spec.name = "upstream_requests_total";
    spec.help = "Tries by what became of them.";
    spec.labels[2] = "outcome";
    upstream->requests = kit_metrics_add(metrics, &spec);
    spec.name = "upstream_retries_denied_total";
    spec.help = "Second tries wanted but not made.";
    spec.labels[1] = "reason";
    spec.labels[2] = NULL;
    upstream->retries_denied = kit_metrics_add(metrics, &spec);
    spec.name = "upstream_retries_total";
    spec.help = "Second tries made.";
    spec.labels[1] = NULL;
    upstream->retries = kit_series_of(kit_metrics_add(metrics, &spec), upstream->name);
    kit_series_add(kit_series_of(upstream->retries_denied, upstream->name, "budget"), 0);
    kit_series_add(kit_series_of(upstream->retries_denied, upstream->name, "no_peer"), 0);
    kit_metrics_on_collect(metrics, collect, upstream);
}

bool upstream_init(struct upstream *upstream, const char *name, const char *peers,
                   struct kit_service *service, struct io_http *http, struct dur_ns probe_every,
                   struct base_error *err)
{
    if (!kit_balancer_init(&upstream->balancer, peers, err))
        return base_fail_context(err, "--upstream %s", name);
    upstream->name = name;
    upstream->service = service;
    upstream->http = http;
    upstream->probe_every = probe_every;
    kit_retry_budget_init(&upstream->budget, 0.2, 100);
    for (size_t i = 0; i < upstream->balancer.count; i++)
        upstream->probes[i] = (struct probe){.upstream = upstream, .index = i};
    add_metrics(upstream);
    io_timer_init(&upstream->timer, kit_service_loop(service), on_timer, upstream);
    io_timer_start(&upstream->timer, (struct dur_ns){0});
    return true;
}

void upstream_fini(struct upstream *upstream)
{
    io_timer_fini(&upstream->timer);
    for (size_t i = 0; i < upstream->balancer.count; i++) {
        if (upstream->probes[i].call != NULL)
            io_http_cancel(upstream->probes[i].call);
        upstream->probes[i].call = NULL;
    }
}

void upstream_give(struct upstream *upstream, size_t index, enum kit_outcome outcome)
{
    static const char *const names[] = {"ok", "unreachable", "broken"};
    kit_series_add(kit_series_of(upstream->requests, upstream->name,
                                 upstream->balancer.peers[index].name, names[outcome]),
                   1);
    if (kit_balancer_give(&upstream->balancer, index, outcome))
        log_state(upstream, index, "requests cannot reach it");
}

bool upstream_ready(void *ctx, const char **detail)
{
    const struct upstream *upstream = ctx;
    if (kit_balancer_up(&upstream->balancer) > 0)
        return true;
    *detail = "no upstream peer is up";
    return false;
}

json_t *upstream_describe(const struct upstream *upstream)
{
    json_t *peers = json_array();
    for (size_t i = 0; i < upstream->balancer.count; i++) {
        const struct kit_peer *peer = &upstream->balancer.peers[i];
        json_array_append_new(peers, json_pack("{s:s,s:s,s:i,s:I}", "address", peer->name, "state",
                                               kit_peer_state_name(peer->state), "inFlight",
                                               (int)peer->in_flight, "ejections",
                                               (json_int_t)peer->ejections));
    }
    return json_pack("{s:s,s:o}", "name", upstream->name, "peers", peers);
}
