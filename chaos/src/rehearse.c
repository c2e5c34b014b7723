/* SPDX-License-Identifier: Apache-2.0 */
#include "rehearse.h"

#include <stdlib.h>

#include "resolve.h"

static json_t *pids_of(const struct fault_target *target)
{
    struct base_error err = {0};
    struct fault_process *list = NULL;
    size_t count = 0;
    json_t *pids = json_array();
    if (fault_target_processes(target, &list, &count, &err))
        for (size_t i = 0; i < count; i++)
            json_array_append_new(pids, json_integer(list[i].pid));
    free(list);
    return pids;
}

static json_t *target_of(const struct topo *topo, const char *name)
{
    struct fault_target target = {0};
    struct base_error err = {0};
    json_t *out = json_object();
    json_object_set_new(out, "name", model_json_text(name));
    if (fault_target_resolve(topo, name, &target, &err)) {
        json_object_set_new(out, "pids", pids_of(&target));
        json_object_set_new(out, "netns", model_json_text(target.netns));
        json_object_set_new(out, "cgroup", model_json_text(target.cgroup));
    }
    fault_target_fini(&target);
    return out;
}

bool agent_rehearse(struct agent *agent, const struct fault_spec *spec, json_t **out,
                    struct base_error *err)
{
    struct fault *fault = agent_take(agent, spec, err);
    if (fault == NULL)
        return false;
    fault_free(fault);
    json_t *targets = json_array();
    for (size_t i = 0; i < spec->target_count; i++)
        json_array_append_new(targets, target_of(&agent->topo, spec->targets[i]));
    *out = json_object();
    json_object_set_new(*out, "targets", targets);
    return true;
}
