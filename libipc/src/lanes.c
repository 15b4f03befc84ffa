/* SPDX-License-Identifier: MIT */
/* Many writers, a lane each: see ring3/lanes.h. */
#include "ring3/lanes.h"

#include "lane_owner.h"

#include <assert.h>
#include <limits.h>
#include <unistd.h>

#define MAGIC 0x4c33474eu

/* A reader that finds records in a lane that another one has looks again so often: whether that one
 * has died is not announced. */
#define LOOK_AGAIN_NS 2000000

/* Records that an only reader takes from a lane before it looks at the next. */
#define TURN 64

static_assert(sizeof(ring3_lanes_head_t) == 256 && sizeof(ring3_lane_owner_t) == 256,
              "the layout is shared between processes");

static size_t lane_size(uint32_t capacity)
{
    return sizeof(ring3_lane_owner_t) + RING3_RING_ENDS + capacity;
}

size_t ring3_lanes_size(uint32_t count, uint32_t capacity)
{
    return sizeof(ring3_lanes_head_t) + count * lane_size(capacity);
}

int ring3_lanes_format(void *memory, size_t bytes, uint32_t count, int shared)
{
    ring3_lanes_head_t *const head = memory;
    uint32_t capacity = 64;

    if (count == 0 || count > RING3_LANES_MAX || (uintptr_t)memory % RING3_RING_APART != 0 ||
        bytes < ring3_lanes_size(count, capacity))
        return -EINVAL;
    while (capacity < RING3_RING_MAX && ring3_lanes_size(count, 2 * capacity) <= bytes)
        capacity *= 2;
    head->count = count;
    head->capacity = capacity;
    head->shared = (uint32_t)shared;
    /* Pairs with the acquire in ring3_lanes_attach. */
    ring3_store(&head->magic, MAGIC, RING3_RELEASE);
    return 0;
}

int ring3_lanes_attach(ring3_lanes_t *lanes, void *memory, size_t bytes)
{
    ring3_lanes_head_t *const head = memory;

    if (bytes < sizeof *head || ring3_load(&head->magic, RING3_ACQUIRE) != MAGIC)
        return -EBADMSG;
    *lanes = (ring3_lanes_t){head, ring3_load(&head->count, RING3_RELAXED),
                             ring3_load(&head->capacity, RING3_RELAXED),
                             ring3_load(&head->shared, RING3_RELAXED)};
    if (lanes->count == 0 || lanes->count > RING3_LANES_MAX || lanes->capacity < 64 ||
        lanes->capacity > RING3_RING_MAX || (lanes->capacity & (lanes->capacity - 1)) != 0 ||
        ring3_lanes_size(lanes->count, lanes->capacity) > bytes)
        return -EBADMSG;
    return 0;
}

static ring3_lane_owner_t *owner_of(const ring3_lanes_t *lanes, uint32_t lane)
{
    return (void *)((unsigned char *)(lanes->head + 1) + lane * lane_size(lanes->capacity));
}

static ring3_ring_t ring_of(const ring3_lanes_t *lanes, uint32_t lane)
{
    ring3_ring_end_t *const ends = (void *)(owner_of(lanes, lane) + 1);

    return (ring3_ring_t){.writer = ends,
                          .reader = ends + 1,
                          .data = ends + 2,
                          .capacity = lanes->capacity,
                          .shared = lanes->shared};
}

/* --- Writing --------------------------------------------------------------------------------------- */

int ring3_lane_open(ring3_lane_t *lane, const ring3_lanes_t *lanes)
{
    int err = ring3_owner_self(&lane->me);

    if (err)
        return err;
    lane->lanes = *lanes;
    for (uint32_t i = 0; i < 2 * lanes->count; i++) {
        const uint32_t at = i % lanes->count; /* first those that are free */
        const ring3_ring_t ring = ring_of(lanes, at);

        lane->owner = owner_of(lanes, at);
        if (ring3_owner_take(&lane->owner->writer, lane->me, i >= lanes->count) < 0)
            continue;
        err = ring3_ring_writer_init(&lane->writer, &ring);
        if (!err)
            return 0;
        /* Spoilt by whoever had it. Where the reader is, the lane is empty. */
        ring3_store(&ring.writer->position,
                    ring3_load(&ring.reader->position, RING3_RELAXED) & ~UINT64_C(7),
                    RING3_RELEASE);
        if (ring3_ring_writer_init(&lane->writer, &ring) == 0)
            return 0;
        ring3_store(&lane->owner->writer, 0, RING3_RELEASE);
    }
    return -EBUSY;
}

void ring3_lane_close(ring3_lane_t *lane)
{
    ring3_lane_publish(lane);
    /* Pairs with the acquire in ring3_owner_take. */
    ring3_store(&lane->owner->writer, 0, RING3_RELEASE);
}

int ring3_lane_send(ring3_lane_t *lane, const void *data, size_t size, uint32_t type,
                    const struct timespec *deadline)
{
    while (ring3_ring_put(&lane->writer, data, size, type)) {
        ring3_lane_publish(lane);
        const int err = ring3_ring_writer_wait(&lane->writer, size, deadline);

        if (err)
            return err;
    }
    ring3_lane_publish(lane);
    return 0;
}

/* All readers, because any one of them may die before it has looked. */
void ring3_lanes_wake(ring3_lanes_head_t *head, int shared)
{
    if (!ring3_exchange(&head->waiting, 0, RING3_ACQ_REL))
        return;
    (void)ring3_fetch_add(&head->bell, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&head->bell, INT_MAX, shared);
}

/* --- Reading --------------------------------------------------------------------------------------- */

int ring3_lanes_reader_open(ring3_lanes_reader_t *reader, const ring3_lanes_t *lanes,
                            uint32_t batch)
{
    *reader = (ring3_lanes_reader_t){.lanes = *lanes, .batch = batch};
    for (uint32_t i = 0; i < lanes->count; i++) {
        const ring3_ring_t ring = ring_of(lanes, i);
        const int err = ring3_ring_reader_init(&reader->readers[i], &ring);

        if (err == -EINVAL)
            return err;
    }
    return ring3_owner_self(&reader->me);
}

static void pass_on(ring3_lanes_reader_t *reader)
{
    ring3_ring_reader_t *const lane = &reader->readers[reader->at];

    if (!reader->has)
        return;
    reader->has = 0;
    reader->again = 0;
    if (lane->given != lane->head)
        ring3_ring_give_back(lane);
    /* Pairs with the acquire in ring3_owner_take. */
    ring3_store(&owner_of(&reader->lanes, reader->at)->reader, 0, RING3_RELEASE);
}

void ring3_lanes_reader_close(ring3_lanes_reader_t *reader)
{
    pass_on(reader);
    for (uint32_t i = 0; i < reader->lanes.count && reader->batch == 0; i++)
        ring3_ring_give_back(&reader->readers[i]);
}

/* Others may have read since we last had this lane. */
static void catch_up(ring3_ring_reader_t *lane)
{
    const uint64_t position = ring3_load(&lane->side.mine->position, RING3_RELAXED);

    lane->head = lane->seen = lane->given = position & ~UINT64_C(7);
    lane->side.broken = 0;
}

enum found { NOTHING, SOMETHING, ELSEWHERE /* in a lane that another reader has */ };

/* Senseless words: go on behind all that the writer has published so far. */
static void skip(ring3_lanes_reader_t *reader)
{
    ring3_ring_reader_t *const lane = &reader->readers[reader->at];
    const uint64_t position = ring3_load(&lane->side.peer->position, RING3_ACQUIRE);

    reader->refused++;
    lane->head = lane->seen = position & ~UINT64_C(7);
    lane->side.broken = 0;
    ring3_ring_give_back(lane);
}

/* Something to read in the lane we are at. */
static bool ready(ring3_lanes_reader_t *reader)
{
    ring3_ring_reader_t *const lane = &reader->readers[reader->at];
    const int err = lane->head != lane->seen ? 0 : ring3_ring_reader_refresh(lane);

    if (err == -EPROTO)
        skip(reader);
    return err == 0;
}

/* Is there anything for whoever had the lane? Without touching what is the reader's own. */
static bool pending(const ring3_ring_reader_t *lane)
{
    return (ring3_load(&lane->side.peer->position, RING3_RELAXED) & ~UINT64_C(7)) !=
           (ring3_load(&lane->side.mine->position, RING3_RELAXED) & ~UINT64_C(7));
}

static enum found look(ring3_lanes_reader_t *reader, bool ask)
{
    enum found found = NOTHING;

    for (uint32_t i = 0; i < reader->lanes.count; i++) {
        reader->at = reader->at + 1 == reader->lanes.count ? 0 : reader->at + 1;
        ring3_ring_reader_t *const lane = &reader->readers[reader->at];

        if (reader->batch == 0) {
            reader->left = TURN;
            if (ready(reader))
                return SOMETHING;
            continue;
        }
        if (!pending(lane))
            continue;
        const int taken =
            ring3_owner_take(&owner_of(&reader->lanes, reader->at)->reader, reader->me, ask);

        if (taken < 0) {
            found = ELSEWHERE;
            continue;
        }
        reader->has = 1;
        reader->left = reader->batch;
        reader->again = taken ? reader->batch : 0;
        reader->taken_over += (uint64_t)taken;
        catch_up(lane);
        if (ready(reader))
            return SOMETHING;
        pass_on(reader);
    }
    return found;
}

/* Sleeps until a writer publishes, the deadline, or it is time to ask whether other readers live. */
static int sleep_once(ring3_lanes_reader_t *reader, enum found *found,
                      const struct timespec *deadline)
{
    ring3_lanes_head_t *const head = reader->lanes.head;
    const uint32_t bell = ring3_load(&head->bell, RING3_ACQUIRE);
    struct timespec soon;
    const struct timespec *until = deadline;

    ring3_store(&head->waiting, 1, RING3_RELAXED);
    const bool reliable = ring3_fence_global() || !ring3_fence_global_join();

    *found = look(reader, false);
    if (*found == SOMETHING)
        return 0;
    if (*found == ELSEWHERE || !reliable) {
        soon = ring3_deadline_in(CLOCK_MONOTONIC, LOOK_AGAIN_NS);
        if (!deadline || soon.tv_sec < deadline->tv_sec ||
            (soon.tv_sec == deadline->tv_sec && soon.tv_nsec < deadline->tv_nsec))
            until = &soon;
    }
    const int err =
        ring3_futex_wait(&head->bell, bell, (int)reader->lanes.shared, CLOCK_MONOTONIC, until);

    return err == -ETIMEDOUT && until == deadline ? err : 0;
}

/* So many looks around before sleeping; each takes some tens of nanoseconds per lane. */
#define LOOKS 200

static int find(ring3_lanes_reader_t *reader, const struct timespec *deadline)
{
    enum found found = NOTHING;
    int late = 0;

    for (;;) {
        for (int i = 0; i < (ring3_arch.cpus > 1 ? LOOKS : 1); i++) {
            if (look(reader, found == ELSEWHERE) == SOMETHING)
                return 0;
            found = NOTHING; /* ask once per round */
            ring3_cpu_relax();
        }
        if (late)
            return late;
        late = sleep_once(reader, &found, deadline);
        if (found == SOMETHING)
            return 0;
        if (!late && ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            late = -ETIMEDOUT;
    }
}

ptrdiff_t ring3_lanes_receive(ring3_lanes_reader_t *reader, void *buffer, size_t size,
                              ring3_lanes_record_t *record, const struct timespec *deadline)
{
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        ring3_ring_reader_t *const lane = &reader->readers[reader->at];
        uint32_t type = 0;
        ptrdiff_t got = -EAGAIN;

        if (reader->left > 0 && (reader->has || reader->batch == 0))
            got = ring3_ring_read(lane, buffer, size, &type);
        if (got >= 0) {
            reader->left--;
            reader->records++;
            if (record)
                *record = (ring3_lanes_record_t){reader->at, type, reader->again > 0};
            reader->again -= reader->again > 0;
            return got;
        }
        if (got == -EMSGSIZE)
            return got;
        if (got == -EPROTO)
            skip(reader);
        pass_on(reader);
        const int err = find(reader, deadline);

        if (err)
            return err;
    }
}
