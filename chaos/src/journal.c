/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/digest.h"
#include "model/control.h"

static const char magic[] = "squall-journal 1 ";
static const char suffix[] = ".fault";
static const char aside_suffix[] = ".corrupt";

enum { halted_len = 21 }; /* "%020lld\n" */

struct agent_journal {
    char *dir;
    int lock_fd;
    int halted_fd;
    struct wall_ns halted;
    struct wall_ns ahead;
};

const char *agent_journal_dir(const struct agent_journal *journal)
{
    return journal->dir;
}

bool agent_id_valid(const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t len = id != NULL ? strlen(id) : 0;
    return len > 0 && len <= 128 && strspn(id, allowed) == len && strchr("._-", id[0]) == NULL;
}

/* --- one entry --- */

void agent_journal_entry_fini(struct agent_journal_entry *entry)
{
    fault_spec_fini(&entry->spec);
    fault_record_fini(&entry->record);
    json_decref(entry->undo);
    *entry = (struct agent_journal_entry){0};
}

bool agent_journal_encode(const struct fault_spec *spec, const struct fault_record *record,
                          const json_t *undo, struct base_buf *out, struct base_error *err)
{
    json_t *body = json_object();
    json_object_set_new(body, "spec", fault_spec_to_json(spec));
    json_object_set_new(body, "record", fault_record_to_json(record));
    json_object_set_new(body, "undo", undo != NULL ? json_deep_copy(undo) : json_null());
    BASE_AUTO_FREE char *text = model_json_dump_line(body);
    json_decref(body);
    char digest[IO_SHA256_TEXT];
    if (text == NULL)
        return base_fail(err, BASE_INTERNAL, "fault %s cannot be written as JSON", spec->id);
    io_sha256(text, strlen(text), digest);
    if (strlen(text) > AGENT_JOURNAL_MAX - 256)
        return base_fail(err, BASE_LIMIT, "fault %s is too large for the journal", spec->id);
    if (!base_buf_printf(out, "%s%s %zu\n", magic, digest, strlen(text)) ||
        !base_buf_str(out, text))
        return base_fail(err, BASE_LIMIT, "fault %s does not fit into memory", spec->id);
    return true;
}

/* Checks the frame and returns where the JSON starts; NULL with err. */
static const char *check_frame(const char *data, size_t len, struct base_error *err)
{
    size_t magic_len = sizeof magic - 1;
    const char *newline = len > 0 ? memchr(data, '\n', len) : NULL;
    if (newline == NULL || len < magic_len || memcmp(data, magic, magic_len) != 0) {
        (void)base_fail(err, BASE_CORRUPT, "this is no journal entry of version 1");
        return NULL;
    }
    const char *body = newline + 1;
    size_t body_len = len - (size_t)(body - data);
    char digest[IO_SHA256_TEXT];
    io_sha256(body, body_len, digest);
    /* The whole first line is rebuilt and compared: there is one way to write it. */
    char expected[sizeof magic + IO_SHA256_TEXT + 32];
    int n = snprintf(expected, sizeof expected, "%s%s %zu\n", magic, digest, body_len);
    if ((size_t)n != len - body_len || memcmp(data, expected, (size_t)n) != 0) {
        (void)base_fail(err, BASE_CORRUPT, "its checksum or length does not fit its content");
        return NULL;
    }
    return body;
}

/* What the record has beyond that has come later, where the fault follows. */
static bool are_of_one(const struct fault_spec *spec, const struct fault_record *record)
{
    bool ok = base_str_eq(spec->id, record->id) && spec->kind == record->kind &&
              (spec->track.on ? spec->target_count <= record->target_count
                              : spec->target_count == record->target_count);
    for (size_t i = 0; ok && i < spec->target_count; i++)
        ok = base_str_eq(spec->targets[i], record->targets[i]);
    return ok;
}

static bool read_entry(const json_t *body, struct agent_journal_entry *entry,
                       struct base_error *err)
{
    const json_t *spec = model_get_object(body, "journal entry", "spec", err);
    const json_t *record =
        spec != NULL ? model_get_object(body, "journal entry", "record", err) : NULL;
    if (record == NULL || !fault_spec_from_json(spec, &entry->spec, err) ||
        !fault_record_from_json(record, &entry->record, err))
        return false;
    const json_t *undo = json_object_get(body, "undo");
    entry->undo = undo != NULL ? json_deep_copy(undo) : json_null();
    if (!agent_id_valid(entry->spec.id) || !are_of_one(&entry->spec, &entry->record))
        return base_fail(err, BASE_CORRUPT, "spec and record are not of one fault");
    if (entry->record.state != FAULT_APPLYING && entry->record.state != FAULT_ACTIVE)
        return base_fail(err, BASE_CORRUPT, "a fault that is %s is never journaled",
                         fault_state_name(entry->record.state));
    return true;
}

bool agent_journal_decode(const char *data, size_t len, struct agent_journal_entry *out,
                          struct base_error *err)
{
    const char *text = check_frame(data, len, err);
    if (text == NULL)
        return false;
    json_t *body = model_json_parse(text, len - (size_t)(text - data), "journal entry", err);
    struct agent_journal_entry entry = {0};
    bool ok = body != NULL && read_entry(body, &entry, err);
    json_decref(body);
    if (!ok) {
        agent_journal_entry_fini(&entry);
        if (err != NULL)
            err->code = BASE_CORRUPT;
        return false;
    }
    *out = entry;
    return true;
}

/* How long the entry at `at` says that it is, its first line included; 0: it does not. */
static size_t stated_len(const char *at, size_t left)
{
    char number[24];
    uint64_t body = 0;
    const char *newline = memchr(at, '\n', left);
    const char *space = newline != NULL ? memrchr(at, ' ', (size_t)(newline - at)) : NULL;
    if (space == NULL || (size_t)(newline - space) > sizeof number)
        return 0;
    (void)snprintf(number, sizeof number, "%.*s", (int)(newline - space - 1), space + 1);
    size_t head = (size_t)(newline - at) + 1;
    return base_parse_u64(number, &body) && body <= left - head ? head + body : 0;
}

static bool decode_of(const char *id, const char *at, size_t len, struct agent_journal_entry *out,
                      struct base_error *err)
{
    struct agent_journal_entry entry = {0};
    if (!agent_journal_decode(at, len, &entry, err))
        return false;
    if (base_str_eq(entry.spec.id, id)) {
        *out = entry;
        return true;
    }
    (void)base_fail(err, BASE_CORRUPT, "it is the entry of another fault, %s", entry.spec.id);
    agent_journal_entry_fini(&entry);
    return false;
}

/* A damaged entry says nothing of those beside it: each is looked for by how it begins, and is what
 * it should be or is not counted. JSON has no newline inside, so that none begins in another. */
bool agent_journal_find(const char *data, size_t len, const char *id,
                        struct agent_journal_entry *out, struct base_error *err)
{
    if (decode_of(id, data, len, out, err))
        return true;
    const char *end = data + len;
    for (const char *at = data;
         (at = memmem(at, (size_t)(end - at), magic, sizeof magic - 1)) != NULL; at++) {
        size_t n = at == data || at[-1] == '\n' ? stated_len(at, (size_t)(end - at)) : 0;
        bool apart = n > 0 && (at + n == end || at[n] == '\n');
        /* The id first: what is all decoded for each of many takes long. */
        if (apart && memmem(at, n, id, strlen(id)) != NULL && decode_of(id, at, n, out, NULL))
            return true;
    }
    return false;
}

/* --- the last halt --- */

static bool sync_folder(const char *dir, struct base_error *err)
{
    BASE_AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || base_fail_errno(err, "journal: cannot sync %s", dir);
}

static bool halted_write(const struct agent_journal *journal, struct base_error *err)
{
    char text[halted_len + 1];
    (void)snprintf(text, sizeof text, "%020lld\n", (long long)journal->halted.ns);
    if (pwrite(journal->halted_fd, text, halted_len, 0) == halted_len &&
        ftruncate(journal->halted_fd, halted_len) == 0 && fdatasync(journal->halted_fd) == 0)
        return true;
    return base_fail_errno(err, "journal: cannot write %s/halted", journal->dir);
}

static struct wall_ns halted_read(int fd)
{
    char text[halted_len + 2];
    int64_t ns = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n == 0)
        return (struct wall_ns){0};
    if (n != halted_len || text[halted_len - 1] != '\n')
        return base_wall_now();
    text[halted_len - 1] = '\0';
    const char *digits = text + strspn(text, "0");
    if (*digits != '\0' && (!base_parse_i64(digits, &ns) || ns < 0))
        return base_wall_now();
    return (struct wall_ns){ns};
}

/* Written while the clock was ahead, or damaged: kept, it would refuse every run until then. */
static void halted_clamp(struct agent_journal *journal)
{
    struct wall_ns now = base_wall_now();
    if (journal->halted.ns - now.ns <= CONTROL_MAX_SKEW_S * BASE_NS_PER_S)
        return;
    journal->ahead = journal->halted;
    journal->halted = now;
}

static bool halted_open(struct agent_journal *journal, struct base_error *err)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/halted", journal->dir);
    journal->halted_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->halted_fd < 0)
        return base_fail_errno(err, "journal: cannot open %s", path);
    journal->halted = halted_read(journal->halted_fd);
    halted_clamp(journal);
    /* A disk that is full already must not keep faults from being recovered: a halt will try, and
     * say, again. */
    if (halted_write(journal, NULL))
        (void)sync_folder(journal->dir, NULL);
    return true;
}

struct wall_ns agent_journal_halted(const struct agent_journal *journal)
{
    return journal->halted;
}

struct wall_ns agent_journal_halted_ahead(const struct agent_journal *journal)
{
    return journal->ahead;
}

bool agent_journal_halt(struct agent_journal *journal, struct wall_ns when, struct base_error *err)
{
    if (when.ns > journal->halted.ns)
        journal->halted = when;
    return halted_write(journal, err);
}

/* --- the folder --- */

struct agent_journal *agent_journal_open(const char *dir, struct base_error *err)
{
    if (!base_dir_make(dir, 0700, err)) {
        (void)base_fail_context(err, "journal");
        return NULL;
    }
    BASE_AUTO_FREE char *path = base_str_printf("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)base_fail_errno(err, "journal: cannot open %s", path);
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char owner[32] = "";
        if (pread(fd, owner, sizeof owner - 1, 0) < 0)
            owner[0] = '\0';
        base_fd_close(&fd);
        (void)base_fail(
            err, BASE_UNAVAILABLE,
            "journal %s is in use by another squall-agent (pid %s): use squall halt, or "
            "stop that one first",
            dir, owner[0] != '\0' ? owner : "unknown");
        return NULL;
    }
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) < 0) {
        (void)base_fail_errno(err, "journal: cannot write %s", path);
        base_fd_close(&fd);
        return NULL;
    }
    struct agent_journal *journal = base_calloc(1, sizeof *journal);
    journal->dir = base_str_dup(dir);
    journal->lock_fd = fd;
    if (!halted_open(journal, err)) {
        agent_journal_close(journal);
        return NULL;
    }
    return journal;
}

void agent_journal_close(struct agent_journal *journal)
{
    if (journal == NULL)
        return;
    base_fd_close(&journal->lock_fd);
    base_fd_close(&journal->halted_fd);
    free(journal->dir);
    free(journal);
}

static char *entry_path(const struct agent_journal *journal, const char *id)
{
    return base_str_printf("%s/%s%s", journal->dir, id, suffix);
}

/* How many go into one file with the first: what load_one reads again. */
static size_t fit_together(const struct agent_journal_item *items, size_t count)
{
    size_t bytes = items[0].len;
    size_t fit = 1;
    while (fit < count && fit < AGENT_JOURNAL_TOGETHER &&
           bytes + 1 + items[fit].len <= AGENT_JOURNAL_MAX)
        bytes += 1 + items[fit++].len;
    return fit;
}

static bool put_together(const struct agent_journal *journal,
                         const struct agent_journal_item *items, size_t count,
                         struct base_error *err)
{
    char *paths[AGENT_JOURNAL_TOGETHER];
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, AGENT_JOURNAL_MAX);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            base_buf_char(&text, '\n');
        base_buf_append(&text, items[i].data, items[i].len);
        paths[i] = entry_path(journal, items[i].id);
    }
    bool ok = text.failed ? base_fail(err, BASE_LIMIT, "journal: an entry is too large")
                          : base_file_write_as((const char *const *)paths, count, text.data,
                                               text.len, 0600, err);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    return ok;
}

bool agent_journal_put(const struct agent_journal *journal, const struct agent_journal_item *items,
                       size_t count, struct base_error *err)
{
    size_t most = count;
    for (size_t at = 0; at < count;) {
        struct base_error why = {0};
        size_t fit = fit_together(&items[at], count - at < most ? count - at : most);
        if (put_together(journal, &items[at], fit, &why)) {
            at += fit;
        } else if (fit > 1 && why.sys == EPERM) {
            most = 1; /* a file system without links (link(2)): each alone */
        } else {
            if (err != NULL)
                *err = why;
            return base_fail_context(err, "journal");
        }
    }
    return true;
}

bool agent_journal_remove(const struct agent_journal *journal, const char *const *ids, size_t count,
                          struct base_error *err)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        BASE_AUTO_FREE char *path = entry_path(journal, ids[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            ok = base_fail_errno(ok ? err : NULL, "journal: cannot remove %s", path);
    }
    return sync_folder(journal->dir, ok ? err : NULL) && ok;
}

static int is_entry(const struct dirent *entry)
{
    return base_str_ends(entry->d_name, suffix) ? 1 : 0;
}

/* What base_file_write leaves when the process dies inside it; the entry itself is not affected. */
static int is_unfinished(const struct dirent *entry)
{
    return strstr(entry->d_name, suffix) != NULL && base_str_ends(entry->d_name, ".tmp") ? 1 : 0;
}

static void remove_unfinished(const struct agent_journal *journal)
{
    struct dirent **names = NULL;
    int count = scandir(journal->dir, &names, is_unfinished, alphasort);
    for (int i = 0; i < count; i++) {
        BASE_AUTO_FREE char *path = base_str_printf("%s/%s", journal->dir, names[i]->d_name);
        (void)unlink(path);
        free(names[i]);
    }
    free(names);
}

static void load_one(const struct agent_journal *journal, const char *name,
                     const struct agent_journal_reader *reader)
{
    struct base_error why = {0};
    struct agent_journal_entry entry = {0};
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", journal->dir, name);
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, AGENT_JOURNAL_MAX);
    BASE_AUTO_FREE char *id = base_str_ndup(name, strlen(name) - (sizeof suffix - 1));
    if (base_file_read(path, &buf, &why) &&
        agent_journal_find(buf.data, buf.len, id, &entry, &why)) {
        reader->on_entry(reader->ctx, &entry);
        return;
    }
    BASE_AUTO_FREE char *aside = base_str_printf("%s%s", path, aside_suffix);
    const char *now_at = rename(path, aside) == 0 ? aside : path;
    (void)base_fail_context(&why, "journal entry %s", now_at);
    reader->on_corrupt(reader->ctx, now_at, &why);
}

static int is_aside(const struct dirent *entry)
{
    return strstr(entry->d_name, suffix) != NULL && base_str_ends(entry->d_name, aside_suffix) ? 1
                                                                                               : 0;
}

/* What an earlier look has set aside and nobody has seen to: its fault may be in place still. */
static void load_aside(const struct agent_journal *journal,
                       const struct agent_journal_reader *reader)
{
    struct dirent **names = NULL;
    int count = scandir(journal->dir, &names, is_aside, alphasort);
    for (int i = 0; i < count; i++) {
        struct base_error why = {0};
        BASE_AUTO_FREE char *path = base_str_printf("%s/%s", journal->dir, names[i]->d_name);
        (void)base_fail(&why, BASE_CORRUPT, "journal entry %s: it was found damaged earlier", path);
        reader->on_corrupt(reader->ctx, path, &why);
        free(names[i]);
    }
    free(names);
}

bool agent_journal_load(struct agent_journal *journal, const struct agent_journal_reader *reader,
                        struct base_error *err)
{
    struct dirent **names = NULL;
    remove_unfinished(journal);
    load_aside(journal, reader);
    int count = scandir(journal->dir, &names, is_entry, alphasort);
    if (count < 0)
        return base_fail_errno(err, "journal: cannot read the folder %s", journal->dir);
    for (int i = 0; i < count; i++) {
        load_one(journal, names[i]->d_name, reader);
        free(names[i]);
    }
    free(names);
    return true;
}
