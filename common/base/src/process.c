/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

/* proc(5): the command in field 2 may itself hold spaces and parentheses; the last ')' ends it.
 * State Z only waits to be reaped, X is being removed. */
bool base_process_parse(const char *stat, struct base_process *out)
{
    enum { STATE = 3, PARENT = 4, TICKS = 22 };
    const char *rest = strrchr(stat, ')');
    if (rest == NULL || rest[1] != ' ' || rest[2] == '\0' || strchr("ZXx", rest[2]) != NULL)
        return false;
    uint64_t fields[TICKS + 1] = {0};
    rest += 2;
    char state = *rest;
    for (int i = STATE; i <= TICKS; i++) {
        char word[32];
        size_t len = strcspn(rest, " \n");
        if (len == 0 || len >= sizeof word)
            return false;
        memcpy(word, rest, len);
        word[len] = '\0';
        if ((i == PARENT || i == TICKS) && !base_parse_u64(word, &fields[i]))
            return false;
        rest += len + (rest[len] == ' ' ? 1 : 0);
    }
    if (fields[PARENT] > INT32_MAX)
        return false;
    *out = (struct base_process){
        .state = state, .parent = (pid_t)fields[PARENT], .start_ticks = fields[TICKS]};
    return true;
}

bool base_process_find(pid_t pid, struct base_process *out)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 4096);
    return pid > 0 && base_file_read(path, &text, NULL) && text.len > 0 &&
           base_process_parse(text.data, out);
}

bool base_process_ticks(pid_t pid, uint64_t *out)
{
    struct base_process found;
    if (!base_process_find(pid, &found))
        return false;
    *out = found.start_ticks;
    return true;
}

bool base_process_alive(pid_t pid, uint64_t start_ticks)
{
    uint64_t ticks;
    return base_process_ticks(pid, &ticks) && ticks == start_ticks;
}
