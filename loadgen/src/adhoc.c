/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/adhoc.h"

#include <stdlib.h>

#include "adhoc_options.h"
#include "adhoc_protocols.h"
#include "base/random.h"
#include "base/text.h"
#include "loadgen/carry.h"
#include "stage_text.h"
#include "url.h"

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = base_str_dup(value);
}

static void set_defaults(struct load_adhoc *a)
{
    *a = (struct load_adhoc){.patience = {60 * BASE_NS_PER_S},
                             .spec = {.arrivals = LOAD_POISSON,
                                      .duration = {10 * BASE_NS_PER_S},
                                      .connections = 50,
                                      .seed = base_random_u64(),
                                      .timeout = {2 * BASE_NS_PER_S},
                                      .interval = {BASE_NS_PER_S},
                                      .max_late = {10 * BASE_NS_PER_MS},
                                      .first_phase = base_str_dup(LOAD_UNNAMED_PHASE)}};
    a->spec.routes = base_calloc(1, sizeof *a->spec.routes);
    a->spec.route_count = 1;
    a->spec.routes[0] = (struct load_route){.name = base_str_dup("url"), .weight = 1};
}

static bool check_tls(const struct load_tls_spec *tls, struct base_error *err)
{
    bool given = tls->ca_file != NULL || tls->cert_file != NULL || tls->key_file != NULL;
    if (tls->server_name == NULL && (given || tls->insecure))
        return base_fail(err, BASE_INVALID,
                         "--ca-file, --cert, --key and --insecure need an https:// URL");
    if ((tls->cert_file == NULL) != (tls->key_file == NULL))
        return base_fail(err, BASE_INVALID, "--cert and --key belong together: give both");
    if (tls->insecure && tls->ca_file != NULL)
        return base_fail(err, BASE_INVALID,
                         "--ca-file says whom to trust, --insecure says not to "
                         "ask: give one of them");
    return true;
}

/* Streamed from disk. */
static bool apply_body_file(struct load_adhoc *a, struct base_error *err)
{
    if (a->body_path == NULL)
        return true;
    if (a->spec.routes[0].body != NULL)
        return base_fail(err, BASE_INVALID, "--body and --body-file exclude each other");
    replace(&a->spec.routes[0].body_file, a->body_path);
    return true;
}

/* Somebody else connects to the URL's host, or nobody does: its name is as good as an address. */
static bool take_host(const struct load_url *url, struct load_spec *spec)
{
    spec->targets = base_calloc(1, sizeof *spec->targets);
    spec->targets[0] = (struct load_target){.address = base_str_dup(url->host), .port = url->port};
    spec->target_count = 1;
    return true;
}

static bool find_targets(const struct load_url *url, struct load_spec *spec, struct base_error *err)
{
    const char *conflict = load_spec_engine_conflict(spec);
    if (conflict != NULL)
        return base_fail(err, BASE_INVALID, "%s", conflict);
    if (spec->proxy != NULL || spec->unix_socket != NULL)
        return take_host(url, spec);
    return load_url_resolve(url, &spec->targets, &spec->target_count, err);
}

static bool apply_url(struct load_adhoc *a, struct base_error *err)
{
    struct load_url url;
    if (!load_url_parse(a->url, &url, err))
        return false;
    replace(&a->spec.host, url.authority);
    a->spec.protocol = url.protocol;
    if (url.tls)
        replace(&a->spec.tls.server_name, url.host);
    bool good = load_adhoc_apply_protocol(a, &url, err) && check_tls(&a->spec.tls, err) &&
                find_targets(&url, &a->spec, err);
    load_url_fini(&url);
    return good;
}

bool load_adhoc_parse(struct load_adhoc *out, int argc, const char *const *argv,
                      struct base_error *err)
{
    struct load_adhoc made;
    set_defaults(&made);
    bool good = load_adhoc_take(&made, argc, argv, err);
    bool sends = good && made.url != NULL && made.mode == LOAD_ADHOC_SEND;
    if (sends)
        good = apply_body_file(&made, err) && apply_url(&made, err);
    if (good && sends && made.workers > 0)
        good = load_spec_carry(&made.spec, err) || base_fail_context(err, "--body-file");
    if (!good) {
        load_adhoc_fini(&made);
        return false;
    }
    *out = made;
    return true;
}

void load_adhoc_fini(struct load_adhoc *adhoc)
{
    free(adhoc->url);
    free(adhoc->hlog_path);
    free(adhoc->hgrm_path);
    free(adhoc->csv_path);
    free(adhoc->redis_host);
    free(adhoc->run);
    free(adhoc->metrics_address);
    free(adhoc->body_path);
    free(adhoc->scenario_path);
    free(adhoc->out_path);
    for (size_t i = 0; i < adhoc->word_count; i++)
        free(adhoc->words[i]);
    free(adhoc->words);
    load_thresholds_fini(&adhoc->thresholds);
    load_spec_fini(&adhoc->spec);
    *adhoc = (struct load_adhoc){0};
}
