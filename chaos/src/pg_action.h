/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done to a PostgreSQL server, each as steps of one target, and what they share. */
#ifndef CHAOS_PG_ACTION_H
#define CHAOS_PG_ACTION_H

#include "pg_held.h"
#include "toll.h"

#define FAULT_PG_PROBE "squall-probe" /* application_name of sessions that only ask */

struct fault_pg_subject;

struct fault_pg_connections {
    int64_t wanted; /* to be taken at first */
    size_t newest;  /* of those held, since the last count */
    int64_t again;  /* taken since the first */
    /* What waits until they have been counted and taken; NULL: nothing. */
    void (*then)(struct fault_pg_subject *subject);
};

struct fault_pg_subject {
    struct fault_store_subject *store;
    const struct fault_spec *spec;
    char *name;                 /* application_name of the sessions that hold something */
    char *table;                /* quoted; NULL unless one is locked */
    struct fault_pg_held *held; /* NULL: nothing is held */
    void (*held_next)(struct fault_pg_subject *subject, const struct fault_pg_answer *failure);
    struct fault_pg *probe; /* of the step under way; NULL: none */
    void (*next)(struct fault_pg_subject *subject, const struct fault_pg_answer *answer);
    struct mono_ns asked; /* by the probe */
    struct io_timer wait; /* within a step; then: */
    void (*waited)(struct fault_pg_subject *subject);
    struct mono_ns began;  /* the waiting */
    struct io_timer again; /* what is done while the fault stands is due */
    struct fault_pg_connections connections;
    struct fault_pg *hand; /* terminate: what strikes again; NULL: not now */
    char *since;           /* terminate: sessions that are older must be gone */
    struct fault_toll toll;
};

struct fault_pg_action {
    /* The rest of the step prepare, which is fault_pg_prepare: with an open probe. */
    void (*before)(struct fault_pg_subject *subject);
    void (*step[FAULT_STEP_COUNT])(void *own);       /* own: a struct fault_pg_subject */
    void (*again)(struct fault_pg_subject *subject); /* NULL: that timer is not used */
};
extern const struct fault_pg_action fault_pg_terminate;
extern const struct fault_pg_action fault_pg_lock;
extern const struct fault_pg_action fault_pg_connections;
void fault_pg_prepare(void *own);

/* Opens the probe, a session for a step's questions; next follows, and after each question. */
void fault_pg_probe(struct fault_pg_subject *subject,
                    void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *));
/* The same, but keeps the one that an earlier step of the injection has left. */
void fault_pg_probe_again(struct fault_pg_subject *subject,
                          void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *));
void fault_pg_probe_end(struct fault_pg_subject *subject);
void fault_pg_probe_say(struct fault_pg_subject *subject, const char *sql,
                        void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *));
void fault_pg_probe_ask(struct fault_pg_subject *subject, const char *sql, const char *param,
                        void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *));
struct dur_ns fault_pg_took(const struct fault_pg_subject *subject); /* since that question */
/* Opens sessions that the server ends when they have idled for `idle`; next follows, and after each
 * time that they are asked something (failure NULL: all have done it). */
void fault_pg_hold(struct fault_pg_subject *subject, size_t count, const char *first,
                   struct dur_ns idle, struct dur_ns lock,
                   void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *));
/* As next: the step ends, as well as they did. */
void fault_pg_held_done(struct fault_pg_subject *subject, const struct fault_pg_answer *failure);
/* So long they may idle from now on: what is left of the lease. */
struct dur_ns fault_pg_idle(const struct fault_pg_subject *subject);
/* A step of the lease's renewal: held sessions may idle for what is left of it now. */
void fault_pg_renew_held(void *own);
/* A step that lets go of what is held. */
void fault_pg_release(void *own);

/* The step ends. */
void fault_pg_ok(struct fault_pg_subject *subject);
void fault_pg_fail(struct fault_pg_subject *subject, enum fault_outcome outcome, const char *what,
                   const struct fault_pg_answer *answer); /* answer may be NULL */
/* "53300: sorry, too many clients already"; "" when ok. */
void fault_pg_describe(const struct fault_pg_answer *answer, char out[static 256]);
/* A whole number in that cell; -1: there is none. */
int64_t fault_pg_number(const struct fault_pg_answer *answer, int column);

#endif
