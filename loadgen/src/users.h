/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed model: users who send a request, wait for its end, think, and send the next. Load then
 * follows the target: when it is slow, less is asked of it.
 *
 * What the times mean here. A request is due when its user is ready for it, that is when the user's
 * last request ended plus its think time. Response time runs from there, so it is the service time
 * and what the user waited for a connection or for the generator. Time that a slow target takes
 * from the *other* requests is no part of it, unlike in the open model: a closed model cannot see
 * what a user would have suffered who came at his own time (coordinated omission is in its nature).
 *
 * Whether a user is there at all at some time follows from the stages: user n (from 0) is, while
 * their level is n + 1 or more. One who is not there at the time that he would be ready comes when
 * the level reaches him again. Nobody breaks off a request.
 *
 * Pure, but for the count of shared iterations: no clock; each user draws from generators of his
 * own, seeded by the plan's seed and his number, so his think times and routes are the same for
 * any number of threads. Users are spread over threads by number.
 */
#ifndef LOAD_USERS_H
#define LOAD_USERS_H

#include <stdatomic.h>

#include "picker.h"
#include "schedule.h"

struct load_user {
    int64_t ready; /* ns after the start; thinking only */
    uint64_t left; /* iterations of his own */
    uint64_t begun;
    uint32_t number;
    struct base_rng thinks;
    struct base_rng picks;
};

struct load_users {
    const struct load_spec *spec;
    atomic_uint_least64_t *shared; /* iterations left of all users; NULL: no such bound */
    struct load_picker picker;
    struct load_user *users; /* owned; those of this share */
    uint32_t count;
    uint32_t most;  /* of all shares together, at a time */
    uint32_t *heap; /* owned; those who think, the first to be ready on top */
    uint32_t thinking;
    uint32_t working; /* have a request under way */
};

/* share < shares; spec (with closed.stages) and shared outlive the users. */
void load_users_init(struct load_users *users, const struct load_spec *spec,
                     atomic_uint_least64_t *shared, uint32_t share, uint32_t shares);
void load_users_fini(struct load_users *users); /* accepts a zeroed value */
/* When the next user is ready, in ns after the start; INT64_MAX: none thinks. */
int64_t load_users_next(const struct load_users *users);
/* Takes that user to work: out->number is the index to give back. false: all iterations are done,
 * and he leaves. */
bool load_users_take(struct load_users *users, struct load_arrival *out);
/* His request ended at that time. refused: it could not be sent at all; without think time he would
 * ask for the next at once, again and again, so he pauses for 10 ms. */
void load_users_done(struct load_users *users, uint64_t index, int64_t at, bool refused);
/* Of the request that he is at work on: a number of its own in the run, the same in every run. */
uint64_t load_users_request(const struct load_users *users, uint64_t index);
bool load_users_over(const struct load_users *users); /* nobody thinks or works */
/* The most there are at a time. */
uint32_t load_users_most(const struct load_spec *spec);

#endif
