/* SPDX-License-Identifier: Apache-2.0 */
/* A document as a tree of generic values, each with its place. */
#ifndef SCENARIOS_NODE_H
#define SCENARIOS_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "scenarios/problems.h"

enum scn_node_kind { SCN_NODE_SCALAR, SCN_NODE_MAP, SCN_NODE_LIST };

struct scn_node;

struct scn_entry {
    char *key; /* NULL in lists */
    struct scn_mark mark;
    struct scn_node *value;
};

struct scn_node {
    enum scn_node_kind kind;
    bool plain;      /* a scalar without quotes: it may stand for a number, a boolean or nothing */
    const char *bad; /* NULL, or why this value is refused as it is written */
    struct scn_mark mark;
    char *text; /* of a scalar */
    struct scn_entry *entries;
    size_t count;
    size_t capacity;
};

struct scn_node *scn_node_new(enum scn_node_kind kind, struct scn_mark mark);
/* Takes value; copies key. */
void scn_node_add(struct scn_node *node, const char *key, struct scn_mark mark,
                  struct scn_node *value);
/* The first entry of that key, or NULL. */
const struct scn_entry *scn_node_find(const struct scn_node *node, const char *key);
void scn_node_free(struct scn_node *node); /* accepts NULL */

/* The tree of the one document in bytes. Mistakes in the syntax are fatal (NULL) and duplicate
 * keys are reported; values with anchors, aliases or tags are marked bad for the decoder to report,
 * which knows where they belong. */
struct scn_node *scn_yaml_parse(const char *file, const char *bytes, size_t len,
                                struct scn_problems *problems);

#endif
