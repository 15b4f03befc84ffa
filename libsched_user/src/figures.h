/* SPDX-License-Identifier: MIT */
/* What the runtime shows to tools: a row of its table of counters says where its parts lie. */
#ifndef FIGURES_H
#define FIGURES_H

#include "ring3/counters.h"

/* The name of the table with one struct sched_figures. It is to change when the runtime's structures
 * do in a way that their sizes do not show. */
#define FIGURES_RUNTIME   "sched.runtime.1"

#define FIGURES_STOLEN    "sched.stolen"
#define FIGURES_PREEMPTED "sched.preempted"

/* Addresses, and the sizes that a tool must agree with before it reads there. */
struct sched_figures {
    uint64_t runtime, runtime_size; /* struct runtime */
    uint64_t worker_size;           /* struct worker */
    uint64_t thread_size;           /* struct thread */
    uint64_t slabs;                 /* addresses of slabs of so many threads each */
    uint64_t slab_threads;
    uint64_t made; /* the word that says how many threads all slabs have, 32 bits */
};

/* The runtime begins: from now on it is shown. */
void figures_publish(void);

/* A worker took a thread of another; a thread was interrupted and another runs. */
void figures_stolen(void);
void figures_preempted(void);

#endif
