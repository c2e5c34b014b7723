/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in the platform: one table, from which addresses, dependencies, topology.json,
 * prometheus.yml and the hosts file are made (pure). */
#ifndef SANDBOX_ROSTER_H
#define SANDBOX_ROSTER_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "place.h"
#include "subnet.h"

enum {
    SANDBOX_SERVICES = 4,
    SANDBOX_INSTANCES = 6, /* of services; the agent comes beside them */
    SANDBOX_GATEWAY_HOST = 1,
    SANDBOX_INSTANCE_TEXT = 32
};

enum sandbox_service_id { SANDBOX_POSTGRES, SANDBOX_USERS, SANDBOX_GATEWAY, SANDBOX_PROMETHEUS };

struct sandbox_service {
    const char *name;
    const char *kind;
    const char *health_path;
    const char *ready_path;
    unsigned count;
    unsigned first_host; /* of its instances' addresses within the subnet */
    uint16_t port;
    bool admin; /* has /api/chaos endpoints */
    bool observability;
    bool scraped;
};

struct sandbox_member {
    enum sandbox_service_id service;
    char name[SANDBOX_INSTANCE_TEXT]; /* users-1 */
    char address[SANDBOX_ADDRESS_TEXT];
    uint16_t port;
    const char *zone; /* for faults to select by: there is but one host */
    char *netns;      /* NULL in loopback mode */
    char *cgroup;     /* NULL when it has none */
};

struct sandbox_roster {
    bool loopback;
    struct sandbox_subnet subnet;
    uint16_t agent_port;
    struct sandbox_member members[SANDBOX_INSTANCES];
    size_t count;
};

const struct sandbox_service *sandbox_service(enum sandbox_service_id id);

/* cgroup_base: the sandbox's own cgroup folder, NULL for none. */
void sandbox_roster_init(struct sandbox_roster *roster, const struct sandbox_place *place,
                         bool loopback, struct sandbox_subnet subnet, uint16_t agent_port,
                         const char *cgroup_base);
void sandbox_roster_fini(struct sandbox_roster *roster); /* accepts a zeroed value */

/* topology.json, version 1; json_decref() it. */
json_t *sandbox_topology(const struct sandbox_roster *roster, const struct sandbox_place *place);
/* prometheus.yml: every scraped instance each second, job = service, instance = its name. */
void sandbox_prometheus_config(const struct sandbox_roster *roster, struct base_buf *out);
/* hosts(5): instance names, and service names with the addresses of all their instances. */
void sandbox_hosts(const struct sandbox_roster *roster, struct base_buf *out);
/* "10.0.0.11:8082,10.0.0.12:8082" */
void sandbox_endpoints(const struct sandbox_roster *roster, enum sandbox_service_id service,
                       struct base_buf *out);

#endif
