/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each type of single value: its form, how it is read, how it is spoken of. */
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "fields.h"
#include "model/expectation.h"

#define NUMBER "[0-9]+(\\.[0-9]+)?"

const char scn_header_name_pattern[] = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"; /* token of RFC 9110 */

static bool read_text(const char *text, const struct scn_field *field, void *out,
                      struct base_error *err)
{
    (void)field;
    (void)err;
    free(*(char **)out); /* two kinds of SLO in one: the second overwrites the first */
    *(char **)out = base_str_dup(text);
    return true;
}

static bool read_integer(const char *text, const struct scn_field *field, void *out,
                         struct base_error *err)
{
    (void)field;
    return base_parse_i64(text, out) || base_fail(err, BASE_INVALID, " (the number is too large)");
}

static bool read_duration(const char *text, const struct scn_field *field, void *out,
                          struct base_error *err)
{
    (void)field;
    return base_parse_duration(text, out) ||
           base_fail(err, BASE_INVALID, " (the duration is too long)");
}

static bool read_rate(const char *text, const struct scn_field *field, void *out,
                      struct base_error *err)
{
    (void)field;
    return base_parse_rate(text, out) || base_fail(err, BASE_INVALID, " (a rate is more than 0)");
}

static bool read_boolean(const char *text, const struct scn_field *field, void *out,
                         struct base_error *err)
{
    (void)field;
    (void)err;
    *(bool *)out = text[0] == 't' || text[0] == 'T';
    return true;
}

static bool read_rate_or_none(const char *text, double *out)
{
    bool none = strspn(text, "0.") == strcspn(text, "/");
    if (none)
        *out = 0;
    return none || base_parse_rate(text, out);
}

static bool read_rate0(const char *text, const struct scn_field *field, void *out,
                       struct base_error *err)
{
    (void)field;
    return read_rate_or_none(text, out) || base_fail(err, BASE_INVALID, " (it is too large)");
}

static bool read_percent(const char *text, const struct scn_field *field, void *out,
                         struct base_error *err)
{
    (void)field;
    return base_parse_percent(text, out) ||
           base_fail(err, BASE_INVALID, " (a percentage is 0%% to 100%%)");
}

static bool read_bytes(const char *text, const struct scn_field *field, void *out,
                       struct base_error *err)
{
    (void)field;
    return base_parse_bytes(text, out) ||
           base_fail(err, BASE_INVALID, " (no whole number of bytes, or too large)");
}

static bool read_condition(const char *text, const struct scn_field *field, void *out,
                           struct base_error *err)
{
    (void)field;
    return expectation_parse(text, out, err);
}

static bool read_word(const char *text, const struct scn_field *field, void *out,
                      struct base_error *err)
{
    const char *names[32];
    size_t count = 0;
    for (; count < field->words->count && count < 32; count++) {
        names[count] = field->words->words[count].name;
        if (strcmp(names[count], text) == 0) {
            *(int *)out = field->words->words[count].value;
            return true;
        }
    }
    const char *near = count > 1 ? base_str_nearest(text, names, count) : NULL;
    if (near != NULL)
        return base_fail(err, BASE_INVALID, " (did you mean \"%s\"?)", near);
    return base_fail(err, BASE_INVALID, "%s", "");
}

static bool read_port(const char *text, const struct scn_field *field, void *out,
                      struct base_error *err)
{
    uint64_t port;
    if (!base_parse_u64(text, &port) || port > UINT16_MAX)
        return base_fail(err, BASE_INVALID, " (a port is 1 to 65535)");
    return read_text(text, field, out, err);
}

static bool number_of_bandwidth(const char *text, double *out)
{
    static const struct {
        const char *unit;
        double bits;
    } units[] = {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!base_str_ends(text, units[i].unit))
            continue;
        char *number = base_str_ndup(text, strlen(text) - strlen(units[i].unit));
        bool ok = base_parse_double(number, out);
        free(number);
        *out *= ok ? units[i].bits : 1.0;
        return ok;
    }
    return false;
}

static bool read_bandwidth(const char *text, const struct scn_field *field, void *out,
                           struct base_error *err)
{
    (void)field;
    double bits;
    if (!number_of_bandwidth(text, &bits))
        return base_fail(err, BASE_INVALID, "%s", "");
    *(double *)out = bits;
    return true;
}

static bool number_of_integer(const char *text, double *out)
{
    int64_t value;
    if (!base_parse_i64(text, &value))
        return false;
    *out = (double)value;
    return true;
}

static bool number_of_duration(const char *text, double *out)
{
    struct dur_ns value;
    if (!base_parse_duration(text, &value))
        return false;
    *out = (double)value.ns;
    return true;
}

static bool number_of_bytes(const char *text, double *out)
{
    uint64_t value;
    if (!base_parse_bytes(text, &value))
        return false;
    *out = (double)value;
    return true;
}

enum { LINE_MAX_LEN = 4096, NAME_MAX_LEN = 63, BODY_MAX_LEN = 65536, LABEL_MAX_LEN = 253 };

static const struct scn_scalar scalars[] = {
    [SCN_TEXT] = {.what = "text",
                  .example = "\"some text\"",
                  .text = true,
                  .max_len = BODY_MAX_LEN,
                  .read = read_text},
    [SCN_NAME] = {.what = "a name of lower-case letters, digits and '-'",
                  .example = "users-1",
                  .pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
                  .text = true,
                  .max_len = NAME_MAX_LEN,
                  .read = read_text},
    [SCN_PATH] = {.what = "a path that starts with '/', without spaces",
                  .example = "/api/users?limit=10",
                  .pattern = "^/[!-~]*$",
                  .text = true,
                  .max_len = LINE_MAX_LEN,
                  .read = read_text},
    [SCN_METHOD] = {.what = "an HTTP method in capital letters",
                    .example = "GET",
                    .pattern = "^[A-Z]+$",
                    .text = true,
                    .max_len = NAME_MAX_LEN,
                    .read = read_text},
    [SCN_URL] = {.what = "an http:// or https:// URL",
                 .example = "http://127.0.0.1:9090",
                 .pattern = "^https?://[!-~]+$",
                 .text = true,
                 .max_len = LINE_MAX_LEN,
                 .read = read_text},
    [SCN_ORIGIN] = {.what = "an origin http://HOST or http://HOST:PORT, or with https, redis, "
                            "rediss, tcp, tls, postgres, amqp or amqps",
                    .example = "http://127.0.0.1:8080",
                    .pattern = "^(https?|rediss?|tcp|tls|postgres|postgresql|amqps?)://"
                               "([0-9A-Za-z.-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]+)?/?$",
                    .secretive = "@",
                    .instead = "a user in it, who belongs into spec.load.login",
                    .text = true,
                    .max_len = LINE_MAX_LEN,
                    .read = read_text},
    [SCN_SELECTOR] = {.what = "a PromQL selector without a range",
                      .example = "http_requests_total{job=\"users\"}",
                      .pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]*"
                                 "(\\{([^\"{}]|\"([^\"\\\\]|\\\\.)*\")*\\})?$",
                      .text = true,
                      .max_len = LINE_MAX_LEN,
                      .read = read_text},
    [SCN_HEADER] = {.what = "the value of a header, in printable ASCII",
                    .example = "application/json",
                    .pattern = "^[ -~]*$",
                    .text = true,
                    .max_len = LINE_MAX_LEN,
                    .read = read_text},
    [SCN_INTEGER] = {.what = "a whole number",
                     .example = "10",
                     .pattern = "^-?(0|[1-9][0-9]*)$",
                     .max_len = 20,
                     .read = read_integer,
                     .number = number_of_integer},
    [SCN_DURATION] = {.what = "a duration with its unit",
                      .example = "250ms",
                      .units = "ns, us, ms, s, m, h",
                      .pattern = "^" NUMBER "(ns|us|ms|s|m|h)$",
                      .max_len = 40,
                      .read = read_duration,
                      .number = number_of_duration},
    [SCN_RATE] = {.what = "a rate with its unit",
                  .example = "500/s",
                  .units = "/s, /m, /h",
                  .pattern = "^" NUMBER "/(s|m|h)$",
                  .max_len = 40,
                  .read = read_rate,
                  .number = base_parse_rate},
    [SCN_PERCENT] = {.what = "a percentage",
                     .example = "50%",
                     .units = "%",
                     .pattern = "^" NUMBER "%$",
                     .max_len = 40,
                     .read = read_percent,
                     .number = base_parse_percent},
    [SCN_CONDITION] = {.what = "a condition of statistic, comparison and value",
                       .example = "\"p99 < 250ms\"",
                       .max_len = 120,
                       .read = read_condition},
    [SCN_BYTES] = {.what = "a size with its unit",
                   .example = "64MiB",
                   .units = "B, kB, MB, GB, KiB, MiB, GiB",
                   .pattern = "^" NUMBER "(B|kB|MB|GB|KiB|MiB|GiB)$",
                   .max_len = 20,
                   .read = read_bytes,
                   .number = number_of_bytes},
    [SCN_PEER] = {.what = "a service, an instance or ADDRESS:PORT",
                  .example = "postgres",
                  .pattern = "^[0-9A-Za-z[][]0-9A-Za-z.:-]*$",
                  .text = true,
                  .max_len = NAME_MAX_LEN,
                  .read = read_text},
    [SCN_PORT] = {.what = "a port",
                  .example = "5432",
                  .pattern = "^[1-9][0-9]{0,4}$",
                  .text = true,
                  .max_len = 5,
                  .read = read_port},
    [SCN_BANDWIDTH] = {.what = "a bandwidth with its unit",
                       .example = "10mbit",
                       .units = "kbit, mbit, gbit",
                       .pattern = "^" NUMBER "(kbit|mbit|gbit)$",
                       .max_len = 40,
                       .read = read_bandwidth,
                       .number = number_of_bandwidth},
    [SCN_RATE_OR_NONE] = {.what = "a rate with its unit",
                          .example = "500/s",
                          .units = "/s, /m, /h",
                          .pattern = "^" NUMBER "/(s|m|h)$",
                          .max_len = 40,
                          .read = read_rate0,
                          .number = read_rate_or_none},
    [SCN_BOOLEAN] = {.what = "true or false, without quotes",
                     .example = "true",
                     .pattern = "^(true|True|TRUE|false|False|FALSE)$",
                     .max_len = 5,
                     .read = read_boolean},
    [SCN_TARGET] = {.what = "a path that starts with '/' (or {{name}}), without spaces",
                    .example = "/api/users/{{id}}",
                    .pattern = "^(/|\\{\\{)[!-~]*$",
                    .text = true,
                    .max_len = LINE_MAX_LEN,
                    .read = read_text},
    [SCN_ROUTE] = {.what = "a route, or a flow's step as FLOW.STEP",
                   .example = "list-users",
                   .pattern = "^[a-z0-9-]+(\\.[a-z0-9-]+)?$",
                   .text = true,
                   .max_len = 2 * NAME_MAX_LEN + 1,
                   .read = read_text},
    [SCN_VARIABLE] = {.what = "the name of a variable of the environment, in capital letters,",
                      .example = "APP_PASSWORD",
                      .pattern = "^[A-Z_][A-Z0-9_]*$",
                      .secretive = "",
                      .instead = "something else, which is not shown since it may be the password",
                      .text = true,
                      .max_len = NAME_MAX_LEN,
                      .read = read_text},
    [SCN_PLACE] = {.what = "a name of letters, digits, '.', '_' and '-'",
                   .example = "eu-1a",
                   .pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
                   .text = true,
                   .max_len = LABEL_MAX_LEN,
                   .read = read_text},
    [SCN_LABEL] = {.what = "a label as KEY=VALUE",
                   .example = "tier=front",
                   .pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]*=[A-Za-z0-9._-]*$",
                   .text = true,
                   .max_len = LABEL_MAX_LEN,
                   .read = read_text},
    [SCN_PEERS] = {.what = "a service, an instance, ADDRESS:PORT or a block of addresses",
                   .example = "10.1.0.0/16",
                   .pattern = "^[0-9A-Za-z:[][]0-9A-Za-z.:/-]*$",
                   .text = true,
                   .max_len = NAME_MAX_LEN,
                   .read = read_text},
    [SCN_WORD] = {.what = "one of", .max_len = NAME_MAX_LEN, .read = read_word},
};

const struct scn_scalar *scn_scalar_of(enum scn_type type)
{
    static const struct scn_scalar none = {.what = "a value", .example = "text"};
    return type < SCN_SCALARS ? &scalars[type] : &none;
}

/* Compiling takes ten times as long as all else that is done to a file: each is compiled once. They
 * are the few of this program, and live as long. */
struct pattern_known {
    const char *pattern;
    regex_t compiled;
    struct pattern_known *next;
};

static const regex_t *compiled(const char *pattern)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct pattern_known *first;
    (void)pthread_mutex_lock(&lock);
    struct pattern_known *one = first;
    while (one != NULL && one->pattern != pattern)
        one = one->next;
    if (one == NULL) {
        one = base_calloc(1, sizeof *one);
        one->pattern = pattern;
        if (regcomp(&one->compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
            abort(); /* a pattern of ours that is none */
        one->next = first;
        first = one;
    }
    (void)pthread_mutex_unlock(&lock);
    return &one->compiled;
}

bool scn_matches(const char *pattern, const char *text)
{
    return pattern == NULL || regexec(compiled(pattern), text, 0, NULL, 0) == 0;
}

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], text) == 0)
            return true;
    }
    return false;
}

enum scn_meaning scn_meaning_of(const char *text)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    static const char number[] = "^([-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?|"
                                 "0x[0-9a-fA-F]+|0o[0-7]+|[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN))$";
    if (is_one_of(text, nothing, 5))
        return SCN_MEANS_NOTHING;
    if (is_one_of(text, booleans, 6))
        return SCN_MEANS_BOOLEAN;
    if (strlen(text) <= 64 && scn_matches(number, text))
        return SCN_MEANS_NUMBER;
    return SCN_MEANS_TEXT;
}

/* "one of one, all, or a mapping with count or percent" */
static char *expected_word(const struct scn_field *field)
{
    struct base_buf out;
    base_buf_init(&out, 1024);
    base_buf_str(&out, field->words->count > 1 ? "one of " : "");
    for (size_t i = 0; i < field->words->count; i++)
        base_buf_printf(&out, "%s%s", i > 0 ? ", " : "", field->words->words[i].name);
    for (size_t i = 0; field->shape != NULL && i < field->shape->count; i++)
        base_buf_printf(&out, "%s%s", i > 0 ? " or " : ", or a mapping with ",
                        field->shape->fields[i].key);
    char *text = base_buf_steal(&out);
    return text != NULL ? text : base_str_dup("another word");
}

static char *expected_scalar(const struct scn_field *field)
{
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    const char *example = field->example != NULL ? field->example : scalar->example;
    if (scalar->units == NULL || strcmp(scalar->units, "%") == 0)
        return base_str_printf("%s such as %s", scalar->what, example);
    return base_str_printf("%s such as %s (%s)", scalar->what, example, scalar->units);
}

char *scn_expected(const struct scn_field *field)
{
    if (field->type == SCN_WORD || field->type == SCN_WORD_OR_OBJECT)
        return expected_word(field);
    if (field->type < SCN_SCALARS)
        return expected_scalar(field);
    if (field->type == SCN_TEXTS)
        return base_str_printf("a list, each %s", scn_scalar_of(field->item)->what);
    return base_str_dup(field->type == SCN_OBJECTS ? "a list" : "a mapping");
}

char *scn_range(const struct scn_field *field)
{
    if (field->min == NULL && field->max == NULL)
        return NULL;
    if (field->max == NULL)
        return base_str_printf("%s %s", field->open ? "more than" : "at least", field->min);
    if (field->open)
        return base_str_printf("more than %s and less than %s", field->min, field->max);
    return base_str_printf("%s to %s", field->min, field->max);
}

bool scn_in_range(const struct scn_field *field, const char *text)
{
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    double value;
    double limit;
    if (scalar->number == NULL || !scalar->number(text, &value))
        return true;
    if (field->min != NULL && scalar->number(field->min, &limit) &&
        (value < limit || (field->open && value <= limit)))
        return false;
    return field->max == NULL || !scalar->number(field->max, &limit) ||
           (value <= limit && !(field->open && value >= limit));
}
