/* SPDX-License-Identifier: Apache-2.0 */
/* squall-load with load threads on libev's loop, for load_loops.py: the linker puts this in the
 * place of the direct loop (ld(1), --wrap). */
#include "io/loop.h"

struct io_loop *__wrap_io_loop_new_direct(struct base_error *err);

struct io_loop *__wrap_io_loop_new_direct(struct base_error *err)
{
    return io_loop_new(err);
}
