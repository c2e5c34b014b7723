/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"

bool load_address_parse(const struct load_target *target, size_t number, struct load_address *out,
                        struct base_error *err)
{
    struct load_address made = {.number = number};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&made.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&made.storage;
    if (inet_pton(AF_INET, target->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(target->port);
        made.len = sizeof *v4;
    } else if (inet_pton(AF_INET6, target->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(target->port);
        made.len = sizeof *v6;
    } else {
        return base_fail(err, BASE_INVALID,
                         "target \"%s\" is not an IPv4 or IPv6 address: resolve names first",
                         target->address);
    }
    *out = made;
    return true;
}

/* ip(7), IP_BIND_ADDRESS_NO_PORT. */
bool load_address_bind(int fd, const struct load_address *source)
{
    static const int one = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, load_address_any(source), source->len) == 0;
}

bool load_source_check(const struct load_address *source, const char *text,
                       const struct load_address *targets, size_t target_count,
                       struct base_error *err)
{
    for (size_t i = 0; i < target_count; i++)
        if (targets[i].len > 0 && targets[i].storage.ss_family != source->storage.ss_family)
            return base_fail(err, BASE_INVALID,
                             "source address %s and a target are not both IPv4 or both IPv6", text);
    BASE_AUTO_FD int fd = socket(source->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return base_fail_errno(err, "cannot make a socket");
    return load_address_bind(fd, source) ||
           base_fail(err, BASE_INVALID,
                     "cannot connect from source address %s (%s): give it to an interface of this "
                     "machine first",
                     text, strerrordesc_np(errno));
}
