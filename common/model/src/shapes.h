/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that are part of other shapes: a plan holds fault and load specifications. */
#ifndef MODEL_SHAPES_H
#define MODEL_SHAPES_H

#include "codec.h"

extern const struct codec_shape model_fault_spec_shape;
extern const struct codec_shape model_load_spec_shape;
extern const struct codec_shape model_load_target_shape;
extern const struct codec_shape model_network_shape; /* variants of the fault's */
extern const struct codec_shape model_io_shape;
extern const struct codec_shape model_throttle_shape;
extern const struct codec_words model_directions;
extern const struct codec_shape model_flow_shape;
extern const struct codec_shape model_feeder_shape;
extern const struct codec_shape model_once_shape;

struct load_spec;
/* load_flows_check, ending at the first mistake. */
bool model_flows_good(const struct load_spec *spec, const char *where, struct base_error *err);

#endif
