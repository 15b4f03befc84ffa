/* SPDX-License-Identifier: MIT */
/* The parts of env.c that look at the process as a whole, with the process given by the caller, so
 * that a test can stand in for it. */
#ifndef RING3_ENV_FIND_H
#define RING3_ENV_FIND_H

#include <stdbool.h>
#include <stdint.h>

/* The value of `variable` in `environment` (which may be NULL), or NULL; always NULL if `secure`.
 */
const char *ring3_env_find(char *const *environment, bool secure, const char *variable);

/*
 * Enter in *disabled, all-zero at first, the features that `list` names (NULL: none), and complain
 * once of those that are unknown, whoever else does the same at the same time. Returns *disabled:
 * bit n is feature n of ring3_env_features.
 */
uint32_t ring3_env_enter_disabled(uint32_t *disabled, const char *list);

#endif
