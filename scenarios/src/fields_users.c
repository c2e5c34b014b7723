/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that describes the closed model. */
#include "fields_parts.h"

#define AT(member) .offset = offsetof(struct scn_user_stage, member)
static const struct scn_field user_stage_fields[] = {
    {.key = "name", .type = SCN_NAME, AT(name), .example = "warm-up", .help = STAGE_NAME_HELP},
    {.key = "for",
     .type = SCN_DURATION,
     AT(length),
     .required = true,
     .min = "1ms",
     .max = "24h",
     .help = "How long the stage lasts; all of them together last spec.duration."},
    {.key = "count",
     .type = SCN_INTEGER,
     AT(count),
     .choice = SCN_USERS_FLAT + 1,
     .min = "0",
     .max = "1000000",
     .example = "50",
     .help = "So many users all the time."},
    {.key = "to",
     .type = SCN_INTEGER,
     AT(to),
     .choice = SCN_USERS_RAMP + 1,
     .min = "0",
     .max = "1000000",
     .example = "50",
     .help = "Users come or leave evenly until there are so many."},
    {.key = "from",
     .type = SCN_INTEGER,
     AT(from),
     .min = "0",
     .max = "1000000",
     .help = "How many there are at first; as many as the stage before it ended with when left "
             "out, or none."},
};
static const struct scn_shape user_stage_shape = {.size = sizeof(struct scn_user_stage),
                                                  FIELDS(user_stage_fields),
                                                  .choice_of = "a number of users",
                                                  .choice_offset =
                                                      offsetof(struct scn_user_stage, kind)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_users, member)
static const struct scn_field uniform_fields[] = {
    {.key = "min",
     .type = SCN_DURATION,
     AT(think_a),
     .required = true,
     .min = "0s",
     .max = "1h",
     .help = "The least of it."},
    {.key = "max",
     .type = SCN_DURATION,
     AT(think_b),
     .required = true,
     .min = "1us",
     .max = "1h",
     .help = "The most of it."},
};
static const struct scn_shape uniform_shape = {FIELDS(uniform_fields)};

static const struct scn_field lognormal_fields[] = {
    {.key = "median",
     .type = SCN_DURATION,
     AT(think_a),
     .required = true,
     .min = "1us",
     .max = "1h",
     .help = "Half of the think times are shorter."},
    {.key = "p95",
     .type = SCN_DURATION,
     AT(think_b),
     .required = true,
     .min = "1us",
     .max = "1h",
     .help = "95 % of the think times are shorter."},
};
static const struct scn_shape lognormal_shape = {FIELDS(lognormal_fields)};

static const struct scn_field think_fields[] = {
    {.key = "constant",
     .type = SCN_DURATION,
     AT(think_a),
     .choice = LOAD_THINK_CONSTANT + 1,
     .min = "0s",
     .max = "1h",
     .example = "1s",
     .help = "Always the same."},
    {.key = "uniform",
     .type = SCN_OBJECT,
     .shape = &uniform_shape,
     .choice = LOAD_THINK_UNIFORM + 1,
     .help = "Evenly between two bounds."},
    {.key = "exponential",
     .type = SCN_DURATION,
     AT(think_a),
     .choice = LOAD_THINK_EXPONENTIAL + 1,
     .min = "1us",
     .max = "1h",
     .example = "1s",
     .help = "With this mean."},
    {.key = "lognormal",
     .type = SCN_OBJECT,
     .shape = &lognormal_shape,
     .choice = LOAD_THINK_LOGNORMAL + 1,
     .help = "Most are short, some are long: as people are."},
};
static const struct scn_shape think_shape = {FIELDS(think_fields), .choice_of = "a distribution",
                                             .choice_offset = offsetof(struct scn_users, think)};

static const struct scn_field users_fields[] = {
    {.key = "count",
     .type = SCN_INTEGER,
     AT(count),
     .choice = SCN_USERS_FLAT + 1,
     .min = "1",
     .max = "1000000",
     .example = "50",
     .help = "So many users all the time."},
    {.key = "stages",
     .type = SCN_OBJECTS,
     .shape = &user_stage_shape,
     AT(stages),
     .count_offset = offsetof(struct scn_users, stage_count),
     .choice = SCN_USERS_RAMP + 1,
     .least = 1,
     .most = 1000,
     .help = "Their number over time."},
    {.key = "think",
     .type = SCN_OBJECT,
     .shape = &think_shape,
     .help = "What a user waits between the end of a request and the next; nothing when left out."},
    {.key = "iterations",
     .type = SCN_INTEGER,
     AT(iterations),
     .min = "1",
     .max = "1000000000000",
     .help = "All users together send so many requests, then the load is over; not done by "
             "spec.duration, it was stopped before its end."},
    {.key = "iterationsEach",
     .type = SCN_INTEGER,
     AT(each),
     .min = "1",
     .max = "1000000000000",
     .help = "Each user sends so many requests and leaves."},
};
const struct scn_shape scn_users_shape = {FIELDS(users_fields), .choice_of = "a number of users",
                                          .choice_offset = offsetof(struct scn_users, kind)};
#undef AT
