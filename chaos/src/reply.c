/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "measure.h"

struct fault_answer {
    int fd;
    struct io_watch watch;
    struct io_timer timer; /* patience, or zero when all was known at once */
    struct mono_ns started;
    const char *question;
    size_t question_len;
    bool asked;
    int at_once; /* errno of an immediate refusal; 0: none */
    void (*on_done)(void *ctx, const struct fault_answer_result *);
    void *ctx;
};

/* PostgreSQL's SSLRequest (protocol, "Message Formats") is answered with one letter before anybody
 * has logged in. Prometheus and the rest speak HTTP. */
static const char ssl_request[] = {0, 0, 0, 8, 0x04, (char)0xd2, 0x16, 0x2f};
static const char http_request[] = "GET " FAULT_MEASURE_PATH " HTTP/1.1\r\n"
                                   "Host: squall\r\n"
                                   "X-Traffic: probe\r\n"
                                   "Connection: close\r\n"
                                   "\r\n";

void fault_answer_cancel(struct fault_answer *answer)
{
    if (answer == NULL)
        return;
    io_watch_fini(&answer->watch);
    io_timer_fini(&answer->timer);
    base_fd_close(&answer->fd);
    free(answer);
}

static void finish(struct fault_answer *answer, bool answered, int sys)
{
    struct fault_answer_result result = {
        .answered = answered,
        .sys = sys,
        .elapsed = base_mono_sub(base_mono_now(), answer->started),
    };
    void (*on_done)(void *ctx, const struct fault_answer_result *) = answer->on_done;
    void *ctx = answer->ctx;
    fault_answer_cancel(answer);
    on_done(ctx, &result);
}

static void ask(struct fault_answer *answer)
{
    int sys = 0;
    socklen_t len = sizeof sys;
    if (getsockopt(answer->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    /* Fresh and empty, the socket's buffer takes so few bytes at once. */
    if (sys == 0 && send(answer->fd, answer->question, answer->question_len, MSG_NOSIGNAL) < 0)
        sys = errno;
    if (sys != 0) {
        finish(answer, false, sys);
        return;
    }
    answer->asked = true;
    io_watch_set(&answer->watch, IO_READ);
}

static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    struct fault_answer *answer = ctx;
    char first;
    if (!answer->asked) {
        ask(answer);
        return;
    }
    ssize_t got = recv(answer->fd, &first, 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    finish(answer, got > 0, got > 0 ? 0 : got == 0 ? ECONNRESET : errno);
}

static void on_expire(void *ctx)
{
    struct fault_answer *answer = ctx;
    finish(answer, false, answer->at_once != 0 ? answer->at_once : ETIMEDOUT);
}

static socklen_t fill_address(const struct fault_target *target, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(target->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)};
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, target->address, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (inet_pton(AF_INET6, target->address, &in6.sin6_addr) != 1)
        return 0;
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

struct fault_answer *
fault_answer_start(struct io_loop *loop, const struct fault_target *target, struct dur_ns patience,
                   void (*on_done)(void *ctx, const struct fault_answer_result *), void *ctx,
                   struct base_error *err)
{
    struct sockaddr_storage address;
    socklen_t len = fill_address(target, &address);
    if (len == 0) {
        (void)base_fail(err, BASE_INVALID, "%s: \"%s\" is no IPv4 or IPv6 address", target->name,
                        target->address);
        return NULL;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        (void)base_fail_errno(err, "cannot make a socket");
        return NULL;
    }
    bool postgres = base_str_eq(target->kind, "postgres");
    struct fault_answer *answer = base_calloc(1, sizeof *answer);
    *answer = (struct fault_answer){
        .fd = fd,
        .started = base_mono_now(),
        .question = postgres ? ssl_request : http_request,
        .question_len = postgres ? sizeof ssl_request : sizeof http_request - 1,
        .on_done = on_done,
        .ctx = ctx,
    };
    io_watch_init(&answer->watch, loop, fd, on_ready, answer);
    io_timer_init(&answer->timer, loop, on_expire, answer);
    if (connect(fd, (const struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS)
        answer->at_once = errno;
    else
        io_watch_set(&answer->watch, IO_WRITE);
    io_timer_start(&answer->timer, answer->at_once == 0 ? patience : (struct dur_ns){0});
    return answer;
}

void fault_answer_describe(const struct fault_answer_result *result, char *out, size_t size)
{
    char took[BASE_DUR_TEXT];
    base_dur_format_brief(result->elapsed, took);
    if (result->answered)
        (void)snprintf(out, size, "answered in %s", took);
    else if (result->sys == ETIMEDOUT)
        (void)snprintf(out, size, "no answer in %s", took);
    else
        (void)snprintf(out, size, "%s after %s", strerror(result->sys), took);
}
