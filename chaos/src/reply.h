/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a service, in the first words of its own protocol, and whether any word comes
 * back. The kernel accepts connections for a process that does nothing, so a connect alone says
 * nothing about the process.
 */
#ifndef CHAOS_REPLY_H
#define CHAOS_REPLY_H

#include "io/loop.h"
#include "resolve.h"

struct fault_answer;

struct fault_answer_result {
    bool answered;
    int sys; /* errno when not; ETIMEDOUT: silence until our own patience ended */
    struct dur_ns elapsed;
};

/* From this process' own network namespace. on_done fires once, on the loop and never from inside
 * this call, unless cancelled; the question is freed before it fires. */
struct fault_answer *
fault_answer_start(struct io_loop *loop, const struct fault_target *target, struct dur_ns patience,
                   void (*on_done)(void *ctx, const struct fault_answer_result *), void *ctx,
                   struct base_error *err);
void fault_answer_cancel(struct fault_answer *answer); /* accepts NULL */
/* "answered in 1.2ms", "no answer in 500ms", "Connection refused after 40us" */
void fault_answer_describe(const struct fault_answer_result *result, char *out, size_t size);

#endif
