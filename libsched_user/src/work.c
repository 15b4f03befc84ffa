/* SPDX-License-Identifier: MIT */
/* CPU time: what threads have used, and using it for a given time: on the virtual clock in steps, at whose
 * ends others may come. */
#include "schedule.h"

#include <sys/resource.h>

static int64_t ns_of_timeval(const struct timeval *time)
{
    return (int64_t)time->tv_sec * RING3_SECOND_NS + time->tv_usec * INT64_C(1000);
}

void charge_cpu_times(struct worker *worker, struct thread *before)
{
    struct rusage usage;
    int64_t user, system;

    (void)getrusage(RUSAGE_THREAD, &usage);
    user = ns_of_timeval(&usage.ru_utime);
    system = ns_of_timeval(&usage.ru_stime);
    if (before) {
        count(&before->rare->user, user - worker->user);
        count(&before->rare->system, system - worker->system);
    }
    worker->user = user;
    worker->system = system;
}

/* The longest time for which the thread may run before something else is to be done. */
static int64_t undisturbed(struct worker *worker, const struct thread *self, int64_t now)
{
    const ring3_rbnode_t *const first = ring3_rbtree_first(&worker->timers);
    int64_t left = RING3_UNLIMITED;

    if (runtime.policy->budget)
        left = runtime.policy->budget(worker->queue, &self->entity, now);
    if (first) {
        const int64_t timer = timer_owner(first)->timer_at - now;

        left = timer < left ? timer : left;
    }
    return left > 0 ? left : 1;
}

static void work_virtually(struct thread *self, int64_t ns)
{
    struct worker *const worker = self->worker;

    thread_give_way(self, false);
    while (ns > 0) {
        const int64_t left = undisturbed(worker, self, runtime.virtual_now);
        const int64_t step = left < ns ? left : ns;
        bool over;

        runtime.virtual_now += step;
        ns -= step;
        over = thread_charge(worker, self, runtime.virtual_now);
        if (ns == 0)
            return; /* its burst ends before others come */
        (void)timers_expire(worker, runtime.virtual_now);
        if (over)
            thread_requeue(self, RING3_EXPIRED);
        else if (ring3_load(&worker->preempt_asked, RING3_RELAXED))
            thread_requeue(self, RING3_PREEMPTED);
    }
}

int ring3_work(int64_t ns)
{
    struct thread *const self = thread_here();

    if (!self || ns < 0)
        return self ? -EINVAL : -EPERM;
    if (runtime.options.virtual_clock) {
        work_virtually(self, ns);
    } else {
        const int64_t until = runtime_clock() + ns;

        while (runtime_clock() < until)
            ring3_cpu_relax();
    }
    return 0;
}
