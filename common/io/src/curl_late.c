/* SPDX-License-Identifier: Apache-2.0 */
#define CURL_LATE_PLAIN
#include "io/curl_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static const char library[] = "libcurl.so.4"; /* the soname that its headers belong to */

/* One for the process, as the library is: loaded under `once`, then only read. */
static struct loaded {
    struct io_curl_late table;
    char why[200]; /* "": it is there */
} loaded;

/* Every function of the table; POSIX: an address from dlsym(3) may be that of a function. */
static bool find_all(void *from, struct io_curl_late *table)
{
    bool ok = true;
#define CURL_LATE_FIND(name)                                                                       \
    if (ok) {                                                                                      \
        table->name = __extension__(__typeof__(name) *) dlsym(from, #name);                        \
        ok = table->name != NULL;                                                                  \
    }
    CURL_LATE(CURL_LATE_FIND)
#undef CURL_LATE_FIND
    return ok;
}

static void load(void)
{
    struct io_curl_late *table = &loaded.table;
    void *from = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    bool ok = from != NULL && find_all(from, table);
    if (ok && table->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return;
    const char *why = ok ? "it cannot be initialised" : dlerror();
    (void)snprintf(loaded.why, sizeof loaded.why, "%s", why != NULL ? why : "unknown reason");
}

bool io_curl_load(struct base_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load);
    return loaded.why[0] == '\0' ||
           base_fail(err, BASE_UNAVAILABLE, "%s, which requests are sent with: %s", library,
                     loaded.why);
}

const struct io_curl_late *io_curl_late(void)
{
    return &loaded.table;
}
