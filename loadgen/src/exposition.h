/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has done so far in Prometheus' text format 0.0.4. Pure. */
#ifndef LOAD_EXPOSITION_H
#define LOAD_EXPOSITION_H

#include "collector.h"

/* Needs collector->keep from the beginning. Counts are those up to the last interval's end. */
bool load_exposition_write(const struct load_collector *collector, struct base_buf *out);

#endif
