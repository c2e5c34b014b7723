/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule error by cause, as a result has it: figures to read, and the histogram that they
 * come from, so that several generators' can be added up without loss. */
#ifndef LOAD_LATENESS_H
#define LOAD_LATENESS_H

#include "model/hdr.h"
#include "model/load.h"

/* late: by cause; without counts: none. */
void load_lateness_list(struct load_result *result, const struct hdr late[static LOAD_DELAY_COUNT]);
/* Adds one result's to late, the other way round. BASE_CORRUPT when a histogram is not there, or
 * not of as many as are counted. */
bool load_lateness_add(struct hdr late[static LOAD_DELAY_COUNT], const struct load_result *one,
                       struct base_error *err);

#endif
