/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_PARSE_H
#define LOAD_PARSE_H

/* How far an incremental parser has come. */
enum load_parse { LOAD_PARSE_MORE, LOAD_PARSE_DONE, LOAD_PARSE_BAD };

#endif
