/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/fault_words.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fields_parts.h"
#include "scenarios/parse.h"

enum { TEXT_MAX = 64 * 1024, KEY_MAX = 64 };
static const char origin[] = "fault";
static const char where[] = "spec.faults[0]"; /* in front of every message about our words */

static void complain(struct scn_problems *problems, const char *word, const char *what)
{
    scn_problems_add(problems, origin, "", (struct scn_mark){0, 0}, "%s: %s", word, what);
}

/* A word becomes one value on one line of its own: it cannot add keys or lines. YAML 1.1 breaks
 * lines at NEL, LS and PS, too. */
static bool one_line(const char *word, struct scn_problems *problems)
{
    static const char *const breaks[] = {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    bool ok = true;
    for (const char *p = word; *p != '\0'; p++)
        ok = ok && (unsigned char)*p >= 0x20 && *p != 0x7f;
    for (size_t i = 0; i < COUNT_OF(breaks); i++)
        ok = ok && strstr(word, breaks[i]) == NULL;
    if (!ok)
        complain(problems, "a word of the command line",
                 "control characters and line breaks are not allowed");
    return ok;
}

static bool add(struct base_buf *text, const char *key, const char *value,
                struct scn_problems *problems)
{
    if (value == NULL)
        return true;
    return one_line(value, problems) && base_buf_printf(text, "   %s: %s\n", key, value);
}

/* "2" and "50%" are short for {count: 2} and {percent: 50%}. */
static bool add_select(struct base_buf *text, const char *select, struct scn_problems *problems)
{
    uint64_t count = 0;
    double share = 0;
    if (select == NULL || !one_line(select, problems))
        return select == NULL;
    if (base_parse_u64(select, &count))
        return base_buf_printf(text, "   select: {count: %s}\n", select);
    if (base_parse_percent(select, &share))
        return base_buf_printf(text, "   select: {percent: %s}\n", select);
    return base_buf_printf(text, "   select: %s\n", select);
}

static bool add_detail(struct base_buf *text, const char *word, struct scn_problems *problems)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strspn(word, letters);
    if (len == 0 || len > KEY_MAX || word[len] != '=' || word[len + 1] == '\0') {
        complain(problems, word,
                 "expected KEY=VALUE, such as errorRate=20%; see squall schema --keys");
        return false;
    }
    return one_line(word, problems) &&
           base_buf_printf(text, "    %.*s: %s\n", (int)len, word, word + len + 1);
}

/* false when no row of the table is called so. */
static bool check_kind(const char *kind, struct scn_problems *problems)
{
    BASE_AUTO_BUF struct base_buf known;
    base_buf_init(&known, 4096);
    for (size_t i = 0; i < scn_fault_shape.count; i++) {
        const struct scn_field *field = &scn_fault_shape.fields[i];
        if (field->refused != NULL && base_str_eq(field->key, kind)) {
            complain(problems, kind, field->refused);
            return false;
        }
        if (field->choice == 0)
            continue;
        if (base_str_eq(field->key, kind))
            return true;
        (void)base_buf_printf(&known, "%s%s", known.len > 0 ? ", " : "", field->key);
    }
    scn_problems_add(problems, origin, "", (struct scn_mark){0, 0},
                     "there is no kind of fault \"%.60s\", expected one of %s", kind, known.data);
    return false;
}

static bool add_kind(struct base_buf *text, const struct scn_fault_words *words,
                     struct scn_problems *problems)
{
    if (!check_kind(words->kind, problems))
        return false;
    if (words->detail_count == 0)
        return base_buf_printf(text, "   %s: {}\n", words->kind);
    (void)base_buf_printf(text, "   %s:\n", words->kind);
    for (size_t i = 0; i < words->detail_count; i++)
        if (!add_detail(text, words->details[i], problems))
            return false;
    return true;
}

/* The scenario that holds this fault and nothing else of interest. */
static bool write_scenario(const struct scn_fault_words *words, struct base_buf *text,
                           struct scn_problems *problems)
{
    if (!one_line(words->service, problems))
        return false;
    return base_buf_printf(text,
                           "apiVersion: squall/v1\nkind: Scenario\nmetadata: {name: by-hand}\n"
                           "spec:\n duration: 24h\n load:\n  service: %s\n  rate: 1/s\n"
                           "  routes: [{name: none, path: /}]\n faults:\n"
                           " - name: by-hand\n   at: 0s\n   service: %s\n",
                           words->service, words->service) &&
           add(text, "for", words->duration, problems) &&
           add(text, "lease", words->lease, problems) &&
           add(text, "maxAffected", words->max_affected, problems) &&
           add(text, "track", words->track, problems) &&
           add(text, "where", words->where, problems) &&
           add_select(text, words->select, problems) && add_kind(text, words, problems);
}

/* Behind "spec.faults[0]." or "spec.faults[0]: ". */
static const char *shorter(const char *message)
{
    const char *rest = message + strlen(where);
    return rest + strspn(rest, ".: ");
}

/* Whoever typed a command knows of no file: the words are named instead of places. The service
 * stands in the load, too: what is wrong with it there is said once, of the fault. */
static void keep_ours(struct scn_problems *found, struct scn_problems *problems)
{
    size_t before = problems->count;
    for (int ours = 1; ours >= 0 && problems->count == before; ours--) {
        for (size_t i = 0; i < found->count; i++) {
            const char *message = found->items[i].message;
            bool mine = base_str_starts(message, where);
            if (mine || ours == 0)
                scn_problems_add(problems, origin, "", (struct scn_mark){0, 0}, "%s",
                                 mine ? shorter(message) : message);
        }
    }
}

bool scn_plan_fault_words(const struct scn_fault_words *words, const struct topo *topo,
                          const struct scn_plan_options *options, struct plan *out,
                          struct scn_problems *problems)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, TEXT_MAX);
    size_t before = problems->count;
    if (!write_scenario(words, &text, problems)) {
        if (problems->count == before)
            complain(problems, "the command line", "too long");
        return false;
    }
    struct scn_scenario scenario = {0};
    struct scn_problems found = {0};
    bool ok = scn_parse(origin, text.data, text.len, &scenario, &found);
    if (ok) {
        ok = scn_plan(&scenario, topo, options, out, &found);
        scn_scenario_fini(&scenario);
    }
    if (!ok)
        keep_ours(&found, problems);
    scn_problems_fini(&found);
    return ok;
}
