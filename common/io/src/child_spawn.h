/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a process and learning how it ended, for child.c (on a loop) and child_run.c (without).
 */
#ifndef IO_CHILD_SPAWN_H
#define IO_CHILD_SPAWN_H

#include "io/child.h"

/* Starts the child and opens its pidfd, both the caller's from then on. */
bool io_child_launch(const struct io_child_spec *spec, pid_t *out_pid, int *out_pidfd,
                     struct base_error *err);
/* Reaps: fills status and signaled. With WNOHANG false while the child still runs. */
bool io_child_collect(int pidfd, int extra_options, struct io_child_exit *out);
/* Sends a signal through the pidfd. */
bool io_child_pidfd_signal(int pidfd, int number);

#endif
