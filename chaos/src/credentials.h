/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the agent proves to a store who it is. The words go from a file on the agent's host into the
 * store's protocol and nowhere else: no request, journal, log, audit line, environment or process
 * argument holds more of them than the file's path.
 */
#ifndef CHAOS_CREDENTIALS_H
#define CHAOS_CREDENTIALS_H

#include <stdint.h>

#include "base/error.h"

struct fault_credentials { /* each NULL: not given */
    char *user;
    char *password;
    char *database;
    uint16_t management_port; /* of RabbitMQ's plugin */
};

/* A regular file of root's or of this process' user that nobody else may read; its format is that
 * of credentialsFile in model/topology.h. No message quotes what it holds. */
bool fault_credentials_read(const char *path, struct fault_credentials *out,
                            struct base_error *err);
void fault_credentials_fini(struct fault_credentials *credentials); /* accepts a zeroed value */

#endif
