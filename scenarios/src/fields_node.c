/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what Kubernetes can do to the nodes that targets run on. */
#include "fields_parts.h"

static const struct scn_shape cordon_shape = {.fields = NULL}; /* nothing to say */

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field drain_fields[] = {
    {.key = "emptyDir",
     .type = SCN_BOOLEAN,
     AT(node.empty_dir),
     .fallback = "false",
     .help = "Also pods with an emptyDir volume, and what is in it is lost. Otherwise refused."},
};
#undef AT
static const struct scn_shape drain_shape = {FIELDS(drain_fields)};

static const struct scn_field node_fields[] = {
    {.key = "cordon",
     .type = SCN_OBJECT,
     .shape = &cordon_shape,
     .choice = FAULT_NODE_CORDON + 1,
     .help = "No new pod is placed there; an annotation says whose mark it is. Refused where "
             "somebody has cordoned it already, and on the agent's own node."},
    {.key = "drain",
     .type = SCN_OBJECT,
     .shape = &drain_shape,
     .choice = FAULT_NODE_DRAIN + 1,
     .help = "Cordoned, and its pods are evicted as far as disruption budgets allow, within the "
             "lease; those of DaemonSets, mirrors of files and those that have ended are left "
             "alone. All that is evicted must be in the topology, and within maxAffected of each "
             "service."},
    {.key = "reboot",
     .type = SCN_TEXT,
     .refused = FAULT_NODE_REBOOT_REFUSED,
     .help = "Never accepted: " FAULT_NODE_REBOOT_REFUSED "."},
};
const struct scn_shape scn_node_shape = {FIELDS(node_fields), .choice_of = "what is done to it",
                                         .choice_offset = offsetof(struct scn_fault, node.action)};
