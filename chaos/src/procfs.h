/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the texts of /proc say of a process: its unit, pod and container from its cgroup path
 * (cgroups(7)), the sockets that listen, addresses of its network namespace. Pure.
 */
#ifndef CHAOS_PROCFS_H
#define CHAOS_PROCFS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path of one line of /proc/PID/cgroup, "4:memory:/a/b" or "0::/a/b", cut in place; NULL when
 * the line is none. *controllers is "" for the one hierarchy of cgroup v2. */
char *procfs_cgroup_line(char *line, const char **controllers);

enum { PROCFS_ID_TEXT = 65, PROCFS_UNIT_TEXT = 256 };

struct procfs_pod {
    char uid[PROCFS_ID_TEXT];       /* with dashes, or 32 hex digits of a static pod; "" none */
    char container[PROCFS_ID_TEXT]; /* 64 hex digits; "" none: the pod's own cgroup */
};
/* Pod and container of a cgroup path as kubelet, containerd, CRI-O, Docker and Podman make it, with
 * the cgroupfs and the systemd driver, on v1 and v2, nested (kind) and below the container. false:
 * the path belongs to no pod or container. */
bool procfs_cgroup_pod(const char *path, struct procfs_pod *out);

/* The systemd unit that owns the path, as systemd reads it: the first part that is no slice. false:
 * none. */
bool procfs_cgroup_unit(const char *path, char out[static PROCFS_UNIT_TEXT]);

/* path is prefix or lies below it. */
bool procfs_cgroup_below(const char *path, const char *prefix);

struct procfs_socket {
    uint16_t port; /* local */
    uint64_t inode;
};
/* A listening socket of one line of /proc/net/tcp or tcp6; false: anything else. */
bool procfs_tcp_listener(const char *line, struct procfs_socket *out);
/* "socket:[123]", as a link in /proc/PID/fd reads. */
bool procfs_socket_link(const char *link, uint64_t *out_inode);

/* The next local IPv4 address of the text of /proc/PID/net/fib_trie, not of 127.0.0.0/8; *at moves
 * on. false: no more. The kernel lists each twice. */
bool procfs_fib_next(const char **at, char out[static INET_ADDRSTRLEN]);
/* The address of one line of /proc/PID/net/if_inet6, not ::1 nor of a link. */
bool procfs_inet6_line(const char *line, char out[static INET6_ADDRSTRLEN]);

#endif
