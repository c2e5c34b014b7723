/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "http_request.h"

/* The flow under work; a field's name becomes a number in its tables. */
struct builder {
    struct load_program *program;
    struct load_flow_code *flow;
};

/* --- names to numbers --- */

static uint32_t slot_of(struct load_flow_code *flow, const char *name)
{
    for (uint32_t i = 0; i < flow->variable_count; i++)
        if (base_str_eq(flow->variables[i], name))
            return i;
    flow->variables = base_reallocarray(flow->variables, (size_t)flow->variable_count + 1,
                                        sizeof *flow->variables);
    flow->variables[flow->variable_count] = base_str_dup(name);
    return flow->variable_count++;
}

static uint32_t column_of(struct load_feed *feed, const char *name)
{
    for (size_t i = 0; i < feed->column_count; i++)
        if (base_str_eq(feed->columns[i], name))
            return (uint32_t)i;
    feed->columns = base_reallocarray(feed->columns, feed->column_count + 1, sizeof *feed->columns);
    feed->columns[feed->column_count] = base_str_dup(name);
    return (uint32_t)feed->column_count++;
}

static void resolve_cell(struct builder *b, struct load_fill_part *part, const char *name,
                         const char *dot)
{
    const struct load_spec *spec = b->program->spec;
    for (uint32_t i = 0; i < spec->feeder_count; i++) {
        const char *feeder = spec->feeders[i].name;
        if (strlen(feeder) != (size_t)(dot - name) || !base_str_starts(name, feeder))
            continue;
        part->number = i;
        part->column = column_of(&b->program->feeds[i], dot + 1);
        b->flow->draws[i] = true;
    }
}

static void resolve(struct builder *b, struct load_fill_part *part, const char *name)
{
    const char *dot = strchr(name, '.');
    if (base_str_eq(name, "seq")) {
        part->kind = LOAD_FILL_SEQ;
    } else if (base_str_eq(name, "rand")) {
        part->kind = LOAD_FILL_RAND;
    } else if (dot != NULL) {
        part->kind = LOAD_FILL_CELL;
        resolve_cell(b, part, name, dot);
    } else {
        part->kind = LOAD_FILL_VARIABLE;
        part->number = slot_of(b->flow, name);
    }
}

/* text has been parsed before (load_flows_check), so that it cannot fail. */
static void add_template(struct builder *b, struct load_fill *fill, const char *text,
                         enum load_fill_place place)
{
    struct template template = {.count = 0};
    if (text == NULL || !template_parse(text, &template, NULL))
        return;
    for (size_t i = 0; i < template.count; i++) {
        if (!template.parts[i].field) {
            load_fill_add_text(fill, template.parts[i].text);
            continue;
        }
        struct load_fill_part *part = load_fill_add(fill, template.parts[i].text);
        part->place = place;
        part->filter = template.parts[i].filter;
        resolve(b, part, template.parts[i].text);
    }
    template_fini(&template);
}

/* --- steps --- */

static void build_head(struct builder *b, struct load_step_code *code)
{
    const struct load_step *step = code->spec;
    BASE_AUTO_FREE char *method = base_str_printf("%s ", step->method);
    BASE_AUTO_FREE char *fixed =
        load_request_fixed(b->program->spec->host == NULL ? "" : b->program->spec->host,
                           step->headers, step->header_count);
    BASE_AUTO_FREE char *rest = base_str_printf(" HTTP/1.1\r\n%s", fixed);
    load_fill_add_text(&code->head, method);
    code->path_at = strlen(method);
    add_template(b, &code->head, step->path, LOAD_PLACE_PATH);
    load_fill_add_text(&code->head, rest);
    for (size_t i = 0; i < step->header_count; i++) {
        add_template(b, &code->head, step->headers[i], LOAD_PLACE_HEADER);
        load_fill_add_text(&code->head, "\r\n");
        code->own_cookie = code->own_cookie || strncasecmp(step->headers[i], "Cookie:", 7) == 0;
    }
    code->length = load_request_has_length(step->method, step->body != NULL);
}

static void build_expect(struct builder *b, struct load_step_code *code, size_t i)
{
    const struct load_expect *expect = &code->spec->expect[i];
    const char *text = expect->equals != NULL     ? expect->equals
                       : expect->contains != NULL ? expect->contains
                                                  : expect->body_contains;
    const char *pattern = expect->matches != NULL ? expect->matches : expect->body_matches;
    code->expect[i].spec = expect;
    add_template(b, &code->expect[i].text, text, LOAD_PLACE_BODY);
    if (pattern != NULL)
        code->expect[i].pattern = pattern_new(pattern, NULL);
    code->own_status = code->own_status || expect->on == LOAD_EXPECT_STATUS;
    code->reads_body =
        code->reads_body || (expect->on != LOAD_EXPECT_STATUS && expect->on != LOAD_EXPECT_HEADER);
}

static void build_extract(struct builder *b, struct load_step_code *code, size_t i)
{
    const struct load_extract *extract = &code->spec->extract[i];
    code->extract[i] =
        (struct load_extract_code){.spec = extract, .slot = slot_of(b->flow, extract->name)};
    if (extract->regex != NULL)
        code->extract[i].pattern = pattern_new(extract->regex, NULL);
    code->reads_body = code->reads_body || extract->from == LOAD_EXTRACT_JSON ||
                       extract->from == LOAD_EXTRACT_REGEX;
}

static void build_step(struct builder *b, struct load_step_code *code, const struct load_step *step)
{
    code->spec = step;
    code->name = base_str_printf("%s.%s", b->flow->spec->name, step->name);
    build_head(b, code);
    add_template(b, &code->body, step->body, LOAD_PLACE_BODY);
    code->expect = base_calloc(step->expect_count, sizeof *code->expect);
    for (size_t i = 0; i < step->expect_count; i++)
        build_expect(b, code, i);
    code->extract = base_calloc(step->extract_count, sizeof *code->extract);
    for (size_t i = 0; i < step->extract_count; i++)
        build_extract(b, code, i);
}

static void build_flow(struct load_program *program, size_t index, uint32_t *route)
{
    const struct load_flow *flow = &program->spec->flows[index];
    struct load_flow_code *code = &program->flows[index];
    struct builder builder = {.program = program, .flow = code};
    const struct {
        const struct load_step *steps;
        size_t count;
    } lists[LOAD_PARTS] = {[LOAD_PART_SETUP] = {flow->setup, flow->setup_count},
                           [LOAD_PART_STEPS] = {flow->steps, flow->step_count},
                           [LOAD_PART_TEARDOWN] = {flow->teardown, flow->teardown_count}};
    *code = (struct load_flow_code){.spec = flow, .route = *route};
    *route += (uint32_t)flow->step_count;
    code->draws = base_calloc(program->spec->feeder_count, sizeof *code->draws);
    for (size_t part = 0; part < LOAD_PARTS; part++) {
        code->parts[part].count = lists[part].count;
        code->parts[part].steps = base_calloc(lists[part].count, sizeof(struct load_step_code));
        for (size_t i = 0; i < lists[part].count; i++)
            build_step(&builder, &code->parts[part].steps[i], &lists[part].steps[i]);
    }
    code->values = base_calloc(code->variable_count, sizeof *code->values);
}

/* --- the whole --- */

static bool read_feed(struct load_program *program, size_t i, load_flow_say_fn *say, void *ctx)
{
    struct load_feed *feed = &program->feeds[i];
    struct base_error err;
    char where[64];
    program->rows[i] = &feed->rows;
    /* One that nobody draws from is only odd, and has no columns. */
    if (feed->column_count == 0 ||
        load_rows_read(&feed->rows, feed->spec, (const char *const *)feed->columns,
                       feed->column_count, &err))
        return true;
    (void)snprintf(where, sizeof where, "feeders[%zu].file", i);
    say(ctx, false, where, err.message);
    return false;
}

/* Of the Host header, without its port. */
static char *bare_host(const char *host)
{
    size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
    char *bare = host[0] == '[' ? base_str_ndup(host + 1, len - 1) : base_str_ndup(host, len);
    for (char *c = bare; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return bare;
}

struct load_program *load_program_new(const struct load_spec *spec, load_flow_say_fn *say,
                                      void *ctx)
{
    struct load_program *program = base_calloc(1, sizeof *program);
    uint32_t route = (uint32_t)spec->route_count;
    bool good = true;
    program->spec = spec;
    program->share.of = 1;
    program->host = bare_host(spec->host == NULL ? "" : spec->host);
    program->site =
        (struct load_site){.host = program->host, .secure = spec->tls.server_name != NULL};
    program->feeds = base_calloc(spec->feeder_count, sizeof *program->feeds);
    program->rows = base_calloc(spec->feeder_count, sizeof(struct load_rows *));
    program->flows = base_calloc(spec->flow_count, sizeof *program->flows);
    for (size_t i = 0; i < spec->feeder_count; i++)
        program->feeds[i].spec = &spec->feeders[i];
    for (size_t i = 0; i < spec->flow_count; i++)
        build_flow(program, i, &route);
    for (size_t i = 0; i < spec->feeder_count; i++)
        good = read_feed(program, i, say, ctx) && good;
    if (good)
        return program;
    load_program_free(program);
    return NULL;
}

bool load_program_has(const struct load_program *program, enum load_part_of part)
{
    for (size_t i = 0; i < program->spec->flow_count; i++)
        if (program->flows[i].parts[part].count > 0)
            return true;
    return false;
}

static void step_fini(struct load_step_code *code)
{
    load_fill_fini(&code->head);
    load_fill_fini(&code->body);
    for (size_t i = 0; i < code->spec->expect_count; i++) {
        load_fill_fini(&code->expect[i].text);
        pattern_free(code->expect[i].pattern);
    }
    for (size_t i = 0; i < code->spec->extract_count; i++)
        pattern_free(code->extract[i].pattern);
    free(code->expect);
    free(code->extract);
    free(code->name);
}

static void flow_fini(struct load_flow_code *code)
{
    for (size_t part = 0; part < LOAD_PARTS; part++) {
        for (size_t i = 0; i < code->parts[part].count; i++)
            step_fini(&code->parts[part].steps[i]);
        free(code->parts[part].steps);
    }
    for (uint32_t i = 0; i < code->variable_count; i++) {
        free(code->variables[i]);
        free(code->values[i]);
    }
    free(code->variables);
    free(code->values);
    free(code->draws);
    load_jar_fini(&code->jar);
}

static void feed_fini(struct load_feed *feed)
{
    for (size_t i = 0; i < feed->column_count; i++)
        free(feed->columns[i]);
    free(feed->columns);
    load_rows_fini(&feed->rows);
}

void load_program_free(struct load_program *program)
{
    if (program == NULL)
        return;
    for (size_t i = 0; i < program->spec->flow_count; i++)
        flow_fini(&program->flows[i]);
    for (size_t i = 0; i < program->spec->feeder_count; i++)
        feed_fini(&program->feeds[i]);
    free(program->flows);
    free(program->feeds);
    free(program->rows);
    free(program->host);
    free(program);
}
