/* SPDX-License-Identifier: MIT */
/*
 * The explorer: runs a scenario of a few threads again and again, each time with other decisions
 * about who runs next and which of the values that the memory model allows a load reads, until
 * nothing is left to decide within the bounds.
 *
 * Memory model: views, as in Kang et al. 2017 (without promises). Every store to a word is a
 * message; a load reads any message that is not older than the newest its thread knows of. Releases
 * attach what the thread knows to the message, acquires take it over, fences exchange it. So loads
 * may read stale values wherever C11 lets them; stores of one word are in the order of execution,
 * and no load reads a value that is stored later. A heavy fence is a full fence in every thread.
 *
 * Bounds: how often a running thread is interrupted, and how often a load reads anything but the
 * newest value (Musuvathi and Qadeer 2007: few of either find most bugs). A pause in a loop, and
 * blocking, let another thread run at no cost.
 *
 * A violation is a check that fails, plain data accessed while another thread's access is not known
 * to be over, all threads blocked, or a run that does not end.
 */
#ifndef RING3_MODEL_H
#define RING3_MODEL_H

#include "ring3/arch.h"

#define MODEL_THREADS 4

struct model_scenario {
    const char *name;
    int threads;
    void (*start)(void);      /* before the threads; may be NULL */
    void (*thread)(int me);   /* each of them */
    void (*end)(void);        /* after the threads; may be NULL */
    int interruptions, stale; /* the bounds */
    bool broken;              /* a violation is expected: the explorer must find it */
    const char *watched;      /* mutate the sites of files that contain this word; NULL: none */
    struct model_scenario *next;
};

void model_register(struct model_scenario *scenario);

/* MODEL(name, threads, …) = the fields, by name. */
#define MODEL(id, ...)                                                                             \
    static struct model_scenario model_##id = {.name = #id, __VA_ARGS__};                          \
    __attribute__((constructor)) static void model_register_##id(void)                             \
    {                                                                                              \
        model_register(&model_##id);                                                               \
    }

/* Plain data, which only what is under test orders. */
uint64_t model_read(const uint64_t *data);
void model_write(uint64_t *data, uint64_t value);

void model_check(bool claim, const char *what);

/* One decision of the scenario's own: 0 to count - 1. */
int model_choose(int count);

#endif
