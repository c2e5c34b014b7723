/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is not its route's own but made for one occasion, and the bytes of its response.
 */
#ifndef LOAD_ERRAND_H
#define LOAD_ERRAND_H

#include "http_request.h"
#include "message.h"

struct load_errand {
    struct load_request request;
    struct load_capture capture;
};

#endif
