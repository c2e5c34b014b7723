/* SPDX-License-Identifier: Apache-2.0 */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"

bool fault_netns_open(const char *path, struct fault_netns *out, struct base_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open the network namespace %s", path);
    struct stat st;
    struct stat own;
    struct statfs fs;
    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 || stat("/proc/self/ns/net", &own) < 0) {
        (void)base_fail_errno(err, "cannot look at the network namespace %s", path);
        base_fd_close(&fd);
        return false;
    }
    /* `ip netns` leaves an ordinary empty file behind when its bind mount is gone. */
    if (fs.f_type != NSFS_MAGIC) {
        base_fd_close(&fd);
        return base_fail(err, BASE_NOT_FOUND, "%s is no network namespace (any more)", path);
    }
    if (st.st_dev == own.st_dev && st.st_ino == own.st_ino) {
        base_fd_close(&fd);
        return base_fail(err, BASE_DENIED,
                         "%s is the agent's own network namespace: a fault there would cut off the "
                         "host; give the instance a namespace of its own",
                         path);
    }
    *out = (struct fault_netns){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
    return true;
}

void fault_netns_close(struct fault_netns *netns)
{
    base_fd_close(&netns->fd);
}

bool fault_netns_same(const struct fault_netns *a, const struct fault_netns *b)
{
    return a->dev == b->dev && a->ino == b->ino;
}

static bool identify(int fd, struct fault_netns *out, struct base_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return base_fail_errno(err, "cannot look at a network namespace");
    *out = (struct fault_netns){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
    return true;
}

bool fault_netns_own(struct fault_netns *out, struct base_error *err)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open our own network namespace");
    if (identify(fd, out, err))
        return true;
    base_fd_close(&fd);
    return false;
}

bool fault_netns_enter(const struct fault_netns *netns, struct base_error *err)
{
    return setns(netns->fd, CLONE_NEWNET) == 0 ||
           base_fail_errno(err, "cannot enter the target's network namespace");
}

struct birth {
    int fd;
    int sys;
};

static void *birth_run(void *arg)
{
    struct birth *birth = arg;
    if (unshare(CLONE_NEWNET) == 0)
        birth->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    birth->sys = birth->fd < 0 ? errno : 0;
    return NULL;
}

bool fault_netns_new(struct fault_netns *out, struct base_error *err)
{
    struct birth birth = {.fd = -1};
    pthread_t thread;
    errno = pthread_create(&thread, NULL, birth_run, &birth);
    if (errno != 0)
        return base_fail_errno(err, "cannot start a thread to make a network namespace");
    (void)pthread_join(thread, NULL);
    errno = birth.sys;
    if (birth.fd < 0)
        return base_fail_errno(err, "cannot make a network namespace");
    if (identify(birth.fd, out, err))
        return true;
    base_fd_close(&birth.fd);
    return false;
}

struct visit {
    int netns_fd;
    int domain;
    int type;
    int protocol;
    int fd;
    int sys; /* errno of the step that failed */
    bool entered;
};

static void *visit_run(void *arg)
{
    struct visit *visit = arg;
    if ((visit->netns_fd >= 0 ? setns(visit->netns_fd, CLONE_NEWNET) : unshare(CLONE_NEWNET)) < 0) {
        visit->sys = errno;
        return NULL;
    }
    visit->entered = true;
    visit->fd = socket(visit->domain, visit->type | SOCK_CLOEXEC, visit->protocol);
    if (visit->fd < 0)
        visit->sys = errno;
    return NULL;
}

int fault_netns_socket(const struct fault_netns *netns, int domain, int type, int protocol,
                       struct base_error *err)
{
    struct visit visit = {.netns_fd = netns != NULL ? netns->fd : -1,
                          .domain = domain,
                          .type = type,
                          .protocol = protocol,
                          .fd = -1};
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, visit_run, &visit);
    if (failed != 0) {
        errno = failed;
        (void)base_fail_errno(err, "cannot start a thread to enter a network namespace");
        return -1;
    }
    (void)pthread_join(thread, NULL);
    if (visit.fd >= 0)
        return visit.fd;
    const char *which = netns != NULL ? "the target's" : "a new";
    errno = visit.sys;
    if (visit.entered)
        (void)base_fail_errno(err, "cannot make a socket in %s network namespace", which);
    else
        (void)base_fail_errno(err, "cannot enter %s network namespace (this needs CAP_SYS_ADMIN)",
                              which);
    return -1;
}
