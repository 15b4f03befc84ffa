/* SPDX-License-Identifier: MIT */
/* What the libipc suites share. */
#ifndef TEST_IPC_SUPPORT_H
#define TEST_IPC_SUPPORT_H

#include "ring3_test.h"

#include <stddef.h>
#include <time.h>

/* An absolute CLOCK_MONOTONIC time `ms` milliseconds from now (negative: in the past). */
struct timespec deadline_in(long ms);

/* A fresh directory of this test's own, which is also made the working directory. */
void enter_scratch(void);
/* Removes it with all that is in it. */
void leave_scratch(void);
/* Number of entries in the directory. */
int entries_in(const char *directory);

/* Lowers RLIMIT_NOFILE so that not one more descriptor can be opened. */
void use_up_descriptors(void);
/* Number of descriptors this process has open. */
int open_descriptors(void);

/* Waits for a child of this test; fails unless SIGKILL ended it. */
void check_killed(pid_t pid);

/* SIGALRM a thousand times a second, with a handler that does not restart system calls. */
void start_signal_storm(void);
/* Ends it; fails if no signal came, for then nothing was tested. */
void stop_signal_storm(void);

/* Sleeps that many milliseconds, signals or not. */
void sleep_ms(long ms);

/* `size` bytes that differ from place to place and from seed to seed. */
void fill_pattern(void *bytes, size_t size, unsigned seed);
bool has_pattern(const void *bytes, size_t size, unsigned seed);

#endif
