/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can befall a store, through its own protocol. */
#include "fields_parts.h"

static const struct scn_word lock_list[] = {{"all", FAULT_POSTGRES_LOCK_ALL},
                                            {"writes", FAULT_POSTGRES_LOCK_WRITES}};
static const struct scn_words locks = WORDS(lock_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field terminate_fields[] = {
    {.key = "every",
     .type = SCN_DURATION,
     AT(postgres.every),
     .fallback = "0s",
     .min = "0s",
     .max = "10m",
     .example = "2s",
     .help = "Again so often, until the fault ends; 100ms at least. 0s: once."},
};
static const struct scn_shape terminate_shape = {FIELDS(terminate_fields)};

static const struct scn_field lock_fields[] = {
    {.key = "table",
     .type = SCN_TEXT,
     AT(postgres.table),
     .required = true,
     .example = "users",
     .help = "Table, also with its schema in front: public.users."},
    {.key = "mode",
     .type = SCN_WORD,
     .words = &locks,
     AT(postgres.lock),
     .fallback = "all",
     .help = "all: nobody reads or writes it (ACCESS EXCLUSIVE); writes: reading goes on "
             "(EXCLUSIVE)."},
};
static const struct scn_shape lock_shape = {FIELDS(lock_fields)};

static const struct scn_field connections_fields[] = {
    {.key = "left",
     .type = SCN_INTEGER,
     AT(postgres.left),
     .fallback = "0",
     .min = "0",
     .max = "10000",
     .example = "2",
     .help = "So many stay free, besides those that the server reserves for superusers."},
};
static const struct scn_shape connections_shape = {FIELDS(connections_fields)};

static const struct scn_field postgres_fields[] = {
    {.key = "terminate",
     .type = SCN_OBJECT,
     .shape = &terminate_shape,
     .choice = FAULT_POSTGRES_TERMINATE + 1,
     .help = "Ends the sessions of others in the database; they may connect again."},
    {.key = "lock",
     .type = SCN_OBJECT,
     .shape = &lock_shape,
     .choice = FAULT_POSTGRES_LOCK + 1,
     .help = "A transaction holds a lock on a table: statements on it wait."},
    {.key = "connections",
     .type = SCN_OBJECT,
     .shape = &connections_shape,
     .choice = FAULT_POSTGRES_CONNECTIONS + 1,
     .help = "Takes the connections that are free when the fault begins: new ones are refused."},
};
const struct scn_shape scn_postgres_shape = {
    FIELDS(postgres_fields), .choice_of = "a way to break it",
    .choice_offset = offsetof(struct scn_fault, postgres.action)};
#undef AT
