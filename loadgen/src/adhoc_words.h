/* SPDX-License-Identifier: Apache-2.0 */
/* Options as other load generators spell them: what means the same is taken, what does not is
 * refused with a hint. Pure. */
#ifndef LOAD_ADHOC_WORDS_H
#define LOAD_ADHOC_WORDS_H

#include "base/buf.h"

/* Our long name for another tool's letter or word; NULL when it is none. word ends at len. */
const char *load_words_ours(const char *word, size_t len);
/* Why another tool's option is refused and what to write instead; NULL when it is not one.
 * dashes: 1 or 2, for some mean something else behind one dash. */
const char *load_words_refusal(const char *word, size_t len, int dashes);
/* The lines of the help about these. */
bool load_words_help(struct base_buf *out);

#endif
