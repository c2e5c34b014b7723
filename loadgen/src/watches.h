/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches of descriptors that a library opens and closes and that only says, before and after each
 * use, what it waits for. A descriptor that nobody waits for stays registered: most often it is
 * waited for again with the next request, and telling the kernel twice a request would cost as much
 * as the rest. Should it be readable meanwhile (the other side has closed it), it is let go.
 *
 * They are found by descriptor, in a table as long as the highest one: one table for all who wait
 * on a loop, not one for each.
 */
#ifndef LOAD_WATCHES_H
#define LOAD_WATCHES_H

#include "io/loop.h"

struct load_watch;

struct load_watches {
    struct io_loop *loop;
    void (*on_ready)(void *owner, int fd, unsigned events); /* IO_READ | IO_WRITE */
    struct load_watch **list;                               /* by descriptor */
    size_t room;
};

/* events 0: nobody waits. owner: who is told, until the next call for fd. */
void load_watches_set(struct load_watches *watches, int fd, void *owner, unsigned events);
/* Before fd is closed. */
void load_watches_forget(struct load_watches *watches, int fd);
void load_watches_fini(struct load_watches *watches); /* accepts a zeroed value */

#endif
