/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processor time and memory that a service takes because it was ordered to. Each has a thread of
 * its own, which is there only while the order holds and ends it by its own clock: a loop that is
 * stuck keeps nothing in force. All calls from one thread.
 */
#ifndef KIT_STRAIN_H
#define KIT_STRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct kit_strain;

struct kit_strain *kit_strain_new(void);
void kit_strain_free(struct kit_strain *strain); /* ends both; accepts NULL */
/* `load` of one processor, 0..1, from now on until then; 0 ends it. BASE_UNAVAILABLE: there is no
 * thread to be had, and what was in force is over. */
bool kit_strain_cpu(struct kit_strain *strain, double load, struct mono_ns until,
                    struct base_error *err);
/* So many bytes, all of them written to; 0 frees them at once. BASE_LIMIT when that would leave the
 * host less than a tenth of its memory; then, and when it becomes scarce meanwhile, no more is
 * taken. */
bool kit_strain_memory(struct kit_strain *strain, uint64_t bytes, struct mono_ns until,
                       struct base_error *err);

#endif
