/* SPDX-License-Identifier: MIT */
/*
 * Layers: what looks at every call on its way to the policy. A layer is a table like a policy's
 * (policy.h), copied from the one below it, with some functions of its own in it; so it serves over
 * every policy, and layers serve over each other:
 *
 *     fail       refuses the n-th request, for tests of error paths
 *     zero       returns cleared memory
 *     trace      writes every call to a file
 *     profile    notes who allocates, for one block among many
 *     sample     serves one request among many from guarded pages
 *     harden     canaries, states of blocks, quarantine
 *
 * With none of them the policy's own table serves and nothing is paid. With any, the fast paths of
 * malloc and free find empty caches (ring3_cache_options.hidden), so that every call comes by here;
 * threads keep their caches below.
 */
#ifndef RING3_LAYERS_H
#define RING3_LAYERS_H

#include "policy.h"

#include "ring3/env.h"

#include <limits.h>

enum ring3_hardening { HARDENING_OFF, HARDENING_FAST, HARDENING_FULL };

#define RING3_SETTING_PATH 256

/* What RING3_MALLOC and ring3_malloc_choose say. All zero: the default. */
struct ring3_settings {
    const struct ring3_policy *policy;
    size_t fail;     /* the number of the request to refuse; 0: none */
    bool fail_every; /* and every multiple of it */
    bool zero;
    enum ring3_hardening hardening;
    size_t sample;                  /* one request in so many gets a guarded block; 0: none */
    char trace[RING3_SETTING_PATH]; /* the file, or empty */
    char profile[RING3_SETTING_PATH];
    size_t profile_rate;   /* bytes between samples; 0: the default */
    size_t profile_signal; /* that switches it on and off; 0: always on */
    bool leaks;
};

bool ring3_set_fail(void *settings, const char *value, size_t length);
bool ring3_set_zero(void *settings, const char *value, size_t length);
bool ring3_set_hardening(void *settings, const char *value, size_t length);
bool ring3_set_guard(void *settings, const char *value, size_t length);
bool ring3_set_trace(void *settings, const char *value, size_t length);
bool ring3_set_profile(void *settings, const char *value, size_t length);
bool ring3_set_profile_rate(void *settings, const char *value, size_t length);
bool ring3_set_profile_signal(void *settings, const char *value, size_t length);
bool ring3_set_leaks(void *settings, const char *value, size_t length);

/* Rows for the list of keys in front.c. */
#define RING3_LAYERS_KEYS                                                                          \
    {"fail", "the number of the request that fails, or every:N", ring3_set_fail},                  \
        {"zero", "on or off", ring3_set_zero},                                                     \
        {"hardening", "off, fast or full", ring3_set_hardening},                                   \
        {"guard", "off or sample:N", ring3_set_guard},                                             \
        {"trace", "the name of a file, at most 255 bytes", ring3_set_trace},                       \
        {"profile", "the name of a file, at most 255 bytes", ring3_set_profile},                   \
        {"profile-rate", "bytes between samples, with K, M or G", ring3_set_profile_rate},         \
        {"profile-signal", "the number of a signal", ring3_set_profile_signal},                    \
    {                                                                                              \
        "leaks", "on or off", ring3_set_leaks                                                      \
    }

/* Before the policy starts. */
void ring3_layers_prepare(const struct ring3_settings *settings);

/* The table that serves: `policy`, or the topmost layer over it. */
const struct ring3_policy *ring3_layers_over(const struct ring3_policy *policy,
                                             const struct ring3_settings *settings);

/* Each layer over the table below it. There is one heap, so each has one table. */
const struct ring3_policy *ring3_layer_fail(const struct ring3_policy *below,
                                            const struct ring3_settings *settings);
const struct ring3_policy *ring3_layer_zero(const struct ring3_policy *below);
const struct ring3_policy *ring3_layer_harden(const struct ring3_policy *below,
                                              enum ring3_hardening hardening);

const struct ring3_policy *ring3_layer_sample(const struct ring3_policy *below, size_t every);
const struct ring3_policy *ring3_layer_profile(const struct ring3_policy *below,
                                               const struct ring3_settings *settings);
const struct ring3_policy *ring3_layer_trace(const struct ring3_policy *below, const char *path);

static inline void *ring3_owner_of(const void *p)
{
    return ring3_pages_owner(&ring3_heap_pages, p);
}

#endif
