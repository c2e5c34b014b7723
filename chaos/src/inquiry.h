/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of one question to each of several targets (reply.h), all at once. */
#ifndef CHAOS_INQUIRY_H
#define CHAOS_INQUIRY_H

#include "reply.h"

struct fault_inquiry;

/* on_done fires on the loop, never from inside a call, each time that the last of `count` targets
 * is known; the inquiry may be started anew or freed inside. */
struct fault_inquiry *fault_inquiry_new(struct io_loop *loop, size_t count,
                                        void (*on_done)(void *ctx), void *ctx);
void fault_inquiry_free(struct fault_inquiry *inquiry); /* accepts NULL */
/* Whatever is under way; and forgets what is known: a new round. */
void fault_inquiry_cancel(struct fault_inquiry *inquiry);
/* Asks the target of that index. One that is known already is asked anew, and the round is done
 * when that is known, too. false with err: the round is cancelled. */
bool fault_inquiry_ask(struct fault_inquiry *inquiry, size_t index,
                       const struct fault_target *target, struct dur_ns patience,
                       struct base_error *err);
/* NULL: not known in this round. */
const struct fault_answer_result *fault_inquiry_result(const struct fault_inquiry *inquiry,
                                                       size_t index);

#endif
