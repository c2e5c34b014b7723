/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pointer.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

bool model_pointer_check(const char *pointer, struct base_error *err)
{
    if (*pointer != '\0' && *pointer != '/')
        return base_fail(err, BASE_INVALID,
                         "\"%.60s\" is no JSON pointer, expected one that starts with '/', such as "
                         "/data/0/id",
                         pointer);
    for (const char *at = pointer; (at = strchr(at, '~')) != NULL; at++)
        if (at[1] != '0' && at[1] != '1')
            return base_fail(err, BASE_INVALID,
                             "\"%.60s\" is no JSON pointer: '~' stands there as ~0, '/' in a key "
                             "as ~1",
                             pointer);
    return true;
}

/* The key between two slashes, with its escapes undone. */
static char *unescape(const char *text, size_t len)
{
    char *key = base_str_ndup(text, len);
    char *out = key;
    for (const char *in = key; *in != '\0'; in++) {
        if (*in == '~')
            *out++ = *++in == '1' ? '/' : '~';
        else
            *out++ = *in;
    }
    *out = '\0';
    return key;
}

/* Of an array: digits without a zero in front. */
static const json_t *element(const json_t *array, const char *key)
{
    uint64_t index;
    if (strspn(key, "0123456789") != strlen(key) || (key[0] == '0' && key[1] != '\0') ||
        !base_parse_u64(key, &index))
        return NULL;
    return json_array_get(array, (size_t)index);
}

const json_t *model_pointer_get(const json_t *json, const char *pointer)
{
    while (json != NULL && *pointer != '\0') {
        size_t len = strcspn(pointer + 1, "/");
        BASE_AUTO_FREE char *key = unescape(pointer + 1, len);
        json = json_is_array(json) ? element(json, key) : json_object_get(json, key);
        pointer += 1 + len;
    }
    return json;
}
