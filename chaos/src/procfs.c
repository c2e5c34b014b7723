/* SPDX-License-Identifier: Apache-2.0 */
#include "procfs.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char hex[] = "0123456789abcdef";

/* --- cgroup paths --- */

char *procfs_cgroup_line(char *line, const char **controllers)
{
    char *first = strchr(line, ':');
    char *second = first != NULL ? strchr(first + 1, ':') : NULL;
    if (second == NULL || first == line || strspn(line, "0123456789") != (size_t)(first - line) ||
        second[1] != '/')
        return NULL;
    *second = '\0';
    *controllers = first + 1;
    char *path = second + 1;
    path[strcspn(path, "\n")] = '\0';
    return path;
}

/* One part of a path; len 0 at its end. */
struct part {
    const char *text;
    size_t len;
};

static struct part next_part(const char **at)
{
    *at += strspn(*at, "/");
    struct part part = {*at, strcspn(*at, "/")};
    *at += part.len;
    return part;
}

static bool ends(struct part part, const char *suffix)
{
    size_t len = strlen(suffix);
    return part.len >= len && memcmp(part.text + part.len - len, suffix, len) == 0;
}

/* 64 hex digits and nothing else. */
static bool take_container(const char *text, size_t len, char out[static PROCFS_ID_TEXT])
{
    if (len != PROCFS_ID_TEXT - 1 || strspn(text, hex) < len)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "cri-containerd-<id>.scope" and the like; "crio-conmon-" watches a container and is none. */
static bool scope_container(struct part part, char out[static PROCFS_ID_TEXT])
{
    static const char *const runtimes[] = {"cri-containerd-", "crio-", "docker-", "libpod-"};
    static const char suffix[] = ".scope";
    if (!ends(part, suffix))
        return false;
    size_t len = part.len - (sizeof suffix - 1);
    for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
        size_t head = strlen(runtimes[i]);
        if (len > head && memcmp(part.text, runtimes[i], head) == 0 &&
            take_container(part.text + head, len - head, out))
            return true;
    }
    return false;
}

/* A UID as kubelet writes it: 8-4-4-4-12 hex digits with '-', or with '_' in a slice's name, where
 * '-' nests; a static pod's is a hash of 32 digits. */
static bool take_uid(const char *text, size_t len, char out[static PROCFS_ID_TEXT])
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (len == 32 && strspn(text, hex) >= len) {
        memcpy(out, text, len);
        out[len] = '\0';
        return true;
    }
    if (len != sizeof shape - 1)
        return false;
    char uid[sizeof shape];
    for (size_t i = 0; i < len; i++) {
        bool dash = shape[i] == '-';
        if (dash ? text[i] != '-' && text[i] != '_' : text[i] == '\0' || !strchr(hex, text[i]))
            return false;
        uid[i] = dash ? '-' : text[i];
    }
    uid[len] = '\0';
    memcpy(out, uid, sizeof uid);
    return true;
}

/* "pod<uid>", or "...-pod<uid>.slice" of the systemd driver; *rest is what follows the slice's name
 * in the same part: containerd with the wrong driver writes ":cri-containerd:<id>" there. */
static bool part_pod(struct part part, char out[static PROCFS_ID_TEXT], struct part *rest)
{
    static const char word[] = "pod";
    static const char slice[] = ".slice";
    const char *end = memchr(part.text, ':', part.len);
    struct part name = {part.text, end != NULL ? (size_t)(end - part.text) : part.len};
    *rest = (struct part){part.text + name.len, part.len - name.len};
    if (ends(name, slice))
        name.len -= sizeof slice - 1;
    for (size_t i = 0; i + sizeof word - 1 < name.len; i++) {
        bool starts = i == 0 || name.text[i - 1] == '-';
        if (starts && memcmp(name.text + i, word, sizeof word - 1) == 0 &&
            take_uid(name.text + i + sizeof word - 1, name.len - i - (sizeof word - 1), out))
            return true;
    }
    return false;
}

static void colon_container(struct part rest, char out[static PROCFS_ID_TEXT])
{
    const char *last = memrchr(rest.text, ':', rest.len);
    if (last != NULL)
        (void)take_container(last + 1, (size_t)(rest.text + rest.len - (last + 1)), out);
}

/* The innermost pod, and the container right below it: a node that is itself a container (kind) has
 * its own id further up, and a container that runs systemd has more below. */
bool procfs_cgroup_pod(const char *path, struct procfs_pod *out)
{
    struct procfs_pod found = {.uid = ""};
    struct part part;
    while ((part = next_part(&path)).len > 0) {
        char id[PROCFS_ID_TEXT] = "";
        struct part rest;
        if (part_pod(part, id, &rest)) {
            memcpy(found.uid, id, sizeof id);
            found.container[0] = '\0';
            colon_container(rest, found.container);
        } else if (found.container[0] == '\0' &&
                   (take_container(part.text, part.len, id) || scope_container(part, id))) {
            memcpy(found.container, id, sizeof id);
        }
    }
    if (found.uid[0] == '\0' && found.container[0] == '\0')
        return false;
    *out = found;
    return true;
}

bool procfs_cgroup_unit(const char *path, char out[static PROCFS_UNIT_TEXT])
{
    static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};
    struct part part;
    do
        part = next_part(&path);
    while (ends(part, ".slice"));
    /* systemd puts '_' in front of a name that the kernel would take for a file of its own. */
    if (part.len > 0 && part.text[0] == '_') {
        part.text++;
        part.len--;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (part.len >= PROCFS_UNIT_TEXT || part.len == strlen(suffixes[i]) ||
            !ends(part, suffixes[i]))
            continue;
        memcpy(out, part.text, part.len);
        out[part.len] = '\0';
        return true;
    }
    return false;
}

bool procfs_cgroup_below(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);
    while (len > 1 && prefix[len - 1] == '/')
        len--;
    if (len == 1)
        return path[0] == '/';
    return strncmp(path, prefix, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* --- sockets --- */

static bool hex_number(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] != '\0' ? strchr("0123456789ABCDEF", text[i]) : NULL;
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - "0123456789ABCDEF");
    }
    *out = value;
    return len > 0;
}

/* proc_net_tcp.txt: "sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode". */
bool procfs_tcp_listener(const char *line, struct procfs_socket *out)
{
    enum { LOCAL = 1, STATE = 3, INODE = 9, FIELDS_USED = 10 };
    static const char listening[] = "0A";
    const char *fields[FIELDS_USED];
    size_t lens[FIELDS_USED];
    uint64_t port = 0;
    for (size_t i = 0; i < FIELDS_USED; i++) {
        line += strspn(line, " ");
        fields[i] = line;
        lens[i] = strcspn(line, " \n");
        line += lens[i];
        if (lens[i] == 0)
            return false;
    }
    const char *colon = memrchr(fields[LOCAL], ':', lens[LOCAL]);
    if (lens[STATE] != 2 || memcmp(fields[STATE], listening, 2) != 0 || colon == NULL ||
        !hex_number(colon + 1, (size_t)(fields[LOCAL] + lens[LOCAL] - colon - 1), &port) ||
        port > UINT16_MAX)
        return false;
    char inode[24];
    uint64_t number = 0;
    if (lens[INODE] >= sizeof inode)
        return false;
    memcpy(inode, fields[INODE], lens[INODE]);
    inode[lens[INODE]] = '\0';
    if (!base_parse_u64(inode, &number))
        return false;
    *out = (struct procfs_socket){.port = (uint16_t)port, .inode = number};
    return true;
}

bool procfs_socket_link(const char *link, uint64_t *out_inode)
{
    static const char head[] = "socket:[";
    char digits[24];
    size_t len = strlen(link);
    if (!base_str_starts(link, head) || link[len - 1] != ']')
        return false;
    len -= sizeof head; /* the head's NUL stands for the bracket */
    if (len >= sizeof digits)
        return false;
    memcpy(digits, link + sizeof head - 1, len);
    digits[len] = '\0';
    return base_parse_u64(digits, out_inode);
}

/* --- addresses --- */

/* "  |-- 10.0.0.11\n     /32 host LOCAL": the second line says what the first one's address is. */
bool procfs_fib_next(const char **at, char out[static INET_ADDRSTRLEN])
{
    static const char mark[] = "|-- ";
    static const char local[] = "/32 host LOCAL";
    const char *found;
    while ((found = strstr(*at, mark)) != NULL) {
        const char *address = found + sizeof mark - 1;
        size_t len = strcspn(address, "\n");
        const char *next = address + len + strspn(address + len, "\n ");
        *at = next;
        struct in_addr ignored;
        char text[INET_ADDRSTRLEN];
        if (!base_str_starts(next, local) || len >= sizeof text)
            continue;
        memcpy(text, address, len);
        text[len] = '\0';
        if (inet_pton(AF_INET, text, &ignored) != 1 || base_str_starts(text, "127."))
            continue;
        memcpy(out, text, len + 1);
        return true;
    }
    return false;
}

/* "fd000000000000000000000000000011 02 40 00 80 eth0": address, index, prefix, scope, flags, name;
 * scope 00 is global (if_inet6 in proc(5)). */
bool procfs_inet6_line(const char *line, char out[static INET6_ADDRSTRLEN])
{
    enum { DIGITS = 32, SCOPE = 39 };
    struct in6_addr address;
    if (strlen(line) < SCOPE + 2 || strspn(line, hex) != DIGITS ||
        memcmp(line + SCOPE, "00", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof address.s6_addr; i++)
        address.s6_addr[i] =
            (uint8_t)((strchr(hex, line[2 * i]) - hex) << 4 | (strchr(hex, line[2 * i + 1]) - hex));
    return inet_ntop(AF_INET6, &address, out, INET6_ADDRSTRLEN) != NULL;
}
