/* SPDX-License-Identifier: Apache-2.0 */
/* Over TCP a message has its length in front (RFC 1035, 4.2.2), and answers need not come in the
 * order of their questions (RFC 7766, 6.2.1.1): so one made here may go between two of the server.
 */
#include "proxy_dns.h"

#include "base/text.h"
#include "proxy_half.h"
#include "proxy_settle.h"

enum { room = 2 + DNS_MESSAGE_MAX, turns = 32 };

struct shared {
    struct base_rng rng;
    struct dns_udp *udp;
};

struct dns_state {
    struct proxy_half half[2]; /* by the end that it comes from */
    struct io_timer again;
    struct proxy_settle settle;
};

/* --- what befalls a question --- */

static bool is_hit(const struct proxy_dns_rules *rules, struct base_rng *rng, const char *name)
{
    const struct fault_spec *spec = rules->spec;
    for (size_t i = 0; i < spec->dns.names.count; i++)
        if (dns_name_matches(spec->dns.names.list[i], name))
            return base_rng_unit(rng) < spec->dns.share;
    return false;
}

enum proxy_dns_fate proxy_dns_decide(const struct proxy_dns_rules *rules, struct base_rng *rng,
                                     const unsigned char *message, size_t message_len,
                                     unsigned char out[static DNS_ANSWER_MAX], size_t *len)
{
    static const int rcodes[] = {[FAULT_DNS_NXDOMAIN] = DNS_NXDOMAIN,
                                 [FAULT_DNS_SERVFAIL] = DNS_SERVFAIL,
                                 [FAULT_DNS_TIMEOUT] = DNS_NOERROR,
                                 [FAULT_DNS_ADDRESS] = DNS_NOERROR};
    struct dns_question question;
    if (!dns_question_parse(message, message_len, &question) || !is_hit(rules, rng, question.name))
        return PROXY_DNS_FORWARD;
    if (rules->spec->dns.answer == FAULT_DNS_TIMEOUT)
        return PROXY_DNS_DROP;
    *len =
        dns_answer_make(message, &question, rcodes[rules->spec->dns.answer], &rules->address, out);
    return PROXY_DNS_ANSWER;
}

/* --- UDP --- */

static void dns_share(void *value, const void *rules, size_t number)
{
    struct shared *shared = value;
    const struct proxy_dns_rules *own = rules;
    base_rng_seed(&shared->rng, own->spec->dns.seed + number);
}

static bool dns_start(void *value, struct io_loop *loop, const struct fault_proxy_config *config,
                      struct base_error *err)
{
    struct shared *shared = value;
    shared->udp = dns_udp_new(loop, config, &shared->rng, err);
    return shared->udp != NULL;
}

static uint16_t dns_port(const void *value, int family)
{
    const struct shared *shared = value;
    return dns_udp_port(shared->udp, family);
}

static void dns_stop(void *value)
{
    struct shared *shared = value;
    dns_udp_free(shared->udp);
    shared->udp = NULL;
}

/* --- TCP --- */

static void put_message(struct base_buf *out, const unsigned char *message, size_t len)
{
    const unsigned char size[2] = {(unsigned char)(len >> 8), (unsigned char)len};
    base_buf_append(out, size, sizeof size);
    base_buf_append(out, message, len);
}

/* The length of the whole message at the front of what came; false: it is not whole. */
static bool is_whole(const struct proxy_half *half, size_t *len)
{
    const unsigned char *data = (const unsigned char *)half->in.data;
    if (half->in.len < 2)
        return false;
    *len = (size_t)data[0] << 8 | data[1];
    return half->in.len >= 2 + *len;
}

/* If there is one, and room for it. */
static bool pass_message(struct proxy_conn *conn, enum proxy_end from)
{
    struct dns_state *state = proxy_conn_state(conn);
    struct shared *shared = proxy_conn_shared(conn);
    struct proxy_half *half = &state->half[from];
    struct base_buf *back = &state->half[proxy_other(from)].out;
    const unsigned char *data = (const unsigned char *)half->in.data;
    unsigned char made[DNS_ANSWER_MAX];
    size_t made_len = 0;
    size_t len = 0;
    if (half->out.len >= room || back->len >= room || !is_whole(half, &len))
        return false;
    enum proxy_dns_fate fate = PROXY_DNS_FORWARD;
    if (from == PROXY_CLIENT)
        fate =
            proxy_dns_decide(proxy_conn_rules(conn), &shared->rng, data + 2, len, made, &made_len);
    if (fate == PROXY_DNS_FORWARD) {
        proxy_half_move(half, 2 + len);
        return true;
    }
    if (fate == PROXY_DNS_ANSWER)
        put_message(back, made, made_len);
    base_buf_consume(&half->in, 2 + len);
    return true;
}

static bool turn(struct proxy_conn *conn)
{
    struct dns_state *state = proxy_conn_state(conn);
    bool moved = false;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++)
        moved = proxy_half_fill(conn, state->half, end) || moved;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++)
        while (pass_message(conn, end))
            moved = true;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++)
        moved = proxy_half_drain(conn, state->half, end) || moved;
    return moved && !proxy_conn_closed(conn);
}

/* A message that will never be whole is let go with the connection. */
static void pass_ends(struct proxy_conn *conn)
{
    struct dns_state *state = proxy_conn_state(conn);
    size_t ignored = 0;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        struct proxy_half *half = &state->half[end];
        if (half->shut || !half->ended || half->out.len > 0 || is_whole(half, &ignored))
            continue;
        base_buf_clear(&half->in);
        if (proxy_half_server_reset(state->half))
            proxy_settle_start(&state->settle);
        else
            proxy_half_pass_end(conn, state->half, end);
    }
    if (state->half[PROXY_SERVER].shut)
        proxy_conn_close(conn, PROXY_GRACEFUL);
}

static void go_on(struct proxy_conn *conn)
{
    struct dns_state *state = proxy_conn_state(conn);
    int left = turns;
    while (left > 0 && turn(conn))
        left--;
    if (!proxy_conn_closed(conn))
        pass_ends(conn);
    if (proxy_conn_closed(conn) || proxy_settle_begun(&state->settle))
        return;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        unsigned events = proxy_half_wants(&state->half[end]) ? IO_READ : 0;
        if (state->half[proxy_other(end)].out.len > 0)
            events |= IO_WRITE;
        proxy_conn_watch(conn, end, events);
    }
    if (left == 0)
        io_timer_start(&state->again, (struct dur_ns){0});
}

static void on_again(void *ctx)
{
    const struct dns_state *state = proxy_conn_state(ctx);
    if (!proxy_settle_begun(&state->settle))
        go_on(ctx);
}

static void dns_on_ready(struct proxy_conn *conn, enum proxy_end end)
{
    (void)end;
    go_on(conn);
}

static void dns_begin(struct proxy_conn *conn)
{
    struct dns_state *state = proxy_conn_state(conn);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_half_init(&state->half[end], room);
    io_timer_init(&state->again, proxy_conn_loop(conn), on_again, conn);
    proxy_settle_init(&state->settle, conn);
    go_on(conn);
}

static void dns_finish(struct proxy_conn *conn)
{
    struct dns_state *state = proxy_conn_state(conn);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_half_fini(&state->half[end]);
    io_timer_fini(&state->again);
    proxy_settle_fini(&state->settle);
}

const struct proxy_driver proxy_dns_driver = {
    .state_size = sizeof(struct dns_state),
    .shared_size = sizeof(struct shared),
    .share = dns_share,
    .start = dns_start,
    .udp_port = dns_port,
    .stop = dns_stop,
    .begin = dns_begin,
    .on_ready = dns_on_ready,
    .finish = dns_finish,
};
