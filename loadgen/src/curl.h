/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests through a proxy that is spoken to over TLS: libcurl makes the connections, and writes
 * and reads on them, for it alone holds the proxy's TLS. Other connections that it makes are handed
 * over (dial.h). A multi handle for some connections each (HTTP/2: for one), on the thread's own
 * loop.
 *
 * Design notes. A connection of the worker is an easy handle here, used again for every request.
 * On which of its connections libcurl sends it, libcurl decides; it never has more than the spec's,
 * since no more requests are in flight than these can carry. It opens them when requests need them,
 * not before the load starts, and a request waits for its connection within its own time.
 *
 * libcurl sends a request again when an idle connection turns out to be dead. That would hide a
 * failure that the native engine counts, so the second attempt is refused (on_request).
 *
 * Callbacks of libcurl only note what happened; what ended is collected outside of them, for the
 * worker may send from inside on_end and on_ready. What comes without an answer rests until the
 * loop's next turn: a target that refuses at once cannot keep the thread from everything else.
 */
#ifndef LOAD_CURL_H
#define LOAD_CURL_H

#include "driver.h"

extern const struct load_driver load_curl_driver;

#endif
