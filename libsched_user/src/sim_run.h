/* SPDX-License-Identifier: MIT */
/* A simulation under way, and what its parts offer each other. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "ring3/sim.h"

enum actor_state { ACTOR_COMING, ACTOR_READY, ACTOR_RUNNING, ACTOR_BLOCKED, ACTOR_DONE };

/* A job in the course of a simulation. */
struct actor {
    ring3_entity_t entity;
    const ring3_sim_job_t *job;
    ring3_sim_outcome_t *outcome;
    enum actor_state state;
    size_t step;
    int64_t left;     /* of its CPU step */
    uint64_t round;   /* of its steps, from 0 */
    int64_t released; /* the present round */
    int64_t since;    /* when it entered its state */
    int64_t total;    /* turnaround of all rounds so far */
    uint32_t lock;    /* that it waits for; NO_LOCK */
    unsigned cpu;     /* where it ran or is queued */
};

#define NO_LOCK UINT32_MAX

struct lock {
    struct actor *owner;
};

struct cpu {
    struct actor *running;
    struct actor *last; /* who ran before */
    int64_t since;      /* charged up to here; in the future while a switch is under way */
    bool expired, resched;
};

/* An arrival or wake-up to come. */
struct event {
    int64_t at;
    uint32_t actor;
};

struct sim {
    const ring3_sim_workload_t *work;
    const ring3_sim_options_t *options;
    ring3_sim_result_t *result;
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    struct actor *actors;
    struct event *events; /* a heap */
    size_t event_count;
    struct lock locks[RING3_SIM_LOCKS];
    struct cpu cpus[RING3_SIM_CPUS];
    unsigned cpu_count;
    void *queues[RING3_SIM_CPUS]; /* one, or one for each CPU */
    uint32_t loads[RING3_SIM_CPUS];
    unsigned queue_count;
    int64_t now;
    size_t unfinished;
    size_t slice_room;
    int err;
};

static inline unsigned sim_queue_of(const struct sim *sim, const struct actor *actor)
{
    return sim->queue_count == 1 ? 0 : actor->cpu;
}

/* The actor wants to run from now on. */
void sim_ready(struct sim *sim, struct actor *actor, ring3_why_t why);

/* It enters its queue; it leaves its CPU; it begins to run. */
void sim_enqueue(struct sim *sim, struct actor *actor, ring3_why_t why);
void sim_leave_cpu(struct sim *sim, struct cpu *cpu);
void sim_start(struct sim *sim, unsigned index, struct actor *actor);

/* sim_gang.c: who runs on which CPU, where jobs belong to gangs. */
void sim_dispatch_gangs(struct sim *sim);

/* sim_steps.c: go through steps that take no CPU time. True if the actor goes on running. */
bool sim_advance(struct sim *sim, struct actor *actor);

/* sim_steps.c: begin the first round. */
void sim_begin(struct sim *sim, struct actor *actor);

/* sim_events.c */
void sim_event_add(struct sim *sim, int64_t at, const struct actor *actor);
struct event sim_event_pop(struct sim *sim);

#endif
