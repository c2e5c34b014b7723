/* SPDX-License-Identifier: Apache-2.0 */
/* What a store answered, beside what was expected. Pure. */
#ifndef SCENARIOS_ANSWER_H
#define SCENARIOS_ANSWER_H

#include "model/plan.h"

/* Whether this can be compared with anything in that way. */
bool answer_can_compare(enum plan_compare compare, const char *expected);
/* What is wrong with the answer, free() it; NULL: it compares as expected. Two numbers compare as
 * numbers, other texts byte by byte. found NULL: there is none. */
char *answer_trouble(const char *what, const char *found, enum plan_compare compare,
                     const char *expected);

#endif
