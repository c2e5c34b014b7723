/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says when requests are due, where that is not one rate. */
#include "fields_parts.h"

static const struct scn_word unit_list[] = {{"s", LOAD_UNIT_S}, {"ns", LOAD_UNIT_NS}};
static const struct scn_words units = WORDS(unit_list);

#define AT(member) .offset = offsetof(struct scn_stage, member)
static const struct scn_field stage_fields[] = {
    {.key = "name", .type = SCN_NAME, AT(name), .example = "warm-up", .help = STAGE_NAME_HELP},
    {.key = "for",
     .type = SCN_DURATION,
     AT(length),
     .required = true,
     .min = "1ms",
     .max = "24h",
     .help = "How long the stage lasts; all of them together last spec.duration."},
    {.key = "rate",
     .type = SCN_RATE_OR_NONE,
     AT(rate),
     .choice = SCN_STAGE_RATE + 1,
     .min = "0/s",
     .max = "1000000/s",
     .help = "The same rate all the time; 0/s is silence."},
    {.key = "to",
     .type = SCN_RATE_OR_NONE,
     AT(to),
     .choice = SCN_STAGE_RAMP + 1,
     .min = "0/s",
     .max = "1000000/s",
     .help = "A ramp to this rate."},
    {.key = "burst",
     .type = SCN_INTEGER,
     AT(burst),
     .choice = SCN_STAGE_BURST + 1,
     .min = "1",
     .max = "1000000",
     .example = "50",
     .help = "So many requests at once, at the stage's start and then every so often."},
    {.key = "from",
     .type = SCN_RATE_OR_NONE,
     AT(from),
     .min = "0/s",
     .max = "1000000/s",
     .help = "Where the ramp starts; where the stage before it ended when left out, or at 0/s."},
    {.key = "steps",
     .type = SCN_INTEGER,
     AT(steps),
     .min = "2",
     .max = "1000",
     .example = "5",
     .help = "Instead of a ramp, a staircase of so many steps from the one rate to the other."},
    {.key = "every",
     .type = SCN_DURATION,
     AT(every),
     .min = "1ms",
     .max = "1h",
     .help = "How often there is a burst."},
};
const struct scn_shape scn_stage_shape = {.size = sizeof(struct scn_stage),
                                          FIELDS(stage_fields),
                                          .choice_of = "a kind of stage",
                                          .choice_offset = offsetof(struct scn_stage, kind)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_replay, member)
static const struct scn_field replay_fields[] = {
    {.key = "file",
     .type = SCN_TEXT,
     AT(file),
     .required = true,
     .example = "arrivals.txt",
     .help = "Text file with one timestamp a line, in order; the first is the load's start. A "
             "relative path counts from the scenario's folder."},
    {.key = "unit",
     .type = SCN_WORD,
     .words = &units,
     AT(unit),
     .fallback = "s",
     .help = "What the timestamps count: seconds with decimals, or whole nanoseconds."},
};
const struct scn_shape scn_replay_shape = {FIELDS(replay_fields)};
#undef AT
