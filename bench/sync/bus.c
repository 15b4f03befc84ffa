/* SPDX-License-Identifier: MIT */
/*
 * What waiters cost the memory bus: a simulation of caches that invalidate each other, because a
 * machine with two CPUs cannot show it. All of n waiters look or try in turn; the holder has left;
 * counted are the line transfers until each has had the lock once.
 *
 * A line is in each cache valid or not, and in at most one modified. A load of an invalid line, and
 * a store or an atomic operation on a line that others have, are one transfer each; an atomic
 * operation counts whether it changes the value or not.
 */
#include "ring3_bench.h"

#include <string.h>

enum { MOST = 32 };

struct line {
    bool valid[MOST + 1];
    int transfers;
};

static void look(struct line *line, int cpu)
{
    line->transfers += !line->valid[cpu];
    line->valid[cpu] = true;
}

static void change(struct line *line, int cpu, int cpus)
{
    bool alone = line->valid[cpu];

    for (int i = 0; i < cpus; i++)
        alone = alone && (i == cpu || !line->valid[i]);
    line->transfers += !alone;
    memset(line->valid, 0, sizeof line->valid);
    line->valid[cpu] = true;
}

/* A section is so long that everybody has tried this often before it ends. */
#define TRIES_PER_SECTION 4

/* CPU n is the holder that leaves first; done[] have had the lock. */
static int tas(int n)
{
    struct line lock = {.transfers = 0};
    bool done[MOST] = {false};

    for (int served = 0; served < n; served++) {
        int winner = -1;

        for (int i = 0; i < n; i++)
            if (!done[i] && winner < 0) {
                change(&lock, i, n + 1);
                winner = i;
            }
        done[winner] = true;
        for (int round = 0; round < TRIES_PER_SECTION; round++)
            for (int i = 0; i < n; i++)
                if (!done[i])
                    change(&lock, i, n + 1); /* in vain */
        change(&lock, winner, n + 1);        /* unlock */
    }
    return lock.transfers;
}

/* `stampede`: all have seen the free lock before the first tries, and try too. With a delay of its
 * own length for each only the first does; the others look again and find it taken. */
static int ttas(int n, bool stampede)
{
    struct line lock = {.transfers = 0};
    bool done[MOST] = {false};

    for (int served = 0; served < n; served++) {
        int winner = -1;

        for (int i = 0; i < n; i++)
            if (!done[i])
                look(&lock, i);
        for (int i = 0; i < n; i++) {
            if (done[i] || (winner >= 0 && !stampede))
                continue;
            change(&lock, i, n + 1);
            winner = winner < 0 ? i : winner;
        }
        done[winner] = true;
        for (int round = 0; round < TRIES_PER_SECTION; round++)
            for (int i = 0; i < n; i++)
                if (!done[i])
                    look(&lock, i); /* from the own cache, after the first time */
        change(&lock, winner, n + 1);
    }
    return lock.transfers;
}

/* Everybody looks at one number. */
static int ticket(int n)
{
    struct line serving = {.transfers = n}; /* each has drawn a ticket */

    for (int served = 0; served < n; served++) {
        for (int i = served; i < n; i++)
            look(&serving, i);
        change(&serving, served, n + 1);
    }
    return serving.transfers;
}

/* Each looks at a line of its own: one exchange to stand in the queue, one store to hand over, one
 * load to see it. */
static int mcs(int n)
{
    return 3 * n;
}

static void count(struct ring3_bench_thread *t)
{
    const char kind = t->shared ? *(const char *)t->shared : ' ';
    const int n = (int)t->param;
    int transfers = 0;

    for (; ring3_bench_running(t); t->ops++)
        transfers = kind == 't'   ? tas(n)
                    : kind == 'T' ? ttas(n, true)
                    : kind == 'd' ? ttas(n, false)
                    : kind == 'n' ? ticket(n)
                                  : mcs(n);
    ring3_bench_count(t, "transfers", transfers);
}

static void *kind_of(const struct ring3_bench *bench, int threads, int64_t param)
{
    (void)threads, (void)param;
    return (void *)(uintptr_t)bench->context;
}

#define BUS(id, letter)                                                                            \
    RING3_BENCH(bus_##id, .name = "bus/" #id, .body = count, .setup = kind_of, .context = letter,  \
                .seconds = 0.002, .params = {1, 2, 4, 8, 16, 32})

BUS(tas, "t");
BUS(ttas, "T");
BUS(ttas_delay, "d");
BUS(ticket, "n");
BUS(mcs, "m");
