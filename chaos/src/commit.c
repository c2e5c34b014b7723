/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes
 * - The thread has the round's works and nothing else; pthread_join hands them back. It is started
 *   for each round, so that it has the privileges that the agent has by then (confine.h), and is
 *   not there when a process is forked while nothing is written.
 * - Where there is no thread to be had, the round is worked off on the spot: a revert must not fail
 *   for want of one.
 */
#include "commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

enum what { WRITTEN, ENTRY, REMOVAL };

struct agent_work {
    enum what what;
    struct agent_ticket *ticket; /* NULL: cancelled */
    char *id;
    struct base_buf text;
    bool failed;
    struct base_error err;
    struct agent_work *next;
};

struct agent_commit {
    struct agent_commit_config config;
    struct agent_work *queue;
    struct agent_work **tail;
    struct io_timer begin; /* the turn in which something came in is over */
    /* While a round is under way: */
    struct agent_work *round;
    int audit_fd; /* -1: no lines in it */
    pthread_t thread;
    bool threaded;
    struct io_wake over;
};

/* --- what a round does, in its thread --- */

static void settle(struct agent_work *round, enum what what, bool ok, const struct base_error *err)
{
    for (struct agent_work *work = round; work != NULL; work = work->next) {
        if (work->what != what || work->failed || ok)
            continue;
        work->failed = true;
        work->err = *err;
    }
}

static size_t count_of(const struct agent_work *round, enum what what)
{
    size_t count = 0;
    for (; round != NULL; round = round->next)
        count += round->what == what ? 1 : 0;
    return count;
}

static void sync_written(const struct agent_commit *commit)
{
    struct base_error err = {0};
    if (commit->audit_fd < 0)
        return;
    bool ok = agent_audit_sync(commit->config.audit, commit->audit_fd, &err) &&
              agent_used_sync(commit->config.used, &err);
    settle(commit->round, WRITTEN, ok, &err);
}

static void put_entries(const struct agent_commit *commit)
{
    size_t count = count_of(commit->round, ENTRY);
    struct base_error err = {0};
    if (count == 0)
        return;
    struct agent_journal_item *items = base_calloc(count, sizeof *items);
    size_t n = 0;
    for (const struct agent_work *work = commit->round; work != NULL; work = work->next)
        if (work->what == ENTRY)
            items[n++] = (struct agent_journal_item){work->id, work->text.data, work->text.len};
    settle(commit->round, ENTRY, agent_journal_put(commit->config.journal, items, count, &err),
           &err);
    free(items);
}

static void remove_entries(const struct agent_commit *commit)
{
    size_t count = count_of(commit->round, REMOVAL);
    struct base_error err = {0};
    if (count == 0)
        return;
    const char **ids = base_calloc(count, sizeof *ids);
    size_t n = 0;
    for (const struct agent_work *work = commit->round; work != NULL; work = work->next)
        if (work->what == REMOVAL)
            ids[n++] = work->id;
    settle(commit->round, REMOVAL, agent_journal_remove(commit->config.journal, ids, count, &err),
           &err);
    free(ids);
}

/* Removals last: one may be of an entry that is in this round, too. */
static void *work_off(void *arg)
{
    struct agent_commit *commit = arg;
    sync_written(commit);
    put_entries(commit);
    remove_entries(commit);
    io_wake_send(&commit->over);
    return NULL;
}

/* --- rounds --- */

static void work_free(struct agent_work *work)
{
    if (work->ticket != NULL)
        work->ticket->work = NULL;
    base_buf_fini(&work->text);
    free(work->id);
    free(work);
}

static void free_all(struct agent_work *work)
{
    while (work != NULL) {
        struct agent_work *next = work->next;
        work_free(work);
        work = next;
    }
}

/* The entry of a fault that has ended meanwhile need not be written any more. */
static void drop_cancelled(struct agent_commit *commit)
{
    struct agent_work **at = &commit->queue;
    while (*at != NULL) {
        struct agent_work *work = *at;
        if (work->ticket != NULL || work->what != ENTRY) {
            at = &work->next;
            continue;
        }
        *at = work->next;
        work_free(work);
    }
    commit->tail = at;
}

static void on_begin(void *ctx)
{
    struct agent_commit *commit = ctx;
    struct base_error err = {0};
    drop_cancelled(commit);
    if (commit->round != NULL || commit->queue == NULL)
        return;
    commit->round = commit->queue;
    commit->queue = NULL;
    commit->tail = &commit->queue;
    if (count_of(commit->round, WRITTEN) > 0) {
        commit->audit_fd = agent_audit_handle(commit->config.audit, &err);
        settle(commit->round, WRITTEN, commit->audit_fd >= 0, &err);
    }
    commit->threaded = pthread_create(&commit->thread, NULL, work_off, commit) == 0;
    if (!commit->threaded)
        (void)work_off(commit);
}

static void join(struct agent_commit *commit)
{
    if (commit->threaded)
        (void)pthread_join(commit->thread, NULL);
    commit->threaded = false;
    base_fd_close(&commit->audit_fd);
}

static void on_over(void *ctx)
{
    struct agent_commit *commit = ctx;
    join(commit);
    struct agent_work *done = commit->round;
    commit->round = NULL;
    while (done != NULL) {
        struct agent_work *work = done;
        struct agent_ticket *ticket = work->ticket;
        done = work->next;
        if (ticket != NULL) {
            work->ticket = NULL;
            ticket->work = NULL;
            ticket->on_done(ticket->ctx, work->failed ? &work->err : NULL);
        }
        work_free(work);
    }
    on_begin(commit);
}

static struct agent_work *add(struct agent_commit *commit, struct agent_ticket *ticket,
                              enum what what, const char *id)
{
    struct agent_work *work = base_calloc(1, sizeof *work);
    *work = (struct agent_work){.what = what, .ticket = ticket, .id = base_str_dup(id)};
    ticket->work = work;
    *commit->tail = work;
    commit->tail = &work->next;
    if (commit->round == NULL)
        io_timer_start(&commit->begin, (struct dur_ns){0});
    return work;
}

void agent_commit_written(struct agent_commit *commit, struct agent_ticket *ticket)
{
    (void)add(commit, ticket, WRITTEN, NULL);
}

void agent_commit_entry(struct agent_commit *commit, struct agent_ticket *ticket, const char *id,
                        struct base_buf *text)
{
    struct agent_work *work = add(commit, ticket, ENTRY, id);
    work->text = *text;
    *text = (struct base_buf){0};
}

void agent_commit_removal(struct agent_commit *commit, struct agent_ticket *ticket, const char *id)
{
    (void)add(commit, ticket, REMOVAL, id);
}

void agent_ticket_cancel(struct agent_ticket *ticket)
{
    if (ticket->work == NULL)
        return;
    ticket->work->ticket = NULL;
    ticket->work = NULL;
}

struct agent_commit *agent_commit_new(const struct agent_commit_config *config,
                                      struct base_error *err)
{
    struct agent_commit *commit = base_calloc(1, sizeof *commit);
    commit->config = *config;
    commit->tail = &commit->queue;
    commit->audit_fd = -1;
    if (!io_wake_init(&commit->over, config->loop, on_over, commit, err)) {
        free(commit);
        return NULL;
    }
    io_timer_init(&commit->begin, config->loop, on_begin, commit);
    return commit;
}

void agent_commit_free(struct agent_commit *commit)
{
    if (commit == NULL)
        return;
    if (commit->round != NULL)
        join(commit);
    free_all(commit->round);
    free_all(commit->queue);
    io_timer_fini(&commit->begin);
    io_wake_fini(&commit->over);
    free(commit);
}
