/* SPDX-License-Identifier: MIT */
/* Recording whom one worker chose, one after the other, and choosing the same again. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct thread;
struct worker;

/* As the runtime's options say. 0, also if they say nothing; -EINVAL for a file that is no record;
 * -errno for one that cannot be opened; -ENOMEM. */
int replay_start(void);
/* Writes what is left to write; tells if a replay was not done to its end. */
void replay_stop(void);
void replay_forked(void);

/* The next thread to run, of those in the queue: the recorded one, or, recording and where there is no
 * record any more, the policy's. NULL: none, or not yet. */
struct thread *replay_pick(struct worker *worker, int64_t now);

/* How many have been chosen; and, counted from 1, at which choice a replay left its record, 0: it did
 * not. */
uint64_t replay_choices(void);
uint64_t replay_diverged(void);

#endif
