/* SPDX-License-Identifier: Apache-2.0 */
/* The format of scenario files, generated from the table that the parser itself follows. */
#ifndef SCENARIOS_SCHEMA_H
#define SCENARIOS_SCHEMA_H

/* JSON Schema (draft 2020-12) for editors and other checkers. free() it. */
char *scn_schema_text(void);
/* Every key with its type, default, range and meaning, for a person. free() it. */
char *scn_schema_help(void);

#endif
