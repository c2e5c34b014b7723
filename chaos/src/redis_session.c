/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hiredis adapter; the only file here that sees hiredis.h. Of it the protocol is used, its
 * writing and its reading; the connection is ours, so that a session can be let go of at any time
 * and nothing calls back for it.
 */
#include "redis_session.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

enum { words_max = 1200, chunk = 16 << 10, out_max = 4 << 20 };

struct question {
    fault_redis_next *next;
    void *ctx;
};

struct fault_redis {
    struct io_loop *loop;
    int fd;
    bool lost;
    char why[256]; /* it was lost, or is of no use */
    struct io_watch watch;
    struct io_timer kick; /* tells of a loss from the loop */
    struct base_buf out;
    redisReader *reader;
    struct question *queue; /* not answered yet, the oldest first */
    size_t count;
    bool *gone; /* set when it is freed inside a callback */
};

/* --- answers --- */

static struct question take(struct fault_redis *redis)
{
    struct question first = redis->queue[0];
    redis->count--;
    memmove(redis->queue, redis->queue + 1, redis->count * sizeof *redis->queue);
    return first;
}

/* false: the session was freed. */
static bool tell(struct fault_redis *redis, const struct fault_redis_answer *answer)
{
    bool gone = false;
    struct question question = take(redis);
    redis->gone = &gone; // cppcheck-suppress autoVariables ; taken back below, or it is no more
    if (question.next != NULL)
        question.next(question.ctx, answer);
    if (!gone)
        redis->gone = NULL;
    return !gone;
}

static void on_kick(void *ctx)
{
    struct fault_redis *redis = ctx;
    BASE_AUTO_FREE char *why = base_str_dup(redis->why);
    const struct fault_redis_answer answer = {.lost = true, .text = why};
    for (size_t due = redis->count; due > 0; due--) /* not what is asked meanwhile */
        if (!tell(redis, &answer))
            return;
}

static void lose(struct fault_redis *redis, const char *why)
{
    redis->lost = true;
    if (redis->why[0] == '\0')
        (void)snprintf(redis->why, sizeof redis->why, "%s", why);
    io_watch_fini(&redis->watch);
    redis->watch = (struct io_watch){0};
    base_fd_close(&redis->fd);
    io_timer_start(&redis->kick, (struct dur_ns){0});
}

static struct fault_redis_answer answer_of(const redisReply *reply)
{
    struct fault_redis_answer answer = {.ok = reply->type != REDIS_REPLY_ERROR, .text = ""};
    if (reply->type == REDIS_REPLY_INTEGER)
        answer.number = reply->integer;
    else if (reply->str != NULL)
        answer.text = reply->str;
    return answer;
}

/* false: nothing more to read now, or nobody to read it. */
static bool read_reply(struct fault_redis *redis)
{
    void *read = NULL;
    if (redisReaderGetReply(redis->reader, &read) != REDIS_OK) {
        lose(redis, redis->reader->errstr);
        return false;
    }
    if (read == NULL)
        return false;
    redisReply *reply = read;
    struct fault_redis_answer answer = answer_of(reply);
    bool alive = true;
    if (redis->count > 0)
        alive = tell(redis, &answer);
    else
        lose(redis, answer.text); /* "-ERR max number of clients reached": unasked */
    freeReplyObject(reply);
    return alive && !redis->lost;
}

/* --- the socket --- */

static void write_on(struct fault_redis *redis)
{
    while (redis->out.len > 0) {
        ssize_t sent = send(redis->fd, redis->out.data, redis->out.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            lose(redis, strerror(errno));
            return;
        }
        if (sent < 0)
            break;
        base_buf_consume(&redis->out, (size_t)sent);
    }
    io_watch_set(&redis->watch, IO_READ | (redis->out.len > 0 ? IO_WRITE : 0U));
}

static void read_on(struct fault_redis *redis)
{
    char bytes[chunk];
    ssize_t got = recv(redis->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose(redis, got == 0 ? "the server closed the connection" : strerror(errno));
        return;
    }
    (void)redisReaderFeed(redis->reader, bytes, (size_t)got);
    while (read_reply(redis))
        continue;
}

static void on_ready(void *ctx, unsigned events)
{
    struct fault_redis *redis = ctx;
    int error = 0;
    socklen_t len = sizeof error;
    (void)getsockopt(redis->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        lose(redis, strerror(error));
    if (!redis->lost && (events & IO_WRITE) != 0)
        write_on(redis);
    if (!redis->lost && (events & IO_READ) != 0)
        read_on(redis); /* last: the session may be no more then */
}

/* --- asking --- */

void fault_redis_ask(struct fault_redis *redis, const char *const *words, fault_redis_next *next,
                     void *ctx)
{
    const char *argv[words_max];
    int argc = 0;
    for (; argc < words_max && words[argc] != NULL; argc++)
        argv[argc] = words[argc];
    redis->queue = base_reallocarray(redis->queue, redis->count + 1, sizeof *redis->queue);
    redis->queue[redis->count++] = (struct question){.next = next, .ctx = ctx};
    if (redis->lost) {
        io_timer_start(&redis->kick, (struct dur_ns){0});
        return;
    }
    char *text = NULL;
    int len = redisFormatCommandArgv(&text, argc, argv, NULL);
    bool ok = len > 0 && base_buf_append(&redis->out, text, (size_t)len);
    if (text != NULL)
        redisFreeCommand(text);
    if (ok)
        io_watch_set(&redis->watch, IO_READ | IO_WRITE);
    else
        lose(redis, "too much is being sent at once");
}

/* --- birth and death --- */

static void on_welcome(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis *redis = ctx;
    if (!answer->ok && redis->why[0] == '\0')
        (void)snprintf(redis->why, sizeof redis->why, "%s", answer->text);
    if (!answer->ok && !answer->lost)
        lose(redis, redis->why); /* nothing that it is asked would be answered better */
}

static void authenticate(struct fault_redis *redis, const struct fault_credentials *who)
{
    const char *words[4] = {"AUTH"};
    size_t count = 1;
    if (who->password == NULL)
        return;
    if (who->user != NULL)
        words[count++] = who->user;
    words[count] = who->password;
    fault_redis_ask(redis, words, on_welcome, redis);
}

/* Non-blocking; -1 with errno. */
static int connect_begin(const char *address, uint16_t port)
{
    char text[8];
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    (void)snprintf(text, sizeof text, "%u", (unsigned)port);
    if (getaddrinfo(address, text, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS) {
        int sys = errno;
        base_fd_close(&fd);
        errno = sys;
    }
    freeaddrinfo(found);
    return fd;
}

struct fault_redis *fault_redis_open(struct io_loop *loop, const char *address, uint16_t port,
                                     const struct fault_credentials *credentials)
{
    struct fault_redis *redis = base_calloc(1, sizeof *redis);
    *redis = (struct fault_redis){.loop = loop, .fd = -1};
    base_buf_init(&redis->out, out_max);
    io_timer_init(&redis->kick, loop, on_kick, redis);
    redis->reader = redisReaderCreate();
    if (redis->reader == NULL)
        abort(); /* as base_calloc */
    redis->fd = connect_begin(address, port);
    if (redis->fd < 0) {
        lose(redis, strerror(errno));
    } else {
        io_watch_init(&redis->watch, loop, redis->fd, on_ready, redis);
        authenticate(redis, credentials);
    }
    return redis;
}

void fault_redis_free(struct fault_redis *redis)
{
    if (redis == NULL)
        return;
    if (redis->gone != NULL)
        *redis->gone = true;
    io_watch_fini(&redis->watch);
    io_timer_fini(&redis->kick);
    base_fd_close(&redis->fd);
    if (redis->out.data != NULL)
        explicit_bzero(redis->out.data, redis->out.cap);
    base_buf_fini(&redis->out);
    redisReaderFree(redis->reader);
    free(redis->queue);
    free(redis);
}
