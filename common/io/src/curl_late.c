/* SPDX-License-Identifier: Apache-2.0 */
#define CURL_LATE_PLAIN
#include "curl_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static const char library[] = "libcurl.so.4"; /* the soname that its headers belong to */

/* One for the process, as the library is: loaded under `once`, then only read. */
static struct loaded {
    struct curl_late table;
    char why[200]; /* "": it is there */
} loaded;

static bool find(void *from, const char *name, void *out)
{
    void *found = dlsym(from, name);
    if (found == NULL)
        return false;
    memcpy(out, &found, sizeof found); /* POSIX: a function's address fits (dlsym(3)) */
    return true;
}

static void load(void)
{
    static const char none[] = "unknown reason";
    struct curl_late *table = &loaded.table;
    void *from = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    bool ok = from != NULL;
#define CURL_LATE_FIND(name) ok = ok && find(from, #name, &table->name);
    CURL_LATE(CURL_LATE_FIND)
#undef CURL_LATE_FIND
    if (ok && table->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return;
    const char *why = ok ? "it cannot be initialised" : dlerror();
    (void)strncpy(loaded.why, why != NULL ? why : none, sizeof loaded.why - 1);
}

bool curl_late_load(struct base_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load);
    return loaded.why[0] == '\0' ||
           base_fail(err, BASE_UNAVAILABLE, "%s, which requests are sent with: %s", library,
                     loaded.why);
}

const struct curl_late *curl_late(void)
{
    return &loaded.table;
}
