/* SPDX-License-Identifier: MIT */
/* Looking into another process, with a debugger's rights and without stopping it. */
#ifndef RING3_REMOTE_H
#define RING3_REMOTE_H

#include "ring3/counters.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Copy `size` bytes at `address` of the process. 0 or a negative errno (-EPERM, -ESRCH, -EFAULT). */
int remote_read(pid_t pid, uint64_t address, void *to, size_t size);

/*
 * Find the tables of counters in the process: for each one that has counters, `visit` gets a copy
 * and the path of the object it lies in. Stops when `visit` returns a number other than 0.
 *
 * Returns that number; 0 after the last one; -ENOENT if there was none; -ESRCH if there is no such
 * process; -EPERM without the right to look into it.
 */
int remote_counters(pid_t pid,
                    int (*visit)(void *context, const char *object,
                                 const ring3_counters_t *counters),
                    void *context);

/* The entry of that name if it is complete, or NULL. */
const ring3_counter_t *remote_find(const ring3_counters_t *counters, const char *name);

/* The process that an argument names, or -1 after saying on stderr what is wrong with it. */
pid_t remote_pid(const char *verb, const char *argument);

/* Say on stderr why looking into the process failed; returns the exit status, 1. */
int remote_complain(const char *verb, pid_t pid, int err);

#endif
