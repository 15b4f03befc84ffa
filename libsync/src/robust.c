/* SPDX-License-Identifier: MIT */
/* Robust mutexes: see ring3/robust.h. */
#include "robust.h"

#include "spin.h"
#include "thread_id.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- The thread's list -------------------------------------------------------------------------- */

/* Where glibc puts the futex of a robust mutex, seen from its list node. */
#define FUTEX_OFFSET (-32L)

static_assert(offsetof(ring3_robust_t, word) - offsetof(ring3_robust_t, next) ==
                  (size_t)FUTEX_OFFSET,
              "the futex is where the thread's list expects it");
static_assert(offsetof(ring3_robust_t, next) - offsetof(ring3_robust_t, prev) == 8,
              "the links are where glibc's are");
static_assert(sizeof(ring3_robust_t) == 40, "the size is part of the interface");

/* The kernel's view of the list; glibc keeps a pointer to the last node in the word before. */
struct list_head {
    void *first; /* address of the `next` of the first object; bit 0 marks a PI mutex */
    long offset;
    void *pending;
};

static __thread struct list_head *thread_list;

static struct list_head *list(void)
{
    struct list_head *head = thread_list;
    size_t size = 0;

    if (ring3_likely(head != NULL))
        return head;
    const int saved = errno;

    if (syscall(SYS_get_robust_list, 0, &head, &size) != 0 || !head || head->offset != FUTEX_OFFSET)
        head = NULL;
    errno = saved;
    return thread_list = head;
}

bool ring3_robust_possible(void)
{
    return list() != NULL;
}

/* The `prev` that belongs to a `next`, also that of the head. */
static void **prev_of(void *next)
{
    return (void **)(((uintptr_t)next & ~(uintptr_t)1) - 8);
}

/* The order of the stores matters to the kernel alone, which looks when this thread is dead. */
static void enlist(struct list_head *head, ring3_robust_t *mutex)
{
    *prev_of(head->first) = &mutex->next;
    mutex->next = head->first;
    mutex->prev = head;
    ring3_compiler_barrier();
    ring3_write_once(&head->first, &mutex->next);
}

static void strike(ring3_robust_t *mutex)
{
    *prev_of(mutex->next) = mutex->prev;
    ring3_write_once((void **)((uintptr_t)mutex->prev & ~(uintptr_t)1), mutex->next);
    mutex->prev = NULL;
    mutex->next = NULL;
}

/* Between these two the kernel looks at the word even while it is in no list. */
static void begin(struct list_head *head, ring3_robust_t *mutex)
{
    ring3_write_once(&head->pending, &mutex->next);
    ring3_compiler_barrier();
}

static void end(struct list_head *head)
{
    ring3_compiler_barrier();
    ring3_write_once(&head->pending, NULL);
}

/* --- The word ------------------------------------------------------------------------------------ */

int ring3_robust_take(ring3_robust_t *mutex, bool waited)
{
    struct list_head *const head = list();
    const uint32_t waiters = waited ? FUTEX_WAITERS : 0;
    uint32_t seen = ring3_load(&mutex->word, RING3_RELAXED);

    begin(head, mutex);
    while ((seen & FUTEX_TID_MASK) == 0) {
        const uint32_t mine = ring3_thread_id() | (seen & FUTEX_WAITERS) | waiters;

        /* Pairs with the release in give, or with all that the kernel did for the dead owner. */
        if (ring3_cas_try(&mutex->word, &seen, mine, RING3_ACQUIRE)) {
            enlist(head, mutex);
            end(head);
            return seen & FUTEX_OWNER_DIED ? -EOWNERDEAD : 0;
        }
    }
    end(head);
    return -EBUSY;
}

void ring3_robust_give(ring3_robust_t *mutex, uint32_t word, int wake)
{
    struct list_head *const head = list();

    begin(head, mutex);
    strike(mutex);
    /* Pairs with the acquire in take. If we die before the wake-up, the kernel does it. */
    if (ring3_exchange(&mutex->word, word, RING3_RELEASE) & FUTEX_WAITERS)
        (void)ring3_futex_wake(&mutex->word, wake, RING3_SHARED);
    end(head);
}

int ring3_robust_await(ring3_robust_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    uint32_t seen;

    begin(list(), mutex);
    for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE); turn > 0; turn--) {
        if ((ring3_load(&mutex->word, RING3_RELAXED) & FUTEX_TID_MASK) == 0)
            return 0;
        ring3_cpu_relax();
    }
    seen = ring3_load(&mutex->word, RING3_RELAXED);
    while ((seen & FUTEX_TID_MASK) != 0) {
        if (!(seen & FUTEX_WAITERS) &&
            !ring3_cas_try(&mutex->word, &seen, seen | FUTEX_WAITERS, RING3_RELAXED))
            continue;
        if (ring3_futex_wait(&mutex->word, seen | FUTEX_WAITERS, RING3_SHARED, clock, deadline) ==
            -ETIMEDOUT)
            return -ETIMEDOUT;
        seen = ring3_load(&mutex->word, RING3_RELAXED);
    }
    return 0;
}

void ring3_robust_leave(void)
{
    end(list());
}

/* --- The mutex ------------------------------------------------------------------------------------ */

static bool is_mine(const ring3_robust_t *mutex)
{
    return (ring3_load(&mutex->word, RING3_RELAXED) & FUTEX_TID_MASK) == ring3_thread_id();
}

static int taken(ring3_robust_t *mutex, int result)
{
    if (mutex->state == ROBUST_LOST) {
        ring3_robust_give(mutex, 0, INT_MAX);
        return -ENOTRECOVERABLE;
    }
    if (result == -EOWNERDEAD)
        mutex->state = ROBUST_INCONSISTENT;
    return mutex->state == ROBUST_INCONSISTENT ? -EOWNERDEAD : 0;
}

int ring3_robust_trylock(ring3_robust_t *mutex)
{
    if (ring3_unlikely(!ring3_robust_possible()))
        return -ENOSYS;

    const int result = ring3_robust_take(mutex, false);

    return result == -EBUSY ? result : taken(mutex, result);
}

int ring3_robust_clocklock(ring3_robust_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    int result = ring3_robust_trylock(mutex);
    const int bad = ring3_deadline_check(clock, deadline);

    if (result != -EBUSY)
        return result;
    if (bad)
        return bad;
    if (is_mine(mutex))
        return -EDEADLK;
    do {
        result = ring3_robust_await(mutex, clock, deadline);
        if (result) {
            ring3_robust_leave();
            return result;
        }
        result = ring3_robust_take(mutex, true);
    } while (result == -EBUSY);
    return taken(mutex, result);
}

int ring3_robust_consistent(ring3_robust_t *mutex)
{
    if (!is_mine(mutex) || mutex->state != ROBUST_INCONSISTENT)
        return -EINVAL;
    mutex->state = ROBUST_CONSISTENT;
    return 0;
}

int ring3_robust_unlock(ring3_robust_t *mutex)
{
    if (!is_mine(mutex))
        return -EPERM;
    if (mutex->state == ROBUST_INCONSISTENT)
        mutex->state = ROBUST_LOST;
    ring3_robust_give(mutex, 0, mutex->state == ROBUST_LOST ? INT_MAX : 1);
    return 0;
}

/* The child's thread has a list of its own, which begins empty. */
static void forget_list(void)
{
    thread_list = NULL;
}

__attribute__((constructor(RING3_START_FIRST))) static void robust_start(void)
{
    (void)pthread_atfork(NULL, NULL, forget_list);
}
