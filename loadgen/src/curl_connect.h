/* SPDX-License-Identifier: Apache-2.0 */
/* What connections made by libcurl have in common, whoever uses them then: their sockets, and why
 * there is none. */
#ifndef LOAD_CURL_CONNECT_H
#define LOAD_CURL_CONNECT_H

#include "driver.h"

struct curl_sockaddr;

/* A socket for CURLOPT_OPENSOCKETFUNCTION, bound to conn->source. -1 with errno. */
int load_curl_socket(const struct load_conn *conn, const struct curl_sockaddr *address);
/* easy: a CURL, which has no connection within its time: what it waits for. */
enum load_cause load_curl_awaits(void *easy);
/* result: the CURLcode with which it failed to connect. socket_error: errno of load_curl_socket, or
 * 0. */
enum load_cause load_curl_cause(void *easy, int result, int socket_error);

#endif
