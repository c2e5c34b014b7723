/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold between the parts of flows: names that exist, patterns and pointers that are some.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/load.h"
#include "model/pattern.h"
#include "model/pointer.h"
#include "model/template.h"
#include "shapes.h"

enum { WHERE_MAX = 160, KEY_MAX = 64, PLACE_MAX = WHERE_MAX + KEY_MAX, WHAT_MAX = 512 };

/* A variable that some step has extracted. */
struct known {
    const char *name;
    bool used;
    char where[PLACE_MAX];
};

struct checker {
    const struct load_spec *spec;
    load_flow_say_fn *say;
    void *ctx;
    char step[WHERE_MAX]; /* "flows[0].steps[2]" */
    const char *owner;    /* "steps", "setup" or "teardown" */
    bool expecting;       /* the text is compared with, not sent */
    struct known *known;
    size_t known_count;
    bool *fed; /* one a feeder: somebody draws from it */
};

__attribute__((format(printf, 4, 5))) static void
complain(struct checker *c, bool warning, const char *where, const char *format, ...)
{
    char what[WHAT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    c->say(c->ctx, warning, where, what);
}

/* At a key of the step under check. */
__attribute__((format(printf, 3, 4))) static void at(const struct checker *c, char *where,
                                                     const char *format, ...)
{
    char key[KEY_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof key, format, args);
    va_end(args);
    (void)snprintf(where, PLACE_MAX, "%s.%s", c->step, key);
}

/* --- names in templates --- */

static void check_feeder_field(struct checker *c, const char *where, const char *name)
{
    size_t len = strcspn(name, ".");
    const char **names = base_calloc(c->spec->feeder_count, sizeof *names);
    bool found = false;
    for (size_t i = 0; i < c->spec->feeder_count; i++) {
        names[i] = c->spec->feeders[i].name;
        if (strlen(names[i]) != len || strncmp(names[i], name, len) != 0)
            continue;
        found = true;
        c->fed[i] = true;
    }
    BASE_AUTO_FREE char *feeder = base_str_ndup(name, len);
    const char *near = base_str_nearest(feeder, names, c->spec->feeder_count);
    if (!found && near != NULL)
        complain(c, false, where, "{{%s}}: no feeder \"%s\", did you mean \"%s\"?", name, feeder,
                 near);
    else if (!found)
        complain(c, false, where, "{{%s}}: no feeder \"%s\"", name, feeder);
    else if (!base_str_eq(c->owner, "steps"))
        complain(c, false, where,
                 "{{%s}}: a row is drawn for each passage of the flow, and %s runs once", name,
                 c->owner);
    free(names);
}

static void check_variable(struct checker *c, const char *where, const char *name)
{
    const char **names = base_calloc(c->known_count + 1, sizeof *names);
    bool found = false;
    for (size_t i = 0; i < c->known_count; i++) {
        names[i] = c->known[i].name;
        if (!base_str_eq(names[i], name))
            continue;
        found = true;
        c->known[i].used = true;
    }
    const char *near = base_str_nearest(name, names, c->known_count);
    if (!found && near != NULL)
        complain(c, false, where, "no variable \"%s\" here, did you mean \"%s\"?", name, near);
    else if (!found)
        complain(c, false, where,
                 "no variable \"%s\" here, expected seq, rand, a feeder's column, or what an "
                 "earlier step extracts",
                 name);
    free(names);
}

static void check_field(struct checker *c, const char *where, const char *name)
{
    if (base_str_eq(name, "rand")) {
        if (c->expecting)
            complain(c, false, where, "{{rand}} is another number each time, and equal to none");
        return;
    }
    if (base_str_eq(name, "seq")) {
        if (!base_str_eq(c->owner, "steps"))
            complain(c, false, where, "{{seq}} is the number of a passage, and %s runs once",
                     c->owner);
        return;
    }
    if (strchr(name, '.') != NULL)
        check_feeder_field(c, where, name);
    else
        check_variable(c, where, name);
}

static void check_template(struct checker *c, const char *where, const char *text)
{
    struct template template;
    struct base_error err;
    if (text == NULL)
        return;
    if (!template_parse(text, &template, &err)) {
        complain(c, false, where, "%s", err.message);
        return;
    }
    for (size_t i = 0; i < template.count; i++)
        if (template.parts[i].field)
            check_field(c, where, template.parts[i].text);
    template_fini(&template);
}

/* --- the rest of a step --- */

static void check_pattern(struct checker *c, const char *where, const char *text)
{
    struct base_error err;
    struct pattern *pattern = text == NULL ? NULL : pattern_new(text, &err);
    if (text != NULL && pattern == NULL)
        complain(c, false, where, "%s", err.message);
    pattern_free(pattern);
}

static void check_pointer(struct checker *c, const char *where, const char *text)
{
    struct base_error err;
    if (text != NULL && !model_pointer_check(text, &err))
        complain(c, false, where, "%s", err.message);
}

/* RFC 9110 section 5.6.2. */
static bool is_header_name(const char *name, size_t len)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789!#$%&'*+-.^_`|~";
    return len > 0 && strspn(name, token) >= len;
}

static void check_header_name(struct checker *c, const char *where, const char *name)
{
    if (name != NULL && !is_header_name(name, strlen(name)))
        complain(c, false, where, "\"%.60s\" is no header's name", name);
}

static void check_request(struct checker *c, const struct load_step *step)
{
    char where[PLACE_MAX];
    at(c, where, "path");
    if (step->path[0] != '/' && !base_str_starts(step->path, "{{"))
        complain(c, false, where, "\"%.60s\" does not start with '/'", step->path);
    check_template(c, where, step->path);
    for (size_t i = 0; i < step->header_count; i++) {
        const char *line = step->headers[i];
        size_t len = strcspn(line, ":");
        BASE_AUTO_FREE char *name = base_str_ndup(line, len);
        at(c, where, "headers.%.40s", name);
        if (line[len] == '\0' || !is_header_name(line, len))
            complain(c, false, where, "\"%.60s\" is not of the form \"Name: value\"", line);
        else
            check_template(c, where, line + len);
    }
    at(c, where, "body");
    check_template(c, where, step->body);
}

static void check_expect(struct checker *c, const struct load_expect *expect, size_t i)
{
    char where[PLACE_MAX];
    int tests = (expect->equals != NULL) + (expect->contains != NULL) + (expect->matches != NULL);
    bool header = expect->on == LOAD_EXPECT_HEADER;
    at(c, where, "expect[%zu]", i);
    if (tests > 1)
        complain(c, false, where, "expected at most one of equals, contains and matches");
    else if (tests == 1 && !header && (expect->on != LOAD_EXPECT_JSON || expect->equals == NULL))
        complain(c, false, where,
                 "\"%s\" makes no sense here, expected it with header (or equals with json)",
                 expect->equals != NULL     ? "equals"
                 : expect->contains != NULL ? "contains"
                                            : "matches");
    at(c, where, "expect[%zu].header", i);
    check_header_name(c, where, expect->header);
    at(c, where, "expect[%zu].json", i);
    check_pointer(c, where, expect->json);
    at(c, where, "expect[%zu].bodyContains", i);
    check_template(c, where, expect->body_contains);
    at(c, where, "expect[%zu].bodyMatches", i);
    check_pattern(c, where, expect->body_matches);
    at(c, where, "expect[%zu].equals", i);
    check_template(c, where, expect->equals);
    at(c, where, "expect[%zu].contains", i);
    check_template(c, where, expect->contains);
    at(c, where, "expect[%zu].matches", i);
    check_pattern(c, where, expect->matches);
}

/* No dot, which is for feeders, and none of our own words. */
static bool is_variable_name(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char later[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    return strspn(name, first) > 0 && strspn(name, later) == strlen(name) &&
           !base_str_eq(name, "seq") && !base_str_eq(name, "rand");
}

static void learn(struct checker *c, const char *name, const char *where)
{
    c->known = base_reallocarray(c->known, c->known_count + 1, sizeof *c->known);
    struct known *known = &c->known[c->known_count++];
    *known = (struct known){.name = name};
    (void)snprintf(known->where, sizeof known->where, "%s", where);
}

static void check_extract(struct checker *c, const struct load_extract *extract, size_t i)
{
    char where[PLACE_MAX];
    at(c, where, "extract[%zu].json", i);
    check_pointer(c, where, extract->json);
    at(c, where, "extract[%zu].header", i);
    check_header_name(c, where, extract->header);
    at(c, where, "extract[%zu].regex", i);
    check_pattern(c, where, extract->regex);
    at(c, where, "extract[%zu].name", i);
    if (!is_variable_name(extract->name))
        complain(c, false, where,
                 "\"%.60s\" cannot be a variable, expected letters, digits, '_' and '-' behind a "
                 "letter, and neither seq nor rand",
                 extract->name);
    else
        learn(c, extract->name, where);
}

/* --- the whole --- */

static void check_steps(struct checker *c, size_t flow, const char *owner,
                        const struct load_step *steps, size_t count)
{
    char where[PLACE_MAX];
    c->owner = owner;
    for (size_t i = 0; i < count; i++) {
        const struct load_step *step = &steps[i];
        (void)snprintf(c->step, sizeof c->step, "flows[%zu].%s[%zu]", flow, owner, i);
        at(c, where, "name");
        for (size_t k = 0; k < i; k++)
            if (base_str_eq(steps[k].name, step->name))
                complain(c, false, where, "\"%s\" is taken", step->name);
        check_request(c, step);
        c->expecting = true;
        for (size_t k = 0; k < step->expect_count; k++)
            check_expect(c, &step->expect[k], k);
        c->expecting = false;
        for (size_t k = 0; k < step->extract_count; k++)
            check_extract(c, &step->extract[k], k);
    }
}

static void check_used(struct checker *c, size_t from)
{
    for (size_t i = from; i < c->known_count; i++)
        if (!c->known[i].used)
            complain(c, true, c->known[i].where, "\"%s\" is never used", c->known[i].name);
}

/* What setup extracts is known to both of the others, what each of those does to itself only. */
static void check_flow(struct checker *c, size_t i)
{
    const struct load_flow *flow = &c->spec->flows[i];
    c->known_count = 0;
    check_steps(c, i, "setup", flow->setup, flow->setup_count);
    size_t shared = c->known_count;
    check_steps(c, i, "steps", flow->steps, flow->step_count);
    check_used(c, shared);
    c->known_count = shared;
    check_steps(c, i, "teardown", flow->teardown, flow->teardown_count);
    check_used(c, 0);
}

static void check_names(struct checker *c)
{
    const struct load_spec *spec = c->spec;
    char where[PLACE_MAX];
    for (size_t i = 0; i < spec->flow_count; i++)
        for (size_t k = 0; k < i; k++)
            if (base_str_eq(spec->flows[i].name, spec->flows[k].name)) {
                (void)snprintf(where, sizeof where, "flows[%zu].name", i);
                complain(c, false, where, "\"%s\" is taken", spec->flows[i].name);
            }
    for (size_t i = 0; i < spec->feeder_count; i++)
        for (size_t k = 0; k < i; k++)
            if (base_str_eq(spec->feeders[i].name, spec->feeders[k].name)) {
                (void)snprintf(where, sizeof where, "feeders[%zu].name", i);
                complain(c, false, where, "\"%s\" is taken", spec->feeders[i].name);
            }
}

void load_flows_check(const struct load_spec *spec, load_flow_say_fn *say, void *ctx)
{
    struct checker c = {.spec = spec, .say = say, .ctx = ctx};
    c.fed = base_calloc(spec->feeder_count, sizeof *c.fed);
    check_names(&c);
    for (size_t i = 0; i < spec->flow_count; i++)
        check_flow(&c, i);
    for (size_t i = 0; i < spec->feeder_count; i++) {
        char where[PLACE_MAX];
        (void)snprintf(where, sizeof where, "feeders[%zu].name", i);
        if (!c.fed[i])
            complain(&c, true, where, "nobody draws from \"%s\"", spec->feeders[i].name);
    }
    free(c.known);
    free(c.fed);
}

/* --- for the decoder: the first mistake, as an error --- */

void load_flow_first(void *ctx, bool warning, const char *where, const char *what)
{
    struct load_flow_first *first = ctx;
    bool inside = first->inside != NULL;
    if (warning || first->failed)
        return;
    first->failed = true;
    (void)base_fail(first->err, BASE_INVALID, "%s%s%s: %s", inside ? first->inside : "",
                    inside ? "." : "", where, what);
}

bool model_flows_good(const struct load_spec *spec, const char *where, struct base_error *err)
{
    struct load_flow_first first = {.inside = where, .err = err};
    load_flows_check(spec, load_flow_first, &first);
    return !first.failed;
}
