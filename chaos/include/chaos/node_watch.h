/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog of marks on Kubernetes' nodes: a process beside the agent, of the same program, for
 * to take a mark off somebody has to speak HTTPS, which no fork of a process with threads may
 * (fork(2)). It takes off what is ours when its deadline passes or the agent is no more, and tries
 * again, at longer and longer intervals, until the API server says that nothing of ours is there;
 * after a day it gives up, and what remains is the journal.
 */
#ifndef CHAOS_NODE_WATCH_H
#define CHAOS_NODE_WATCH_H

#include <stdbool.h>

/* Whether the program was started as such a watchdog, by an agent (node_guard.h). */
bool agent_is_node_watch(int argc, char *const *argv);
int agent_node_watch(char *const *argv); /* its exit code */

#endif
