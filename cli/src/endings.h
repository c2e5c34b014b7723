/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals by which a user ends a load: SIGINT, SIGTERM and, unless nohup has it ignored, SIGHUP.
 * The first one is told, so that the load ends in order; a second one ends the program.
 */
#ifndef CLI_ENDINGS_H
#define CLI_ENDINGS_H

#include "io/loop.h"

struct endings {
    void *ctx;
    void (*on_end)(void *ctx);
    struct io_signal signals[3];
};

/* Before there is anything that must not be left behind. Must not move until endings_fini. */
void endings_init(struct endings *endings, struct io_loop *loop, void (*on_end)(void *ctx),
                  void *ctx);
void endings_fini(struct endings *endings); /* accepts a zeroed value */

#endif
