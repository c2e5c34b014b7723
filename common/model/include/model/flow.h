/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows: what a user does in several steps, each with its request, what it keeps of the response
 * (extract), what must hold of it (expect), and the time after it. Part of struct load_spec.
 *
 * Texts marked T are templates (model/template.h) of
 *   {{seq}}, {{rand}}   as in routes; seq is the same in all steps of one passage of a flow
 *   {{name}}            what an earlier step of the passage, or the flow's setup, extracted
 *   {{feeder.column}}   of the row that the passage drew from that feeder
 * each of them also as {{name|url}} (percent-encoded) or {{name|json}} (inside a JSON string).
 *
 * Intended times. A passage's first step is due when its arrival is. In the open model step n is
 * due `expected` + `think` of step n-1 after step n-1 was: never after what was observed, so a
 * target that answers late is not waited for by the clock (coordinated omission). It is sent then
 * or, when the answer that it needs came later, as soon as that is there; either way its response
 * time counts from when it was due. A user of the closed model thinks after the answer came: step n
 * is due `think` after step n-1 ended, and `expected` has no meaning.
 */
#ifndef MODEL_FLOW_H
#define MODEL_FLOW_H

#include <stddef.h>

#include "model/json.h"

enum { LOAD_CAPTURE_MAX = 1 << 20 }; /* bytes of a response that a step can look at */

enum load_extract_from {
    LOAD_EXTRACT_JSON,   /* of the body: text as it is, other values as compact JSON */
    LOAD_EXTRACT_HEADER, /* the first of that name */
    LOAD_EXTRACT_REGEX,  /* of the body: the first group, or the whole match when there is none */
    LOAD_EXTRACT_STATUS  /* the three digits */
};

/* Each text NULL where `from` does not need it. */
struct load_extract {
    char *name;
    enum load_extract_from from;
    char *json; /* JSON pointer, RFC 6901 */
    char *header;
    char *regex; /* PCRE2 */
};

enum load_expect_on {
    LOAD_EXPECT_STATUS,
    LOAD_EXPECT_HEADER, /* is there; one of its values equals, contains or matches */
    LOAD_EXPECT_JSON,   /* is there; equals */
    LOAD_EXPECT_CONTAINS,
    LOAD_EXPECT_MATCHES
};

struct load_expect {
    enum load_expect_on on;
    int64_t status;
    char *header;
    char *json;
    char *body_contains; /* T */
    char *body_matches;
    char *equals;   /* T; NULL: no such test, as of the others */
    char *contains; /* T */
    char *matches;
};

struct load_step {
    char *name; /* with its flow's in front, "flow.step", it is the route of what is recorded */
    char *method;
    char *path;     /* T; with the query */
    char **headers; /* T; "Name: value" */
    size_t header_count;
    char *body; /* T; NULL: none */
    struct dur_ns expected;
    struct dur_ns think;
    struct load_extract *extract;
    size_t extract_count;
    struct load_expect *expect;
    size_t expect_count;
};

struct load_flow {
    char *name;
    int64_t weight; /* > 0: share of the arrivals, beside the routes' weights */
    struct load_step *steps;
    size_t step_count;
    struct load_step *setup; /* once in a run, before the load: what it extracts, and its cookies,
                                every passage starts with */
    size_t setup_count;
    struct load_step *teardown; /* once, after the load; starts with what setup left */
    size_t teardown_count;
};

enum load_feeder_format { LOAD_FEEDER_CSV, LOAD_FEEDER_JSONL };

enum load_feeder_order {
    LOAD_FEEDER_SEQUENTIAL, /* row after row, from the first again at the end */
    LOAD_FEEDER_RANDOM,     /* drawn by the seed and the passage's number */
    LOAD_FEEDER_UNIQUE      /* each row once; a passage that finds none fails with "input" */
};

struct load_feeder {
    char *name;
    char *file;
    enum load_feeder_format format;
    enum load_feeder_order order;
    char *text; /* what the file holds, read by somebody else; NULL: it is still to be read */
};

struct load_spec;

/* Something is wrong at `where` ("flows[0].steps[2].path"), or only odd when it is a warning. */
typedef void load_flow_say_fn(void *ctx, bool warning, const char *where, const char *what);

/* Of that kind: keeps the first mistake as a BASE_INVALID, and no warning. */
struct load_flow_first {
    const char *inside; /* what `where` lies in; NULL: nothing to name */
    struct base_error *err;
    bool failed;
};
void load_flow_first(void *ctx, bool warning, const char *where, const char *what);
/* All that can be said of flows and feeders without reading files. */
void load_flows_check(const struct load_spec *spec, load_flow_say_fn *say, void *ctx);
/* Deep copies into spec, replacing nothing. */
void load_spec_copy_flows(struct load_spec *spec, const struct load_flow *flows, size_t flow_count,
                          const struct load_feeder *feeders, size_t feeder_count);

#endif
