/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside into markup: nothing in it can become markup, and the bytes are always UTF-8
 * that XML 1.0 allows (others become U+FFFD). NULL is the empty text. */
#ifndef REPORTS_ESCAPE_H
#define REPORTS_ESCAPE_H

#include "base/buf.h"

void escape_xml(struct base_buf *out, const char *text); /* HTML and XML, also in attributes */
/* A cell of a Markdown table: one line, at most max_chars characters, the rest as "...". */
void escape_md(struct base_buf *out, const char *text, size_t max_chars);
/* A terminal: printable ASCII alone, so that a name cannot move the cursor and columns stay
 * aligned. Other characters become '?'. */
void escape_terminal(struct base_buf *out, const char *text);

#endif
