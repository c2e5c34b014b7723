/* SPDX-License-Identifier: Apache-2.0 */
/* Which platform and which agent a subcommand is about, from its options. */
#ifndef CLI_AGENT_CHOICE_H
#define CLI_AGENT_CHOICE_H

#include "model/topology.h"
#include "scenarios/control.h"

struct agent_choice {
    const char *name;           /* of a sandbox; NULL: "default" */
    const char *state;          /* where sandboxes keep their state */
    const char *topology;       /* file; instead of a sandbox */
    struct control_agent agent; /* given on the command line; else as the topology says */
};

#define AGENT_CHOICE_HELP                                                                          \
    "  --name SANDBOX      the sandbox (default), found in --state DIR or $SQUALL_STATE\n"         \
    "  --topology FILE     a platform that squall did not start, as its topology.json says\n"      \
    "  --agent URL         its agent, with --token-file FILE and, for https://, --ca FILE,\n"      \
    "                      --cert FILE, --key FILE; else as the topology says\n"

/* Rows of a table of options (options.h). The formatter takes their braces for those of blocks. */
/* clang-format off */
#define AGENT_CHOICE_OPTIONS(choice)                                                               \
    {"name", .text = &(choice)->name},                                                             \
    {"state", .text = &(choice)->state},                                                           \
    {"topology", .text = &(choice)->topology},                                                     \
    AGENT_OPTIONS(&(choice)->agent)
#define AGENT_OPTIONS(agent)                                                                       \
    {"agent", .text = &(agent)->url},                                                              \
    {"token-file", .text = &(agent)->token_file},                                                  \
    {"ca", .text = &(agent)->tls.ca},                                                              \
    {"cert", .text = &(agent)->tls.cert},                                                          \
    {"key", .text = &(agent)->tls.key}
/* clang-format on */

/* The platform; an exit code after a complaint, or -1. */
int agent_choice_platform(const struct agent_choice *choice, struct topo *out);
/* The agent: of the options, or else of the topology, which is then read when *topo is still
 * zeroed; *out borrows from both. An exit code after a complaint, or -1. */
int agent_choice_agent(const struct agent_choice *choice, struct topo *topo,
                       struct control_agent *out);

#endif
