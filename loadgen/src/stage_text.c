/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "collector.h"

enum { WORDS_MAX = 7, STEPS_MAX = 1000 };

bool load_number_parse(const char *text, double *out)
{
    size_t len = strlen(text);
    char last = text[len > 0 ? len - 1 : 0];
    double factor = last == 'k' || last == 'K' ? 1e3 : last == 'M' ? 1e6 : 1;
    BASE_AUTO_FREE char *digits = base_str_ndup(text, factor > 1 ? len - 1 : len);
    double number;
    if (!base_parse_double(digits, &number))
        return false;
    *out = number * factor;
    return true;
}

static bool parse_rate(const char *text, double *out)
{
    bool zero = base_str_eq(text, "0/s") || base_str_eq(text, "0/m") || base_str_eq(text, "0/h");
    double rate = 0;
    if (!zero && !load_number_parse(text, &rate) && !base_parse_rate(text, &rate))
        return false;
    *out = rate;
    return rate >= 0 && rate <= LOAD_RATE_MAX;
}

/* "500/s", or "0..500/s", of which the first takes the second's unit unless it has its own. */
static bool parse_rates(char *text, struct load_stage *stage)
{
    char *dots = strstr(text, "..");
    if (dots == NULL) {
        bool good = parse_rate(text, &stage->from);
        stage->to = stage->from;
        return good;
    }
    *dots = '\0';
    const char *to = dots + 2;
    const char *unit = strchr(to, '/');
    bool bare = strchr(text, '/') == NULL;
    BASE_AUTO_FREE char *from = base_str_printf("%s%s", text, bare && unit != NULL ? unit : "");
    return parse_rate(from, &stage->from) && parse_rate(to, &stage->to);
}

static bool parse_count(const char *text, uint64_t most, uint64_t *out)
{
    double number;
    if (!load_number_parse(text, &number) || number < 1 || number > (double)most ||
        number > floor(number))
        return false;
    *out = (uint64_t)number;
    return true;
}

static bool wrong(struct base_error *err, const char *text, const char *expected)
{
    return base_fail(err, BASE_INVALID, "stage \"%.60s\": expected %s", text, expected);
}

static size_t split(char *text, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *save = text;
    for (char *word; count < WORDS_MAX && (word = strsep(&save, " \t")) != NULL;)
        if (*word != '\0')
            words[count++] = word;
    return count;
}

/* Takes the name off the words of a stage that has one: a first word that ends with a colon, as no
 * length does. */
static bool take_name(const char *text, char *words[WORDS_MAX], size_t *count, const char **name,
                      struct base_error *err)
{
    size_t len = *count > 0 ? strlen(words[0]) : 0;
    *name = LOAD_UNNAMED_PHASE;
    if (len == 0 || words[0][len - 1] != ':')
        return true;
    words[0][len - 1] = '\0';
    if (!load_tag_word(words[0]) || strchr(words[0], ':') != NULL)
        return wrong(
            err, text,
            "a name of 1 to 100 letters without '/', ',', ':' and quotes before the colon");
    if (base_str_eq(words[0], LOAD_UNNAMED_PHASE))
        return wrong(err, text,
                     "another name: \"" LOAD_UNNAMED_PHASE "\" are the stages without one");
    *name = words[0];
    for (size_t i = 1; i < *count; i++)
        words[i - 1] = words[i];
    (*count)--;
    return true;
}

/* When stages that follow these begin; what is too long is refused with all options in. */
static struct dur_ns end_of(const struct load_stage *stages, size_t count)
{
    struct dur_ns sum = {0};
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(sum.ns, stages[i].length.ns, &sum.ns))
            return (struct dur_ns){INT64_MAX};
    return sum;
}

bool load_stage_parse(const char *text, struct load_spec *spec, struct base_error *err)
{
    BASE_AUTO_FREE char *copy = base_str_dup(text);
    char *words[WORDS_MAX] = {NULL};
    size_t count = split(copy, words);
    const char *name;
    struct load_stage stage = {.burst = 0};
    struct dur_ns start = end_of(spec->stages, spec->stage_count);
    uint64_t steps = 0;
    if (!take_name(text, words, &count, &name, err))
        return false;
    if (count == 0 || !base_parse_duration(words[0], &stage.length) || stage.length.ns == 0)
        return wrong(err, text,
                     "how long it lasts first, such as 30s, or before it a name and a colon");
    bool burst = count == 4 && base_str_eq(words[2], "every");
    bool stairs = count == 5 && base_str_eq(words[2], "in") && base_str_eq(words[4], "steps");
    if (!burst && !stairs && count != 2)
        return wrong(err, text,
                     "LENGTH RATE, LENGTH RATE..RATE, LENGTH RATE..RATE in N steps or "
                     "LENGTH N every TIME");
    if (burst && (!parse_count(words[1], LOAD_BURST_MAX, &stage.burst) ||
                  !base_parse_duration(words[3], &stage.every) || stage.every.ns == 0))
        return wrong(err, text, "a burst such as 50 every 1s");
    if (!burst && !parse_rates(words[1], &stage))
        return wrong(err, text, "a rate such as 500/s, or two such as 0..500/s");
    if (stairs && (!parse_count(words[3], STEPS_MAX, &steps) || stage.length.ns < (int64_t)steps))
        return wrong(err, text, "1 to 1000 steps");
    load_spec_add_phase(spec, start, name);
    if (stairs)
        load_spec_add_steps(spec, &stage, (uint32_t)steps);
    else
        load_spec_add_stage(spec, &stage);
    return true;
}

static bool parse_users(const char *text, double *out)
{
    return load_number_parse(text, out) && *out >= 0 && *out <= LOAD_USERS_MAX &&
           *out <= floor(*out);
}

bool load_user_stage_parse(const char *text, struct load_spec *spec, struct base_error *err)
{
    BASE_AUTO_FREE char *copy = base_str_dup(text);
    char *words[WORDS_MAX] = {NULL};
    size_t count = split(copy, words);
    const char *name;
    struct load_closed *closed = &spec->closed;
    struct load_stage stage = {.burst = 0};
    if (!take_name(text, words, &count, &name, err))
        return false;
    if (count != 2 || !base_parse_duration(words[0], &stage.length) || stage.length.ns == 0)
        return wrong(err, text, "LENGTH USERS or LENGTH USERS..USERS, such as 10s 0..50");
    char *dots = strstr(words[1], "..");
    if (dots != NULL)
        *dots = '\0';
    if (!parse_users(words[1], &stage.from) ||
        !parse_users(dots != NULL ? dots + 2 : words[1], &stage.to))
        return wrong(err, text, "whole numbers of users");
    load_spec_add_phase(spec, end_of(closed->stages, closed->stage_count), name);
    closed->stages =
        base_reallocarray(closed->stages, closed->stage_count + 1, sizeof *closed->stages);
    closed->stages[closed->stage_count++] = stage;
    return true;
}

/* "1s..3s" */
static bool parse_span(char *text, struct load_closed *closed)
{
    char *dots = strstr(text, "..");
    if (dots == NULL)
        return false;
    *dots = '\0';
    return base_parse_duration(text, &closed->think_a) &&
           base_parse_duration(dots + 2, &closed->think_b) &&
           closed->think_a.ns <= closed->think_b.ns;
}

bool load_think_parse(const char *text, struct load_closed *closed, struct base_error *err)
{
    BASE_AUTO_FREE char *copy = base_str_dup(text);
    char *words[WORDS_MAX] = {NULL};
    size_t count = split(copy, words);
    struct load_closed made = {.think = LOAD_THINK_CONSTANT};
    bool good = count == 1 && base_parse_duration(words[0], &made.think_a);
    for (int i = LOAD_THINK_UNIFORM; count == 2 && i <= LOAD_THINK_LOGNORMAL; i++) {
        if (!base_str_eq(words[0], load_think_name((enum load_think)i)))
            continue;
        made.think = (enum load_think)i;
        good = i == LOAD_THINK_EXPONENTIAL ? base_parse_duration(words[1], &made.think_a)
                                           : parse_span(words[1], &made);
    }
    if (!good || (made.think == LOAD_THINK_LOGNORMAL && made.think_a.ns == 0))
        return base_fail(err, BASE_INVALID,
                         "\"%.60s\": expected a time such as 1s, uniform 1s..3s, exponential 1s or "
                         "lognormal 1s..4s",
                         text);
    closed->think = made.think;
    closed->think_a = made.think_a;
    closed->think_b = made.think_b;
    return true;
}
