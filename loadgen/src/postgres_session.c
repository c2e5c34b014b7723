/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.postgresql.org/docs/15/libpq-async.html, libpq-pipeline-mode.html */
#include "postgres_session.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/pg_late.h"

enum { KEYWORDS = 13 };

#define TO(state) (1U << LOAD_PG_##state)
static const unsigned moves[LOAD_PG_STATES] = {
    [LOAD_PG_COLD] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_PG_CONNECTING] = TO(PREPARING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_PG_PREPARING] = TO(UP) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_PG_UP] = TO(FAILING) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_PG_FAILING] = TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_PG_BACKOFF] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_PG_CLOSED] = 0,
};

/* The one function that changes a session's state. */
static void move(struct load_pg *s, enum load_pg_state to)
{
    if ((moves[s->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    s->state = to;
}

static void on_socket(void *ctx, unsigned events);

/* --- its end --- */

static void disconnect(struct load_pg *s)
{
    io_timer_stop(&s->timer);
    io_watch_fini(&s->watch);
    s->watch = (struct io_watch){0};
    PQfinish(s->pg);
    s->pg = NULL;
    s->lives++;
}

static void back_off(struct load_pg *s)
{
    disconnect(s);
    move(s, LOAD_PG_BACKOFF);
    io_timer_start(&s->timer, load_backoff_fail(&s->backoff, &s->wire.pool->rng));
}

/* Of a message that may have several lines, the first, without "FATAL:  " and the like, and
 * without the address that libpq puts before it. */
static void keep_why(struct load_pg *s, const char *message)
{
    static const char *const levels[] = {"FATAL:  ", "ERROR:  ", "PANIC:  "};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const char *at = strstr(message, levels[i]);
        message = at != NULL ? at + strlen(levels[i]) : message;
    }
    (void)snprintf(s->why, sizeof s->why, "%.*s", (int)strcspn(message, "\n"), message);
}

static void refused(struct load_pg *s, enum load_cause cause)
{
    back_off(s);
    load_wire_refused(&s->wire, cause, s->why);
}

/* The connection was established, and is no more. One that had answered is opened again at once. */
static void lose(struct load_pg *s, struct load_place *first, enum load_cause cause)
{
    bool said = s->why[0] != '\0' && cause != LOAD_CAUSE_SILENT && cause != LOAD_CAUSE_STALLED;
    const struct load_outcome outcome = {.failure = load_cause_failure(cause),
                                         .cause = cause,
                                         .at = base_mono_now().ns,
                                         .why = said ? s->why : NULL};
    bool again = s->answers > 0;
    if (again)
        disconnect(s);
    else
        back_off(s);
    load_wire_fall(&s->wire, first, &outcome);
    if (again)
        load_pg_open(s);
}

/* --- opening --- */

static void rewatch(struct load_pg *s, unsigned events)
{
    io_watch_fini(&s->watch); /* libpq may have closed its socket, and opened another */
    s->watch = (struct io_watch){0};
    if (PQsocket(s->pg) < 0)
        return;
    io_watch_init(&s->watch, s->wire.pool->loop, PQsocket(s->pg), on_socket, s);
    io_watch_set(&s->watch, events);
}

/* libpq says in words alone what connect(2) said. */
static enum load_cause cause_of_refusal(const char *message)
{
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT,
                                 ECONNRESET,   EMFILE,       ENFILE,      EADDRNOTAVAIL};
    if (strstr(message, "FATAL:") != NULL)
        return LOAD_CAUSE_SESSION;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strstr(message, strerrordesc_np(errors[i])) != NULL)
            return load_cause_of_errno(errors[i]);
    if (strstr(message, "SSL") != NULL || strstr(message, "certificate") != NULL)
        return LOAD_CAUSE_TLS;
    if (strstr(message, "closed the connection") != NULL)
        return LOAD_CAUSE_CONNECT_RESET;
    return LOAD_CAUSE_SESSION; /* no password was supplied, a method that is not known */
}

static void refused_by_words(struct load_pg *s)
{
    const char *message = PQerrorMessage(s->pg);
    enum load_cause cause = cause_of_refusal(message);
    keep_why(s, message);
    refused(s, cause);
}

/* What is left to write is written when the kernel takes it. */
static bool flush(struct load_pg *s)
{
    int left = PQflush(s->pg);
    if (left < 0)
        return false;
    io_watch_set(&s->watch, IO_READ | (left > 0 ? IO_WRITE : 0U));
    if (left == 0 && s->blocked_since != 0) {
        s->wire.pool->on_blocked(s->wire.pool->ctx, base_mono_now().ns - s->blocked_since);
        s->blocked_since = 0;
    }
    return true;
}

static void prepare_statements(struct load_pg *s)
{
    const struct load_pg_queries *queries = s->own->queries;
    bool ok = PQsetnonblocking(s->pg, 1) == 0 && PQenterPipelineMode(s->pg) == 1;
    for (size_t i = 0; ok && i < queries->count; i++)
        ok = PQsendPrepare(s->pg, queries->list[i].name, queries->list[i].text, 0, NULL) == 1;
    move(s, LOAD_PG_PREPARING);
    rewatch(s, IO_READ);
    if (!ok || PQpipelineSync(s->pg) != 1 || !flush(s))
        refused_by_words(s);
}

static void connect_on(struct load_pg *s)
{
    switch (PQconnectPoll(s->pg)) {
    case PGRES_POLLING_READING:
        rewatch(s, IO_READ);
        break;
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
        rewatch(s, IO_WRITE);
        break;
    case PGRES_POLLING_OK:
        prepare_statements(s);
        break;
    case PGRES_POLLING_FAILED:
        refused_by_words(s);
        break;
    }
}

static void usable(struct load_pg *s)
{
    int64_t now = base_mono_now().ns;
    void *ssl = PQsslStruct(s->pg, "OpenSSL");
    if (ssl != NULL)
        load_tls_count_foreign(ssl, &s->own->tls);
    io_timer_stop(&s->timer);
    move(s, LOAD_PG_UP);
    load_wire_rise(&s->wire, now, (struct dur_ns){now - s->opened_at}, (struct dur_ns){-1});
}

/* --- results --- */

/* The data of a result, without what the protocol puts around them: libpq does not tell. */
static uint64_t bytes_of(const PGresult *result)
{
    uint64_t bytes = 0;
    int rows = PQntuples(result), columns = PQnfields(result);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            bytes += (uint64_t)PQgetlength(result, row, column);
    return bytes;
}

static void keep_failure(struct load_pg *s, const PGresult *result)
{
    if (s->failed)
        return; /* the first is the cause of those behind it */
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    s->failed = true;
    keep_why(s, primary != NULL ? primary : PQresultErrorMessage(result));
}

static void fail_words(struct load_pg *s, const char *why)
{
    s->failed = true;
    (void)snprintf(s->why, sizeof s->why, "%s", why);
}

/* The Sync behind a request is answered, and with it the request. */
static void answer(struct load_pg *s)
{
    struct load_place *place = load_wire_oldest(&s->wire);
    struct load_outcome outcome = {
        .ok = !s->failed, .cause = LOAD_CAUSE_COUNT, .at = base_mono_now().ns};
    if (s->failed) {
        outcome.failure = LOAD_FAIL_REPLY;
        outcome.cause = LOAD_CAUSE_REPLY;
        outcome.why = s->why;
    }
    s->answers++;
    load_backoff_reset(&s->backoff);
    s->failed = false;
    load_wire_answer(place, &outcome, false);
    s->why[0] = '\0';
}

static void synced(struct load_pg *s)
{
    if (s->state == LOAD_PG_PREPARING && s->failed)
        refused(s, LOAD_CAUSE_SESSION);
    else if (s->state == LOAD_PG_PREPARING)
        usable(s);
    else
        answer(s);
}

/* What there is of the oldest request. */
static void take(struct load_pg *s, const PGresult *result)
{
    struct load_place *place = load_wire_oldest(&s->wire);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (place != NULL)
            place->bytes_in += bytes_of(result);
        break;
    case PGRES_PIPELINE_SYNC:
        synced(s);
        break;
    case PGRES_EMPTY_QUERY:
        fail_words(s, "the statement is empty");
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        fail_words(s, "COPY cannot be sent: its data have a protocol of their own");
        lose(s, NULL, LOAD_CAUSE_REPLY);
        break;
    case PGRES_PIPELINE_ABORTED: /* behind what failed, before the same Sync */
        break;
    default:
        keep_failure(s, result);
        break;
    }
}

/* The server, or the kernel, ended it. */
static void lost(struct load_pg *s)
{
    static const int resets[] = {ECONNRESET, EPIPE};
    const char *message = PQerrorMessage(s->pg);
    enum load_cause cause = LOAD_CAUSE_CLOSED;
    for (size_t i = 0; i < sizeof resets / sizeof *resets; i++)
        if (strstr(message, strerrordesc_np(resets[i])) != NULL)
            cause = LOAD_CAUSE_RESET;
    if (s->why[0] == '\0')
        keep_why(s, message);
    if (s->state == LOAD_PG_PREPARING) {
        refused(s, LOAD_CAUSE_CONNECT_RESET);
        return;
    }
    if (s->answers == 0 && load_wire_oldest(&s->wire) == NULL)
        load_conn_note_refusal(&s->wire.places[0].head, LOAD_CAUSE_CONNECT_RESET, NULL);
    lose(s, NULL, cause);
}

/* Something is still to come: with nothing under way PQgetResult has but NULL to give. */
static bool awaits(const struct load_pg *s)
{
    return s->state == LOAD_PG_PREPARING ||
           (s->state == LOAD_PG_UP && load_wire_oldest(&s->wire) != NULL);
}

/* Takes all results that are there. False: the session is another, or none, by now. */
static bool take_all(struct load_pg *s)
{
    unsigned life = s->lives;
    while (PQisBusy(s->pg) == 0 && awaits(s)) {
        PGresult *result = PQgetResult(s->pg);
        if (result != NULL)
            take(s, result);
        else if (s->ended)
            lost(s); /* twice: nothing is left that could come */
        if (s->lives != life) {
            PQclear(result);
            return false;
        }
        s->ended = result == NULL;
        PQclear(result);
    }
    return true;
}

static void read_on(struct load_pg *s)
{
    struct load_place *oldest = load_wire_oldest(&s->wire);
    if (oldest != NULL && oldest->first_at == 0)
        oldest->first_at = base_mono_now().ns;
    bool good = PQconsumeInput(s->pg) == 1;
    if (!take_all(s))
        return;
    if (!good || PQstatus(s->pg) == CONNECTION_BAD || !flush(s))
        lost(s);
}

static void on_socket(void *ctx, unsigned events)
{
    struct load_pg *s = ctx;
    (void)events;
    if (s->state == LOAD_PG_CONNECTING)
        connect_on(s);
    else if (s->state == LOAD_PG_PREPARING || s->state == LOAD_PG_UP)
        read_on(s);
}

static void on_timer(void *ctx)
{
    struct load_pg *s = ctx;
    if (s->state == LOAD_PG_CONNECTING || s->state == LOAD_PG_PREPARING) {
        s->why[0] = '\0';
        refused(s, LOAD_CAUSE_CONNECT_TIMEOUT);
    } else if (s->state == LOAD_PG_FAILING) {
        lost(s);
    } else if (s->state == LOAD_PG_BACKOFF) {
        load_pg_open(s);
    }
}

static void ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result; /* the library would print it */
}

static PGconn *connect_to(const struct load_pg *s, const struct load_address *address)
{
    const struct load_spec *spec = s->wire.pool->spec;
    const struct base_buf *password = &s->own->queries->password;
    const struct load_tls_spec *tls = &spec->tls;
    char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    (void)getnameinfo(load_address_any(address), address->len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    const char *mode = tls->server_name == NULL ? "disable"
                       : tls->insecure          ? "require"
                                                : "verify-full";
    const char *const words[KEYWORDS][2] = {
        {"hostaddr", host}, /* no name is looked up, but passwords and certificates belong to one */
        {"host", spec->host},        {"port", port},
        {"user", spec->user},        {"password", password->len > 0 ? password->data : NULL},
        {"dbname", spec->database},  {"application_name", "squall-load"},
        {"client_encoding", "UTF8"}, {"gssencmode", "disable"},
        {"sslmode", mode},           {"sslrootcert", tls->ca_file},
        {"sslcert", tls->cert_file}, {"sslkey", tls->key_file},
    };
    const char *keys[KEYWORDS + 1] = {NULL}, *values[KEYWORDS + 1] = {NULL};
    for (size_t i = 0; i < KEYWORDS; i++) {
        keys[i] = words[i][0];
        values[i] = words[i][1];
    }
    return PQconnectStartParams(keys, values, 0);
}

void load_pg_open(struct load_pg *s)
{
    struct load_pool *pool = s->wire.pool;
    move(s, LOAD_PG_CONNECTING);
    s->answers = 0;
    s->blocked_since = 0;
    s->ended = s->failed = false;
    s->why[0] = '\0';
    s->opened_at = base_mono_now().ns;
    s->pg = connect_to(s, s->wire.places[0].head.address);
    if (s->pg == NULL)
        abort(); /* as base_calloc */
    (void)PQsetNoticeReceiver(s->pg, ignore_notice, NULL);
    if (PQstatus(s->pg) == CONNECTION_BAD) {
        refused_by_words(s);
        return;
    }
    rewatch(s, IO_WRITE);
    io_timer_start(&s->timer, pool->connect_limit);
}

/* --- what the row asks for --- */

void load_pg_init(struct load_pg *s, struct load_pg_thread *own, struct io_loop *loop)
{
    s->own = own;
    io_timer_init(&s->timer, loop, on_timer, s);
}

/* Its values, with the fields filled in. */
static const char *const *values_of(struct load_pg_thread *own, const struct load_conn *head)
{
    size_t route = head->due.route;
    if (own->patched[route] != NULL)
        load_request_patch(&own->queries->list[route].values, own->patched[route], head->due.number,
                           &head->pool->rng);
    return own->values[route];
}

static void fail_later(struct load_pg *s)
{
    io_watch_set(&s->watch, 0);
    move(s, LOAD_PG_FAILING);
    io_timer_start(&s->timer, (struct dur_ns){0});
}

void load_pg_execute(struct load_place *place)
{
    struct load_conn *head = &place->head;
    struct load_pg *s = load_pg_of(place);
    const struct load_pg_query *query = &s->own->queries->list[head->due.route];
    load_wire_sent(place);
    if (s->state != LOAD_PG_UP)
        return; /* FAILING: it falls with the others */
    const char *const *values = values_of(s->own, head);
    place->bytes_out = query->values.len - query->count;
    bool sent =
        PQsendQueryPrepared(s->pg, query->name, (int)query->count, values, NULL, NULL, 0) == 1 &&
        PQpipelineSync(s->pg) == 1;
    int left = sent ? PQflush(s->pg) : -1;
    if (left < 0) {
        fail_later(s);
    } else if (left > 0) {
        if (s->blocked_since == 0)
            s->blocked_since = head->sent_at;
        io_watch_set(&s->watch, IO_READ | IO_WRITE);
    }
}

void load_pg_give_up(struct load_place *place)
{
    bool silent = place->first_at == 0;
    lose(load_pg_of(place), place, silent ? LOAD_CAUSE_SILENT : LOAD_CAUSE_STALLED);
}

void load_pg_close(struct load_pg *s)
{
    if (s->state == LOAD_PG_CLOSED || s->own == NULL)
        return;
    disconnect(s);
    io_timer_fini(&s->timer);
    move(s, LOAD_PG_CLOSED);
}
