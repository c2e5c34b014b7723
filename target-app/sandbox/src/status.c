/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "lock.h"
#include "sandbox/sandbox.h"
#include "status_file.h"
#include "store.h"
#include "sweep.h"

static json_t *status_of(const char *path, const char *name)
{
    json_t *status = sandbox_load_json(path, NULL);
    pid_t pid = 0;
    uint64_t ticks = 0;
    if (!json_is_object(status)) {
        json_decref(status);
        status = json_pack("{s:s, s:s, s:i, s:i, s:i, s:n}", "name", name, "state", "stopped",
                           "pid", 0, "startTicks", 0, "restarts", 0, "lastExit");
    }
    bool alive = sandbox_process_of(status, &pid, &ticks) && base_process_alive(pid, ticks);
    (void)json_object_set_new(status, "alive", json_boolean(alive));
    return status;
}

static void add_service(json_t *statuses, const json_t *service)
{
    const json_t *instances = json_object_get(service, "instances");
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *instance = json_array_get(instances, i);
        const char *name = json_string_value(json_object_get(instance, "name"));
        const char *file = json_string_value(json_object_get(instance, "statusFile"));
        if (name != NULL && file != NULL)
            (void)json_array_append_new(statuses, status_of(file, name));
    }
}

static json_t *statuses_of(const struct sandbox_place *place, const json_t *topology)
{
    json_t *statuses = json_array();
    const json_t *services = json_object_get(topology, "services");
    for (size_t i = 0; i < json_array_size(services); i++)
        add_service(statuses, json_array_get(services, i));
    if (json_is_object(topology)) {
        BASE_AUTO_FREE char *agent = sandbox_status_path(place, "agent");
        (void)json_array_append_new(statuses, status_of(agent, "agent"));
    }
    return statuses;
}

static bool all_ready(const json_t *statuses)
{
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *status = json_array_get(statuses, i);
        const char *state = json_string_value(json_object_get(status, "state"));
        if (!base_str_eq(state, "ready") || !json_is_true(json_object_get(status, "alive")))
            return false;
    }
    return json_array_size(statuses) > 0;
}

static const char *state_of(const struct sandbox_place *place, bool has_topology,
                            struct sandbox_supervisor *who)
{
    struct sandbox_leftovers left;
    if (sandbox_locked(place))
        return sandbox_supervisor_read(place, who) ? sandbox_phase_name(who->phase) : "starting";
    sandbox_leftovers(place, &left);
    bool crashed = has_topology || left.processes || left.network || left.groups;
    return crashed ? "crashed" : "down";
}

json_t *sandbox_status(const struct sandbox_options *options, struct base_error *err)
{
    struct sandbox_place place;
    struct base_error why;
    if (!sandbox_place_init(&place, options->name, options->state, err))
        return NULL;
    BASE_AUTO_FREE char *path = sandbox_path(&place, "topology.json");
    json_t *topology = sandbox_load_json(path, &why);
    struct sandbox_supervisor who = {0};
    const char *state = state_of(&place, topology != NULL, &who);
    json_t *statuses = statuses_of(&place, topology);
    bool healthy = base_str_eq(state, "running") && all_ready(statuses);
    json_t *supervisor = who.pid == 0 ? json_null() : json_pack("{s:i}", "pid", (int)who.pid);
    json_t *status =
        json_pack("{s:s, s:s, s:b, s:s, s:o, s:o, s:o}", "name", place.name, "state", state,
                  "healthy", (int)healthy, "dir", place.dir, "supervisor", supervisor, "topology",
                  topology == NULL ? json_null() : topology, "statuses", statuses);
    sandbox_place_fini(&place);
    if (status == NULL)
        base_fail(err, BASE_INTERNAL, "the status has no JSON form");
    return status;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "-" : text;
}

/* The instance called name, or NULL (the agent is none). */
static const json_t *instance_named(const json_t *topology, const char *name)
{
    const json_t *services = json_object_get(topology, "services");
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *list = json_object_get(json_array_get(services, i), "instances");
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *instance = json_array_get(list, k);
            if (base_str_eq(text_of(instance, "name"), name))
                return instance;
        }
    }
    return NULL;
}

static void add_row(const json_t *topology, const json_t *status, struct base_buf *out)
{
    const char *name = text_of(status, "name");
    const json_t *instance = instance_named(topology, name);
    BASE_AUTO_FREE char *address =
        instance == NULL
            ? base_str_dup(text_of(json_object_get(topology, "agent"), "url"))
            : base_str_printf("%s:%d", text_of(instance, "address"),
                              (int)json_integer_value(json_object_get(instance, "port")));
    bool alive = json_is_true(json_object_get(status, "alive"));
    const char *shown = base_str_starts(address, "http://") ? address + 7 : address;
    (void)base_buf_printf(
        out, "%-14s %-22s %-9s %8d %8d  %s%s\n", name, shown, text_of(status, "state"),
        (int)json_integer_value(json_object_get(status, "pid")),
        (int)json_integer_value(json_object_get(status, "restarts")), text_of(status, "lastExit"),
        alive || base_str_eq(text_of(status, "state"), "backoff") ? "" : " (no such process)");
}

void sandbox_status_text(const json_t *status, struct base_buf *out)
{
    const json_t *topology = json_object_get(status, "topology");
    const json_t *list = json_object_get(status, "statuses");
    const char *state = text_of(status, "state");
    const char *name = text_of(status, "name");
    if (base_str_eq(state, "down")) {
        (void)base_buf_printf(out, "sandbox '%s' is not up; start it with: squall up --name %s\n",
                              name, name);
        return;
    }
    (void)base_buf_printf(out, "sandbox '%s': %s%s, state in %s\n", name, state,
                          json_is_true(json_object_get(status, "healthy")) ? ", healthy" : "",
                          text_of(status, "dir"));
    if (base_str_eq(state, "crashed"))
        (void)base_buf_printf(out,
                              "its supervisor is gone; `squall up --name %s` cleans up and starts "
                              "it again, `squall down --name %s` cleans up\n",
                              name, name);
    if (json_array_size(list) > 0)
        (void)base_buf_printf(out, "%-14s %-22s %-9s %8s %8s  %s\n", "instance", "address", "state",
                              "pid", "restarts", "last exit");
    for (size_t i = 0; i < json_array_size(list); i++)
        add_row(topology, json_array_get(list, i), out);
}

bool sandbox_topology_path(const char *name, const char *state, struct base_buf *out,
                           struct base_error *err)
{
    struct sandbox_place place;
    if (!sandbox_place_init(&place, name, state, err))
        return false;
    BASE_AUTO_FREE char *path = sandbox_path(&place, "topology.json");
    struct sandbox_supervisor who;
    bool ok = sandbox_locked(&place) && sandbox_supervisor_read(&place, &who) &&
              who.phase == SANDBOX_PHASE_RUNNING && access(path, R_OK) == 0;
    if (!ok)
        base_fail(err, BASE_NOT_FOUND,
                  "sandbox '%s' is not up (no running supervisor in %s): start it with "
                  "`squall up --name %s`",
                  place.name, place.dir, place.name);
    else if (!base_buf_str(out, path))
        ok = base_fail(err, BASE_LIMIT, "no room for the path %s", path);
    sandbox_place_fini(&place);
    return ok;
}
