/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the load's targets, and as whom. */
#include "base/text.h"
#include "plan_internal.h"

static char **copy_texts(char *const *from, size_t count)
{
    char **texts = base_calloc(count, sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] = base_str_dup(from[i]);
    return texts;
}

void scn_routes_plan(const struct scn_scenario *scenario, struct load_spec *load)
{
    const struct scn_load *from = &scenario->load;
    load->protocol = scn_load_protocol(scenario);
    load->route_count = from->route_count;
    load->routes = base_calloc(load->route_count, sizeof *load->routes);
    for (size_t i = 0; i < load->route_count; i++) {
        const struct scn_route *route = &from->routes[i];
        load->routes[i] = (struct load_route){
            .name = base_str_dup(route->name),
            .method = base_str_dup(route->method),
            .path = base_str_dup(route->path != NULL ? route->path : "/"),
            .body = base_str_dup(route->body),
            .body_file = base_str_dup(route->body_file),
            .headers = copy_texts(route->headers, route->header_count),
            .header_count = route->header_count,
            .weight = (uint32_t)route->weight,
            .until = base_str_dup(route->until),
            .answer_bytes = (uint64_t)route->answer_bytes,
            .params = copy_texts(route->params, route->param_count),
            .param_count = route->param_count,
            .key = base_str_dup(route->key),
            .exchange = base_str_dup(route->exchange),
            .persistent = route->persistent,
            .queue = base_str_dup(route->queue),
            .consume = route->request == SCN_REQUEST_CONSUME,
        };
    }
}

char *planner_secret(const struct planner *planner, const char *file)
{
    const char *state = planner->topo->state_dir;
    if (state == NULL || *state == '\0')
        return scn_path_beside(planner->scenario, file);
    if (file == NULL || *file == '/')
        return base_str_dup(file);
    return base_str_printf("%s/%s", state, file);
}

void planner_login(const struct planner *planner, struct load_spec *load)
{
    const struct scn_login *login = &planner->scenario->load.login;
    bool amqp = load->protocol == LOAD_SPEECH_AMQP;
    load->user = base_str_dup(login->user);
    load->database = base_str_dup(amqp ? login->virtual_host : login->database);
    load->password_file = planner_secret(planner, login->password_file);
    load->password_env = base_str_dup(login->password_env);
}
