/* SPDX-License-Identifier: Apache-2.0 */
/* Saying what is wrong with a value that was decoded already, at the place where it stands. */
#ifndef SCENARIOS_REPORTER_H
#define SCENARIOS_REPORTER_H

#include "scenarios/scenario.h"

enum { SCN_PATH_LEN = 256 };

struct scn_reporter {
    const struct scn_scenario *scenario;
    struct scn_problems *problems;
    char path[SCN_PATH_LEN];
};

/* Names the value that is spoken of: "spec.faults[%zu].for". */
void scn_at(struct scn_reporter *reporter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "<path>: <message>" at that value's place. */
void scn_say(struct scn_reporter *reporter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "no <what> "<word>"", with the nearest of the names or all of them. */
void scn_say_unknown(struct scn_reporter *reporter, const char *what, const char *word,
                     const char *const *names, size_t count);
/* Was anything at or below that value reported already? */
bool scn_spoiled(const struct scn_reporter *reporter);

#endif
