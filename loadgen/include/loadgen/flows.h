/* SPDX-License-Identifier: Apache-2.0 */
/* Flows (model/flow.h) made ready to run, which finds what is wrong with them and their files. */
#ifndef LOADGEN_FLOWS_H
#define LOADGEN_FLOWS_H

#include "model/load.h"

struct load_program;

/* Reads the feeders' files. spec has passed load_flows_check, and outlives the program. NULL when
 * anything is wrong, after each mistake was said, at "feeders[2].file" and the like. */
struct load_program *load_program_new(const struct load_spec *spec, load_flow_say_fn *say,
                                      void *ctx);
void load_program_free(struct load_program *program); /* accepts NULL */

#endif
