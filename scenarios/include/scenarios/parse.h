/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario files: bytes to a value, or to the list of everything that is wrong with them. Pure but
 * for scn_read. The bytes are YAML 1.1 as libyaml reads it, less anchors, aliases and tags.
 */
#ifndef SCENARIOS_PARSE_H
#define SCENARIOS_PARSE_H

#include "base/buf.h"
#include "scenarios/problems.h"
#include "scenarios/scenario.h"

enum {
    SCN_MAX_BYTES = 1 << 20,
    SCN_MAX_DEPTH = 32,
    SCN_MAX_NODES = 20000, /* values in a file */
    SCN_MAX_KEYS = 1000    /* of one mapping */
};

/* Replaces out by the file's bytes, at most SCN_MAX_BYTES. False: problems has one more. Blocks. */
bool scn_read(const char *path, struct base_buf *out, struct scn_problems *problems);

/* file is the name that problems carry. True: out holds a scenario that is valid in itself (what
 * depends on the platform is for scn_plan to find) and problems is as it was. False: out is
 * untouched and problems holds at least one more, in the order of the file. */
bool scn_parse(const char *file, const char *bytes, size_t len, struct scn_scenario *out,
               struct scn_problems *problems);

#endif
