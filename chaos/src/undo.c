/* SPDX-License-Identifier: Apache-2.0 */
#include "undo.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

static const struct {
    const char *key;
    size_t offset;
    bool optional;
} target_texts[] = {
    {"name", offsetof(struct fault_target, name), false},
    {"service", offsetof(struct fault_target, service), false},
    {"kind", offsetof(struct fault_target, kind), true},
    {"address", offsetof(struct fault_target, address), false},
    {"netns", offsetof(struct fault_target, netns), true},
    {"cgroup", offsetof(struct fault_target, cgroup), true},
    {"statusFile", offsetof(struct fault_target, status_file), true},
    {"adminTokenFile", offsetof(struct fault_target, admin_token_file), true},
    {"readyPath", offsetof(struct fault_target, ready_path), true},
    {"credentialsFile", offsetof(struct fault_target, credentials_file), true},
    {"findBy", offsetof(struct fault_target, find_by), true},
    {"findValue", offsetof(struct fault_target, find_value), true},
    {"podNamespace", offsetof(struct fault_target, pod_namespace), true},
    {"podName", offsetof(struct fault_target, pod_name), true},
    {"podUid", offsetof(struct fault_target, pod_uid), true},
    {"apiUrl", offsetof(struct fault_target, api_url), true},
    {"apiCaFile", offsetof(struct fault_target, api_ca_file), true},
    {"apiTokenFile", offsetof(struct fault_target, api_token_file), true},
};
enum { target_text_count = sizeof target_texts / sizeof *target_texts };

json_t *fault_target_to_json(const struct fault_target *target)
{
    json_t *json = json_object();
    for (size_t i = 0; i < target_text_count; i++) {
        const char *const *text =
            (const char *const *)(const void *)((const char *)target + target_texts[i].offset);
        json_object_set_new(json, target_texts[i].key, model_json_text(*text));
    }
    json_object_set_new(json, "port", json_integer(target->port));
    return json;
}

bool fault_target_from_json(const json_t *json, struct fault_target *out, struct base_error *err)
{
    struct fault_target target = {0};
    int64_t port = 0;
    bool ok = model_get_i64(json, "undo.target", "port", 0, UINT16_MAX, &port, err);
    for (size_t i = 0; ok && i < target_text_count; i++) {
        char **text = (char **)(void *)((char *)&target + target_texts[i].offset);
        if (target_texts[i].optional)
            ok = model_get_text_or(json, "undo.target", target_texts[i].key, NULL, text, err);
        else
            ok = model_get_text(json, "undo.target", target_texts[i].key, text, err);
    }
    if (!ok) {
        fault_target_fini(&target);
        return false;
    }
    target.port = (uint16_t)port;
    *out = target;
    return true;
}

json_t *fault_process_to_json(const struct fault_process *process)
{
    json_t *json = json_object();
    json_object_set_new(json, "pid", json_integer(process->pid));
    json_object_set_new(json, "startTicks", json_integer((json_int_t)process->start_ticks));
    return json;
}

bool fault_process_from_json(const json_t *json, struct fault_process *out, struct base_error *err)
{
    int64_t pid = 0;
    uint64_t ticks = 0;
    if (!model_get_i64(json, "undo.process", "pid", 0, INT_MAX, &pid, err) ||
        !model_get_u64(json, "undo.process", "startTicks", INT64_MAX, &ticks, err))
        return false;
    *out = (struct fault_process){.pid = (pid_t)pid, .start_ticks = ticks};
    return true;
}

json_t *fault_peers_to_json(const struct fault_peers *peers)
{
    json_t *list = json_array();
    for (size_t i = 0; i < peers->count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "label", model_json_text(peers->list[i].label));
        json_object_set_new(one, "address", model_json_text(peers->list[i].text));
        json_object_set_new(one, "port", json_integer(peers->list[i].port));
        if (peers->list[i].home[0] != '\0')
            json_object_set_new(one, "netns", model_json_text(peers->list[i].home));
        json_array_append_new(list, one);
    }
    return list;
}

static bool peer_from_json(const json_t *json, struct fault_peer *out, struct base_error *err)
{
    BASE_AUTO_FREE char *label = NULL;
    BASE_AUTO_FREE char *address = NULL;
    BASE_AUTO_FREE char *home = NULL;
    int64_t port = 0;
    struct fault_peer peer = {.family = AF_INET};
    if (!model_get_text(json, "undo.peer", "label", &label, err) ||
        !model_get_text(json, "undo.peer", "address", &address, err) ||
        !model_get_i64(json, "undo.peer", "port", 1, UINT16_MAX, &port, err) ||
        !model_get_text_or(json, "undo.peer", "netns", "", &home, err))
        return false;
    if (inet_pton(AF_INET, address, peer.address) != 1) {
        peer.family = AF_INET6;
        if (inet_pton(AF_INET6, address, peer.address) != 1)
            return base_fail(err, BASE_CORRUPT, "undo.peer: \"%s\" is no address", address);
    }
    (void)inet_ntop(peer.family, peer.address, peer.text, sizeof peer.text);
    (void)snprintf(peer.label, sizeof peer.label, "%s", label);
    (void)snprintf(peer.home, sizeof peer.home, "%s", home);
    peer.port = (uint16_t)port;
    *out = peer;
    return true;
}

bool fault_peers_from_json(const json_t *json, struct fault_peers *out, struct base_error *err)
{
    size_t count = json_array_size(json);
    if (count > FAULT_MAX_PEERS)
        return base_fail(err, BASE_CORRUPT, "undo: %zu peers are too many", count);
    struct fault_peers peers = {.list = base_calloc(count + 1, sizeof *peers.list)};
    for (; peers.count < count; peers.count++) {
        if (!peer_from_json(json_array_get(json, peers.count), &peers.list[peers.count], err)) {
            fault_peers_fini(&peers);
            return false;
        }
    }
    *out = peers;
    return true;
}
