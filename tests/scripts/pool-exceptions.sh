#!/bin/bash
# SPDX-License-Identifier: MIT
# C++ in a pool: exceptions inside a task, out of one that its submitter or waiter runs, and out of one that a thread of
# the pool runs; destructors when a task ends its thread.
. "$(dirname "$0")/../tap.sh"

command -v "${CXX%% *}" >/dev/null || { skip "C++ in a pool" "no $CXX here"; exit 0; }
cat >"$work/throwing.cc" <<'C'
#include <ring3/pool.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <pthread.h>

static int destroyed;

struct guard {
    ~guard() { __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST); }
};

static int catches(ring3_task_t *)
{
    try {
        guard here;
        throw std::runtime_error("inside");
    } catch (const std::exception &) {
        return 7;
    }
}

static int throws(ring3_task_t *)
{
    guard here;
    throw std::runtime_error("out of a task");
}

static int leaves(ring3_task_t *)
{
    guard here;
    pthread_exit(nullptr);
}

static int waits_until(ring3_task_t *task)
{
    while (!ring3_task_cancelled(task))
        ;
    return 0;
}

static ring3_task_t task_of(int (*run)(ring3_task_t *))
{
    ring3_task_t task;

    std::memset(&task, 0, sizeof task);
    task.run = run;
    return task;
}

static bool balanced(ring3_pool_t *pool)
{
    ring3_pool_stats_t stats;

    return ring3_pool_stats(pool, &stats) == 0 && stats.running == 0 && stats.queued == 0 &&
           stats.submitted == stats.done + stats.cancelled;
}

/* The only thread is busy and the queue has room for one: the rest is run by who submits or waits. */
static int in_caller(ring3_pool_t *pool)
{
    ring3_task_t busy = task_of(waits_until), queued = task_of(throws), more = task_of(throws);
    ring3_group_t group;
    int caught = 0;

    ring3_group_init(&group, pool, RING3_GROUP_HELP);
    queued.group = &group;
    if (ring3_pool_submit(pool, &busy, RING3_POOL_BLOCK, nullptr))
        return 1;
    while (__atomic_load_n(&busy.state, __ATOMIC_ACQUIRE) != RING3_TASK_RUNNING)
        ;
    if (ring3_pool_submit(pool, &queued, RING3_POOL_BLOCK, nullptr))
        return 2;
    try {
        (void)ring3_pool_submit(pool, &more, RING3_POOL_RUN, nullptr);
    } catch (const std::exception &) {
        caught++;
    }
    try {
        (void)ring3_group_wait(&group, nullptr);
    } catch (const std::exception &) {
        caught++;
    }
    if (caught != 2 || destroyed != 2 || more.result != -ECANCELED || queued.result != -ECANCELED)
        return 3;
    if (ring3_group_wait(&group, nullptr) || ring3_task_cancel(&busy) != -EINPROGRESS ||
        ring3_task_wait(&busy, nullptr))
        return 4;
    return balanced(pool) ? 0 : 5;
}

static int in_thread(ring3_pool_t *pool, int (*run)(ring3_task_t *), int result)
{
    ring3_task_t task = task_of(run);

    if (ring3_pool_submit(pool, &task, RING3_POOL_BLOCK, nullptr) || ring3_task_wait(&task, nullptr))
        return 1;
    return task.result == result && destroyed == 1 && balanced(pool) ? 0 : 2;
}

int main(int, char **argv)
{
    ring3_pool_options_t options;
    ring3_pool_t *pool;
    int result = 9;

    std::memset(&options, 0, sizeof options);
    options.max = 1;
    options.capacity = 1;
    if (ring3_pool_create(&pool, &options))
        return 8;
    if (!std::strcmp(argv[1], "caught"))
        result = in_thread(pool, catches, 7);
    else if (!std::strcmp(argv[1], "caller"))
        result = in_caller(pool);
    else if (!std::strcmp(argv[1], "exit"))
        result = in_thread(pool, leaves, -ECANCELED);
    else if (!std::strcmp(argv[1], "thread"))
        result = in_thread(pool, throws, 0);
    return ring3_pool_destroy(pool) ? 7 : result;
}
C
$CXX -std=c++17 -O1 -Wall -Ilibthreadpool/include -Ilibsync/include "$work/throwing.cc" \
    "$B/lib/libring3-threadpool.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/throwing"

# The program ends through std::terminate, and says of what.
terminates() {
    (ulimit -c 0; "$work/throwing" thread) 2>"$work/error"
    [ $? = 134 ] && grep -q 'out of a task' "$work/error"
}

try "an exception that is caught in its task is the task's own affair" "$work/throwing" caught
try "one that leaves a task reaches who ran it by submitting or waiting, and the pool keeps its balance" "$work/throwing" caller
try "a task that ends its thread destroys its objects" "$work/throwing" exit
try "one that leaves a thread of the pool ends the program, as in any thread" terminates
