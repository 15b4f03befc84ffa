/* SPDX-License-Identifier: MIT */
/*
 * The thread table: a name is an index into a table of threads, and which life of that entry is
 * meant. Entries stay where they are for as long as the process lives, so that a late wake-up or a
 * look-up of a thread that is gone finds memory of the right kind; the life tells the difference.
 *
 * Slabs of entries come into being as they are needed. A worker keeps entries of threads that ended
 * there; the rest is one list under a lock.
 */
#include "runtime.h"

#include "figures.h"

#include <sys/mman.h>

#define SLAB_THREADS 256U
#define SLABS        65536U

static struct thread *slabs[SLABS];
static uint32_t made; /* entries; written under table_lock */

ring3_thread_t thread_name(const struct thread *thread)
{
    return (uint64_t)thread->life << 32 | (thread->index + 1);
}

struct thread *table_at(uint32_t index)
{
    /* Pairs with the release in grow. */
    if (index >= ring3_load(&made, RING3_ACQUIRE))
        return NULL;
    return &slabs[index / SLAB_THREADS][index % SLAB_THREADS];
}

/* --- Looking a thread up ---------------------------------------------------------------------- */

/*
 * thread->holders
 *     0-30  how many have found it and not dropped it yet
 *     31    LEFT: it was given back while somebody held it; the last one to drop it completes that
 *
 * Who looks up counts himself first and then compares the life; who gives back ends the life first and
 * then looks whether anybody is counted: so one of the two sees the other. Entries never become
 * anything else, so a late count does no harm, and no read section of RCU is needed around it.
 */
#define LEFT UINT32_C(0x80000000)

/* On the only worker, without preemption, nothing can come between a look-up and what follows. */
static bool undisturbed(void)
{
    return runtime.workers == 1 && !runtime.preemptive && worker_here() && !worker_here()->bound &&
           !ring3_load(&runtime.several, RING3_RELAXED);
}

static void put_on_list(struct worker *here, struct thread *thread)
{
    if (here) {
        worker_hold(here);
        thread->next = here->free;
        here->free = thread;
        worker_let_go(here);
        return;
    }
    kernel_lock(&runtime.table_lock);
    thread->next = runtime.free;
    runtime.free = thread;
    kernel_unlock(&runtime.table_lock);
}

/* Nobody is counted any more: one of those who see that takes the mark away, and the entry is free. */
static void complete(struct worker *here, struct thread *thread)
{
    uint32_t left = LEFT;

    /* Pairs with the releases in table_drop. */
    if (ring3_cas_try(&thread->holders, &left, 0, RING3_ACQ_REL))
        put_on_list(here, thread);
}

struct thread *table_find(ring3_thread_t name)
{
    const uint32_t low = (uint32_t)name, life = (uint32_t)(name >> 32);
    struct thread *const thread = low ? table_at(low - 1) : NULL;

    if (!thread)
        return NULL;
    if (!undisturbed()) {
        (void)ring3_fetch_add(&thread->holders, 1, RING3_SEQ_CST);
        /* Pairs with the light fence in table_give. */
        if (runtime.workers == 1)
            ring3_fence_heavy();
    }
    /* Sequentially consistent with the exchange in table_give. */
    if (ring3_load(&thread->life, RING3_SEQ_CST) == life)
        return thread;
    table_drop(thread);
    return NULL;
}

void table_drop(struct thread *thread)
{
    if (undisturbed())
        return;
    /* Pairs with the acquire in complete: what we did to the thread is done. */
    if (ring3_fetch_sub(&thread->holders, 1, RING3_ACQ_REL) == LEFT + 1)
        complete(NULL, thread);
}

/* Under table_lock. */
static bool grow(void)
{
    const uint32_t slab = made / SLAB_THREADS;
    const size_t size = SLAB_THREADS * (sizeof(struct thread) + sizeof(struct rare));
    struct thread *threads;
    struct rare *rare;

    if (slab == SLABS)
        return false;
    threads = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (threads == MAP_FAILED)
        return false;
    /* A huge page would make all the rare parts real at the first use of anything. */
    (void)madvise(threads, size, MADV_NOHUGEPAGE);
    rare = (struct rare *)(threads + SLAB_THREADS);
    slabs[slab] = threads;
    for (uint32_t i = SLAB_THREADS; i-- > 0;) {
        threads[i].index = made + i;
        threads[i].state = FREE;
        threads[i].rare = &rare[i];
        threads[i].next = runtime.free;
        runtime.free = &threads[i];
    }
    /* Pairs with the acquire in table_at. */
    ring3_store(&made, made + SLAB_THREADS, RING3_RELEASE);
    return true;
}

struct thread *table_take(struct worker *here)
{
    struct thread *thread = NULL;

    if (here) {
        worker_hold(here);
        thread = here->free;
        if (thread)
            here->free = thread->next;
        worker_let_go(here);
    }
    if (thread)
        return thread;
    kernel_lock(&runtime.table_lock);
    if (runtime.free || grow()) {
        thread = runtime.free;
        runtime.free = thread->next;
    }
    kernel_unlock(&runtime.table_lock);
    return thread;
}

void table_give(struct worker *here, struct thread *thread)
{
    set_state(thread, FREE);
    if (runtime.workers == 1) {
        ring3_store(&thread->life, thread->life + 1, RING3_RELEASE);
        ring3_fence_light(); /* pairs with the heavy fence in table_find */
    } else {
        /* Sequentially consistent with the count in table_find. */
        (void)ring3_exchange(&thread->life, thread->life + 1, RING3_SEQ_CST);
    }
    /* The acquire pairs with the release in table_drop. */
    if (ring3_likely(ring3_load(&thread->holders, RING3_SEQ_CST) == 0))
        put_on_list(here, thread);
    else if (ring3_fetch_add(&thread->holders, LEFT, RING3_ACQ_REL) == 0)
        complete(here, thread);
}

/* All entries are free but `survivor` (may be NULL). */
static void reset(const struct thread *survivor)
{
    runtime.free = NULL;
    for (uint32_t i = made; i-- > 0;) {
        struct thread *const thread = table_at(i);

        if (thread == survivor)
            continue;
        if (thread->state != FREE)
            thread->life++;
        thread->state = FREE;
        thread->holders = 0;
        thread->next = runtime.free;
        runtime.free = thread;
    }
}

void table_reset(void)
{
    reset(NULL);
}

void table_forked(const struct thread *survivor)
{
    reset(survivor);
}

void table_show(struct sched_figures *figures)
{
    figures->slabs = (uintptr_t)slabs;
    figures->slab_threads = SLAB_THREADS;
    figures->made = (uintptr_t)&made;
}
