/* SPDX-License-Identifier: Apache-2.0 */
#include "roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

static const struct sandbox_service services[SANDBOX_SERVICES] = {
    [SANDBOX_POSTGRES] =
        {.name = "postgres", .kind = "postgres", .port = 5432, .count = 1, .first_host = 10},
    [SANDBOX_USERS] = {.name = "users",
                       .kind = "http",
                       .port = 8082,
                       .health_path = "/health",
                       .ready_path = "/ready",
                       .admin = true,
                       .scraped = true,
                       .count = 2,
                       .first_host = 11},
    [SANDBOX_GATEWAY] = {.name = "gateway",
                         .kind = "http",
                         .port = 3000,
                         .health_path = "/health",
                         .ready_path = "/ready",
                         .admin = true,
                         .scraped = true,
                         .count = 2,
                         .first_host = 21},
    [SANDBOX_PROMETHEUS] = {.name = "prometheus",
                            .kind = "prometheus",
                            .port = 9090,
                            .health_path = "/-/healthy",
                            .ready_path = "/-/ready",
                            .observability = true,
                            .count = 1,
                            .first_host = 30},
};

const struct sandbox_service *sandbox_service(enum sandbox_service_id id)
{
    return &services[id];
}

static void add_member(struct sandbox_roster *roster, const struct sandbox_place *place,
                       enum sandbox_service_id id, unsigned index, const char *cgroup_base)
{
    struct sandbox_member *member = &roster->members[roster->count++];
    *member = (struct sandbox_member){
        .service = id, .port = services[id].port, .zone = index % 2 == 0 ? "a" : "b"};
    (void)snprintf(member->name, sizeof member->name, "%s-%u", services[id].name, index + 1);
    sandbox_address_format(roster->subnet, services[id].first_host + index, member->address);
    if (!roster->loopback) {
        BASE_AUTO_FREE char *netns = sandbox_netns_name(place, member->name);
        member->netns = base_str_printf("/run/netns/%s", netns);
    }
    if (cgroup_base != NULL)
        member->cgroup = base_str_printf("%s/%s", cgroup_base, member->name);
}

void sandbox_roster_init(struct sandbox_roster *roster, const struct sandbox_place *place,
                         bool loopback, struct sandbox_subnet subnet, uint16_t agent_port,
                         const char *cgroup_base)
{
    *roster =
        (struct sandbox_roster){.loopback = loopback, .subnet = subnet, .agent_port = agent_port};
    for (unsigned id = 0; id < SANDBOX_SERVICES; id++)
        for (unsigned i = 0; i < services[id].count; i++)
            add_member(roster, place, (enum sandbox_service_id)id, i, cgroup_base);
}

void sandbox_roster_fini(struct sandbox_roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) {
        free(roster->members[i].netns);
        free(roster->members[i].cgroup);
    }
    *roster = (struct sandbox_roster){0};
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string_nocheck(text);
}

static json_t *member_json(const struct sandbox_member *member, const struct sandbox_place *place)
{
    BASE_AUTO_FREE char *status = sandbox_status_path(place, member->name);
    BASE_AUTO_FREE char *log = sandbox_log_path(place, member->name);
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:s}", "name", member->name, "address",
                     member->address, "port", (int)member->port, "netns",
                     text_or_null(member->netns), "cgroup", text_or_null(member->cgroup),
                     "statusFile", text_or_null(status), "logFile", text_or_null(log), "zone",
                     member->zone);
}

static json_t *service_json(const struct sandbox_roster *roster, const struct sandbox_place *place,
                            enum sandbox_service_id id)
{
    const struct sandbox_service *service = &services[id];
    BASE_AUTO_FREE char *token = sandbox_path(place, "admin-token");
    BASE_AUTO_FREE char *credentials = sandbox_path(place, "agent/postgres.json");
    json_t *instances = json_array();
    for (size_t i = 0; i < roster->count; i++)
        if (roster->members[i].service == id)
            (void)json_array_append_new(instances, member_json(&roster->members[i], place));
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:b, s:o}", "name", service->name, "kind",
                     service->kind, "port", (int)service->port, "healthPath",
                     text_or_null(service->health_path), "readyPath",
                     text_or_null(service->ready_path), "adminTokenFile",
                     text_or_null(service->admin ? token : NULL), "credentialsFile",
                     text_or_null(id == SANDBOX_POSTGRES ? credentials : NULL), "observability",
                     (int)service->observability, "instances", instances);
}

static json_t *prometheus_json(const struct sandbox_roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) {
        const struct sandbox_member *member = &roster->members[i];
        if (member->service != SANDBOX_PROMETHEUS)
            continue;
        BASE_AUTO_FREE char *url =
            base_str_printf("http://%s:%u", member->address, (unsigned)member->port);
        return json_pack("{s:s, s:I}", "url", url, "scrapeIntervalNs", (json_int_t)BASE_NS_PER_S);
    }
    return json_null();
}

json_t *sandbox_topology(const struct sandbox_roster *roster, const struct sandbox_place *place)
{
    BASE_AUTO_FREE char *token = sandbox_path(place, "agent/token");
    BASE_AUTO_FREE char *url = base_str_printf("http://127.0.0.1:%u", (unsigned)roster->agent_port);
    json_t *list = json_array();
    for (unsigned id = 0; id < SANDBOX_SERVICES; id++)
        (void)json_array_append_new(list, service_json(roster, place, (enum sandbox_service_id)id));
    json_t *agent = json_pack("{s:s, s:o}", "url", url, "tokenFile", text_or_null(token));
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o}", "version", 1, "name", place->name,
                     "mode", roster->loopback ? "loopback" : "netns", "stateDir",
                     text_or_null(place->dir), "agent", agent, "prometheus",
                     prometheus_json(roster), "services", list);
}

void sandbox_prometheus_config(const struct sandbox_roster *roster, struct base_buf *out)
{
    (void)base_buf_str(out, "global:\n  scrape_interval: 1s\n  scrape_timeout: 900ms\n"
                            "scrape_configs:\n");
    for (unsigned id = 0; id < SANDBOX_SERVICES; id++) {
        if (!services[id].scraped)
            continue;
        (void)base_buf_printf(out, "  - job_name: %s\n    static_configs:\n", services[id].name);
        for (size_t i = 0; i < roster->count; i++) {
            const struct sandbox_member *member = &roster->members[i];
            if (member->service == id)
                (void)base_buf_printf(out,
                                      "      - targets: ['%s:%u']\n"
                                      "        labels: {instance: '%s'}\n",
                                      member->address, (unsigned)member->port, member->name);
        }
    }
}

void sandbox_hosts(const struct sandbox_roster *roster, struct base_buf *out)
{
    (void)base_buf_str(out, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for (size_t i = 0; i < roster->count; i++) {
        const struct sandbox_member *member = &roster->members[i];
        (void)base_buf_printf(out, "%s %s %s\n", member->address, member->name,
                              services[member->service].name);
    }
}

void sandbox_endpoints(const struct sandbox_roster *roster, enum sandbox_service_id service,
                       struct base_buf *out)
{
    const char *comma = "";
    for (size_t i = 0; i < roster->count; i++) {
        const struct sandbox_member *member = &roster->members[i];
        if (member->service != service)
            continue;
        (void)base_buf_printf(out, "%s%s:%u", comma, member->address, (unsigned)member->port);
        comma = ",";
    }
}
