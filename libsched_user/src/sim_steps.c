/* SPDX-License-Identifier: MIT */
/*
 * What a simulated job does: its steps, rounds and locks.
 *
 * A released lock goes to its most urgent waiter. With inheritance an owner is as urgent as the
 * most urgent of those who wait for any of its locks, and so on along the chain.
 */
#include "sim_run.h"

static const ring3_sim_step_t *step_of(const struct sim *sim, const struct actor *actor)
{
    return &sim->work->steps[actor->job->first + actor->step];
}

/* --- Locks ------------------------------------------------------------------------------------ */

static void set_priority(struct sim *sim, struct actor *actor, int32_t priority)
{
    void *const queue = sim->queues[sim_queue_of(sim, actor)];

    if (actor->entity.priority == priority)
        return;
    if (actor->state != ACTOR_READY) {
        actor->entity.priority = priority;
        return;
    }
    sim->policy->dequeue(queue, &actor->entity, sim->now);
    actor->entity.priority = priority;
    sim->policy->enqueue(queue, &actor->entity, RING3_MOVES, sim->now);
}

/* The most urgent that waits for the lock, the longest waiting among equals; or NULL. */
static struct actor *first_waiter(struct sim *sim, uint32_t lock)
{
    struct actor *first = NULL;

    for (size_t i = 0; i < sim->work->count; i++) {
        struct actor *const actor = &sim->actors[i];

        if (actor->state != ACTOR_BLOCKED || actor->lock != lock)
            continue;
        if (!first || actor->entity.priority < first->entity.priority ||
            (actor->entity.priority == first->entity.priority && actor->since < first->since))
            first = actor;
    }
    return first;
}

/* What it inherits from those that wait for its locks. */
static int32_t inherited(struct sim *sim, const struct actor *actor)
{
    int32_t priority = actor->job->priority;

    for (uint32_t lock = 0; lock < sim->work->lock_count; lock++) {
        const struct actor *const waiter =
            sim->locks[lock].owner == actor ? first_waiter(sim, lock) : NULL;

        if (waiter && waiter->entity.priority < priority)
            priority = waiter->entity.priority;
    }
    return priority;
}

/* Bring the owner's priority up to date, and those of the owners it waits for in turn. A chain
 * cannot be longer than there are locks, unless it is a cycle. */
static void inherit(struct sim *sim, struct actor *owner)
{
    for (uint32_t hops = 0; sim->options->inherit && owner && hops <= sim->work->lock_count;
         hops++) {
        set_priority(sim, owner, inherited(sim, owner));
        owner = owner->state == ACTOR_BLOCKED && owner->lock != NO_LOCK
                    ? sim->locks[owner->lock].owner
                    : NULL;
    }
}

static void unlock(struct sim *sim, struct actor *actor, uint32_t lock)
{
    struct actor *const next = first_waiter(sim, lock);

    if (sim->locks[lock].owner != actor)
        return;
    sim->locks[lock].owner = next;
    inherit(sim, actor);
    if (!next)
        return;
    next->lock = NO_LOCK;
    next->step++;
    next->outcome->blocked += sim->now - next->since;
    inherit(sim, next);
    if (sim_advance(sim, next))
        sim_ready(sim, next, RING3_WAKES);
}

/* True if it got the lock. */
static bool lock_or_wait(struct sim *sim, struct actor *actor, uint32_t lock)
{
    if (!sim->locks[lock].owner) {
        sim->locks[lock].owner = actor;
        return true;
    }
    actor->state = ACTOR_BLOCKED;
    actor->since = sim->now;
    actor->lock = lock;
    inherit(sim, sim->locks[lock].owner);
    return false;
}

/* --- Rounds ----------------------------------------------------------------------------------- */

/* The next round begins at `release`. */
static void release_round(struct actor *actor, int64_t release)
{
    const ring3_sim_job_t *const job = actor->job;

    actor->released = release;
    actor->outcome->releases++;
    actor->step = 0;
    if (job->period > 0 || job->deadline > 0)
        actor->entity.due = release + (job->deadline > 0 ? job->deadline : job->period);
}

static void end_round(struct sim *sim, struct actor *actor)
{
    ring3_sim_outcome_t *const outcome = actor->outcome;
    const int64_t took = sim->now - actor->released;

    outcome->finish = sim->now;
    outcome->finished++;
    actor->total += took;
    if (actor->job->period > 0 && took > outcome->response)
        outcome->response = took;
    if (actor->entity.due > 0 && sim->now > actor->entity.due) {
        outcome->misses++;
        if (sim->now - actor->entity.due > outcome->tardiness)
            outcome->tardiness = sim->now - actor->entity.due;
    }
}

/* All steps are done. True if the next round begins at once. */
static bool next_round(struct sim *sim, struct actor *actor)
{
    const ring3_sim_job_t *const job = actor->job;

    actor->round++;
    if (job->period > 0 || (job->repeat && actor->round == job->repeat))
        end_round(sim, actor);
    if (job->repeat && actor->round == job->repeat) {
        actor->state = ACTOR_DONE;
        sim->unfinished--;
        return false;
    }
    if (job->period <= 0) {
        actor->step = 0;
        return true;
    }

    const int64_t release = job->arrive + (int64_t)actor->round * job->period;

    if (release <= sim->now) {
        release_round(actor, release);
        return true;
    }
    actor->state = ACTOR_COMING;
    actor->since = sim->now;
    sim_event_add(sim, release, actor);
    return false;
}

/* --- Steps ------------------------------------------------------------------------------------ */

bool sim_advance(struct sim *sim, struct actor *actor)
{
    for (;;) {
        if (actor->step == actor->job->steps && !next_round(sim, actor))
            return false;

        const ring3_sim_step_t *const step = step_of(sim, actor);

        switch (step->kind) {
        case RING3_SIM_CPU:
            if (step->time > 0) {
                actor->left = step->time;
                actor->entity.burst = step->time;
                return true;
            }
            break;
        case RING3_SIM_IO:
            if (step->time > 0) {
                actor->state = ACTOR_BLOCKED;
                actor->since = sim->now;
                sim_event_add(sim, sim->now + step->time, actor);
                return false;
            }
            break;
        case RING3_SIM_LOCK:
            if (!lock_or_wait(sim, actor, step->lock))
                return false;
            break;
        default:
            actor->step++;
            unlock(sim, actor, step->lock);
            continue;
        }
        actor->step++;
    }
}

void sim_begin(struct sim *sim, struct actor *actor)
{
    const ring3_why_t why =
        actor->state == ACTOR_COMING && actor->round == 0 ? RING3_ARRIVES : RING3_WAKES;

    if (actor->state == ACTOR_COMING) {
        release_round(actor, sim->now);
    } else {
        actor->outcome->blocked += sim->now - actor->since;
        actor->step++;
    }
    if (sim_advance(sim, actor))
        sim_ready(sim, actor, why);
}
