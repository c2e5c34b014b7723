/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <string.h>

#include "base/text.h"
#include "model/control.h"

static const struct agent_route routes[AGENT_ROUTE_COUNT] = {
    {AGENT_ROUTE_HEALTH, "GET", CONTROL_PATH_HEALTH, false, "", true, false},
    {AGENT_ROUTE_POST, "POST", CONTROL_PATH_FAULTS, false, "", false, true},
    {AGENT_ROUTE_LIST, "GET", CONTROL_PATH_FAULTS, false, "", false, false},
    {AGENT_ROUTE_GET, "GET", CONTROL_PATH_FAULTS "/", true, "", false, false},
    {AGENT_ROUTE_DELETE, "DELETE", CONTROL_PATH_FAULTS "/", true, "", false, false},
    {AGENT_ROUTE_RENEW, "POST", CONTROL_PATH_FAULTS "/", true, "/renew", false, true},
    {AGENT_ROUTE_HALT, "POST", CONTROL_PATH_HALT, false, "", false, false},
    {AGENT_ROUTE_REHEARSE, "POST", CONTROL_PATH_REHEARSE, false, "", false, true},
};

static bool path_matches(const struct agent_route *route, const char *path,
                         char id[static AGENT_ROUTE_ID_TEXT])
{
    id[0] = '\0';
    if (!route->has_id)
        return strcmp(path, route->path) == 0;
    if (!base_str_starts(path, route->path))
        return false;
    const char *rest = path + strlen(route->path);
    size_t len = strcspn(rest, "/");
    if (len == 0 || len >= AGENT_ROUTE_ID_TEXT || strcmp(rest + len, route->action) != 0)
        return false;
    memcpy(id, rest, len);
    id[len] = '\0';
    return true;
}

const struct agent_route *agent_route_find(const char *method, const char *path,
                                           char id[static AGENT_ROUTE_ID_TEXT], bool *known)
{
    *known = false;
    for (size_t i = 0; i < AGENT_ROUTE_COUNT; i++) {
        if (!path_matches(&routes[i], path, id))
            continue;
        *known = true;
        if (strcmp(method, routes[i].method) == 0)
            return &routes[i];
    }
    return NULL;
}
