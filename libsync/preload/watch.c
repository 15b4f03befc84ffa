/* SPDX-License-Identifier: MIT */
/* Rows and classes of watched locks, and the figures of stat. */
#include "watch.h"

#include "lockdep_fast.h"

#include "ring3/counters.h"

#include <string.h>
#include <unistd.h>
#include <unwind.h>

/* Objects of one class that have a row of their own; those beyond share its first row. */
#define OWN_ROWS 16

/* Row 0 is nobody's. Rows are entered under `rows_lock`. */
struct lockstat_lock watch_rows[WATCH_ROWS];
uint16_t watch_class_of_row[WATCH_ROWS];
static struct lockstat_site sites[WATCH_SITES];
static uint32_t row_count = 1;
static ring3_mutex_t rows_lock;

struct class
{
    uint64_t hash; /* of the stack, or the address of a static object */
    uint32_t first_row, rows;
};
static struct class classes[WATCH_CLASSES];
static uint32_t class_count = 1;

/* --- Stacks ---------------------------------------------------------------------------------- */

struct walk {
    const void *site;
    uint64_t *frames;
    int count, most;
    bool inside; /* the frame of `site` has been met: before it are our own */
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument)
{
    struct walk *const walk = argument;
    const uint64_t address = _Unwind_GetIP(context);

    walk->inside = walk->inside || address == (uint64_t)(uintptr_t)walk->site;
    if (walk->inside && address)
        walk->frames[walk->count++] = address;
    return walk->count == walk->most ? _URC_END_OF_STACK : _URC_NO_REASON;
}

int watch_stack(const void *site, uint64_t *frames, int most)
{
    struct walk walk = {.site = site, .frames = frames, .most = most};

    (void)_Unwind_Backtrace(step, &walk);
    if (walk.count == 0)
        frames[walk.count++] = (uint64_t)(uintptr_t)site;
    return walk.count;
}

/* --- Rows ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t seed, uint64_t value)
{
    const uint64_t mixed = (seed ^ value) * UINT64_C(0x9E3779B97F4A7C15);

    return mixed ^ mixed >> 29;
}

/* Under the lock, as the next two. The last class takes what finds no other. */
static uint32_t class_for(uint64_t hash)
{
    for (uint32_t i = 1; i < class_count; i++)
        if (classes[i].hash == hash)
            return i;
    if (class_count < WATCH_CLASSES) {
        classes[class_count].hash = hash;
        return class_count++;
    }
    return WATCH_CLASSES - 1;
}

static uint32_t row_in(uint32_t number)
{
    struct class *const class = &classes[number];

    if (class->rows >= OWN_ROWS || row_count == WATCH_ROWS) {
        /* An object that has gone may leave its row to the next one. */
        for (uint32_t row = class->first_row; row && row < row_count; row++)
            if (watch_class_of_row[row] == number && watch_rows[row].dead) {
                watch_rows[row].dead = 0;
                return row;
            }
        if (class->first_row)
            watch_rows[class->first_row].object = 0;
        return class->first_row;
    }
    const uint32_t row = row_count;

    watch_class_of_row[row] = (uint16_t)number;
    if (class->rows++ == 0)
        class->first_row = row;
    ring3_store(&row_count, row + 1, RING3_RELEASE);
    return row;
}

static uint32_t enter(void *object, enum lockstat_type type, const void *site, bool is_static)
{
    uint64_t frames[LOCKSTAT_FRAMES] = {0}, hash = (uint64_t)(uintptr_t)object;
    const int count = watch_stack(site, frames, LOCKSTAT_FRAMES);

    for (int i = 0; i < count && !is_static; i++)
        hash = mix(i ? hash : type + 1, frames[i]);

    const uint32_t row = row_in(class_for(hash));
    struct lockstat_lock *const lock = &watch_rows[row];

    if (lock->objects++ == 0 || lock->object)
        lock->object = (uint64_t)(uintptr_t)object;
    lock->type = type;
    lock->is_static = is_static;
    if (!lock->frames[0])
        memcpy(lock->frames, frames, sizeof frames);
    return row;
}

uint32_t watch_row_of_class(uint32_t class_number)
{
    return classes[class_number].first_row;
}

static uint32_t enter_once(void *object, uint32_t *record, enum lockstat_type type,
                           const void *site, bool is_static)
{
    ring3_mutex_lock(&rows_lock);
    if (*record == 0)
        ring3_store(record, enter(object, type, site, is_static), RING3_RELEASE);
    ring3_mutex_unlock(&rows_lock);
    return *record;
}

uint32_t watch_row(void *object, uint32_t *record, enum lockstat_type type, const void *site)
{
    /* Pairs with the release in enter_once. */
    const uint32_t row = ring3_load(record, RING3_ACQUIRE);

    return ring3_likely(row) ? row : enter_once(object, record, type, site, true);
}

void watch_made(void *object, uint32_t *record, enum lockstat_type type, const void *site)
{
    (void)enter_once(object, record, type, site, false);
    if (locks.lockdep)
        lockdep_made(object);
}

void watch_unmade(void *object, uint32_t *record)
{
    ring3_mutex_lock(&rows_lock);
    if (*record && watch_rows[*record].object == (uint64_t)(uintptr_t)object)
        watch_rows[*record].dead = 1;
    *record = 0;
    ring3_mutex_unlock(&rows_lock);
    if (locks.lockdep)
        lockdep_forget(object);
}

/* --- Figures --------------------------------------------------------------------------------- */

/* Add to a word that only the holder of the lock writes. */
static void more(uint64_t *word, uint64_t amount)
{
    ring3_store(word, *word + amount, RING3_RELAXED);
}

static void tally(uint32_t *bins, uint64_t cycles)
{
    const int bin = cycles ? 63 - __builtin_clzll(cycles) : 0;
    uint32_t *const word = &bins[bin < LOCKSTAT_BINS ? bin : LOCKSTAT_BINS - 1];

    ring3_store(word, *word + 1, RING3_RELAXED);
}

/* The row of a call site and a lock, or NULL when the table is full about there. */
static struct lockstat_site *site_row(const void *site, uint32_t lock)
{
    const uint64_t address = (uint64_t)(uintptr_t)site;
    uint64_t at = mix(address, lock) >> 32;

    for (int probe = 0; probe < 8; probe++, at++) {
        struct lockstat_site *const row = &sites[at % WATCH_SITES];
        uint64_t seen = ring3_load(&row->site, RING3_ACQUIRE);

        if (ring3_likely(seen == address && row->lock == lock))
            return row;
        if (seen != 0 || !ring3_cas_try(&row->site, &seen, UINT64_MAX, RING3_RELAXED))
            continue;
        row->lock = lock;
        /* Pairs with the acquire above. */
        ring3_store(&row->site, address, RING3_RELEASE);
        return row;
    }
    return NULL;
}

/* Keep the threads that have waited longest; a new one takes the place of the least. */
static void note_waiter(struct lockstat_lock *row, uint32_t thread, uint64_t cycles)
{
    struct lockstat_waiter *least = &row->top[0];

    for (int i = 0; i < LOCKSTAT_TOP; i++) {
        if (row->top[i].thread == thread) {
            least = &row->top[i];
            break;
        }
        if (row->top[i].cycles < least->cycles)
            least = &row->top[i];
    }
    if (least->thread != thread)
        *least = (struct lockstat_waiter){.thread = thread, .cycles = least->cycles / 2};
    least->waits++;
    least->cycles += cycles;
}

/* Holds are measured in one acquisition of so many: reading the clock costs more than the rest. */
#define HOLD_EVERY 16

static void count_wait(struct lockstat_lock *row, struct lockstat_site *site,
                       const struct watch *watch, uint64_t now)
{
    const uint64_t waited = now - watch->began, released = row->released_at;

    more(&row->contended, 1);
    more(&row->wait, waited);
    if (waited > row->wait_max)
        row->wait_max = waited;
    tally(row->wait_bins, waited);
    note_waiter(row, watch->me->self->id, waited);
    if (site) {
        more(&site->contended, 1);
        more(&site->wait, waited);
    }
    if (released > watch->began && released < now) {
        more(&row->handoffs, 1);
        more(&row->handoff, now - released);
        tally(row->handoff_bins, now - released);
    }
    row->released_at = 0;
}

static void count(uint32_t number, const struct watch *watch)
{
    struct lockstat_lock *const row = &watch_rows[number];
    struct lockstat_site *const site = site_row(watch->site, number);

    if (watch->mode != WATCH_WRITE) {
        (void)ring3_fetch_add(&row->acquired, 1, RING3_RELAXED);
        (void)ring3_fetch_add(&row->reads, 1, RING3_RELAXED);
    } else {
        more(&row->acquired, 1);
        row->held_since = row->acquired % HOLD_EVERY == 0 ? ring3_cycles() : 0;
    }
    if (site && watch->mode != WATCH_WRITE)
        (void)ring3_fetch_add(&site->acquired, 1, RING3_RELAXED);
    else if (site)
        more(&site->acquired, 1);
    if (watch->began)
        count_wait(row, site, watch, ring3_cycles());
}

static void count_release(uint32_t number)
{
    struct lockstat_lock *const row = &watch_rows[number];

    if (row->held_since) {
        const uint64_t held = ring3_cycles() - row->held_since;

        row->held_since = 0;
        more(&row->timed, 1);
        more(&row->hold, held);
        if (held > row->hold_max)
            row->hold_max = held;
        tally(row->hold_bins, held);
    }
    if (ring3_load(&row->waiting, RING3_RELAXED))
        ring3_store(&row->released_at, ring3_cycles(), RING3_RELAXED);
}

/* --- Around the operations ------------------------------------------------------------------- */

void watch_before(struct watch *watch)
{
    watch->me = thread_self();
    watch->began = 0;
    const uint32_t row = watch_row(watch->object, watch->record, watch->type, watch->site);

    if (locks.lockdep)
        lockdep_before(watch, row);
}

void watch_wait(struct watch *watch)
{
    struct thread *const me = watch->me;

    (void)ring3_fetch_add(&watch_rows[*watch->record].waiting, 1, RING3_RELAXED);
    ring3_store(&me->waits_at, watch->site, RING3_RELAXED);
    ring3_store(&me->waits_since, (uint64_t)time(NULL), RING3_RELAXED);
    ring3_store(&me->waits_for, watch->object, RING3_RELEASE);
    if (locks.lockdep)
        lockdep_wait(watch);
    watch->began = ring3_cycles();
}

void watch_waited(struct watch *watch)
{
    ring3_store(&watch->me->waits_for, NULL, RING3_RELEASE);
    (void)ring3_fetch_sub(&watch_rows[*watch->record].waiting, 1, RING3_RELAXED);
}

void watch_held(struct watch *watch)
{
    const uint32_t row = *watch->record;

    if (locks.lockdep)
        lockdep_held(watch, row);
    if (locks.stat)
        count(row, watch);
}

void watch_released(void *object, const uint32_t *record, const void *site)
{
    if (locks.lockdep)
        lockdep_released(object, *record, site);
    if (locks.stat && *record)
        count_release(*record);
}

/* --- What tools see -------------------------------------------------------------------------- */

bool watch_any(void)
{
    return row_count > 1;
}

void watch_start(void)
{
    report_start();
    ring3_counter_table(LOCKSTAT_LOCKS_NAME, watch_rows, WATCH_ROWS, sizeof watch_rows[0]);
    ring3_counter_table(LOCKSTAT_SITES_NAME, sites, WATCH_SITES, sizeof sites[0]);
}

void watch_after_fork(void)
{
    ring3_mutex_init(&rows_lock);
    for (uint32_t i = 1; i < row_count; i++)
        watch_rows[i].waiting = 0;
}

struct lockstat_view watch_view(void)
{
    return (struct lockstat_view){.locks = watch_rows,
                                  .sites = sites,
                                  .lock_count = row_count,
                                  .site_count = WATCH_SITES,
                                  .ns_per_cycle = ring3_lockstat_calibrate(),
                                  .pid = getpid(),
                                  .most = 20};
}
