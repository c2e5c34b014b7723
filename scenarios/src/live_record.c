/* SPDX-License-Identifier: Apache-2.0 */
/* The run directory while the run goes on: events.ndjson, one line a write, and documents. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "live_internal.h"

bool live_record_open(struct live_record *record, const char *dir, struct base_error *err)
{
    *record = (struct live_record){.dir = dir, .events_fd = -1};
    BASE_AUTO_FREE char *path = base_str_printf("%s/events.ndjson", dir);
    record->events_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (record->events_fd < 0)
        return base_fail_errno(err, "cannot create %s (a run directory is written once)", path);
    return true;
}

void live_record_close(struct live_record *record)
{
    if (record->events_fd >= 0)
        (void)fsync(record->events_fd);
    base_fd_close(&record->events_fd);
}

bool live_record_event(struct live_record *record, const char *type, const json_t *fields,
                       struct mono_ns mono, struct wall_ns wall)
{
    if (record->full)
        return false;
    char text[BASE_WALL_TEXT];
    base_wall_format(wall, text);
    json_t *event = fields != NULL ? json_copy((json_t *)(uintptr_t)fields) : json_object();
    json_object_set_new(event, "seq", json_integer((json_int_t)record->seq++));
    json_object_set_new(event, "type", model_json_text(type));
    json_object_set_new(event, "wall", model_json_text(text));
    json_object_set_new(event, "wallNs", json_integer(wall.ns));
    json_object_set_new(event, "monoNs", json_integer(mono.ns));
    BASE_AUTO_FREE char *line = model_json_dump_line(event);
    json_decref(event);
    BASE_AUTO_FREE char *whole = base_str_printf("%s\n", line);
    record->full = !base_fd_write_all(record->events_fd, whole, strlen(whole), NULL);
    return !record->full;
}

bool live_record_store(struct live_record *record, const char *name, const json_t *document)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", record->dir, name);
    return model_json_write(path, document, NULL);
}
