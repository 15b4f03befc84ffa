/* SPDX-License-Identifier: MIT */
/*
 * hardening=fast|full: misuse of the heap is found, or does no harm.
 *
 *     | what was asked for | canary … | seal |      and in the shadow (shadow.h): the block's state
 *
 * state   LIVE, HELD in quarantine, FREED, or NEVER handed out. A free of anything but LIVE is a
 *         misuse, found each time: the state is apart from the heap.
 * canary  bytes after the end, checked when the block is freed or resized
 * seal    the last word: a canary byte, then 7 bytes of the size asked for, so encoded that no change
 *         goes unseen
 *
 * fast clears the first bytes of what is freed, and hands the block back to the policy.
 *
 * full takes one lock, clears the whole block, and holds it in quarantine: when it leaves, and when
 * the process ends, it must still be clear. A block that is freed is compared with its neighbour in
 * front too, whose seal an underflow hits. Large blocks end at a guard page, and all of their pages
 * are forbidden while they are in quarantine. Every realloc moves. Memory is clear when it is handed
 * out.
 *
 * Orders: states are relaxed; who passes a pointer from thread to thread orders them.
 */
#include "layers.h"

#include "cache.h"
#include "guard.h"
#include "misuse.h"
#include "redzone.h"
#include "shadow.h"

#include "ring3/arch.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/single_threaded.h>

enum { NEVER, LIVE, LIVE_GUARDED, HELD, FREED };

#define SEAL sizeof(uint64_t)

/* Odd, so that a product with it can be undone: its inverse modulo 2^64. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)
#define GATHER UINT64_C(0xf1de83e19937733d)
_Static_assert(SPREAD *GATHER == 1, "a seal can be opened");

/* fast: how much is cleared and how much of the rest of a block is canary. The slack of a size class
 * is 15 bytes up to 1 KiB. */
#define FAST_CLEARED ((size_t)256)
#define FAST_CANARY  ((size_t)32)
#define FULL_CANARY  ((size_t)4096)

/* full: from this size on blocks have a guard page, and beyond it their pages are forbidden when they
 * are freed: blocks that lie in no slab, so that no policy looks into them for its own purposes. */
#define GUARDED_FROM ((size_t)32 << 10)

/* full: slabs of blocks up to this size spare one. */
#define FIRST_UNUSED ((size_t)2048)

/* Quarantine: a free waits for about this many others, or this many bytes. */
#define HELD_BLOCKS 1024
#define HELD_BYTES  ((size_t)16 << 20)
/* And leaves a lobby of so many at random, so that nobody can tell when its address comes back. */
#define LOBBY 64

struct held {
    char *block;
    size_t whole;
};

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
    bool full;
    bool clear; /* the policy writes nothing to the end of free blocks */
    size_t canary_max;
    uint64_t secret;

    ring3_mutex_t lock; /* full: over everything */
    const void *holder; /* the thread that has it (guard.h), or NULL */
    struct held lobby[LOBBY], queue[HELD_BLOCKS];
    size_t first, count, bytes; /* of the queue */
    uint64_t random;
} harden; /* of the one heap */

/* --- Seals ------------------------------------------------------------------------------------ */

typedef uint64_t __attribute__((may_alias, aligned(1))) seal_t;

static uint64_t key_of(const char *block)
{
    return harden.secret ^ (uintptr_t)block * SPREAD;
}

/* The first whole page after the block's end; there is one in front of the seal. */
static char *guard_page(const char *block, size_t size)
{
    const size_t page = ring3_pages_size();

    return (char *)(((uintptr_t)block + size + page - 1) & ~(page - 1));
}

static size_t canary_bytes(const char *block, size_t size, size_t whole, uint8_t life)
{
    const size_t slack = life == LIVE_GUARDED ? (size_t)(guard_page(block, size) - block) - size
                                              : whole - SEAL - size;

    return slack < harden.canary_max ? slack : harden.canary_max;
}

/* Never 0, or a string that ends one byte late would go unseen. */
static int canary_of(const char *block)
{
    return (int)(key_of(block) >> 56 | 1);
}

static void seal(char *block, size_t size, size_t whole, uint8_t life)
{
    memset(block + size, canary_of(block), canary_bytes(block, size, whole, life));
    *(seal_t *)(void *)(block + whole - SEAL) =
        (size * SPREAD ^ key_of(block)) << 8 | (unsigned)canary_of(block);
}

/* False if something was written behind the block. */
static bool unseal(const char *block, size_t whole, uint8_t life, size_t *size)
{
    const int canary = canary_of(block);
    const uint64_t word = *(const seal_t *)(const void *)(block + whole - SEAL);
    size_t count;

    *size = ((word >> 8 ^ key_of(block)) * GATHER) & (UINT64_MAX >> 8);
    if ((int)(word & 0xff) != canary || *size > whole - SEAL)
        return false;
    count = canary_bytes(block, *size, whole, life);
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)block[*size + i] != canary)
            return false;
    return true;
}

/* --- States ----------------------------------------------------------------------------------- */

static bool is_live(uint8_t state)
{
    return state == LIVE || state == LIVE_GUARDED;
}

static uint8_t state_of(const void *block)
{
    const uint8_t *const state = (uintptr_t)block % 16 ? NULL : ring3_shadow(block);

    return state ? ring3_load(state, RING3_RELAXED) : NEVER;
}

static int why_not(uint8_t state)
{
    return state == NEVER ? -EINVAL : -EALREADY;
}

/* The block is not LIVE any more, and this call made it so; or an error. Of two threads that free the
 * same block at once one finds it freed. */
static int end_life(void *block, uint8_t *was)
{
    uint8_t *const state = (uintptr_t)block % 16 ? NULL : ring3_shadow(block);

    if (!state)
        return -EINVAL;
    *was = ring3_load(state, RING3_RELAXED);
    if (!is_live(*was))
        return why_not(*was);
    if (harden.full || __libc_single_threaded) {
        ring3_store(state, (uint8_t)FREED, RING3_RELAXED);
        return 0;
    }
    return ring3_cas_try(state, was, (uint8_t)FREED, RING3_RELAXED) ? 0 : -EALREADY;
}

/* --- The lock, under full --------------------------------------------------------------------- */

/* What lies below may come back here while it is at work: it starts a thread, and that allocates.
 * Nothing of ours is in the middle of a change then. Relaxed: a thread only looks for itself. */
static bool enter(void)
{
    const void *const self = ring3_guard_thread();

    if (!harden.full || ring3_load(&harden.holder, RING3_RELAXED) == self ||
        !guard_enter(&harden.lock))
        return false;
    ring3_store(&harden.holder, self, RING3_RELAXED);
    return true;
}

static void leave(bool locked)
{
    if (!locked)
        return;
    ring3_store(&harden.holder, NULL, RING3_RELAXED);
    ring3_mutex_unlock(&harden.lock);
}

/* --- Guard pages and quarantine, under full --------------------------------------------------- */

static bool wants_guard(size_t size)
{
    return harden.full && size > GUARDED_FROM;
}

/* The whole pages of a block, all but those at its ends. */
static size_t inner_pages(const struct held *held, char **from)
{
    const size_t page = ring3_pages_size();
    const uintptr_t start = ((uintptr_t)held->block + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)held->block + held->whole) & ~(page - 1);

    *from = (char *)start;
    return end > start && held->whole > GUARDED_FROM ? end - start : 0;
}

/* The block in quarantine was written to. */
static bool is_spoiled(const struct held *held)
{
    char *from;
    const size_t forbidden = inner_pages(held, &from);
    const char *const end = forbidden ? from : held->block + held->whole;

    for (const char *at = held->block; at < end; at++)
        if (*at)
            return true;
    for (const char *at = forbidden ? from + forbidden : end; at < held->block + held->whole; at++)
        if (*at)
            return true;
    return false;
}

/* 0, or -ESTALE for a block that was written to. */
static int let_go(struct held *held)
{
    uint8_t *const state = ring3_shadow(held->block);
    char *from;
    size_t forbidden;

    if (is_spoiled(held))
        return -ESTALE;
    forbidden = inner_pages(held, &from);
    if (forbidden && ring3_load(state, RING3_RELAXED) == HELD)
        ring3_redzone_clear(from, forbidden);
    ring3_store(state, (uint8_t)FREED, RING3_RELAXED);
    return harden.below->release(ring3_owner_of(held->block), held->block);
}

/* 0, or an error about *bad. */
static int push(struct held held, void **bad)
{
    struct held *const place = &harden.lobby[(harden.random >> 33) % LOBBY];
    const struct held entering = *place;
    int err = 0;

    harden.random = harden.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    *place = held;
    if (!entering.block)
        return 0;
    harden.queue[(harden.first + harden.count++) % HELD_BLOCKS] = entering;
    harden.bytes += entering.whole;
    while (!err && (harden.count == HELD_BLOCKS || (harden.bytes > HELD_BYTES && harden.count))) {
        struct held oldest = harden.queue[harden.first];

        harden.first = (harden.first + 1) % HELD_BLOCKS;
        harden.count--;
        harden.bytes -= oldest.whole;
        *bad = oldest.block;
        err = let_go(&oldest);
    }
    return err;
}

static int hold(char *block, size_t whole, void **bad)
{
    const struct held held = {block, whole};
    char *from;
    const size_t forbidden = inner_pages(&held, &from);

    if (forbidden) {
        memset(block, 0, (size_t)(from - block));
        memset(from + forbidden, 0, (size_t)(block + whole - from) - forbidden);
        if (ring3_redzone_set(from, forbidden))
            ring3_store(ring3_shadow(block), (uint8_t)HELD, RING3_RELAXED);
        else
            memset(from, 0, forbidden);
    } else {
        memset(block, 0, whole);
        ring3_store(ring3_shadow(block), (uint8_t)HELD, RING3_RELAXED);
    }
    return push(held, bad);
}

/* Everything in quarantine: checked, and freed. Under the lock. */
static int drain(void **bad)
{
    int err = 0;

    for (int i = 0; i < LOBBY && !err; i++) {
        struct held held = harden.lobby[i];

        harden.lobby[i].block = NULL;
        if (!held.block)
            continue;
        *bad = held.block;
        err = let_go(&held);
    }
    while (harden.count && !err) {
        struct held oldest = harden.queue[harden.first];

        harden.first = (harden.first + 1) % HELD_BLOCKS;
        harden.count--;
        harden.bytes -= oldest.whole;
        *bad = oldest.block;
        err = let_go(&oldest);
    }
    return err;
}

/* The nearest block in front in the same chunk that is or was in use, and its state; or NULL. */
static const char *block_in_front(const char *block, uint8_t *state)
{
    const uint8_t *const shadow = ring3_shadow(block);
    const size_t units = (uintptr_t)block % RING3_CHUNK >> SHADOW_SHIFT;

    for (size_t back = 1; back <= units; back++)
        if (*(shadow - back)) {
            *state = *(shadow - back);
            return block - (back << SHADOW_SHIFT);
        }
    return NULL;
}

/*
 * Nothing was written in front of this block: the last word there is clear, as free memory is; or a
 * mark of cache.h, in a free block of two words; or the seal of the block in front, and that opens.
 * Policies that do not leave free memory clear have tags there, which they check.
 */
static bool front_is_whole(const char *block)
{
    uint8_t state = NEVER;
    const char *before;
    uint64_t last;
    size_t size;

    if (!harden.clear || (uintptr_t)block % RING3_CHUNK == 0)
        return true;
    memcpy(&last, block - sizeof last, sizeof last);
    if (!last || last == ring3_cache_mark)
        return true;
    before = block_in_front(block, &state);
    return is_live(state) && unseal(before, (size_t)(block - before), state, &size);
}

/* What blocks were here before is of no interest to front_is_whole. */
static void forget_inner(uint8_t *state, size_t whole)
{
    if (harden.full && whole <= RING3_CHUNK / 2)
        memset(state + 1, NEVER, (whole >> SHADOW_SHIFT) - 1);
}

/* --- The layer -------------------------------------------------------------------------------- */

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    const size_t asked = size ? size : 1;
    const size_t more = SEAL + (wants_guard(asked) ? 2 * ring3_pages_size() : 0);
    uint8_t *state, life = LIVE;
    size_t whole;
    char *block;

    if (asked > PTRDIFF_MAX - more)
        return NULL;

    const bool locked = enter();

    block = harden.below->allocate(heap, asked + more, alignment, dirty);
    /* Of the first small block of a slab nobody could tell what lies in front: it is never used. */
    if (harden.full && harden.clear && asked <= FIRST_UNUSED && (uintptr_t)block % RING3_CHUNK == 0)
        block = harden.below->allocate(heap, asked + more, alignment, dirty);
    state = block ? ring3_shadow(block) : NULL;
    if (!state) {
        if (block)
            (void)harden.below->release(ring3_owner_of(block), block);
        leave(locked);
        return NULL;
    }
    whole = harden.below->usable(ring3_owner_of(block), block);
    *dirty = *dirty < asked ? *dirty : asked;
    if (harden.full) {
        memset(block, 0, *dirty);
        *dirty = 0;
    }
    if (wants_guard(asked) && ring3_redzone_set(guard_page(block, asked), ring3_pages_size()))
        life = LIVE_GUARDED;
    seal(block, asked, whole, life);
    forget_inner(state, whole);
    ring3_store(state, life, RING3_RELAXED);
    leave(locked);
    return block;
}

/* 0, or an error about *bad. Under the lock, if full. */
static int release_block(void *owner, char *block, void **bad)
{
    size_t whole, size;
    uint8_t was;
    int err;

    *bad = block;
    err = end_life(block, &was);
    if (err)
        return err;
    whole = harden.below->usable(owner, block);
    if (!whole)
        return -EINVAL;
    if (!unseal(block, whole, was, &size)) {
        ring3_store(ring3_shadow(block), was, RING3_RELAXED);
        return -EOVERFLOW;
    }
    if (!harden.full) {
        memset(block, 0, whole < FAST_CLEARED ? whole : FAST_CLEARED);
        return harden.below->release(owner, block);
    }
    if (!front_is_whole(block))
        return -EUCLEAN;
    if (was == LIVE_GUARDED)
        ring3_redzone_clear(guard_page(block, size), ring3_pages_size());
    return hold(block, whole, bad);
}

static int release(void *owner, void *block)
{
    const bool locked = enter();
    void *bad;
    const int err = release_block(owner, block, &bad);

    leave(locked);
    if (err && bad != block)
        ring3_misuse("free", bad, &harden.table, ring3_owner_of(bad), err);
    return err;
}

static int resize(void *owner, void *block, size_t size)
{
    const bool locked = enter();
    const uint8_t state = state_of(block);
    int err = is_live(state) ? -ENOMEM : why_not(state);
    size_t whole, old;

    if (err == -ENOMEM) {
        whole = harden.below->usable(owner, block);
        if (!unseal(block, whole, state, &old))
            err = -EOVERFLOW;
        else if (!harden.full && size <= PTRDIFF_MAX - SEAL)
            err = harden.below->resize(owner, block, size + SEAL);
    }
    if (!err)
        seal(block, size, harden.below->usable(owner, block), LIVE);
    leave(locked);
    return err;
}

static size_t usable(void *owner, const void *block)
{
    const bool locked = enter();
    const uint8_t state = state_of(block);
    size_t size = 0;

    if (is_live(state)) {
        const size_t whole = harden.below->usable(owner, block);

        /* What was overwritten is for the free to report. */
        if (!unseal(block, whole, state, &size))
            size = whole - SEAL;
    }
    leave(locked);
    return size;
}

static void *covering(void *owner, const void *p)
{
    void *const block = harden.below->covering(owner, p);

    return block && is_live(state_of(block)) ? block : NULL;
}

static size_t trim(void *heap)
{
    const bool locked = enter();
    void *bad = NULL;
    const int err = harden.full ? drain(&bad) : 0;

    leave(locked);
    if (err)
        ring3_misuse("free", bad, &harden.table, ring3_owner_of(bad), err);
    return harden.below->trim(heap);
}

/* What is in quarantine is a hole. */
static void visit_block(void *block, size_t length, bool in_use, void *context)
{
    const struct ring3_walk *const to = context;

    to->visit(block, length, in_use && is_live(state_of(block)), to->context);
}

static void walk(void *heap, ring3_malloc_visit_t *visit, void *context)
{
    harden.below->walk(heap, visit_block, &(struct ring3_walk){visit, context});
}

static void lock(void *heap)
{
    ring3_mutex_lock(&harden.lock);
    harden.below->lock(heap);
}

static void unlock(void *heap)
{
    harden.below->unlock(heap);
    ring3_mutex_unlock(&harden.lock);
}

static void after_fork(void *heap)
{
    harden.below->after_fork(heap);
    ring3_store(&harden.holder, NULL, RING3_RELAXED);
    ring3_mutex_init(&harden.lock);
}

static void check_at_end(void *block, uint8_t state)
{
    void *const owner = ring3_owner_of(block);
    size_t size;

    if (is_live(state) && !unseal(block, harden.below->usable(owner, block), state, &size))
        ring3_misuse("exit", block, &harden.table, owner, -EOVERFLOW);
}

/* What was overwritten, or written to after its free, and nobody came by since. */
__attribute__((destructor)) static void harden_end(void)
{
    bool locked;
    void *bad = NULL;
    int err;

    if (!harden.full)
        return;
    locked = enter();
    err = drain(&bad);
    if (!err)
        ring3_shadow_for_each(check_at_end);
    leave(locked);
    if (err)
        ring3_misuse("exit", bad, &harden.table, ring3_owner_of(bad), err);
}

/* Not what the stack protector or the marks of cache.h are made of: those can be read in memory. */
static uint64_t draw_secret(void)
{
    const void *const random = (const void *)getauxval(AT_RANDOM);
    const int saved = errno;
    uint64_t secret;

    if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) != (ssize_t)sizeof secret) {
        memcpy(&secret, random ? random : &harden, sizeof secret);
        secret = (secret ^ ring3_cycles()) * SPREAD;
    }
    errno = saved;
    return secret;
}

const struct ring3_policy *ring3_layer_harden(const struct ring3_policy *below,
                                              enum ring3_hardening hardening)
{
    harden.below = below;
    harden.full = hardening == HARDENING_FULL;
    harden.clear = below == &ring3_policy_slab || below == &ring3_policy_buddy;
    harden.canary_max = harden.full ? FULL_CANARY : FAST_CANARY;
    harden.secret = draw_secret();
    harden.random = harden.secret;
    harden.table = *below;
    harden.table.exact = true;
    harden.table.allocate = allocate;
    harden.table.release = release;
    harden.table.resize = resize;
    harden.table.usable = usable;
    harden.table.covering = covering;
    harden.table.trim = trim;
    harden.table.walk = walk;
    harden.table.lock = lock;
    harden.table.unlock = unlock;
    harden.table.after_fork = after_fork;
    return &harden.table;
}
