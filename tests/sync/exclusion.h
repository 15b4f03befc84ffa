/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion as two functions and a claim: many threads call acquire(tid) and release(tid),
 * and what they guard is counted without atomics.
 */
#ifndef RING3_TEST_EXCLUSION_H
#define RING3_TEST_EXCLUSION_H

struct exclusion_result {
    long acquisitions; /* counted under the lock */
    long violations;   /* increments lost, and sections that somebody else entered */
};

struct exclusion_result run_exclusion(void (*acquire)(int tid), void (*release)(int tid),
                                      int threads, int rounds);

/* Sleeps that long. */
void sleep_ms(int milliseconds);

/*
 * Keeps the calling thread on the n-th CPU (modulo their number). Two threads that take turns are
 * put on one CPU by the scheduler, and nothing of theirs ever happens at once.
 */
void stay_on_cpu(int n);

/* Rounds to run here: `count` natively, a fraction of it on slow machines. */
int rounds(int count);

#endif
