/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_LOAD_H
#define SCENARIOS_CHECK_LOAD_H

#include "reporter.h"

/* The load's own fields were decoded without complaint. */
void scn_check_flows(struct scn_reporter *reporter);
void scn_check_login(struct scn_reporter *reporter);
void scn_check_arrivals(struct scn_reporter *reporter);
/* At any time. */
void scn_check_requests(struct scn_reporter *reporter);

#endif
