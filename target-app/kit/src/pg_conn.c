/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libpq adapter; the only file that sees libpq-fe.h
 * (https://www.postgresql.org/docs/15/libpq-async.html,
 * libpq-connect.html#LIBPQ-PQCONNECTSTARTPARAMS).
 */
#include "pg_conn.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

enum pg_state { PG_CONNECTING, PG_IDLE, PG_PREPARING, PG_EXECUTING, PG_LOST };

struct pg_conn {
    struct io_loop *loop;
    PGconn *pg;
    struct io_watch watch;
    struct io_timer kick; /* reports what went wrong inside pg_conn_start from the loop */
    const struct pg_conn_events *events;
    void *owner;
    enum pg_state state;
    uint64_t prepared; /* a bit for each statement index */
    struct pg_statement_call call;
    PGresult *result; /* of the step under way */
};

const char *kit_pg_cell(const struct kit_pg_reply *reply, size_t row, unsigned column)
{
    const PGresult *result = reply->result;
    if (result == NULL || row >= reply->rows || (int)column >= PQnfields(result) ||
        PQgetisnull(result, (int)row, (int)column))
        return NULL;
    return PQgetvalue(result, (int)row, (int)column);
}

/* --- connection strings --- */

static void put_option(struct base_buf *out, const char *keyword, const char *value)
{
    base_buf_printf(out, "%s%s='", out->len > 0 ? " " : "", keyword);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\')
            base_buf_char(out, '\\');
        base_buf_char(out, *p);
    }
    base_buf_char(out, '\'');
}

/* A value of ours unless the user gave one. */
static void put_default(struct base_buf *out, const PQconninfoOption *options, const char *keyword,
                        const char *value)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0 && options->val != NULL)
            return;
    }
    put_option(out, keyword, value);
}

char *pg_conninfo_extend(const char *conninfo, struct dur_ns statement_timeout,
                         struct dur_ns dead_after, struct base_error *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (options == NULL) {
        (void)base_fail(err, BASE_INVALID, "the PostgreSQL connection string is malformed: %s",
                        message != NULL ? message : "out of memory");
        PQfreemem(message);
        return NULL;
    }
    BASE_AUTO_BUF struct base_buf session;
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&session, 4096);
    base_buf_init(&out, 16384);
    base_buf_printf(&session, "-c timezone=UTC -c statement_timeout=%" PRId64,
                    base_dur_to_ms(statement_timeout));
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "options") == 0)
            base_buf_printf(&session, " %s", o->val); /* later wins: the user's */
        else
            put_option(&out, o->keyword, o->val);
    }
    put_option(&out, "options", session.data);
    char dead_ms[24];
    snprintf(dead_ms, sizeof dead_ms, "%" PRId64, base_dur_to_ms(dead_after));
    put_default(&out, options, "client_encoding", "UTF8");
    put_default(&out, options, "tcp_user_timeout", dead_ms);
    put_default(&out, options, "keepalives_idle", "1");
    put_default(&out, options, "keepalives_interval", "1");
    put_default(&out, options, "keepalives_count", "2");
    PQconninfoFree(options);
    char *extended = base_buf_steal(&out);
    if (extended == NULL)
        (void)base_fail(err, BASE_LIMIT, "the PostgreSQL connection string is too long");
    return extended;
}

/* --- events --- */

static void on_socket(void *ctx, unsigned events);

static void rewatch(struct pg_conn *conn, unsigned events)
{
    /* While connecting libpq may close its socket and open another, under the same number too, so
     * the watcher is made anew. */
    io_watch_fini(&conn->watch);
    if (PQsocket(conn->pg) < 0)
        return;
    io_watch_init(&conn->watch, conn->loop, PQsocket(conn->pg), on_socket, conn);
    io_watch_set(&conn->watch, events);
}

static void lose(struct pg_conn *conn, enum base_code code)
{
    struct base_error error;
    BASE_AUTO_FREE char *text = base_str_dup(PQerrorMessage(conn->pg));
    for (size_t i = strlen(text); i > 0 && text[i - 1] == '\n'; i--)
        text[i - 1] = '\0';
    (void)base_fail(&error, code, "PostgreSQL: %s",
                    text[0] != '\0' ? text : "the connection was closed");
    conn->state = PG_LOST;
    io_watch_fini(&conn->watch);
    conn->events->on_lost(conn->owner, &error);
}

static void poll_connect(struct pg_conn *conn)
{
    io_watch_fini(&conn->watch);
    switch (PQconnectPoll(conn->pg)) {
    case PGRES_POLLING_READING:
        rewatch(conn, IO_READ);
        return;
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
        rewatch(conn, IO_WRITE);
        return;
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(conn->pg, 1) != 0)
            break;
        conn->state = PG_IDLE;
        rewatch(conn, IO_READ); /* so that a server that goes away is seen while idle */
        conn->events->on_connected(conn->owner);
        return;
    case PGRES_POLLING_FAILED:
        break;
    }
    lose(conn, BASE_UNAVAILABLE);
}

static void statement_name(size_t index, char out[static 24])
{
    snprintf(out, 24, "kit_%zu", index);
}

/* Sends what the state asks for; false when libpq refuses, which means a broken connection. */
static bool send_step(struct pg_conn *conn)
{
    char name[24];
    statement_name(conn->call.index, name);
    const struct kit_pg_statement *statement = conn->call.statement;
    int ok = conn->state == PG_PREPARING
                 ? PQsendPrepare(conn->pg, name, statement->sql, (int)statement->params, NULL)
                 : PQsendQueryPrepared(conn->pg, name, (int)statement->params, conn->call.params,
                                       NULL, NULL, 0);
    int left = ok ? PQflush(conn->pg) : -1;
    if (left < 0)
        return false;
    io_watch_set(&conn->watch, IO_READ | (left > 0 ? IO_WRITE : 0U));
    return true;
}

static enum base_code code_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum base_code code;
    } rows[] = {
        {"57014", BASE_TIMEOUT},     /* query_canceled: statement_timeout */
        {"23", BASE_INVALID},        /* integrity constraint violation */
        {"22", BASE_INVALID},        /* data exception */
        {"08", BASE_UNAVAILABLE},    /* connection exception */
        {"53", BASE_UNAVAILABLE},    /* insufficient resources */
        {"57P", BASE_UNAVAILABLE},   /* shutdown, crash, starting up */
        {"25006", BASE_UNAVAILABLE}, /* read only: a standby */
        {"40", BASE_UNAVAILABLE},    /* rolled back by conflict: a retry may work */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (base_str_starts(sqlstate, rows[i].prefix))
            return rows[i].code;
    }
    return BASE_INTERNAL;
}

static const char *text_of(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text != NULL ? text : "";
}

static void describe(const PGresult *result, struct kit_pg_reply *reply)
{
    ExecStatusType status = PQresultStatus(result);
    *reply = (struct kit_pg_reply){
        .ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK,
        .constraint = text_of(result, PG_DIAG_CONSTRAINT_NAME),
        .rows = (size_t)PQntuples(result),
        .result = result,
    };
    if (reply->ok)
        return;
    snprintf(reply->sqlstate, sizeof reply->sqlstate, "%s", text_of(result, PG_DIAG_SQLSTATE));
    (void)base_fail(&reply->error, code_of(reply->sqlstate), "PostgreSQL: %s (SQLSTATE %s)",
                    text_of(result, PG_DIAG_MESSAGE_PRIMARY), reply->sqlstate);
}

/* The step has no more results. */
static void end_step(struct pg_conn *conn)
{
    PGresult *result = conn->result;
    conn->result = NULL;
    if (PQstatus(conn->pg) == CONNECTION_BAD || result == NULL) {
        PQclear(result);
        lose(conn, BASE_UNAVAILABLE);
        return;
    }
    struct kit_pg_reply reply;
    describe(result, &reply);
    if (conn->state == PG_PREPARING && reply.ok) {
        PQclear(result);
        conn->prepared |= UINT64_C(1) << conn->call.index;
        conn->state = PG_EXECUTING;
        if (!send_step(conn))
            lose(conn, BASE_UNAVAILABLE);
        return;
    }
    conn->state = PG_IDLE;
    io_watch_set(&conn->watch, IO_READ);
    conn->events->on_reply(conn->owner, &reply);
    PQclear(result); /* on_reply may have freed conn, but never the result */
}

static void take_results(struct pg_conn *conn)
{
    while (!PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (result == NULL) {
            end_step(conn);
            return;
        }
        PQclear(conn->result);
        conn->result = result;
    }
}

static void pump(struct pg_conn *conn, unsigned events)
{
    if ((events & IO_READ) != 0 && PQconsumeInput(conn->pg) == 0) {
        lose(conn, BASE_UNAVAILABLE);
        return;
    }
    int left = PQflush(conn->pg);
    if (left < 0) {
        lose(conn, BASE_UNAVAILABLE);
        return;
    }
    io_watch_set(&conn->watch, IO_READ | (left > 0 ? IO_WRITE : 0U));
    if (conn->state == PG_IDLE) {
        PGnotify *notify = PQnotifies(conn->pg); /* parses what came unasked: notices, FATAL */
        PQfreemem(notify);
        if (PQstatus(conn->pg) == CONNECTION_BAD)
            lose(conn, BASE_UNAVAILABLE);
        return;
    }
    take_results(conn);
}

static void on_socket(void *ctx, unsigned events)
{
    struct pg_conn *conn = ctx;
    if (conn->state == PG_CONNECTING)
        poll_connect(conn);
    else if (conn->state != PG_LOST)
        pump(conn, events);
}

static void on_kick(void *ctx)
{
    lose(ctx, BASE_UNAVAILABLE);
}

/* A notice is the server's log matter; libpq's default prints it to stderr. */
static void on_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

struct pg_conn *pg_conn_start(struct io_loop *loop, const char *conninfo,
                              const struct pg_conn_events *events, void *owner,
                              struct base_error *err)
{
    PGconn *pg = PQconnectStart(conninfo);
    if (pg == NULL) {
        (void)base_fail(err, BASE_LIMIT, "out of memory for a PostgreSQL connection");
        return NULL;
    }
    PQsetNoticeProcessor(pg, on_notice, NULL);
    struct pg_conn *conn = base_calloc(1, sizeof *conn);
    *conn = (struct pg_conn){.loop = loop, .pg = pg, .events = events, .owner = owner};
    io_timer_init(&conn->kick, loop, on_kick, conn);
    if (PQstatus(pg) == CONNECTION_BAD)
        io_timer_start(&conn->kick, (struct dur_ns){0});
    else
        rewatch(conn, IO_WRITE); /* "behave as if PQconnectPoll had returned WRITING" */
    return conn;
}

bool pg_conn_send(struct pg_conn *conn, const struct pg_statement_call *call)
{
    conn->call = *call;
    bool prepared = (conn->prepared & (UINT64_C(1) << call->index)) != 0;
    conn->state = prepared ? PG_EXECUTING : PG_PREPARING;
    if (send_step(conn))
        return true;
    conn->state = PG_LOST;
    io_watch_fini(&conn->watch);
    return false;
}

void pg_conn_free(struct pg_conn *conn)
{
    if (conn == NULL)
        return;
    io_watch_fini(&conn->watch); /* before libpq closes the descriptor under it */
    io_timer_fini(&conn->kick);
    PQclear(conn->result);
    PQfinish(conn->pg);
    free(conn);
}

/* --- migrations --- */

static bool script_once(const char *conninfo, const char *script, bool *again,
                        struct base_error *err)
{
    PGconn *pg = PQconnectdb(conninfo);
    PQsetNoticeProcessor(pg, on_notice, NULL);
    *again = PQstatus(pg) != CONNECTION_OK;
    bool ok = false;
    if (*again) {
        (void)base_fail(err, BASE_UNAVAILABLE, "PostgreSQL: %s", PQerrorMessage(pg));
    } else {
        PGresult *result = PQexec(pg, script);
        struct kit_pg_reply reply;
        describe(result, &reply);
        ok = reply.ok;
        if (!ok && err != NULL)
            *err = reply.error;
        PQclear(result);
    }
    PQfinish(pg);
    return ok;
}

bool kit_pg_script(const char *conninfo, const char *script, struct dur_ns deadline,
                   struct base_error *err)
{
    struct mono_ns until = base_mono_add(base_mono_now(), deadline);
    BASE_AUTO_FREE char *extended = pg_conninfo_extend(conninfo, deadline, deadline, err);
    if (extended == NULL)
        return false;
    BASE_AUTO_FREE char *timed = base_str_printf("%s connect_timeout=2", extended);
    for (;;) {
        bool again;
        if (script_once(timed, script, &again, err))
            return true;
        if (!again || !base_mono_before(base_mono_now(), until))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 100 * BASE_NS_PER_MS}, NULL);
    }
}
