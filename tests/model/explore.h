/* SPDX-License-Identifier: MIT */
/* What the parts of the explorer share. All of it lies outside the variables that are restored
 * before each run. */
#ifndef RING3_EXPLORE_H
#define RING3_EXPLORE_H

#include "model.h"

#include "ring3/self.h"

#include <setjmp.h>
#include <ucontext.h>

enum { DECISIONS = 4096, STEPS = 6000, STACK = 64 << 10, WORDS = 512, MESSAGES = 24, SITES = 512 };

/* What a thread knows: for each word the newest message, for each thread how many of its plain
 * accesses are over. */
struct view {
    uint16_t word[WORDS];
    uint32_t over[MODEL_THREADS + 1]; /* the last one: outside the threads */
};

struct message {
    uint64_t value;
    struct view *view; /* what its reader may take over; NULL: nothing */
};

struct word {
    const void *place;
    size_t size;
    int count, first; /* messages first … count - 1 exist */
    struct message message[MESSAGES];
    uint32_t written, writer, read[MODEL_THREADS + 1]; /* plain data */
};

struct thread {
    enum { RUNNABLE, BLOCKED, DONE } state;
    bool started, timed_out;
    int64_t deadline; /* 0: none */
    const void *futex;
    jmp_buf place;
    ucontext_t context;
    ring3_self_t self;
    struct view view, released,
        acquirable; /* as of the last release fence; for the next acquire fence */
};

struct decision {
    uint8_t chosen, count;
};

struct explorer {
    const struct model_scenario *scenario;
    jmp_buf home;
    int threads, running; /* running: -1 outside the threads */
    int at, length, interruptions, stale, steps;
    int64_t now; /* the clock, in nanoseconds */
    long runs;
    bool trace;
    int passed, failed;
    char violation[160];
    /* The mutation under test, and all sites that have an order. */
    const struct model_site *weakened;
    int weakened_order;
    const struct model_site *site[SITES];
    int sites;
    struct view everything, sc, *views; /* views: a store for messages, `used` of it */
    int used, words;
    uint16_t hash[4 * WORDS];
    struct decision decision[DECISIONS];
    struct thread thread[MODEL_THREADS], outside;
    struct word word[WORDS];
    char stack[MODEL_THREADS][STACK] __attribute__((aligned(64)));
};

extern struct explorer *model;

void model_start(void);
bool model_explore(const struct model_scenario *scenario, long limit);
/* Run the one that was found to be a violation again, and show what each thread does. */
void model_show(const struct model_scenario *scenario);
__attribute__((noreturn)) void model_violation(const char *what);
void model_step(void);
void model_leave(void);
int model_stale(int count);

/* In memory.c. */
void model_forget(void);      /* all messages and views */
void model_enter(int thread); /* the running thread is another; -1: none */
void model_know_all(void);    /* creating and joining threads orders everything */

#endif
