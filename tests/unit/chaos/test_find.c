/* SPDX-License-Identifier: Apache-2.0 */
/* Against real processes, and where root allows it real cgroups and a network namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "find.h"

static char uid[37]; /* of a pod that only this process made */

/* A process called name, set up in its own way; returns when it is both. */
struct child {
    pid_t pid;
};

/* The kernel closes descriptors in an exec a little before the new command line can be read. */
static bool is_called(pid_t pid, const char *name)
{
    char path[64];
    char line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool any = fd >= 0 && read(fd, line, sizeof line - 1) > 0;
    (void)close(fd);
    return any && strcmp(line, name) == 0;
}

static struct child start(const char *name, void (*set_up)(void *ctx), void *ctx)
{
    struct child child;
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (set_up != NULL)
            set_up(ctx);
        (void)execl("/bin/sleep", name, "600", NULL);
        _exit(1);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 0); /* closed by the exec */
    (void)close(ready[0]);
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_s(10));
    while (!is_called(child.pid, name))
        assert_true(base_mono_before(base_mono_now(), end));
    return child;
}

static void end(const struct child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
}

static void assert_finds(const char *by, const char *value, pid_t pid)
{
    struct fault_found found = {0};
    struct base_error err = {0};
    if (!fault_find(by, value, &found, &err))
        fail_msg("%s %s: %s", by, value, err.message);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.processes[0].pid, pid);
    assert_true(fault_process_alive(&found.processes[0]));
    fault_found_fini(&found);
}

static void assert_refused(const char *by, const char *value, enum base_code code)
{
    struct fault_found found = {0};
    struct base_error err = {0};
    if (fault_find(by, value, &found, &err))
        fail_msg("%s %s finds %zu", by, value, found.count);
    if (err.code != code)
        fail_msg("%s %s: %s", by, value, err.message);
    assert_null(found.processes);
}

static void by_command(void **state)
{
    (void)state;
    char name[64];
    char glob[80];
    (void)snprintf(name, sizeof name, "squall-find-command-%d", (int)getpid());
    struct child child = start(name, NULL, NULL);
    (void)snprintf(glob, sizeof glob, "%s 6?0", name);
    assert_finds("command", glob, child.pid);
    assert_refused("command", name, BASE_NOT_FOUND); /* the whole line must match */
    end(&child);
    assert_refused("command", glob, BASE_NOT_FOUND);
    assert_refused("command", "*", BASE_DENIED); /* this process is among them */
}

static void several_are_told_oldest_first(void **state)
{
    (void)state;
    struct child second = {0};
    char name[64];
    char glob[80];
    struct fault_found found = {0};
    struct base_error err = {0};
    uint64_t ticks = 0;
    uint64_t later = 0;
    (void)snprintf(name, sizeof name, "squall-find-several-%d", (int)getpid());
    struct child first = start(name, NULL, NULL);
    assert_true(fault_process_ticks(first.pid, &ticks));
    do { /* until the kernel's clock has moved on */
        if (second.pid > 0)
            end(&second);
        second = start(name, NULL, NULL);
        assert_true(fault_process_ticks(second.pid, &later));
    } while (later == ticks);
    (void)snprintf(glob, sizeof glob, "%s *", name);
    assert_true(fault_find("command", glob, &found, &err));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.processes[0].pid, first.pid);
    assert_int_equal(found.processes[1].pid, second.pid);
    fault_found_fini(&found);
    end(&first);
    end(&second);
}

static void listen_on(void *ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        _exit(2);
    uint16_t port = ntohs(address.sin_port);
    if (write(*(int *)ctx, &port, sizeof port) != sizeof port)
        _exit(3);
}

static void by_port(void **state)
{
    (void)state;
    int told[2];
    uint16_t port = 0;
    char text[8];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    struct child child = start("listener", listen_on, &told[1]);
    assert_int_equal(read(told[0], &port, sizeof port), sizeof port);
    (void)snprintf(text, sizeof text, "%u", port);
    assert_finds("port", text, child.pid);
    end(&child);
    assert_refused("port", text, BASE_NOT_FOUND);
    assert_refused("port", "0", BASE_INVALID);
    assert_refused("port", "65536", BASE_INVALID);
    assert_refused("port", "http", BASE_INVALID);
    (void)close(told[0]);
    (void)close(told[1]);
}

static void join_cgroup(void *ctx)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/cgroup.procs", (const char *)ctx);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(4);
    (void)close(fd);
}

/* A hierarchy that new groups can be made in, v2 or v1; NULL without root. */
static const char *hierarchy(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/freezer",
                                        "/sys/fs/cgroup"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/cgroup.procs", roots[i]);
        if (access(path, W_OK) == 0)
            return roots[i];
    }
    return NULL;
}

static void by_cgroup_pod_and_unit(void **state)
{
    (void)state;
    const char *root = hierarchy();
    if (root == NULL) {
        print_message("[  SKIP  ] no cgroup hierarchy can be written: needs root\n");
        return;
    }
    char container[65];
    char top[128], pod[192], inner[320], service[256], value[256];
    char short_id[128];
    (void)snprintf(container, sizeof container,
                   "%012d41e2b7c6d8f0a1b2c3d4e5f60718293a4b5c6d7e8f9001122334", (int)getpid());
    (void)snprintf(top, sizeof top, "%s/squall-find-%d", root, (int)getpid());
    (void)snprintf(pod, sizeof pod, "%s/pod%s", top, uid);
    (void)snprintf(inner, sizeof inner, "%s/%s", pod, container);
    (void)snprintf(service, sizeof service, "%s/squall-find-%d.slice", root, (int)getpid());
    assert_int_equal(mkdir(top, 0755) | mkdir(pod, 0755) | mkdir(inner, 0755), 0);
    struct child child = start("member", join_cgroup, inner);
    (void)snprintf(value, sizeof value, "/squall-find-%d", (int)getpid());
    assert_finds("cgroup", value, child.pid);
    assert_finds("pod", uid, child.pid);
    (void)snprintf(short_id, sizeof short_id, "%s/%.12s", uid, container);
    assert_finds("pod", short_id, child.pid);
    (void)snprintf(short_id, sizeof short_id, "/%s", container);
    assert_finds("pod", short_id, child.pid);
    struct fault_found found = {0};
    assert_true(fault_find("pod", uid, &found, NULL));
    if (strcmp(root, "/sys/fs/cgroup") != 0)
        assert_string_equal(found.cgroup, inner);
    assert_null(found.netns); /* it shares ours */
    fault_found_fini(&found);
    (void)snprintf(short_id, sizeof short_id, "%s/000000000000", uid);
    assert_refused("pod", short_id, BASE_NOT_FOUND);
    assert_refused("pod", "6dd0e3a8-5b5d-4f0e-9d3c-ffffffffffff", BASE_NOT_FOUND);
    (void)snprintf(value, sizeof value, "/squall-find-%d0", (int)getpid());
    assert_refused("cgroup", value, BASE_NOT_FOUND);
    end(&child);
    assert_refused("pod", uid, BASE_NOT_FOUND);
    assert_int_equal(rmdir(inner) | rmdir(pod) | rmdir(top), 0);
    if (strcmp(root, "/sys/fs/cgroup/freezer") == 0)
        return; /* units are looked for where systemd keeps them */
    (void)snprintf(inner, sizeof inner, "%s/squall-find-%d.service", service, (int)getpid());
    assert_int_equal(mkdir(service, 0755) | mkdir(inner, 0755), 0);
    child = start("member", join_cgroup, inner);
    (void)snprintf(value, sizeof value, "squall-find-%d.service", (int)getpid());
    assert_finds("unit", value, child.pid);
    end(&child);
    assert_refused("unit", value, BASE_NOT_FOUND);
    assert_int_equal(rmdir(inner) | rmdir(service), 0);
}

/* Two containers of a pod, and somebody in the pod's own group who is neither. */
static void the_group_of_several_is_what_they_have_in_common(void **state)
{
    (void)state;
    const char *root = hierarchy();
    if (root == NULL) {
        print_message("[  SKIP  ] no cgroup hierarchy can be written: needs root\n");
        return;
    }
    char top[128], left[192], right[192], name[64], glob[80], who[64];
    struct fault_found found = {0};
    struct base_error err = {0};
    (void)snprintf(top, sizeof top, "%s/squall-common-%d", root, (int)getpid());
    (void)snprintf(left, sizeof left, "%s/aa", top);
    (void)snprintf(right, sizeof right, "%s/ab", top);
    (void)snprintf(name, sizeof name, "squall-common-%d", (int)getpid());
    (void)snprintf(glob, sizeof glob, "%s *", name);
    assert_int_equal(mkdir(top, 0755) | mkdir(left, 0755) | mkdir(right, 0755), 0);
    struct child one = start(name, join_cgroup, left);
    struct child two = start(name, join_cgroup, right);
    assert_true(fault_find("command", glob, &found, &err));
    assert_int_equal(found.count, 2);
    if (strcmp(root, "/sys/fs/cgroup") != 0)
        assert_string_equal(found.cgroup, top);
    assert_null(found.strangers);
    fault_found_fini(&found);
    struct child other = start("bystander", join_cgroup, top);
    assert_true(fault_find("command", glob, &found, &err));
    assert_null(found.cgroup);
    (void)snprintf(who, sizeof who, "process %d (sleep)", (int)other.pid);
    assert_non_null(strstr(found.strangers, who));
    assert_non_null(strstr(found.strangers, top));
    fault_found_fini(&found);
    (void)snprintf(glob, sizeof glob, "%d:%llu", (int)two.pid, 0ULL);
    assert_refused("process", glob, BASE_NOT_FOUND); /* another one had that pid */
    assert_refused("process", "12", BASE_INVALID);
    end(&one);
    end(&two);
    end(&other);
    assert_int_equal(rmdir(left) | rmdir(right) | rmdir(top), 0);
}

static void own_namespace(void *ctx)
{
    (void)ctx;
    if (unshare(CLONE_NEWNET) != 0 ||
        system("ip link add squall0 type bridge && ip address add 10.77.0.9/24 dev squall0 && "
               "ip -6 address add fd77::9/64 dev squall0 nodad && ip link set squall0 up") != 0)
        _exit(5);
}

static void namespace_of(void *ctx)
{
    int fd = open(ctx, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(6);
}

static void its_namespace_and_addresses(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("[  SKIP  ] a network namespace needs root\n");
        return;
    }
    char name[64];
    char glob[80];
    char want[64];
    struct fault_found found = {0};
    struct base_error err = {0};
    (void)snprintf(name, sizeof name, "squall-find-netns-%d", (int)getpid());
    (void)snprintf(glob, sizeof glob, "%s *", name);
    struct child child = start(name, own_namespace, NULL);
    (void)snprintf(want, sizeof want, "/proc/%d/ns/net", (int)child.pid);
    assert_true(fault_find("command", glob, &found, &err));
    assert_string_equal(found.netns, want);
    bool v4 = false;
    bool v6 = false;
    for (size_t i = 0; i < found.address_count; i++) {
        v4 = v4 || strcmp(found.addresses[i], "10.77.0.9") == 0;
        v6 = v6 || strcmp(found.addresses[i], "fd77::9") == 0;
    }
    assert_true(v4);
    assert_true(v6);
    assert_null(fault_find_neighbour(&found));
    char other[64];
    char other_glob[80];
    (void)snprintf(other, sizeof other, "squall-near-%d", (int)getpid());
    (void)snprintf(other_glob, sizeof other_glob, "squall-*-%d *", (int)getpid());
    struct child second = start(other, namespace_of, want);
    BASE_AUTO_FREE char *near = fault_find_neighbour(&found);
    BASE_AUTO_FREE char *expected = base_str_printf("process %d (sleep)", (int)second.pid);
    assert_string_equal(near, expected);
    fault_found_fini(&found);
    assert_true(fault_find("command", other_glob, &found, &err)); /* both are meant */
    assert_null(fault_find_neighbour(&found));
    fault_found_fini(&found);
    end(&second);
    end(&child);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    assert_refused("name", "x", BASE_INVALID);
    assert_refused("cgroup", "/", BASE_INVALID); /* that is everybody */
    assert_refused("cgroup", "//", BASE_INVALID);
    assert_refused("cgroup", "system.slice", BASE_INVALID);
    assert_refused("pod", "", BASE_INVALID);
    assert_refused("pod", "/", BASE_INVALID);
    assert_refused("pod", "web-1", BASE_INVALID);
    assert_refused("pod", "/3f4e", BASE_INVALID);
    assert_refused("unit", "no-such.service", BASE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_command),
        cmocka_unit_test(several_are_told_oldest_first),
        cmocka_unit_test(by_port),
        cmocka_unit_test(by_cgroup_pod_and_unit),
        cmocka_unit_test(the_group_of_several_is_what_they_have_in_common),
        cmocka_unit_test(its_namespace_and_addresses),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    (void)snprintf(uid, sizeof uid, "6dd0e3a8-5b5d-4f0e-9d3c-%012d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
