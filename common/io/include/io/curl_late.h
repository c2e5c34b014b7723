/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when it is first needed: it brings thirty libraries along, which took a third of
 * the memory of an agent that never sends a request, and most of the time in which a program
 * starts. Included in place of <curl/curl.h>; calls are written as usual and go through a table,
 * once io_curl_load has returned true.
 */
#ifndef IO_CURL_LATE_H
#define IO_CURL_LATE_H

#define CURL_DISABLE_TYPECHECK 1 /* its macros stand for functions that are not linked here */
#include <curl/curl.h>

#include "base/error.h"

#define CURL_LATE(X)                                                                               \
    X(curl_easy_cleanup)                                                                           \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_header)                                                                            \
    X(curl_easy_init)                                                                              \
    X(curl_easy_reset)                                                                             \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_strerror)                                                                          \
    X(curl_free)                                                                                   \
    X(curl_global_init)                                                                            \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_assign)                                                                           \
    X(curl_multi_cleanup)                                                                          \
    X(curl_multi_info_read)                                                                        \
    X(curl_multi_init)                                                                             \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_setopt)                                                                           \
    X(curl_multi_socket_action)                                                                    \
    X(curl_multi_strerror)                                                                         \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_url)                                                                                    \
    X(curl_url_cleanup)                                                                            \
    X(curl_url_get)                                                                                \
    X(curl_url_set)

struct io_curl_late {
#define CURL_LATE_MEMBER(name) __typeof__(name) *(name);
    CURL_LATE(CURL_LATE_MEMBER)
#undef CURL_LATE_MEMBER
};

/* Loads and initialises it, once for the process, for good; any thread. BASE_UNAVAILABLE: it is not
 * there. */
bool io_curl_load(struct base_error *err);
const struct io_curl_late *io_curl_late(void);

#ifndef CURL_LATE_PLAIN  /* curl_late.c itself */
#undef curl_easy_getinfo /* macros that count their arguments */
#undef curl_easy_setopt
#undef curl_multi_setopt
#define curl_easy_cleanup        (io_curl_late()->curl_easy_cleanup)
#define curl_easy_getinfo        (io_curl_late()->curl_easy_getinfo)
#define curl_easy_header         (io_curl_late()->curl_easy_header)
#define curl_easy_init           (io_curl_late()->curl_easy_init)
#define curl_easy_reset          (io_curl_late()->curl_easy_reset)
#define curl_easy_setopt         (io_curl_late()->curl_easy_setopt)
#define curl_easy_strerror       (io_curl_late()->curl_easy_strerror)
#define curl_free                (io_curl_late()->curl_free)
#define curl_global_init         (io_curl_late()->curl_global_init)
#define curl_multi_add_handle    (io_curl_late()->curl_multi_add_handle)
#define curl_multi_assign        (io_curl_late()->curl_multi_assign)
#define curl_multi_cleanup       (io_curl_late()->curl_multi_cleanup)
#define curl_multi_info_read     (io_curl_late()->curl_multi_info_read)
#define curl_multi_init          (io_curl_late()->curl_multi_init)
#define curl_multi_remove_handle (io_curl_late()->curl_multi_remove_handle)
#define curl_multi_setopt        (io_curl_late()->curl_multi_setopt)
#define curl_multi_socket_action (io_curl_late()->curl_multi_socket_action)
#define curl_multi_strerror      (io_curl_late()->curl_multi_strerror)
#define curl_slist_append        (io_curl_late()->curl_slist_append)
#define curl_slist_free_all      (io_curl_late()->curl_slist_free_all)
#define curl_url                 (io_curl_late()->curl_url)
#define curl_url_cleanup         (io_curl_late()->curl_url_cleanup)
#define curl_url_get             (io_curl_late()->curl_url_get)
#define curl_url_set             (io_curl_late()->curl_url_set)
#endif

#endif
