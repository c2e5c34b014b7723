/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOADGEN_CARRY_H
#define LOADGEN_CARRY_H

#include "model/load.h"

/* For workers on other hosts, which have other disks: what the files of routes and feeders hold
 * becomes part of the spec, which is JSON. BASE_INVALID for a file that cannot be read, has more
 * than 16 MiB or is no text in UTF-8; the spec is then half done. */
bool load_spec_carry(struct load_spec *spec, struct base_error *err);

#endif
