/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the faults of a plan can cost an objective at most, before anything is done. Pure.
 *
 * Design notes. A fault can spoil the requests that are due while it may be in force and that meet
 * one of the instances it hits: so many of its service's as it has targets, for requests are taken
 * to be spread evenly and to meet one instance of each service. Of those it spoils the share that
 * it states itself (errors of the application, requests that a proxy picks), else all of them.
 * Faults are added up as if no request met two of them, every branch counts as taken, and what
 * waits is taken to come when most requests are due. What recovers late, and what is retried, is
 * not in it. An objective on latency counts what was answered without error.
 */
#ifndef SCENARIOS_SPEND_H
#define SCENARIOS_SPEND_H

#include "model/plan.h"
#include "model/topology.h"

struct scn_spend_part {   /* by one fault */
    double hit;           /* share of the requests that meet a target */
    double spoilt;        /* share of those that it can spoil */
    bool stated;          /* by the fault itself; else it is the worst case */
    struct dur_ns length; /* of its effect, at most */
    double requests;      /* due meanwhile, at most; of a whole of 1 when that is not known */
    double bad;           /* hit x spoilt x requests */
};

struct scn_spend {
    bool counted;                 /* the plan says how many requests are due; else the whole is 1 */
    double requests;              /* due in all */
    double bad;                   /* at most, of those */
    double allowed;               /* by the objective, of as many requests */
    struct scn_spend_part *parts; /* by fault of the plan */
};

/* slo: of the plan; free the parts. */
struct scn_spend scn_spend(const struct plan *plan, const struct topo *topo, size_t slo);
/* As a share of the budget that this traffic would have over so long a time; 0: as long as the
 * load.
 */
double scn_spend_of(const struct scn_spend *spend, struct dur_ns over, struct dur_ns duration);

#endif
