/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of a redirect and one round of conversations along all of them. */
#ifndef CHAOS_REDIRECT_PATHS_H
#define CHAOS_REDIRECT_PATHS_H

#include "redirect.h"

struct redirect_paths;

struct redirect_paths *redirect_paths_new(struct fault *fault, const struct redirect_kind *kind);
void redirect_paths_free(struct redirect_paths *paths); /* accepts NULL */
/* Resolves those of one zone. */
/* Before they are added: leaves out who lies in a block but cannot show the effect on it. */
bool redirect_paths_keep(const struct redirect_paths *paths, struct fault_zone *zone,
                         const struct topo *topo, struct base_error *err);
bool redirect_paths_add(struct redirect_paths *paths, size_t index, const struct fault_zone *zone,
                        const struct topo *topo, struct base_error *err);
json_t *redirect_paths_to_json(const struct redirect_paths *paths, size_t zone);
bool redirect_paths_from_json(struct redirect_paths *paths, size_t zone, const json_t *json,
                              struct base_error *err);

/* on_done fires once, on the loop and never from inside this call, unless cancelled or started
 * anew. The round before is kept for comparison when it was that of PREPARE. */
bool redirect_paths_start(struct redirect_paths *paths, enum fault_step round,
                          void (*on_done)(struct fault *fault), struct base_error *err);
void redirect_paths_cancel(struct redirect_paths *paths); /* accepts NULL */
/* The first whose answers were not as they should be; NULL: none. */
const struct redirect_path *redirect_paths_odd(const struct redirect_paths *paths);
/* Whether every path was answered, or told that nobody is there, or has lost its namespace. */
bool redirect_paths_explained(const struct redirect_paths *paths, const struct fault_zone *zones);
void redirect_paths_evidence(const struct redirect_paths *paths, const struct fault_zone *zones);
void redirect_paths_error(const struct redirect_paths *paths, const struct redirect_path *odd,
                          const char *what, struct base_error *err);

#endif
