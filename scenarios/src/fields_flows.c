/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that describes flows and feeders; they are decoded into the model's own
 * structs. */
#include "fields_parts.h"

static const struct scn_word whole_list[] = {{"whole", LOAD_EXTRACT_STATUS}};
static const struct scn_words whole = WORDS(whole_list);
static const struct scn_word format_list[] = {{"csv", LOAD_FEEDER_CSV},
                                              {"jsonl", LOAD_FEEDER_JSONL}};
static const struct scn_words formats = WORDS(format_list);
static const struct scn_word order_list[] = {{"sequential", LOAD_FEEDER_SEQUENTIAL},
                                             {"random", LOAD_FEEDER_RANDOM},
                                             {"unique", LOAD_FEEDER_UNIQUE}};
static const struct scn_words orders = WORDS(order_list);

#define AT(member) .offset = offsetof(struct load_extract, member)
static const struct scn_field extract_fields[] = {
    {.key = "name",
     .type = SCN_TEXT,
     AT(name),
     .required = true,
     .example = "id",
     .help =
         "The variable that is set, for {{name}} in later steps: letters, digits, '_' and '-'."},
    {.key = "json",
     .type = SCN_TEXT,
     AT(json),
     .choice = LOAD_EXTRACT_JSON + 1,
     .example = "/data/id",
     .help = "JSON pointer into the body."},
    {.key = "header",
     .type = SCN_TEXT,
     AT(header),
     .choice = LOAD_EXTRACT_HEADER + 1,
     .example = "Location",
     .help = "The first header of this name."},
    {.key = "regex",
     .type = SCN_TEXT,
     AT(regex),
     .choice = LOAD_EXTRACT_REGEX + 1,
     .example = "'token=(\\w+)'",
     .help = "Regular expression (PCRE2) over the body: its first group, or the whole match."},
    {.key = "status",
     .type = SCN_WORD,
     .words = &whole,
     AT(from),
     .choice = LOAD_EXTRACT_STATUS + 1,
     .help = "whole: the status code."},
};
static const struct scn_shape extract_shape = {.size = sizeof(struct load_extract),
                                               FIELDS(extract_fields),
                                               .choice_of = "a source",
                                               .choice_offset =
                                                   offsetof(struct load_extract, from)};
#undef AT

#define AT(member) .offset = offsetof(struct load_expect, member)
static const struct scn_field expect_fields[] = {
    {.key = "status",
     .type = SCN_INTEGER,
     AT(status),
     .choice = LOAD_EXPECT_STATUS + 1,
     .min = "100",
     .max = "599",
     .example = "201",
     .help = "This status and no other; without it any below 400 is good."},
    {.key = "header",
     .type = SCN_TEXT,
     AT(header),
     .choice = LOAD_EXPECT_HEADER + 1,
     .example = "Content-Type",
     .help = "A header of this name is there, and one of its values passes the test beside it."},
    {.key = "json",
     .type = SCN_TEXT,
     AT(json),
     .choice = LOAD_EXPECT_JSON + 1,
     .example = "/data/name",
     .help = "The body has a value at this JSON pointer; with equals, that one."},
    {.key = "bodyContains",
     .type = SCN_TEXT,
     AT(body_contains),
     .choice = LOAD_EXPECT_CONTAINS + 1,
     .help = "The body contains this text."},
    {.key = "bodyMatches",
     .type = SCN_TEXT,
     AT(body_matches),
     .choice = LOAD_EXPECT_MATCHES + 1,
     .help = "The body matches this regular expression (PCRE2)."},
    {.key = "equals",
     .type = SCN_TEXT,
     AT(equals),
     .help = "With header or json: the value; numbers and the like as compact JSON."},
    {.key = "contains", .type = SCN_TEXT, AT(contains), .help = "With header: part of the value."},
    {.key = "matches",
     .type = SCN_TEXT,
     AT(matches),
     .help = "With header: regular expression that the value matches."},
};
static const struct scn_shape expect_shape = {.size = sizeof(struct load_expect),
                                              FIELDS(expect_fields),
                                              .choice_of = "a subject",
                                              .choice_offset = offsetof(struct load_expect, on)};
#undef AT

#define AT(member) .offset = offsetof(struct load_step, member)
static const struct scn_field step_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "create",
     .help = "Names the step; thresholds and reports call it FLOW.STEP."},
    {.key = "method", .type = SCN_METHOD, AT(method), .fallback = "GET", .help = "HTTP method."},
    {.key = "path",
     .type = SCN_TARGET,
     AT(path),
     .required = true,
     .help = "Path with the query. {{name}}, {{feeder.column}}, {{seq}} and {{rand}} in it, as in "
             "headers and body, are filled in; {{name|url}} and {{name|json}} escape what they "
             "fill in."},
    {.key = "headers",
     .type = SCN_HEADERS,
     AT(headers),
     .count_offset = offsetof(struct load_step, header_count),
     .most = 100,
     .help = "Request headers by name."},
    {.key = "body",
     .type = SCN_TEXT,
     AT(body),
     .example = "'{\"name\":\"{{people.name|json}}\"}'",
     .help = "Request body."},
    {.key = "expected",
     .type = SCN_DURATION,
     AT(expected),
     .fallback = "0s",
     .min = "0s",
     .max = "1h",
     .example = "20ms",
     .help = "Response time to expect. The next step is due so long (and think) after this one "
             "was, however late the answer comes; of no meaning with users."},
    {.key = "think",
     .type = SCN_DURATION,
     AT(think),
     .fallback = "0s",
     .min = "0s",
     .max = "1h",
     .help = "Pause before the next step."},
    {.key = "extract",
     .type = SCN_OBJECTS,
     .shape = &extract_shape,
     AT(extract),
     .count_offset = offsetof(struct load_step, extract_count),
     .most = 64,
     .help = "What later steps need of the response."},
    {.key = "expect",
     .type = SCN_OBJECTS,
     .shape = &expect_shape,
     AT(expect),
     .count_offset = offsetof(struct load_step, expect_count),
     .most = 64,
     .help = "What must hold of the response; if it does not, the step fails and its flow ends."},
};
static const struct scn_shape step_shape = {
    .size = sizeof(struct load_step), FIELDS(step_fields), .named = true};
#undef AT

#define AT(member)    .offset = offsetof(struct load_flow, member)
#define STEPS(member) .type = SCN_OBJECTS, .shape = &step_shape, AT(member), .most = 256
static const struct scn_field flow_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "sign-up",
     .help = "Names the flow."},
    {.key = "weight",
     .type = SCN_INTEGER,
     AT(weight),
     .fallback = "1",
     .min = "1",
     .max = "1000000",
     .help = "Share of the arrivals, relative to routes and other flows."},
    {.key = "steps",
     STEPS(steps),
     .count_offset = offsetof(struct load_flow, step_count),
     .required = true,
     .least = 1,
     .help = "What each user does, one after the other. Cookies are kept."},
    {.key = "setup",
     STEPS(setup),
     .count_offset = offsetof(struct load_flow, setup_count),
     .help = "Done once before the load; its variables and cookies are there for all. If it fails, "
             "there is no load."},
    {.key = "teardown",
     STEPS(teardown),
     .count_offset = offsetof(struct load_flow, teardown_count),
     .help = "Done once after the load, with what setup left."},
};
const struct scn_shape scn_flow_shape = {
    .size = sizeof(struct load_flow), FIELDS(flow_fields), .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct load_feeder, member)
static const struct scn_field feeder_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "people",
     .help = "Names the feeder, for {{people.email}}."},
    {.key = "file",
     .type = SCN_TEXT,
     AT(file),
     .required = true,
     .example = "people.csv",
     .help = "A relative path counts from the scenario's folder."},
    {.key = "format",
     .type = SCN_WORD,
     .words = &formats,
     AT(format),
     .fallback = "csv",
     .help = "csv: columns are named in the first line; jsonl: a JSON object a line."},
    {.key = "order",
     .type = SCN_WORD,
     .words = &orders,
     AT(order),
     .fallback = "sequential",
     .help = "sequential: row after row, again and again; random; unique: each row once, and a "
             "flow that finds none left fails."},
};
const struct scn_shape scn_feeder_shape = {
    .size = sizeof(struct load_feeder), FIELDS(feeder_fields), .named = true};
#undef AT
