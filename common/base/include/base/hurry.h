/* SPDX-License-Identifier: Apache-2.0 */
/* How soon the kernel lets a thread run that has just become ready. */
#ifndef BASE_HURRY_H
#define BASE_HURRY_H

/*
 * The calling thread, and the threads and processes that it starts from then on, ask to be let in
 * early: by a time slice as short as there is, which costs nobody processor time and needs no
 * privilege (Linux 6.12 and later, others ignore it: Documentation/scheduler/sched-eevdf.rst), and
 * by priority where nice_level is below 0 (which needs CAP_SYS_NICE). For those who sleep between
 * events: with four busy loops on two cores it takes a wake-up from 600 us to 30 us in the median.
 * Best effort; nothing is done where somebody has chosen another policy (chrt(1)).
 */
void base_hurry(int nice_level);
/* With the usual time slice again: for work that is no event. Async-signal-safe. */
void base_hurry_no_more(void);

#endif
