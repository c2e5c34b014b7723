/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who of a service is there, and who has come since. An instance is told from another by its name;
 * one that its processes are looked for by (find.h) is so many as it has processes that no other of
 * them has started. The same one is another after a restart: a process is told by pid and start.
 */
#ifndef CHAOS_LOOKOUT_H
#define CHAOS_LOOKOUT_H

#include "engine.h"
#include "resolve.h"

struct fault_place_id { /* of a folder or namespace; ino 0: none, or nobody can tell */
    uint64_t dev;
    uint64_t ino;
};

/* One of a service, as it is at some time. */
struct fault_sight {
    char *name;                   /* of its instance */
    struct fault_process process; /* pid 0: it has none, or the topology names none */
    bool ready;                   /* it can be measured and hit */
    bool found;                   /* by looking for its processes */
    struct fault_place_id netns;
    struct fault_place_id group;
};

struct fault_sights {
    struct fault_sight *list;
    size_t count;
};

/* Reads status files, or /proc for those that must be found. */
void fault_sights_take(const struct topo *topo, const char *service, struct fault_sights *out);
void fault_sights_fini(struct fault_sights *sights); /* accepts a zeroed value */
void fault_sight_copy(struct fault_sight *out, const struct fault_sight *sight);

enum fault_news { FAULT_NEWS_INSTANCE, FAULT_NEWS_PROCESS, FAULT_NEWS_RESTARTED };
const char *fault_news_name(enum fault_news news); /* "new instance" */

/* Pure from here. Each sight of `now` that is ready and that `known` has not: it is told once, and
 * known from then on. What has no process is told by its name alone. */
void fault_sights_compare(struct fault_sights *known, const struct fault_sights *now,
                          void (*on_new)(void *ctx, const struct fault_sight *sight,
                                         enum fault_news news),
                          void *ctx);
/* It is as the fault says that its targets are. */
bool fault_sight_matches(const struct topo *topo, const struct fault_spec *spec,
                         const struct fault_sight *sight);
bool fault_sights_have(const struct fault_sights *sights, const char *name);
/* A fault that holds `before` by its place holds `now`, too. */
bool fault_sight_is_held(const struct fault_sight *before, const struct fault_sight *now,
                         enum fault_place place);
/* How many of `instances` are to be hit at a time. */
size_t fault_track_wanted(const struct fault_spec *spec, size_t instances);
/* Not pure: what became of a sight that is news, into the fault's record. */
void fault_sight_tell(struct fault *fault, const struct fault_sight *sight, enum fault_news news,
                      struct wall_ns seen, bool joined, const char *how);

#endif
