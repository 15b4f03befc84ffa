/* SPDX-License-Identifier: MIT */
/* Two workers: on the first, main runs, one thread waits and another has not run; the second has nothing to do. */
#include <ring3/sem.h>
#include <ring3/thread.h>

#include <stdio.h>
#include <stdlib.h>

static ring3_sem_t sem;

static void *sleeper(void *unused)
{
    (void)ring3_sem_wait(&sem);
    return unused;
}

int main(void)
{
    const ring3_thread_attr_t pinned = {.name = "sleeper", .pin = 1},
                              unborn = {.name = "unborn", .pin = 1};

    if (ring3_runtime_start(
            &(ring3_runtime_options_t){.workers = 2, .policy = "fcfs", .stats = true}) != 0 ||
        ring3_thread_create(NULL, &pinned, sleeper, NULL) != 0)
        return 1;
    ring3_thread_yield();
    if (ring3_thread_create(NULL, &unborn, sleeper, NULL) != 0)
        return 1;
    puts("ready");
    (void)fflush(stdout);
    (void)getchar();
    exit(0);
}
