/* SPDX-License-Identifier: MIT */
/*
 * malloc over a placement policy that the user chooses.
 *
 *     ring3_malloc_choose("first-fit");         before the first allocation; or
 * RING3_MALLOC=first-fit char *text = ring3_malloc(100); ring3_free(text);
 *
 * The functions behave like the standard ones without the prefix, and set errno as those do
 * (ENOMEM, EINVAL); libring3-malloc.so puts them in the place of the standard ones in any program.
 * One policy serves the whole life of a process: slab, first-fit, next-fit, best-fit, worst-fit or
 * buddy; `default` is slab; `debug` guards every block. Settings besides the policy (hardening,
 * guard, fail, zero) are described in libring3-malloc(7). The environment variable RING3_MALLOC is read at the first
 * allocation.
 *
 * All blocks are aligned to 16 bytes. Zero bytes yield a block of their own. ring3_free leaves
 * errno alone. A pointer that is no block in use (foreign, inside of a block, freed already) ends
 * the program with one line on stderr that names it, then SIGABRT, before anything is damaged; so
 * does a boundary tag that was overwritten. (Under slab, two rare cases are noticed late: see the
 * manual page, Misuse.)
 *
 * Thread-safe. Not async-signal-safe, as malloc nowhere is. Across fork: in the child all works,
 * whatever other threads were doing, and it may start threads. All blocks stay valid in TLS
 * destructors and exit handlers.
 */
#ifndef RING3_MALLOC_H
#define RING3_MALLOC_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

/** ISO C and POSIX: malloc, calloc, realloc, free, aligned_alloc, posix_memalign, reallocarray.
 * ring3_realloc(p, 0) frees p and returns NULL; alignments that are no power of two are EINVAL. */
void *ring3_malloc(size_t size);
void *ring3_calloc(size_t count, size_t size);
void *ring3_realloc(void *block, size_t size);
void *ring3_reallocarray(void *block, size_t count, size_t size);
void ring3_free(void *block);
void *ring3_aligned_alloc(size_t alignment, size_t size);
int ring3_posix_memalign(void **block, size_t alignment, size_t size);

/** C23: as ring3_free; the caller tells what he asked for. A size that the block is too small for
 * ends the program as a foreign pointer does. */
void ring3_free_sized(void *block, size_t size);
void ring3_free_aligned_sized(void *block, size_t alignment, size_t size);

/** BSD and GNU: memalign, valloc (aligned to the page), pvalloc (size rounded up to whole pages
 * too), malloc_usable_size. */
void *ring3_memalign(size_t alignment, size_t size);
void *ring3_valloc(size_t size);
void *ring3_pvalloc(size_t size);
size_t ring3_malloc_usable_size(const void *block);

/** Give the pages of free memory back to the system. Returns whether there were any. */
bool ring3_malloc_trim(void);

/** How much free memory to keep for reuse before its pages go back by themselves, and how much to
 * grow the heap by at least, in bytes; 0 leaves a setting as it is. */
void ring3_malloc_tune(size_t retain, size_t step);

/**
 * Choose the policy by name, or settings in the syntax of RING3_MALLOC ("buddy,hardening=fast"). The
 * environment variable takes precedence.
 *
 * @return 0; -EINVAL when something in it is not understood (one line on stderr tells what);
 *         -EBUSY after the first allocation
 */
int ring3_malloc_choose(const char *settings);

/** Name of the policy that serves; it is fixed by this call at the latest. */
const char *ring3_malloc_policy(void);

/** The names of all policies, the default first, ending with NULL. */
const char *const *ring3_malloc_policies(void);

/**
 * Write the profile so far, which the setting `profile` or `leaks` has switched on, in the text
 * format that pprof reads.
 *
 * @return 0; -ENOENT when there is none; or why the file could not be written
 */
int ring3_malloc_profile(const char *path);

typedef struct ring3_malloc_statistics {
    uint64_t allocations, releases; /* successful calls so far; a realloc in place counts as none */
    uint64_t asked;                 /* bytes asked for by all allocations so far … */
    uint64_t given; /* … and the bytes of their blocks: the difference is internal fragmentation */
    size_t arenas;  /* reservations */
    size_t reserved;  /* bytes of address space in arenas */
    size_t committed; /* bytes of it managed now; not all of them resident */
    size_t used;      /* bytes in blocks in use, with what they cost */
    size_t blocks;    /* blocks in use */
    size_t free;      /* bytes in holes: committed less used, but for a few bytes per arena */
    size_t holes;     /* number of holes; with their mean size the external fragmentation */
    size_t largest;   /* bytes of the largest hole */
} ring3_malloc_statistics_t;

/** The state of the heap, all fields from one moment. */
void ring3_malloc_statistics(ring3_malloc_statistics_t *statistics);

/** What ring3_malloc_walk finds: a block in use, or a hole between blocks. */
typedef void ring3_malloc_visit_t(void *start, size_t length, bool in_use, void *context);

/**
 * Call `visit` for every block in use and every hole, arena by arena in the order of their addresses.
 * What waits in caches of threads and in quarantine counts as holes. `visit` runs under the heap's
 * locks: it must not allocate or free, nor wait for a thread that does.
 *
 * Exact while no other thread is inside of the heap. What others allocate and free meanwhile may be
 * visited or not.
 */
void ring3_malloc_walk(ring3_malloc_visit_t *visit, void *context);

RING3_API_END

#endif
