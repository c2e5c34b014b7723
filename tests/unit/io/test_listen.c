/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server can listen, and where not. */
#include "server_fixture.h"

static void test_address_in_use_and_restart(void **state)
{
    struct fixture *f = *state;
    still_serves(f);
    int open_peer = hold_one(f); /* the server closes first: TIME_WAIT is on its side */
    struct io_server_config config = config_of(f);
    config.port = io_server_port(f->server);
    struct base_error err = {0};
    assert_null(io_server_new(f->loop, &config, &err));
    assert_int_equal(err.code, BASE_UNAVAILABLE);
    char port[16];
    (void)snprintf(port, sizeof port, "%u", config.port);
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_non_null(strstr(err.message, port));
    io_server_free(f->server);
    f->server = serve(f, &config); /* at once, on the same port */
    assert_int_equal(io_server_port(f->server), config.port);
    base_fd_close(&open_peer);
    still_serves(f);
}

static void test_addresses_that_cannot_be_served(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *address;
        enum base_code code;
    } cases[] = {
        {NULL, BASE_INVALID},           {"", BASE_INVALID},     {"localhost", BASE_INVALID},
        {"127.0.0.1:80", BASE_INVALID}, {"192.0.2.1", BASE_IO}, /* TEST-NET-1: not ours */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct io_server_config config = config_of(f);
        config.address = cases[i].address;
        struct base_error err = {0};
        assert_null(io_server_new(f->loop, &config, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.message, "listen"));
    }
}

static void test_ipv6(void **state)
{
    struct fixture *f = *state;
    struct io_server_config config = config_of(f);
    config.address = "::1";
    struct base_error err;
    struct io_server *server = io_server_new(f->loop, &config, &err);
    if (server == NULL) {
        print_message("[  SKIP  ] IPv6: %s\n", err.message);
        return;
    }
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(io_server_port(server)),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    put(fd, "GET /six HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</six 0>");
    base_fd_close(&fd);
    io_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(address_in_use_and_restart),
        SERVER_TEST(addresses_that_cannot_be_served),
        SERVER_TEST(ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
