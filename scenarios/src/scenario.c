/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

static void fini_shape(const struct scn_shape *shape, void *base);

static void fini_texts(char ***texts, size_t count)
{
    for (size_t i = 0; *texts != NULL && i < count; i++)
        free((*texts)[i]);
    free(*texts);
    *texts = NULL;
}

static void fini_objects(const struct scn_shape *shape, void **elements, size_t count)
{
    for (size_t i = 0; *elements != NULL && i < count; i++)
        fini_shape(shape, (char *)*elements + i * shape->size);
    free(*elements);
    *elements = NULL;
}

static void fini_field(const struct scn_field *field, void *base)
{
    void *at = (char *)base + field->offset;
    size_t count = *(size_t *)(void *)((char *)base + field->count_offset);
    if (field->type == SCN_OBJECT) {
        fini_shape(field->shape, at);
    } else if (field->type == SCN_OBJECTS) {
        fini_objects(field->shape, at, count);
    } else if (field->type == SCN_TEXTS || field->type == SCN_HEADERS) {
        fini_texts(at, count);
    } else if (field->type < SCN_SCALARS && scn_scalar_of(field->type)->text) {
        /* Two fields may share a place (the two kinds of SLO). */
        free(*(char **)at);
        *(char **)at = NULL;
    }
}

static void fini_shape(const struct scn_shape *shape, void *base)
{
    for (size_t i = 0; i < shape->count; i++)
        fini_field(&shape->fields[i], base);
}

void scn_scenario_fini(struct scn_scenario *scenario)
{
    fini_shape(&scn_scenario_shape, scenario);
    for (size_t i = 0; i < scenario->place_count; i++)
        free(scenario->places[i].path);
    free(scenario->places);
    free(scenario->file);
    *scenario = (struct scn_scenario){.file = NULL};
}

enum load_speech scn_load_protocol(const struct scn_scenario *scenario)
{
    const struct scn_load *load = &scenario->load;
    const struct scn_target *target = &scenario->target;
    const struct load_scheme *scheme =
        target->url_count > 0 ? load_scheme_of(target->urls[0]) : NULL;
    if (scheme != NULL)
        return scheme->protocol;
    return load->route_count > 0 ? scn_request_protocol(load->routes[0].request) : LOAD_SPEECH_HTTP;
}

/* PostgreSQL has one scheme for both: its sessions begin in the clear. */
bool scn_load_secure(const struct scn_scenario *scenario)
{
    const struct scn_target *target = &scenario->target;
    const struct load_scheme *scheme =
        target->url_count > 0 ? load_scheme_of(target->urls[0]) : NULL;
    return scheme != NULL && (scheme->tls || (scheme->protocol == LOAD_SPEECH_POSTGRES &&
                                              scn_scenario_has(scenario, "spec.target.tls")));
}

static const struct scn_place *find_place(const struct scn_scenario *scenario, const char *path)
{
    for (size_t i = 0; i < scenario->place_count; i++) {
        if (strcmp(scenario->places[i].path, path) == 0)
            return &scenario->places[i];
    }
    return NULL;
}

bool scn_scenario_has(const struct scn_scenario *scenario, const char *path)
{
    return find_place(scenario, path) != NULL;
}

struct scn_mark scn_scenario_mark(const struct scn_scenario *scenario, const char *path)
{
    char around[256];
    (void)snprintf(around, sizeof around, "%s", path);
    for (;;) {
        const struct scn_place *place = find_place(scenario, around);
        if (place != NULL)
            return place->mark;
        char *dot = strrchr(around, '.');
        char *bracket = strrchr(around, '[');
        char *cut = dot > bracket ? dot : bracket;
        if (cut == NULL)
            return (struct scn_mark){1, 1};
        *cut = '\0';
    }
}
