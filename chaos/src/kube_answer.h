/* SPDX-License-Identifier: Apache-2.0 */
/* What all answers of Kubernetes' API server have in common, read. Pure. */
#ifndef CHAOS_KUBE_ANSWER_H
#define CHAOS_KUBE_ANSWER_H

#include "rest.h"

/* A text that is not empty; NULL: it has none. */
const char *fault_kube_text(const json_t *object, const char *key);
/* What no reading of the answer helps against: anything but a 200. */
bool fault_kube_failed(const struct fault_rest_answer *answer, struct base_error *err);
/* The server's own word that there is no such thing; a proxy's 404 is none. */
bool fault_kube_missing(const struct fault_rest_answer *answer);

#endif
