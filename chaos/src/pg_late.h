/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq, loaded when it is first needed: it brings twenty libraries along, which took a third of
 * the memory of an agent that never speaks to a database. Included in place of <libpq-fe.h>; calls
 * are written as usual and go through a table, once fault_pg_load (pg_session.h) has returned true.
 */
#ifndef CHAOS_PG_LATE_H
#define CHAOS_PG_LATE_H

#include <libpq-fe.h>

#define PG_LATE(X)                                                                                 \
    X(PQclear)                                                                                     \
    X(PQconnectPoll)                                                                               \
    X(PQconnectStartParams)                                                                        \
    X(PQconsumeInput)                                                                              \
    X(PQerrorMessage)                                                                              \
    X(PQfinish)                                                                                    \
    X(PQflush)                                                                                     \
    X(PQgetResult)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQresultErrorField)                                                                          \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultStatus)                                                                              \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryParams)                                                                           \
    X(PQsetErrorVerbosity)                                                                         \
    X(PQsetNoticeReceiver)                                                                         \
    X(PQsetnonblocking)                                                                            \
    X(PQsocket)                                                                                    \
    X(PQstatus)

struct fault_pg_late {
/* The argument names a member, which takes no parentheses. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define PG_LATE_MEMBER(name) __typeof__(name) *name;
    PG_LATE(PG_LATE_MEMBER)
#undef PG_LATE_MEMBER
};

const struct fault_pg_late *fault_pg_late(void);

#ifndef PG_LATE_PLAIN /* pg_late.c itself */
#define PQclear              (fault_pg_late()->PQclear)
#define PQconnectPoll        (fault_pg_late()->PQconnectPoll)
#define PQconnectStartParams (fault_pg_late()->PQconnectStartParams)
#define PQconsumeInput       (fault_pg_late()->PQconsumeInput)
#define PQerrorMessage       (fault_pg_late()->PQerrorMessage)
#define PQfinish             (fault_pg_late()->PQfinish)
#define PQflush              (fault_pg_late()->PQflush)
#define PQgetResult          (fault_pg_late()->PQgetResult)
#define PQgetisnull          (fault_pg_late()->PQgetisnull)
#define PQgetvalue           (fault_pg_late()->PQgetvalue)
#define PQisBusy             (fault_pg_late()->PQisBusy)
#define PQnfields            (fault_pg_late()->PQnfields)
#define PQntuples            (fault_pg_late()->PQntuples)
#define PQresultErrorField   (fault_pg_late()->PQresultErrorField)
#define PQresultErrorMessage (fault_pg_late()->PQresultErrorMessage)
#define PQresultStatus       (fault_pg_late()->PQresultStatus)
#define PQsendQuery          (fault_pg_late()->PQsendQuery)
#define PQsendQueryParams    (fault_pg_late()->PQsendQueryParams)
#define PQsetErrorVerbosity  (fault_pg_late()->PQsetErrorVerbosity)
#define PQsetNoticeReceiver  (fault_pg_late()->PQsetNoticeReceiver)
#define PQsetnonblocking     (fault_pg_late()->PQsetnonblocking)
#define PQsocket             (fault_pg_late()->PQsocket)
#define PQstatus             (fault_pg_late()->PQstatus)
#endif

#endif
