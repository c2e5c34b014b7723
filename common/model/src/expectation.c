/* SPDX-License-Identifier: Apache-2.0 */
#include "model/expectation.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum unit { UNIT_DURATION, UNIT_SHARE, UNIT_RATE, UNIT_COUNT };

/* One row for each statistic: its word, its unit. Quantiles are "p" and a number. */
static const struct {
    const char *word;
    enum unit unit;
    const char *meant; /* what is said of a misspelling */
} stats[] = {
    [EXPECT_QUANTILE] = {"p", UNIT_DURATION, ""},
    [EXPECT_MEAN] = {"mean", UNIT_DURATION, "; did you mean mean?"},
    [EXPECT_MAX] = {"max", UNIT_DURATION, "; did you mean max?"},
    [EXPECT_ERRORS] = {"errors", UNIT_SHARE, "; did you mean errors?"},
    [EXPECT_ACHIEVED_RATE] = {"achieved_rate", UNIT_SHARE, "; did you mean achieved_rate?"},
    [EXPECT_RATE] = {"rate", UNIT_RATE, "; did you mean rate?"},
    [EXPECT_COUNT] = {"count", UNIT_COUNT, "; did you mean count?"},
};
static const char *const ops[] = {
    [EXPECT_LT] = "<", [EXPECT_LE] = "<=", [EXPECT_GT] = ">", [EXPECT_GE] = ">="};

enum { WORD_MAX_TEXT = 64 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static size_t spaces(const char *text)
{
    return strspn(text, " \t");
}

/* "99.9", or in parentheses. */
static bool parse_percentile(const char *text, double *out)
{
    char number[32];
    size_t len = strlen(text);
    bool wrapped = len >= 2 && text[0] == '(' && text[len - 1] == ')';
    (void)snprintf(number, sizeof number, "%.*s", (int)(wrapped ? len - 2 : len),
                   text + (wrapped ? 1 : 0));
    return len < sizeof number && number[0] != '-' && strpbrk(number, "eE") == NULL &&
           base_parse_double(number, out);
}

/* The words are letters and '_', a quantile also digits and '.'. "p(99)", "med" and "avg" are what
 * users of k6 write. */
static bool parse_stat(const char *word, struct expectation *out)
{
    double percentile;
    if (word[0] == 'p' && parse_percentile(word + 1, &percentile)) {
        out->stat = EXPECT_QUANTILE;
        out->quantile = percentile / 100;
        return percentile > 0 && percentile < 100;
    }
    if (strcmp(word, "med") == 0) {
        out->stat = EXPECT_QUANTILE;
        out->quantile = 0.5;
        return true;
    }
    if (strcmp(word, "avg") == 0)
        word = stats[EXPECT_MEAN].word;
    for (size_t i = EXPECT_MEAN; i < COUNT_OF(stats); i++) {
        if (strcmp(stats[i].word, word) == 0) {
            out->stat = (enum expect_stat)i;
            return true;
        }
    }
    return false;
}

static bool parse_op(const char *word, enum expect_op *out)
{
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (strcmp(ops[i], word) == 0) {
            *out = (enum expect_op)i;
            return true;
        }
    }
    return false;
}

/* Written as k6 has it, where durations are numbers of milliseconds. */
static bool is_k6(const char *word)
{
    return strncmp(word, "p(", 2) == 0 || strcmp(word, "med") == 0 || strcmp(word, "avg") == 0;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789.") == strlen(text);
}

static bool parse_value(enum unit unit, const char *text, double *out)
{
    struct dur_ns duration;
    uint64_t count;
    switch (unit) {
    case UNIT_DURATION:
        if (!base_parse_duration(text, &duration))
            return false;
        *out = (double)duration.ns;
        return true;
    case UNIT_SHARE:
        return base_parse_percent(text, out);
    case UNIT_RATE:
        return base_parse_rate(text, out);
    case UNIT_COUNT:
        if (!base_parse_u64(text, &count) || count > UINT64_C(1) << 53)
            return false;
        *out = (double)count;
        return true;
    }
    return false;
}

static const char *unit_expected(enum unit unit)
{
    static const char *const words[] = {
        [UNIT_DURATION] = "a duration with its unit such as 250ms (ns, us, ms, s, m, h)",
        [UNIT_SHARE] = "a percentage from 0% to 100% such as 1%",
        [UNIT_RATE] = "a rate such as 500/s",
        [UNIT_COUNT] = "a whole number such as 1000",
    };
    return words[unit];
}

/* What a number without its unit, or with the habits of another tool, was probably meant to be. */
static void unit_hint(const struct expectation *parsed, const char *word, char out[static 80])
{
    double number;
    enum unit unit = stats[parsed->stat].unit;
    bool more_is_better = parsed->op == EXPECT_GT || parsed->op == EXPECT_GE;
    out[0] = '\0';
    if (!base_parse_double(word, &number) || number < 0)
        return;
    if (unit == UNIT_DURATION)
        (void)snprintf(out, 80, "; did you mean %.20sms?", word);
    else if (unit == UNIT_SHARE && number <= 100)
        (void)snprintf(out, 80, "; did you mean %.6g%%?", number <= 1 ? number * 100 : number);
    else if (unit == UNIT_RATE && number > 1)
        (void)snprintf(out, 80, "; did you mean %.20s/s?", word);
    else if (unit == UNIT_RATE && more_is_better) /* what k6's checks are held to */
        (void)snprintf(out, 80, "; for a share of successes write errors < %.6g%%",
                       (1 - number) * 100);
    else if (unit == UNIT_RATE)
        (void)snprintf(out, 80, "; for a share of failures write errors < %.6g%%", number * 100);
}

/* The words of others that have no counterpart under the same name. */
static const char *stat_hint(const char *word)
{
    static const struct {
        const char *word, *hint;
    } habits[] = {
        {"min", "; the fastest request promises nothing: take p50"},
        {"median", "; did you mean p50?"},
        {"average", "; did you mean mean?"},
        {"http_req_failed", "; did you mean errors?"},
        {"http_req_duration", "; write the statistic itself, such as p99 < 250ms"},
        {"http_reqs", "; did you mean count, or rate?"},
        {"checks", "; for a share of successes write errors, such as errors < 5%"},
        {"p100", "; did you mean max?"},
        {"p(100)", "; did you mean max?"},
    };
    const char *names[COUNT_OF(stats)];
    size_t len = strcspn(word, ":{"); /* k6's own form: "http_req_duration{tag:x}: p(95)<500" */
    for (size_t i = 0; i < COUNT_OF(habits); i++)
        if (strlen(habits[i].word) == len && strncmp(habits[i].word, word, len) == 0)
            return habits[i].hint;
    for (size_t i = 0; i < COUNT_OF(stats); i++)
        names[i] = stats[i].word;
    const char *near = base_str_nearest(word, names + EXPECT_MEAN, COUNT_OF(stats) - EXPECT_MEAN);
    for (size_t i = EXPECT_MEAN; near != NULL && i < COUNT_OF(stats); i++)
        if (strcmp(near, stats[i].word) == 0)
            return stats[i].meant;
    return "";
}

static const char *op_hint(const char *op)
{
    return strcmp(op, "=") == 0 || strcmp(op, "==") == 0 || strcmp(op, "!=") == 0
               ? "; what is measured is never exactly a value"
               : "";
}

static bool wrong(struct base_error *err, size_t position, const char *expected, const char *found,
                  const char *hint)
{
    return base_fail(err, BASE_INVALID, "at character %zu: expected %s, found \"%.40s\"%s",
                     position + 1, expected, found, hint);
}

/* A word that is longer than any of ours is none of them; cut, it might be. */
static void copy_word(char out[static WORD_MAX_TEXT], const char *text, size_t len)
{
    bool fits = len < WORD_MAX_TEXT;
    (void)snprintf(out, WORD_MAX_TEXT, "%.*s%s", (int)(fits ? len : 20), text, fits ? "" : "...");
}

static bool parse(const char *text, struct expectation *out, struct base_error *err)
{
    struct expectation parsed = {.quantile = 0};
    char word[WORD_MAX_TEXT + sizeof "ms"];
    size_t stat_at = spaces(text);
    size_t stat_len = strcspn(text + stat_at, " \t<>=");
    size_t op_at = stat_at + stat_len + spaces(text + stat_at + stat_len);
    size_t op_len = strspn(text + op_at, "<>=!");
    size_t value_at = op_at + op_len + spaces(text + op_at + op_len);
    size_t value_len = strlen(text + value_at);
    while (value_len > 0 && strchr(" \t", text[value_at + value_len - 1]) != NULL)
        value_len--;

    copy_word(word, text + stat_at, stat_len);
    if (!parse_stat(word, &parsed))
        return wrong(err, stat_at,
                     "a statistic: a percentile such as p99 or p99.9, mean, max, errors, "
                     "achieved_rate, rate or count",
                     word, stat_hint(word));
    bool k6 = is_k6(word);
    copy_word(word, text + op_at, op_len);
    if (!parse_op(word, &parsed.op))
        return wrong(err, op_at, "one of < <= > >=", op_len > 0 ? word : text + op_at,
                     op_hint(word));
    copy_word(word, text + value_at, value_len);
    enum unit unit = stats[parsed.stat].unit;
    if (k6 && is_number(word))
        (void)snprintf(word + strlen(word), sizeof "ms", "ms");
    if (!parse_value(unit, word, &parsed.value)) {
        char hint[80];
        unit_hint(&parsed, word, hint);
        return wrong(err, value_at, unit_expected(unit), word, hint);
    }
    *out = parsed;
    return true;
}

/* The shortest decimal with which `scale` times the number reads back as the same double. */
static void shortest(double number, double scale, char out[static 32])
{
    for (int digits = 1; digits <= 17; digits++) {
        double back = 0;
        (void)snprintf(out, 32, "%.*g", digits, number * scale);
        /* A unit cannot follow an exponent, so that form does not count as readable. */
        if (strpbrk(out, "eE") == NULL && base_parse_double(out, &back) && back / scale == number)
            return;
    }
    (void)snprintf(out, 32, "%.17f", number * scale);
}

static void format_exact(const struct expectation *expectation, char out[static EXPECT_TEXT])
{
    char number[32];
    char duration[BASE_DUR_TEXT];
    switch (stats[expectation->stat].unit) {
    case UNIT_DURATION:
        base_dur_format((struct dur_ns){(int64_t)expectation->value}, duration);
        (void)snprintf(out, EXPECT_TEXT, "%s", duration);
        return;
    case UNIT_SHARE:
        shortest(expectation->value, 100, number);
        (void)snprintf(out, EXPECT_TEXT, "%s%%", number);
        return;
    case UNIT_RATE:
        shortest(expectation->value, 1, number);
        (void)snprintf(out, EXPECT_TEXT, "%s/s", number);
        return;
    case UNIT_COUNT:
        (void)snprintf(out, EXPECT_TEXT, "%.0f", expectation->value);
        return;
    }
}

void expectation_format(const struct expectation *expectation, char out[static EXPECT_TEXT])
{
    char number[32] = "";
    char value[EXPECT_TEXT];
    if (expectation->stat == EXPECT_QUANTILE)
        shortest(expectation->quantile, 100, number);
    format_exact(expectation, value);
    /* Both numbers are at most some 20 digits long: what would be cut is never there. */
    (void)snprintf(out, EXPECT_TEXT, "%.14s%.20s %s %.24s", stats[expectation->stat].word, number,
                   ops[expectation->op], value);
}

/* A plan keeps the text, so what the text cannot say exactly is not taken. */
bool expectation_parse(const char *text, struct expectation *out, struct base_error *err)
{
    struct expectation parsed = {.quantile = 0};
    struct expectation kept = {.quantile = 0};
    char said[EXPECT_TEXT];
    if (!parse(text, &parsed, err))
        return false;
    expectation_format(&parsed, said);
    if (!parse(said, &kept, NULL) || kept.value != parsed.value || kept.quantile != parsed.quantile)
        return base_fail(err, BASE_INVALID,
                         "\"%.60s\" has a number that is too large, too small or too long to be "
                         "kept exactly",
                         text);
    *out = parsed;
    return true;
}

bool expectation_holds(const struct expectation *expectation, double measured)
{
    switch (expectation->op) {
    case EXPECT_LT:
        return measured < expectation->value;
    case EXPECT_LE:
        return measured <= expectation->value;
    case EXPECT_GT:
        return measured > expectation->value;
    case EXPECT_GE:
        return measured >= expectation->value;
    }
    return false;
}

static void trim_zeros(char *number)
{
    if (strchr(number, '.') == NULL)
        return;
    size_t len = strlen(number);
    while (len > 0 && number[len - 1] == '0')
        len--;
    if (len > 0 && number[len - 1] == '.')
        len--;
    number[len] = '\0';
}

static void format_duration(double ns, char out[static EXPECT_TEXT])
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    char number[40];
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && ns < units[i].ns)
        i++;
    double value = ns / units[i].ns;
    (void)snprintf(number, sizeof number, "%.*f", value < 10 ? 3 : value < 100 ? 2 : 1, value);
    trim_zeros(number);
    (void)snprintf(out, EXPECT_TEXT, "%s%s", number, units[i].name);
}

/* Never rounds something to nothing, nor nearly all to all: "0%" and "100%" are exact. */
static void format_share(double share, char out[static EXPECT_TEXT])
{
    char number[40];
    double percent = share * 100;
    for (int digits = 4; digits <= 12; digits++) {
        (void)snprintf(number, sizeof number, "%.*f", digits, percent);
        trim_zeros(number);
        bool whole = strcmp(number, "0") == 0 || strcmp(number, "100") == 0;
        if (!whole || percent <= 0 || percent >= 100)
            break;
    }
    (void)snprintf(out, EXPECT_TEXT, "%s%%", number);
}

void expectation_format_value(const struct expectation *expectation, double measured,
                              char out[static EXPECT_TEXT])
{
    enum unit unit = stats[expectation->stat].unit;
    if (!isfinite(measured) || fabs(measured) > 1e18) {
        bool never = isinf(measured) && measured > 0 && unit == UNIT_DURATION;
        (void)snprintf(out, EXPECT_TEXT, "%s",
                       isnan(measured) ? "no data"
                       : never         ? "no answer"
                                       : "out of range");
        return;
    }
    switch (unit) {
    case UNIT_DURATION:
        format_duration(measured, out);
        return;
    case UNIT_SHARE:
        format_share(measured, out);
        return;
    case UNIT_RATE:
        (void)snprintf(out, EXPECT_TEXT, "%.6g/s", measured);
        return;
    case UNIT_COUNT:
        (void)snprintf(out, EXPECT_TEXT, "%.0f", measured);
        return;
    }
}
