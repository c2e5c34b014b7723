/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what a service can do to itself. */
#include "fields_parts.h"

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field dependency_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(app.dependency),
     .required = true,
     .example = "postgres",
     .help = "As the service's readiness probe calls it."},
    {.key = "path",
     .type = SCN_PATH,
     AT(app.path),
     .required = true,
     .example = "/api/users?limit=1",
     .help = "Of the service: what needs the dependency. GET of it is answered before and after, "
             "and with a server error meanwhile, which shows the effect."},
};
static const struct scn_shape dependency_shape = {FIELDS(dependency_fields)};

static const struct scn_field app_fields[] = {
    {.key = "errorRate",
     .type = SCN_PERCENT,
     AT(app.error_rate),
     .fallback = "0%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Share of the requests that the service answers with an error."},
    {.key = "errorStatus",
     .type = SCN_INTEGER,
     AT(app.error_status),
     .fallback = "500",
     .min = "500",
     .max = "599",
     .example = "503",
     .help = "Status of those errors."},
    {.key = "latency",
     .type = SCN_DURATION,
     AT(app.latency),
     .fallback = "0s",
     .min = "0s",
     .max = "60s",
     .help = "Added to every answer."},
    {.key = "unready",
     .type = SCN_BOOLEAN,
     AT(app.unready),
     .fallback = "false",
     .help = "The readiness probe says no, while the service goes on answering."},
    {.key = "dependency",
     .type = SCN_OBJECT,
     .shape = &dependency_shape,
     .help = "The service behaves as if one of its dependencies had failed."},
    {.key = "cpu",
     .type = SCN_PERCENT,
     AT(app.cpu),
     .fallback = "0%",
     .min = "0%",
     .max = "100%",
     .example = "60%",
     .help = "So much of one processor the service itself takes, 20% or more: in its own process, "
             "where the kind cpu has workers beside it."},
    {.key = "memory",
     .type = SCN_BYTES,
     AT(app.memory),
     .fallback = "0B",
     .min = "0B",
     .max = "1GiB",
     .example = "128MiB",
     .help = "So much memory the service itself takes, 16MiB or more; a tenth of the host's always "
             "stays."},
};
const struct scn_shape scn_app_shape = {FIELDS(app_fields)};
#undef AT
