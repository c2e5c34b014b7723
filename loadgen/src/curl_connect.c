/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_connect.h"
#include "io/curl_late.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int load_curl_socket(const struct load_conn *conn, const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->protocol);
    if (fd < 0 || conn->source == NULL || address->family == AF_UNIX ||
        load_address_bind(fd, conn->source))
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

enum load_cause load_curl_awaits(void *easy)
{
    curl_off_t resolved = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    return resolved == 0 ? LOAD_CAUSE_DNS : LOAD_CAUSE_CONNECT_TIMEOUT;
}

enum load_cause load_curl_cause(void *easy, int result, int socket_error)
{
    long error = 0, proxy = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (proxy >= 300)
        return LOAD_CAUSE_PROXY;
    switch ((CURLcode)result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return LOAD_CAUSE_DNS;
    case CURLE_COULDNT_CONNECT:
        return load_cause_of_errno(socket_error != 0 ? socket_error : (int)error);
    case CURLE_OPERATION_TIMEDOUT:
        return load_curl_awaits(easy);
    case CURLE_PROXY:
        return LOAD_CAUSE_PROXY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return LOAD_CAUSE_TLS;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        return LOAD_CAUSE_CONNECT_RESET;
    default:
        return LOAD_CAUSE_OTHER;
    }
}
