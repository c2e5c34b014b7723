/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "model/json.h"

struct progress {
    FILE *out;
    bool quiet;
    const char *run_dir;
    char *steady; /* what the checks said when last shown; "": they held */
    struct mono_ns start;
};

void progress_start(struct progress *progress, FILE *out, bool quiet, const char *run_dir);
void progress_fini(struct progress *progress);
/* ctx is a struct progress; fits struct live_config.on_event. */
void progress_event(void *ctx, const char *type, const json_t *fields);

#endif
