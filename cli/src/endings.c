/* SPDX-License-Identifier: Apache-2.0 */
#include "endings.h"

#include <signal.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { NUMBERS = sizeof numbers / sizeof *numbers };
_Static_assert(sizeof((struct endings *)NULL)->signals / sizeof(struct io_signal) == NUMBERS,
               "one for each");

static void on_signal(void *ctx, int number)
{
    struct endings *endings = ctx;
    (void)number;
    endings_fini(endings);
    endings->on_end(endings->ctx);
}

void endings_init(struct endings *endings, struct io_loop *loop, void (*on_end)(void *ctx),
                  void *ctx)
{
    *endings = (struct endings){.ctx = ctx, .on_end = on_end};
    for (size_t i = 0; i < NUMBERS; i++) {
        struct sigaction action;
        bool ignored = sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN;
        if (numbers[i] != SIGHUP || !ignored)
            io_signal_init(&endings->signals[i], loop, numbers[i], on_signal, endings);
    }
}

void endings_fini(struct endings *endings)
{
    for (size_t i = 0; i < NUMBERS; i++)
        io_signal_fini(&endings->signals[i]);
}
