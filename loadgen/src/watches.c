/* SPDX-License-Identifier: Apache-2.0 */
#include "watches.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct load_watch {
    struct load_watches *of;
    void *owner;
    struct io_watch watch;
    int fd;
    unsigned wanted;     /* by its owner */
    unsigned registered; /* with the kernel; never less */
};

static void register_for(struct load_watch *watch, unsigned events)
{
    watch->registered = events;
    io_watch_set(&watch->watch, events);
}

static void on_ready(void *ctx, unsigned events)
{
    struct load_watch *watch = ctx;
    if (watch->wanted == 0)
        register_for(watch, 0);
    else
        watch->of->on_ready(watch->owner, watch->fd, events);
}

static void make_room(struct load_watches *watches, size_t count)
{
    size_t room = watches->room == 0 ? 64 : watches->room;
    while (room < count)
        room *= 2;
    watches->list = base_reallocarray(watches->list, room, sizeof(void *));
    memset(watches->list + watches->room, 0, (room - watches->room) * sizeof(void *));
    watches->room = room;
}

static struct load_watch *watch_of(struct load_watches *watches, int fd, void *owner)
{
    size_t at = (size_t)fd;
    if (at >= watches->room)
        make_room(watches, at + 1);
    /* libcurl closes the descriptors of its resolver without saying so: the same number is then
     * another file, which the kernel was not told to watch. */
    if (watches->list[at] != NULL && watches->list[at]->owner != owner)
        load_watches_forget(watches, fd);
    if (watches->list[at] == NULL) {
        struct load_watch *watch = base_calloc(1, sizeof *watch);
        watch->of = watches;
        watch->owner = owner;
        watch->fd = fd;
        io_watch_init(&watch->watch, watches->loop, fd, on_ready, watch);
        watches->list[at] = watch;
    }
    return watches->list[at];
}

void load_watches_set(struct load_watches *watches, int fd, void *owner, unsigned events)
{
    struct load_watch *watch = watch_of(watches, fd, owner);
    watch->wanted = events;
    if (events != 0)
        register_for(watch, events);
    else if ((watch->registered & IO_WRITE) != 0) /* which it is all the time */
        register_for(watch, watch->registered & IO_READ);
}

void load_watches_forget(struct load_watches *watches, int fd)
{
    size_t at = (size_t)fd;
    if (at >= watches->room || watches->list[at] == NULL)
        return;
    io_watch_fini(&watches->list[at]->watch);
    free(watches->list[at]);
    watches->list[at] = NULL;
}

void load_watches_fini(struct load_watches *watches)
{
    for (size_t i = 0; i < watches->room; i++)
        load_watches_forget(watches, (int)i);
    free(watches->list);
    *watches = (struct load_watches){0};
}
