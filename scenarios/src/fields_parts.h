/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the table have in common. */
#ifndef SCENARIOS_FIELDS_PARTS_H
#define SCENARIOS_FIELDS_PARTS_H

#include "fields.h"
#include "scenarios/scenario.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS(table)                                                                               \
    {                                                                                              \
        (table), COUNT_OF(table)                                                                   \
    }
#define FIELDS(table) .fields = (table), .count = COUNT_OF(table)

extern const struct scn_words scn_directions;
extern const struct scn_shape scn_fault_shape;
extern const struct scn_shape scn_app_shape;
extern const struct scn_shape scn_network_shape;
extern const struct scn_shape scn_tcp_shape;
extern const struct scn_shape scn_http_shape;
extern const struct scn_shape scn_dns_shape;
extern const struct scn_shape scn_postgres_shape;
extern const struct scn_shape scn_redis_shape;
extern const struct scn_shape scn_io_shape;
extern const struct scn_shape scn_throttle_shape;
extern const struct scn_shape scn_rabbitmq_shape;
extern const struct scn_shape scn_node_shape;
extern const struct scn_shape scn_probe_shape;
extern const struct scn_shape scn_request_shape;
extern const struct scn_shape scn_login_shape;
extern const struct scn_shape scn_stage_shape;
extern const struct scn_shape scn_replay_shape;
extern const struct scn_shape scn_users_shape;
extern const struct scn_shape scn_flow_shape;
extern const struct scn_shape scn_feeder_shape;
extern const struct scn_shape scn_threshold_shape;
extern const struct scn_shape scn_slo_shape;
extern const struct scn_shape scn_abort_shape;

/* Of stages of both models. */
#define STAGE_NAME_HELP                                                                            \
    "Names the phase of what becomes due in the stage, which is \"steady\" without it, as long "   \
    "as "                                                                                          \
    "no fault has begun; stages of one name are one phase."

#endif
