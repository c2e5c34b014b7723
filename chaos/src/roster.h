/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a fault with `track` share: fault_roster.c (its steps), roster_parts.c (the
 * faults that it is made of), roster_comers.c (who comes while it lasts). */
#ifndef CHAOS_ROSTER_H
#define CHAOS_ROSTER_H

#include "engine.h"
#include "lookout.h"

enum { ROSTER_PARTS_MAX = 128 };

struct roster_part {
    char *id;
    struct fault_sight sight; /* whom it hits */
    size_t evidence;          /* how much of it the whole has */
    bool replaced;            /* its instance is another process now: it goes, the whole stays */
    bool over;                /* it has ended, and that was heeded */
    bool vain;                /* it was made for one who came, and never was in force */
};

/* Who has come, and has neither joined nor been missed yet. */
struct roster_comer {
    struct fault_sight sight;
    enum fault_news news;
    struct wall_ns seen;
    size_t part;         /* index of what hits it; SIZE_MAX: none yet */
    bool by_place;       /* a part that was there holds it: that is measured again */
    unsigned verified;   /* of that part, before */
    struct mono_ns next; /* not tried before then */
    unsigned tries;
    char *why; /* the last try failed; NULL: none has */
    bool decided;
};

struct roster_state {
    struct roster_part *parts;
    size_t count;
    struct roster_comer *comers;
    size_t comer_count;
    struct fault_sights known;
    enum fault_step step; /* that waits for the parts */
    bool recovered;       /* its parts are to be looked for among those of the journal */
    unsigned numbers;     /* given to parts */
    struct mono_ns look_at;
    struct io_timer turn;
};

/* --- roster_parts.c --- */
/* NULL: the agent knows it no more. */
struct fault *roster_fault(const struct fault *whole, const struct roster_part *part);
const struct topo *roster_topology(const struct fault *whole);
struct fault_spec roster_part_spec(const struct fault *whole, const char *target, const char *id);
struct roster_part *roster_part_add(struct roster_state *state, const char *id,
                                    const struct fault_sight *sight);
/* A fault on it alone, not started; NULL with err. It is the last of the parts then. */
struct fault *roster_part_make(struct fault *whole, const struct fault_sight *sight,
                               struct dur_ns duration, struct base_error *err);
bool roster_is_over(const struct fault *part); /* accepts NULL, which is */
bool roster_is_active(const struct fault *part);
/* What was measured of the parts goes into the record of the whole. */
void roster_take_evidence(struct fault *whole);
void roster_end_parts(struct fault *whole, enum fault_end why);

/* --- roster_comers.c --- */
void roster_comers_turn(struct fault *whole); /* while it is active */
void roster_comers_end(struct fault *whole);  /* who has not joined by now has been missed */

#endif
