/* SPDX-License-Identifier: Apache-2.0 */
/* What a step makes of its response: assertions first, then what is kept of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json_text.h"
#include "model/pointer.h"
#include "passage.h"

static const size_t text_max = (size_t)64 * 1024 * 1024;

/* What assertions and extractions look at; the body's JSON is read when the first of them asks. */
struct reading {
    struct load_message message;
    json_t *json;
    bool tried;
    struct base_error json_error;
    char *why;
};

static bool refuse(struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->why, LOAD_WHY_MAX, format, args);
    va_end(args);
    return false;
}

/* NULL with why. */
static const json_t *json_at(struct reading *r, const char *pointer)
{
    if (!r->tried)
        r->json =
            model_json_parse(r->message.body.at, r->message.body.len, "the body", &r->json_error);
    r->tried = true;
    if (r->json == NULL) {
        (void)refuse(r, "%.*s", LOAD_WHY_MAX - 1, r->json_error.message);
        return NULL;
    }
    const json_t *value = model_pointer_get(r->json, pointer);
    if (value == NULL)
        (void)refuse(r, "the body has nothing at %.120s", pointer);
    return value;
}

static bool contains(struct load_text_span in, const char *text, size_t len)
{
    return len == 0 || memmem(in.at, in.len, text, len) != NULL;
}

static bool matches(struct reading *r, const struct pattern *pattern, struct load_text_span in,
                    const char *what, const char *text)
{
    switch (pattern_find(pattern, in.at, in.len, NULL)) {
    case PATTERN_FOUND:
        return true;
    case PATTERN_GAVE_UP:
        return refuse(r, "the search for %.100s in %.60s was given up: it takes too many steps",
                      text, what);
    case PATTERN_NONE:
        break;
    }
    return refuse(r, "%.60s does not match %.120s", what, text);
}

/* Whether one value passes the test; in which case why is of no interest. */
static bool header_passes(struct reading *r, const struct load_expect_code *code,
                          struct load_text_span value, const struct base_buf *text)
{
    const struct load_expect *expect = code->spec;
    if (expect->matches != NULL)
        return matches(r, code->pattern, value, expect->header, expect->matches);
    if (expect->contains != NULL)
        return contains(value, text->data, text->len) ||
               refuse(r, "header %.60s is \"%.*s\", expected it to contain \"%.60s\"",
                      expect->header, (int)(value.len < 60 ? value.len : 60), value.at, text->data);
    if (expect->equals != NULL)
        return (value.len == text->len && memcmp(value.at, text->data, text->len) == 0) ||
               refuse(r, "header %.60s is \"%.*s\", expected \"%.60s\"", expect->header,
                      (int)(value.len < 60 ? value.len : 60), value.at, text->data);
    return true;
}

static bool expect_header(struct reading *r, const struct load_expect_code *code,
                          const struct base_buf *text)
{
    struct load_text_span value;
    bool any = false;
    for (size_t at = 0; load_message_find(&r->message, &at, code->spec->header, &value);) {
        any = true;
        if (header_passes(r, code, value, text))
            return true;
    }
    return any ? false : refuse(r, "there is no header %.100s", code->spec->header);
}

static bool expect_json(struct reading *r, const struct load_expect_code *code,
                        const struct base_buf *text)
{
    const json_t *value = json_at(r, code->spec->json);
    if (value == NULL || code->spec->equals == NULL)
        return value != NULL;
    char *found = load_json_text(value);
    bool equal = base_str_eq(found, text->data);
    if (!equal)
        (void)refuse(r, "%.60s is \"%.60s\", expected \"%.60s\"", code->spec->json, found,
                     text->data);
    free(found);
    return equal;
}

static bool expect_status(struct reading *r, const struct load_expect_code *code)
{
    return (int64_t)r->message.status == code->spec->status ||
           refuse(r, "status is %u, expected %lld", r->message.status,
                  (long long)code->spec->status);
}

static bool expect_one(struct reading *r, const struct load_expect_code *code,
                       const struct base_buf *text)
{
    switch (code->spec->on) {
    case LOAD_EXPECT_STATUS:
        return expect_status(r, code);
    case LOAD_EXPECT_HEADER:
        return expect_header(r, code, text);
    case LOAD_EXPECT_JSON:
        return expect_json(r, code, text);
    case LOAD_EXPECT_CONTAINS:
        return contains(r->message.body, text->data, text->len) ||
               refuse(r, "the body does not contain \"%.120s\"", text->data);
    case LOAD_EXPECT_MATCHES:
        return matches(r, code->pattern, r->message.body, "the body", code->spec->body_matches);
    }
    return false;
}

static bool judge_one(const struct load_passage *p, struct reading *r,
                      const struct load_expect_code *code)
{
    const struct load_fill_values values = load_passage_values(p, NULL);
    struct base_buf text;
    base_buf_init(&text, text_max);
    bool good = load_fill_write(&code->text, &values, &text, r->why, LOAD_WHY_MAX) &&
                expect_one(r, code, &text);
    base_buf_fini(&text);
    return good;
}

static bool set_value(struct load_passage *p, struct reading *r,
                      const struct load_extract_code *code, const char *text, size_t len)
{
    if (len > 0 && memchr(text, '\0', len) != NULL)
        return refuse(r, "what {{%.60s}} would be has a NUL byte", code->spec->name);
    free(p->values[code->slot]);
    p->values[code->slot] = base_str_ndup(text, len);
    return true;
}

static bool extract_regex(struct load_passage *p, struct reading *r,
                          const struct load_extract_code *code)
{
    struct load_text_span body = r->message.body;
    struct pattern_span found;
    switch (pattern_find(code->pattern, body.at, body.len, &found)) {
    case PATTERN_FOUND:
        return set_value(p, r, code, body.at + found.start, found.len);
    case PATTERN_GAVE_UP:
        return refuse(r, "the search for %.120s was given up: it takes too many steps",
                      code->spec->regex);
    case PATTERN_NONE:
        break;
    }
    return refuse(r, "the body does not match %.120s", code->spec->regex);
}

static bool extract_one(struct load_passage *p, struct reading *r,
                        const struct load_extract_code *code)
{
    const struct load_extract *extract = code->spec;
    struct load_text_span value;
    size_t at = 0;
    if (extract->from == LOAD_EXTRACT_REGEX)
        return extract_regex(p, r, code);
    if (extract->from == LOAD_EXTRACT_HEADER)
        return load_message_find(&r->message, &at, extract->header, &value)
                   ? set_value(p, r, code, value.at, value.len)
                   : refuse(r, "there is no header %.100s", extract->header);
    char *text = NULL;
    if (extract->from == LOAD_EXTRACT_STATUS) {
        text = base_str_printf("%u", r->message.status);
    } else {
        const json_t *json = json_at(r, extract->json);
        text = json == NULL ? NULL : load_json_text(json);
    }
    bool found = text != NULL && set_value(p, r, code, text, strlen(text));
    free(text);
    return found;
}

static void keep_cookies(struct load_passage *p, const struct reading *r)
{
    const char *target = p->errand.request.bytes + load_passage_step(p)->path_at;
    struct load_text_span value;
    char *copy = NULL;
    for (size_t at = 0; load_message_find(&r->message, &at, "Set-Cookie", &value);) {
        if (copy == NULL)
            copy = base_str_ndup(target, strcspn(target, " "));
        load_jar_store(p->jar, &p->program->site, copy, value.at, value.len, base_wall_now());
    }
    free(copy);
}

/* As for a route, unless the step says itself which status is good; a server's refusal stays one,
 * whatever was expected. */
static bool judge_status(const struct load_step_code *step, struct reading *r,
                         enum load_failure *failure)
{
    unsigned status = r->message.status;
    bool good = status < 400 || step->own_status;
    *failure = status < 400   ? LOAD_FAIL_ASSERTION
               : status < 500 ? LOAD_FAIL_HTTP_4XX
               : status < 600 ? LOAD_FAIL_HTTP_5XX
                              : LOAD_FAIL_STATUS;
    for (size_t i = 0; good && i < step->spec->expect_count; i++)
        if (step->expect[i].spec->on == LOAD_EXPECT_STATUS)
            good = expect_status(r, &step->expect[i]);
    if (!good && !step->own_status)
        (void)refuse(r, "status is %u", status);
    return good;
}

static bool judge_reading(struct load_passage *p, struct reading *r, enum load_failure *failure)
{
    const struct load_step_code *step = load_passage_step(p);
    if (!judge_status(step, r, failure))
        return false;
    *failure = LOAD_FAIL_ASSERTION;
    for (size_t i = 0; i < step->spec->expect_count; i++)
        if (!judge_one(p, r, &step->expect[i]))
            return false;
    *failure = LOAD_FAIL_EXTRACTION;
    for (size_t i = 0; i < step->spec->extract_count; i++)
        if (!extract_one(p, r, &step->extract[i]))
            return false;
    return true;
}

bool load_passage_judge(struct load_passage *p, enum load_failure *failure,
                        char why[static LOAD_WHY_MAX])
{
    struct reading r = {.why = why};
    struct base_buf *bytes = &p->errand.capture.bytes;
    if (p->errand.capture.too_large) {
        *failure = LOAD_FAIL_TOO_LARGE;
        return refuse(&r, "the response is larger than the %d bytes that a step can look at",
                      LOAD_CAPTURE_MAX);
    }
    if (!load_message_read(bytes->data, bytes->len, &r.message)) {
        *failure = LOAD_FAIL_PROTOCOL; /* the parser has let it pass: a bug, and not to be hidden */
        return refuse(&r, "the response has no head");
    }
    keep_cookies(p, &r);
    bool good = judge_reading(p, &r, failure);
    json_decref(r.json);
    return good;
}
