/* SPDX-License-Identifier: Apache-2.0 */
/* The GnuTLS adapter; the only file that sees gnutls.h. libmicrohttpd drives the sessions. */
#include "tls_peer.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

enum { PEM_MAX = 1 << 20 };

static gnutls_datum_t datum_of(const struct base_buf *buf)
{
    return (gnutls_datum_t){.data = (unsigned char *)buf->data, .size = (unsigned)buf->len};
}

void io_tls_texts_fini(struct io_tls_texts *texts)
{
    if (texts->key.data != NULL)
        explicit_bzero(texts->key.data, texts->key.len);
    base_buf_fini(&texts->cert);
    base_buf_fini(&texts->key);
    base_buf_fini(&texts->ca);
}

static bool read_pem(const char *path, const char *what, struct base_buf *out,
                     struct base_error *err)
{
    return base_file_read(path, out, err) || base_fail_context(err, "%s", what);
}

/* A server that starts with a certificate that is over would be refused by every client. */
static bool check_dates(const struct base_buf *pem, const char *path, struct base_error *err)
{
    gnutls_x509_crt_t cert;
    gnutls_datum_t text = datum_of(pem);
    bool ok = true;
    char when[BASE_WALL_TEXT];
    if (gnutls_x509_crt_init(&cert) < 0)
        return base_fail(err, BASE_LIMIT, "out of memory for a certificate");
    if (gnutls_x509_crt_import(cert, &text, GNUTLS_X509_FMT_PEM) == 0) {
        time_t end = gnutls_x509_crt_get_expiration_time(cert);
        base_wall_format((struct wall_ns){(int64_t)end * BASE_NS_PER_S}, when);
        if (end < time(NULL))
            ok = base_fail(err, BASE_INVALID,
                           "TLS certificate %s was valid until %s: make a new one", path, when);
    }
    gnutls_x509_crt_deinit(cert);
    return ok;
}

static bool check_all(const struct io_tls_files *files, const struct io_tls_texts *texts,
                      struct base_error *err)
{
    gnutls_certificate_credentials_t all;
    gnutls_datum_t cert = datum_of(&texts->cert);
    gnutls_datum_t key = datum_of(&texts->key);
    gnutls_datum_t ca = datum_of(&texts->ca);
    bool ok = true;
    if (gnutls_certificate_allocate_credentials(&all) < 0)
        return base_fail(err, BASE_LIMIT, "out of memory for certificates");
    int code = gnutls_certificate_set_x509_key_mem(all, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (code < 0)
        ok = base_fail(err, BASE_INVALID,
                       "TLS certificate %s and key %s: %s; expected a PEM certificate and the "
                       "unencrypted PEM key that it was made for",
                       files->cert, files->key != NULL ? files->key : files->cert,
                       gnutls_strerror(code));
    if (ok && files->ca != NULL) {
        code = gnutls_certificate_set_x509_trust_mem(all, &ca, GNUTLS_X509_FMT_PEM);
        if (code <= 0)
            ok = base_fail(err, BASE_INVALID,
                           "TLS authority %s: %s; expected PEM certificates of those who sign "
                           "clients' certificates",
                           files->ca, code < 0 ? gnutls_strerror(code) : "it holds none");
    }
    gnutls_certificate_free_credentials(all);
    return ok && check_dates(&texts->cert, files->cert, err);
}

bool io_tls_read(const struct io_tls_files *files, struct io_tls_texts *out, struct base_error *err)
{
    struct io_tls_texts texts;
    base_buf_init(&texts.cert, PEM_MAX);
    base_buf_init(&texts.key, PEM_MAX);
    base_buf_init(&texts.ca, PEM_MAX);
    const char *key = files->key != NULL ? files->key : files->cert;
    if (read_pem(files->cert, "TLS certificate", &texts.cert, err) &&
        read_pem(key, "TLS key", &texts.key, err) &&
        (files->ca == NULL || read_pem(files->ca, "TLS authority", &texts.ca, err)) &&
        check_all(files, &texts, err)) {
        *out = texts;
        return true;
    }
    io_tls_texts_fini(&texts);
    return false;
}

static void subject_of(gnutls_session_t session, char *out, size_t size)
{
    unsigned count = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t cert;
    gnutls_datum_t name = {0};
    (void)snprintf(out, size, "?");
    if (count == 0 || gnutls_x509_crt_init(&cert) < 0)
        return;
    if (gnutls_x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_crt_get_dn3(cert, &name, 0) == 0) {
        (void)snprintf(out, size, "%.*s", (int)name.size, (const char *)name.data);
        gnutls_free(name.data);
    }
    gnutls_x509_crt_deinit(cert);
}

bool io_tls_peer_verify(void *session, char *out, size_t size, struct base_error *err)
{
    char subject[256];
    unsigned status = 0;
    unsigned count = 0;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0)
        return base_fail(err, BASE_DENIED, "no client certificate was presented");
    subject_of(session, subject, sizeof subject);
    int code = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (code < 0)
        return base_fail(err, BASE_DENIED, "client certificate %s: %s", subject,
                         gnutls_strerror(code));
    if (status != 0) {
        gnutls_datum_t why = {0};
        (void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
        (void)base_fail(err, BASE_DENIED, "client certificate %s: %.*s", subject, (int)why.size,
                        why.data != NULL ? (const char *)why.data : "not accepted");
        gnutls_free(why.data);
        return false;
    }
    (void)snprintf(out, size, "%s", subject);
    return true;
}
