/* SPDX-License-Identifier: MIT */
/* Which layers serve, and in which order: see layers.h. */
#include "layers.h"

#include "cache.h"

#include <signal.h>
#include <string.h>

bool ring3_set_fail(void *context, const char *value, size_t length)
{
    static const char every[] = "every:";
    struct ring3_settings *const settings = context;
    const size_t prefix = sizeof every - 1;
    const bool repeated = length > prefix && memcmp(value, every, prefix) == 0;
    size_t number;

    if (repeated) {
        value += prefix;
        length -= prefix;
    }
    if (!ring3_env_size(value, length, &number) || (repeated && number == 0))
        return false;
    settings->fail = number;
    settings->fail_every = repeated;
    return true;
}

bool ring3_set_zero(void *context, const char *value, size_t length)
{
    return ring3_env_bool(value, length, &((struct ring3_settings *)context)->zero);
}

bool ring3_set_hardening(void *context, const char *value, size_t length)
{
    static const char *const levels[] = {"off", "fast", "full"};
    struct ring3_settings *const settings = context;

    for (int i = HARDENING_OFF; i <= HARDENING_FULL; i++)
        if (ring3_env_is(value, length, levels[i])) {
            settings->hardening = (enum ring3_hardening)i;
            return true;
        }
    return false;
}

bool ring3_set_guard(void *context, const char *value, size_t length)
{
    static const char sample[] = "sample:";
    struct ring3_settings *const settings = context;
    const size_t prefix = sizeof sample - 1;
    size_t every = 0;

    if (!ring3_env_is(value, length, "off") &&
        (length <= prefix || memcmp(value, sample, prefix) != 0 ||
         !ring3_env_size(value + prefix, length - prefix, &every) || every == 0 ||
         every > UINT32_MAX))
        return false;
    settings->sample = every;
    return true;
}

static bool set_path(char path[RING3_SETTING_PATH], const char *value, size_t length)
{
    if (length == 0 || length >= RING3_SETTING_PATH)
        return false;
    memcpy(path, value, length);
    path[length] = '\0';
    return true;
}

bool ring3_set_trace(void *context, const char *value, size_t length)
{
    return set_path(((struct ring3_settings *)context)->trace, value, length);
}

bool ring3_set_profile(void *context, const char *value, size_t length)
{
    return set_path(((struct ring3_settings *)context)->profile, value, length);
}

bool ring3_set_profile_rate(void *context, const char *value, size_t length)
{
    struct ring3_settings *const settings = context;
    size_t rate;

    if (!ring3_env_size(value, length, &rate) || rate == 0 || rate > (size_t)1 << 40)
        return false;
    settings->profile_rate = rate;
    return true;
}

bool ring3_set_profile_signal(void *context, const char *value, size_t length)
{
    struct ring3_settings *const settings = context;
    size_t number;

    if (!ring3_env_size(value, length, &number) || number == 0 || number >= _NSIG)
        return false;
    settings->profile_signal = number;
    return true;
}

bool ring3_set_leaks(void *context, const char *value, size_t length)
{
    return ring3_env_bool(value, length, &((struct ring3_settings *)context)->leaks);
}

void ring3_layers_prepare(const struct ring3_settings *settings)
{
    ring3_cache_options = (struct ring3_cache_options){
        .hidden = settings->fail || settings->zero || settings->hardening || settings->sample ||
                  settings->trace[0] || settings->profile[0] || settings->leaks,
        .shuffled = settings->hardening != HARDENING_OFF,
    };
}

const struct ring3_policy *ring3_layers_over(const struct ring3_policy *policy,
                                             const struct ring3_settings *settings)
{
    /* The debug policy has canaries and a quarantine of its own, and nothing to guard besides. */
    if (settings->hardening && policy != &ring3_policy_debug)
        policy = ring3_layer_harden(policy, settings->hardening);
    if (settings->sample && policy != &ring3_policy_debug)
        policy = ring3_layer_sample(policy, settings->sample);
    if (settings->zero)
        policy = ring3_layer_zero(policy);
    if (settings->profile[0] || settings->leaks)
        policy = ring3_layer_profile(policy, settings);
    if (settings->trace[0])
        policy = ring3_layer_trace(policy, settings->trace);
    if (settings->fail)
        policy = ring3_layer_fail(policy, settings);
    return policy;
}
