/* SPDX-License-Identifier: MIT */
/*
 * The table of ring3/counters.h. Entries are made under `making` and never removed. A reader in
 * another process may come at any moment: it takes an entry only when `kind` is set, which is
 * written last.
 */
#include "ring3/counters.h"

#include "ring3/mutex.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

static_assert(sizeof(ring3_counter_t) == 64, "the layout is version 1 for ever");
static_assert(sizeof(ring3_counters_t) == 8192, "the layout is version 1 for ever");

/* One table per process and object: what tools look for. */
ring3_counters_t ring3_counters_v1;

static ring3_mutex_t making;
static uint64_t nobody_sees; /* the value of counters that found no room */

static ring3_counter_t *find(const char *name)
{
    for (uint32_t i = 0; i < ring3_counters_v1.count; i++)
        if (strncmp(ring3_counters_v1.entry[i].name, name, RING3_COUNTER_NAME - 1) == 0)
            return &ring3_counters_v1.entry[i];
    return NULL;
}

static ring3_counter_t *make(const char *name)
{
    ring3_counters_t *const all = &ring3_counters_v1;

    if (all->count == RING3_COUNTERS_MAX)
        return NULL;
    if (all->count == 0) {
        all->version = RING3_COUNTERS_VERSION;
        all->entry_size = sizeof(ring3_counter_t);
        all->capacity = RING3_COUNTERS_MAX;
        memcpy(all->magic, RING3_COUNTERS_MAGIC, sizeof all->magic);
    }
    ring3_counter_t *const entry = &all->entry[all->count];

    strncpy(entry->name, name, RING3_COUNTER_NAME - 1);
    /* Pairs with the tools, which read `count` before the entries. */
    ring3_store(&all->count, all->count + 1, RING3_RELEASE);
    return entry;
}

static ring3_counter_t *find_or_make(const char *name)
{
    ring3_counter_t *const found = find(name);

    return found ? found : make(name);
}

uint64_t *ring3_counter(const char *name, ring3_counter_kind_t kind)
{
    ring3_mutex_lock(&making);
    ring3_counter_t *const entry = find_or_make(name);

    if (entry)
        /* Pairs with the tools: whoever sees the kind sees the name. */
        ring3_store(&entry->kind, (uint32_t)kind, RING3_RELEASE);
    ring3_mutex_unlock(&making);
    return entry ? &entry->value : &nobody_sees;
}

void ring3_counter_table(const char *name, const void *table, uint32_t rows, size_t row_size)
{
    ring3_mutex_lock(&making);
    ring3_counter_t *const entry = find_or_make(name);

    if (entry) {
        ring3_store(&entry->kind, 0, RING3_RELAXED);
        ring3_store(&entry->value, (uint64_t)(uintptr_t)table, RING3_RELEASE);
        ring3_store(&entry->row_size, (uint64_t)row_size, RING3_RELAXED);
        ring3_store(&entry->rows, rows, RING3_RELAXED);
        ring3_store(&entry->kind, (uint32_t)RING3_COUNTER_TABLE, RING3_RELEASE);
    }
    ring3_mutex_unlock(&making);
}

/* Another thread of the parent may have been making one. */
static void free_after_fork(void)
{
    ring3_mutex_init(&making);
}

__attribute__((constructor(RING3_START_FIRST))) static void counters_start(void)
{
    (void)pthread_atfork(NULL, NULL, free_after_fork);
}
