/* SPDX-License-Identifier: MIT */
/*
 * A thread of ours that looks, once a second, whether the threads of the program wait for each other
 * in a circle, or have all waited for long; and that says who waits for what when a signal asks it.
 * It is born with the program's first thread, blocks all signals, and takes no lock of the program's.
 */
#include "lockdep.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* 1: look now. The futex on which the watcher sleeps. */
static uint32_t asked;
static uint32_t born;
static pid_t watcher_id;

static void ask(int number)
{
    (void)number;
    ring3_store(&asked, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&asked, 1, RING3_PRIVATE);
}

/* Threads of this process, our own left out. */
static uint32_t count_threads(void)
{
    DIR *const tasks = opendir("/proc/self/task");
    uint32_t count = 0;

    if (!tasks)
        return UINT32_MAX;
    for (const struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != watcher_id)
            count++;
    closedir(tasks);
    return count;
}

static const struct thread *next_in_circle(const struct thread *thread)
{
    const void *const object = ring3_load(&thread->waits_for, RING3_ACQUIRE);

    return object ? report_holder(object) : NULL;
}

/* Under the registry's lock: a circle of threads, each of which has waited for at least a second. */
static bool is_circle(void)
{
    const uint64_t now = (uint64_t)time(NULL);
    const struct thread *first;

    ring3_list_for_each_entry (first, &threads_all, link) {
        const struct thread *thread = first;

        for (int steps = 0; thread && steps < 64; steps++) {
            if (!thread->waits_for || now < thread->waits_since + 2)
                break;
            thread = next_in_circle(thread);
            if (thread == first)
                return true;
        }
    }
    return false;
}

static bool all_stalled(void)
{
    const uint64_t now = (uint64_t)time(NULL);
    const struct thread *thread;
    uint32_t waiting = 0;

    if (!locks.stall)
        return false;
    ring3_list_for_each_entry (thread, &threads_all, link) {
        if (ring3_load(&thread->waits_for, RING3_ACQUIRE) &&
            now >= thread->waits_since + locks.stall)
            waiting++;
    }
    return waiting > 0 && waiting == count_threads();
}

static void *watch_over(void *unused)
{
    bool circle_said = false, stall_said = false;

    watcher_id = gettid();
    thread_self()->reporting = true; /* and made, which takes the registry's lock */
    for (;;) {
        const struct timespec until = ring3_deadline_in(CLOCK_MONOTONIC, RING3_SECOND_NS);

        (void)ring3_futex_wait(&asked, 0, RING3_PRIVATE, CLOCK_MONOTONIC, &until);
        const bool now = ring3_exchange(&asked, 0, RING3_ACQUIRE) != 0;

        threads_lock();
        lockdep_lock();
        const bool circle = is_circle(), stalled = all_stalled();

        if (now)
            report_waits("who waits for what");
        else if (circle && !circle_said)
            report_waits("deadlock: threads wait for each other");
        else if (stalled && !stall_said && !circle)
            report_waits("every thread has been waiting for long");
        circle_said = circle;
        stall_said = stalled;
        lockdep_unlock();
        threads_unlock();
    }
    return unused;
}

static void give_birth(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, mask;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &mask);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN + 65536);
    (void)real()->pthread_create(&thread, &attributes, watch_over, NULL);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *argument)
{
    if (locks_get()->lockdep && !ring3_exchange(&born, 1, RING3_RELAXED))
        give_birth();
    return real()->pthread_create(thread, attributes, body, argument);
}

/* A thread that is joined is waited for, and counts as waiting. */
static void stop_waiting(void *record)
{
    ring3_store(&((struct thread *)record)->waits_for, NULL, RING3_RELEASE);
}

PUBLIC int pthread_join(pthread_t handle, void **result)
{
    struct thread *me;
    int got;

    if (!locks_get()->lockdep)
        return real()->pthread_join(handle, result);
    me = thread_self();
    ring3_store(&me->waits_at, CALLER, RING3_RELAXED);
    ring3_store(&me->waits_since, (uint64_t)time(NULL), RING3_RELAXED);
    ring3_store(&me->waits_for, (void *)handle, RING3_RELEASE);
    pthread_cleanup_push(stop_waiting, me);
    got = real()->pthread_join(handle, result);
    pthread_cleanup_pop(1);
    return got;
}

void watcher_start(void)
{
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

    if (locks.lockdep && locks.signal)
        (void)real()->sigaction((int)locks.signal, &action, NULL);
}

/* The child is watched as soon as it has a thread of its own. */
void watcher_after_fork(void)
{
    ring3_store(&born, 0, RING3_RELAXED);
    watcher_id = 0;
}
