/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the disk, for many at a time: what must be on it before the agent goes on. A round
 * takes what has come in by the end of a turn of the loop, puts all of it on disk with one sync of
 * each file or folder, and only then tells those who wait; what comes in meanwhile is the next
 * round's. The syncs are made by a thread that lives for one round, so that proxies, leases and
 * halts do not wait for them. Nobody is told of a success before his own is on disk, and when a
 * sync fails, all whose it was are told.
 *
 * Everything here is called on the loop's thread.
 */
#ifndef CHAOS_COMMIT_H
#define CHAOS_COMMIT_H

#include "audit.h"
#include "io/loop.h"
#include "journal.h"
#include "used.h"

struct agent_commit;

struct agent_commit_config { /* all outlive it */
    struct io_loop *loop;
    struct agent_journal *journal;
    struct agent_used *used;
    struct agent_audit *audit;
};

struct agent_commit *agent_commit_new(const struct agent_commit_config *config,
                                      struct base_error *err);
/* What is under way is finished, what waits is not begun; nobody is told. Accepts NULL. */
void agent_commit_free(struct agent_commit *commit);

/* Part of whoever waits; for one thing at a time. Zeroed: waits for nothing. */
struct agent_ticket {
    /* From the loop, never from inside the call that asked. err NULL: it is on disk. The ticket is
     * free again. */
    void (*on_done)(void *ctx, const struct base_error *err);
    void *ctx;
    struct agent_work *work; /* NULL: waits for nothing */
};

/* The audit lines and ids that were written until now. */
void agent_commit_written(struct agent_commit *commit, struct agent_ticket *ticket);
/* The entry takes the place of the fault's former one; text: from agent_journal_encode, and empty
 * afterwards. On failure the former one may or may not be there still. */
void agent_commit_entry(struct agent_commit *commit, struct agent_ticket *ticket, const char *id,
                        struct base_buf *text);
void agent_commit_removal(struct agent_commit *commit, struct agent_ticket *ticket, const char *id);
/* It may be done all the same; accepts one that waits for nothing. */
void agent_ticket_cancel(struct agent_ticket *ticket);

#endif
