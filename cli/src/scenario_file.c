/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "loadgen/flows.h"
#include "loadgen/replay.h"
#include "loadgen/routes.h"

void scenario_file_complain(const struct scn_problems *problems)
{
    BASE_AUTO_FREE char *text = scn_problems_text(problems);
    (void)fputs(text, stderr);
}

/* Timestamps that cannot be read are a mistake in the scenario, found before anything is touched.
 */
static bool check_replay(const char *path, const struct scn_scenario *scenario,
                         struct scn_problems *problems)
{
    static const char place[] = "spec.load.replay.file";
    BASE_AUTO_FREE char *file = scn_replay_path(scenario);
    struct load_replay replay = {.max = 0};
    struct base_error err;
    bool good = file == NULL || load_replay_read(file, scenario->load.replay.unit, &replay, &err);
    if (!good)
        scn_problems_add(problems, path, place, scn_scenario_mark(scenario, place), "%s: %s", place,
                         err.message);
    load_replay_fini(&replay);
    return good;
}

struct finding {
    const char *file;
    const struct scn_scenario *scenario;
    struct scn_problems *problems;
};

static void on_mistake(void *ctx, bool warning, const char *where, const char *what)
{
    struct finding *finding = ctx;
    BASE_AUTO_FREE char *place = base_str_printf("spec.load.%s", where);
    if (!warning)
        scn_problems_add(finding->problems, finding->file, place,
                         scn_scenario_mark(finding->scenario, place), "%s: %s", place, what);
}

/* The same of feeders: a file that is missing, or lacks a column that a flow asks for. */
static bool check_feeders(const char *path, const struct scn_scenario *scenario,
                          struct scn_problems *problems)
{
    struct finding finding = {.file = path, .scenario = scenario, .problems = problems};
    struct load_spec spec = {.flow_count = 0};
    scn_flows_plan(scenario, &spec);
    struct load_program *program = load_program_new(&spec, on_mistake, &finding);
    load_program_free(program);
    load_spec_fini(&spec);
    return program != NULL;
}

/* A field that is unknown, a command that does not end. What lies in a file is the load's to open.
 */
static bool check_routes(const char *path, const struct scn_scenario *scenario,
                         struct scn_problems *problems)
{
    struct load_spec spec = {.host = base_str_dup("host"), .engine = LOAD_ENGINE_NATIVE};
    struct base_error err;
    bool good = true;
    scn_routes_plan(scenario, &spec);
    for (size_t i = 0; i < spec.route_count; i++) {
        if (spec.routes[i].body_file != NULL || load_route_check(&spec, i, &err))
            continue;
        BASE_AUTO_FREE char *place = base_str_printf("spec.load.routes[%zu]", i);
        scn_problems_add(problems, path, place, scn_scenario_mark(scenario, place), "%s: %s", place,
                         err.message);
        good = false;
    }
    load_spec_fini(&spec);
    return good;
}

static bool check_files(const char *path, const struct scn_scenario *scenario,
                        struct scn_problems *problems)
{
    bool replay = check_replay(path, scenario, problems);
    bool routes = check_routes(path, scenario, problems);
    return check_feeders(path, scenario, problems) && replay && routes;
}

bool scenario_file_load(const char *path, struct scn_scenario *out, struct base_buf *bytes)
{
    struct base_buf own = {0};
    struct base_buf *buf = bytes != NULL ? bytes : &own;
    struct scn_problems problems = {0};
    base_buf_init(buf, SCN_MAX_BYTES);
    bool ok =
        scn_read(path, buf, &problems) && scn_parse(path, buf->data, buf->len, out, &problems);
    if (ok && !check_files(path, out, &problems)) {
        scn_scenario_fini(out);
        ok = false;
    }
    if (!ok)
        scenario_file_complain(&problems);
    scn_problems_fini(&problems);
    if (bytes == NULL)
        base_buf_fini(buf);
    return ok;
}
