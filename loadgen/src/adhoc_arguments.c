/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "adhoc_options.h"
#include "adhoc_source.h"
#include "adhoc_words.h"
#include "base/cleanup.h"
#include "base/text.h"

bool load_adhoc_usage(struct base_buf *out)
{
    base_buf_str(out, "usage: squall load URL -r RATE [-c N] [-d SECS] [option...]\n"
                      "       squall load --scenario FILE [option...]\n"
                      "       squall load --merge A.hlog B.hlog... [-o OUT.hlog] [--json]\n"
                      "       squall load URL -r RATE --workers N --redis HOST:PORT [option...]\n"
                      "       squall load --join HOST:PORT --run ID [-q]\n");
    for (size_t i = 0; i < load_option_count; i++) {
        const struct load_option *o = &load_options[i];
        char left[40];
        (void)snprintf(left, sizeof left, "%c%c --%s %s", o->letter ? '-' : ' ',
                       o->letter ? o->letter : ' ', o->name, o->takes ? o->takes : "");
        base_buf_printf(out, "  %-24s %s\n", left, o->help);
    }
    load_words_help(out);
    return base_buf_str(
        out, "exit status: 0 done, 1 a threshold failed or too much went unsent, 2 usage,\n  3 no "
             "evidence (the generator was the limit, nothing succeeded, iterations were left "
             "over),\n  4 interrupted, 5 error\n");
}

/* An option as it stands on the command line. */
struct written {
    const char *arg;
    const char *word; /* behind its dashes */
    size_t len;       /* of the word */
    int dashes;
};

static const struct load_option *option_named(const char *name, size_t len)
{
    for (size_t i = 0; i < load_option_count; i++)
        if (strlen(load_options[i].name) == len && memcmp(load_options[i].name, name, len) == 0)
            return &load_options[i];
    return NULL;
}

static const struct load_option *option_lettered(char letter)
{
    for (size_t i = 0; i < load_option_count; i++)
        if (load_options[i].letter != 0 && load_options[i].letter == letter)
            return &load_options[i];
    return NULL;
}

static const struct load_option *find_option(const struct written *w)
{
    const struct load_option *o =
        w->len == 1 && w->dashes == 1 ? option_lettered(*w->word) : option_named(w->word, w->len);
    const char *ours = load_words_ours(w->word, w->len);
    return o == NULL && ours != NULL ? option_named(ours, strlen(ours)) : o;
}

/* Behind one dash stands a letter, or a whole name, as Go's programs have it. */
static struct written read_written(const char *arg)
{
    int dashes = base_str_starts(arg, "--") ? 2 : 1;
    struct written w = {.arg = arg, .word = arg + dashes, .dashes = dashes};
    w.len = strcspn(w.word, "=");
    if (dashes == 1 && option_named(w.word, w.len) == NULL &&
        load_words_ours(w.word, w.len) == NULL && load_words_refusal(w.word, w.len, dashes) == NULL)
        w.len = 1;
    return w;
}

static bool refuse(const struct written *w, struct base_error *err)
{
    const char *hint = load_words_refusal(w->word, w->len, w->dashes);
    if (hint != NULL)
        return base_fail(err, BASE_INVALID, "option \"%s\" is not squall's: %s", w->arg, hint);
    const char *names[LOAD_OPTIONS_MAX];
    for (size_t i = 0; i < load_option_count; i++)
        names[i] = load_options[i].name;
    BASE_AUTO_FREE char *word = base_str_ndup(w->word, strcspn(w->word, "="));
    const char *nearest = base_str_nearest(word, names, load_option_count);
    if (nearest != NULL)
        return base_fail(err, BASE_INVALID,
                         "option \"%s\" is unknown; did you mean --%s? See squall load --help",
                         w->arg, nearest);
    return base_fail(err, BASE_INVALID, "option \"%s\" is unknown: see squall load --help", w->arg);
}

static bool refuse_value(const struct load_option *o, const struct written *w, const char *value,
                         struct base_error *err)
{
    if (w->len == 1 && w->dashes == 1 && value == w->word + 1)
        return base_fail(err, BASE_INVALID,
                         "option \"%s\" was read as -%c \"%s\", which is not valid: --%s %s: %s",
                         w->arg, o->letter, value, o->name, o->takes, o->help);
    return base_fail(err, BASE_INVALID, "option --%s: \"%s\" is not valid: --%s %s: %s", o->name,
                     value == NULL ? "" : value, o->name, o->takes == NULL ? "" : o->takes,
                     o->help);
}

/* Takes argv[*at] and, where it needs one, the value behind it. Forms: -r 5, -r5, --rate 5,
 * --rate=5, -rate 5, -rate=5; of what takes no value also -insecure=true and =false. */
static bool take_option(struct load_adhoc *a, int argc, const char *const *argv, int *at,
                        struct base_error *err)
{
    const char *arg = argv[*at];
    struct written w = read_written(arg);
    const struct load_option *o = NULL;
    if (load_words_refusal(w.word, w.len, w.dashes) == NULL)
        o = find_option(&w);
    if (o == NULL)
        return refuse(&w, err);
    const char *rest = w.word + w.len;
    const char *value = *rest == '\0' ? NULL : rest + (*rest == '=' && (w.len > 1 || w.dashes > 1));
    if (o->takes == NULL && w.len > 1 && base_str_eq(value, "false"))
        return true;
    if (o->takes == NULL && w.len > 1 && base_str_eq(value, "true"))
        value = NULL;
    if (o->takes == NULL && value != NULL)
        return base_fail(err, BASE_INVALID, "option \"%s\" takes no value", arg);
    if (o->takes != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return base_fail(err, BASE_INVALID, "option \"%s\" needs a value: %s %s", arg, arg,
                             o->takes);
        value = argv[++*at];
    }
    a->given |= UINT64_C(1) << (o - load_options);
    a->wrong = (struct base_error){.code = BASE_OK};
    if (o->set(a, value))
        return true;
    if (a->wrong.code != BASE_OK)
        return base_fail(err, a->wrong.code, "option --%s: %s", o->name, a->wrong.message);
    return refuse_value(o, &w, value, err);
}

static bool take_word(struct load_adhoc *a, const char *word)
{
    a->words = base_reallocarray(a->words, a->word_count + 1, sizeof *a->words);
    a->words[a->word_count++] = base_str_dup(word);
    return true;
}

/* What an option is for. Those that are not here are for sending load. */
enum { TO_SEND = 1, TO_MERGE = 2, TO_JOIN = 4, OF_SCENARIO = 8 };
static const struct {
    const char *name;
    unsigned modes;
} purposes[] = {
    {"merge", TO_MERGE},
    {"out", TO_MERGE},
    {"json", TO_SEND | TO_MERGE | OF_SCENARIO},
    {"help", TO_SEND | TO_MERGE | TO_JOIN | OF_SCENARIO},
    {"quiet", TO_SEND | TO_JOIN | OF_SCENARIO},
    {"run", TO_SEND | TO_JOIN | OF_SCENARIO},
    {"patience", TO_SEND | TO_JOIN | OF_SCENARIO},
    {"join", TO_JOIN},
    {"scenario", OF_SCENARIO},
    {"workers", TO_SEND | OF_SCENARIO},
    {"redis", TO_SEND | OF_SCENARIO},
    {"hlog", TO_SEND | OF_SCENARIO},
    {"hgrm", TO_SEND | OF_SCENARIO},
    {"csv", TO_SEND | OF_SCENARIO},
    {"prometheus", TO_SEND | OF_SCENARIO},
    {"threshold", TO_SEND | OF_SCENARIO},
    {"latency", TO_SEND | OF_SCENARIO},
};

static unsigned modes_of(const struct load_option *o)
{
    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
        if (strcmp(purposes[i].name, o->name) == 0)
            return purposes[i].modes;
    return TO_SEND;
}

/* Options of another purpose would be silently without effect. */
static bool check_purpose(const struct load_adhoc *a, struct base_error *err)
{
    static const struct {
        unsigned bit;
        const char *what;
    } modes[] = {[LOAD_ADHOC_SEND] = {TO_SEND, "without --merge or --join"},
                 [LOAD_ADHOC_MERGE] = {TO_MERGE, "with --merge"},
                 [LOAD_ADHOC_JOIN] = {TO_JOIN, "with --join: the leader's plan says it"},
                 [LOAD_ADHOC_SCENARIO] = {OF_SCENARIO, "with --scenario: that says what is sent"}};
    for (size_t i = 0; i < load_option_count; i++) {
        if ((a->given >> i & 1) != 0 && (modes_of(&load_options[i]) & modes[a->mode].bit) == 0)
            return base_fail(err, BASE_INVALID, "option --%s means nothing %s",
                             load_options[i].name, modes[a->mode].what);
    }
    return true;
}

static bool check_join(const struct load_adhoc *a, struct base_error *err)
{
    if (a->run == NULL)
        return base_fail(err, BASE_INVALID, "--join needs --run ID, which the leader shows");
    return a->word_count == 0 || base_fail(err, BASE_INVALID,
                                           "\"%s\" means nothing with --join: the leader's plan "
                                           "says what is sent",
                                           a->words[0]);
}

static bool check_cluster(const struct load_adhoc *a, struct base_error *err)
{
    if ((a->workers > 0) != (a->redis_host != NULL))
        return base_fail(err, BASE_INVALID, "--workers and --redis need each other");
    if (a->workers == 0 && a->run != NULL)
        return base_fail(err, BASE_INVALID, "--run means nothing without --workers or --join");
    return true;
}

/* What is written last would replace the other. */
static bool check_files(const struct load_adhoc *a, struct base_error *err)
{
    const char *const paths[] = {a->hlog_path, a->hgrm_path, a->csv_path};
    static const char *const names[] = {"hlog", "hgrm", "csv"};
    for (size_t i = 1; i < sizeof paths / sizeof *paths; i++)
        for (size_t k = 0; k < i; k++)
            if (paths[i] != NULL && base_str_eq(paths[i], paths[k]) &&
                !base_str_starts(paths[i], "/dev/"))
                return base_fail(err, BASE_INVALID,
                                 "--%s and --%s name one file, \"%s\": give each its own", names[k],
                                 names[i], paths[i]);
    return true;
}

static bool check_outputs(const struct load_adhoc *a, struct base_error *err)
{
    if (!check_files(a, err))
        return false;
    if (a->json && base_str_eq(a->csv_path, "-"))
        return base_fail(err, BASE_INVALID,
                         "--json and --csv - both want standard output: --csv FILE");
    return check_cluster(a, err);
}

static bool check_scenario(struct load_adhoc *a, struct base_error *err)
{
    if (a->word_count > 0)
        return base_fail(err, BASE_INVALID,
                         "\"%s\" means nothing with --scenario: its target says where to",
                         a->words[0]);
    a->url = base_str_dup(a->scenario_path);
    return check_outputs(a, err);
}

static bool check_words(struct load_adhoc *a, struct base_error *err)
{
    if (a->mode == LOAD_ADHOC_JOIN)
        return check_join(a, err);
    if (a->mode == LOAD_ADHOC_SCENARIO)
        return check_scenario(a, err);
    if (a->mode == LOAD_ADHOC_MERGE)
        return a->word_count > 0 ||
               base_fail(err, BASE_INVALID,
                         "files are needed: squall load --merge A.hlog B.hlog -o OUT.hlog");
    if (a->word_count > 1)
        return base_fail(err, BASE_INVALID, "one URL is expected, \"%s\" is a second", a->words[1]);
    if (a->word_count == 0)
        return base_fail(err, BASE_INVALID, "a URL is needed: squall load http://HOST/ -r RATE");
    if (!load_adhoc_settle(a, err) || !check_outputs(a, err))
        return false;
    a->url = base_str_dup(a->words[0]);
    return true;
}

bool load_adhoc_take(struct load_adhoc *a, int argc, const char *const *argv,
                     struct base_error *err)
{
    for (int i = 1; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1] != '\0';
        if (!(is_option ? take_option(a, argc, argv, &i, err) : take_word(a, argv[i])))
            return false;
    }
    return a->help || (check_purpose(a, err) && check_words(a, err));
}
