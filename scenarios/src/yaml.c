/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows libyaml: events to a tree. The event interface is used because
 * yaml_parser_load() resolves aliases by itself, which lets a small file stand for a huge tree.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "node.h"
#include "scenarios/parse.h"

struct frame {
    struct scn_node *node;
    char *key; /* of the value that comes next, in mappings */
    struct scn_mark key_mark;
};

struct builder {
    const char *file;
    const char *bytes;
    size_t len;
    struct scn_problems *problems;
    yaml_parser_t parser;
    struct scn_node *root;
    struct frame stack[SCN_MAX_DEPTH];
    size_t depth;
    size_t nodes;
    size_t documents;
};

static struct scn_mark mark_of(yaml_mark_t mark)
{
    return (struct scn_mark){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

static bool fatal(struct builder *builder, struct scn_mark mark, const char *what)
{
    scn_problems_add(builder->problems, builder->file, "", mark, "%s", what);
    return false;
}

/* libyaml gives a byte offset, and no line, for bytes that are no text. */
static struct scn_mark mark_at_offset(const struct builder *builder, size_t offset)
{
    struct scn_mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < builder->len; i++) {
        unsigned char byte = (unsigned char)builder->bytes[i];
        if (byte == '\n')
            mark = (struct scn_mark){mark.line + 1, 1};
        else if ((byte & 0xC0) != 0x80)
            mark.column++;
    }
    return mark;
}

static bool syntax_error(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        scn_problems_add(builder->problems, builder->file, "",
                         mark_at_offset(builder, parser->problem_offset), "not text in UTF-8: %s",
                         problem);
        return false;
    }
    if (parser->error == YAML_MEMORY_ERROR)
        return fatal(builder, (struct scn_mark){0, 0}, "out of memory while reading the file");
    struct scn_mark mark = mark_of(parser->problem_mark);
    if (parser->context == NULL) {
        scn_problems_add(builder->problems, builder->file, "", mark, "not valid YAML: %s", problem);
        return false;
    }
    scn_problems_add(builder->problems, builder->file, "", mark,
                     "not valid YAML: %s, %s that starts at line %zu", problem, parser->context,
                     parser->context_mark.line + 1);
    return false;
}

/* Puts a finished or opening value where it belongs. */
static bool place(struct builder *builder, struct scn_node *node)
{
    if (builder->depth == 0) {
        scn_node_free(builder->root);
        builder->root = node;
        return true;
    }
    struct frame *frame = &builder->stack[builder->depth - 1];
    if (frame->node->kind == SCN_NODE_MAP && frame->node->count >= SCN_MAX_KEYS) {
        scn_node_free(node);
        return fatal(builder, frame->key_mark, "more than 1000 keys in one mapping");
    }
    scn_node_add(frame->node, frame->key, frame->key != NULL ? frame->key_mark : node->mark, node);
    free(frame->key);
    frame->key = NULL;
    return true;
}

static bool count_node(struct builder *builder, struct scn_mark mark)
{
    if (++builder->nodes > SCN_MAX_NODES)
        return fatal(builder, mark, "more than 20000 values in one file");
    return true;
}

static bool wants_key(const struct builder *builder)
{
    const struct frame *frame = &builder->stack[builder->depth > 0 ? builder->depth - 1 : 0];
    return builder->depth > 0 && frame->node->kind == SCN_NODE_MAP && frame->key == NULL;
}

/* What a scenario has no use for, and what can only make it mean something else than it says. */
static const char *refusal_of(const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return "anchors (&name) are not supported, write the value where it is used";
    if (tag != NULL)
        return "tags (!name) are not supported, remove it";
    return NULL;
}

static bool on_key(struct builder *builder, const char *text, struct scn_mark mark)
{
    struct frame *frame = &builder->stack[builder->depth - 1];
    const struct scn_entry *same = scn_node_find(frame->node, text);
    if (same != NULL)
        scn_problems_add(builder->problems, builder->file, "", mark,
                         "key \"%.60s\" is there twice, first at line %u", text, same->mark.line);
    frame->key = base_str_dup(text);
    frame->key_mark = mark;
    return true;
}

static bool on_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct scn_mark mark = mark_of(event->start_mark);
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *bad = refusal_of(event->data.scalar.anchor, event->data.scalar.tag);
    if (memchr(text, '\0', event->data.scalar.length) != NULL)
        return fatal(builder, mark, "a NUL character inside of a value, remove it");
    if (wants_key(builder))
        return bad != NULL ? fatal(builder, mark, bad) : on_key(builder, text, mark);
    if (!count_node(builder, mark))
        return false;
    struct scn_node *node = scn_node_new(SCN_NODE_SCALAR, mark);
    node->text = base_str_ndup(text, event->data.scalar.length);
    node->plain = plain;
    node->bad = bad;
    return place(builder, node);
}

static bool on_alias(struct builder *builder, const yaml_event_t *event)
{
    struct scn_mark mark = mark_of(event->start_mark);
    if (wants_key(builder))
        return fatal(builder, mark, "expected a key, found an alias (*name)");
    if (!count_node(builder, mark))
        return false;
    struct scn_node *node = scn_node_new(SCN_NODE_SCALAR, mark);
    node->text = base_str_dup("");
    node->bad = "aliases (*name) are not supported, write the value out";
    return place(builder, node);
}

static bool on_open(struct builder *builder, enum scn_node_kind kind, struct scn_mark mark,
                    const char *bad)
{
    if (wants_key(builder))
        return fatal(builder, mark, "expected a key, found a mapping or a list");
    if (builder->depth == SCN_MAX_DEPTH)
        return fatal(builder, mark, "nested deeper than 32 levels");
    if (!count_node(builder, mark))
        return false;
    struct scn_node *node = scn_node_new(kind, mark);
    node->bad = bad;
    if (!place(builder, node))
        return false;
    builder->stack[builder->depth++] = (struct frame){.node = node};
    return true;
}

static bool on_document(struct builder *builder, const yaml_event_t *event)
{
    if (++builder->documents > 1)
        return fatal(builder, mark_of(event->start_mark),
                     "a second document, expected one scenario in a file");
    return true;
}

static bool on_event(struct builder *builder, const yaml_event_t *event)
{
    struct scn_mark mark = mark_of(event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(builder, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return on_alias(builder, event);
    case YAML_MAPPING_START_EVENT:
        return on_open(builder, SCN_NODE_MAP, mark,
                       refusal_of(event->data.mapping_start.anchor, event->data.mapping_start.tag));
    case YAML_SEQUENCE_START_EVENT:
        return on_open(
            builder, SCN_NODE_LIST, mark,
            refusal_of(event->data.sequence_start.anchor, event->data.sequence_start.tag));
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder->depth--;
        return true;
    default:
        return true;
    }
}

static bool build(struct builder *builder)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event))
            return syntax_error(builder);
        more = event.type != YAML_STREAM_END_EVENT;
        bool ok = on_event(builder, &event);
        yaml_event_delete(&event);
        if (!ok)
            return false;
    }
    if (builder->root == NULL)
        return fatal(builder, (struct scn_mark){1, 1},
                     "the file is empty, expected a scenario (see `squall schema`)");
    return true;
}

struct scn_node *scn_yaml_parse(const char *file, const char *bytes, size_t len,
                                struct scn_problems *problems)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    if (len >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    struct builder builder = {.file = file, .bytes = bytes, .len = len, .problems = problems};
    if (!yaml_parser_initialize(&builder.parser)) {
        fatal(&builder, (struct scn_mark){0, 0}, "out of memory while reading the file");
        return NULL;
    }
    /* Said here, or libyaml takes a file that starts with FF FE for UTF-16. It then takes no byte
     * order mark either, which is why that is left out above. */
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)bytes, len);
    bool ok = build(&builder);
    yaml_parser_delete(&builder.parser);
    for (size_t i = 0; i < builder.depth; i++)
        free(builder.stack[i].key);
    if (ok)
        return builder.root;
    scn_node_free(builder.root);
    return NULL;
}
