/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_ask.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

enum { REPLY_MAX = 64 << 10 };

struct redis_ask {
    struct io_watch watch;
    struct io_timer timer;      /* patience, or zero when it is over */
    unsigned wanted;            /* IO_READ | IO_WRITE */
    redisAsyncContext *context; /* NULL: hiredis has freed it */
    bool over;
    char *trouble;
    char *reply;
    void (*on_done)(void *ctx, const struct redis_answer *answer);
    void *ctx;
};

/* hiredis calls back what is under way when it is freed: that comes to nobody any more. */
static void release(struct redis_ask *ask)
{
    ask->over = true;
    if (ask->context != NULL)
        redisAsyncFree(ask->context);
    io_watch_fini(&ask->watch);
    io_timer_fini(&ask->timer);
    free(ask->trouble);
    free(ask->reply);
    free(ask);
}

void redis_ask_cancel(struct redis_ask *ask)
{
    if (ask != NULL)
        release(ask);
}

/* Answers from the loop, for hiredis may still be at work further up; trouble is taken over. */
static void end(struct redis_ask *ask, char *trouble)
{
    if (ask->over) {
        free(trouble);
        return;
    }
    ask->over = true;
    ask->trouble = trouble;
    io_watch_set(&ask->watch, 0);
    io_timer_start(&ask->timer, (struct dur_ns){0});
}

static void on_timer(void *ctx)
{
    struct redis_ask *ask = ctx;
    if (!ask->over)
        ask->trouble = base_str_dup("Redis: no answer in time");
    char *trouble = ask->trouble;
    char *reply = ask->reply;
    const struct redis_answer answer = {.trouble = trouble, .reply = reply};
    void (*on_done)(void *, const struct redis_answer *) = ask->on_done;
    void *done_ctx = ask->ctx;
    ask->trouble = NULL;
    ask->reply = NULL;
    release(ask);
    on_done(done_ctx, &answer);
    free(trouble);
    free(reply);
}

/* ---- the loop, as hiredis wants it ---- */

static void want(struct redis_ask *ask, unsigned on, unsigned off)
{
    ask->wanted = (ask->wanted | on) & ~off;
    if (!ask->over)
        io_watch_set(&ask->watch, ask->wanted);
}

static void add_read(void *ctx)
{
    want(ctx, IO_READ, 0);
}

static void del_read(void *ctx)
{
    want(ctx, 0, IO_READ);
}

static void add_write(void *ctx)
{
    want(ctx, IO_WRITE, 0);
}

static void del_write(void *ctx)
{
    want(ctx, 0, IO_WRITE);
}

/* The context goes, and its descriptor with it. */
static void cleanup(void *ctx)
{
    struct redis_ask *ask = ctx;
    io_watch_fini(&ask->watch);
    ask->context = NULL;
    end(ask, base_str_dup("Redis: the connection ended"));
}

static void on_ready(void *ctx, unsigned events)
{
    struct redis_ask *ask = ctx;
    if ((events & IO_WRITE) != 0)
        redisAsyncHandleWrite(ask->context);
    if ((events & IO_READ) != 0 && ask->context != NULL && !ask->over)
        redisAsyncHandleRead(ask->context);
}

/* ---- replies ---- */

static void put_reply(const redisReply *reply, struct base_buf *out)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        (void)base_buf_append(out, reply->str, reply->len);
        return;
    case REDIS_REPLY_INTEGER:
        (void)base_buf_printf(out, "%lld", reply->integer);
        return;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++) {
            (void)base_buf_str(out, i > 0 ? " " : "");
            put_reply(reply->element[i], out);
        }
        return;
    default:
        (void)base_buf_str(out, "(nil)");
    }
}

/* NULL: it is none; free() it. */
static char *error_of(const redisAsyncContext *context, const redisReply *reply)
{
    if (reply == NULL)
        return base_str_printf("Redis: %s",
                               context->err != 0 ? context->errstr : "the connection ended");
    if (reply->type == REDIS_REPLY_ERROR)
        return base_str_printf("Redis: %s", reply->str);
    return NULL;
}

/* Of logging in and choosing a database only a failure is of interest. */
static void on_prepared(redisAsyncContext *context, void *reply, void *ctx)
{
    char *trouble = error_of(context, reply);
    if (trouble != NULL)
        end(ctx, trouble);
}

static void on_reply(redisAsyncContext *context, void *reply, void *ctx)
{
    struct redis_ask *ask = ctx;
    char *trouble = error_of(context, reply);
    if (ask->over || trouble != NULL) {
        end(ask, trouble);
        return;
    }
    struct base_buf text;
    base_buf_init(&text, REPLY_MAX);
    put_reply(reply, &text);
    ask->reply = base_buf_steal(&text);
    end(ask, ask->reply != NULL ? NULL : base_str_dup("Redis: the reply is too long"));
    base_buf_fini(&text);
}

/* ---- asking ---- */

static void send_words(struct redis_ask *ask, redisCallbackFn *callback, const char *const *words,
                       size_t count)
{
    if (ask->context != NULL &&
        redisAsyncCommandArgv(ask->context, callback, ask, (int)count,
                              (const char **)(uintptr_t)words, NULL) != REDIS_OK)
        end(ask, base_str_dup("Redis: the command cannot be sent"));
}

static void send_all(struct redis_ask *ask, const struct redis_question *question)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", question->database);
    if (question->user != NULL && question->password != NULL)
        send_words(ask, on_prepared, (const char *[]){"AUTH", question->user, question->password},
                   3);
    else if (question->password != NULL)
        send_words(ask, on_prepared, (const char *[]){"AUTH", question->password}, 2);
    if (question->database != 0)
        send_words(ask, on_prepared, (const char *[]){"SELECT", number}, 2);
    send_words(ask, on_reply, (const char *const *)question->command, question->command_count);
}

static void attach(struct redis_ask *ask, struct io_loop *loop)
{
    redisAsyncContext *context = ask->context;
    io_watch_init(&ask->watch, loop, context->c.fd, on_ready, ask);
    context->ev.data = ask;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
}

struct redis_ask *redis_ask_start(struct io_loop *loop, const struct redis_question *question,
                                  void (*on_done)(void *ctx, const struct redis_answer *answer),
                                  void *ctx)
{
    struct redis_ask *ask = base_calloc(1, sizeof *ask);
    *ask = (struct redis_ask){.on_done = on_done, .ctx = ctx};
    io_timer_init(&ask->timer, loop, on_timer, ask);
    ask->context = redisAsyncConnect(question->target->address, question->target->port);
    if (ask->context == NULL)
        abort(); /* as base_calloc */
    io_timer_start(&ask->timer, question->patience);
    if (ask->context->err != 0) {
        end(ask, base_str_printf("Redis: %s", ask->context->errstr));
        return ask;
    }
    attach(ask, loop);
    send_all(ask, question);
    return ask;
}
