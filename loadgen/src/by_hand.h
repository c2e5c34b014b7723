/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be done by hand when nobody tears down what the setup of flows made. Pure. */
#ifndef LOAD_BY_HAND_H
#define LOAD_BY_HAND_H

#include "model/load.h"

/* Whether any flow has a teardown; a setup. */
bool load_by_hand_has_teardown(const struct load_spec *spec);
bool load_by_hand_has_setup(const struct load_spec *spec);
/* "shop.logout: DELETE /login/7; ..." setup: as load_run_bequest has it (NULL: unknown), whose
 * values are filled into the paths; not into bodies and headers, which may hold secrets. free() it.
 */
char *load_by_hand(const struct load_spec *spec, const json_t *setup);

#endif
