/* SPDX-License-Identifier: MIT */
/* Where reader records come from: see ring3/reader.h. */
#include "reader.h"

#include "ring3/mutex.h"
#include "ring3/wait.h"

#include "nodes.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

static_assert(sizeof(ring3_reader_t) % RING3_CACHE_LINE == 0, "records share no cache line");

/* The first records, enough for most programs, cost no system call. */
#define STATIC_READERS 128
#define CHUNK_READERS  1024

/* One set per process: those who wait must find readers without knowing them. `spare` and `unused`
 * are guarded by `lock`. */
static ring3_reader_t static_readers[STATIC_READERS];
static struct ring3_reader_run static_run = {NULL, STATIC_READERS, static_readers};
struct ring3_reader_run *ring3_reader_runs = &static_run;
static ring3_reader_t *spare, *unused = static_readers,
                              *unused_end = static_readers + STATIC_READERS;
static ring3_mutex_t lock;

/* The run's own description lies at the end of its memory. */
static bool add_run(void)
{
    const size_t size = CHUNK_READERS * sizeof(ring3_reader_t) + sizeof(struct ring3_reader_run);
    const int saved = errno;
    void *const chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    errno = saved;
    if (chunk == MAP_FAILED)
        return false;
    unused = chunk;
    unused_end = unused + CHUNK_READERS;

    struct ring3_reader_run *const run = (void *)unused_end;

    *run = (struct ring3_reader_run){ring3_reader_runs, CHUNK_READERS, unused};
    /* Pairs with the acquire in ring3_reader_for_each. */
    ring3_store(&ring3_reader_runs, run, RING3_RELEASE);
    return true;
}

static ring3_reader_t *get(void)
{
    ring3_reader_t *const reader = spare;

    if (!reader)
        return unused != unused_end || add_run() ? unused++ : NULL;
    spare = reader->spare;
    return reader;
}

/* A handler that starts to read here would find us with the lock in hand. */
ring3_reader_t *ring3_reader_enter(ring3_self_t *self)
{
    ring3_pause_t pause = {0};
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!self->reader) {
        ring3_mutex_lock(&lock);
        ring3_reader_t *const reader = get();
        ring3_mutex_unlock(&lock);

        if (reader) {
            ring3_store(&reader->id, self->id, RING3_RELAXED); /* not 0: it has an owner */
            self->reader = reader;
            ring3_self_keeps(self);
        } else {
            (void)ring3_pause(&pause, RING3_WAIT_PARK, NULL);
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return self->reader;
}

/* Nobody reads by way of this record any more. */
static void clear(ring3_reader_t *reader)
{
    /* Pairs with the acquires of those who wait: sections end before. */
    for (int i = 0; i < RING3_READER_DOMAINS; i++)
        ring3_store(&reader->since[i], 0, RING3_RELEASE);
    for (int i = 0; i < RING3_READER_HAZARDS; i++)
        ring3_store(&reader->hazard[i], NULL, RING3_RELEASE);
    ring3_store(&reader->id, 0, RING3_RELAXED);
}

void ring3_reader_give_back(ring3_self_t *self)
{
    ring3_reader_t *const reader = self->reader;

    if (!reader)
        return;
    self->reader = NULL;
    clear(reader);
    ring3_fence_light(); /* pairs with the heavy fence of whoever sets `awaited` */
    if (ring3_exchange(&reader->awaited, 0, RING3_RELAXED))
        ring3_word_wake(&reader->awaited, INT_MAX, RING3_PRIVATE);
    ring3_mutex_lock(&lock);
    reader->spare = spare;
    spare = reader;
    ring3_mutex_unlock(&lock);
}

/* Stores of readers become visible by themselves long before this. */
#define VISIBLE_NS 10000000

void ring3_fence_patient(void)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t word = 0;

    if (ring3_likely(ring3_fence_heavy()))
        return;
    for (const struct timespec until = ring3_deadline_in(CLOCK_MONOTONIC, VISIBLE_NS);
         !ring3_deadline_passed(CLOCK_MONOTONIC, &until);)
        (void)self->parker->park(self, &word, 0, CLOCK_MONOTONIC, &until);
}

static void hold_for_fork(void)
{
    ring3_mutex_lock(&lock);
}

static void release_after_fork(void)
{
    ring3_mutex_unlock(&lock);
}

/* Only the forking context lives on in the child. Records that had no owner are left untouched, so
 * that their pages stay shared. */
static void only_own_after_fork(void)
{
    ring3_self_t *const self = ring3_self();

    ring3_mutex_init(&lock);
    ring3_reader_for_each(reader, run)
    {
        if (reader->id == 0 || reader == self->reader)
            continue;
        clear(reader);
        reader->awaited = 0;
        reader->spare = spare;
        spare = reader;
    }
}

__attribute__((constructor(RING3_START_FIRST))) static void reader_start(void)
{
    (void)pthread_atfork(hold_for_fork, release_after_fork, only_own_after_fork);
}
