/* SPDX-License-Identifier: MIT */
/* One publisher, many subscribers: see ring3/broadcast.h. */
#include "ring3/broadcast.h"

#include "lane_owner.h"

#include <assert.h>
#include <limits.h>

#define MAGIC 0x4233474eu

/* A publisher that waits for credit looks again so often: whether a subscriber has died is not
 * announced. */
#define LOOK_AGAIN_NS 2000000
/* Looks before going to sleep. */
#define LOOKS 500

static_assert(sizeof(ring3_broadcast_credit_t) == 128, "the layout is shared between processes");

/* A slot: its word, the length, the data. */
static uint32_t words_of(uint32_t slot_size)
{
    return 2 + (slot_size + 7) / 8;
}

size_t ring3_broadcast_size(uint32_t slot_size, uint32_t slots)
{
    return sizeof(ring3_broadcast_head_t) + (size_t)slots * words_of(slot_size) * 8;
}

static bool sensible(uint32_t slot_size, uint32_t slots, size_t bytes)
{
    return slot_size > 0 && slot_size <= RING3_RING_MAX && slots >= 2 && slots <= RING3_RING_MAX &&
           (slots & (slots - 1)) == 0 && ring3_broadcast_size(slot_size, slots) <= bytes;
}

int ring3_broadcast_format(void *memory, size_t bytes, uint32_t slot_size, uint32_t slots,
                           int shared)
{
    ring3_broadcast_head_t *const head = memory;

    if ((uintptr_t)memory % RING3_RING_APART != 0 || !sensible(slot_size, slots, bytes))
        return -EINVAL;
    head->slot_size = slot_size;
    head->slots = slots;
    head->shared = (uint32_t)shared;
    /* Pairs with the acquire in attach. */
    ring3_store(&head->magic, MAGIC, RING3_RELEASE);
    return 0;
}

static int attach(ring3_broadcast_t *where, void *memory, size_t bytes)
{
    ring3_broadcast_head_t *const head = memory;

    if (bytes < sizeof *head || ring3_load(&head->magic, RING3_ACQUIRE) != MAGIC)
        return -EBADMSG;
    where->head = head;
    where->slots = (uint64_t *)(void *)(head + 1);
    where->slot_size = ring3_load(&head->slot_size, RING3_RELAXED);
    where->count = ring3_load(&head->slots, RING3_RELAXED);
    where->shared = ring3_load(&head->shared, RING3_RELAXED);
    where->slot_words = words_of(where->slot_size);
    return sensible(where->slot_size, where->count, bytes) ? 0 : -EBADMSG;
}

static uint64_t *slot_of(const ring3_broadcast_t *where, uint64_t number)
{
    return where->slots + (number & (where->count - 1)) * where->slot_words;
}

/* --- Publishing ------------------------------------------------------------------------------------ */

int ring3_publisher_open(ring3_publisher_t *publisher, void *memory, size_t bytes)
{
    const int err = attach(&publisher->where, memory, bytes);

    if (err)
        return err;
    publisher->next = ring3_load(&publisher->where.head->published, RING3_RELAXED);
    /* A publisher that died between its last two stores: subscribers may have seen the message. */
    if (ring3_load(slot_of(&publisher->where, publisher->next), RING3_RELAXED) ==
        2 * publisher->next + 2)
        ring3_store(&publisher->where.head->published, ++publisher->next, RING3_RELEASE);
    publisher->limit = publisher->next;
    publisher->light = ring3_fence_global_join();
    publisher->waits = 0;
    return 0;
}

/* How far lossless subscribers let us write. Those that have died are let go if `ask`. */
static uint64_t credit(const ring3_publisher_t *publisher, bool ask)
{
    ring3_broadcast_head_t *const head = publisher->where.head;
    const uint64_t count = publisher->where.count;
    uint64_t behind = 0;

    /* Pairs with the full fence in take_credit: either we see a newcomer's place, or it sees all
     * that we have published without regard to it. */
    ring3_fence_full();
    if (ring3_load(&head->credits, RING3_ACQUIRE) == 0)
        return publisher->next + count;
    for (int i = 0; i < RING3_CREDITS; i++) {
        ring3_broadcast_credit_t *const one = &head->credit[i];
        uint64_t owner = ring3_load(&one->owner, RING3_ACQUIRE);

        if (owner == 0)
            continue;
        /* Pairs with the release in ring3_subscriber_receive. */
        const uint64_t gap = publisher->next - ring3_load(&one->taken, RING3_ACQUIRE);

        if (ask && gap >= count && ring3_owner_dead(owner) &&
            ring3_cas_try(&one->owner, &owner, 0, RING3_RELAXED)) {
            (void)ring3_fetch_sub(&head->credits, 1, RING3_RELAXED);
            continue;
        }
        if (gap > behind && gap <= count) /* more would be no honest subscriber's */
            behind = gap;
    }
    return publisher->next + count - behind;
}

static int wait_for_credit(ring3_publisher_t *publisher, const struct timespec *deadline)
{
    ring3_broadcast_head_t *const head = publisher->where.head;

    publisher->limit = credit(publisher, false);
    for (int i = 0; publisher->limit == publisher->next && i < LOOKS; i++) {
        ring3_cpu_relax();
        publisher->limit = credit(publisher, false);
    }
    while (publisher->limit == publisher->next) {
        const uint32_t returns = ring3_load(&head->returns, RING3_ACQUIRE);
        const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, LOOK_AGAIN_NS);

        /* Subscribers fence fully after they have taken: pairs with that. */
        ring3_store(&head->wanting, 1, RING3_RELAXED);
        ring3_fence_full();
        publisher->limit = credit(publisher, true);
        if (publisher->limit != publisher->next)
            break;
        if (ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            return -ETIMEDOUT;
        publisher->waits++;
        (void)ring3_futex_wait(&head->returns, returns, (int)publisher->where.shared,
                               CLOCK_MONOTONIC, &soon);
    }
    return 0;
}

static void wake_subscribers(const ring3_broadcast_t *where)
{
    if (!ring3_exchange(&where->head->waiting, 0, RING3_ACQ_REL))
        return;
    /* Pairs with the acquire in sleep_once. */
    (void)ring3_fetch_add(&where->head->bell, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&where->head->bell, INT_MAX, (int)where->shared);
}

/* The copies race with the other side by design, so they are atomic, word by word. */
static void copy_in(uint64_t *slot, const void *data, size_t size)
{
    const unsigned char *from = data;
    uint64_t word;

    for (; size >= 8; size -= 8, from += 8, slot++) {
        memcpy(&word, from, 8);
        ring3_store(slot, word, RING3_RELAXED);
    }
    if (size > 0) {
        word = 0;
        memcpy(&word, from, size);
        ring3_store(slot, word, RING3_RELAXED);
    }
}

static void copy_out(void *data, const uint64_t *slot, size_t size)
{
    unsigned char *to = data;
    uint64_t word;

    for (; size >= 8; size -= 8, to += 8, slot++) {
        word = ring3_load(slot, RING3_RELAXED);
        memcpy(to, &word, 8);
    }
    if (size > 0) {
        word = ring3_load(slot, RING3_RELAXED);
        memcpy(to, &word, size);
    }
}

int ring3_publish(ring3_publisher_t *publisher, const void *data, size_t size,
                  const struct timespec *deadline)
{
    const ring3_broadcast_t *const where = &publisher->where;
    const uint64_t number = publisher->next;
    uint64_t *const slot = slot_of(where, number);

    if (ring3_unlikely(size > where->slot_size))
        return -EMSGSIZE;
    if (ring3_unlikely(number == publisher->limit)) {
        const int err = ring3_deadline_check(CLOCK_MONOTONIC, deadline)
                            ? -EINVAL
                            : wait_for_credit(publisher, deadline);

        if (err)
            return err;
    }
    ring3_store(slot, 2 * number + 1, RING3_RELAXED);
    /* Who sees a word of the data sees the odd number; pairs with the fence in try_receive. */
    ring3_fence_release();
    ring3_store(slot + 1, size, RING3_RELAXED);
    copy_in(slot + 2, data, size);
    /* Pairs with the acquire in try_receive. */
    ring3_store(slot, 2 * number + 2, RING3_RELEASE);
    publisher->next = number + 1;
    ring3_store(&where->head->published, number + 1, RING3_RELEASE);
    /* Pairs with the heavy fence in sleep_once. */
    if (ring3_likely(publisher->light))
        ring3_compiler_barrier();
    else
        ring3_fence_full();
    if (ring3_unlikely(ring3_load(&where->head->waiting, RING3_RELAXED)))
        wake_subscribers(where);
    return 0;
}

/* --- Subscribing ------------------------------------------------------------------------------------ */

static int take_credit(ring3_subscriber_t *subscriber)
{
    ring3_broadcast_head_t *const head = subscriber->where.head;
    uint64_t me;
    const int err = ring3_owner_self(&me);

    if (err)
        return err;
    for (int i = 0; i < 2 * RING3_CREDITS; i++) {
        ring3_broadcast_credit_t *const one = &head->credit[i % RING3_CREDITS];
        const int taken = ring3_owner_take(&one->owner, me, i >= RING3_CREDITS);

        if (taken < 0)
            continue;
        subscriber->credit = one;
        ring3_store(&one->taken, ring3_load(&head->published, RING3_RELAXED), RING3_RELAXED);
        if (taken == 0)
            (void)ring3_fetch_add(&head->credits, 1, RING3_RELAXED);
        ring3_fence_full();
        return 0;
    }
    return -EBUSY;
}

int ring3_subscriber_open(ring3_subscriber_t *subscriber, void *memory, size_t bytes,
                          uint64_t history, bool lossless)
{
    int err = attach(&subscriber->where, memory, bytes);

    subscriber->lost = 0;
    subscriber->credit = NULL;
    if (!err && lossless)
        err = take_credit(subscriber);
    if (err)
        return err;
    const uint64_t published = ring3_load(&subscriber->where.head->published, RING3_ACQUIRE);
    /* One less than the slots: the next message may be under way already. */
    const uint64_t most = subscriber->where.count - 1;
    const uint64_t wanted = history < most ? history : most;

    subscriber->next = published - (wanted < published ? wanted : published);
    subscriber->given = subscriber->next;
    if (subscriber->credit)
        ring3_store(&subscriber->credit->taken, subscriber->next, RING3_RELEASE);
    return 0;
}

void ring3_subscriber_close(ring3_subscriber_t *subscriber)
{
    if (!subscriber->credit)
        return;
    (void)ring3_fetch_sub(&subscriber->where.head->credits, 1, RING3_RELAXED);
    ring3_store(&subscriber->credit->owner, 0, RING3_RELEASE);
    subscriber->credit = NULL;
}

/* Tell a publisher that waits for it. */
static void give_credit(ring3_subscriber_t *subscriber)
{
    ring3_broadcast_head_t *const head = subscriber->where.head;

    if (!subscriber->credit || subscriber->given == subscriber->next)
        return;
    subscriber->given = subscriber->next;
    /* Pairs with the acquire in credit: we have read what may be overwritten. */
    ring3_store(&subscriber->credit->taken, subscriber->next, RING3_RELEASE);
    ring3_fence_full();
    if (ring3_load(&head->wanting, RING3_RELAXED) &&
        ring3_exchange(&head->wanting, 0, RING3_ACQ_REL)) {
        (void)ring3_fetch_add(&head->returns, 1, RING3_RELEASE);
        (void)ring3_futex_wake(&head->returns, INT_MAX, (int)subscriber->where.shared);
    }
}

/* -EAGAIN: not published yet. -ESTALE: overwritten. */
static ptrdiff_t try_receive(ring3_subscriber_t *subscriber, void *buffer, size_t size)
{
    const ring3_broadcast_t *const where = &subscriber->where;
    const uint64_t *const slot = slot_of(where, subscriber->next);
    const uint64_t whole = 2 * subscriber->next + 2;
    /* Pairs with the release in ring3_publish. */
    const uint64_t seen = ring3_load(slot, RING3_ACQUIRE);

    if (seen != whole)
        return seen - whole < UINT64_MAX / 2 ? -ESTALE : -EAGAIN;
    const uint64_t length = ring3_load(slot + 1, RING3_RELAXED);

    if (length > where->slot_size)
        goto look_again;
    if (length > size)
        return -EMSGSIZE;
    copy_out(buffer, slot + 2, length);
look_again:
    /* The loads of the data come first; pairs with the fence in ring3_publish. */
    ring3_fence_acquire();
    if (ring3_load(slot, RING3_RELAXED) != seen)
        return -ESTALE;
    return length > where->slot_size ? -EPROTO : (ptrdiff_t)length;
}

static int sleep_once(ring3_subscriber_t *subscriber, const struct timespec *deadline)
{
    ring3_broadcast_head_t *const head = subscriber->where.head;
    /* Not the number of messages: a publisher that is late in waking us for one that we have already would clear
     * `waiting`, and that number would not have changed. Pairs with the release in wake_subscribers. */
    const uint32_t bell = ring3_load(&head->bell, RING3_ACQUIRE);

    ring3_store(&head->waiting, 1, RING3_RELAXED);
    const bool reliable = ring3_fence_global() || !ring3_fence_global_join();
    struct timespec soon;
    const struct timespec *until = deadline;

    if (!reliable) {
        soon = ring3_deadline_in(CLOCK_MONOTONIC, LOOK_AGAIN_NS);
        if (!deadline || soon.tv_sec < deadline->tv_sec ||
            (soon.tv_sec == deadline->tv_sec && soon.tv_nsec < deadline->tv_nsec))
            until = &soon;
    }
    if (ring3_load(&head->published, RING3_RELAXED) != subscriber->next)
        return 0;
    const int err =
        ring3_futex_wait(&head->bell, bell, (int)subscriber->where.shared, CLOCK_MONOTONIC, until);

    return err == -ETIMEDOUT && until == deadline ? err : 0;
}

/* Overwritten: go on with the oldest that will stay for a while. Returns how many are missed. */
static uint64_t jump(ring3_subscriber_t *subscriber)
{
    const uint64_t count = subscriber->where.count;
    const uint64_t published = ring3_load(&subscriber->where.head->published, RING3_ACQUIRE);
    const uint64_t gap = published - count + 1 + count / 8 - subscriber->next;
    /* Its slot may have been taken for a message that is not yet published. */
    const uint64_t missed = gap > 0 && gap < UINT64_MAX / 2 ? gap : 1;

    subscriber->next += missed;
    return missed;
}

/* Jumps in a row that no publisher makes us do. */
#define JUMPS 10000

ptrdiff_t ring3_subscriber_receive(ring3_subscriber_t *subscriber, void *buffer, size_t size,
                                   uint64_t *lost, const struct timespec *deadline)
{
    uint64_t missed = 0;
    ptrdiff_t got;
    int late = 0, looks = 0, jumps = 0;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        got = try_receive(subscriber, buffer, size);
        if (got == -ESTALE && jumps++ < JUMPS) {
            missed += jump(subscriber);
            continue;
        }
        if (got != -EAGAIN)
            break;
        give_credit(subscriber);
        if (late) {
            got = late;
            break;
        }
        if (looks++ < (ring3_arch.cpus > 1 ? LOOKS : 1)) {
            ring3_cpu_relax();
            continue;
        }
        looks = 0;
        late = sleep_once(subscriber, deadline);
        if (!late && ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            late = -ETIMEDOUT;
    }
    if (got == -ESTALE)
        got = -EPROTO;
    if (got >= 0 || got == -EPROTO)
        subscriber->next++;
    if (subscriber->next - subscriber->given >= subscriber->where.count / 8)
        give_credit(subscriber);
    subscriber->lost += missed; /* also when nothing was received: they are not told again */
    if (lost)
        *lost = missed;
    return got;
}
