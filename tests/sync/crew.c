/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CREW_MAX 64

struct member {
    void (*body)(int me);
    int me;
    int *waiting_for; /* how many have not started yet; or NULL */
};

static void *run_member(void *argument)
{
    struct member *const member = argument;
    const struct member copy = *member;

    free(member);
    if (copy.waiting_for) {
        ring3_fetch_sub(copy.waiting_for, 1, RING3_RELAXED);
        crew_until(ring3_load(copy.waiting_for, RING3_RELAXED) == 0);
    }
    copy.body(copy.me);
    return NULL;
}

static pthread_t start(void (*body)(int me), int me, int *waiting_for)
{
    struct member *const member = malloc(sizeof *member);
    pthread_t thread;

    check(member != NULL);
    *member = (struct member){body, me, waiting_for};
    check_eq(pthread_create(&thread, NULL, run_member, member), 0);
    return thread;
}

pthread_t crew_start(void (*body)(int me), int me)
{
    return start(body, me, NULL);
}

void crew_join(pthread_t thread)
{
    check_eq(pthread_join(thread, NULL), 0);
}

void crew_run(int count, void (*body)(int me))
{
    pthread_t threads[CREW_MAX];
    int waiting_for = count;

    check_le(count, CREW_MAX);
    for (int i = 0; i < count; i++)
        threads[i] = start(body, i, &waiting_for);
    for (int i = 0; i < count; i++)
        crew_join(threads[i]);
}

struct timespec crew_in(clockid_t clock, double seconds)
{
    struct timespec when;

    clock_gettime(clock, &when);
    const double later = (double)when.tv_nsec + seconds * 1e9;
    const time_t whole = (time_t)(later / 1e9) - (later < 0);

    when.tv_sec += whole;
    when.tv_nsec = (long)(later - (double)whole * 1e9);
    return when;
}

void *crew_shared(size_t size)
{
    void *const memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    check(memory != MAP_FAILED);
    return memory;
}

pid_t crew_fork(void (*body)(void))
{
    const pid_t pid = fork();

    check_ge(pid, 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    return pid;
}

long crew_count(long count)
{
    return slow_machine() ? (count + 9) / 10 : count;
}

int crew_spinlock(ring3_spinlock_t *lock, ring3_spinlock_algorithm_t algorithm, ring3_wait_t how)
{
    static ring3_array_slot_t slots[64];

    return algorithm == RING3_SPINLOCK_ARRAY ? ring3_spinlock_init_array(lock, slots, 64, how)
                                             : ring3_spinlock_init(lock, algorithm, how);
}
