/* SPDX-License-Identifier: MIT */
/*
 * Settings from RING3_* environment variables: comma-separated key=value pairs.
 *
 *     RING3_MALLOC=best-fit,report=on
 *
 * A bare first word that is no key means policy=word; any other bare word means word=on.
 *
 *     static const ring3_env_key_t keys[] = {
 *         {"policy", "first-fit, best-fit or buddy", set_policy},
 *         {"report", "on or off", set_report},
 *         {0},
 *     };
 *     ring3_env_read("RING3_MALLOC", keys, &settings);
 *
 * What is not understood is one line on stderr (if descriptor 2 is open) that names the variable,
 * the key and what is allowed; the setting then keeps its default. Nothing here is fatal, allocates
 * memory, uses stdio or calls getenv: it may run before libc is ready. Variables are ignored in
 * programs that run with raised privileges (AT_SECURE).
 *
 * errno is left alone. Thread-safe and safe in signal handlers as long as nobody changes the
 * environment meanwhile.
 */
#ifndef RING3_ENV_H
#define RING3_ENV_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>

RING3_API_BEGIN

typedef struct ring3_env_key {
    const char *name;
    const char *allowed; /* for the message, e.g. "on or off" */
    /* Takes `length` characters (no terminator). Returns false if the value is not allowed. */
    bool (*set)(void *context, const char *value, size_t length);
} ring3_env_key_t;

/**
 * Read `variable` and hand every value to its key's function, in the order written. `keys` ends
 * with a NULL name.
 *
 * @return the number of settings that were not understood
 */
int ring3_env_read(const char *variable, const ring3_env_key_t *keys, void *context);

/**
 * The same from a string in the variable's syntax (what an API twin takes); `variable` is for
 * messages only.
 */
int ring3_env_parse(const char *variable, const char *text, const ring3_env_key_t *keys,
                    void *context);

/**
 * The value of `variable`, or NULL if it is not in the environment, or under AT_SECURE. While libc
 * has no environment yet, it is the one the kernel gave to the process.
 */
const char *ring3_env_get(const char *variable);

/** True if the `length` characters at `value` spell `word`. */
bool ring3_env_is(const char *value, size_t length, const char *word);

/** For keys that are on or off (also yes/no, 1/0): writes *setting; false if it is none of these.
 */
bool ring3_env_bool(const char *value, size_t length, bool *setting);

/**
 * A decimal count or size with an optional suffix K, M or G (powers of 1024, either case): writes
 * *setting; false if malformed or too large for size_t.
 */
bool ring3_env_size(const char *value, size_t length, size_t *setting);

/**
 * True if `feature` is switched off, so that its fall-back must be used: by RING3_DISABLE=a,b,…,
 * which is read at the first call, or by ring3_env_disable.
 */
bool ring3_env_disabled(const char *feature);

/**
 * API twin of RING3_DISABLE: switch off the features that `list` names, besides those of the
 * variable. Call it before the first use of what it names. Returns 0, or -EINVAL after a complaint
 * for each name that is unknown (the others are switched off all the same).
 */
int ring3_env_disable(const char *list);

/** The features that can be switched off, ending with NULL. */
const char *const *ring3_env_features(void);

/**
 * Write `count` strings as one line to descriptor 2: cut to 512 bytes, control characters shown as
 * '?', nothing at all if the descriptor is closed. Without stdio; safe before main.
 */
void ring3_env_complain(const char *const *parts, int count);

RING3_API_END

#endif
