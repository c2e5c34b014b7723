/* SPDX-License-Identifier: Apache-2.0 */
#include "strain.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/meminfo.h"
#include "base/text.h"

enum {
    slice_us = 1000,  /* of work between two looks at the order */
    window_ms = 1000, /* within which the load is evened out */
    page = 4096
};
static const uint64_t look_each = UINT64_C(8) << 20; /* bytes between two looks at the host */
static const uint64_t least_margin = UINT64_C(256) << 20;

/* One order and the thread that carries it out. */
struct job {
    void *(*run)(void *job);
    pthread_mutex_t lock; /* over what follows; `started` and `thread` are the caller's alone */
    pthread_cond_t changed;
    bool running;
    double load;
    uint64_t bytes;
    struct mono_ns until; /* 0: nothing is ordered */
    bool started;         /* there is a thread to join */
    pthread_t thread;
};

struct kit_strain {
    struct job cpu;
    struct job memory;
};

/* --- the threads' side --- */

/* false: the order is over, and with that the thread, which must do nothing more. */
static bool job_holds(struct job *job, double *load, uint64_t *bytes)
{
    (void)pthread_mutex_lock(&job->lock);
    bool holds = base_mono_before(base_mono_now(), job->until);
    *load = job->load;
    *bytes = job->bytes;
    job->running = holds;
    (void)pthread_mutex_unlock(&job->lock);
    return holds;
}

/* Until the order changes, or so long at most. */
static void job_wait(struct job *job, struct dur_ns most)
{
    (void)pthread_mutex_lock(&job->lock);
    struct mono_ns end = base_mono_add(base_mono_now(), most);
    if (base_mono_before(job->until, end))
        end = job->until;
    struct timespec at = {.tv_sec = (time_t)(end.ns / BASE_NS_PER_S),
                          .tv_nsec = (long)(end.ns % BASE_NS_PER_S)};
    (void)pthread_cond_timedwait(&job->changed, &job->lock, &at);
    (void)pthread_mutex_unlock(&job->lock);
}

static int64_t own_time_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * BASE_NS_PER_S + now.tv_nsec;
}

static void spin(struct dur_ns length)
{
    struct mono_ns end = base_mono_add(base_mono_now(), length);
    while (base_mono_before(base_mono_now(), end))
        continue;
}

/* The time that it got against the time that it is to have: a busy machine makes it try harder. */
static void *burn(void *ctx)
{
    struct job *job = ctx;
    struct dur_ns slice = {slice_us * BASE_NS_PER_US};
    struct mono_ns since = base_mono_now();
    int64_t used = own_time_ns();
    double load;
    uint64_t ignored;
    while (job_holds(job, &load, &ignored)) {
        struct dur_ns passed = base_mono_sub(base_mono_now(), since);
        if (passed.ns > window_ms * BASE_NS_PER_MS) {
            since = base_mono_now();
            used = own_time_ns();
        } else if (load >= 1 || (double)(own_time_ns() - used) < load * (double)passed.ns) {
            spin(slice);
        } else {
            job_wait(job, slice);
        }
    }
    return NULL;
}

/* Writes to a page make it ours; each differs, so that nothing can merge or compress them away. */
__attribute__((no_sanitize("address", "thread"))) /* their shadows would be ours as well */
static void
touch(volatile unsigned char *memory, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += page)
        *(volatile uint64_t *)(volatile void *)(memory + at) =
            at * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static bool has_room(uint64_t bytes)
{
    uint64_t margin = base_meminfo("MemTotal") / 10;
    if (margin < least_margin)
        margin = least_margin;
    return base_meminfo("MemAvailable") >= margin + bytes;
}

struct hoard {
    unsigned char *memory; /* NULL: none */
    uint64_t size;
    uint64_t filled;
};

static void hoard_drop(struct hoard *hoard)
{
    if (hoard->memory != NULL)
        (void)munmap(hoard->memory, hoard->size);
    *hoard = (struct hoard){0};
}

static void hoard_make(struct hoard *hoard, uint64_t size)
{
    hoard_drop(hoard);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    hoard->memory = memory != MAP_FAILED ? memory : NULL;
    hoard->size = size;
}

static void *hold(void *ctx)
{
    struct job *job = ctx;
    struct hoard hoard = {0};
    double ignored;
    uint64_t bytes;
    while (job_holds(job, &ignored, &bytes)) {
        if (bytes != hoard.size)
            hoard_make(&hoard, bytes);
        uint64_t left = hoard.memory != NULL ? hoard.size - hoard.filled : 0;
        uint64_t next = left < look_each ? left : look_each;
        if (next > 0 && has_room(next)) {
            touch(hoard.memory, hoard.filled, hoard.filled + next);
            hoard.filled += next;
        } else {
            job_wait(job, base_dur_ms(100));
        }
    }
    hoard_drop(&hoard);
    return NULL;
}

/* --- the caller's side --- */

static void job_init(struct job *job, void *(*run)(void *job))
{
    pthread_condattr_t attributes;
    job->run = run;
    (void)pthread_mutex_init(&job->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&job->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void job_set_running(struct job *job, bool running)
{
    (void)pthread_mutex_lock(&job->lock);
    job->running = running;
    (void)pthread_mutex_unlock(&job->lock);
}

/* Signals are the loop's, in the thread that has it. */
static bool job_start(struct job *job, struct base_error *err)
{
    sigset_t all;
    sigset_t before;
    if (job->started)
        (void)pthread_join(job->thread, NULL); /* it has nothing more to do */
    job_set_running(job, true); /* before it runs: it may be over before this thread goes on */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&job->thread, NULL, job->run, job);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    job->started = error == 0;
    if (job->started)
        return true;
    job_set_running(job, false);
    return base_fail(err, BASE_UNAVAILABLE, "no thread for it: %s", strerror(error));
}

static bool job_order(struct job *job, double load, uint64_t bytes, struct mono_ns until,
                      struct base_error *err)
{
    (void)pthread_mutex_lock(&job->lock);
    job->load = load;
    job->bytes = bytes;
    job->until = load > 0 || bytes > 0 ? until : (struct mono_ns){0};
    bool start = !job->running && base_mono_before(base_mono_now(), job->until);
    (void)pthread_cond_signal(&job->changed);
    (void)pthread_mutex_unlock(&job->lock);
    return !start || job_start(job, err);
}

static void job_fini(struct job *job)
{
    (void)job_order(job, 0, 0, (struct mono_ns){0}, NULL);
    if (job->started)
        (void)pthread_join(job->thread, NULL);
    (void)pthread_cond_destroy(&job->changed);
    (void)pthread_mutex_destroy(&job->lock);
}

struct kit_strain *kit_strain_new(void)
{
    struct kit_strain *strain = base_calloc(1, sizeof *strain);
    job_init(&strain->cpu, burn);
    job_init(&strain->memory, hold);
    return strain;
}

void kit_strain_free(struct kit_strain *strain)
{
    if (strain == NULL)
        return;
    job_fini(&strain->cpu);
    job_fini(&strain->memory);
    free(strain);
}

bool kit_strain_cpu(struct kit_strain *strain, double load, struct mono_ns until,
                    struct base_error *err)
{
    return job_order(&strain->cpu, load, 0, until, err);
}

bool kit_strain_memory(struct kit_strain *strain, uint64_t bytes, struct mono_ns until,
                       struct base_error *err)
{
    (void)pthread_mutex_lock(&strain->memory.lock);
    bool same = strain->memory.running && strain->memory.bytes == bytes;
    (void)pthread_mutex_unlock(&strain->memory.lock);
    if (bytes > 0 && !same && !has_room(bytes))
        return base_fail(err, BASE_LIMIT,
                         "%llu MiB would leave this host less than a tenth of its memory",
                         (unsigned long long)(bytes >> 20));
    return job_order(&strain->memory, 0, bytes, until, err);
}
