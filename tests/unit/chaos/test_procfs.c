/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "procfs.h"

#define ID     "3f4e8b0c9d5a41e2b7c6d8f0a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
#define ID2    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UID    "6dd0e3a8-5b5d-4f0e-9d3c-0a1b2c3d4e5f"
#define UID_   "6dd0e3a8_5b5d_4f0e_9d3c_0a1b2c3d4e5f"
#define STATIC "1f7c6e0a9b8d4c3f2e1d0c9b8a7f6e5d"

static void paths_of_pods_and_containers(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *uid; /* NULL: no pod and no container */
        const char *container;
    } cases[] = {
        /* kubelet, cgroupfs driver, v1 and v2 */
        {"/kubepods/burstable/pod" UID "/" ID, UID, ID},
        {"/kubepods/besteffort/pod" UID "/" ID, UID, ID},
        {"/kubepods/pod" UID "/" ID, UID, ID}, /* guaranteed */
        {"/kubepods/burstable/pod" UID, UID, ""},
        {"/kubepods/burstable/pod" STATIC "/" ID, STATIC, ID}, /* static pod */
        /* systemd driver */
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
         ".slice/cri-containerd-" ID ".scope",
         UID, ID},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", UID, ID},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
         ".slice/docker-" ID ".scope",
         UID, ID},
        {"/kubepods.slice/kubepods-pod" STATIC ".slice/cri-containerd-" ID ".scope", STATIC, ID},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice", UID, ""},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", UID, ""},
        /* CRI-O on v2 puts the container below its scope */
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/crio-" ID
         ".scope/container",
         UID, ID},
        /* containerd with the cgroupfs driver under a kubelet with the systemd driver */
        {"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
         UID, ID},
        /* kind: the node is a container, too */
        {"/docker/" ID2 "/kubepods/burstable/pod" UID "/" ID, UID, ID},
        {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
         "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
         UID, ID},
        {"/system.slice/docker-" ID2 ".scope/kubelet/kubepods/pod" UID "/" ID, UID, ID},
        /* systemd in the container */
        {"/kubepods/pod" UID "/" ID "/init.scope", UID, ID},
        {"/kubepods/pod" UID "/" ID "/system.slice/docker-" ID2 ".scope", UID, ID},
        /* seen from inside a cgroup namespace */
        {"/../../pod" UID "/" ID, UID, ID},
        /* without Kubernetes */
        {"/docker/" ID, "", ID},
        {"/system.slice/docker-" ID ".scope", "", ID},
        {"/machine.slice/libpod-" ID ".scope/container", "", ID},
        {"/machine.slice/libpod-conmon-" ID ".scope", NULL, NULL},
        {"/default/" ID, "", ID}, /* ctr */
        /* none */
        {"/", NULL, NULL},
        {"/system.slice/nginx.service", NULL, NULL},
        {"/user.slice/user-1000.slice/session-3.scope", NULL, NULL},
        {"/kubepods.slice", NULL, NULL},
        {"/kubepods/burstable/podless", NULL, NULL},
        {"/pod6dd0e3a8-5b5d-4f0e-9d3c-0a1b2c3d4e5", NULL, NULL},   /* too short */
        {"/pod6dd0e3a8-5b5d-4f0e-9d3c-0a1b2c3d4e5fa", NULL, NULL}, /* too long */
        {"/pod6DD0E3A8-5b5d-4f0e-9d3c-0a1b2c3d4e5f", NULL, NULL},
        {"/tripod" UID, NULL, NULL},
        {"/docker/3f4e8b0c9d5a", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct procfs_pod pod = {.uid = "?"};
        bool found = procfs_cgroup_pod(cases[i].path, &pod);
        if (found != (cases[i].uid != NULL))
            fail_msg("%s: %s", cases[i].path, found ? pod.uid : "nothing found");
        if (!found)
            continue;
        if (strcmp(pod.uid, cases[i].uid) != 0 || strcmp(pod.container, cases[i].container) != 0)
            fail_msg("%s: pod \"%s\" container \"%s\"", cases[i].path, pod.uid, pod.container);
    }
}

static void paths_of_units(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *unit; /* NULL: none */
    } cases[] = {
        {"/system.slice/nginx.service", "nginx.service"},
        {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@1000.service"},
        {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
        {"/system.slice/nginx.service/worker", "nginx.service"},
        {"/init.scope", "init.scope"},
        {"/system.slice/_cpu.service", "cpu.service"},
        {"/system.slice/docker-" ID ".scope", "docker-" ID ".scope"},
        {"/", NULL},
        {"/system.slice", NULL},
        {"/docker/" ID, NULL},
        {"/system.slice/.service", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char unit[PROCFS_UNIT_TEXT] = "";
        bool found = procfs_cgroup_unit(cases[i].path, unit);
        if (found != (cases[i].unit != NULL) || (found && strcmp(unit, cases[i].unit) != 0))
            fail_msg("%s: \"%s\"", cases[i].path, found ? unit : "none");
    }
    char longest[2 * PROCFS_UNIT_TEXT];
    memset(longest, 'u', sizeof longest);
    longest[0] = '/';
    memcpy(longest + sizeof longest - 9, ".service", 9);
    char unit[PROCFS_UNIT_TEXT];
    assert_false(procfs_cgroup_unit(longest, unit));
}

static void lines_of_cgroup_files(void **state)
{
    (void)state;
    const char *controllers = NULL;
    char v2[] = "0::/system.slice/nginx.service\n";
    assert_string_equal(procfs_cgroup_line(v2, &controllers), "/system.slice/nginx.service");
    assert_string_equal(controllers, "");
    char v1[] = "4:cpu,cpuacct:/a:b/c\n";
    assert_string_equal(procfs_cgroup_line(v1, &controllers), "/a:b/c");
    assert_string_equal(controllers, "cpu,cpuacct");
    static const char *const bad[] = {"", "0", "0:", "0::", "0::x", ":a:/", "x::/", "0:/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *line = base_str_dup(bad[i]);
        assert_null(procfs_cgroup_line(line, &controllers));
        free(line);
    }
}

static void a_prefix_ends_at_a_slash(void **state)
{
    (void)state;
    assert_true(procfs_cgroup_below("/a/b", "/a"));
    assert_true(procfs_cgroup_below("/a/b", "/a/b/"));
    assert_true(procfs_cgroup_below("/a", "/"));
    assert_false(procfs_cgroup_below("/ab", "/a"));
    assert_false(procfs_cgroup_below("/a", "/a/b"));
}

static void sockets_that_listen(void **state)
{
    (void)state;
    struct procfs_socket found = {0};
    assert_true(procfs_tcp_listener("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 "
                                    "00:00000000 00000000  1000        0 "
                                    "123456 1 0000000000000000 100 0 0 10 0\n",
                                    &found));
    assert_int_equal(found.port, 8080);
    assert_int_equal(found.inode, 123456);
    assert_true(procfs_tcp_listener(
        "   1: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0",
        &found));
    assert_int_equal(found.port, 3000);
    static const char *const others[] = {
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode",
        "   2: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000 0 0 9 1",
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0",
        "   0: 0100007F1F90 00000000:0000 0A 0:0 00:0 0 1000 0 12 1",
        "   0: 0100007F:1F9Z 00000000:0000 0A 0:0 00:0 0 1000 0 12 1",
        "   0: 0100007F:11F90 00000000:0000 0A 0:0 00:0 0 1000 0 12 1",
        "   0: 0100007F: 00000000:0000 0A 0:0 00:0 0 1000 0 12 1",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 12345678901234567890123 1",
        "",
        "\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (procfs_tcp_listener(others[i], &found))
            fail_msg("case %zu listens", i);
    uint64_t inode = 0;
    assert_true(procfs_socket_link("socket:[42]", &inode));
    assert_int_equal(inode, 42);
    static const char *const links[] = {
        "socket:[]",   "socket:[",  "socket:[42", "pipe:[42]",
        "socket:[4x]", "/dev/null", "",           "socket:[123456789012345678901234567890]"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        assert_false(procfs_socket_link(links[i], &inode));
}

static void addresses_of_a_namespace(void **state)
{
    (void)state;
    static const char trie[] = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n"
                               "        /0 universe UNICAST\n     +-- 10.0.0.0/24 2 0 2\n"
                               "        |-- 10.0.0.0\n           /24 link UNICAST\n"
                               "        |-- 10.0.0.11\n           /32 host LOCAL\n"
                               "        |-- 10.0.0.255\n           /32 link BROADCAST\n"
                               "     |-- 127.0.0.1\n           /32 host LOCAL\n"
                               "     |-- 10.9.9.9\n        /32 host LOCAL\n     |-- 10.1";
    const char *at = trie;
    char text[INET_ADDRSTRLEN];
    assert_true(procfs_fib_next(&at, text));
    assert_string_equal(text, "10.0.0.11");
    assert_true(procfs_fib_next(&at, text));
    assert_string_equal(text, "10.9.9.9");
    assert_false(procfs_fib_next(&at, text));
    char v6[INET6_ADDRSTRLEN];
    assert_true(procfs_inet6_line("fd000000000000000000000000000011 02 40 00 80     eth0\n", v6));
    assert_string_equal(v6, "fd00::11");
    static const char *const others[] = {"00000000000000000000000000000001 01 80 10 80       lo\n",
                                         "fe80000000000000045bf7fffe8a1b2c 02 40 20 80     eth0\n",
                                         "fd0000000000000000000000000000 02 40 00 80 eth0", "",
                                         "fd00::11 02 40 00 80 eth0"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(procfs_inet6_line(others[i], v6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_pods_and_containers), cmocka_unit_test(paths_of_units),
        cmocka_unit_test(lines_of_cgroup_files),        cmocka_unit_test(a_prefix_ends_at_a_slash),
        cmocka_unit_test(sockets_that_listen),          cmocka_unit_test(addresses_of_a_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
