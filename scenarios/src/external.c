/* SPDX-License-Identifier: Apache-2.0 */
/* A platform of which only the URLs are known, as a topology. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "reporter.h"
#include "scenarios/plan.h"

enum { HOST_MAX = 256 };

/* http://HOST, http://HOST:PORT or http://[V6]:PORT or another scheme, as the table of fields lets
 * through. */
static bool split_origin(const char *url, char host[static HOST_MAX], uint16_t *port)
{
    const struct load_scheme *scheme = load_scheme_of(url);
    if (scheme == NULL)
        return false;
    const char *start = url + strlen(scheme->prefix);
    bool v6 = *start == '[';
    start += v6 ? 1 : 0;
    size_t len = strcspn(start, v6 ? "]" : ":/");
    const char *rest = start + len + (v6 ? 1 : 0);
    if (len == 0 || len >= HOST_MAX)
        return false;
    memcpy(host, start, len);
    host[len] = '\0';
    *port = scheme->port;
    if (*rest != ':')
        return *port != 0;
    char *digits = base_str_ndup(rest + 1, strcspn(rest + 1, "/"));
    uint64_t number = 0;
    bool ok = base_parse_u64(digits, &number) && number >= 1 && number <= UINT16_MAX;
    free(digits);
    *port = (uint16_t)number;
    return ok;
}

static bool literal(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The address of host, or NULL with a problem. */
static char *address_of(struct scn_reporter *reporter, scn_resolve_fn *resolve, void *context,
                        const char *host)
{
    char address[INET6_ADDRSTRLEN + 1];
    struct base_error err;
    if (literal(host))
        return base_str_dup(host);
    if (strcmp(host, "localhost") == 0)
        return base_str_dup("127.0.0.1");
    if (resolve == NULL) {
        scn_say(reporter, "\"%s\" is not an address, expected one such as 127.0.0.1", host);
        return NULL;
    }
    if (!resolve(context, host, address, sizeof address, &err)) {
        scn_say(reporter, "\"%s\" has no address: %s", host, err.message);
        return NULL;
    }
    if (!literal(address)) {
        scn_say(reporter, "\"%s\" was resolved to \"%s\", which is no address", host, address);
        return NULL;
    }
    return base_str_dup(address);
}

static void add_instance(struct scn_reporter *reporter, scn_resolve_fn *resolve, void *context,
                         const char *url, struct topo_service *service)
{
    char host[HOST_MAX];
    uint16_t port;
    if (!split_origin(url, host, &port)) {
        scn_say(reporter, "expected HOST:PORT with a port from 1 to 65535, found \"%s\"", url);
        return;
    }
    char *address = address_of(reporter, resolve, context, host);
    if (address == NULL)
        return;
    size_t n = service->instance_count++;
    service->instances[n] = (struct topo_instance){
        .name = base_str_printf("%s-%zu", service->name, n + 1),
        .address = address,
        .port = port,
        .status_file = base_str_dup(""),
        .log_file = base_str_dup(""),
    };
}

static const char *kind_of(const struct scn_target *target)
{
    const struct load_scheme *scheme =
        target->url_count > 0 ? load_scheme_of(target->urls[0]) : NULL;
    return load_speech_name(scheme == NULL ? LOAD_SPEECH_HTTP : scheme->protocol);
}

static struct topo topology_of(const struct scn_scenario *scenario)
{
    const struct scn_target *target = &scenario->target;
    struct topo topo = {
        .name = base_str_dup("external"),
        .mode = TOPO_EXTERNAL,
        .state_dir = base_str_dup(""),
        .prometheus_url = base_str_dup(target->prometheus),
        .scrape_interval = target->scrape_interval,
        .services = base_calloc(1, sizeof *topo.services),
        .service_count = 1,
    };
    const char *name = scenario->load.service != NULL ? scenario->load.service : "target";
    topo.services[0] = (struct topo_service){
        .name = base_str_dup(name),
        .kind = base_str_dup(kind_of(target)),
        .instances = base_calloc(target->url_count, sizeof(struct topo_instance)),
    };
    return topo;
}

bool scn_external_topology(const struct scn_scenario *scenario, scn_resolve_fn *resolve,
                           void *context, struct topo *out, struct scn_problems *problems)
{
    struct scn_reporter reporter = {.scenario = scenario, .problems = problems};
    size_t before = problems->count + problems->dropped;
    scn_at(&reporter, "spec.target");
    if (scenario->target.kind != SCN_TARGET_EXTERNAL) {
        scn_say(&reporter, "is a sandbox, expected kind: external");
        return false;
    }
    struct topo topo = topology_of(scenario);
    for (size_t i = 0; i < scenario->target.url_count; i++) {
        scn_at(&reporter, "spec.target.urls[%zu]", i);
        add_instance(&reporter, resolve, context, scenario->target.urls[i], &topo.services[0]);
    }
    if (problems->count + problems->dropped == before) {
        topo.services[0].port = topo.services[0].instances[0].port;
        *out = topo;
        return true;
    }
    topo_fini(&topo);
    return false;
}
