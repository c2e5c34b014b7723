/* SPDX-License-Identifier: Apache-2.0 */
/* Entries for tests of the journal, and a folder for one. */
#ifndef TEST_CHAOS_JOURNAL_ENTRIES_H
#define TEST_CHAOS_JOURNAL_ENTRIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "journal.h"

enum { ENTRIES_MAX = 2 * AGENT_JOURNAL_TOGETHER + 3 };

static inline struct fault_spec spec_of(const char *id)
{
    static char run[] = "run-1";
    static char name[] = "cut";
    static char service[] = "users";
    static char target[] = "users-1";
    static char peer[] = "postgres";
    static char *targets[] = {target};
    static char *peers[] = {peer};
    struct fault_spec spec = {
        .run = run,
        .name = name,
        .kind = FAULT_PARTITION,
        .duration = {10},
        .lease = {5},
        .max_affected = 0.5,
        .service = service,
        .targets = targets,
        .target_count = 1,
    };
    spec.id = base_str_dup(id);
    spec.partition.peers = peers;
    spec.partition.peer_count = 1;
    return spec;
}

static inline struct fault_record record_of(const struct fault_spec *spec, enum fault_state state)
{
    return (struct fault_record){.id = spec->id,
                                 .run = spec->run,
                                 .name = spec->name,
                                 .kind = spec->kind,
                                 .targets = spec->targets,
                                 .target_count = spec->target_count,
                                 .state = state,
                                 .applied_at = {42}};
}

struct entries {
    struct agent_journal_item items[ENTRIES_MAX];
    struct base_buf texts[ENTRIES_MAX];
    char ids[ENTRIES_MAX][32];
    size_t count;
};

/* a-<from>, a-<from + 1>, ... */
static inline struct entries *entries_of(size_t from, size_t count, enum fault_state as)
{
    struct entries *made = calloc(1, sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(made->ids[i], sizeof made->ids[i], "a-%zu", from + i);
        struct fault_spec spec = spec_of(made->ids[i]);
        struct fault_record record = record_of(&spec, as);
        base_buf_init(&made->texts[i], AGENT_JOURNAL_MAX);
        assert_true(agent_journal_encode(&spec, &record, NULL, &made->texts[i], NULL));
        made->items[i] =
            (struct agent_journal_item){made->ids[i], made->texts[i].data, made->texts[i].len};
        free(spec.id);
    }
    made->count = count;
    return made;
}

static inline void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        base_buf_fini(&entries->texts[i]);
    free(entries);
}

static inline bool put(struct agent_journal *journal, size_t from, size_t count,
                       enum fault_state as, struct base_error *err)
{
    struct entries *entries = entries_of(from, count, as);
    bool ok = agent_journal_put(journal, entries->items, count, err);
    entries_free(entries);
    return ok;
}

static inline void write_entry(struct agent_journal *journal, size_t number)
{
    struct base_error err = {0};
    if (!put(journal, number, 1, FAULT_APPLYING, &err))
        fail_msg("%s", err.message);
}

struct seen {
    size_t entries;
    size_t corrupt;
    char last[64];
    char aside[512];
};

static inline void on_entry(void *ctx, struct agent_journal_entry *entry)
{
    struct seen *seen = ctx;
    seen->entries++;
    (void)snprintf(seen->last, sizeof seen->last, "%s", entry->spec.id);
    agent_journal_entry_fini(entry);
}

static inline void on_corrupt(void *ctx, const char *file, const struct base_error *why)
{
    struct seen *seen = ctx;
    seen->corrupt++;
    assert_non_null(strstr(why->message, file));
    (void)snprintf(seen->aside, sizeof seen->aside, "%s", file);
}

static inline struct seen load(struct agent_journal *journal)
{
    struct seen seen = {0};
    struct agent_journal_reader reader = {on_entry, on_corrupt, &seen};
    assert_true(agent_journal_load(journal, &reader, NULL));
    return seen;
}

static inline int make_folder(void **state)
{
    char *dir = base_str_dup("/tmp/squall-journal-XXXXXX");
    *state = mkdtemp(dir);
    return *state == NULL;
}

static inline int remove_folder(void **state)
{
    bool ok = base_dir_remove(*state, NULL);
    free(*state);
    return !ok;
}

#endif
