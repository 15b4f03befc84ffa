/* SPDX-License-Identifier: MIT */
/*
 * Stacks in slabs, one list of slabs for each size class.
 *
 *     slab:   | descriptors of all its stacks | guard, stack | guard, stack | …
 *
 * Each slab is one mapping without reserve, and as large as all earlier ones of its class together,
 * so that a million stacks take about 20 mappings. Slabs live as long as the process.
 *
 * A free stack is warm (it may have pages; last in, first out) or cold (its pages went back), and
 * one that was never handed out is beyond `bound` in the newest slab.
 *
 * Publication: a slab's `count` is stored with release after everything else in it, and loaded with
 * acquire by the fault handler, which takes no lock.
 */
#include "ring3/stack.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/env.h"
#include "ring3/spinlock.h"
#include "stack_slabs.h"
#include "watchers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define CLASSES      5
#define SMALLEST     ((size_t)16 << 10)
#define CLASS_FACTOR 4

/* The first slab of a class; 16 KiB stacks: 1 MiB of address space, 4 MiB stacks: 256 MiB. */
#define FIRST_SLOTS 64
/* 64 doubled so often is more stacks than a process can have. */
#define SLABS_MAX    28

#define CANARY_WORDS 8
#define CANARY       UINT64_C(0x72696e6733746f70)

/* Whether MADV_GUARD_INSTALL guards. */
enum { MARKER_UNKNOWN, MARKER_WORKS, MARKER_NO };

struct slab {
    ring3_stack_t *stacks; /* descriptors */
    char *slots;           /* where the first stack's guard page begins */
    uint32_t count;        /* 0: no slab */
};

struct stack_class {
    struct slab slabs[SLABS_MAX];
    uint32_t slab_count;
    uint32_t bound; /* stacks of the newest slab that were handed out */
    ring3_stack_t *warm, *cold;
    uint64_t warm_count, cold_count, used;
};

/* Stacks are a resource of the process. Guarded by `lock`, but for slabs that are published, and
 * words that are accessed atomically. */
static struct {
    ring3_spinlock_t lock;
    struct stack_class classes[CLASSES];
    size_t reserved;
    uint64_t guards[RING3_STACK_GUARDS];
    uint32_t budget; /* stacks that may still be guarded by mprotect */
    uint32_t marker; /* MARKER_* */
    uint32_t warned;
} all = {.budget = 8192};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t size_of_class(int index)
{
    size_t size = SMALLEST;

    while (index-- > 0)
        size *= CLASS_FACTOR;
    return size;
}

size_t stack_class_size(const ring3_stack_t *stack)
{
    return size_of_class(stack->class_index);
}

static int class_for(size_t size)
{
    for (int index = 0; index < CLASSES; index++)
        if (size <= size_of_class(index))
            return index;
    return -EINVAL;
}

/* --- Guards ------------------------------------------------------------------------------------ */

static uint64_t *canary_of(const ring3_stack_t *stack)
{
    return (uint64_t *)(void *)stack->base;
}

static void canary_set(ring3_stack_t *stack)
{
    for (int i = 0; i < CANARY_WORDS; i++)
        canary_of(stack)[i] = CANARY;
}

static bool canary_intact(const ring3_stack_t *stack)
{
    watch_inspect(stack->base, CANARY_WORDS * sizeof(uint64_t));
    for (int i = 0; i < CANARY_WORDS; i++)
        if (canary_of(stack)[i] != CANARY)
            return false;
    return true;
}

/*
 * True if the kernel cannot read the page, which is untouched. An emulator may agree to an advice it
 * does not know, and do nothing. All-zero, the page is a time of no length to sleep.
 */
static bool unreadable(const char *page)
{
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, page, NULL) != 0 && errno == EFAULT;
}

static bool guard_by_marker(char *guard)
{
    const uint32_t known = ring3_load(&all.marker, RING3_RELAXED);

    if (known == MARKER_NO || ring3_env_disabled("guard"))
        return false;
    if (madvise(guard, page_size(), MADV_GUARD_INSTALL) != 0) {
        if (errno == EINVAL) /* an older kernel; other errors are of the moment */
            ring3_store(&all.marker, MARKER_NO, RING3_RELAXED);
        return false;
    }
    if (known == MARKER_UNKNOWN)
        ring3_store(&all.marker, unreadable(guard) ? MARKER_WORKS : MARKER_NO, RING3_RELAXED);
    return ring3_load(&all.marker, RING3_RELAXED) == MARKER_WORKS;
}

static bool guard_by_protection(char *guard)
{
    uint32_t left = ring3_load(&all.budget, RING3_RELAXED);

    do {
        if (left == 0)
            return false;
    } while (!ring3_cas_try(&all.budget, &left, left - 1, RING3_RELAXED));
    return mprotect(guard, page_size(), PROT_NONE) == 0;
}

static void guard(ring3_stack_t *stack)
{
    char *const page = stack->base - page_size();

    if (guard_by_marker(page)) {
        stack->guard = RING3_STACK_MARKED;
    } else if (guard_by_protection(page)) {
        stack->guard = RING3_STACK_PROTECTED;
    } else {
        stack->guard = RING3_STACK_CANARY;
        if (ring3_exchange(&all.warned, 1, RING3_RELAXED) == 0)
            ring3_env_complain(
                (const char *[]){"ring3: out of guard pages: overflows of further stacks are seen "
                                 "only afterwards"},
                1);
    }
    ring3_fetch_add(&all.guards[stack->guard], 1, RING3_RELAXED);
    stack->fresh = false;
}

/* --- Slabs ------------------------------------------------------------------------------------- */

static size_t descriptors_size(uint32_t count)
{
    const size_t page = page_size();

    return (count * sizeof(ring3_stack_t) + page - 1) & ~(page - 1);
}

/* Reserve room for `count` stacks; fewer, down to one, where address space is scarce. */
static int slab_add(struct stack_class *class, size_t stack_size)
{
    const uint32_t earlier =
        class->slab_count ? class->slabs[class->slab_count - 1].count : FIRST_SLOTS / 2;
    struct slab *const slab = &class->slabs[class->slab_count];
    char *memory = MAP_FAILED;
    size_t bytes = 0;
    uint32_t count;

    if (class->slab_count == SLABS_MAX)
        return -EAGAIN;
    for (count = 2 * earlier; count > 0; count /= 2) {
        bytes = descriptors_size(count) + count * stack_size;
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (memory != MAP_FAILED)
            break;
    }
    if (count == 0)
        return -EAGAIN;
    /* A huge page would bind the memory of many stacks when one is touched. */
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    slab->stacks = (ring3_stack_t *)(void *)memory;
    slab->slots = memory + descriptors_size(count);
    /* Pairs with the acquire in stack_guarding. */
    ring3_store(&slab->count, count, RING3_RELEASE);
    class->slab_count++;
    class->bound = 0;
    all.reserved += bytes;
    return 0;
}

static int bind(struct stack_class *class, int index, ring3_stack_t **bound)
{
    const size_t size = size_of_class(index);

    if (class->slab_count == 0 || class->bound == class->slabs[class->slab_count - 1].count) {
        const int err = slab_add(class, size);

        if (err)
            return err;
    }

    const struct slab *const slab = &class->slabs[class->slab_count - 1];
    ring3_stack_t *const stack = &slab->stacks[class->bound];

    stack->base = slab->slots + class->bound * size + page_size();
    stack->size = size - page_size();
    stack->class_index = (uint8_t)index;
    stack->fresh = true;
    class->bound++;
    *bound = stack;
    return 0;
}

const ring3_stack_t *stack_guarding(const char *address)
{
    for (int index = 0; index < CLASSES; index++)
        for (int i = 0; i < SLABS_MAX; i++) {
            const struct slab *const slab = &all.classes[index].slabs[i];
            /* Pairs with the release in slab_add. */
            const uint32_t count = ring3_load(&slab->count, RING3_ACQUIRE);
            const size_t size = size_of_class(index);

            if (count == 0)
                break;
            if (address < slab->slots || address >= slab->slots + count * size)
                continue;

            const size_t offset = (size_t)(address - slab->slots);

            return offset % size < page_size() ? &slab->stacks[offset / size] : NULL;
        }
    return NULL;
}

/* --- Taking and giving back -------------------------------------------------------------------- */

static ring3_stack_t *pop(ring3_stack_t **list, uint64_t *count)
{
    ring3_stack_t *const stack = *list;

    if (stack) {
        *list = stack->next;
        --*count;
    }
    return stack;
}

static void push(ring3_stack_t **list, uint64_t *count, ring3_stack_t *stack)
{
    stack->next = *list;
    *list = stack;
    ++*count;
}

int ring3_stack_get(size_t size, const char *name, ring3_stack_t **stack)
{
    const int saved = errno, index = class_for(size);
    struct stack_class *const class = &all.classes[index < 0 ? 0 : index];
    ring3_stack_t *got;
    int err = 0;

    if (index < 0)
        return index;
    ring3_spinlock_lock(&all.lock);
    got = pop(&class->warm, &class->warm_count);
    if (!got)
        got = pop(&class->cold, &class->cold_count);
    if (!got)
        err = bind(class, index, &got);
    if (!err)
        class->used++;
    ring3_spinlock_unlock(&all.lock);
    if (!err) {
        watch_new_owner(got->base, got->size);
        if (got->fresh)
            guard(got);
        if (got->guard == RING3_STACK_CANARY)
            canary_set(got);
        got->name = name ? name : "a context";
        got->maker = __builtin_return_address(0);
        *stack = got;
    }
    errno = saved;
    return err;
}

void ring3_stack_set_maker(ring3_stack_t *stack, const void *maker)
{
    stack->maker = maker;
}

/* The pages of a free stack go back to the kernel; its guard stays. */
static void cool(ring3_stack_t *stack)
{
    (void)madvise(stack->base, stack->size, MADV_DONTNEED);
}

int ring3_stack_put(ring3_stack_t *stack)
{
    const int saved = errno;
    struct stack_class *const class = &all.classes[stack->class_index];
    const uint64_t warm_max = RING3_STACK_WARM / stack_class_size(stack);
    const bool damaged = stack->guard == RING3_STACK_CANARY && !canary_intact(stack);
    bool warm;

    if (damaged)
        stack_tell(stack, "found afterwards");
    ring3_spinlock_lock(&all.lock);
    class->used--;
    warm = class->warm_count < warm_max;
    if (warm)
        push(&class->warm, &class->warm_count, stack);
    ring3_spinlock_unlock(&all.lock);
    if (!warm) {
        cool(stack);
        ring3_spinlock_lock(&all.lock);
        push(&class->cold, &class->cold_count, stack);
        ring3_spinlock_unlock(&all.lock);
    }
    errno = saved;
    return damaged ? -EOVERFLOW : 0;
}

void ring3_stack_reap(void)
{
    const int saved = errno;

    for (int index = 0; index < CLASSES; index++) {
        struct stack_class *const class = &all.classes[index];
        ring3_stack_t *stack;

        do {
            ring3_spinlock_lock(&all.lock);
            stack = pop(&class->warm, &class->warm_count);
            ring3_spinlock_unlock(&all.lock);
            if (stack) {
                cool(stack);
                ring3_spinlock_lock(&all.lock);
                push(&class->cold, &class->cold_count, stack);
                ring3_spinlock_unlock(&all.lock);
            }
        } while (stack);
    }
    errno = saved;
}

/* --- Looking ----------------------------------------------------------------------------------- */

size_t ring3_stack_high_water(const ring3_stack_t *stack)
{
    enum { PAGES_AT_ONCE = 64 };
    unsigned char resident[PAGES_AT_ONCE];
    const size_t page = page_size();
    const int saved = errno;
    size_t touched = 0;

    /* Upwards: the first resident page is the deepest that was touched. A canary's page is
     * always. */
    for (size_t at = stack->guard == RING3_STACK_CANARY ? page : 0; at < stack->size && !touched;
         at += PAGES_AT_ONCE * page) {
        const size_t rest = stack->size - at;
        const size_t length = rest < PAGES_AT_ONCE * page ? rest : PAGES_AT_ONCE * page;

        if (mincore(stack->base + at, length, resident) != 0)
            break;
        for (size_t i = 0; i < length / page && !touched; i++)
            if (resident[i] & 1)
                touched = stack->size - at - i * page;
    }
    errno = saved;
    return touched;
}

void ring3_stack_set_budget(uint32_t stacks)
{
    ring3_store(&all.budget, stacks, RING3_RELAXED);
}

void ring3_stack_stats(ring3_stack_stats_t *stats)
{
    *stats = (ring3_stack_stats_t){.reserved = 0};
    ring3_spinlock_lock(&all.lock);
    stats->reserved = all.reserved;
    for (int index = 0; index < CLASSES; index++) {
        stats->used += all.classes[index].used;
        stats->warm += all.classes[index].warm_count;
        stats->cold += all.classes[index].cold_count;
    }
    ring3_spinlock_unlock(&all.lock);
    for (int i = 0; i < RING3_STACK_GUARDS; i++)
        stats->guards[i] = ring3_load(&all.guards[i], RING3_RELAXED);
}

/* --- Fork: the child must not find the lock held by a thread it does not have -------------------- */

static void fork_lock(void)
{
    ring3_spinlock_lock(&all.lock);
}

static void fork_unlock(void)
{
    ring3_spinlock_unlock(&all.lock);
}

__attribute__((constructor)) static void stack_start(void)
{
    (void)pthread_atfork(fork_lock, fork_unlock, fork_unlock);
}
