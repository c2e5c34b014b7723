/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds on a real disk, of which the test counts, holds up or fails the syncs. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "commit.h"

/* --- the kernel's calls, for all of this program --- */

static atomic_uint lines_synced; /* fdatasync: the audit file */
static atomic_uint others_synced;
static atomic_int sync_fails; /* of the audit file: with this error */
static atomic_int write_fails;
static atomic_bool no_thread;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER; /* held: it takes its time */
static atomic_bool at_disk;                              /* a sync is there */

static int wait_for_disk(void)
{
    atomic_store(&at_disk, true);
    (void)pthread_mutex_lock(&disk);
    (void)pthread_mutex_unlock(&disk);
    return 0;
}

int fdatasync(int fd)
{
    (void)wait_for_disk();
    atomic_fetch_add(&lines_synced, 1);
    errno = atomic_load(&sync_fails);
    return errno != 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    (void)wait_for_disk();
    atomic_fetch_add(&others_synced, 1);
    return (int)syscall(SYS_fsync, fd);
}

ssize_t write(int fd, const void *data, size_t len)
{
    errno = len > 100 ? atomic_load(&write_fails) : 0; /* an entry, not a wake-up */
    return errno != 0 ? -1 : (ssize_t)syscall(SYS_write, fd, data, len);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    __typeof__(pthread_create) *next;
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&next, &found, sizeof next);
    return atomic_load(&no_thread) ? EAGAIN : next(thread, attributes, run, arg);
}

/* --- an agent's disk --- */

enum { MANY = 50, MOST = 120 };

struct waiting {
    struct agent_ticket ticket;
    unsigned told;
    int sys;                /* of the error that it was told; 0: none */
    unsigned synced_before; /* lines_synced when it was told */
};

struct world {
    char dir[64];
    struct io_loop *loop;
    struct agent_journal *journal;
    struct agent_used *used;
    struct agent_audit *audit;
    struct agent_commit *commit;
    struct waiting waiting[MOST];
    struct io_timer patience;
    bool late;
};

static void on_late(void *ctx)
{
    ((struct world *)ctx)->late = true;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    (void)snprintf(world->dir, sizeof world->dir, "/tmp/squall-commit-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    BASE_AUTO_FREE char *audit = base_str_printf("%s/audit", world->dir);
    world->loop = io_loop_new(NULL);
    world->journal = agent_journal_open(world->dir, NULL);
    world->used = agent_used_open(world->dir, base_dur_s(60), NULL);
    world->audit = agent_audit_open(audit, -1, NULL);
    const struct agent_commit_config config = {world->loop, world->journal, world->used,
                                               world->audit};
    world->commit = agent_commit_new(&config, NULL);
    assert_non_null(world->commit);
    io_timer_init(&world->patience, world->loop, on_late, world);
    atomic_store(&lines_synced, 0);
    atomic_store(&others_synced, 0);
    atomic_store(&at_disk, false);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    atomic_store(&sync_fails, 0);
    atomic_store(&write_fails, 0);
    atomic_store(&no_thread, false);
    agent_commit_free(world->commit);
    agent_journal_close(world->journal);
    agent_used_close(world->used);
    agent_audit_close(world->audit);
    io_timer_fini(&world->patience);
    io_loop_free(world->loop);
    assert_true(base_dir_remove(world->dir, NULL));
    free(world);
    return 0;
}

static void on_done(void *ctx, const struct base_error *err)
{
    struct waiting *waiting = ctx;
    waiting->told++;
    waiting->sys = err != NULL ? err->sys : 0;
    waiting->synced_before = atomic_load(&lines_synced);
}

static struct agent_ticket *ticket(struct world *world, size_t index)
{
    struct waiting *waiting = &world->waiting[index];
    *waiting = (struct waiting){.ticket = {.on_done = on_done, .ctx = waiting}};
    return &waiting->ticket;
}

static const char *id_of(size_t index)
{
    static char id[32];
    (void)snprintf(id, sizeof id, "run-%zu", index);
    return id;
}

static void ask_written(struct world *world, size_t index)
{
    static const struct agent_audit_line line = {
        .begin = true, .method = "POST", .path = "/v1/faults"};
    assert_true(agent_audit_write(world->audit, &line, NULL));
    assert_true(agent_used_take(world->used, id_of(index), NULL));
    agent_commit_written(world->commit, ticket(world, index));
}

static void ask_entry(struct world *world, size_t index)
{
    struct base_buf text;
    char body[200];
    memset(body, 'x', sizeof body);
    base_buf_init(&text, 1024);
    assert_true(base_buf_append(&text, body, sizeof body));
    agent_commit_entry(world->commit, ticket(world, index), id_of(index), &text);
    assert_null(text.data);
}

static void ask_removal(struct world *world, size_t index)
{
    agent_commit_removal(world->commit, ticket(world, index), id_of(index));
}

static bool is_there(const struct world *world, size_t index)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s.fault", world->dir, id_of(index));
    return access(path, F_OK) == 0;
}

static void run_until_told(struct world *world, size_t from, size_t count)
{
    io_timer_start(&world->patience, base_dur_s(30));
    for (size_t i = from; i < from + count;) {
        assert_false(world->late);
        if (world->waiting[i].told > 0)
            i++;
        else
            io_loop_run_once(world->loop);
    }
    for (size_t i = from; i < from + count; i++)
        assert_int_equal(world->waiting[i].told, 1);
}

static void run_until_at_disk(struct world *world)
{
    atomic_store(&at_disk, false);
    io_timer_start(&world->patience, base_dur_ms(1)); /* begins with a turn */
    while (!atomic_load(&at_disk))
        if (io_timer_active(&world->patience))
            io_loop_run_once(world->loop);
    world->late = false;
}

/* --- tests --- */

static void all_of_a_turn_share_a_sync(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < MANY; i++) {
        ask_written(world, i);
        ask_entry(world, MANY + i);
    }
    run_until_told(world, 0, 2 * MANY);
    assert_int_equal(atomic_load(&lines_synced), 1);
    assert_int_equal(atomic_load(&others_synced), 3); /* the ids, the entries, their folder */
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(world->waiting[i].sys, 0);
        assert_true(is_there(world, MANY + i));
    }
    for (size_t i = MANY; i < 2 * MANY; i++)
        ask_removal(world, i);
    run_until_told(world, MANY, MANY);
    assert_int_equal(atomic_load(&others_synced), 4);
    assert_false(is_there(world, MANY));
}

static void nobody_is_told_before_his_own_is_on_disk(void **state)
{
    struct world *world = *state;
    (void)pthread_mutex_lock(&disk);
    ask_written(world, 0);
    run_until_at_disk(world);
    ask_written(world, 1); /* too late for that sync */
    ask_entry(world, 2);
    io_timer_start(&world->patience, base_dur_ms(30));
    while (!world->late)
        io_loop_run_once(world->loop); /* the loop goes on, while the disk does not */
    world->late = false;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(world->waiting[i].told, 0);
    assert_false(is_there(world, 2));
    (void)pthread_mutex_unlock(&disk);
    run_until_told(world, 0, 3);
    assert_int_equal(world->waiting[0].synced_before, 1);
    assert_int_equal(world->waiting[1].synced_before, 2);
    assert_true(is_there(world, 2));
}

static void a_sync_that_fails_is_told_to_all_whose_it_was(void **state)
{
    struct world *world = *state;
    atomic_store(&sync_fails, EIO);
    for (size_t i = 0; i < MANY; i++)
        ask_written(world, i);
    ask_entry(world, MANY); /* no line of its own is in this round */
    run_until_told(world, 0, MANY + 1);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(world->waiting[i].sys, EIO);
    assert_int_equal(world->waiting[MANY].sys, 0);
    atomic_store(&sync_fails, 0);
    ask_written(world, MANY + 1);
    run_until_told(world, MANY + 1, 1);
    assert_int_equal(world->waiting[MANY + 1].sys, 0);
}

static void a_full_disk_is_told_to_all_and_leaves_nothing(void **state)
{
    struct world *world = *state;
    atomic_store(&write_fails, ENOSPC);
    for (size_t i = 0; i < MANY; i++)
        ask_entry(world, i);
    run_until_told(world, 0, MANY);
    atomic_store(&write_fails, 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(world->waiting[i].sys, ENOSPC);
        assert_false(is_there(world, i));
    }
}

static void who_has_cancelled_is_not_told(void **state)
{
    struct world *world = *state;
    ask_entry(world, 0);
    agent_ticket_cancel(&world->waiting[0].ticket); /* before the round */
    (void)pthread_mutex_lock(&disk);
    ask_entry(world, 1);
    ask_entry(world, 2);
    run_until_at_disk(world);
    agent_ticket_cancel(&world->waiting[1].ticket); /* amid it */
    agent_ticket_cancel(&world->waiting[1].ticket);
    (void)pthread_mutex_unlock(&disk);
    run_until_told(world, 2, 1);
    assert_int_equal(world->waiting[0].told, 0);
    assert_int_equal(world->waiting[1].told, 0);
    assert_false(is_there(world, 0)); /* need not be written any more */
    assert_true(is_there(world, 1));
}

static void a_removal_comes_behind_the_entry(void **state)
{
    struct world *world = *state;
    ask_entry(world, 0);
    agent_commit_removal(world->commit, ticket(world, 1), id_of(0));
    run_until_told(world, 0, 2);
    assert_false(is_there(world, 0));
}

static void without_a_thread_it_is_done_all_the_same(void **state)
{
    struct world *world = *state;
    atomic_store(&no_thread, true);
    ask_written(world, 0);
    ask_entry(world, 1);
    assert_int_equal(world->waiting[0].told, 0); /* never from inside */
    run_until_told(world, 0, 2);
    assert_true(is_there(world, 1));
    assert_int_equal(atomic_load(&lines_synced), 1);
}

static void the_end_waits_for_what_is_under_way_and_tells_nobody(void **state)
{
    struct world *world = *state;
    (void)pthread_mutex_lock(&disk);
    ask_entry(world, 0);
    run_until_at_disk(world);
    ask_entry(world, 1);
    (void)pthread_mutex_unlock(&disk);
    agent_commit_free(world->commit);
    world->commit = NULL;
    assert_int_equal(world->waiting[0].told + world->waiting[1].told, 0);
    assert_true(is_there(world, 0));
    assert_false(is_there(world, 1));
    assert_null(world->waiting[0].ticket.work);
    assert_null(world->waiting[1].ticket.work);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_of_a_turn_share_a_sync),
        TEST(nobody_is_told_before_his_own_is_on_disk),
        TEST(a_sync_that_fails_is_told_to_all_whose_it_was),
        TEST(a_full_disk_is_told_to_all_and_leaves_nothing),
        TEST(who_has_cancelled_is_not_told),
        TEST(a_removal_comes_behind_the_entry),
        TEST(without_a_thread_it_is_done_all_the_same),
        TEST(the_end_waits_for_what_is_under_way_and_tells_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
