/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "loadgen/replay.h"

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

bool scenario_file_load(const char *path, struct scn_scenario *out, struct base_buf *bytes)
{
    struct base_buf own = {0};
    struct base_buf *buf = bytes != NULL ? bytes : &own;
    struct scn_problems problems = {0};
    base_buf_init(buf, SCN_MAX_BYTES);
    bool ok =
        scn_read(path, buf, &problems) && scn_parse(path, buf->data, buf->len, out, &problems);
    if (ok && !check_replay(path, out, &problems)) {
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
