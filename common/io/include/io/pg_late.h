/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq, loaded when it is first needed: it brings twenty libraries along, which took a third of
 * the memory of an agent that never speaks to a database. Included in place of <libpq-fe.h>; calls
 * are written as usual and go through a table, once io_pg_load has returned true.
 */
#ifndef IO_PG_LATE_H
#define IO_PG_LATE_H

#include <libpq-fe.h>

#include "base/error.h"

#define PG_LATE(X)                                                                                 \
    X(PQclear)                                                                                     \
    X(PQconnectPoll)                                                                               \
    X(PQconnectStartParams)                                                                        \
    X(PQconsumeInput)                                                                              \
    X(PQenterPipelineMode)                                                                         \
    X(PQerrorMessage)                                                                              \
    X(PQfinish)                                                                                    \
    X(PQflush)                                                                                     \
    X(PQgetResult)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQpipelineSync)                                                                              \
    X(PQresStatus)                                                                                 \
    X(PQresultErrorField)                                                                          \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultStatus)                                                                              \
    X(PQsendPrepare)                                                                               \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryParams)                                                                           \
    X(PQsendQueryPrepared)                                                                         \
    X(PQsetErrorVerbosity)                                                                         \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQsetNoticeReceiver)                                                                         \
    X(PQsetSingleRowMode)                                                                          \
    X(PQsetnonblocking)                                                                            \
    X(PQsocket)                                                                                    \
    X(PQsslStruct)                                                                                 \
    X(PQstatus)

struct io_pg_late {
/* The argument names a member, which takes no parentheses. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define PG_LATE_MEMBER(name) __typeof__(name) *name;
    PG_LATE(PG_LATE_MEMBER)
#undef PG_LATE_MEMBER
};

/* Once for the process, for good; any thread. BASE_UNAVAILABLE: it is not there. */
bool io_pg_load(struct base_error *err);
const struct io_pg_late *io_pg_late(void);

#ifndef PG_LATE_PLAIN /* pg_late.c itself */
#define PQclear              (io_pg_late()->PQclear)
#define PQconnectPoll        (io_pg_late()->PQconnectPoll)
#define PQconnectStartParams (io_pg_late()->PQconnectStartParams)
#define PQconsumeInput       (io_pg_late()->PQconsumeInput)
#define PQenterPipelineMode  (io_pg_late()->PQenterPipelineMode)
#define PQerrorMessage       (io_pg_late()->PQerrorMessage)
#define PQfinish             (io_pg_late()->PQfinish)
#define PQflush              (io_pg_late()->PQflush)
#define PQgetResult          (io_pg_late()->PQgetResult)
#define PQgetisnull          (io_pg_late()->PQgetisnull)
#define PQgetlength          (io_pg_late()->PQgetlength)
#define PQgetvalue           (io_pg_late()->PQgetvalue)
#define PQisBusy             (io_pg_late()->PQisBusy)
#define PQnfields            (io_pg_late()->PQnfields)
#define PQntuples            (io_pg_late()->PQntuples)
#define PQpipelineSync       (io_pg_late()->PQpipelineSync)
#define PQresStatus          (io_pg_late()->PQresStatus)
#define PQresultErrorField   (io_pg_late()->PQresultErrorField)
#define PQresultErrorMessage (io_pg_late()->PQresultErrorMessage)
#define PQresultStatus       (io_pg_late()->PQresultStatus)
#define PQsendPrepare        (io_pg_late()->PQsendPrepare)
#define PQsendQuery          (io_pg_late()->PQsendQuery)
#define PQsendQueryParams    (io_pg_late()->PQsendQueryParams)
#define PQsendQueryPrepared  (io_pg_late()->PQsendQueryPrepared)
#define PQsetErrorVerbosity  (io_pg_late()->PQsetErrorVerbosity)
#define PQsetNoticeProcessor (io_pg_late()->PQsetNoticeProcessor)
#define PQsetNoticeReceiver  (io_pg_late()->PQsetNoticeReceiver)
#define PQsetSingleRowMode   (io_pg_late()->PQsetSingleRowMode)
#define PQsetnonblocking     (io_pg_late()->PQsetnonblocking)
#define PQsocket             (io_pg_late()->PQsocket)
#define PQsslStruct          (io_pg_late()->PQsslStruct)
#define PQstatus             (io_pg_late()->PQstatus)
#endif

#endif
