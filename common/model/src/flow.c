/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of flows and feeders. */
#include "model/load.h"

#include "base/text.h"
#include "shapes.h"

static const char *const extract_names[] = {[LOAD_EXTRACT_JSON] = "json",
                                            [LOAD_EXTRACT_HEADER] = "header",
                                            [LOAD_EXTRACT_REGEX] = "regex",
                                            [LOAD_EXTRACT_STATUS] = "status"};
static const struct codec_words extracts = CODEC_WORDS(extract_names);

static const char *const expect_names[] = {[LOAD_EXPECT_STATUS] = "status",
                                           [LOAD_EXPECT_HEADER] = "header",
                                           [LOAD_EXPECT_JSON] = "json",
                                           [LOAD_EXPECT_CONTAINS] = "bodyContains",
                                           [LOAD_EXPECT_MATCHES] = "bodyMatches"};
static const struct codec_words expects = CODEC_WORDS(expect_names);

static const char *const format_names[] = {
    [LOAD_FEEDER_CSV] = "csv", [LOAD_FEEDER_JSONL] = "jsonl"};
static const struct codec_words formats = CODEC_WORDS(format_names);

static const char *const order_names[] = {[LOAD_FEEDER_SEQUENTIAL] = "sequential",
                                          [LOAD_FEEDER_RANDOM] = "random",
                                          [LOAD_FEEDER_UNIQUE] = "unique"};
static const struct codec_words orders = CODEC_WORDS(order_names);

#define TEXT_OR_NONE .type = CODEC_TEXT_OR_NULL, .optional = true

#define AT(member) .offset = offsetof(struct load_extract, member)
static const struct codec_field extract_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "from", .type = CODEC_WORD, .words = &extracts, AT(from)},
    {.key = "json", TEXT_OR_NONE, AT(json)},
    {.key = "header", TEXT_OR_NONE, .form = FORM_NAME, AT(header)},
    {.key = "regex", TEXT_OR_NONE, AT(regex)},
};
#undef AT

static bool check_extract(const void *value, const char *where, struct base_error *err)
{
    const struct load_extract *extract = value;
    bool there = (extract->from == LOAD_EXTRACT_JSON) == (extract->json != NULL) &&
                 (extract->from == LOAD_EXTRACT_HEADER) == (extract->header != NULL) &&
                 (extract->from == LOAD_EXTRACT_REGEX) == (extract->regex != NULL);
    return there || base_fail(err, BASE_INVALID,
                              "%s.from: is \"%s\", expected that key and neither of the others "
                              "(json, header, regex)",
                              where, codec_word(&extracts, extract->from));
}

static const struct codec_shape extract_shape = {.name = "extract",
                                                 .size = sizeof(struct load_extract),
                                                 CODEC_FIELDS(extract_fields),
                                                 .check = check_extract};

#define AT(member) .offset = offsetof(struct load_expect, member)
static const struct codec_field expect_fields[] = {
    {.key = "on", .type = CODEC_WORD, .words = &expects, AT(on)},
    {.key = "status", .type = CODEC_I64, .max = 599, AT(status)},
    {.key = "header", TEXT_OR_NONE, .form = FORM_NAME, AT(header)},
    {.key = "json", TEXT_OR_NONE, AT(json)},
    {.key = "bodyContains", TEXT_OR_NONE, AT(body_contains)},
    {.key = "bodyMatches", TEXT_OR_NONE, AT(body_matches)},
    {.key = "equals", TEXT_OR_NONE, AT(equals)},
    {.key = "contains", TEXT_OR_NONE, AT(contains)},
    {.key = "matches", TEXT_OR_NONE, AT(matches)},
};
#undef AT

static bool check_expect(const void *value, const char *where, struct base_error *err)
{
    const struct load_expect *expect = value;
    bool there = (expect->on == LOAD_EXPECT_STATUS) == (expect->status >= 100) &&
                 (expect->on == LOAD_EXPECT_HEADER) == (expect->header != NULL) &&
                 (expect->on == LOAD_EXPECT_JSON) == (expect->json != NULL) &&
                 (expect->on == LOAD_EXPECT_CONTAINS) == (expect->body_contains != NULL) &&
                 (expect->on == LOAD_EXPECT_MATCHES) == (expect->body_matches != NULL);
    return there || base_fail(err, BASE_INVALID,
                              "%s.on: is \"%s\", expected that key and none of the others "
                              "(status, header, json, bodyContains, bodyMatches)",
                              where, codec_word(&expects, expect->on));
}

static const struct codec_shape expect_shape = {.name = "expect",
                                                .size = sizeof(struct load_expect),
                                                CODEC_FIELDS(expect_fields),
                                                .check = check_expect};

#define AT(member)   .offset = offsetof(struct load_step, member)
#define LIST(member) AT(member), .count_offset = offsetof(struct load_step, member##_count)
static const struct codec_field step_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "method", .type = CODEC_TEXT, .form = FORM_METHOD, AT(method)},
    {.key = "path", .type = CODEC_TEXT, .form = FORM_LINE, AT(path)},
    {.key = "headers",
     .type = CODEC_TEXTS,
     .optional = true,
     .form = FORM_LINE,
     AT(headers),
     .count_offset = offsetof(struct load_step, header_count)},
    {.key = "body", TEXT_OR_NONE, AT(body)},
    {.key = "expectedNs", .type = CODEC_NS, .optional = true, AT(expected)},
    {.key = "thinkNs", .type = CODEC_NS, .optional = true, AT(think)},
    {.key = "extract",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &extract_shape,
     LIST(extract)},
    {.key = "expect",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &expect_shape,
     LIST(expect)},
};
#undef LIST
#undef AT
static const struct codec_shape step_shape = {
    .name = "step", .size = sizeof(struct load_step), CODEC_FIELDS(step_fields)};

#define AT(member) .offset = offsetof(struct load_flow, member)
static const struct codec_field flow_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "weight", .type = CODEC_I64, .min = 1, .max = UINT32_MAX, AT(weight)},
    {.key = "steps",
     .type = CODEC_OBJECTS,
     .shape = &step_shape,
     .min = 1,
     AT(steps),
     .count_offset = offsetof(struct load_flow, step_count)},
    {.key = "setup",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &step_shape,
     AT(setup),
     .count_offset = offsetof(struct load_flow, setup_count)},
    {.key = "teardown",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &step_shape,
     AT(teardown),
     .count_offset = offsetof(struct load_flow, teardown_count)},
};
#undef AT
const struct codec_shape model_flow_shape = {
    .name = "flow", .size = sizeof(struct load_flow), CODEC_FIELDS(flow_fields)};

#define AT(member) .offset = offsetof(struct load_feeder, member)
static const struct codec_field feeder_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "file", .type = CODEC_TEXT, .form = FORM_NAME, AT(file)},
    {.key = "format", .type = CODEC_WORD, .words = &formats, AT(format)},
    {.key = "order", .type = CODEC_WORD, .words = &orders, AT(order)},
    {.key = "text", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(text)},
};
#undef AT
const struct codec_shape model_feeder_shape = {
    .name = "feeder", .size = sizeof(struct load_feeder), CODEC_FIELDS(feeder_fields)};

void load_spec_copy_flows(struct load_spec *spec, const struct load_flow *flows, size_t flow_count,
                          const struct load_feeder *feeders, size_t feeder_count)
{
    spec->flows = base_calloc(flow_count, sizeof *spec->flows);
    spec->flow_count = flow_count;
    for (size_t i = 0; i < flow_count; i++)
        codec_copy(&model_flow_shape, &spec->flows[i], &flows[i]);
    spec->feeders = base_calloc(feeder_count, sizeof *spec->feeders);
    spec->feeder_count = feeder_count;
    for (size_t i = 0; i < feeder_count; i++)
        codec_copy(&model_feeder_shape, &spec->feeders[i], &feeders[i]);
}

uint32_t load_spec_routes(const struct load_spec *spec)
{
    size_t count = spec->route_count;
    for (size_t i = 0; i < spec->flow_count; i++)
        count += spec->flows[i].step_count;
    return (uint32_t)count;
}

char *load_spec_route_name(const struct load_spec *spec, uint32_t route)
{
    if (route < spec->route_count)
        return base_str_dup(spec->routes[route].name);
    size_t left = route - spec->route_count;
    for (size_t i = 0; i < spec->flow_count; i++) {
        const struct load_flow *flow = &spec->flows[i];
        if (left < flow->step_count)
            return base_str_printf("%s.%s", flow->name, flow->steps[left].name);
        left -= flow->step_count;
    }
    return NULL;
}

#define AT(member) .offset = offsetof(struct load_once_result, member)
static const struct codec_field once_fields[] = {
    {.key = "flow", .type = CODEC_TEXT, .form = FORM_TAG, AT(flow)},
    {.key = "part", .type = CODEC_TEXT, .form = FORM_TAG, AT(part)},
    {.key = "step", .type = CODEC_TEXT, .form = FORM_TAG, AT(step)},
    {.key = "ok", .type = CODEC_BOOL, AT(ok)},
    {.key = "tookNs", .type = CODEC_NS, AT(took)},
    {.key = "why", .type = CODEC_TEXT_OR_NULL, AT(why)},
};
#undef AT
const struct codec_shape model_once_shape = {
    .name = "once", .size = sizeof(struct load_once_result), CODEC_FIELDS(once_fields)};

void load_once_result_fini(struct load_once_result *result)
{
    codec_fini(&model_once_shape, result);
}

struct dur_ns load_spec_once_limit(const struct load_spec *spec, bool setup)
{
    struct dur_ns limit = {0};
    for (size_t i = 0; i < spec->flow_count; i++) {
        const struct load_flow *flow = &spec->flows[i];
        const struct load_step *steps = setup ? flow->setup : flow->teardown;
        size_t count = setup ? flow->setup_count : flow->teardown_count;
        for (size_t k = 0; k < count; k++)
            limit.ns += 2 * spec->timeout.ns + steps[k].think.ns;
    }
    return limit;
}
