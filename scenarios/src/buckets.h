/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds that every service of the platform gives its latency histogram. */
#ifndef SCENARIOS_BUCKETS_H
#define SCENARIOS_BUCKETS_H

#include "base/clock.h"

/* The bound in seconds as a matcher of the label le, "=\"0.25\""; NULL when there is none. Whole
 * seconds match "1" and "1.0": Prometheus 3 writes the latter. */
const char *scn_bucket_bound(struct dur_ns within);
/* "5ms, 10ms, ..."; free() it. */
char *scn_bucket_list(void);

#endif
