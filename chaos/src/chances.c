/* SPDX-License-Identifier: Apache-2.0 */
#include "chances.h"

#include <math.h>

#include "impair.h"

int chances_ways(const struct fault_network *network)
{
    return network->direction == FAULT_BOTH ? 2 : 1;
}

/* Of one packet: by how many copies at the other end (none, one or two), and whether these are
 * late. */
struct way {
    double in_time[3];
    double late[3];
};

static struct way way_of(const struct fault_impairment *im)
{
    double hit = fault_has_share(im) ? im->share : 1.0;
    double delayed = im->delay.ns > 0 ? 1.0 - im->reorder : 0.0;
    double kept = 1.0 - impair_mean_loss(im);
    double sound = 1.0 - im->corrupt;
    double twice = im->duplicate;
    const double copies[] = {
        1.0 - kept + kept * (1.0 - twice) * im->corrupt,
        kept * ((1.0 - twice) * sound + twice * im->corrupt), /* the copy is sound */
        kept * twice * sound,
    };
    struct way way = {.in_time = {[1] = 1.0 - hit}};
    for (int i = 0; i < 3; i++) {
        way.in_time[i] += hit * (1.0 - delayed) * copies[i];
        way.late[i] = hit * delayed * copies[i];
    }
    return way;
}

/* Of so many packets on their way: the first that arrives is in time, or late. */
static double first_in_time(const struct way *way, int packets)
{
    return 1.0 - pow(1.0 - way->in_time[1] - way->in_time[2], packets);
}

static double first_late(const struct way *way, int packets)
{
    double none = way->in_time[0] + way->late[0];
    return 1.0 - pow(none, packets) - first_in_time(way, packets);
}

/* Of those answered: more than one. */
static double doubled(const struct way *there, const struct way *back, double answered)
{
    double one = back->in_time[1] + back->late[1];
    double none = back->in_time[0] + back->late[0];
    double single = (there->in_time[1] + there->late[1]) * one +
                    (there->in_time[2] + there->late[2]) * 2.0 * one * none;
    return (answered - single) / answered;
}

static void name_delayed(const struct fault_network *network, struct chances *chances)
{
    const struct fault_impairment *im = &network->impairment;
    int ways = chances_ways(network);
    chances->telling = ways;
    if (im->delay.ns <= 0 || !fault_has_share(im)) {
        /* What is not asked for is 0, not what rounding leaves. */
        chances->overtook = im->reorder > 0.0 ? 1.0 - chances->delayed[ways] : 0.0;
        return;
    }
    chances->hit = chances->delayed[1] + chances->delayed[2];
    if (chances->delayed[1] >= chances->delayed[2])
        chances->telling = 1;
}

struct chances chances_of(const struct fault_network *network)
{
    const struct fault_impairment *im = &network->impairment;
    const struct way there = way_of(im);
    /* Where only one direction is impaired the other hands on what it gets. */
    const struct way back =
        chances_ways(network) == 2 ? there : (struct way){.in_time = {[1] = 1.0}};
    double late[3] = {0};
    for (int i = 1; i < 3; i++) {
        late[0] += there.in_time[i] * first_in_time(&back, i);
        late[1] += there.in_time[i] * first_late(&back, i);
        late[1] += there.late[i] * first_in_time(&back, i);
        late[2] += there.late[i] * first_late(&back, i);
    }
    double answered = late[0] + late[1] + late[2];
    struct chances chances = {
        .lost = fault_loses(im) || im->corrupt > 0.0 ? 1.0 - answered : 0.0,
        .doubled = im->duplicate > 0.0 ? doubled(&there, &back, answered) : 0.0,
        .delayed = {late[0] / answered, late[1] / answered, late[2] / answered},
    };
    name_delayed(network, &chances);
    return chances;
}

double chances_independent_losses(const struct fault_impairment *im)
{
    double memory = 0.0;
    if (fault_has_burst(im))
        memory = 1.0 - im->burst.enter - im->burst.leave;
    if (fault_has_states(im)) {
        /* Bursts end after a loss only, which so many of their packets are. */
        double lost = im->states.pass > 0.0
                          ? im->states.relapse / (im->states.relapse + im->states.pass)
                          : 1.0;
        memory = 1.0 - im->states.enter - im->states.leave * lost;
    }
    return memory > 0.0 ? (1.0 - memory) / (1.0 + memory) : 1.0;
}

double chances_independent_jitters(const struct fault_impairment *im)
{
    return (1.0 - im->correlation) / (1.0 + im->correlation);
}
