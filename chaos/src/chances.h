/* SPDX-License-Identifier: Apache-2.0 */
/* What a round trip meets by chance, as the fault network asks for it: what many of them are held
 * against (effect.h). Pure. */
#ifndef CHAOS_CHANCES_H
#define CHAOS_CHANCES_H

#include "model/fault.h"

struct chances {
    double lost;    /* no answer */
    double doubled; /* of those answered: more than one */
    /* Of those answered: the first answer is late by the delay of so many directions. Of each that
     * is impaired, unless packets overtake or are not hit at all. */
    double delayed[3];
    double overtook; /* of those answered: by reordering, in a direction at least */
    double hit;      /* of those answered: delayed at all; 0: nobody asked for a share of that */
    /* Directions by whose delay those are late that tell how long it is: as a rule all that are
     * impaired; with a share those that most are late by. */
    int telling;
};

struct chances chances_of(const struct fault_network *network);
int chances_ways(const struct fault_network *network); /* directions that are impaired */

/* Losses of a burst come together, and jitters that are correlated: so many samples tell as much as
 * this share of independent ones. */
double chances_independent_losses(const struct fault_impairment *im);
double chances_independent_jitters(const struct fault_impairment *im);

#endif
