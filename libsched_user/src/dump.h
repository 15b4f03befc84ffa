/* SPDX-License-Identifier: MIT */
/* Dumps of all user threads on a signal, from the start of the runtime to its end. */
#ifndef DUMP_H
#define DUMP_H

#include <signal.h>
#include <stdbool.h>

/* May this signal ask for dumps? */
static inline bool dump_may_be(int signal)
{
    return signal > 0 && signal <= SIGRTMAX && signal != SIGKILL && signal != SIGSTOP &&
           signal != SIGURG && signal != SIGSEGV && signal != SIGBUS;
}

/* 0; -EAGAIN. */
int dump_start(int signal);
void dump_stop(void);
void dump_forked(void);

/* A worker has nothing to do, and nothing to wait for but others: perhaps there is a deadlock. */
void dump_idle(void);

#endif
