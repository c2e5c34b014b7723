/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/parse.h"

#include <string.h>

#include "base/file.h"
#include "decode.h"

bool scn_read(const char *path, struct base_buf *out, struct scn_problems *problems)
{
    struct base_error err;
    base_buf_fini(out);
    base_buf_init(out, SCN_MAX_BYTES);
    if (base_file_read(path, out, &err))
        return true;
    if (err.code == BASE_LIMIT)
        scn_problems_add(problems, path, "", (struct scn_mark){0, 0},
                         "larger than 1 MiB, the most that a scenario file may have");
    else
        scn_problems_add(problems, path, "", (struct scn_mark){0, 0}, "%s", err.message);
    return false;
}

bool scn_parse(const char *file, const char *bytes, size_t len, struct scn_scenario *out,
               struct scn_problems *problems)
{
    struct scn_scenario scenario = {.file = NULL};
    struct scn_problems found = {.items = NULL};
    if (len > SCN_MAX_BYTES) {
        scn_problems_add(problems, file, "", (struct scn_mark){0, 0},
                         "larger than 1 MiB, the most that a scenario file may have");
        return false;
    }
    struct scn_node *root = scn_yaml_parse(file, bytes, len, &found);
    if (root != NULL) {
        scn_decode(file, root, &scenario, &found);
        scn_check(&scenario, &found);
        scn_node_free(root);
    }
    if (found.count == 0) {
        *out = scenario;
        return true;
    }
    scn_problems_sort(&found);
    for (size_t i = 0; i < found.count; i++)
        scn_problems_add(problems, file, found.items[i].path, found.items[i].mark, "%s",
                         found.items[i].message);
    problems->dropped += found.dropped;
    scn_problems_fini(&found);
    scn_scenario_fini(&scenario);
    return false;
}
