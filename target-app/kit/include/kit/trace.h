/* SPDX-License-Identifier: Apache-2.0 */
/* W3C Trace Context (https://www.w3.org/TR/trace-context/), level 1: the traceparent header. */
#ifndef KIT_TRACE_H
#define KIT_TRACE_H

enum { KIT_TRACE_ID_TEXT = 33, KIT_SPAN_ID_TEXT = 17, KIT_TRACEPARENT_TEXT = 56 };

struct kit_trace {
    char id[KIT_TRACE_ID_TEXT];    /* 32 lower-case hex digits */
    char span[KIT_SPAN_ID_TEXT];   /* our own span */
    char parent[KIT_SPAN_ID_TEXT]; /* the caller's span, "" when we began the trace */
    unsigned flags;
};

/* Continues the caller's trace with a new span; a missing or malformed header (section 3.2.2: the
 * vendor must then restart the trace) begins a new, sampled one. */
void kit_trace_start(struct kit_trace *trace, const char *traceparent);
/* The header for a call made on behalf of this span. */
void kit_trace_format(const struct kit_trace *trace, char out[static KIT_TRACEPARENT_TEXT]);

#endif
