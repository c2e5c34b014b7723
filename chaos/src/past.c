/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes: a piece is the text of faults one behind the other, of each its run, a NUL, its
 * spec and record as one JSON object, and a NUL. Records of one run are much alike, so that a piece
 * as a whole shrinks to a tenth of itself, and a single record hardly to a third. A piece is open
 * (plain, for more to come) or closed (compressed); at most the last one is open. One that is empty
 * goes; what was removed from it stays in it until then.
 */
#include "past.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/deflate.h"
#include "model/json.h"

enum { PIECE_BYTES = 256 * 1024, PIECE_MAX = 8 * 1024 * 1024 };

struct piece {
    struct base_buf text; /* empty when it is packed */
    char *packed;         /* NULL: plain */
    size_t packed_len;
    size_t plain_len;
    size_t members;
};

struct member {
    uint64_t id_hash; /* its id is in its text */
    struct wall_ns requested_at;
    struct wall_ns gone_at;
    struct piece *piece;
    size_t at;
};

struct agent_past {
    struct member *members; /* in the order in which they came here */
    size_t count;
    size_t room;
    struct piece *open; /* NULL: none */
    size_t bytes;       /* of closed pieces */
    /* The piece that was looked into last, while one look lasts. */
    const struct piece *seen;
    char *seen_text;
};

struct agent_past *agent_past_new(void)
{
    return base_calloc(1, sizeof(struct agent_past));
}

/* FNV-1a, 64 bits (draft-eastlake-fnv): equal hashes are looked at, not believed. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
    return hash;
}

/* --- pieces --- */

static void piece_free(struct piece *piece)
{
    base_buf_fini(&piece->text);
    free(piece->packed);
    free(piece);
}

static size_t piece_bytes(const struct piece *piece)
{
    return sizeof *piece + (piece->packed != NULL ? piece->packed_len : piece->text.cap);
}

static struct piece *piece_for(struct agent_past *past, size_t len)
{
    if (past->open != NULL && past->open->text.len + len > PIECE_BYTES)
        agent_past_close(past);
    if (past->open == NULL) {
        past->open = base_calloc(1, sizeof *past->open);
        base_buf_init(&past->open->text, PIECE_MAX);
    }
    return past->open;
}

/* In a piece of memory of the right size; without memory for that it stays as it is. */
void agent_past_close(struct agent_past *past)
{
    struct piece *piece = past->open;
    struct base_buf packed;
    if (piece == NULL)
        return;
    past->open = NULL;
    piece->plain_len = piece->text.len;
    base_buf_init(&packed, PIECE_MAX);
    if (model_deflate(piece->text.data, piece->text.len, &packed))
        piece->packed = malloc(packed.len);
    if (piece->packed != NULL) {
        memcpy(piece->packed, packed.data, packed.len);
        piece->packed_len = packed.len;
        base_buf_fini(&piece->text);
    }
    base_buf_fini(&packed);
    past->bytes += piece_bytes(piece);
}

static void look_away(struct agent_past *past)
{
    free(past->seen_text);
    past->seen_text = NULL;
    past->seen = NULL;
}

/* The plain text of a member, good until the next look or look_away; NULL: it is damaged. */
static const char *look_at(struct agent_past *past, const struct member *member)
{
    const struct piece *piece = member->piece;
    if (piece->packed == NULL)
        return piece->text.data + member->at;
    if (past->seen != piece) {
        look_away(past);
        past->seen_text = base_calloc(1, piece->plain_len);
        if (!model_inflate(piece->packed, piece->packed_len, past->seen_text, piece->plain_len)) {
            look_away(past);
            return NULL;
        }
        past->seen = piece;
    }
    return past->seen_text + member->at;
}

/* --- members --- */

static void drop_member(struct agent_past *past, size_t index)
{
    struct piece *piece = past->members[index].piece;
    past->count--;
    memmove(&past->members[index], &past->members[index + 1],
            (past->count - index) * sizeof *past->members);
    if (--piece->members > 0)
        return;
    if (piece == past->open)
        past->open = NULL;
    else
        past->bytes -= piece_bytes(piece);
    piece_free(piece);
}

void agent_past_free(struct agent_past *past)
{
    if (past == NULL)
        return;
    while (past->count > 0)
        drop_member(past, past->count - 1);
    free(past->members);
    free(past);
}

/* The open piece takes no more: it is for no other one to fail by. */
static void give_up(struct agent_past *past)
{
    if (past->open->members > 0) {
        agent_past_close(past);
        return;
    }
    piece_free(past->open);
    past->open = NULL;
}

bool agent_past_add(struct agent_past *past, const struct fault_spec *spec,
                    const struct fault_record *record)
{
    json_t *body = json_object();
    json_object_set_new(body, "spec", fault_spec_to_json(spec));
    json_object_set_new(body, "record", fault_record_to_json(record));
    BASE_AUTO_FREE char *text = model_json_dump_line(body);
    json_decref(body);
    if (text == NULL)
        return false;
    size_t run_len = strlen(spec->run) + 1;
    size_t text_len = strlen(text) + 1;
    struct piece *piece = piece_for(past, run_len + text_len);
    size_t at = piece->text.len;
    if (base_buf_reserve(&piece->text, run_len + text_len) == NULL) {
        give_up(past);
        return false;
    }
    (void)base_buf_append(&piece->text, spec->run, run_len);
    (void)base_buf_append(&piece->text, text, text_len);
    piece->members++;
    if (past->count == past->room) {
        past->room = past->room > 0 ? past->room * 2 : 64;
        past->members = base_reallocarray(past->members, past->room, sizeof *past->members);
    }
    past->members[past->count++] = (struct member){.id_hash = hash_of(spec->id),
                                                   .requested_at = record->requested_at,
                                                   .gone_at = record->gone_at,
                                                   .piece = piece,
                                                   .at = at};
    return true;
}

static json_t *read_member(struct agent_past *past, const struct member *member)
{
    const char *run = look_at(past, member);
    const char *text = run != NULL ? run + strlen(run) + 1 : NULL;
    return text != NULL ? model_json_parse(text, strlen(text), "fault that is gone", NULL) : NULL;
}

static bool read_fault(struct agent_past *past, const struct member *member,
                       struct agent_past_fault *out)
{
    json_t *body = read_member(past, member);
    struct agent_past_fault fault = {0};
    bool ok = body != NULL &&
              fault_spec_from_json(json_object_get(body, "spec"), &fault.spec, NULL) &&
              fault_record_from_json(json_object_get(body, "record"), &fault.record, NULL);
    json_decref(body);
    if (ok)
        *out = fault;
    else
        agent_past_fault_fini(&fault);
    return ok;
}

void agent_past_fault_fini(struct agent_past_fault *fault)
{
    fault_spec_fini(&fault->spec);
    fault_record_fini(&fault->record);
    *fault = (struct agent_past_fault){0};
}

/* Its index, or that behind the last. */
static size_t find(struct agent_past *past, const char *id, struct agent_past_fault *out)
{
    uint64_t hash = hash_of(id);
    size_t i = 0;
    for (; i < past->count; i++) {
        if (past->members[i].id_hash != hash || !read_fault(past, &past->members[i], out))
            continue;
        if (base_str_eq(out->spec.id, id))
            break;
        agent_past_fault_fini(out);
    }
    look_away(past);
    return i;
}

bool agent_past_find(struct agent_past *past, const char *id, struct agent_past_fault *out)
{
    return find(past, id, out) < past->count;
}

bool agent_past_take(struct agent_past *past, const char *id, struct agent_past_fault *out)
{
    size_t index = find(past, id, out);
    if (index == past->count)
        return false;
    drop_member(past, index);
    return true;
}

void agent_past_prune(struct agent_past *past, struct wall_ns before, size_t most)
{
    for (size_t i = past->count; i-- > 0;)
        if (past->members[i].gone_at.ns < before.ns)
            drop_member(past, i);
    while (past->count > most)
        drop_member(past, 0);
}

void agent_past_each(struct agent_past *past,
                     void (*on_record)(void *ctx, struct wall_ns requested_at, json_t *record),
                     void *ctx)
{
    for (size_t i = 0; i < past->count; i++) {
        json_t *body = read_member(past, &past->members[i]);
        if (body != NULL)
            on_record(ctx, past->members[i].requested_at,
                      json_incref(json_object_get(body, "record")));
        json_decref(body);
    }
    look_away(past);
}

void agent_past_runs(struct agent_past *past, void (*on_run)(void *ctx, const char *run), void *ctx)
{
    for (size_t i = 0; i < past->count; i++) {
        const char *run = look_at(past, &past->members[i]);
        if (run != NULL)
            on_run(ctx, run);
    }
    look_away(past);
}

size_t agent_past_count(const struct agent_past *past)
{
    return past->count;
}

size_t agent_past_bytes(const struct agent_past *past)
{
    size_t open = past->open != NULL ? piece_bytes(past->open) : 0;
    return past->bytes + open + past->room * sizeof *past->members;
}
