/* SPDX-License-Identifier: Apache-2.0 */
/* Where the programs are that the sandbox runs, and which package brings a missing one. */
#ifndef SANDBOX_PROGRAMS_H
#define SANDBOX_PROGRAMS_H

#include "base/error.h"

struct sandbox_programs {
    char *users;
    char *gateway;
    char *agent;
    char *initdb;
    char *postgres;
    char *psql;
    char *prometheus;
    char *ip; /* NULL in loopback mode, which does without */
};

/* BASE_NOT_FOUND names every missing program and what to install. */
bool sandbox_programs_find(struct sandbox_programs *programs, bool loopback,
                           struct base_error *err);
void sandbox_programs_fini(struct sandbox_programs *programs);
/* iproute2's ip alone, for cleaning up; free() it; NULL when it is missing. */
char *sandbox_program_ip(void);

#endif
