/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the format of scenario files is described. The table (fields.c) is followed by the decoder
 * (decode.c), which also takes defaults and ranges from it, and by the schema and help generators
 * (schema.c): what one of them knows, all of them know.
 */
#ifndef SCENARIOS_FIELDS_H
#define SCENARIOS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum scn_type {
    /* One value each; the rows of the table in scalar.c. */
    SCN_TEXT,         /* char * */
    SCN_NAME,         /* char *: goes into tags, file names and ids */
    SCN_PATH,         /* char *: of an URL, with the query */
    SCN_METHOD,       /* char * */
    SCN_URL,          /* char * */
    SCN_ORIGIN,       /* char *: http://host:port */
    SCN_SELECTOR,     /* char *: PromQL */
    SCN_HEADER,       /* char *: the value of an HTTP header */
    SCN_INTEGER,      /* int64_t */
    SCN_DURATION,     /* struct dur_ns */
    SCN_RATE,         /* double, a second */
    SCN_PERCENT,      /* double, 0..1 */
    SCN_CONDITION,    /* struct expectation */
    SCN_WORD,         /* int or enum, one of `words` */
    SCN_BYTES,        /* uint64_t */
    SCN_PEER,         /* char *: a service, an instance or ADDRESS:PORT */
    SCN_PORT,         /* char *: a whole number */
    SCN_BANDWIDTH,    /* double, bits a second */
    SCN_RATE_OR_NONE, /* double, a second; 0/s is one */
    SCN_BOOLEAN,      /* bool */
    SCN_TARGET,       /* char *: as SCN_PATH, or with a template's field in front */
    SCN_ROUTE,        /* char *: a route, or FLOW.STEP */
    SCN_VARIABLE,     /* char *: of the environment */
    SCN_PLACE,        /* char *: a zone, a node or a namespace */
    SCN_LABEL,        /* char *: KEY=VALUE */
    SCN_PEERS,        /* char *: as SCN_PEER, or a block of addresses */
    SCN_SCALARS,
    /* Values made of others. */
    SCN_TEXTS = SCN_SCALARS, /* char ** with a count; each of type `item` */
    SCN_HEADERS,             /* mapping to char ** of "Name: value" with a count */
    SCN_OBJECT,              /* a struct held by value, of `shape` */
    SCN_OBJECTS,             /* an array of structs with a count, of `shape` */
    SCN_WORD_OR_OBJECT       /* one of `words`, or an object of `shape` whose choice is stored where
                                the word would be, at the struct's start */
};

struct scn_word {
    const char *name;
    int value;
};

struct scn_words {
    const struct scn_word *words;
    size_t count;
};

struct scn_shape;

struct scn_field {
    const char *key;
    enum scn_type type;
    enum scn_type item;
    size_t offset;
    size_t count_offset;
    const char *fallback; /* the default as the file would say it; "{}": an object of defaults */
    const char *min;      /* range, as the file would say it; NULL: none */
    const char *max;
    bool required;
    bool open;    /* min and max themselves are outside */
    size_t least; /* elements */
    size_t most;
    bool repeats;        /* the same text may be in the list twice */
    int choice;          /* of a shape with a choice: the value it stands for + 1 */
    const char *refused; /* known, and never accepted: why. Its type and place do not matter */
    const char *only;    /* makes sense only when the shape's first field has this word */
    const struct scn_words *words;
    const struct scn_shape *shape;
    const char *help;
    const char *example;
};

struct scn_shape {
    size_t size;
    const struct scn_field *fields;
    size_t count;
    const char *choice_of; /* exactly one of the choice fields must be there: what they are */
    size_t choice_offset;  /* of the enum that says which one is */
    bool named;            /* the first field is a name, unique in its list */
};

extern const struct scn_shape scn_scenario_shape;

/* ---- scalars (scalar.c) ---- */

struct scn_scalar {
    const char *what;    /* "a duration" */
    const char *example; /* "250ms" */
    const char *units;   /* NULL: none; otherwise a bare number is refused with these named */
    const char *pattern; /* what the text must match, for the parser (POSIX) and the schema (ECMA);
                            NULL: nothing, or more than a pattern can say */
    /* Text that does not match is not repeated to anybody when it has one of these (or, with "",
     * ever): it may hold a password. Then this is said. */
    const char *secretive;
    const char *instead;
    bool text; /* owns a char * */
    size_t max_len;
    /* Stores the value, whose text matches the pattern. */
    bool (*read)(const char *text, const struct scn_field *field, void *out,
                 struct base_error *err);
    /* The value as a number to compare with the range; NULL: no range. */
    bool (*number)(const char *text, double *out);
};

/* Never NULL; a row without functions for types that are made of others. */
const struct scn_scalar *scn_scalar_of(enum scn_type type);
/* What a value without quotes means to YAML's core schema. */
enum scn_meaning { SCN_MEANS_TEXT, SCN_MEANS_NOTHING, SCN_MEANS_BOOLEAN, SCN_MEANS_NUMBER };
enum scn_meaning scn_meaning_of(const char *text);
/* The pattern is a literal: it is kept. NULL: everything matches. */
bool scn_matches(const char *pattern, const char *text);
/* "one of poisson, constant"; "a duration such as 250ms (ns, us, ms, s, m, h)". free() it. */
char *scn_expected(const struct scn_field *field);
/* "1s to 24h"; NULL when the field has no range. free() it. */
char *scn_range(const struct scn_field *field);
bool scn_in_range(const struct scn_field *field, const char *text);
extern const char scn_header_name_pattern[];

#endif
