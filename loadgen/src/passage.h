/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One user's way through a flow: which step he is at, what he knows, his cookies. It makes the
 * bytes of each step's request and judges its response; when anything happens is its owner's
 * business. Belongs to one thread.
 */
#ifndef LOAD_PASSAGE_H
#define LOAD_PASSAGE_H

#include <sys/queue.h>

#include "errand.h"
#include "program.h"

enum { LOAD_WHY_MAX = 240 };

struct load_passage {
    struct load_errand errand; /* of the step, once made; first, for load_passage_of */
    struct load_program *program;
    struct load_flow_code *flow;
    enum load_part_of part;
    size_t at; /* number of the step */
    uint64_t number;
    char **values;        /* by slot, owned; NULL: not set */
    size_t *rows;         /* by feeder, owned */
    struct load_jar *jar; /* `own`, or its user's */
    struct load_jar own;
    /* The owner's: */
    int64_t due;   /* the step's intended start; monotonic ns */
    int64_t ready; /* when it can begin: due, or when the answer before it came, if later */
    uint32_t user;
    LIST_ENTRY(load_passage) link;
};

/* number: of the passage, for {{seq}} and random rows. jar: its user's, which outlives it; NULL:
 * one of its own. NULL with why when a unique feeder has no row left. */
struct load_passage *load_passage_new(struct load_program *program, uint32_t flow,
                                      enum load_part_of part, uint64_t number, struct load_jar *jar,
                                      char why[static LOAD_WHY_MAX]);
void load_passage_free(struct load_passage *passage); /* accepts NULL */

/* The passage whose errand it is. */
static inline struct load_passage *load_passage_of(struct load_errand *errand)
{
    return (struct load_passage *)(void *)errand;
}

static inline const struct load_step_code *load_passage_step(const struct load_passage *passage)
{
    return &passage->flow->parts[passage->part].steps[passage->at];
}

static inline struct load_fill_values load_passage_values(const struct load_passage *passage,
                                                          struct base_rng *rng)
{
    return (struct load_fill_values){.seq = passage->number,
                                     .rng = rng,
                                     .variables = passage->values,
                                     .feeders = passage->program->rows,
                                     .rows = passage->rows};
}

/* Makes the step's request, and the capture ready for its response; false with why when a value
 * cannot stand where it should. */
bool load_passage_make(struct load_passage *passage, struct base_rng *rng,
                       char why[static LOAD_WHY_MAX]);
/* A whole response came: keeps its cookies, judges and extracts. false with failure and why. */
bool load_passage_judge(struct load_passage *passage, enum load_failure *failure,
                        char why[static LOAD_WHY_MAX]);
/* The step is over: lets go of its bytes, which may be many, for the pause behind it. */
void load_passage_rest(struct load_passage *passage);
/* To the next step; false: that was the last. */
bool load_passage_advance(struct load_passage *passage);
/* Steps behind the one it is at. */
size_t load_passage_left(const struct load_passage *passage);
/* What it knows, and its cookies, become what every passage of its flow starts with. */
void load_passage_bequeath(struct load_passage *passage);

#endif
