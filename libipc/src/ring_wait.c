/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking over a ring. The side that goes to sleep pays:
 *
 *     publish:  store position;          light fence;  load the peer's waiting
 *     sleep:    store waiting = n;       heavy fence;  load the peer's position;  sleep
 *
 * At least one of the two loads sees the other side's store (ring3/arch.h). The heavy fence is
 * global, because the two sides may be different processes; a side whose kernel has none makes its
 * light fence a full one and says so in `fences`.
 *
 * Each sleep has a number of its own in `waiting`, so that the side that wakes does so once per sleep
 * although it cannot clear the word, which may be mapped read-only there. Explored in tests/model/ring.c.
 */
#include "ring_wait.h"

#include "call.h"
#include "ring3/loop.h"

#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <sys/socket.h>

/* Longer than a sleeper takes to come back from the kernel (5 to 10 us here), so that a peer that was
 * just woken is still met awake. */
#define SPIN_NS 25000
/* A peer that shares our CPU answers within one yield or does not run at all. */
#define YIELDS 8
/* A yield that took longer went to a third party. Then so many waits go to sleep at once. */
#define CROWDED_NS    100000
#define CROWDED_WAITS 32
/* One look at the clock costs about as much as this many turns. */
#define TURNS_PER_CLOCK 32
/* Sleep at most so long where waking cannot be relied upon. */
#define NAP_NS 1000000

/* The half of a position that a futex can look at. */
static const uint32_t *low_half(const uint64_t *position)
{
    return (const uint32_t *)(const void *)position + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * RING3_SECOND_NS + now.tv_nsec;
}

/*
 * Let others have the CPU that we share with the peer, once. False if that should not be tried any more: when
 * a third party wants the CPU too, a yield lasts as long as its time slice, and a sleeper is back sooner.
 */
static bool yield_to_peer(ring3_ring_side_t *side, unsigned *yields)
{
    if (side->crowded > 0 || (*yields)++ == YIELDS)
        return false;
    const int64_t before = now_ns();

    (void)sched_yield();
    if (now_ns() - before < CROWDED_NS)
        return true;
    side->crowded = CROWDED_WAITS;
    return false;
}

bool ring3_ring_spin(ring3_ring_side_t *side, const uint64_t *word, uint64_t seen)
{
    int64_t until = 0;
    unsigned yields = 0;

    side->crowded -= side->crowded > 0;
    for (uint32_t turn = 1;; turn++) {
        /* A hint: whoever acts on it looks again with an acquire. */
        if (ring3_load(word, RING3_RELAXED) != seen) {
            side->turns = yields ? UINT32_MAX : turn;
            return true;
        }
        if (ring3_arch.cpus == 1 ||
            ring3_load(&side->peer->cpu, RING3_RELAXED) == (uint32_t)ring3_cpu() + 1) {
            side->turns = UINT32_MAX;
            if (!yield_to_peer(side, &yields))
                return ring3_load(word, RING3_RELAXED) != seen;
            continue;
        }
        if (turn % TURNS_PER_CLOCK == 0) {
            const int64_t now = now_ns();

            if (until == 0)
                until = now + SPIN_NS;
            else if (now > until)
                return false;
        }
        ring3_cpu_relax();
    }
}

void ring3_ring_announce(ring3_ring_side_t *side, uint32_t how)
{
    const uint32_t before = ring3_load(&side->mine->waiting, RING3_RELAXED);
    const uint32_t cpu = (uint32_t)ring3_cpu() + 1;

    /* `waiting` keeps the number of the last sleep while awake: see disarm. */
    ring3_store(&side->mine->waiting, (((before >> 2) + 1) << 2) | how, RING3_RELAXED);
    ring3_store(&side->mine->cpu, side->cpu = cpu, RING3_RELAXED);
    side->sleeps++;
}

bool ring3_ring_arm(ring3_ring_side_t *side, uint32_t how)
{
    ring3_ring_announce(side, how);
    ring3_fence_full();
    return !ring3_ring_needs_global(side) || ring3_fence_global();
}

void ring3_ring_disarm(ring3_ring_side_t *side)
{
    ring3_store(&side->mine->waiting, ring3_load(&side->mine->waiting, RING3_RELAXED) & ~3u,
                RING3_RELAXED);
}

/* A full socket, like an event that is raised already, is readable: nothing is lost. */
static void ring_bell(const ring3_ring_side_t *side)
{
    if (side->bell_is_socket)
        (void)ring3_call(send(side->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    else
        (void)ring3_event_raise(side->bell);
}

/*
 * A bell that is rung stays rung. But one who has announced a sleep on the futex, and is not asleep yet, is not woken;
 * and what it will look at has perhaps not changed since it announced, for we may be late with this. Its sleep is
 * dealt with only once it was really woken: until then every publish tries again.
 */
void ring3_ring_wake(ring3_ring_side_t *side, uint32_t waiting)
{
    if ((waiting & RING3_RING_BY_FUTEX) &&
        ring3_futex_wake(low_half(&side->mine->position), INT_MAX, (int)side->shared) <= 0)
        return;
    side->woken = waiting;
    if (waiting & 3)
        side->wakes++;
    if ((waiting & RING3_RING_BY_BELL) && side->bell >= 0)
        ring_bell(side);
}

/* Sleeps until the peer moves on from `seen`, closes, or the deadline. */
static int sleep_once(ring3_ring_side_t *side, uint64_t seen, const struct timespec *deadline)
{
    const bool reliable = ring3_ring_arm(side, RING3_RING_BY_FUTEX);
    const struct timespec *until = deadline;
    struct timespec nap;
    int err = 0;

    if (!reliable) {
        nap = ring3_deadline_in(CLOCK_MONOTONIC, NAP_NS);
        if (!deadline || nap.tv_sec < deadline->tv_sec ||
            (nap.tv_sec == deadline->tv_sec && nap.tv_nsec < deadline->tv_nsec))
            until = &nap;
    }
    if (ring3_load(&side->peer->position, RING3_RELAXED) == seen)
        err = ring3_futex_wait(low_half(&side->peer->position), (uint32_t)seen, (int)side->shared,
                               CLOCK_MONOTONIC, until);
    ring3_ring_disarm(side);
    return err == -ETIMEDOUT && until == deadline ? err : 0;
}

int ring3_ring_reader_wait(ring3_ring_reader_t *reader, const struct timespec *deadline)
{
    int late = 0;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (reader->head != reader->seen)
        return 0;
    for (;;) {
        const int err = ring3_ring_reader_refresh(reader);

        if (err != -EAGAIN || late)
            return err == -EAGAIN ? late : err;
        if (!ring3_ring_spin(&reader->side, &reader->side.peer->position, reader->seen))
            late = sleep_once(&reader->side, reader->seen, deadline);
        if (!late && ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            late = -ETIMEDOUT;
    }
}

int ring3_ring_writer_wait(ring3_ring_writer_t *writer, size_t size,
                           const struct timespec *deadline)
{
    const uint64_t span = ring3_ring_span(size);
    const uint64_t at = writer->tail & (writer->side.capacity - 1);
    const uint64_t need = writer->side.mirrored || span <= writer->side.capacity - at
                              ? span
                              : span + writer->side.capacity - at;
    int late = 0;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (size > ring3_ring_largest(&writer->side))
        return -EMSGSIZE;
    ring3_ring_publish(writer);
    for (;;) {
        /* Pairs with the release in ring3_ring_reader_close. */
        if (ring3_load(&writer->side.peer->position, RING3_ACQUIRE) & RING3_RING_CLOSED)
            return -EPIPE;
        if (ring3_ring_writer_refresh(writer, need))
            return 0;
        if (writer->side.broken)
            return -EPROTO;
        if (late)
            return late;
        if (!ring3_ring_spin(&writer->side, &writer->side.peer->position, writer->seen))
            late = sleep_once(&writer->side, writer->seen, deadline);
        if (!late && ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            late = -ETIMEDOUT;
    }
}
