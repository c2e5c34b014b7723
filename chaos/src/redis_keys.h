/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of a fault's own at a Redis server, numbered, named after it and full of zeroes. Each is
 * made and gets its time to live, what is left of the lease, in one transaction, so that none is
 * ever without. The server writes the zeroes itself (SETRANGE): nothing of that size is sent.
 *
 * The server gives the memory of expired keys back when it comes across them: in each database it
 * draws among those that have a time to live, and goes on while a tenth of the drawn has expired.
 * Among a thousand sessions of somebody else's those of a fault would be found seconds late, so
 * they are in a database of their own, or one where few others expire (refused, if not).
 */
#ifndef CHAOS_REDIS_KEYS_H
#define CHAOS_REDIS_KEYS_H

#include "redis_action.h"

enum { FAULT_REDIS_MIB = 1 << 20 };

/* Sessions in that database: for a step's questions, in place of the one before; and one to keep.
 */
void fault_redis_probe_keys(struct fault_redis_subject *subject);
struct fault_redis *fault_redis_keys_session(const struct fault_redis_subject *subject);
/* Which one it is: before anything else is asked of keys. */
void fault_redis_find_database(struct fault_redis_subject *subject, fault_redis_next *next);
/* Why they would keep their memory beyond the lease there, by the answer to INFO; NULL: they would
 * not. */
const char *fault_redis_keys_would_stay(const struct fault_redis_subject *subject,
                                        const struct fault_redis_answer *answer);
/* EXISTS or UNLINK of the first `count` of them at once, by the session of the step. */
void fault_redis_ask_of_keys(struct fault_redis_subject *subject, const char *command, size_t count,
                             fault_redis_next *next);
/* next follows twice. */
void fault_redis_make_key(struct fault_redis_subject *subject, struct fault_redis *session,
                          size_t index, size_t size, fault_redis_next *next);
/* All of the first `count` get their time anew; next follows for each, with 1 or, where it is gone,
 * 0. */
void fault_redis_keep_keys(struct fault_redis_subject *subject, struct fault_redis *session,
                           size_t count, fault_redis_next *next);

void fault_redis_say_keys(struct fault_redis_subject *subject, int64_t count, size_t wanted,
                          bool ok);
/* Of the answer to EXISTS: none of the names is there, which is evidence. Otherwise the step has
 * failed for this reason. */
bool fault_redis_no_keys(struct fault_redis_subject *subject,
                         const struct fault_redis_answer *answer, const char *why);
/* Why the server's host cannot give so much more, by the answer to INFO; NULL: it can. */
const char *fault_redis_host_is_short(const struct fault_redis_subject *subject,
                                      const struct fault_redis_answer *answer, double bytes);

#endif
