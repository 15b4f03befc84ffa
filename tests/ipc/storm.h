/* SPDX-License-Identifier: MIT */
/* Blocking calls under a storm of signals. */
#ifndef TEST_IPC_STORM_H
#define TEST_IPC_STORM_H

#include "support.h"

typedef const struct timespec *until_t;

/* A call of libipc that waits for what does not come, until its deadline. What it returned. */
struct storm_call {
    const char *name;
    int (*wait)(until_t until);
};

/* Fails unless each of them, up to a NULL name, ends with -ETIMEDOUT, and not before its deadline. */
void storm_each(const struct storm_call *each);

#endif
