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

static const struct codec_field instance_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "address", .type = CODEC_TEXT, .form = FORM_NAME, AT(address)},
    {.key = "port", .type = CODEC_U16, .min = 1, AT(port)},
    {.key = "netns", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(netns)},
    {.key = "cgroup", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(cgroup)},
    {.key = "statusFile", .type = CODEC_TEXT, AT(status_file)},
    {.key = "logFile", .type = CODEC_TEXT, AT(log_file)},
    {.key = "find", .type = CODEC_GROUP, .shape = &find_shape},
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
};
#undef AT

/* Faults and phases name services and instances: a name must mean one thing. */
static bool check_topo(const void *value, const char *where, struct base_error *err)
{
    const struct topo *topo = value;
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
