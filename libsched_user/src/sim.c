/* SPDX-License-Identifier: MIT */
/*
 * The simulator's core: a virtual clock that jumps from one event to the next, and CPUs that ask
 * the policy who runs.
 */
#include "sim_run.h"

#include <errno.h>
#include <stdlib.h>

/* --- Slices ----------------------------------------------------------------------------------- */

static void record(struct sim *sim, unsigned cpu, const struct actor *actor, int64_t from,
                   int64_t to)
{
    ring3_sim_result_t *const result = sim->result;
    const uint32_t job = (uint32_t)(actor - sim->actors);

    /* Slices of other CPUs may lie between this and the one it goes on from. */
    for (size_t i = result->slice_count, looked = 0; i-- > 0 && looked < sim->cpu_count; looked++) {
        ring3_sim_slice_t *const slice = &result->slices[i];

        if (slice->cpu != cpu)
            continue;
        if (slice->job == job && slice->to == from) {
            slice->to = to;
            return;
        }
        break;
    }
    if (result->slice_count == sim->slice_room) {
        const size_t room = sim->slice_room ? 2 * sim->slice_room : 64;
        ring3_sim_slice_t *const slices = realloc(result->slices, room * sizeof *slices);

        if (!slices) {
            sim->err = -ENOMEM;
            return;
        }
        result->slices = slices;
        sim->slice_room = room;
    }
    result->slices[result->slice_count++] = (ring3_sim_slice_t){job, cpu, from, to};
}

/* --- Ready ------------------------------------------------------------------------------------ */

void sim_enqueue(struct sim *sim, struct actor *actor, ring3_why_t why)
{
    const unsigned queue = sim_queue_of(sim, actor);

    actor->state = ACTOR_READY;
    actor->since = sim->now;
    sim->loads[queue]++;
    sim->policy->enqueue(sim->queues[queue], &actor->entity, why, sim->now);
}

/* The CPU of the queue whose thread should give way to the woken actor, or -1. Of several that
 * should, the one whose thread all the others would preempt. */
static int victim(struct sim *sim, const struct actor *woken)
{
    const unsigned queue = sim_queue_of(sim, woken);
    int found = -1;

    for (unsigned i = 0; i < sim->cpu_count; i++) {
        const struct cpu *const cpu = &sim->cpus[i];
        const bool serves = sim->queue_count == 1 || i == queue;

        if (!serves || (woken->job->pin >= 0 && (unsigned)woken->job->pin != i))
            continue;
        if (!cpu->running)
            return -1; /* it will be picked there */
        if (cpu->resched || !sim->policy->check_preempt(sim->queues[queue], &cpu->running->entity,
                                                        &woken->entity, sim->now))
            continue;
        if (found < 0 || sim->policy->check_preempt(sim->queues[queue], &cpu->running->entity,
                                                    &sim->cpus[found].running->entity, sim->now))
            found = (int)i;
    }
    return found;
}

void sim_ready(struct sim *sim, struct actor *actor, ring3_why_t why)
{
    if (actor->job->pin >= 0)
        actor->cpu = (unsigned)actor->job->pin;
    else if (sim->queue_count > 1)
        actor->cpu = ring3_policy_select_worker(sim->policy, &actor->entity, why, sim->loads,
                                                sim->cpu_count, actor->cpu, sim->now);
    sim_enqueue(sim, actor, why);
    if (sim->policy->check_preempt) {
        const int at = victim(sim, actor);

        if (at >= 0)
            sim->cpus[at].resched = true;
    }
}

/* --- CPUs ------------------------------------------------------------------------------------- */

static void charge(struct sim *sim, unsigned index)
{
    struct cpu *const cpu = &sim->cpus[index];
    struct actor *const actor = cpu->running;
    const int64_t ran = sim->now - cpu->since;

    if (!actor || ran <= 0)
        return;
    record(sim, index, actor, cpu->since, sim->now);
    cpu->since = sim->now;
    actor->left -= ran;
    actor->outcome->ran += ran;
    sim->result->busy += ran;
    if (sim->policy->tick &&
        sim->policy->tick(sim->queues[sim_queue_of(sim, actor)], &actor->entity, ran, sim->now))
        cpu->expired = true;
}

void sim_leave_cpu(struct sim *sim, struct cpu *cpu)
{
    sim->loads[sim_queue_of(sim, cpu->running)]--;
    cpu->running = NULL;
    cpu->expired = cpu->resched = false;
}

static void end_burst(struct sim *sim, struct cpu *cpu)
{
    struct actor *const actor = cpu->running;
    void *const queue = sim->queues[sim_queue_of(sim, actor)];
    const uint64_t round = actor->round;
    const int64_t due = actor->entity.due;

    actor->step++;
    if (sim_advance(sim, actor)) {
        if (actor->round == round || due == actor->entity.due)
            return;
        /* Its next release was overdue: as if it had waited for no time. */
        sim_leave_cpu(sim, cpu);
        if (sim->policy->block)
            sim->policy->block(queue, &actor->entity, sim->now);
        sim_ready(sim, actor, RING3_WAKES);
        return;
    }
    sim_leave_cpu(sim, cpu);
    if (sim->policy->block)
        sim->policy->block(queue, &actor->entity, sim->now);
}

void sim_start(struct sim *sim, unsigned index, struct actor *actor)
{
    struct cpu *const cpu = &sim->cpus[index];
    const bool other = cpu->last && cpu->last != actor;

    actor->outcome->waited += sim->now - actor->since;
    if (actor->outcome->ran > 0 && actor->cpu != index)
        sim->result->migrations++;
    actor->state = ACTOR_RUNNING;
    actor->cpu = index;
    cpu->running = actor;
    cpu->since = sim->now;
    if (other) {
        sim->result->switches++;
        sim->result->overhead += sim->options->switch_cost;
        cpu->since += sim->options->switch_cost;
    }
    cpu->last = actor;
    if (actor->outcome->first_run < 0)
        actor->outcome->first_run = cpu->since;
}

static bool may_leave(const ring3_entity_t *entity, void *unused)
{
    const struct actor *const actor = ring3_container_of((uintptr_t)entity, struct actor, entity);

    (void)unused;
    return actor->job->pin < 0;
}

/* Take somebody from the fullest queue. */
static ring3_entity_t *steal(struct sim *sim, unsigned thief)
{
    unsigned from = thief;
    ring3_entity_t *entity;

    for (unsigned i = 0; i < sim->queue_count; i++)
        if (sim->loads[i] > sim->loads[from])
            from = i;
    if (from == thief || sim->loads[from] < 2)
        return NULL;
    entity = ring3_policy_balance(sim->policy, sim->queues[from], may_leave, NULL, sim->now);
    if (!entity)
        return NULL;

    struct actor *const actor = ring3_container_of(entity, struct actor, entity);
    const int64_t since = actor->since;

    sim->loads[from]--;
    sim->result->migrations += actor->outcome->ran > 0;
    actor->cpu = thief;
    sim_enqueue(sim, actor, RING3_MOVES);
    actor->since = since;
    return sim->policy->pick(sim->queues[thief], sim->now);
}

static void dispatch(struct sim *sim, unsigned index)
{
    struct cpu *const cpu = &sim->cpus[index];
    const unsigned queue = sim->queue_count == 1 ? 0 : index;

    if (cpu->running && (cpu->expired || cpu->resched)) {
        struct actor *const actor = cpu->running;
        const ring3_why_t why = cpu->expired ? RING3_EXPIRED : RING3_PREEMPTED;

        sim_leave_cpu(sim, cpu);
        sim_enqueue(sim, actor, why);
    }
    if (cpu->running)
        return;

    ring3_entity_t *entity = sim->policy->pick(sim->queues[queue], sim->now);

    if (!entity && sim->queue_count > 1)
        entity = steal(sim, index);
    if (entity)
        sim_start(sim, index, ring3_container_of(entity, struct actor, entity));
}

/* --- The clock -------------------------------------------------------------------------------- */

static int64_t next_time(struct sim *sim)
{
    int64_t next = sim->event_count > 0 ? sim->events[0].at : INT64_MAX;

    for (unsigned i = 0; i < sim->cpu_count; i++) {
        const struct cpu *const cpu = &sim->cpus[i];
        int64_t run;

        if (!cpu->running)
            continue;
        run = cpu->running->left;
        if (sim->policy->budget) {
            const int64_t budget = sim->policy->budget(sim->queues[sim_queue_of(sim, cpu->running)],
                                                       &cpu->running->entity, cpu->since);

            run = budget < run ? budget : run;
        }
        if (cpu->since + run < next)
            next = cpu->since + run;
    }
    return next;
}

static void loop(struct sim *sim, int64_t until)
{
    while (!sim->err) {
        for (unsigned i = 0; i < sim->cpu_count; i++)
            charge(sim, i);
        if (sim->now >= until)
            return;
        for (unsigned i = 0; i < sim->cpu_count; i++)
            if (sim->cpus[i].running && sim->cpus[i].running->left <= 0)
                end_burst(sim, &sim->cpus[i]);
        while (sim->event_count > 0 && sim->events[0].at <= sim->now)
            sim_begin(sim, &sim->actors[sim_event_pop(sim).actor]);
        if (sim->options->gangs != RING3_SIM_ALONE)
            sim_dispatch_gangs(sim);
        else
            for (unsigned i = 0; i < sim->cpu_count; i++)
                dispatch(sim, i);

        const int64_t next = next_time(sim);

        if (next == INT64_MAX)
            return;
        sim->now = next < until ? next : until;
    }
}

/* --- Beginning and end ------------------------------------------------------------------------ */

static int64_t gcd(int64_t a, int64_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

/* Where to stop: jobs without end go on for one hyperperiod. */
static int64_t horizon(const ring3_sim_workload_t *work, const ring3_sim_options_t *options)
{
    int64_t hyperperiod = 1, latest = 0;
    bool endless = false;

    if (options->until > 0)
        return options->until;
    for (size_t i = 0; i < work->count; i++) {
        const ring3_sim_job_t *const job = &work->jobs[i];

        latest = job->arrive > latest ? job->arrive : latest;
        if (job->repeat)
            continue;
        endless = true;
        if (job->period <= 0)
            return -1;
        if (__builtin_mul_overflow(hyperperiod / gcd(hyperperiod, job->period), job->period,
                                   &hyperperiod))
            return -1;
    }
    return endless ? latest + hyperperiod : INT64_MAX;
}

/* A gang runs as a whole or not at all. */
static bool fits(const ring3_sim_workload_t *work, uint32_t gang, unsigned cpus)
{
    size_t members = 0;

    for (size_t i = 0; i < work->count; i++)
        members += work->jobs[i].gang == gang;
    return members <= cpus;
}

static bool sensible(const ring3_sim_workload_t *work, const ring3_sim_options_t *options,
                     unsigned cpus)
{
    for (size_t i = 0; i < work->count; i++) {
        const ring3_sim_job_t *const job = &work->jobs[i];
        int64_t total = 0;

        for (size_t k = 0; k < job->steps; k++)
            total += work->steps[job->first + k].time;
        if (job->steps == 0 || total <= 0 || job->pin >= (int)cpus)
            return false;
        if (options->gangs != RING3_SIM_ALONE && job->pin >= 0)
            return false;
        if (options->gangs == RING3_SIM_GANG && job->gang && !fits(work, job->gang, cpus))
            return false;
    }
    return true;
}

static int prepare(struct sim *sim)
{
    const ring3_sim_workload_t *const work = sim->work;

    sim->actors = calloc(work->count ? work->count : 1, sizeof *sim->actors);
    sim->events = calloc(work->count ? work->count : 1, sizeof *sim->events);
    sim->result->jobs = calloc(work->count ? work->count : 1, sizeof *sim->result->jobs);
    if (!sim->actors || !sim->events || !sim->result->jobs)
        return -ENOMEM;
    for (unsigned i = 0; i < sim->queue_count; i++) {
        sim->queues[i] = calloc(1, sim->policy->queue_size ? sim->policy->queue_size : 1);
        if (!sim->queues[i])
            return -ENOMEM;
        if (sim->policy->init)
            sim->policy->init(sim->queues[i], &sim->params);
    }
    for (size_t i = 0; i < work->count; i++) {
        const ring3_sim_job_t *const job = &work->jobs[i];

        sim->actors[i] = (struct actor){
            .entity = {.id = (uint32_t)i,
                       .priority = job->priority,
                       .weight = job->weight,
                       .nice = job->nice,
                       .band = job->band,
                       .queue = job->queue,
                       .period = job->period,
                       .deadline = job->deadline},
            .job = job,
            .outcome = &sim->result->jobs[i],
            .lock = NO_LOCK,
        };
        sim->result->jobs[i] = (ring3_sim_outcome_t){.first_run = -1, .finish = -1};
        sim_event_add(sim, job->arrive, &sim->actors[i]);
    }
    sim->unfinished = work->count;
    return 0;
}

/* Waiting up to the end, overdue deadlines, and the means. */
static void conclude(struct sim *sim)
{
    ring3_sim_result_t *const result = sim->result;
    double waiting = 0, response = 0, turnaround = 0;
    size_t finished = 0;

    result->end = sim->now;
    for (size_t i = 0; i < sim->work->count; i++) {
        struct actor *const actor = &sim->actors[i];
        ring3_sim_outcome_t *const outcome = actor->outcome;
        const bool under_way = actor->state != ACTOR_COMING && actor->state != ACTOR_DONE;

        if (actor->state == ACTOR_READY)
            outcome->waited += sim->now - actor->since;
        if (under_way && actor->entity.due > 0 && sim->now > actor->entity.due)
            outcome->misses++;
        if (actor->state == ACTOR_BLOCKED && actor->lock != NO_LOCK && sim->event_count == 0)
            result->stuck = true;
        result->misses += outcome->misses;
        if (actor->job->period <= 0 && outcome->first_run >= 0)
            outcome->response = outcome->first_run - actor->job->arrive;
        if (outcome->finished == 0)
            continue;
        outcome->turnaround = actor->total / (int64_t)outcome->finished;
        finished++;
        waiting += (double)outcome->waited;
        response += (double)outcome->response;
        turnaround += (double)outcome->turnaround;
    }
    if (finished > 0) {
        result->waiting = waiting / (double)finished;
        result->response = response / (double)finished;
        result->turnaround = turnaround / (double)finished;
    }
    if (result->end > 0)
        result->utilisation = (double)result->busy / ((double)result->end * sim->cpu_count);
}

int ring3_sim_run(const ring3_sim_workload_t *work, const ring3_sim_options_t *options,
                  ring3_sim_result_t *result)
{
    struct sim sim = {.work = work,
                      .options = options,
                      .result = result,
                      .policy = options->policy,
                      .params = options->params,
                      .cpu_count = options->cpus ? options->cpus : 1};
    const int64_t until = horizon(work, options);

    *result = (ring3_sim_result_t){.cpus = sim.cpu_count};
    if (!sim.policy || sim.cpu_count > RING3_SIM_CPUS || until < 0 || options->switch_cost < 0 ||
        !sensible(work, options, sim.cpu_count))
        return -EINVAL;
    sim.queue_count = options->global || options->gangs != RING3_SIM_ALONE ? 1 : sim.cpu_count;
    ring3_policy_settle(&sim.params, options->switch_cost);
    sim.err = prepare(&sim);
    if (!sim.err) {
        loop(&sim, until);
        conclude(&sim);
    }
    for (unsigned i = 0; i < sim.queue_count; i++)
        free(sim.queues[i]);
    free(sim.actors);
    free(sim.events);
    if (sim.err)
        ring3_sim_result_free(result);
    return sim.err;
}

void ring3_sim_result_free(ring3_sim_result_t *result)
{
    free(result->slices);
    free(result->jobs);
    *result = (ring3_sim_result_t){0};
}
