/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small targets for agent_speed.py: processes that echo what they are sent over TCP and UDP, each
 * in a network namespace of its own, and one in ours that they can all reach.
 *
 *   small_targets COUNT SUBNET PORT     SUBNET "10.77": the n-th has 10.77.1.n and so on
 *
 * Prints the pids, that of the common one first. Somebody gives each namespace an eth0 and then
 * writes a line to standard input: each configures its own and listens; "ready" follows. They end
 * with standard input.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

enum { most = 1000, a_subnet = 250, connections_most = 1024 };

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void address_of(const char *subnet, int index, char out[static INET_ADDRSTRLEN])
{
    (void)snprintf(out, INET_ADDRSTRLEN, "%s.%d.%d", subnet, 1 + index / a_subnet,
                   1 + index % a_subnet);
}

static void set_address(int fd, unsigned long request, const char *address)
{
    struct ifreq ask = {.ifr_name = "eth0"};
    struct sockaddr_in to = {.sin_family = AF_INET};
    (void)inet_pton(AF_INET, address, &to.sin_addr);
    memcpy(&ask.ifr_addr, &to, sizeof to);
    if (ioctl(fd, request, &ask) < 0)
        die("address of eth0");
}

static void bring_up(int fd, const char *device)
{
    struct ifreq ask = {.ifr_flags = IFF_UP | IFF_RUNNING};
    (void)snprintf(ask.ifr_name, sizeof ask.ifr_name, "%s", device);
    if (ioctl(fd, SIOCSIFFLAGS, &ask) < 0)
        die(device);
}

static void configure(const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    set_address(fd, SIOCSIFADDR, address);
    set_address(fd, SIOCSIFNETMASK, "255.255.0.0");
    bring_up(fd, "lo");
    bring_up(fd, "eth0");
    (void)close(fd);
}

static int listen_on(int type, uint16_t port)
{
    static const int on = 1;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&any, sizeof any) < 0 ||
        (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0))
        die("listen");
    return fd;
}

static void echo_datagram(int fd)
{
    char data[2048];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);
    if (got >= 0)
        (void)sendto(fd, data, (size_t)got, 0, (const struct sockaddr *)&from, len);
}

/* false: the connection has ended. */
static bool echo_stream(int fd)
{
    char data[2048];
    ssize_t got = recv(fd, data, sizeof data, 0);
    return got > 0 && send(fd, data, (size_t)got, MSG_NOSIGNAL) == got;
}

static _Noreturn void serve(uint16_t port)
{
    enum { STREAM, DATAGRAM, FIRST };
    struct pollfd fds[FIRST + connections_most] = {
        {.fd = listen_on(SOCK_STREAM, port), .events = POLLIN},
        {.fd = listen_on(SOCK_DGRAM, port), .events = POLLIN}};
    nfds_t count = FIRST;
    for (;;) {
        if (poll(fds, count, -1) < 0)
            die("poll");
        if (fds[DATAGRAM].revents != 0)
            echo_datagram(fds[DATAGRAM].fd);
        for (nfds_t i = count; i-- > FIRST;) {
            if (fds[i].revents == 0 || echo_stream(fds[i].fd))
                continue;
            (void)close(fds[i].fd);
            fds[i] = fds[--count];
        }
        bool room = count < FIRST + connections_most;
        fds[STREAM].events = room ? POLLIN : 0;
        if (room && fds[STREAM].revents != 0)
            fds[count++] =
                (struct pollfd){.fd = accept(fds[STREAM].fd, NULL, NULL), .events = POLLIN};
    }
}

/* `start` reaches its end when the interfaces are there; a byte into `said` tells how far it is. */
static _Noreturn void target(const char *address, uint16_t port, int start, int said)
{
    char byte = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (address != NULL && unshare(CLONE_NEWNET) < 0)
        die("a network namespace");
    (void)!write(said, &byte, 1);
    (void)!read(start, &byte, 1);
    if (address != NULL)
        configure(address);
    (void)!write(said, &byte, 1);
    serve(port);
}

static void await(int said, int count)
{
    char bytes[most + 1];
    while (count > 0) {
        ssize_t got = read(said, bytes, (size_t)count);
        if (got <= 0)
            die("a target");
        count -= (int)got;
    }
}

int main(int argc, char **argv)
{
    uint64_t count = 0;
    uint64_t port = 0;
    int start[2];
    int said[2];
    if (argc != 4 || !base_parse_u64(argv[1], &count) || count > most ||
        !base_parse_u64(argv[3], &port) || port > UINT16_MAX || pipe(start) < 0 || pipe(said) < 0)
        return EXIT_FAILURE;
    for (int i = -1; i < (int)count; i++) {
        char address[INET_ADDRSTRLEN];
        address_of(argv[2], i < 0 ? 0 : i, address);
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            (void)close(start[1]);
            target(i < 0 ? NULL : address, (uint16_t)port, start[0], said[1]);
        }
        printf("%d\n", (int)pid);
        (void)fflush(stdout); /* before the next fork: that one has the same buffer */
    }
    await(said[0], (int)count + 1);
    if (getchar() == EOF)
        return EXIT_FAILURE;
    (void)close(start[1]);
    await(said[0], (int)count + 1);
    printf("ready\n");
    (void)fflush(stdout);
    while (getchar() != EOF)
        continue;
    return EXIT_SUCCESS; /* and the targets with it */
}
