/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that are part of other shapes: a plan holds fault and load specifications. */
#ifndef MODEL_SHAPES_H
#define MODEL_SHAPES_H

#include "codec.h"

extern const struct codec_shape model_fault_spec_shape;
extern const struct codec_shape model_load_spec_shape;
extern const struct codec_shape model_load_target_shape;
extern const struct codec_shape model_app_shape; /* variants of the fault's */
extern const struct codec_shape model_network_shape;
extern const struct codec_shape model_io_shape;
extern const struct codec_shape model_throttle_shape;
extern const struct codec_shape model_slow_disk_shape; /* a group of postgres */
extern const struct codec_shape model_postgres_shape;
extern const struct codec_shape model_redis_shape;
extern const struct codec_shape model_rabbitmq_shape;
extern const struct codec_words model_directions;
extern const struct codec_words model_protocols;
/* Numbers of ports, not too many; the message starts with the key. */
bool model_ports_good(char *const *ports, size_t count, struct base_error *err);
extern const struct codec_shape model_flow_shape;
extern const struct codec_shape model_feeder_shape;
extern const struct codec_shape model_once_shape;

struct load_spec;
/* load_flows_check, ending at the first mistake. */
bool model_flows_good(const struct load_spec *spec, const char *where, struct base_error *err);

#endif
