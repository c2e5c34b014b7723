/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a machine on which the units can be started. */
#ifndef SANDBOX_PREPARE_H
#define SANDBOX_PREPARE_H

#include "net.h"
#include "sandbox/sandbox.h"
#include "setup.h"

/* setup->place is set; after a failure sandbox_sweep removes what was made. */
bool sandbox_prepare(struct sandbox_setup *setup, const struct sandbox_options *options,
                     const struct sandbox_sink *sink, struct base_error *err);

#endif
