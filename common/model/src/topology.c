/* SPDX-License-Identifier: Apache-2.0 */
#include "model/topology.h"

#include <string.h>

#include "base/text.h"
#include "codec.h"

enum { TOPOLOGY_MAX = 4 << 20, STATUS_MAX = 64 << 10 };

static const char *const mode_names[] = {
    [TOPO_NETNS] = "netns", [TOPO_LOOPBACK] = "loopback", [TOPO_EXTERNAL] = "external"};
static const struct codec_words modes = CODEC_WORDS(mode_names);

#define AT(member) .offset = offsetof(struct topo_instance, member)
static const struct codec_field find_fields[] = {
    {.key = "by", .type = CODEC_TEXT, .form = FORM_NAME, AT(find_by)},
    {.key = "value", .type = CODEC_TEXT, .form = FORM_NAME, AT(find_value)},
};
static const struct codec_shape find_shape = {
    .name = "find", .size = sizeof(struct topo_instance), CODEC_FIELDS(find_fields)};

static const struct codec_field pod_fields[] = {
    {.key = "namespace", .type = CODEC_TEXT, .form = FORM_NAME, AT(pod_namespace)},
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(pod_name)},
    {.key = "uid", .type = CODEC_TEXT, .form = FORM_NAME, AT(pod_uid)},
};
static const struct codec_shape pod_shape = {
    .name = "pod", .size = sizeof(struct topo_instance), CODEC_FIELDS(pod_fields)};

static const struct codec_field instance_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "address", .type = CODEC_TEXT, .form = FORM_NAME, AT(address)},
    {.key = "port", .type = CODEC_U16, .min = 1, AT(port)},
    {.key = "netns", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(netns)},
    {.key = "cgroup", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(cgroup)},
    {.key = "statusFile", .type = CODEC_TEXT, AT(status_file)},
    {.key = "logFile", .type = CODEC_TEXT, AT(log_file)},
    {.key = "find", .type = CODEC_GROUP, .shape = &find_shape},
    {.key = "zone", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, .optional = true, AT(zone)},
    {.key = "node", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, .optional = true, AT(node)},
    {.key = "namespace",
     .type = CODEC_TEXT_OR_NULL,
     .form = FORM_NAME,
     .optional = true,
     AT(namespace)},
    {.key = "labels",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .optional = true,
     AT(labels),
     .count_offset = offsetof(struct topo_instance, label_count)},
    {.key = "pod", .type = CODEC_GROUP, .shape = &pod_shape, .optional = true},
};
#undef AT
static const struct codec_shape instance_shape = {
    .name = "instance", .size = sizeof(struct topo_instance), CODEC_FIELDS(instance_fields)};

#define AT(member) .offset = offsetof(struct topo_service, member)
static const struct codec_field service_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "kind", .type = CODEC_TEXT, .form = FORM_NAME, AT(kind)},
    {.key = "port", .type = CODEC_U16, .min = 1, AT(port)},
    {.key = "healthPath", .type = CODEC_TEXT_OR_NULL, .form = FORM_PATH, AT(health_path)},
    {.key = "readyPath", .type = CODEC_TEXT_OR_NULL, .form = FORM_PATH, AT(ready_path)},
    {.key = "adminTokenFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(admin_token_file)},
    {.key = "credentialsFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(credentials_file)},
    {.key = "observability", .type = CODEC_BOOL, AT(observability)},
    {.key = "instances",
     .type = CODEC_OBJECTS,
     .shape = &instance_shape,
     AT(instances),
     .count_offset = offsetof(struct topo_service, instance_count)},
};
#undef AT
static const struct codec_shape service_shape = {
    .name = "service", .size = sizeof(struct topo_service), CODEC_FIELDS(service_fields)};

#define AT(member) .offset = offsetof(struct topo, member)
static const struct codec_field agent_fields[] = {
    {.key = "url", .type = CODEC_TEXT, .form = FORM_NAME, AT(agent_url)},
    {.key = "tokenFile", .type = CODEC_TEXT, .form = FORM_NAME, AT(agent_token_file)},
    {.key = "caFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(agent_ca_file)},
    {.key = "certFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(agent_cert_file)},
    {.key = "keyFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(agent_key_file)},
};
static const struct codec_shape agent_shape = {
    .name = "agent", .size = sizeof(struct topo), CODEC_FIELDS(agent_fields)};

static const struct codec_field kubernetes_fields[] = {
    {.key = "url", .type = CODEC_TEXT, .form = FORM_LINE, AT(kubernetes_url)},
    {.key = "caFile", .type = CODEC_TEXT, .form = FORM_NAME, AT(kubernetes_ca_file)},
    {.key = "tokenFile", .type = CODEC_TEXT, .form = FORM_NAME, AT(kubernetes_token_file)},
};
static const struct codec_shape kubernetes_shape = {
    .name = "kubernetes", .size = sizeof(struct topo), CODEC_FIELDS(kubernetes_fields)};

static const struct codec_field prometheus_fields[] = {
    {.key = "url", .type = CODEC_TEXT, .form = FORM_NAME, AT(prometheus_url)},
    {.key = "scrapeIntervalNs", .type = CODEC_NS, .min = 1, AT(scrape_interval)},
};
static const struct codec_shape prometheus_shape = {
    .name = "prometheus", .size = sizeof(struct topo), CODEC_FIELDS(prometheus_fields)};

static const struct codec_field topo_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "mode", .type = CODEC_WORD, .words = &modes, AT(mode)},
    {.key = "stateDir", .type = CODEC_TEXT, AT(state_dir)},
    {.key = "agent", .type = CODEC_GROUP, .shape = &agent_shape},
    {.key = "prometheus", .type = CODEC_GROUP, .shape = &prometheus_shape},
    {.key = "services",
     .type = CODEC_OBJECTS,
     .shape = &service_shape,
     AT(services),
     .count_offset = offsetof(struct topo, service_count)},
    {.key = "kubernetes", .type = CODEC_GROUP, .shape = &kubernetes_shape, .optional = true},
};
#undef AT

/* The uid of "UID" and "UID/CONTAINER", by which processes are found, is the pod's own. */
static bool check_pod(const struct topo_instance *instance, const char *where,
                      struct base_error *err)
{
    if (instance->pod_uid == NULL)
        return true;
    if (instance->namespace != NULL && !base_str_eq(instance->namespace, instance->pod_namespace))
        return base_fail(err, BASE_INVALID,
                         "%s: instance \"%s\" is in the namespace \"%s\", and its pod in \"%s\"",
                         where, instance->name, instance->namespace, instance->pod_namespace);
    if (!base_str_eq(instance->find_by, "pod") || *instance->find_value == '/')
        return true;
    size_t len = strcspn(instance->find_value, "/");
    return (len == strlen(instance->pod_uid) &&
            strncmp(instance->find_value, instance->pod_uid, len) == 0) ||
           base_fail(err, BASE_INVALID,
                     "%s: instance \"%s\": find.value is \"%s\", and pod.uid is \"%s\"", where,
                     instance->name, instance->find_value, instance->pod_uid);
}

/* A token is no secret any more once it went over a connection that everybody can read. */
static bool check_kubernetes(const struct topo *topo, const char *where, struct base_error *err)
{
    return topo->kubernetes_url == NULL || base_str_starts(topo->kubernetes_url, "https://") ||
           base_fail(err, BASE_INVALID, "%s.kubernetes.url: \"%s\", expected https://HOST:PORT",
                     where, topo->kubernetes_url);
}

/* Faults and phases name services and instances: a name must mean one thing. */
static bool check_topo(const void *value, const char *where, struct base_error *err)
{
    const struct topo *topo = value;
    if (!check_kubernetes(topo, where, err))
        return false;
    for (size_t i = 0; i < topo->service_count; i++) {
        const struct topo_service *service = &topo->services[i];
        if (topo_find_service(topo, service->name) != service)
            return base_fail(err, BASE_INVALID, "%s: service \"%s\" is named twice", where,
                             service->name);
        for (size_t k = 0; k < service->instance_count; k++) {
            const char *name = service->instances[k].name;
            if (topo_find_instance(topo, name, NULL) != &service->instances[k])
                return base_fail(err, BASE_INVALID, "%s: instance \"%s\" is named twice", where,
                                 name);
            if (!check_pod(&service->instances[k], where, err))
                return false;
        }
    }
    return true;
}

static const struct codec_shape topo_shape = {.name = "topology",
                                              .size = sizeof(struct topo),
                                              .version = 1,
                                              CODEC_FIELDS(topo_fields),
                                              .check = check_topo};

#define AT(member) .offset = offsetof(struct topo_status, member)
static const struct codec_field status_fields[] = {
    {.key = "state", .type = CODEC_TEXT, .form = FORM_NAME, AT(state)},
    {.key = "pid", .type = CODEC_I64, .max = INT32_MAX, AT(pid)},
    {.key = "startTicks", .type = CODEC_U64, AT(start_ticks)},
    {.key = "restarts", .type = CODEC_U64, AT(restarts)},
    {.key = "lastExit", .type = CODEC_TEXT_OR_NULL, AT(last_exit)},
};
#undef AT
static const struct codec_shape status_shape = {
    .name = "status", .size = sizeof(struct topo_status), CODEC_FIELDS(status_fields)};

bool topo_from_json(const json_t *json, struct topo *out, struct base_error *err)
{
    return codec_decode(&topo_shape, json, topo_shape.name, out, err);
}

json_t *topo_to_json(const struct topo *topo)
{
    return codec_encode(&topo_shape, topo);
}

static bool read_shape(const struct codec_shape *shape, const char *path, size_t max, void *out,
                       struct base_error *err)
{
    json_t *json = model_json_read(path, max, err);
    if (json == NULL)
        return false;
    bool ok =
        codec_decode(shape, json, shape->name, out, err) || base_fail_context(err, "%s", path);
    json_decref(json);
    return ok;
}

bool topo_read(const char *path, struct topo *out, struct base_error *err)
{
    return read_shape(&topo_shape, path, TOPOLOGY_MAX, out, err);
}

void topo_fini(struct topo *topo)
{
    codec_fini(&topo_shape, topo);
}

const struct topo_service *topo_find_service(const struct topo *topo, const char *name)
{
    for (size_t i = 0; i < topo->service_count; i++) {
        if (base_str_eq(topo->services[i].name, name))
            return &topo->services[i];
    }
    return NULL;
}

const struct topo_instance *topo_find_instance(const struct topo *topo, const char *name,
                                               const struct topo_service **service)
{
    for (size_t i = 0; i < topo->service_count; i++) {
        const struct topo_service *candidate = &topo->services[i];
        for (size_t k = 0; k < candidate->instance_count; k++) {
            if (!base_str_eq(candidate->instances[k].name, name))
                continue;
            if (service != NULL)
                *service = candidate;
            return &candidate->instances[k];
        }
    }
    return NULL;
}

static bool is_as(const char *has, const char *wanted)
{
    return wanted == NULL || base_str_eq(has, wanted);
}

static bool has_label(const struct topo_instance *instance, const char *label)
{
    for (size_t i = 0; i < instance->label_count; i++)
        if (base_str_eq(instance->labels[i], label))
            return true;
    return false;
}

bool topo_matches(const struct topo_instance *instance, const struct topo_where *where)
{
    for (size_t i = 0; i < where->label_count; i++)
        if (!has_label(instance, where->labels[i]))
            return false;
    return is_as(instance->zone, where->zone) && is_as(instance->node, where->node) &&
           is_as(instance->namespace, where->namespace);
}

size_t topo_count_matching(const struct topo_service *service, const struct topo_where *where)
{
    size_t count = 0;
    for (size_t i = 0; i < service->instance_count; i++)
        count += topo_matches(&service->instances[i], where) ? 1 : 0;
    return count;
}

bool topo_is_found(const struct topo_instance *instance)
{
    return instance->find_by != NULL;
}

bool topo_knows_pod(const struct topo_instance *instance)
{
    return instance->pod_uid != NULL;
}

bool topo_knows_node(const struct topo_instance *instance)
{
    return instance->node != NULL;
}

bool topo_knows_netns(const struct topo_instance *instance)
{
    return instance->netns != NULL || topo_is_found(instance);
}

bool topo_knows_group(const struct topo_instance *instance)
{
    return instance->cgroup != NULL || topo_is_found(instance);
}

bool topo_knows_process(const struct topo_instance *instance)
{
    const char *file = instance->status_file;
    return (file != NULL && *file != '\0') || topo_is_found(instance);
}

bool topo_knows_group_or_process(const struct topo_instance *instance)
{
    return topo_knows_group(instance) || topo_knows_process(instance);
}

bool topo_any(const struct topo *topo, bool (*is)(const struct topo_instance *instance))
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (is(&topo->services[s].instances[i]))
                return true;
    return false;
}

bool topo_status_read(const char *path, struct topo_status *out, struct base_error *err)
{
    return read_shape(&status_shape, path, STATUS_MAX, out, err);
}

void topo_status_fini(struct topo_status *status)
{
    codec_fini(&status_shape, status);
}

const char *topo_mode_name(enum topo_mode mode)
{
    return codec_word(&modes, mode);
}
