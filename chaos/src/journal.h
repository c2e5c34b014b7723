/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in place, on disk before it is put in place: a file named ID.fault for each fault,
 * written atomically and synced, removed when the fault's absence has been measured. An agent that
 * starts finds what one that died has left.
 *
 * Entry: "squall-journal 1 <sha256 of the rest, hex> <its length, decimal>\n" and then one JSON
 * object {"spec":struct fault_spec, "record":struct fault_record, "undo":<of the kind>}. A file is
 * one entry, or several with a newline between them: those that were written together are one file
 * with a link under the name of each (a sync costs the same for one and for all), and the link says
 * which one counts. A file without its entry, whole in every bit, is set aside under the name
 * *.corrupt and reported; the others are not touched by that.
 */
#ifndef CHAOS_JOURNAL_H
#define CHAOS_JOURNAL_H

#include "base/buf.h"
#include "model/fault.h"

/*
 * Beside the entries lies the file "halted": when this agent was halted last. Its bytes are put on
 * disk when the journal is opened and overwritten in place, so that a full disk cannot keep a halt
 * from being remembered.
 */
enum { AGENT_JOURNAL_MAX = 1024 * 1024 }; /* bytes of one entry */

struct agent_journal; /* holds a lock: two agents never share a folder */

struct agent_journal_entry {
    struct fault_spec spec;
    struct fault_record record;
    json_t *undo;
};

/* Makes the folder (mode 0700) when missing. BASE_UNAVAILABLE when another agent holds it. */
struct agent_journal *agent_journal_open(const char *dir, struct base_error *err);
const char *agent_journal_dir(const struct agent_journal *journal);
void agent_journal_close(struct agent_journal *journal); /* accepts NULL */

struct agent_journal_item {
    const char *id;
    const char *data; /* from agent_journal_encode */
    size_t len;
};
enum { AGENT_JOURNAL_TOGETHER = 64 }; /* entries in one file at most: a start reads it for each */

/* These two may be called on another thread, one at a time. On return all of it is on disk; on
 * failure each entry is as it was before or as was asked for. */
bool agent_journal_put(const struct agent_journal *journal, const struct agent_journal_item *items,
                       size_t count, struct base_error *err);
/* What is not there is fine. */
bool agent_journal_remove(const struct agent_journal *journal, const char *const *ids, size_t count,
                          struct base_error *err);

/* 0: never. What cannot be read, or lies more than CONTROL_MAX_SKEW_S ahead of the clock, counts as
 * halted at the opening: rather too much is refused, but not every run until a clock's mistake has
 * come true. */
struct wall_ns agent_journal_halted(const struct agent_journal *journal);
/* What was on disk at the opening when it lay that far ahead; 0: it did not. */
struct wall_ns agent_journal_halted_ahead(const struct agent_journal *journal);
/* Remembers the later of `when` and what was remembered; on success it is on disk. In memory it
 * counts in any case. */
bool agent_journal_halt(struct agent_journal *journal, struct wall_ns when, struct base_error *err);

struct agent_journal_reader {
    /* The entry is the callee's from here: agent_journal_entry_fini. */
    void (*on_entry)(void *ctx, struct agent_journal_entry *entry);
    /* file is the path it lies under now. */
    void (*on_corrupt)(void *ctx, const char *file, const struct base_error *why);
    void *ctx;
};
/* Every entry, in the order of their names. false only when the folder itself cannot be read. */
bool agent_journal_load(struct agent_journal *journal, const struct agent_journal_reader *reader,
                        struct base_error *err);

bool agent_journal_encode(const struct fault_spec *spec, const struct fault_record *record,
                          const json_t *undo, struct base_buf *out, struct base_error *err);
bool agent_journal_decode(const char *data, size_t len, struct agent_journal_entry *out,
                          struct base_error *err); /* BASE_CORRUPT */
/* The fault's entry among those of a file; the first reason when it is not there. */
bool agent_journal_find(const char *data, size_t len, const char *id,
                        struct agent_journal_entry *out, struct base_error *err);
void agent_journal_entry_fini(struct agent_journal_entry *entry);

/* An id names a file, a table and a path of the API: letters, digits, '.', '_' and '-', at most
 * 128, the first a letter or digit. */
bool agent_id_valid(const char *id);

#endif
