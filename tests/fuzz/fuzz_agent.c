/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What strangers can send or show to the agent, up to where it acts. The first byte chooses: a
 * request of the control API, "METHOD PATH\n" and a body, through routing, decoding, admission and
 * its audit line; or texts of /proc, whose names other users choose. What is admitted is checked
 * again here, by other means.
 */
#include <stdlib.h>
#include <string.h>

#include "admission.h"
#include "audit.h"
#include "base/buf.h"
#include "base/text.h"
#include "procfs.h"
#include "route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTANCE(name)                                                                             \
    "{\"name\":\"" name "\",\"address\":\"10.0.0.1\",\"port\":3000,\"netns\":\"/n\","              \
    "\"cgroup\":\"/c\",\"statusFile\":\"/s\",\"logFile\":\"/l\"}"
#define SERVICE(name, instances)                                                                   \
    "{\"name\":\"" name "\",\"port\":3000,\"kind\":\"http\",\"adminTokenFile\":\"/a\","            \
    "\"observability\":false,\"instances\":[" instances "]}"
static const char platform[] =
    "{\"version\":1,\"name\":\"p\",\"mode\":\"netns\",\"stateDir\":\"/s\",\"agent\":null,"
    "\"prometheus\":null,\"services\":[" SERVICE(
        "users", INSTANCE("users-1") "," INSTANCE("users-2")) "," SERVICE("store",
                                                                          INSTANCE("store-1")) "]}";

static const struct agent_limits limits = {.max_duration = {INT64_C(60000000000)},
                                           .max_affected = 0.5};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const struct topo *fixed_topology(void)
{
    static struct topo topo;
    if (topo.name != NULL)
        return &topo;
    json_t *json = model_json_parse(platform, sizeof platform - 1, "platform", NULL);
    require(json != NULL && topo_from_json(json, &topo, NULL));
    json_decref(json);
    return &topo;
}

static void check_admitted(const struct fault_spec *spec, const struct topo *topo)
{
    require(spec->duration.ns > 0 && spec->duration.ns <= limits.max_duration.ns);
    require(spec->lease.ns > 0 && spec->lease.ns <= limits.max_duration.ns);
    require(spec->started.ns > 0 && strchr(spec->id, '/') == NULL && spec->id[0] != '.');
    /* At most one of two, and never the one of one. */
    require(spec->target_count == 1 && base_str_eq(spec->service, "users"));
    const struct topo_service *service = NULL;
    require(topo_find_instance(topo, spec->targets[0], &service) != NULL);
    require(base_str_eq(service->name, spec->service));
}

static void check_audit(const struct fault_spec *spec, const char *method, const char *path)
{
    struct base_buf text;
    const struct fault_record about = {.id = spec->id,
                                       .run = spec->run,
                                       .kind = spec->kind,
                                       .targets = spec->targets,
                                       .target_count = spec->target_count,
                                       .expires_at = {spec->duration.ns}};
    const struct agent_audit_line line = {
        .method = method, .path = path, .fault = &about, .status = 200, .outcome = spec->name};
    base_buf_init(&text, (size_t)1 << 22);
    require(agent_audit_encode(&line, (struct wall_ns){1}, &text));
    require(memchr(text.data, '\n', text.len) == text.data + text.len - 1);
    json_t *json = model_json_parse(text.data, text.len, "line", NULL);
    require(json != NULL && json_is_string(json_object_get(json, "fault")));
    json_decref(json);
    base_buf_fini(&text);
}

static void check_spec(const json_t *body, const char *method, const char *path)
{
    struct fault_spec spec;
    struct fault_spec again;
    struct base_error err = {0};
    if (!fault_spec_from_json(body, &spec, &err)) {
        require(err.code != BASE_OK && err.message[0] != '\0');
        return;
    }
    json_t *json = fault_spec_to_json(&spec);
    require(fault_spec_from_json(json, &again, &err));
    json_decref(json);
    const struct topo *topo = fixed_topology();
    const struct agent_standing standing[] = {{&again, again.targets, again.target_count}};
    if (agent_admit(&spec, topo, &limits, NULL, 0, &err)) {
        check_admitted(&spec, topo);
        check_audit(&spec, method, path);
        require(!agent_admit(&spec, topo, &limits, standing, 1, NULL)); /* it stands already */
    } else {
        require(err.code != BASE_OK && err.message[0] != '\0');
    }
    fault_spec_fini(&spec);
    fault_spec_fini(&again);
}

static void check_request(char *text, size_t size)
{
    char id[AGENT_ROUTE_ID_TEXT];
    bool known = false;
    char *end = memchr(text, '\n', size);
    size_t head = end != NULL ? (size_t)(end - text) : size;
    text[head] = '\0';
    char *path = strchr(text, ' ');
    if (path == NULL)
        return;
    *path++ = '\0';
    const struct agent_route *route = agent_route_find(text, path, id, &known);
    require(route == NULL || known);
    require(route == NULL || !route->has_id || (id[0] != '\0' && strchr(id, '/') == NULL));
    if (route == NULL || end == NULL)
        return;
    struct base_error err = {0};
    json_t *body = model_json_parse(end + 1, size - head - 1, "request body", &err);
    require(body != NULL || err.message[0] != '\0');
    struct dur_ns lease = {0};
    if (body != NULL && route->id == AGENT_ROUTE_RENEW &&
        agent_read_renewal(body, &limits, &lease, &err))
        require(lease.ns > 0 && lease.ns <= limits.max_duration.ns);
    if (body != NULL && route->id == AGENT_ROUTE_POST)
        check_spec(body, text, path);
    json_decref(body);
}

static void check_pod(const char *path)
{
    struct procfs_pod pod;
    char unit[PROCFS_UNIT_TEXT];
    if (procfs_cgroup_unit(path, unit))
        require(unit[0] != '\0' && strchr(unit, '/') == NULL && strstr(path, unit) != NULL);
    if (!procfs_cgroup_pod(path, &pod))
        return;
    size_t uid = strlen(pod.uid);
    size_t container = strlen(pod.container);
    require(uid == 0 || uid == 32 || uid == 36);
    require(container == 0 || (container == 64 && strstr(path, pod.container) != NULL));
    require(uid + container > 0);
    require(procfs_cgroup_below(path, path) && procfs_cgroup_below(path, "/") == (path[0] == '/'));
}

static void check_proc(char *text)
{
    const char *controllers;
    struct procfs_socket socket;
    uint64_t inode;
    char v4[INET_ADDRSTRLEN];
    char v6[INET6_ADDRSTRLEN];
    check_pod(text);
    (void)procfs_tcp_listener(text, &socket);
    (void)procfs_socket_link(text, &inode);
    (void)procfs_inet6_line(text, v6);
    for (const char *at = text; procfs_fib_next(&at, v4);)
        require(at > text && strncmp(v4, "127.", 4) != 0);
    char *path = procfs_cgroup_line(text, &controllers);
    if (path != NULL) {
        require(path[0] == '/' && strchr(path, '\n') == NULL);
        check_pod(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    require(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if ((data[0] & 1) != 0)
        check_request(text, size - 1);
    else
        check_proc(text);
    free(text);
    return 0;
}
