/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one operation of a program fail, the n-th since it was armed: what opens, writes, renames
 * or syncs files, talks netlink, enters namespaces, makes sockets, processes and threads, signals,
 * sets limits. Whoever arms it shares a file with the program (struct control), whose name is in
 * the environment:
 *
 *   LD_PRELOAD=fail_nth.so SQUALL_FAIL_NTH=FILE program
 *
 * Children that the program forks count with it. What goes to standard output or error, and to
 * anything but files and netlink sockets, is let alone; so is what is written to files without a
 * name, which workers of the fault do without an end.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct control {           /* as test_f_matrix.py has it */
    _Atomic int64_t at;    /* the one that fails, from 1; 0: none, and none is counted */
    _Atomic int64_t seen;  /* since it was armed */
    _Atomic int64_t error; /* that it failed with; 0: not yet */
    char what[232];
};

static struct control *control;

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("SQUALL_FAIL_NTH");
    int fd = path != NULL ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    if (at != MAP_FAILED)
        control = at;
}

/* Whether this one is it. */
static bool due(int error, const char *what, const char *on)
{
    if (control == NULL || atomic_load(&control->at) == 0)
        return false;
    if (atomic_fetch_add(&control->seen, 1) + 1 != atomic_load(&control->at))
        return false;
    (void)snprintf(control->what, sizeof control->what, "%s %s", what, on);
    atomic_store(&control->error, error);
    errno = error;
    return true;
}

/* What comes after this library; found at the first call, which may be before our constructor. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (next == NULL)                                                                              \
    next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static bool is_file(int fd)
{
    struct stat st;
    return fd > STDERR_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 0;
}

static bool is_netlink(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK;
}

/* --- files --- */

#define TAKE_MODE(flags)                                                                           \
    mode_t mode = 0;                                                                               \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        TAKE_MODE(flags)                                                                           \
        NEXT(name);                                                                                \
        return due(EMFILE, "open", path) ? -1 : next(path, flags, mode);                           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int dir, const char *path, int flags, ...)                                            \
    {                                                                                              \
        TAKE_MODE(flags)                                                                           \
        NEXT(name);                                                                                \
        return due(EMFILE, "openat", path) ? -1 : next(dir, path, flags, mode);                    \
    }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode)
{
    NEXT(fopen);
    return due(EMFILE, "fopen", path) ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    return due(EMFILE, "opendir", path) ? NULL : next(path);
}

ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(write);
    return is_file(fd) && due(ENOSPC, "write", "") ? -1 : next(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    NEXT(pwrite);
    return is_file(fd) && due(ENOSPC, "pwrite", "") ? -1 : next(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    NEXT(pwrite64);
    return is_file(fd) && due(ENOSPC, "pwrite", "") ? -1 : next(fd, data, len, at);
}

int fsync(int fd)
{
    NEXT(fsync);
    return due(EIO, "fsync", "") ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return is_file(fd) && due(EIO, "fdatasync", "") ? -1 : next(fd);
}

int fallocate(int fd, int mode, off_t from, off_t len)
{
    NEXT(fallocate);
    return due(ENOSPC, "fallocate", "") ? -1 : next(fd, mode, from, len);
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    return due(EIO, "rename", to) ? -1 : next(from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    NEXT(linkat);
    return due(EIO, "linkat", to) ? -1 : next(from_dir, from, to_dir, to, flags);
}

/* --- namespaces, netlink and other sockets --- */

int setns(int fd, int type)
{
    NEXT(setns);
    return due(EPERM, "setns", "") ? -1 : next(fd, type);
}

int unshare(int flags)
{
    NEXT(unshare);
    return due(EPERM, "unshare", "") ? -1 : next(flags);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    return due(EMFILE, "socket", "") ? -1 : next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    NEXT(socketpair);
    return due(EMFILE, "socketpair", "") ? -1 : next(domain, type, protocol, ends);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    NEXT(bind);
    return is_netlink(fd) && due(EADDRINUSE, "bind", "netlink") ? -1 : next(fd, address, len);
}

/* What becomes of a packet: one a packet, and no part of putting a fault in place. */
static bool is_verdict(const void *data, size_t len)
{
    struct nlmsghdr head;
    if (len < sizeof head)
        return false;
    memcpy(&head, data, sizeof head);
    return head.nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT);
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
               socklen_t to_len)
{
    NEXT(sendto);
    return is_netlink(fd) && !is_verdict(data, len) && due(ENOBUFS, "sendto", "netlink")
               ? -1
               : next(fd, data, len, flags, to, to_len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    return is_netlink(fd) && due(ENOBUFS, "sendmsg", "netlink") ? -1 : next(fd, message, flags);
}

int eventfd(unsigned value, int flags)
{
    NEXT(eventfd);
    return due(EMFILE, "eventfd", "") ? -1 : next(value, flags);
}

int timerfd_create(int clock, int flags)
{
    NEXT(timerfd_create);
    return due(EMFILE, "timerfd_create", "") ? -1 : next(clock, flags);
}

/* --- processes, threads, limits --- */

pid_t fork(void)
{
    NEXT(fork);
    return due(EAGAIN, "fork", "") ? -1 : next();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    NEXT(pthread_create);
    return due(EAGAIN, "pthread_create", "") ? EAGAIN : next(thread, attributes, run, arg);
}

int prlimit(pid_t pid, enum __rlimit_resource which, const struct rlimit *set, struct rlimit *got)
{
    NEXT(prlimit);
    return due(EPERM, "prlimit", set != NULL ? "set" : "get") ? -1 : next(pid, which, set, got);
}

int prlimit64(pid_t pid, enum __rlimit_resource which, const struct rlimit64 *set,
              struct rlimit64 *got)
{
    NEXT(prlimit64);
    return due(EPERM, "prlimit", set != NULL ? "set" : "get") ? -1 : next(pid, which, set, got);
}

long syscall(long number, ...)
{
    long args[6];
    va_list rest;
    NEXT(syscall);
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(rest, long);
    va_end(rest);
    bool ours = number == SYS_pidfd_open || number == SYS_pidfd_send_signal;
    if (ours && due(EPERM, number == SYS_pidfd_open ? "pidfd_open" : "pidfd_send_signal", ""))
        return -1;
    return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
