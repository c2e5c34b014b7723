/* SPDX-License-Identifier: Apache-2.0 */
/* What every caller of the control protocol needs. */
#ifndef SCENARIOS_CONTROL_CLIENT_H
#define SCENARIOS_CONTROL_CLIENT_H

#include "base/error.h"

/* "Authorization: Bearer <the file's first line>"; free() it. NULL with err. */
char *control_authorization(const char *token_file, struct base_error *err);

#endif
