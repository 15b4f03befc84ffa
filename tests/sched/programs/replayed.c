/* SPDX-License-Identifier: MIT */
/*
 * replayed record|replay FILE POLICY [other]: threads that yield, sleep and wait for each other say who runs, on
 * the real clock, and at the end how many choices there were and whether they diverged. With `other`, one thread
 * takes another way.
 * replayed trace POLICY: threads that work and sleep on the virtual clock; the trace goes to stdout.
 */
#include <ring3/sem.h>
#include <ring3/thread.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS  12

static ring3_sem_t turns = {0};
static bool other;

static void *step(void *number)
{
    const int me = *(int *)number;

    for (int round = 0; round < ROUNDS; round++) {
        printf("%d", me);
        if (other && me == 2 && round == 3)
            break;
        if ((round + me) % 3 == 0)
            (void)ring3_sleep_ns(100000 * (me + 1));
        else if ((round + me) % 3 == 1)
            ring3_thread_yield();
        (void)ring3_sem_post(&turns);
        (void)ring3_sem_wait(&turns);
    }
    return NULL;
}

static void *work(void *number)
{
    for (int round = 0; round < ROUNDS; round++) {
        (void)ring3_work(700000 * (*(int *)number + 1));
        (void)ring3_sleep_ns(300000);
    }
    return NULL;
}

static int run(const ring3_runtime_options_t *options, void *(*body)(void *))
{
    static int numbers[THREADS] = {0, 1, 2, 3};
    ring3_thread_t threads[THREADS];
    const int err = ring3_runtime_start(options);

    if (err) {
        fprintf(stderr, "%s\n", strerror(-err));
        return 1;
    }
    for (int i = 0; i < THREADS; i++)
        if (ring3_thread_create(&threads[i], NULL, body, &numbers[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        if (ring3_thread_join(threads[i], NULL) != 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    ring3_runtime_options_t options = {.workers = 1};
    ring3_runtime_stats_t stats;

    if (argc == 3 && strcmp(argv[1], "trace") == 0) {
        options.policy = argv[2];
        options.virtual_clock = true;
        options.trace = 1000;
        return run(&options, work) || ring3_trace_write(STDOUT_FILENO) || ring3_runtime_stop();
    }
    if (argc < 4)
        return 2;
    other = argc > 4;
    options.policy = argv[3];
    options.record = strcmp(argv[1], "record") == 0 ? argv[2] : NULL;
    options.replay = options.record ? NULL : argv[2];
    if (run(&options, step) != 0 || ring3_runtime_stats(&stats) != 0)
        return 1;
    printf("\n%llu choices, diverged at %llu\n", (unsigned long long)stats.choices,
           (unsigned long long)stats.diverged);
    return ring3_runtime_stop() != 0;
}
