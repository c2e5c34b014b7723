/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "rotate.h"

/* A body has at most 64 KiB, and so have its names; escaped, a byte takes six at worst. */
enum { LINE_MAX_LEN = 512 * 1024, PATH_SHOWN = 300 };

struct agent_audit {
    int fd;
    bool own;
    bool torn; /* the last line is not whole */
    char *where;
    int64_t most; /* bytes; 0: no bound */
    unsigned keep;
};

struct agent_audit *agent_audit_open(const char *path, int fd, struct base_error *err)
{
    bool own = path != NULL;
    if (own)
        fd = agent_rotate_open(path);
    if (own && fd < 0) {
        (void)base_fail_errno(err, "audit: cannot open %s", path);
        return NULL;
    }
    struct agent_audit *audit = base_calloc(1, sizeof *audit);
    *audit = (struct agent_audit){
        .fd = fd, .own = own, .where = base_str_dup(own ? path : "the agent's log")};
    return audit;
}

void agent_audit_bound(struct agent_audit *audit, int64_t most, unsigned keep)
{
    audit->most = audit->own ? most : 0;
    audit->keep = keep;
}

void agent_audit_close(struct agent_audit *audit)
{
    if (audit == NULL)
        return;
    if (audit->own)
        base_fd_close(&audit->fd);
    free(audit->where);
    free(audit);
}

static json_t *targets_of(const struct fault_record *fault)
{
    if (fault == NULL || fault->target_count == 0)
        return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < fault->target_count; i++)
        json_array_append_new(list, model_json_text(fault->targets[i]));
    return list;
}

static json_t *time_text(struct wall_ns when)
{
    char text[BASE_WALL_TEXT];
    if (when.ns <= 0)
        return json_null();
    base_wall_format(when, text);
    return model_json_text(text);
}

static json_t *to_json(const struct agent_audit_line *line, struct wall_ns when)
{
    const struct fault_record *fault = line->fault;
    BASE_AUTO_FREE char *path =
        line->path != NULL ? base_str_ndup(line->path, strnlen(line->path, PATH_SHOWN)) : NULL;
    bool refused = line->status >= 400 || (!line->begin && line->status == 0);
    const struct {
        const char *key;
        json_t *value;
    } members[] = {
        {"time", time_text(when)},
        {"level", model_json_text(refused ? "warn" : "info")},
        {"service", model_json_text("squall-agent")},
        {"message", model_json_text("audit")},
        {"event", model_json_text(line->begin ? "begin" : "end")},
        {"request", json_integer(line->request)},
        {"peer", model_json_text(line->peer)},
        {"who", model_json_text(line->who)},
        {"method", model_json_text(line->method)},
        {"path", model_json_text(path)},
        {"run", model_json_text(fault != NULL ? fault->run : NULL)},
        {"fault", model_json_text(fault != NULL ? fault->id : NULL)},
        {"kind", model_json_text(fault != NULL ? fault_kind_name(fault->kind) : NULL)},
        {"targets", targets_of(fault)},
        {"until", fault != NULL ? time_text(fault->expires_at) : json_null()},
        {"status", line->status > 0 ? json_integer(line->status) : json_null()},
        {"outcome", model_json_text(line->outcome)},
    };
    json_t *json = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_object_set_new(json, members[i].key, members[i].value);
    return json;
}

bool agent_audit_encode(const struct agent_audit_line *line, struct wall_ns when,
                        struct base_buf *out)
{
    json_t *json = to_json(line, when);
    BASE_AUTO_FREE char *text = model_json_dump_line(json);
    json_decref(json);
    return text != NULL && base_buf_str(out, text) && base_buf_char(out, '\n');
}

/* In one write(2), so that lines of one file never mix. */
static bool append(struct agent_audit *audit, const struct base_buf *text)
{
    ssize_t n = write(audit->fd, text->data, text->len);
    while (n < 0 && errno == EINTR)
        n = write(audit->fd, text->data, text->len);
    if (n < 0)
        return false;
    audit->torn = (size_t)n < text->len;
    if (audit->torn) /* the disk has just become full */
        errno = ENOSPC;
    return !audit->torn;
}

/* A torn line is made whole where it is, first. */
static bool make_room(struct agent_audit *audit, size_t len, struct base_error *err)
{
    struct stat now;
    if (audit->most == 0 || audit->torn || fstat(audit->fd, &now) < 0 || !S_ISREG(now.st_mode) ||
        now.st_size == 0 || now.st_size + (int64_t)len <= audit->most)
        return true;
    return agent_rotate(&audit->fd, audit->where, audit->keep, err) ||
           base_fail_context(err, "audit: the file is full and cannot be rotated");
}

bool agent_audit_write(struct agent_audit *audit, const struct agent_audit_line *line,
                       struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, LINE_MAX_LEN);
    if (audit->torn)
        base_buf_char(&text, '\n');
    if (!agent_audit_encode(line, base_wall_now(), &text))
        return base_fail(err, BASE_LIMIT, "audit: a line is longer than %d bytes", LINE_MAX_LEN);
    bool room = make_room(audit, text.len, err);
    if (append(audit, &text))
        return room;
    return base_fail_errno(err, "audit: cannot write to %s", audit->where);
}

int agent_audit_handle(const struct agent_audit *audit, struct base_error *err)
{
    int fd = fcntl(audit->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        (void)base_fail_errno(err, "audit: cannot sync %s", audit->where);
    return fd;
}

/* fdatasync(2): EINVAL for what has no disk behind it, a pipe or a terminal. */
bool agent_audit_sync(const struct agent_audit *audit, int handle, struct base_error *err)
{
    return fdatasync(handle) == 0 || errno == EINVAL || errno == EROFS ||
           base_fail_errno(err, "audit: cannot write to %s", audit->where);
}
