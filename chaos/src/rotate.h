/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of lines that may not grow for ever. When it is full, FILE becomes FILE.1, FILE.1 becomes
 * FILE.2, and so on; of more than `keep` the oldest goes. Each step is a rename(2): whoever dies in
 * between leaves a gap in the numbers, which the next rotation fills, and loses no line.
 */
#ifndef CHAOS_ROTATE_H
#define CHAOS_ROTATE_H

#include "base/error.h"

/* *fd is open for appending to path, and becomes a new file there; what was written to it is on the
 * disk before. When somebody else has put the file away already, that is only followed. On failure
 * *fd stays open where it was, so that nothing is lost. */
bool agent_rotate(int *fd, const char *path, unsigned keep, struct base_error *err);
/* Opens for appending, makes it (mode 0600) when missing; -1 with errno. A link is not followed. */
int agent_rotate_open(const char *path);

#endif
