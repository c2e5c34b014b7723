/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_STORES_H
#define SCENARIOS_CHECK_STORES_H

#include "reporter.h"

/* A probe that asks a store (or another, which is left alone); its fields were decoded without
 * complaint. */
void scn_check_store_probe(struct scn_reporter *reporter, size_t probe);

#endif
