/* SPDX-License-Identifier: MIT */
/*
 * Threads to be dumped: one waits four calls deep; plato has a mutex and waits for kant's end, and kant
 * for the mutex; main waits for plato's end; and one computes on a worker of its own, unless there is an
 * argument: then all are blocked.
 */
#include <ring3/sem.h>
#include <ring3/thread.h>
#include <ring3/thread_mutex.h>

#include <stdio.h>

static ring3_thread_mutex_t table;
static ring3_thread_t kant_is;
static ring3_sem_t sem;
static volatile unsigned long computed;

__attribute__((noinline)) static void wait_in_depth(int depth)
{
    if (depth > 0)
        wait_in_depth(depth - 1);
    else
        (void)ring3_sem_wait(&sem);
    __asm__ volatile("");
}

static void *deep(void *unused)
{
    wait_in_depth(3);
    return unused;
}

static void *plato(void *unused)
{
    (void)ring3_thread_mutex_lock(&table);
    (void)ring3_thread_join(kant_is, NULL);
    return unused;
}

static void *kant(void *unused)
{
    (void)ring3_thread_mutex_lock(&table);
    return unused;
}

__attribute__((noinline)) static void *compute(void *unused)
{
    for (;;)
        computed++;
    return unused;
}

static void *announce(void *unused)
{
    puts("ready");
    (void)fflush(stdout);
    return unused;
}

int main(int argc, char **argv)
{
    static const ring3_thread_attr_t named[] = {{.name = "deep", .pin = 1},
                                                {.name = "plato", .pin = 1},
                                                {.name = "kant", .pin = 1},
                                                {.name = "computes", .bound = true},
                                                {.name = "announces", .pin = 1}};
    ring3_thread_t plato_is;

    (void)argv;
    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1}) != 0 ||
        ring3_thread_create(NULL, &named[0], deep, NULL) != 0 ||
        ring3_thread_create(&plato_is, &named[1], plato, NULL) != 0 ||
        ring3_thread_create(&kant_is, &named[2], kant, NULL) != 0)
        return 1;
    if (argc == 1 && ring3_thread_create(NULL, &named[3], compute, NULL) != 0)
        return 1;
    ring3_thread_yield();
    if (ring3_thread_create(NULL, &named[4], announce, NULL) != 0)
        return 1;
    return ring3_thread_join(plato_is, NULL);
}
