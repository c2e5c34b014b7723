/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native engine for HTTP/2: nghttp2 (http2_session.h) over TCP connections of our own, over TLS
 * by ALPN or in the clear with prior knowledge. Here a connection of the worker is a slot, which
 * carries one stream at a time; a *wire* is what has as many slots as streams were asked for.
 *
 * Design notes. A slot is offered to the worker only while its wire has room: while fewer streams
 * are under way or offered than were asked for and than the peer allows, which it may change at any
 * time. A wire is ready when the peer's settings came, so that what speaks no HTTP/2 is found out
 * while connecting.
 *
 * What a turn of the loop asks for goes out in one write a wire: sending only queues, and after
 * what was read has been dealt with, or at the end of the turn, all of it is written.
 *
 * A wire that is to end (GOAWAY, or a timeout during which nothing at all came) takes no new
 * requests and is opened anew when those under way have ended. One that is lost fails them all.
 * Back-off as in stream.h. A failed request is not sent again, not even one that was refused
 * unserved: that would hide what a user would have met.
 */
#ifndef LOAD_HTTP2_H
#define LOAD_HTTP2_H

#include "driver.h"

extern const struct load_driver load_http2_driver;
extern const struct load_driver load_dialled_http2_driver; /* over connections of dial.h */

#endif
