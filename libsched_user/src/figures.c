/* SPDX-License-Identifier: MIT */
/* Figures for tools: see figures.h. */
#include "figures.h"

#include "runtime.h"

/* Of the process, as the runtime is. */
static struct sched_figures shown;
static uint64_t *stolen, *preempted;

void figures_publish(void)
{
    shown = (struct sched_figures){
        .runtime = (uintptr_t)&runtime,
        .runtime_size = sizeof runtime,
        .worker_size = sizeof(struct worker),
        .thread_size = sizeof(struct thread),
    };
    table_show(&shown);
    stolen = ring3_counter(FIGURES_STOLEN, RING3_COUNTER_COUNT);
    preempted = ring3_counter(FIGURES_PREEMPTED, RING3_COUNTER_COUNT);
    ring3_counter_table(FIGURES_RUNTIME, &shown, 1, sizeof shown);
}

void figures_stolen(void)
{
    ring3_counter_add(stolen, 1);
}

void figures_preempted(void)
{
    ring3_counter_add(preempted, 1);
}
