/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct load_tls {
    const struct load_tls_spec *spec;
    SSL_CTX *context;
    SSL_SESSION **sessions; /* one an address, NULL: none yet */
    size_t addresses;
    uint64_t handshakes;
    uint64_t resumed;
    char protocol[64];
    char why[LOAD_TLS_WHY]; /* of the connection that failed last */
};

struct load_tls_conn {
    SSL *ssl;
    struct load_tls *tls;
    size_t address;
    bool distrusted; /* and the reason is in tls->why */
};

/* --- what went wrong, for people --- */

static void first_names(X509 *certificate, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 3; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS || at + 4 >= size)
            continue;
        int n = snprintf(out + at, size - at, "%s%.*s", at > 0 ? ", " : "",
                         ASN1_STRING_length(name->d.dNSName),
                         (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        at += n > 0 ? (size_t)n : 0;
    }
    GENERAL_NAMES_free(names);
    if (at == 0)
        (void)snprintf(out, size, "no DNS name");
}

static const char *advice(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "renew it";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "check the clocks of both machines";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "use a name that it has";
    case X509_V_ERR_CERT_REVOKED:
        return "replace it";
    default:
        return "name the authority that issued it as the CA file";
    }
}

static int on_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct load_tls_conn *conn = SSL_get_app_data(ssl);
    int error = X509_STORE_CTX_get_error(store);
    char names[100] = "";
    if (good)
        return 1;
    if (error == X509_V_ERR_HOSTNAME_MISMATCH)
        first_names(X509_STORE_CTX_get_current_cert(store), names, sizeof names);
    conn->distrusted = true;
    (void)snprintf(conn->tls->why, sizeof conn->tls->why,
                   "certificate of %.80s is not trusted: %s%s%s: %s, or do not verify (insecure)",
                   conn->tls->spec->server_name, X509_verify_cert_error_string(error),
                   names[0] != '\0' ? ", it is for " : "", names, advice(error));
    return 0;
}

/* The reason of the error that the library met first. */
static void explain(struct load_tls_conn *conn)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    const char *what = "";
    if (conn->distrusted)
        return;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        what = conn->tls->spec->cert_file == NULL ? ": does it ask for a client certificate?" : "";
        break;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        what = ": it does not accept the client certificate";
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
        what = ": it does not speak TLS on this port, is the URL http://?";
        break;
    default:
        break;
    }
    (void)snprintf(conn->tls->why, sizeof conn->tls->why, "TLS with %.80s failed: %s%s",
                   conn->tls->spec->server_name, reason == NULL ? "unknown error" : reason, what);
}

/* --- sessions --- */

/* Takes the session over when it returns 1 (SSL_CTX_sess_set_new_cb(3)). With TLS 1.3 a session
 * comes behind the handshake, or two of them: the last one counts. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct load_tls_conn *conn = SSL_get_app_data(ssl);
    SSL_SESSION **slot = &conn->tls->sessions[conn->address];
    SSL_SESSION_free(*slot);
    *slot = session;
    return 1;
}

/* --- the worker's side --- */

static bool fail_file(struct base_error *err, const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return base_fail(err, BASE_INVALID, "TLS: cannot use the %s \"%s\": %s", what, path,
                     reason == NULL ? "is it there, and PEM?" : reason);
}

static bool load_trust(SSL_CTX *context, const struct load_tls_spec *spec, struct base_error *err)
{
    if (spec->insecure)
        return true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    if (spec->ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               base_fail(err, BASE_INVALID, "TLS: the system's authorities cannot be read");
    return SSL_CTX_load_verify_file(context, spec->ca_file) == 1 ||
           fail_file(err, "CA file", spec->ca_file);
}

static bool load_identity(SSL_CTX *context, const struct load_tls_spec *spec,
                          struct base_error *err)
{
    if (spec->cert_file == NULL)
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, spec->cert_file) != 1)
        return fail_file(err, "client certificate", spec->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, spec->key_file, SSL_FILETYPE_PEM) != 1)
        return fail_file(err, "client key", spec->key_file);
    return true; /* that they belong together has been checked by the call above */
}

enum load_tls_offer load_tls_offer_of(const struct load_spec *spec)
{
    if (spec->protocol != LOAD_SPEECH_HTTP)
        return LOAD_TLS_OFFERS_NOTHING;
    return spec->http2 ? LOAD_TLS_OFFERS_HTTP2 : LOAD_TLS_OFFERS_HTTP1;
}

static void make_offer(SSL_CTX *context, enum load_tls_offer offer)
{
    static const unsigned char names[] = "\x02h2\x08http/1.1";
    const unsigned skip = offer == LOAD_TLS_OFFERS_HTTP2 ? 0 : 3;
    if (offer != LOAD_TLS_OFFERS_NOTHING)
        (void)SSL_CTX_set_alpn_protos(context, names + skip, sizeof names - 1 - skip);
}

static bool configure(struct load_tls *tls, enum load_tls_offer offer, struct base_error *err)
{
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL)
        return base_fail(err, BASE_IO, "TLS: OpenSSL cannot be set up");
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls->context, 1);
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(tls->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls->context, on_session);
    make_offer(tls->context, offer);
    return load_trust(tls->context, tls->spec, err) && load_identity(tls->context, tls->spec, err);
}

struct load_tls *load_tls_new(const struct load_tls_spec *spec, size_t addresses,
                              enum load_tls_offer offer, struct base_error *err)
{
    struct load_tls *tls = base_calloc(1, sizeof *tls);
    tls->spec = spec;
    tls->addresses = addresses;
    tls->sessions = base_calloc(addresses, sizeof(SSL_SESSION *));
    bool good = configure(tls, offer, err);
    ERR_clear_error();
    if (good)
        return tls;
    load_tls_free(tls);
    return NULL;
}

void load_tls_free(struct load_tls *tls)
{
    if (tls == NULL)
        return;
    for (size_t i = 0; i < tls->addresses; i++)
        SSL_SESSION_free(tls->sessions[i]);
    free(tls->sessions);
    SSL_CTX_free(tls->context);
    free(tls);
}

void load_tls_count(const struct load_tls *tls, struct load_tls_result *out)
{
    out->handshakes += tls->handshakes;
    out->resumed += tls->resumed;
    if (out->protocol == NULL && tls->protocol[0] != '\0')
        out->protocol = base_str_dup(tls->protocol);
}

void load_tls_count_foreign(void *ssl, struct load_tls_result *out)
{
    SSL *of = ssl;
    out->handshakes++;
    out->resumed += SSL_session_reused(of) == 1;
    if (out->protocol == NULL)
        out->protocol = base_str_printf("%s %s", SSL_get_version(of), SSL_get_cipher_name(of));
}

/* --- one connection --- */

/* RFC 6066 section 3: no literal addresses in SNI; the certificate must have them as such. */
static bool name_peer(SSL *ssl, const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    /* The name is copied, though its type says otherwise. */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)name) == 1 &&
           SSL_set1_host(ssl, name) == 1;
}

struct load_tls_conn *load_tls_open(struct load_tls *tls, int fd, size_t address)
{
    struct load_tls_conn *conn = base_calloc(1, sizeof *conn);
    *conn = (struct load_tls_conn){.ssl = SSL_new(tls->context), .tls = tls, .address = address};
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, fd) != 1 ||
        !name_peer(conn->ssl, tls->spec->server_name)) {
        load_tls_close(conn);
        return NULL;
    }
    SSL_set_app_data(conn->ssl, conn);
    SSL_set_connect_state(conn->ssl);
    if (tls->sessions[address] != NULL)
        (void)SSL_set_session(conn->ssl, tls->sessions[address]);
    return conn;
}

void load_tls_close(struct load_tls_conn *conn)
{
    if (conn == NULL)
        return;
    /* As if closure alerts had gone both ways: the socket is about to be closed anyway, and freed
     * without them OpenSSL takes the session for one that must not be resumed. */
    if (conn->ssl != NULL)
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(conn->ssl);
    free(conn);
}

static void note_handshake(struct load_tls_conn *conn)
{
    struct load_tls *tls = conn->tls;
    tls->handshakes++;
    tls->resumed += SSL_session_reused(conn->ssl) == 1;
    if (tls->protocol[0] == '\0')
        (void)snprintf(tls->protocol, sizeof tls->protocol, "%s %s", SSL_get_version(conn->ssl),
                       SSL_get_cipher_name(conn->ssl));
}

/* An end without a closure alert is an error of TLS in OpenSSL 3, but it is the connection's. */
static bool just_ended(int error)
{
    return error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
           ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

enum load_tls_step load_tls_handshake(struct load_tls_conn *conn)
{
    ERR_clear_error(); /* SSL_get_error(3) looks at what others left, too */
    int result = SSL_do_handshake(conn->ssl);
    if (result == 1) {
        note_handshake(conn);
        return LOAD_TLS_DONE;
    }
    int error = SSL_get_error(conn->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return LOAD_TLS_WANTS_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return LOAD_TLS_WANTS_WRITE;
    if (just_ended(error) && !conn->distrusted)
        return LOAD_TLS_ENDED;
    explain(conn);
    return LOAD_TLS_FAILED;
}

bool load_tls_chose_http2(const struct load_tls_conn *conn)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(conn->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static ssize_t outcome_of(struct load_tls_conn *conn, int result)
{
    int error = SSL_get_error(conn->ssl, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
    } else if (just_ended(error)) {
        errno = ECONNRESET;
    } else {
        explain(conn);
        errno = EPROTO;
    }
    return -1;
}

ssize_t load_tls_recv(struct load_tls_conn *conn, void *buffer, size_t len)
{
    size_t read = 0;
    ERR_clear_error();
    int result = SSL_read_ex(conn->ssl, buffer, len, &read);
    return result == 1 ? (ssize_t)read : outcome_of(conn, result);
}

ssize_t load_tls_send(struct load_tls_conn *conn, const void *data, size_t len)
{
    size_t written = 0;
    ERR_clear_error();
    int result = SSL_write_ex(conn->ssl, data, len, &written);
    return result == 1 ? (ssize_t)written : outcome_of(conn, result);
}

bool load_tls_pending(const struct load_tls_conn *conn)
{
    return SSL_has_pending(conn->ssl) == 1;
}

const char *load_tls_why(const struct load_tls_conn *conn)
{
    return conn->tls->why;
}
