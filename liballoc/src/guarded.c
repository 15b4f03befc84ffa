/* SPDX-License-Identifier: MIT */
/*
 * Guarded blocks: see guarded.h. A run of pages comes from a buddy in arenas; its record lies in the
 * control block of the arena, apart from the run.
 *
 * Orders: a record is written by the thread that allocates or frees its block, and by whoever takes
 * it out of the quarantine, under `lock`. `state` makes one of two threads that free a block win.
 */
#include "guarded.h"

#include "arenas.h"
#include "calls.h"
#include "guard.h"
#include "layers.h"
#include "number.h"
#include "placement_buddy.h"
#include "redzone.h"

#include "ring3/atomic.h"
#include "ring3/buddy.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define REGION  ((size_t)32 << 30)
#define LARGEST (REGION / 2)
/* A block of up to one page between two forbidden ones, in a power of two. */
#define UNIT_PAGES 4

/* In quarantine are up to so many blocks and so much address space; no memory but the records. */
#define HELD_BLOCKS 4096
#define HELD_BYTES  ((size_t)1 << 30)

#define CANARY      0xa5

enum { NONE, LIVE, FREED };
enum { LEAD = 1, DATA = 2, TAIL = 4 }; /* zones of a run that are forbidden */

struct record {
    char *block, *data, *data_end; /* whole pages from data to data_end */
    char *run;
    size_t size, whole;
    uint32_t state, zones;
    int made_by, freed_by; /* threads */
    void *made[CALLS_MAX], *freed[CALLS_MAX];
    struct record *next; /* in quarantine */
};

/* --- Runs of pages ---------------------------------------------------------------------------- */

static size_t unit(void)
{
    return UNIT_PAGES * ring3_pages_size();
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static size_t buddy_bytes(size_t capacity)
{
    return round_up(ring3_buddy_control_size(capacity, unit(), RING3_BUDDY_LINKS_APART), 16);
}

static size_t control_size(size_t capacity)
{
    return buddy_bytes(capacity) + (capacity / unit() + 1) * sizeof(struct record);
}

static int start(void **floor, void *control, void *memory, size_t capacity, size_t ready)
{
    return ring3_buddy_init((ring3_buddy_t **)floor, control, memory, capacity, ready, unit(),
                            RING3_BUDDY_LINKS_APART);
}

static size_t wanted(const void *floor, size_t ready, size_t size, size_t alignment)
{
    return placement_buddy_wanted(floor, ready, placement_buddy_block(size, alignment, unit()),
                                  alignment);
}

static void *allocate(void *floor, size_t size, size_t alignment, size_t *dirty)
{
    return placement_buddy_allocate(floor, placement_buddy_block(size, alignment, unit()),
                                    alignment, unit(), dirty);
}

static const struct ring3_placement placement = {
    .region = REGION,
    .largest = LARGEST,
    .control_size = control_size,
    .start = start,
    .wanted = wanted,
    .allocate = allocate,
    PLACEMENT_BUDDY,
};

static struct arena arenas[RING3_PAGES_REGIONS];
static struct ring3_arenas runs = {.placement = &placement, .arenas = arenas}; /* of the one heap */

static struct {
    ring3_mutex_t lock;
    struct record *oldest, *newest;
    size_t blocks, bytes;
} held; /* the quarantine */

bool ring3_guarded_owns(const void *owner)
{
    const struct arena *const arena = owner;

    return arena >= runs.arenas && arena < runs.arenas + RING3_PAGES_REGIONS;
}

/* The record of the run that starts at `run`. */
static struct record *record_at(void *owner, const char *run)
{
    const struct arena *const arena = owner;
    char *const control = arena->region->base + arena->capacity;

    return (struct record *)(void *)(control + buddy_bytes(arena->capacity)) +
           (size_t)(run - arena->region->base) / unit();
}

/* The record of the run around `p`, or NULL if there is none. */
static struct record *record_of(void *owner, const void *p)
{
    const char *const run = ring3_arenas_covering(owner, p);

    return run ? record_at(owner, run) : NULL;
}

/* --- Canaries and zones ----------------------------------------------------------------------- */

static bool is_filled(const char *from, const char *to)
{
    for (; from < to; from++)
        if ((unsigned char)*from != CANARY)
            return false;
    return true;
}

static void forbid(struct record *record, uint32_t zone, char *from, char *to)
{
    if (from < to && ring3_redzone_set(from, (size_t)(to - from)))
        record->zones |= zone;
}

static void allow(struct record *record, uint32_t zone, char *from, char *to)
{
    if (record->zones & zone)
        ring3_redzone_clear(from, (size_t)(to - from));
}

static void allow_all(struct record *record)
{
    allow(record, LEAD, record->run, record->data);
    allow(record, DATA, record->data, record->data_end);
    allow(record, TAIL, record->data_end, record->run + record->whole);
    record->zones = 0;
}

/* --- Allocation ------------------------------------------------------------------------------- */

/* Blocks end at a forbidden page, because most errors are at the end; those with an alignment of more
 * than a page start at one. */
static void place(struct record *record, char *run, size_t size, size_t alignment)
{
    const size_t page = ring3_pages_size();

    if (alignment <= page) {
        record->data = run + page;
        record->data_end = record->data + round_up(size, page);
        record->block = record->data_end - round_up(size, alignment);
    } else {
        record->data = (char *)round_up((uintptr_t)run + page, alignment);
        record->data_end = record->data + round_up(size, page);
        record->block = record->data;
    }
}

void *ring3_guarded_allocate(size_t size, size_t alignment, size_t *dirty)
{
    const size_t page = ring3_pages_size();
    const size_t lead = alignment > page ? alignment : page;
    struct record *record;
    void *owner;
    char *run;

    size = size ? size : 1;
    if (size > LARGEST / 2 || alignment > LARGEST / 4)
        return NULL;
    run = ring3_arenas_allocate(&runs, lead + round_up(size, page) + page, page, dirty);
    if (!run)
        return NULL;
    owner = ring3_owner_of(run);
    record = record_of(owner, run);
    place(record, run, size, alignment);
    record->run = run;
    record->size = size;
    record->whole = ring3_arenas_usable(owner, run);
    record->zones = 0;
    record->made_by = (int)gettid();
    ring3_calls_note(record->made);
    memset(record->data, CANARY, (size_t)(record->block - record->data));
    memset(record->block + size, CANARY, (size_t)(record->data_end - record->block) - size);
    forbid(record, LEAD, run, record->data);
    forbid(record, TAIL, record->data_end, run + record->whole);
    ring3_store(&record->state, (uint32_t)LIVE, RING3_RELAXED);
    *dirty = 0; /* what comes out of quarantine is cleared */
    return record->block;
}

/* --- Release ---------------------------------------------------------------------------------- */

/* Give the run back to the buddy. */
static void let_go(struct record *record)
{
    allow_all(record);
    ring3_store(&record->state, (uint32_t)NONE, RING3_RELAXED);
    (void)ring3_arenas_release(ring3_owner_of(record->run), record->run);
}

/* The oldest, if there are more than so many or so much; or NULL. Under the lock. */
static struct record *pop(size_t blocks, size_t bytes)
{
    struct record *const oldest = held.oldest;

    if (!oldest || (held.blocks <= blocks && held.bytes <= bytes))
        return NULL;
    held.oldest = oldest->next;
    if (!held.oldest)
        held.newest = NULL;
    held.blocks--;
    held.bytes -= oldest->whole;
    return oldest;
}

static void hold(struct record *record)
{
    const bool locked = guard_enter(&held.lock);
    struct record *leaving;

    record->next = NULL;
    if (held.newest)
        held.newest->next = record;
    else
        held.oldest = record;
    held.newest = record;
    held.blocks++;
    held.bytes += record->whole;
    while ((leaving = pop(HELD_BLOCKS, HELD_BYTES)))
        let_go(leaving);
    guard_leave(&held.lock, locked);
}

/* The block's record if it is in use, else NULL and why. */
static struct record *record_in_use(void *owner, const void *block, int *err)
{
    struct record *const record = record_of(owner, block);
    const uint32_t state = record ? ring3_load(&record->state, RING3_RELAXED) : NONE;

    *err = 0;
    if (state == LIVE && record->block == block)
        return record;
    *err = state == FREED && record->block == block ? -EALREADY : -EINVAL;
    return NULL;
}

static int check(const struct record *record)
{
    if (!is_filled(record->data, record->block))
        return -ERANGE;
    return is_filled(record->block + record->size, record->data_end) ? 0 : -EOVERFLOW;
}

int ring3_guarded_release(void *owner, void *block)
{
    uint32_t live = LIVE;
    int err;
    struct record *const record = record_in_use(owner, block, &err);

    if (!record)
        return err;
    err = check(record);
    if (err)
        return err;
    if (!ring3_cas_try(&record->state, &live, (uint32_t)FREED, RING3_RELAXED))
        return -EALREADY;
    record->freed_by = (int)gettid();
    ring3_calls_note(record->freed);
    forbid(record, DATA, record->data, record->data_end);
    if (!(record->zones & DATA)) {
        const size_t length = (size_t)(record->data_end - record->data);

        if (ring3_pages_purge(record->data, length) != length)
            memset(record->data, 0, length);
    }
    hold(record);
    return 0;
}

/* Always moves, so that pointers to the old place are found. */
int ring3_guarded_resize(void *owner, void *block, size_t size)
{
    int err;
    const struct record *const record = record_in_use(owner, block, &err);

    (void)size;
    if (!record)
        return err;
    err = check(record);
    return err ? err : -ENOMEM;
}

size_t ring3_guarded_usable(void *owner, const void *block)
{
    int err;
    const struct record *const record = record_in_use(owner, block, &err);

    return record ? record->size : 0;
}

void *ring3_guarded_covering(void *owner, const void *p)
{
    const struct record *const record = record_of(owner, p);

    return record && record->state == LIVE && (const char *)p >= record->block &&
                   (const char *)p < record->block + record->size
               ? record->block
               : NULL;
}

size_t ring3_guarded_trim(void)
{
    const bool locked = guard_enter(&held.lock);
    struct record *leaving;

    while ((leaving = pop(0, 0)))
        let_go(leaving);
    guard_leave(&held.lock, locked);
    return ring3_arenas_trim(&runs);
}

void ring3_guarded_statistics(ring3_malloc_statistics_t *statistics)
{
    const bool locked = guard_enter(&held.lock);

    ring3_arenas_statistics(&runs, statistics);
    statistics->blocks -= held.blocks;
    statistics->used -= held.bytes;
    statistics->free += held.bytes;
    statistics->releases += held.blocks;
    statistics->asked = statistics->given = 0;
    guard_leave(&held.lock, locked);
}

/* Of a run only the block is in use; one in quarantine is a hole. */
static void visit_run(void *run, size_t length, bool in_use, void *context)
{
    const struct ring3_walk *const walk = context;
    const struct record *const record = in_use ? record_at(ring3_owner_of(run), run) : NULL;

    if (record && ring3_load(&record->state, RING3_RELAXED) == LIVE)
        walk->visit(record->block, record->size, true, walk->context);
    else
        walk->visit(run, length, false, walk->context);
}

void ring3_guarded_walk(ring3_malloc_visit_t *visit, void *context)
{
    struct ring3_walk to = {visit, context};

    ring3_arenas_walk(&runs, visit_run, &to);
}

void ring3_guarded_lock(void)
{
    ring3_mutex_lock(&held.lock);
    ring3_arenas_lock(&runs);
}

void ring3_guarded_unlock(void)
{
    ring3_arenas_unlock(&runs);
    ring3_mutex_unlock(&held.lock);
}

void ring3_guarded_after_fork(void)
{
    ring3_arenas_after_fork(&runs);
    ring3_mutex_init(&held.lock);
}

/* --- Explanations ----------------------------------------------------------------------------- */

static void show_calls(const char *what, int thread, void *const calls[CALLS_MAX])
{
    char number[NUMBER_MAX];
    const char *const parts[] = {"  ", what, " by thread ",
                                 number_text((uintptr_t)thread, 10, number), ":"};

    ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
    ring3_calls_show(calls);
}

void ring3_guarded_show(void *owner, const void *p)
{
    const struct record *const record = record_of(owner, p);

    if (!record || !record->block)
        return;
    show_calls("allocated", record->made_by, record->made);
    if (record->state == FREED)
        show_calls("freed", record->freed_by, record->freed);
}

static void explain(void *owner, const char *p)
{
    const struct record *const record = record_of(owner, p);
    char at[NUMBER_MAX], distance[NUMBER_MAX], size[NUMBER_MAX], start_of[NUMBER_MAX];
    const bool freed = record && record->state == FREED;
    const char *parts[] = {"ring3 malloc: access to 0x",
                           number_text((uintptr_t)p, 16, at),
                           ": ",
                           "in no block",
                           "",
                           "",
                           "",
                           "",
                           "",
                           ""};

    if (record && record->state != NONE) {
        const size_t bytes = p < record->block ? (size_t)(record->block - p)
                                               : (size_t)(p - record->block) - record->size;
        const bool inside = p >= record->block && p < record->block + record->size;

        parts[3] = inside ? "inside" : number_text(bytes, 10, distance);
        parts[4] = inside              ? " the block of "
                   : p < record->block ? " bytes before the block of "
                                       : " bytes beyond the end of the block of ";
        parts[5] = number_text(record->size, 10, size);
        parts[6] = " bytes at 0x";
        parts[7] = number_text((uintptr_t)record->block, 16, start_of);
        parts[8] = freed ? ", which was freed already" : "";
    }
    ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
    ring3_guarded_show(owner, p);
}

static struct sigaction before; /* what the program, or the system, does about SIGSEGV */

/* A fault in guarded pages is explained; then the signal takes the way it would have taken. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    const int saved = errno;
    void *const owner = ring3_owner_of(info->si_addr);
    struct sigaction next = before;

    if (owner && ring3_guarded_owns(owner))
        explain(owner, info->si_addr);
    errno = saved;
    if (next.sa_flags & SA_SIGINFO) {
        next.sa_sigaction(signal, info, context);
    } else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN) {
        next.sa_handler(signal);
    } else {
        next.sa_handler = SIG_DFL; /* the access happens again, and ends the program */
        (void)sigaction(signal, &next, NULL);
    }
}

void ring3_guarded_start(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGSEGV, &action, &before);
}
