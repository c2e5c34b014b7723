/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <sys/socket.h>

enum { LOOKS = 4 }; /* a deadline is missed by a quarter of it at most */

/* MHD sees the end of the stream and closes the connection as after any hang-up. */
static void give_up(struct io_peer *peer)
{
    peer->due = (struct mono_ns){0};
    (void)shutdown(peer->fd, SHUT_RDWR);
}

static void look_again(struct io_patience *patience)
{
    if (patience->peers != NULL && patience->request.ns > 0)
        io_timer_start(&patience->timer, (struct dur_ns){patience->request.ns / LOOKS});
}

static void on_look(void *ctx)
{
    struct io_patience *patience = ctx;
    struct mono_ns now = base_mono_now();
    for (struct io_peer *peer = patience->peers; peer != NULL; peer = peer->next)
        if (peer->due.ns != 0 && base_mono_before(peer->due, now))
            give_up(peer);
    look_again(patience);
}

void io_patience_init(struct io_patience *patience, struct io_loop *loop, struct dur_ns request,
                      struct dur_ns idle)
{
    *patience = (struct io_patience){.request = request, .idle = idle};
    io_timer_init(&patience->timer, loop, on_look, patience);
}

void io_patience_fini(struct io_patience *patience)
{
    io_timer_fini(&patience->timer);
}

void io_patience_add(struct io_patience *patience, struct io_peer *peer)
{
    bool first = patience->peers == NULL;
    peer->next = patience->peers;
    peer->link = &patience->peers;
    if (peer->next != NULL)
        peer->next->link = &peer->next;
    patience->peers = peer;
    io_patience_begins(patience, peer);
    if (first)
        look_again(patience);
}

void io_patience_remove(struct io_patience *patience, struct io_peer *peer)
{
    *peer->link = peer->next;
    if (peer->next != NULL)
        peer->next->link = peer->link;
    if (patience->peers == NULL)
        io_timer_stop(&patience->timer);
}

void io_patience_begins(const struct io_patience *patience, struct io_peer *peer)
{
    if (patience->request.ns > 0)
        peer->due = base_mono_add(base_mono_now(), patience->request);
}

void io_patience_whole(struct io_peer *peer)
{
    peer->due = (struct mono_ns){0};
}

void io_patience_rests(const struct io_patience *patience, struct io_peer *peer)
{
    io_patience_begins(patience, peer);
    if (peer->due.ns != 0)
        peer->due = base_mono_add(peer->due, patience->idle);
}

void io_patience_make_room(struct io_patience *patience)
{
    struct io_peer *oldest = NULL;
    for (struct io_peer *peer = patience->peers; peer != NULL; peer = peer->next)
        if (peer->due.ns != 0 && (oldest == NULL || !base_mono_before(oldest->due, peer->due)))
            oldest = peer;
    if (oldest != NULL)
        give_up(oldest);
}
