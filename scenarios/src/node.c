/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct scn_node *scn_node_new(enum scn_node_kind kind, struct scn_mark mark)
{
    struct scn_node *node = base_calloc(1, sizeof *node);
    node->kind = kind;
    node->mark = mark;
    return node;
}

void scn_node_add(struct scn_node *node, const char *key, struct scn_mark mark,
                  struct scn_node *value)
{
    if (node->count == node->capacity) {
        node->capacity = node->capacity == 0 ? 8 : node->capacity * 2;
        node->entries = base_reallocarray(node->entries, node->capacity, sizeof *node->entries);
    }
    node->entries[node->count++] =
        (struct scn_entry){.key = base_str_dup(key), .mark = mark, .value = value};
}

const struct scn_entry *scn_node_find(const struct scn_node *node, const char *key)
{
    for (size_t i = 0; i < node->count; i++) {
        if (strcmp(node->entries[i].key, key) == 0)
            return &node->entries[i];
    }
    return NULL;
}

/* The depth is bounded by the parser. */
void scn_node_free(struct scn_node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++) {
        free(node->entries[i].key);
        scn_node_free(node->entries[i].value);
    }
    free(node->entries);
    free(node->text);
    free(node);
}
