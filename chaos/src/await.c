/* SPDX-License-Identifier: Apache-2.0 */
/* What of a fault has to be on disk, and what waits for that. */
#include "base/text.h"
#include "fault_inside.h"

void fault_await_nothing(struct fault *fault)
{
    agent_ticket_cancel(&fault->ticket);
    fault->awaits = AWAITS_NOTHING;
}

static struct agent_ticket *await(struct fault *fault, enum awaited what,
                                  void (*on_done)(void *ctx, const struct base_error *err))
{
    fault_await_nothing(fault);
    fault->awaits = what;
    fault->ticket = (struct agent_ticket){.on_done = on_done, .ctx = fault};
    return &fault->ticket;
}

void fault_await_request(struct fault *fault,
                         void (*on_done)(void *ctx, const struct base_error *err))
{
    agent_commit_written(fault->env->commit, await(fault, AWAITS_REQUEST, on_done));
}

bool fault_await_entry(struct fault *fault, enum awaited what,
                       void (*on_done)(void *ctx, const struct base_error *err),
                       struct base_error *err)
{
    struct base_buf text;
    base_buf_init(&text, AGENT_JOURNAL_MAX);
    json_t *undo = fault->ops->undo(fault);
    bool ok = agent_journal_encode(&fault->spec, &fault->record, undo, &text, err);
    json_decref(undo);
    if (ok)
        agent_commit_entry(fault->env->commit, await(fault, what, on_done), fault->spec.id, &text);
    base_buf_fini(&text);
    return ok;
}

void fault_await_removal(struct fault *fault,
                         void (*on_done)(void *ctx, const struct base_error *err))
{
    agent_commit_removal(fault->env->commit, await(fault, AWAITS_REMOVAL, on_done), fault->spec.id);
}

void fault_updated(struct fault *fault, const struct base_error *err)
{
    fault->awaits = AWAITS_NOTHING;
    if (err != NULL)
        base_log_line(fault->env->log, BASE_WARN, err->message, BASE_TEXT("fault", fault->spec.id));
}

static void on_arrival(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    fault_updated(fault, err);
    if (fault->step == FAULT_STEP_NONE && fault->record.end == FAULT_END_NONE)
        fault->env->on_settled(fault->env->ctx, fault);
}

/* Also on disk: an agent that dies knows then whom the fault had hit. */
void fault_add_arrival(struct fault *fault, const struct fault_arrival *arrival)
{
    struct base_error err = {0};
    if (fault->record.arrival_count == FAULT_MAX_ARRIVALS)
        return;
    fault_record_add_arrival(&fault->record, arrival);
    if (fault->record.arrival_count == FAULT_MAX_ARRIVALS)
        base_log_line(fault->env->log, BASE_WARN, "no more instances that come are listed",
                      BASE_TEXT("fault", fault->spec.id));
    if (arrival->joined)
        fault_record_add_target(&fault->record, arrival->target);
    base_log_line(fault->env->log, arrival->joined ? BASE_INFO : BASE_WARN,
                  arrival->joined ? "instance joined" : "instance missed",
                  BASE_TEXT("fault", fault->spec.id), BASE_TEXT("target", arrival->target),
                  BASE_TEXT("what", arrival->what), BASE_TEXT("how", arrival->how));
    bool standing = fault->record.state == FAULT_APPLYING || fault->record.state == FAULT_ACTIVE;
    if (!standing || !fault->applied)
        return;
    /* One that is waited for already is overtaken, and what it was waited for with it. */
    bool awaited = fault->awaits == AWAITS_UPDATE;
    if (!fault_await_entry(fault, AWAITS_UPDATE, awaited ? fault->ticket.on_done : on_arrival,
                           &err))
        base_log_line(fault->env->log, BASE_WARN, err.message, BASE_TEXT("fault", fault->spec.id));
}
