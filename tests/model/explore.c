/* SPDX-License-Identifier: MIT */
/* The explorer: threads, decisions and violations. See model.h. */
#include "explore.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct ring3_arch ring3_arch = {1, 1, 1};
struct explorer *model;

/* --- Decisions: replayed as far as they go, then always the first; backwards, depth first ------ */

static int decide(int count, int *budget)
{
    struct explorer *const e = model;

    if (count < 2 || (budget && *budget == 0))
        return 0;
    if (e->at == DECISIONS)
        model_check(false, "the run makes too many decisions");
    if (e->at == e->length)
        e->decision[e->length++] = (struct decision){0, (uint8_t)count};
    const int chosen = e->decision[e->at++].chosen;

    if (chosen > 0 && budget)
        --*budget;
    return chosen;
}

int model_choose(int count)
{
    return decide(count, NULL);
}

int model_stale(int count)
{
    return decide(count, &model->stale);
}

/* The next run's decisions; false if there is no further run. */
static bool next_run(void)
{
    struct explorer *const e = model;

    e->length = e->at;
    while (e->length > 0) {
        struct decision *const last = &e->decision[e->length - 1];

        if (++last->chosen < last->count)
            return true;
        e->length--;
    }
    return false;
}

/* --- Threads ----------------------------------------------------------------------------------- */

static void resume(int thread)
{
    struct explorer *const e = model;
    const int before = e->running;

    if (thread == before)
        return;
    if (before >= 0 && _setjmp(e->thread[before].place))
        return;
    e->running = thread;
    model_enter(thread);
    if (thread >= 0 && !e->thread[thread].started) {
        e->thread[thread].started = true;
        setcontext(&e->thread[thread].context);
    }
    _longjmp(thread < 0 ? e->home : e->thread[thread].place, 1);
}

void model_violation(const char *what)
{
    struct explorer *const e = model;

    snprintf(e->violation, sizeof e->violation, "%s (thread %d, step %d)", what, e->running,
             e->steps);
    e->running = -1;
    _longjmp(e->home, 1);
}

void model_check(bool claim, const char *what)
{
    if (!claim)
        model_violation(what);
}

/* Threads that can run, beginning after the running one. */
static int runnable(int list[])
{
    int count = 0;

    for (int i = 1; i <= model->threads; i++) {
        const int thread = (model->running + i + model->threads) % model->threads;

        if (thread != model->running && model->thread[thread].state == RUNNABLE)
            list[count++] = thread;
    }
    return count;
}

void model_step(void)
{
    struct explorer *const e = model;
    int others[MODEL_THREADS];

    if (e->running < 0)
        return;
    if (++e->steps > STEPS)
        model_violation("the run does not end");
    const int chosen = decide(runnable(others) + 1, &e->interruptions);

    if (chosen > 0)
        resume(others[chosen - 1]);
}

void model_relax(void)
{
    int others[MODEL_THREADS];

    if (model->running < 0 || runnable(others) == 0)
        return;
    if (++model->steps > STEPS)
        model_violation("the run does not end");
    resume(others[0]);
}

/* The running thread cannot go on. Without others, the deadlines of those who have one pass. */
void model_leave(void)
{
    struct explorer *const e = model;
    int others[MODEL_THREADS], count = runnable(others), left = 0;

    for (int i = 0; count == 0 && i < e->threads; i++)
        if (e->thread[i].state == BLOCKED && e->thread[i].deadline) {
            e->thread[i].state = RUNNABLE;
            e->thread[i].timed_out = true;
            if (e->now < e->thread[i].deadline)
                e->now = e->thread[i].deadline;
            resume(i);
            return;
        }
    for (int i = 0; i < e->threads; i++)
        left += e->thread[i].state == BLOCKED;
    if (count == 0 && left > 0)
        model_violation("all threads are blocked");
    resume(count == 0 ? -1 : others[decide(count, NULL)]);
}

static void run_thread(void)
{
    struct explorer *const e = model;

    e->scenario->thread(e->running);
    e->thread[e->running].state = DONE;
    model_leave();
}

static void one_run(void)
{
    struct explorer *const e = model;

    model_forget();
    e->at = e->steps = 0;
    e->now = 1;
    e->interruptions = e->scenario->interruptions;
    e->stale = e->scenario->stale;
    e->threads = e->scenario->threads;
    e->running = -1;
    for (int i = 0; i < e->threads; i++) {
        struct thread *const thread = &e->thread[i];

        thread->state = RUNNABLE;
        thread->started = false;
        getcontext(&thread->context);
        thread->context.uc_stack.ss_sp = e->stack[i];
        thread->context.uc_stack.ss_size = STACK;
        makecontext(&thread->context, run_thread, 0);
    }
    model_enter(-1);
    if (_setjmp(e->home) == 0) {
        if (e->scenario->start)
            e->scenario->start();
        model_know_all();
        resume(decide(e->threads, NULL));
    }
    if (e->violation[0] != '\0')
        return;
    model_enter(-1);
    model_know_all();
    if (e->scenario->end && _setjmp(e->home) == 0)
        e->scenario->end();
}

/* --- What the program's variables were before the first run ------------------------------------ */

extern char __data_start[], _end[];
static char *original;

static void keep_memory(void)
{
    original = mmap(NULL, (size_t)(_end - __data_start), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (original == MAP_FAILED)
        abort();
    memcpy(original, __data_start, (size_t)(_end - __data_start));
}

void model_start(void)
{
    model = mmap(NULL, sizeof *model, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (model == MAP_FAILED)
        abort();
    /* Its own address is among what is kept. */
    original = NULL;
    keep_memory();
    char *const kept = original;

    memcpy(kept + ((char *)&original - __data_start), &kept, sizeof kept);
}

/* Explore a scenario, or `limit` runs of it. True if a violation was found. */
bool model_explore(const struct model_scenario *scenario, long limit)
{
    struct explorer *const e = model;

    e->scenario = scenario;
    e->length = 0;
    e->runs = 0;
    e->violation[0] = '\0';
    do {
        memcpy(__data_start, original, (size_t)(_end - __data_start));
        one_run();
        e->runs++;
        if (e->violation[0] != '\0')
            return true;
    } while (next_run() && e->runs < limit);
    return false;
}

void model_show(const struct model_scenario *scenario)
{
    struct explorer *const e = model;

    e->scenario = scenario;
    e->violation[0] = '\0';
    memcpy(__data_start, original, (size_t)(_end - __data_start));
    e->trace = true;
    one_run();
    e->trace = false;
}
