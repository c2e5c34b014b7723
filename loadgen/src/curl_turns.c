/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_turns.h"

#include "io/curl_late.h"

static int on_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct load_curl_turns *turns = ctx;
    (void)easy;
    (void)of_socket;
    if (what == CURL_POLL_REMOVE && !turns->lasting)
        load_watches_forget(turns->watches, fd);
    else if (what == CURL_POLL_REMOVE)
        load_watches_set(turns->watches, fd, turns, 0);
    else
        load_watches_set(turns->watches, fd, turns,
                         ((what & CURL_POLL_IN) != 0 ? IO_READ : 0U) |
                             ((what & CURL_POLL_OUT) != 0 ? IO_WRITE : 0U));
    return 0;
}

static int on_timeout(CURLM *multi, long ms, void *ctx)
{
    struct load_curl_turns *turns = ctx;
    (void)multi;
    if (ms < 0)
        io_timer_stop(&turns->timer);
    else
        io_timer_start(&turns->timer, base_dur_ms(ms));
    return 0;
}

static void act(struct load_curl_turns *turns, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(turns->multi, fd, events, &running);
    turns->on_turn(turns->ctx);
}

static void on_timer(void *ctx)
{
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

void load_curl_turns_go_on(void *owner, int fd, unsigned events)
{
    act(owner, fd,
        ((events & IO_READ) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & IO_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

bool load_curl_turns_init(struct load_curl_turns *turns, struct load_watches *watches, bool lasting,
                          void (*on_turn)(void *ctx), void *ctx, struct base_error *err)
{
    *turns = (struct load_curl_turns){.multi = curl_multi_init(),
                                      .watches = watches,
                                      .lasting = lasting,
                                      .on_turn = on_turn,
                                      .ctx = ctx};
    io_timer_init(&turns->timer, watches->loop, on_timer, turns);
    if (turns->multi == NULL)
        return base_fail(err, BASE_LIMIT, "out of memory for libcurl");
    (void)curl_multi_setopt(turns->multi, CURLMOPT_SOCKETFUNCTION, on_wanted);
    (void)curl_multi_setopt(turns->multi, CURLMOPT_SOCKETDATA, turns);
    (void)curl_multi_setopt(turns->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(turns->multi, CURLMOPT_TIMERDATA, turns);
    return true;
}

void load_curl_turns_fini(struct load_curl_turns *turns)
{
    if (turns->watches == NULL)
        return;
    if (turns->multi != NULL)
        (void)curl_multi_cleanup(turns->multi);
    io_timer_fini(&turns->timer);
    *turns = (struct load_curl_turns){0};
}
