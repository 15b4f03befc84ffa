/* SPDX-License-Identifier: MIT */
/*
 * Counters that other processes can read without stopping this one.
 *
 *     static uint64_t *spills;
 *     spills = ring3_counter("heap.spills", RING3_COUNTER_COUNT);     once
 *     ring3_counter_add(spills, 1);                                   wherever it happens
 *
 * All counters of a process lie in one page-sized table in .bss, under the exported symbol
 * ring3_counters_v1, which describes itself. `ring3 counters PID` finds the symbol through the ELF
 * files of the process and reads the table with process_vm_readv: no file, no descriptor, no name,
 * and no rights but a debugger's. Each object that has libsync inside (a program linked statically,
 * a preload object) has a table of its own.
 *
 * An entry is a name and a number. What does not fit into a number is a table elsewhere in the
 * process, of which the entry gives address, row size and number of rows; the name says what the
 * rows are, and changes when their layout does.
 *
 * Nothing here allocates memory, and all of it works before main and in a child of fork, which
 * starts with its parent's figures. Thread-safe; only ring3_counter_add and ring3_counter_set are
 * async-signal-safe.
 */
#ifndef RING3_COUNTERS_H
#define RING3_COUNTERS_H

#include "ring3/api.h"
#include "ring3/atomic.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef enum ring3_counter_kind {
    RING3_COUNTER_COUNT = 1, /* how often something has happened: only grows */
    RING3_COUNTER_LEVEL,     /* how much of something there is now */
    RING3_COUNTER_TABLE,     /* the address of `rows` rows of `row_size` bytes */
} ring3_counter_kind_t;

#define RING3_COUNTER_NAME 40 /* bytes, with the terminating zero; longer names are cut */

typedef struct ring3_counter {
    char name[RING3_COUNTER_NAME];
    uint32_t kind; /* ring3_counter_kind_t; 0 until the entry is complete, and written last */
    uint32_t rows;
    uint64_t value;
    uint64_t row_size;
} ring3_counter_t;

#define RING3_COUNTERS_MAX     127
#define RING3_COUNTERS_MAGIC   "ring3ctr"
#define RING3_COUNTERS_VERSION 1u

typedef struct ring3_counters {
    char magic[8]; /* RING3_COUNTERS_MAGIC without its zero; all zero while there are no counters */
    uint32_t version;    /* RING3_COUNTERS_VERSION */
    uint32_t entry_size; /* sizeof(ring3_counter_t) */
    uint32_t capacity;   /* RING3_COUNTERS_MAX */
    uint32_t count;      /* entries that may be complete: the first so many */
    uint64_t unused[5];
    ring3_counter_t entry[RING3_COUNTERS_MAX];
} ring3_counters_t;

/** For tools; use the functions. */
extern ring3_counters_t ring3_counters_v1;

/**
 * The counter of that name, made on first use and zero at birth. "room.what" is the form of a name.
 *
 * @return the address of its value, which stays; never NULL: when the table is full, that of a word
 * which nobody shows
 */
uint64_t *ring3_counter(const char *name, ring3_counter_kind_t kind);

/** Show `rows` rows of `row_size` bytes at `table`, which must stay where it is. A second call with
 * the same name replaces the first. */
void ring3_counter_table(const char *name, const void *table, uint32_t rows, size_t row_size);

static inline void ring3_counter_add(uint64_t *value, uint64_t more)
{
    (void)ring3_fetch_add(value, more, RING3_RELAXED);
}

static inline void ring3_counter_set(uint64_t *value, uint64_t now)
{
    ring3_store(value, now, RING3_RELAXED);
}

RING3_API_END

#endif
