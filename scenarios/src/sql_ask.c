/* SPDX-License-Identifier: Apache-2.0 */
#include "sql_ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/pg_late.h"

enum sql_step { SQL_CONNECTING, SQL_ASKED, SQL_OVER };

struct sql_ask {
    struct io_loop *loop;
    PGconn *pg; /* NULL: out of memory */
    struct io_watch watch;
    struct io_timer timer; /* patience, or zero when it is over */
    enum sql_step step;
    char *query;
    char *trouble;
    int64_t rows;
    char *value;
    void (*on_done)(void *ctx, const struct sql_answer *answer);
    void *ctx;
};

static void release(struct sql_ask *ask)
{
    io_watch_fini(&ask->watch); /* before libpq closes the descriptor under it */
    io_timer_fini(&ask->timer);
    if (ask->pg != NULL)
        PQfinish(ask->pg);
    free(ask->query);
    free(ask->trouble);
    free(ask->value);
    free(ask);
}

void sql_ask_cancel(struct sql_ask *ask)
{
    if (ask != NULL)
        release(ask);
}

/* Answers from the loop; trouble is taken over, NULL: there is none. */
static void end(struct sql_ask *ask, char *trouble)
{
    ask->step = SQL_OVER;
    ask->trouble = trouble;
    io_watch_fini(&ask->watch);
    io_timer_start(&ask->timer, (struct dur_ns){0});
}

static char *message_of(const char *text)
{
    size_t len = strcspn(text, "\n");
    return base_str_printf("PostgreSQL: %.*s", (int)len, len > 0 ? text : "the connection ended");
}

static void on_timer(void *ctx)
{
    struct sql_ask *ask = ctx;
    if (ask->step != SQL_OVER)
        ask->trouble =
            base_str_dup(ask->step == SQL_CONNECTING ? "PostgreSQL: no connection in time"
                                                     : "PostgreSQL: no answer in time");
    char *trouble = ask->trouble;
    char *value = ask->value;
    const struct sql_answer answer = {.trouble = trouble, .rows = ask->rows, .value = value};
    void (*on_done)(void *, const struct sql_answer *) = ask->on_done;
    void *done_ctx = ask->ctx;
    ask->trouble = NULL;
    ask->value = NULL;
    release(ask);
    on_done(done_ctx, &answer);
    free(trouble);
    free(value);
}

static void on_socket(void *ctx, unsigned events);

/* While connecting libpq may change its socket, under the same number too. */
static void rewatch(struct sql_ask *ask, unsigned events)
{
    io_watch_fini(&ask->watch);
    if (PQsocket(ask->pg) < 0)
        return;
    io_watch_init(&ask->watch, ask->loop, PQsocket(ask->pg), on_socket, ask);
    io_watch_set(&ask->watch, events);
}

static void flush(struct sql_ask *ask)
{
    int left = PQflush(ask->pg);
    if (left < 0)
        end(ask, message_of(PQerrorMessage(ask->pg)));
    else
        io_watch_set(&ask->watch, IO_READ | (left > 0 ? IO_WRITE : 0U));
}

/* With parameters (none) a query is one statement, whatever else it tries to be. */
static void send_query(struct sql_ask *ask)
{
    rewatch(ask, IO_READ);
    if (PQsetnonblocking(ask->pg, 1) != 0 ||
        PQsendQueryParams(ask->pg, ask->query, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
        PQsetSingleRowMode(ask->pg) != 1) {
        end(ask, message_of(PQerrorMessage(ask->pg)));
        return;
    }
    ask->step = SQL_ASKED;
    flush(ask);
}

static void poll_connect(struct sql_ask *ask)
{
    io_watch_fini(&ask->watch);
    switch (PQconnectPoll(ask->pg)) {
    case PGRES_POLLING_READING:
        rewatch(ask, IO_READ);
        return;
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
        rewatch(ask, IO_WRITE);
        return;
    case PGRES_POLLING_OK:
        send_query(ask);
        return;
    case PGRES_POLLING_FAILED:
        break;
    }
    end(ask, message_of(PQerrorMessage(ask->pg)));
}

/* What is wrong with it; NULL: nothing. */
static char *take_result(struct sql_ask *ask, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (status == PGRES_SINGLE_TUPLE && ask->rows++ == 0 && PQnfields(result) > 0 &&
        !PQgetisnull(result, 0, 0))
        ask->value = base_str_dup(PQgetvalue(result, 0, 0));
    if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return NULL;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return text == NULL ? message_of(PQresStatus(status))
                        : base_str_printf("PostgreSQL: %s (SQLSTATE %s)", text,
                                          state != NULL ? state : "unknown");
}

static void take_results(struct sql_ask *ask)
{
    if (PQconsumeInput(ask->pg) == 0) {
        end(ask, message_of(PQerrorMessage(ask->pg)));
        return;
    }
    while (!PQisBusy(ask->pg)) {
        PGresult *result = PQgetResult(ask->pg);
        char *trouble = result != NULL ? take_result(ask, result) : NULL;
        PQclear(result);
        if (result == NULL || trouble != NULL) {
            end(ask, trouble);
            return;
        }
    }
    flush(ask);
}

static void on_socket(void *ctx, unsigned events)
{
    struct sql_ask *ask = ctx;
    (void)events;
    if (ask->step == SQL_CONNECTING)
        poll_connect(ask);
    else if (ask->step == SQL_ASKED)
        take_results(ask);
}

/* A notice is the server's log matter; libpq's default prints it to stderr. */
static void on_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

static PGconn *connect_to(const struct sql_question *question)
{
    char port[8];
    /* A probe that changes what it looks at is none; and a server that works on for one that has
     * hung up is work that nobody asked for. */
    BASE_AUTO_FREE char *options =
        base_str_printf("-c default_transaction_read_only=on -c statement_timeout=%" PRId64,
                        base_dur_to_ms(question->patience));
    (void)snprintf(port, sizeof port, "%u", (unsigned)question->target->port);
    /* Without GSSAPI, which would look names up and block. */
    const struct {
        const char *keyword, *value;
    } parts[] = {{"hostaddr", question->target->address},
                 {"port", port},
                 {"dbname", question->database},
                 {"user", question->user},
                 {"password", question->password},
                 {"application_name", "squall probe"},
                 {"gssencmode", "disable"},
                 {"options", options}};
    enum { PARTS = sizeof parts / sizeof parts[0] };
    const char *keywords[PARTS + 1] = {NULL};
    const char *values[PARTS + 1] = {NULL};
    for (size_t i = 0; i < PARTS; i++) {
        keywords[i] = parts[i].keyword;
        values[i] = parts[i].value; /* NULL: libpq's default */
    }
    return PQconnectStartParams(keywords, values, 0);
}

struct sql_ask *sql_ask_start(struct io_loop *loop, const struct sql_question *question,
                              void (*on_done)(void *ctx, const struct sql_answer *answer),
                              void *ctx)
{
    struct base_error err = {0};
    bool able = io_pg_load(&err);
    struct sql_ask *ask = base_calloc(1, sizeof *ask);
    *ask = (struct sql_ask){.loop = loop,
                            .pg = able ? connect_to(question) : NULL,
                            .query = base_str_dup(question->query),
                            .on_done = on_done,
                            .ctx = ctx};
    io_timer_init(&ask->timer, loop, on_timer, ask);
    if (!able) {
        end(ask, message_of(err.message));
        return ask;
    }
    if (ask->pg == NULL || PQstatus(ask->pg) == CONNECTION_BAD) {
        end(ask, message_of(ask->pg == NULL ? "out of memory" : PQerrorMessage(ask->pg)));
        return ask;
    }
    PQsetNoticeProcessor(ask->pg, on_notice, NULL);
    rewatch(ask, IO_WRITE); /* "behave as if PQconnectPoll had returned WRITING" */
    io_timer_start(&ask->timer, question->patience);
    return ask;
}
