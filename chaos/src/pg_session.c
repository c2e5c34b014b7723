/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libpq adapter, through io/pg_late.h
 * (https://www.postgresql.org/docs/15/libpq-async.html).
 */
#include "pg_session.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/pg_late.h"

bool fault_pg_load(struct base_error *err)
{
    return io_pg_load(err);
}

struct fault_pg {
    struct io_loop *loop;
    PGconn *pg;
    struct io_watch watch;
    struct io_timer kick; /* what went wrong inside a call is told from the loop */
    bool open;
    PGresult *result; /* of the question under way */
    void (*on_answer)(void *ctx, const struct fault_pg_answer *answer);
    void *ctx;
};

const char *fault_pg_cell(const struct fault_pg_answer *answer, int column)
{
    const PGresult *result = answer->result;
    if (result == NULL || PQntuples(result) < 1 || column >= PQnfields(result) ||
        PQgetisnull(result, 0, column))
        return NULL;
    return PQgetvalue(result, 0, column);
}

/* ISO SQL: every quote within is doubled. */
char *fault_pg_quote(const char *name)
{
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, 1024);
    (void)base_buf_char(&out, '"');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '.')
            (void)base_buf_str(&out, "\".\"");
        else
            (void)base_buf_printf(&out, "%s%c", *p == '"' ? "\"" : "", *p);
    }
    (void)base_buf_char(&out, '"');
    return base_buf_steal(&out);
}

/* --- answers --- */

/* A refused connection has no result whose SQLSTATE could be read; its message is verbose, so that
 * it says "FATAL:  53300: sorry, too many clients already" in whatever language. */
static void state_of_refusal(const char *message, char out[static FAULT_PG_STATE])
{
    enum { len = FAULT_PG_STATE - 1 };
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *code = at + strlen(":  ");
        size_t good = 0;
        while (good < len &&
               (isdigit((unsigned char)code[good]) || isupper((unsigned char)code[good])))
            good++;
        if (good == len && code[len] == ':') {
            (void)snprintf(out, FAULT_PG_STATE, "%.*s", (int)len, code);
            return;
        }
    }
}

static void tell(struct fault_pg *pg, bool ok, const char *state, const char *text)
{
    struct fault_pg_answer answer = {.ok = ok, .message = text, .result = pg->result};
    (void)snprintf(answer.state, sizeof answer.state, "%s", state);
    PGresult *result = pg->result;
    pg->result = NULL;
    pg->on_answer(pg->ctx, &answer); /* pg may be no more */
    PQclear(result);
}

/* One line, without the place in the server's source that a verbose message ends with. */
static char *first_line(const char *message)
{
    return base_str_ndup(message, strcspn(message, "\n"));
}

static void lose(struct fault_pg *pg)
{
    char state[FAULT_PG_STATE] = "";
    const char *message = PQerrorMessage(pg->pg);
    state_of_refusal(message, state);
    BASE_AUTO_FREE char *line = first_line(message);
    io_watch_fini(&pg->watch);
    pg->watch = (struct io_watch){0};
    PQclear(pg->result);
    pg->result = NULL;
    tell(pg, false, state, line[0] != '\0' ? line : "the connection was closed");
}

static void on_kick(void *ctx)
{
    lose(ctx);
}

static void report(struct fault_pg *pg)
{
    ExecStatusType status = PQresultStatus(pg->result);
    io_watch_set(&pg->watch, 0); /* whether it idles or is gone is found out when it is asked */
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        tell(pg, true, "", "");
        return;
    }
    const char *state = PQresultErrorField(pg->result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(pg->result, PG_DIAG_MESSAGE_PRIMARY);
    BASE_AUTO_FREE char *line =
        first_line(primary != NULL ? primary : PQresultErrorMessage(pg->result));
    BASE_AUTO_FREE char *code = base_str_dup(state != NULL ? state : "");
    tell(pg, false, code, line);
}

/* --- the socket --- */

static void on_socket(void *ctx, unsigned events);

/* While connecting libpq may close its socket and open another under the same number. */
static void rewatch(struct fault_pg *pg, unsigned events)
{
    io_watch_fini(&pg->watch);
    pg->watch = (struct io_watch){0};
    if (PQsocket(pg->pg) < 0)
        return;
    io_watch_init(&pg->watch, pg->loop, PQsocket(pg->pg), on_socket, pg);
    io_watch_set(&pg->watch, events);
}

static void connect_on(struct fault_pg *pg)
{
    switch (PQconnectPoll(pg->pg)) {
    case PGRES_POLLING_READING:
        rewatch(pg, IO_READ);
        return;
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
        rewatch(pg, IO_WRITE);
        return;
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(pg->pg, 1) != 0)
            break;
        rewatch(pg, 0);
        pg->open = true;
        tell(pg, true, "", "");
        return;
    case PGRES_POLLING_FAILED:
        break;
    }
    lose(pg);
}

static void keep_result(struct fault_pg *pg, PGresult *next)
{
    bool failed = pg->result != NULL && PQresultStatus(pg->result) != PGRES_TUPLES_OK &&
                  PQresultStatus(pg->result) != PGRES_COMMAND_OK;
    PQclear(failed ? next : pg->result);
    pg->result = failed ? pg->result : next;
}

static void read_on(struct fault_pg *pg)
{
    bool broken = PQflush(pg->pg) < 0 || PQconsumeInput(pg->pg) == 0;
    while (PQisBusy(pg->pg) == 0) {
        PGresult *next = PQgetResult(pg->pg);
        if (next == NULL) {
            if (pg->result == NULL || PQstatus(pg->pg) == CONNECTION_BAD)
                lose(pg);
            else
                report(pg);
            return;
        }
        keep_result(pg, next);
    }
    if (broken)
        lose(pg);
    else
        io_watch_set(&pg->watch, IO_READ | (PQflush(pg->pg) > 0 ? IO_WRITE : 0U));
}

static void on_socket(void *ctx, unsigned events)
{
    (void)events;
    struct fault_pg *pg = ctx;
    if (pg->open)
        read_on(pg);
    else
        connect_on(pg);
}

/* --- asking --- */

static void sent(struct fault_pg *pg, int ok)
{
    int left = ok == 1 ? PQflush(pg->pg) : -1;
    if (left < 0)
        io_timer_start(&pg->kick, (struct dur_ns){0});
    else
        io_watch_set(&pg->watch, IO_READ | (left > 0 ? IO_WRITE : 0U));
}

void fault_pg_say(struct fault_pg *pg, const char *sql)
{
    sent(pg, PQsendQuery(pg->pg, sql));
}

void fault_pg_ask(struct fault_pg *pg, const char *sql, const char *const *params, size_t count)
{
    sent(pg, PQsendQueryParams(pg->pg, sql, (int)count, NULL, params, NULL, NULL, 0));
}

/* --- opening --- */

static void ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result; /* the library would print it */
}

/* runtime-config-client.html and -connection.html of PostgreSQL 14: idle_session_timeout and
 * client_connection_check_interval are new there. */
static char *options_of(const struct fault_pg_place *place)
{
    int64_t idle = base_dur_to_ms(place->idle);
    return base_str_printf("-c idle_session_timeout=%" PRId64
                           " -c idle_in_transaction_session_timeout=%" PRId64
                           " -c lock_timeout=%" PRId64 " -c client_connection_check_interval=100"
                           " -c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1"
                           " -c tcp_keepalives_count=2",
                           idle, idle, base_dur_to_ms(place->lock));
}

static const char *text_or(const char *text, const char *fallback)
{
    return text != NULL ? text : fallback;
}

struct fault_pg *fault_pg_open(struct io_loop *loop, const struct fault_pg_place *place,
                               void (*on_answer)(void *ctx, const struct fault_pg_answer *answer),
                               void *ctx)
{
    BASE_AUTO_FREE char *port = base_str_printf("%u", (unsigned)place->port);
    BASE_AUTO_FREE char *options = options_of(place);
    const struct fault_credentials *who = place->credentials;
    /* All that the environment or files of libpq's could say otherwise is said here. */
    const char *const words[][2] = {
        {"hostaddr", place->address},
        {"port", port},
        {"user", text_or(who->user, "postgres")},
        {"password", text_or(who->password, "")},
        {"passfile", "/nonexistent/by-squall"},
        {"dbname", text_or(who->database, "postgres")},
        {"application_name", place->name},
        {"options", options},
        {"client_encoding", "UTF8"},
        {"gssencmode", "disable"},
    };
    enum { count = sizeof words / sizeof *words };
    const char *keys[count + 1] = {NULL};
    const char *values[count + 1] = {NULL};
    for (size_t i = 0; i < count; i++) {
        keys[i] = words[i][0];
        values[i] = words[i][1];
    }
    struct fault_pg *pg = base_calloc(1, sizeof *pg);
    *pg = (struct fault_pg){.loop = loop, .on_answer = on_answer, .ctx = ctx};
    pg->pg = PQconnectStartParams(keys, values, 0);
    if (pg->pg == NULL)
        abort(); /* as base_calloc */
    io_timer_init(&pg->kick, loop, on_kick, pg);
    (void)PQsetErrorVerbosity(pg->pg, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(pg->pg, ignore_notice, NULL);
    if (PQstatus(pg->pg) == CONNECTION_BAD)
        io_timer_start(&pg->kick, (struct dur_ns){0});
    else
        rewatch(pg, IO_WRITE);
    return pg;
}

void fault_pg_free(struct fault_pg *pg)
{
    if (pg == NULL)
        return;
    io_watch_fini(&pg->watch);
    io_timer_fini(&pg->kick);
    PQclear(pg->result);
    PQfinish(pg->pg);
    free(pg);
}
