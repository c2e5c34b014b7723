/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

void scenario_file_complain(const struct scn_problems *problems)
{
    BASE_AUTO_FREE char *text = scn_problems_text(problems);
    (void)fputs(text, stderr);
}

bool scenario_file_load(const char *path, struct scn_scenario *out, struct base_buf *bytes)
{
    struct base_buf own = {0};
    struct base_buf *buf = bytes != NULL ? bytes : &own;
    struct scn_problems problems = {0};
    base_buf_init(buf, SCN_MAX_BYTES);
    bool ok =
        scn_read(path, buf, &problems) && scn_parse(path, buf->data, buf->len, out, &problems);
    if (!ok)
        scenario_file_complain(&problems);
    scn_problems_fini(&problems);
    if (bytes == NULL)
        base_buf_fini(buf);
    return ok;
}
