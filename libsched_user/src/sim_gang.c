/* SPDX-License-Identifier: MIT */
/*
 * Gangs: jobs that work together, and want to run together.
 *
 * Co-scheduling: when the policy picks one, the others of its gang that are ready get CPUs too, idle
 * ones first, then those of strangers. Gang scheduling (Ousterhout 1982; Feitelson and Rudolph
 * 1992): all that are ready run at once, or none; when the turn of one is over, they all go. Who does
 * not fit waits at the head of the queue, and nobody passes: so wide gangs do not starve, and CPUs
 * may be idle meanwhile.
 */
#include "sim_run.h"

static bool same_gang(const struct actor *one, const struct actor *other)
{
    return one == other || (one->job->gang != 0 && one->job->gang == other->job->gang);
}

static void requeue(struct sim *sim, struct cpu *cpu, ring3_why_t why)
{
    struct actor *const actor = cpu->running;

    sim_leave_cpu(sim, cpu);
    sim_enqueue(sim, actor, why);
}

/* The turn of one is over: with gang scheduling that of all. */
static void end_turns(struct sim *sim)
{
    for (unsigned i = 0; i < sim->cpu_count; i++) {
        struct cpu *const cpu = &sim->cpus[i];

        if (!cpu->running || !(cpu->expired || cpu->resched) ||
            sim->options->gangs != RING3_SIM_GANG)
            continue;
        for (unsigned k = 0; k < sim->cpu_count; k++)
            if (sim->cpus[k].running && same_gang(sim->cpus[k].running, cpu->running)) {
                sim->cpus[k].expired |= cpu->expired;
                sim->cpus[k].resched |= cpu->resched;
            }
    }
    for (unsigned i = 0; i < sim->cpu_count; i++)
        if (sim->cpus[i].running && (sim->cpus[i].expired || sim->cpus[i].resched))
            requeue(sim, &sim->cpus[i], sim->cpus[i].expired ? RING3_EXPIRED : RING3_PREEMPTED);
}

static unsigned idle_cpus(const struct sim *sim)
{
    unsigned idle = 0;

    for (unsigned i = 0; i < sim->cpu_count; i++)
        idle += !sim->cpus[i].running;
    return idle;
}

/* An idle CPU, or one whose job has run for a while and is a stranger to the gang; or -1. */
static int cpu_for(const struct sim *sim, const struct actor *actor, bool take)
{
    for (unsigned i = 0; i < sim->cpu_count; i++)
        if (!sim->cpus[i].running)
            return (int)i;
    for (unsigned i = 0; take && i < sim->cpu_count; i++)
        if (sim->cpus[i].since < sim->now && !same_gang(sim->cpus[i].running, actor))
            return (int)i;
    return -1;
}

static unsigned ready_others(const struct sim *sim, const struct actor *actor)
{
    unsigned others = 0;

    for (size_t i = 0; i < sim->work->count; i++)
        others += &sim->actors[i] != actor && sim->actors[i].state == ACTOR_READY &&
                  same_gang(&sim->actors[i], actor);
    return others;
}

static void start_others(struct sim *sim, const struct actor *first)
{
    for (size_t i = 0; i < sim->work->count; i++) {
        struct actor *const actor = &sim->actors[i];
        int cpu;

        if (actor == first || actor->state != ACTOR_READY || !same_gang(actor, first))
            continue;
        cpu = cpu_for(sim, actor, sim->options->gangs == RING3_SIM_COSCHEDULED);
        if (cpu < 0)
            return;
        if (sim->cpus[cpu].running)
            requeue(sim, &sim->cpus[cpu], RING3_PREEMPTED);
        sim->policy->dequeue(sim->queues[0], &actor->entity, sim->now);
        sim_start(sim, (unsigned)cpu, actor);
    }
}

void sim_dispatch_gangs(struct sim *sim)
{
    end_turns(sim);
    for (unsigned idle; (idle = idle_cpus(sim)) > 0;) {
        ring3_entity_t *const entity = sim->policy->pick(sim->queues[0], sim->now);
        struct actor *actor;

        if (!entity)
            return;
        actor = ring3_container_of(entity, struct actor, entity);
        if (sim->options->gangs == RING3_SIM_GANG && 1 + ready_others(sim, actor) > idle) {
            sim->policy->enqueue(sim->queues[0], entity, RING3_PREEMPTED, sim->now);
            return;
        }
        sim_start(sim, (unsigned)cpu_for(sim, actor, false), actor);
        start_others(sim, actor);
    }
}
