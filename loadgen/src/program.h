/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows made ready to run: templates with their names resolved, patterns compiled, feeders read.
 * Built once before a run and read by all threads; only the counters of feeders change.
 */
#ifndef LOAD_PROGRAM_H
#define LOAD_PROGRAM_H

#include <stdatomic.h>

#include "cookies.h"
#include "fill.h"
#include "loadgen/flows.h"
#include "loadgen/run.h"
#include "model/pattern.h"

struct load_extract_code {
    const struct load_extract *spec;
    struct pattern *pattern; /* NULL unless regex */
    uint32_t slot;
};

struct load_expect_code {
    const struct load_expect *spec;
    struct load_fill text;   /* equals, contains or bodyContains */
    struct pattern *pattern; /* matches or bodyMatches; NULL: none */
};

struct load_step_code {
    const struct load_step *spec;
    char *name;            /* "flow.step" */
    struct load_fill head; /* from the request line to the last header of the step's own */
    struct load_fill body;
    size_t path_at;  /* where the path begins in the head */
    bool length;     /* Content-Length is sent */
    bool own_cookie; /* the step has a Cookie header: the jar's cookies stay at home */
    bool reads_body; /* an extraction or assertion looks at it */
    bool own_status; /* an assertion says which status is good */
    struct load_extract_code *extract;
    struct load_expect_code *expect;
};

enum load_part_of { LOAD_PART_SETUP, LOAD_PART_STEPS, LOAD_PART_TEARDOWN, LOAD_PARTS };

struct load_flow_code {
    const struct load_flow *spec;
    struct load_steps_code {
        struct load_step_code *steps;
        size_t count;
    } parts[LOAD_PARTS];
    uint32_t route;   /* of its first step among all that is recorded apart */
    char **variables; /* by slot */
    uint32_t variable_count;
    bool *draws; /* by feeder: from which it needs a row */
    /* What every passage starts with: written by setup, before anybody reads it. */
    char **values; /* by slot; NULL: not set */
    struct load_jar jar;
};

struct load_feed {
    const struct load_feeder *spec;
    char **columns; /* those that are used */
    size_t column_count;
    struct load_rows rows;
    atomic_uint_least64_t taken; /* rows handed out by this process; not for random */
};

struct load_program {
    const struct load_spec *spec;
    struct load_share share; /* of several processes, that of this one; of: 1 when there are none */
    struct load_site site;
    char *host; /* owned; of site */
    struct load_flow_code *flows;
    struct load_feed *feeds;
    const struct load_rows **rows; /* by feeder */
};

/* --- between the processes of a share (bequest.c) --- */

/* What the setup of all flows left: an array with {"values", "cookies"} of each. json_decref() it.
 * BASE_INVALID for what cannot stand in JSON. */
bool load_program_bequest(const struct load_program *program, json_t **out, struct base_error *err);
/* The same from another process, before anybody reads it. */
bool load_program_inherit(struct load_program *program, const json_t *bequest,
                          struct base_error *err);
/* A flow has steps of that part. */
bool load_program_has(const struct load_program *program, enum load_part_of part);

#endif
