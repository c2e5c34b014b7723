/* SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include <stdlib.h>

#include "base/text.h"

struct question {
    struct fault_inquiry *inquiry;
    struct fault_answer *answer; /* NULL: not under way */
    struct fault_answer_result result;
    bool known; /* result is of this round */
};

struct fault_inquiry {
    struct io_loop *loop;
    struct question *questions;
    size_t count;
    void (*on_done)(void *ctx);
    void *ctx;
};

static void on_answer(void *ctx, const struct fault_answer_result *result)
{
    struct question *question = ctx;
    const struct fault_inquiry *inquiry = question->inquiry;
    question->answer = NULL;
    question->result = *result;
    question->known = true;
    for (size_t i = 0; i < inquiry->count; i++)
        if (!inquiry->questions[i].known)
            return;
    inquiry->on_done(inquiry->ctx);
}

struct fault_inquiry *fault_inquiry_new(struct io_loop *loop, size_t count,
                                        void (*on_done)(void *ctx), void *ctx)
{
    struct fault_inquiry *inquiry = base_calloc(1, sizeof *inquiry);
    *inquiry = (struct fault_inquiry){
        .loop = loop,
        .questions = base_calloc(count, sizeof *inquiry->questions),
        .count = count,
        .on_done = on_done,
        .ctx = ctx,
    };
    for (size_t i = 0; i < count; i++)
        inquiry->questions[i].inquiry = inquiry;
    return inquiry;
}

void fault_inquiry_free(struct fault_inquiry *inquiry)
{
    if (inquiry == NULL)
        return;
    fault_inquiry_cancel(inquiry);
    free(inquiry->questions);
    free(inquiry);
}

void fault_inquiry_cancel(struct fault_inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->count; i++) {
        fault_answer_cancel(inquiry->questions[i].answer);
        inquiry->questions[i].answer = NULL;
        inquiry->questions[i].known = false;
    }
}

bool fault_inquiry_ask(struct fault_inquiry *inquiry, size_t index,
                       const struct fault_target *target, struct dur_ns patience,
                       struct base_error *err)
{
    struct question *question = &inquiry->questions[index];
    question->known = false;
    question->answer =
        fault_answer_start(inquiry->loop, target, patience, on_answer, question, err);
    if (question->answer == NULL)
        fault_inquiry_cancel(inquiry);
    return question->answer != NULL;
}

const struct fault_answer_result *fault_inquiry_result(const struct fault_inquiry *inquiry,
                                                       size_t index)
{
    const struct question *question = &inquiry->questions[index];
    return question->known ? &question->result : NULL;
}
