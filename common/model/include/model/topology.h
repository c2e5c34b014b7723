/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a platform consists of and where each part lives, as the file topology.json that whoever
 * runs the platform writes (the sandbox: target-app/sandbox) and planner, runner and agent read.
 *
 * topology.json, version 1:
 *   {"version":1, "name":"default", "mode":"netns"|"loopback"|"external", "stateDir":"/...",
 *    "agent":{"url":"http://127.0.0.1:7070","tokenFile":"/...",
 *       "caFile":"/..."|null,"certFile":"/..."|null,"keyFile":"/..."|null} | null,
 *    "kubernetes":{"url":"https://10.0.0.1:6443","caFile":"/...","tokenFile":"/..."} | null,
 *    "prometheus":{"url":"http://10.0.0.2:9090","scrapeIntervalNs":1000000000} | null,
 *    "services":[{"name":"users","port":8082,"kind":"http"|"postgres"|"prometheus"|...,
 *       "healthPath":"/health"|null,"readyPath":"/ready"|null,"adminTokenFile":"/..."|null,
 *       "credentialsFile":"/..."|null,
 *       "observability":false,
 *       "instances":[{"name":"users-1","address":"10.0.0.11","port":8082,
 *          "netns":"/run/netns/..."|null,"cgroup":"/sys/fs/cgroup/..."|null,
 *          "statusFile":"/.../users-1.json","logFile":"/.../users-1.log",
 *          "find":{"by":"unit"|"command"|"port"|"cgroup"|"pod","value":"..."}|null,
 *          "pod":{"namespace":"shop","name":"users-7d9f-x2x5q","uid":"..."}|null,
 *          "zone":"a","node":"node-1","namespace":"shop","labels":["tier=front"]}]}]}
 * zone, node, namespace, labels: each may be left out. They are what this file says, and nothing
 *   else: no process of a host has a zone, and a pod's control group holds its UID, but none of its
 *   labels
 * kubernetes: the API server by which the agent deletes and evicts pods, and cordons and drains
 *   nodes; its files are on the agent's host. A role for its token: get, list and delete of pods,
 *   create of pods/eviction, in the namespaces of the pods; get and patch of nodes, and to drain
 *   them list of pods in all namespaces. May be left out
 * pod: what an instance is there. May be left out; its uid makes sure that never another pod of the
 *   same name is hit
 * credentialsFile: on the agent's host, readable by its owner alone, who is root or the agent's
 * user:
 *   {"user":"...","password":"...","database":"..."}; by them the agent speaks to a store. Of
 *   RabbitMQ the database is the virtual host ("/" when left out), and "managementPort" that of its
 *   management plugin (15672 when left out)
 * find: who nobody keeps a statusFile of. The agent of that host looks for its processes in /proc:
 *   unit     "nginx.service"          command  "*nginx: master*" (fnmatch(3) over the words)
 *   port     "8080", listening in the agent's network namespace
 *   cgroup   "/system.slice/x", it and what is below it, as /proc/PID/cgroup says
 *   pod      "UID", "UID/CONTAINER" or "/CONTAINER"
 * Processes are those of the instance; `kill` goes to the oldest of them. Where netns is null, that
 * of the oldest counts, unless others live there, too; where cgroup is, the smallest that holds all
 * of them and nobody else. Whoever names one of the two means all who live there. Then statusFile
 * is "".
 * statusFile, rewritten atomically at each change:
 *   {"name":"users-1","state":"starting"|"ready"|"unready"|"backoff"|"failed"|"stopped",
 *    "pid":123,"startTicks":456,"restarts":0,"lastExit":"killed by signal 9"|null}
 *   pid 0 when no process; startTicks is field 22 of /proc/PID/stat and guards against reused pids.
 */
#ifndef MODEL_TOPOLOGY_H
#define MODEL_TOPOLOGY_H

#include <stdint.h>

#include "model/json.h"

enum topo_mode { TOPO_NETNS, TOPO_LOOPBACK, TOPO_EXTERNAL };

struct topo_instance {
    char *name;
    char *address;
    uint16_t port;
    char *netns;  /* NULL in loopback mode */
    char *cgroup; /* NULL in loopback mode */
    char *status_file;
    char *log_file;
    char *find_by; /* NULL: by its statusFile */
    char *find_value;
    char *pod_namespace; /* each NULL: it is none that Kubernetes' API is asked about */
    char *pod_name;
    char *pod_uid;
    char *zone; /* each NULL: nobody says */
    char *node;
    char *namespace;
    char **labels; /* "key=value" */
    size_t label_count;
};

/* What instances must be like; NULL, and no labels: like anything. */
struct topo_where {
    char *zone;
    char *node;
    char *namespace;
    char **labels; /* all of them */
    size_t label_count;
};

struct topo_service {
    char *name;
    char *kind;
    uint16_t port;
    char *health_path;      /* NULL: has none */
    char *ready_path;       /* NULL: has none */
    char *admin_token_file; /* of its /api/chaos endpoints; NULL: has none */
    char *credentials_file; /* of a store; NULL: none */
    bool observability;     /* never a target unless named */
    struct topo_instance *instances;
    size_t instance_count;
};

struct topo {
    char *name;
    enum topo_mode mode;
    char *state_dir;
    char *agent_url; /* NULL: no agent */
    char *agent_token_file;
    char *agent_ca_file; /* of an https:// agent; each NULL: none (io/tls.h) */
    char *agent_cert_file;
    char *agent_key_file;
    char *kubernetes_url; /* https://; each NULL: none */
    char *kubernetes_ca_file;
    char *kubernetes_token_file;
    char *prometheus_url; /* NULL: none */
    struct dur_ns scrape_interval;
    struct topo_service *services;
    size_t service_count;
};

struct topo_status {
    char *state;
    int64_t pid;
    uint64_t start_ticks;
    uint64_t restarts;
    char *last_exit; /* NULL: never exited */
};

bool topo_from_json(const json_t *json, struct topo *out, struct base_error *err);
json_t *topo_to_json(const struct topo *topo);
bool topo_read(const char *path, struct topo *out, struct base_error *err);
void topo_fini(struct topo *topo); /* accepts a zeroed value */
const struct topo_service *topo_find_service(const struct topo *topo, const char *name);
/* The instance and, when service is not NULL, its service; NULL when there is none. */
const struct topo_instance *topo_find_instance(const struct topo *topo, const char *name,
                                               const struct topo_service **service);
bool topo_matches(const struct topo_instance *instance, const struct topo_where *where);
size_t topo_count_matching(const struct topo_service *service, const struct topo_where *where);
/* Whether an agent gets to know it: the topology tells, or how it is found. */
bool topo_knows_netns(const struct topo_instance *instance);
bool topo_knows_group(const struct topo_instance *instance);
bool topo_knows_process(const struct topo_instance *instance);
bool topo_knows_group_or_process(const struct topo_instance *instance);
bool topo_knows_pod(const struct topo_instance *instance);
bool topo_knows_node(const struct topo_instance *instance);
bool topo_is_found(const struct topo_instance *instance);
/* Is there an instance that is so? */
bool topo_any(const struct topo *topo, bool (*is)(const struct topo_instance *instance));
bool topo_status_read(const char *path, struct topo_status *out, struct base_error *err);
void topo_status_fini(struct topo_status *status);
const char *topo_mode_name(enum topo_mode mode);

#endif
