/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One target of the fault limits: what it may have (limit.h), of which a share may have been asked
 * for, what the kernel says of it, and all that on disk.
 */
#ifndef CHAOS_LIMITED_H
#define CHAOS_LIMITED_H

#include <jansson.h>

#include "limit.h"
#include "resolve.h"

struct fault;

struct fault_limited {
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    struct fault_limit limit;
    double files_share; /* of which limit.files is made; 0: it is given */
    double pids_share;
    char *pids_group; /* NULL: none, or not asked for */
    size_t again;     /* how often more it is asked when it has answered */
};

/* Zeroed before. */
void fault_limited_init(struct fault_limited *subject, struct fault *fault);
void fault_limited_fini(struct fault_limited *subject);

/* Finds its process and group, and notes how they are limited now. */
bool fault_limited_prepare(struct fault_limited *subject, struct base_error *err);
/* lowered: has what the fault gives it; else: nothing has it any more. when: of the evidence that
 * is recorded; NULL: none. */
bool fault_limited_as_wanted(const struct fault_limited *subject, bool lowered, const char *when);
/* It can open nothing any more: all that it may have is open. */
bool fault_limited_exhausted(const struct fault_limited *subject);

json_t *fault_limited_to_json(const struct fault_limited *subject);
bool fault_limited_from_json(struct fault_limited *subject, const json_t *one,
                             struct base_error *err);

#endif
