/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_DESCRIPTORS_H
#define LOAD_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Raises this process' limit of open files to what so many connections need: the soft one as far as
 * the hard one goes, and that one where it may. BASE_LIMIT, with what to do, when it may not. */
bool load_descriptors_raise(uint32_t connections, uint32_t threads, struct base_error *err);

#endif
