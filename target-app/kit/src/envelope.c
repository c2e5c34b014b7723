/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/envelope.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/utf8.h"

enum { MESSAGE_MAX = 1024 };

void kit_errors_add(struct kit_errors *errors, const char *code, const char *field,
                    const char *format, ...)
{
    if (errors->count == KIT_ERRORS_MAX)
        return;
    struct base_buf message;
    base_buf_init(&message, MESSAGE_MAX);
    va_list args;
    va_start(args, format);
    base_buf_vprintf(&message, format, args);
    va_end(args);
    struct kit_issue *issue = &errors->items[errors->count++];
    issue->code = code;
    issue->field = base_str_dup(field);
    issue->message = message.failed ? base_str_dup(code) : base_str_dup(message.data);
    base_buf_fini(&message);
}

void kit_errors_fini(struct kit_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        free(errors->items[i].message);
        free(errors->items[i].field);
    }
    errors->count = 0;
}

json_t *kit_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    BASE_AUTO_FREE char *clean = base_utf8_clean(text);
    value = json_string(clean);
    return value != NULL ? value : json_null();
}

static int write_piece(const char *bytes, size_t len, void *out)
{
    return base_buf_append(out, bytes, len) ? 0 : -1;
}

static void put_json(struct base_buf *out, const json_t *value)
{
    if (value == NULL)
        base_buf_str(out, "null");
    else if (json_dump_callback(value, write_piece, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        out->failed = true;
}

static void put_text(struct base_buf *out, const char *text)
{
    json_t *value = kit_json_text(text);
    put_json(out, value);
    json_decref(value);
}

static void put_meta(struct base_buf *out, const struct kit_envelope *envelope)
{
    char time[BASE_WALL_TEXT];
    base_wall_format(envelope->now, time);
    base_buf_printf(out, ",\"meta\":{\"requestId\":\"%s\",\"timestamp\":\"%s\",\"duration\":%.3f",
                    envelope->request_id, time, (double)envelope->took.ns / (double)BASE_NS_PER_MS);
    void *iter =
        envelope->meta != NULL ? json_object_iter((json_t *)(uintptr_t)envelope->meta) : NULL;
    for (; iter != NULL; iter = json_object_iter_next((json_t *)(uintptr_t)envelope->meta, iter)) {
        base_buf_char(out, ',');
        put_text(out, json_object_iter_key(iter));
        base_buf_char(out, ':');
        put_json(out, json_object_iter_value(iter));
    }
    base_buf_char(out, '}');
}

bool kit_envelope_write(const struct kit_envelope *envelope, struct base_buf *out)
{
    base_buf_str(out, "{\"data\":");
    put_json(out, envelope->data);
    put_meta(out, envelope);
    base_buf_str(out, ",\"errors\":[");
    size_t count = envelope->errors != NULL ? envelope->errors->count : 0;
    for (size_t i = 0; i < count; i++) {
        const struct kit_issue *issue = &envelope->errors->items[i];
        base_buf_printf(out, "%s{\"code\":\"%s\",\"message\":", i > 0 ? "," : "", issue->code);
        put_text(out, issue->message);
        if (issue->field != NULL) {
            base_buf_str(out, ",\"field\":");
            put_text(out, issue->field);
        }
        base_buf_char(out, '}');
    }
    base_buf_str(out, "]}");
    return !out->failed;
}
