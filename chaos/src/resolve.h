/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From names to what the kernel knows: through the agent's own topology file, never through
 * anything a request carries. Values are copies: they stay right when the topology is read anew.
 */
#ifndef CHAOS_RESOLVE_H
#define CHAOS_RESOLVE_H

#include <netinet/in.h>
#include <sys/types.h>

#include "model/block.h"
#include "model/fault.h"
#include "model/topology.h"

struct fault_target {
    char *name;
    char *service;
    char *kind; /* of the service: "http", "postgres"... */
    char *address;
    uint16_t port;
    char *netns;            /* NULL: has none of its own */
    bool netns_found;       /* with its processes: the topology does not name it */
    char *cgroup;           /* NULL: has none of its own */
    char *status_file;      /* NULL: none */
    char *admin_token_file; /* NULL: none */
    char *ready_path;       /* NULL: none */
    char *credentials_file; /* NULL: none */
    char *find_by;          /* how its processes are found (find.h); NULL: by status_file */
    char *find_value;
    char *shared; /* why one that is found has no cgroup of its own; NULL: it has, or is in none */
    char *pod_namespace; /* each NULL: it is no pod that the API is asked about */
    char *pod_name;
    char *pod_uid;
    char *api_url; /* of Kubernetes' API server; each NULL: none */
    char *api_ca_file;
    char *api_token_file;
    char *elsewhere; /* one of its processes that lives in another network namespace; NULL: none */
    char *neighbour; /* one that lives in its network namespace and was not found; NULL: none, or
                      * the topology names that namespace: then all who live there are meant */
};

/* A process and what guards against its pid being given to another one. */
struct fault_process {
    pid_t pid; /* 0: none */
    uint64_t start_ticks;
};

/* Where a peer of a partition is; port for measuring. */
struct fault_peer {
    char label[128]; /* "postgres-1:5432" */
    int family;      /* AF_INET or AF_INET6 */
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    uint16_t port;
    bool in_block;  /* not named itself: it lies in a block that is, and shows the effect on it */
    char home[256]; /* its network namespace, for who goes there to measure; "": nobody does */
};

enum { FAULT_MAX_PEERS = 256 };

struct fault_peers {
    struct fault_peer *list;
    size_t count;
    struct addr_block *blocks; /* all of whose addresses are meant, too */
    size_t block_count;
};

bool fault_target_resolve(const struct topo *topo, const char *name, struct fault_target *out,
                          struct base_error *err);
/* What the topology says, without a look for its processes, which may run on another host. */
bool fault_target_look_up(const struct topo *topo, const char *name, struct fault_target *out,
                          struct base_error *err);
void fault_target_fini(struct fault_target *target); /* accepts a zeroed value */

/* The process of the instance now, as its statusFile says, checked against /proc. state (may be
 * NULL) becomes the statusFile's word, free() it. pid 0 without error: there is no process. */
bool fault_target_process(const struct fault_target *target, struct fault_process *out,
                          char **state, struct base_error *err);
/* All of its processes that are found; the one of its statusFile, else. The oldest first. */
bool fault_target_processes(const struct fault_target *target, struct fault_process **out,
                            size_t *count, struct base_error *err);
/* In `group` lives nobody but the target, where it is one that is found: BASE_DENIED says who else
 * does. Of others the topology says what is theirs. */
bool fault_target_alone(const struct fault_target *target, const char *group,
                        struct base_error *err);
/* Its start ticks; false when there is no such process, or only a zombie. */
bool fault_process_ticks(pid_t pid, uint64_t *out);
/* Its letter there, field 3: 'R', 'S', 'T'... '\0' when it is gone. */
char fault_process_state(const struct fault_process *process);
bool fault_process_alive(const struct fault_process *process);

/* Names of services (all their instances), of instances, or addresses of instances; "ADDR:PORT" for
 * an address outside the topology; blocks of addresses, which are shown by the instances in them.
 * A block is refused when it holds one of this host's own addresses that is not named. Addresses in
 * `own` (the target itself) are left out. */
bool fault_peers_resolve(const struct topo *topo, char *const *names, size_t count, const char *own,
                         struct fault_peers *out, struct base_error *err);
/* Finds the namespace that each lives in, of which there must be one that is not the agent's; who
 * lies in a block is left out else. Ports are no part of labels any more. */
bool fault_peers_locate(struct fault_peers *peers, const struct topo *topo, struct base_error *err);
void fault_peers_fini(struct fault_peers *peers);
/* Whether that address, as the network has it, is meant: as one of them, or in one of the blocks,
 * where `own` says that it is the target's: what it says to itself is not meant by a block. */
bool fault_peers_hold(const struct fault_peers *peers, int family, const unsigned char *address,
                      bool own);
/* Whether one of the peers lies in every block; the message names the block that has none. */
bool fault_peers_show_blocks(const struct fault_peers *peers, struct base_error *err);

#endif
