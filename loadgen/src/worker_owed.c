/* SPDX-License-Identifier: Apache-2.0 */
/* Since when what a worker still owes has been due: what may yet come for an interval of the grid
 * (intended.h). */
#include "worker_core.h"
#include "worker_flow.h"

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of those who pause, the steps that should have been taken by now: behind a slow step the next one
 * may have been due long before it could be ready. */
static int64_t owed_by_pausing(const struct load_flows *flows, int64_t now)
{
    int64_t oldest = now;
    size_t end = 1; /* behind the children of those who are ready: no others of the heap are */
    for (size_t i = 0; i < end && i < flows->pausing; i++) {
        const struct load_passage *p = flows->heap[i];
        if (p->ready > now)
            continue;
        end = 2 * i + 3;
        oldest = earlier(oldest, p->due);
    }
    return oldest;
}

/* Steps are sent when the one before has ended: in no order of when they were due. */
static int64_t owed_by_flows(const struct load_worker *w, int64_t now)
{
    const struct load_conn *conn;
    int64_t oldest = owed_by_pausing(w->flows, now);
    TAILQ_FOREACH(conn, &w->in_flight, link)
    oldest = earlier(oldest, conn->due.intended);
    for (size_t i = 0; i < w->waiting.count; i++)
        oldest = earlier(oldest, load_waiting_at(&w->waiting, i)->intended);
    return oldest;
}

/* Arrivals are sent in their order, however long they wait. */
int64_t load_worker_owed(const struct load_worker *w, int64_t now)
{
    if (w->over)
        return INT64_MAX;
    int64_t oldest = w->pending ? earlier(now, w->start + w->next.at) : now;
    if (w->flows != NULL)
        return earlier(oldest, owed_by_flows(w, now));
    const struct load_conn *conn = TAILQ_FIRST(&w->in_flight);
    const struct load_due *due = load_waiting_head(&w->waiting);
    if (conn != NULL)
        oldest = earlier(oldest, conn->due.intended);
    return due != NULL ? earlier(oldest, due->intended) : oldest;
}
