/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

enum { SECRET_MOST = 4096 };

bool base_secret_read(const char *path, struct base_buf *out, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, SECRET_MOST);
    if (!base_file_read(path, &text, err))
        return false;
    size_t len = text.len;
    while (len > 0 && strchr(" \t\r\n", text.data[len - 1]) != NULL && text.data[len - 1] != '\0')
        len--;
    if (len == 0)
        return base_fail(err, BASE_INVALID, "%s is empty: put a secret into it", path);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return base_fail(err, BASE_INVALID,
                             "%s must hold one word, without spaces or control characters", path);
    return base_buf_append(out, text.data, len) ||
           base_fail(err, BASE_LIMIT, "%s is larger than what is accepted", path);
}
