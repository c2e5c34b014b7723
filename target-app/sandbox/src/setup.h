/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that has to lie on disk before the programs start, and the list of programs itself. */
#ifndef SANDBOX_SETUP_H
#define SANDBOX_SETUP_H

#include "accounts.h"
#include "programs.h"
#include "roster.h"
#include "unit.h"

enum { SANDBOX_UNITS = 10 }; /* 6 instances, the agent, 3 jobs */

struct sandbox_setup {
    const struct sandbox_place *place;
    struct sandbox_programs programs;
    struct sandbox_roster roster;
    struct sandbox_accounts accounts;
    char *hosts_file;
    char *agent_cgroup; /* NULL: none */
    bool has_data;      /* the database folder is there */
    bool has_roles;     /* and the services' role and database in it */
    struct sandbox_unit units[SANDBOX_UNITS];
    size_t unit_count;
};

/* The folders below place->dir. */
bool sandbox_make_folders(const struct sandbox_place *place, struct base_error *err);
/* Whom the programs run as, and that each can be executed by its user. */
bool sandbox_find_accounts(struct sandbox_setup *setup, struct base_error *err);
/* Secrets, hosts, prometheus.yml, pg_hba.conf, topology.json; empties what is not to outlive a
 * run of the sandbox. The roster is known by now. */
bool sandbox_write_files(struct sandbox_setup *setup, struct base_error *err);
/* Fills units (descriptions only). Files are written by now. */
void sandbox_list_units(struct sandbox_setup *setup);
void sandbox_setup_fini(struct sandbox_setup *setup);

#endif
