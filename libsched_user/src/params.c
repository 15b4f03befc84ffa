/* SPDX-License-Identifier: MIT */
/* Scheduling parameters of live threads, and periodic threads. */
#include "runtime.h"

#include <errno.h>
#include <string.h>

static int change(ring3_thread_t name, void (*how)(struct thread *thread, const void *to),
                  int64_t to)
{
    struct thread *const thread = table_find(name);

    int err = 0;

    if (!thread)
        return -ESRCH;
    /* One worker's queue has no lock. */
    if (!worker_here() && !runtime.several)
        err = -EBUSY;
    else
        thread_urgency_change(thread, how, &to);
    table_drop(thread);
    return err;
}

static void put_priority(struct thread *thread, const void *to)
{
    thread->entity.priority = (int32_t) * (const int64_t *)to;
}

static void put_nice(struct thread *thread, const void *to)
{
    thread->entity.nice = (int8_t) * (const int64_t *)to;
}

static void put_weight(struct thread *thread, const void *to)
{
    thread->entity.weight = (uint32_t) * (const int64_t *)to;
}

int ring3_thread_set_priority(ring3_thread_t thread, int32_t priority)
{
    return priority < 0 || priority >= RING3_PRIORITY_LEVELS
               ? -EINVAL
               : change(thread, put_priority, priority);
}

int ring3_thread_set_nice(ring3_thread_t thread, int nice)
{
    return nice < RING3_NICE_MIN || nice > RING3_NICE_MAX ? -EINVAL
                                                          : change(thread, put_nice, nice);
}

int ring3_thread_set_weight(ring3_thread_t thread, uint32_t weight)
{
    return weight == 0 ? -EINVAL : change(thread, put_weight, weight);
}

/* --- Periodic threads ------------------------------------------------------------------------- */

#define PERIODIC_MOST 256

/* The periodic threads of the caller's worker but for the caller itself. */
static size_t others(const struct thread *self, ring3_periodic_t tasks[PERIODIC_MOST])
{
    size_t count = 0;

    for (uint32_t i = 0; count < PERIODIC_MOST; i++) {
        const struct thread *const thread = table_at(i);

        if (!thread)
            break;
        if (thread != self && ring3_load(&thread->state, RING3_RELAXED) < RING3_THREAD_ENDED &&
            ring3_load(&thread->worker, RING3_RELAXED) == self->worker && thread->entity.period > 0)
            tasks[count++] = (ring3_periodic_t){thread->rare->need, thread->entity.period,
                                                thread->entity.deadline};
    }
    return count;
}

int ring3_thread_set_periodic(int64_t time, int64_t deadline, int64_t period)
{
    struct thread *const self = thread_here();
    ring3_periodic_t tasks[PERIODIC_MOST + 1];
    size_t count;

    if (!self)
        return -EPERM;
    if (period == 0) {
        self->entity.period = self->entity.deadline = self->entity.due = 0;
        return 0;
    }
    if (time < 0 || period < 0 || deadline < 0 || deadline > period ||
        time > (deadline ? deadline : period))
        return -EINVAL;
    count = others(self, tasks);
    tasks[count++] = (ring3_periodic_t){time, period, deadline};
    if (count > PERIODIC_MOST || (strcmp(runtime.policy->name, "rm") == 0
                                      ? ring3_admit_rm(tasks, count)
                                      : ring3_admit_edf(tasks, count)) == RING3_ADMIT_REJECTED)
        return -EBUSY;
    /* It runs, so no queue holds it. */
    if (!self->dated)
        thread_date(self);
    self->rare->need = time;
    self->rare->release = runtime_clock();
    self->entity.period = period;
    self->entity.deadline = deadline;
    self->entity.due = self->rare->release + (deadline ? deadline : period);
    return 0;
}

int ring3_thread_wait_next_period(void)
{
    struct thread *const self = thread_here();
    ring3_entity_t *const entity = self ? &self->entity : NULL;
    int64_t now, late;
    int err;

    if (!self || entity->period == 0)
        return -EPERM;
    now = runtime_clock();
    if (now > entity->due) {
        ring3_store(&self->rare->misses, self->rare->misses + 1, RING3_RELAXED);
        if (now - entity->due > self->rare->tardiness)
            ring3_store(&self->rare->tardiness, now - entity->due, RING3_RELAXED);
    }
    self->rare->release += entity->period;
    entity->due = self->rare->release + (entity->deadline ? entity->deadline : entity->period);
    if (self->rare->release <= now) {
        late = (now - self->rare->release) / entity->period + 1;
        thread_requeue(self, RING3_WAKES);
        return late < INT32_MAX ? (int)late : INT32_MAX;
    }
    while (runtime_clock() < self->rare->release) {
        err = ring3_thread_cancelled();
        if (err)
            return err;
        (void)thread_wait(self, self->rare->release);
    }
    return 0;
}
