/* SPDX-License-Identifier: MIT */
/* Kernel threads as execution contexts: their record, and the futex parker. */
#include "ring3/self.h"

#include "ring3/atomic.h"
#include "ring3/wait.h"

#include "nodes.h"
#include "reader.h"
#include "readers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static int kernel_park(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                       const struct timespec *deadline)
{
    const int result = ring3_futex_wait(word, expected, RING3_PRIVATE, clock, deadline);

    (void)self;
    return result == -EAGAIN ? 0 : result;
}

/* A futex is woken by address alone, and a wake-up at an address that is no longer a futex does no
 * harm. */
static void *kernel_claim(ring3_self_t *self, uint32_t *word)
{
    (void)self;
    return word;
}

static void kernel_unpark(void *claimed)
{
    (void)ring3_futex_wake(claimed, 1, RING3_PRIVATE);
}

static void kernel_yield(ring3_self_t *self)
{
    (void)self;
    (void)sched_yield();
}

static const ring3_parker_t kernel_parker = {kernel_park, kernel_claim, kernel_unpark,
                                             kernel_yield};

/* The thread's own record, and the context it runs at present. */
static __thread ring3_self_t kernel_self;
/* Assembly names it (ring3/self.h), which link-time optimisation does not see. */
__attribute__((used)) __thread ring3_self_t *ring3_self_pointer;

#ifndef RING3_HAVE_THREAD_POINTERS
__attribute__((noinline)) ring3_self_t *ring3_self_known(void)
{
    __asm__ __volatile__("");
    return ring3_self_pointer;
}

__attribute__((noinline)) void ring3_self_set(ring3_self_t *self)
{
    __asm__ __volatile__("");
    ring3_self_pointer = self;
}
#endif

ring3_self_t *ring3_self_enter(void)
{
    kernel_self.parker = &kernel_parker;
    kernel_self.id = (uint32_t)syscall(SYS_gettid);
    ring3_self_set(&kernel_self);
    return &kernel_self;
}

ring3_self_t *ring3_self_switch(ring3_self_t *self)
{
    ring3_self_t *const before = ring3_self();

    ring3_self_set(self);
    return before;
}

/* permit: 0 none; 1 given; 2 none, and the owner sleeps. */
enum { PERMIT_NONE, PERMIT_GIVEN, PERMIT_AWAITED };

int ring3_park_until(clockid_t clock, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    for (;;) {
        uint32_t seen = PERMIT_NONE;

        /*
         * The exchanges pair with the release in ring3_unpark. A store would not do for taking the
         * permit: a second unpark may have given it again since we looked, and what its caller
         * wrote before must be seen too.
         */
        if (!ring3_cas_try(&self->permit, &seen, PERMIT_AWAITED, RING3_RELAXED) &&
            seen == PERMIT_GIVEN) {
            (void)ring3_exchange(&self->permit, PERMIT_NONE, RING3_ACQUIRE);
            return 0;
        }
        if (self->parker->park(self, &self->permit, PERMIT_AWAITED, clock, deadline) == -ETIMEDOUT)
            return ring3_exchange(&self->permit, PERMIT_NONE, RING3_ACQUIRE) == PERMIT_GIVEN
                       ? 0
                       : -ETIMEDOUT;
    }
}

void ring3_unpark(ring3_self_t *self)
{
    const ring3_parker_t *const parker = self->parker;
    void *const claimed = parker->claim(self, &self->permit);

    /* Pairs with the exchanges in ring3_park_until. */
    if (ring3_exchange(&self->permit, PERMIT_GIVEN, RING3_RELEASE) == PERMIT_AWAITED)
        parker->unpark(claimed);
}

void ring3_self_retire(ring3_self_t *self)
{
    ring3_mcs_forsake(self);
    ring3_nodes_give_back(self);
    ring3_readers_give_back(self);
    ring3_reader_give_back(self);
}

/* Set only in kernel threads that keep something: its destructor runs when they end. */
static pthread_key_t exit_key;
/* False before our constructor, where other constructors may take locks. */
static bool exit_key_made;
/* The key is set in this thread: asked at every turn, so not of libc. */
static __thread bool exit_key_set;

static void retire(void *self)
{
    exit_key_set = false;
    ring3_self_retire(self);
}

void ring3_self_keeps(ring3_self_t *self)
{
    if (exit_key_set || self != &kernel_self || !exit_key_made)
        return;
    exit_key_set = true;
    (void)pthread_setspecific(exit_key, self);
}

static void id_after_fork(void)
{
    kernel_self.id = (uint32_t)syscall(SYS_gettid);
    if (kernel_self.reader)
        ((ring3_reader_t *)kernel_self.reader)->id = kernel_self.id;
}

__attribute__((constructor(RING3_START_FIRST))) static void self_start(void)
{
    exit_key_made = pthread_key_create(&exit_key, retire) == 0;
    (void)pthread_atfork(NULL, NULL, id_after_fork);
}
