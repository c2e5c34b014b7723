/* SPDX-License-Identifier: Apache-2.0 */
/* What a request line of the control protocol asks for. Pure. */
#ifndef CHAOS_ROUTE_H
#define CHAOS_ROUTE_H

#include <stdbool.h>

enum agent_route_id {
    AGENT_ROUTE_HEALTH,
    AGENT_ROUTE_POST,
    AGENT_ROUTE_LIST,
    AGENT_ROUTE_GET,
    AGENT_ROUTE_DELETE,
    AGENT_ROUTE_RENEW,
    AGENT_ROUTE_HALT,
    AGENT_ROUTE_REHEARSE,
    AGENT_ROUTE_COUNT
};

struct agent_route {
    enum agent_route_id id;
    const char *method;
    const char *path;   /* up to the fault's id */
    bool has_id;        /* the next segment */
    const char *action; /* behind the id; "" none */
    bool open;          /* without token and certificate */
    bool strict;        /* of our version only: what reverts must work with any, reading does no
                         * harm */
};

enum { AGENT_ROUTE_ID_TEXT = 256 };
/* NULL when there is none; *known says whether the path takes another method. The fault's id is cut
 * into id, "" where the route has none; whether it is one is for others to say. */
const struct agent_route *agent_route_find(const char *method, const char *path,
                                           char id[static AGENT_ROUTE_ID_TEXT], bool *known);

#endif
