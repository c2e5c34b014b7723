/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of a proxy are many, and those of the agent must never run out: without one it
 * cannot answer, renew, revert or halt. */
#ifndef CHAOS_PROXY_FD_H
#define CHAOS_PROXY_FD_H

/* Takes over fd (-1: as it is) and returns the one to use instead, close-on-exec; -1 with errno
 * EMFILE when it would be one of those left to the agent. Where there is room it is above those
 * that the agent opens itself: the kernel of a process that was killed closes what was opened last
 * first (task_work is a stack), and connections must be closed while the redirect's table, whose
 * owner is a descriptor of the agent's, still translates their resets. */
int proxy_fd_keep(int fd);

#endif
