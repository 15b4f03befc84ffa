/* SPDX-License-Identifier: MIT */
/* The work-stealing deque and the eventcount, alone. */
#include "ring3_test.h"

#include "ring3/atomic.h"

#include "eventcount.h"
#include "ring3/deque.h"

#include <pthread.h>
#include <sched.h>

static bool push(ring3_deque_t *deque, void *item)
{
    bool offer;

    if (!ring3_deque_push(deque, item, &offer))
        return false;
    if (offer)
        ring3_deque_offer(deque);
    return true;
}

TEST(deque, owner_takes_the_youngest_and_thieves_the_oldest)
{
    static ring3_deque_t deque;
    int items[4];

    ring3_deque_init(&deque);
    for (int i = 0; i < 4; i++)
        check(push(&deque, &items[i]));
    check(ring3_deque_pop(&deque) == &items[3]);
    check(ring3_deque_steal(&deque, NULL) == &items[0]);
    check(ring3_deque_steal(&deque, NULL) == &items[1] || ring3_deque_pop(&deque) == &items[2]);
}

TEST(deque, tells_what_was_stolen_and_begins_anew_on_top)
{
    static ring3_deque_t deque;
    int items[3];

    ring3_deque_init(&deque);
    check(push(&deque, &items[0]));
    check(ring3_deque_steal(&deque, NULL) == &items[0]);
    check(ring3_deque_steal(&deque, NULL) == NULL);
    check(ring3_deque_pop(&deque) == NULL, "it was stolen");
    /* While its thief is at work, something else. */
    check(push(&deque, &items[1]));
    check(push(&deque, &items[2]));
    check(ring3_deque_pop(&deque) == &items[2]);
    check(ring3_deque_steal(&deque, NULL) == &items[1]);
    check(ring3_deque_pop(&deque) == NULL);
    ring3_deque_drop(&deque);
    check(ring3_deque_pop(&deque) == NULL);
    ring3_deque_drop(&deque);
    check_eq(deque.head, 0);
    check(push(&deque, &items[2]));
    check(ring3_deque_steal(&deque, NULL) == &items[2]);
}

TEST(deque, shares_half_of_what_is_private_when_asked)
{
    static ring3_deque_t deque;
    int items[100], stolen = 0;

    ring3_deque_init(&deque);
    for (int i = 0; i < 50; i++)
        check(push(&deque, &items[i]));
    while (ring3_deque_steal(&deque, NULL))
        stolen++;
    check_ge(stolen, RING3_DEQUE_PUBLIC);
    check_le(stolen, RING3_DEQUE_PUBLIC + 1);
    check(push(&deque, &items[50]), "and this hears the thief");
    while (ring3_deque_steal(&deque, NULL))
        stolen++;
    check_ge(stolen, 25);
    check_le(stolen, 30);
}

TEST(deque, takes_nothing_for_a_wait_that_is_over)
{
    static ring3_deque_t deque;
    uint32_t done = 1;
    int item;

    ring3_deque_init(&deque);
    check(push(&deque, &item));
    check(ring3_deque_steal(&deque, &done) == NULL);
    done = 0;
    check(ring3_deque_steal(&deque, &done) == &item);
}

TEST(deque, says_when_it_is_full)
{
    static ring3_deque_t deque;
    static int items[RING3_DEQUE_SIZE + 1];

    ring3_deque_init(&deque);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < RING3_DEQUE_SIZE; i++)
            check(push(&deque, &items[i]));
        check(!push(&deque, &items[RING3_DEQUE_SIZE]));
        check(ring3_deque_steal(&deque, NULL) == &items[0]);
        check(!push(&deque, &items[RING3_DEQUE_SIZE]), "a taken item keeps its slot");
        for (int i = RING3_DEQUE_SIZE - 1; i > 0; i--)
            check(ring3_deque_pop(&deque) == &items[i]);
        check(ring3_deque_pop(&deque) == NULL);
        ring3_deque_drop(&deque);
    }
}

/* --- Owner against thieves -------------------------------------------------------------------- */

#define THIEVES 3
#define ITEMS   20000
#define DEPTH   7

static struct {
    ring3_deque_t deque;
    uint32_t taken[ITEMS];
    uint32_t over;
} race;

static void take(uint32_t *item)
{
    (void)ring3_fetch_add(item, 1, RING3_RELEASE);
}

static void *steal_all(void *unused)
{
    while (!ring3_load(&race.over, RING3_ACQUIRE)) {
        uint32_t *const item = ring3_deque_steal(&race.deque, NULL);

        if (item)
            take(item);
        else
            sched_yield();
    }
    return unused;
}

/* Pop the youngest, or wait for who took it. */
static void settle(uint32_t *youngest)
{
    uint32_t *const item = ring3_deque_pop(&race.deque);

    if (item) {
        check(item == youngest);
        take(item);
        return;
    }
    while (!ring3_load(youngest, RING3_ACQUIRE))
        sched_yield();
    ring3_deque_drop(&race.deque);
}

TEST(deque, every_item_is_taken_once)
{
    pthread_t thieves[THIEVES];
    int stack[DEPTH], depth = 0;
    unsigned seed = 1;

    ring3_deque_init(&race.deque);
    for (int i = 0; i < THIEVES; i++)
        check_eq(pthread_create(&thieves[i], NULL, steal_all, NULL), 0);
    for (int i = 0; i < ITEMS;) {
        seed = seed * 1664525 + 1013904223;
        if (depth < DEPTH && (depth == 0 || seed >> 31)) {
            check(push(&race.deque, &race.taken[i]));
            stack[depth++] = i++;
        } else {
            settle(&race.taken[stack[--depth]]);
        }
    }
    while (depth > 0)
        settle(&race.taken[stack[--depth]]);
    ring3_store(&race.over, 1, RING3_RELEASE);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(thieves[i], NULL);
    for (int i = 0; i < ITEMS; i++)
        check_eq(race.taken[i], 1, "item %d", i);
}

/* --- Eventcount ------------------------------------------------------------------------------- */

static struct {
    struct eventcount event;
    uint32_t tokens, over;
    uint32_t consumed;
} market;

static bool take_token(void)
{
    uint32_t seen = ring3_load(&market.tokens, RING3_RELAXED);

    while (seen)
        if (ring3_cas_weak(&market.tokens, &seen, seen - 1, RING3_ACQUIRE))
            return true;
    return false;
}

static void *consume(void *unused)
{
    while (!ring3_load(&market.over, RING3_ACQUIRE)) {
        if (take_token()) {
            (void)ring3_fetch_add(&market.consumed, 1, RING3_RELEASE);
            eventcount_notify(&market.event);
            continue;
        }
        const uint32_t key = eventcount_prepare(&market.event);

        if (ring3_load(&market.tokens, RING3_RELAXED) || ring3_load(&market.over, RING3_ACQUIRE))
            eventcount_cancel(&market.event);
        else
            eventcount_wait(&market.event, key);
    }
    eventcount_notify(&market.event);
    return unused;
}

TEST(eventcount, loses_no_notification, 60)
{
    const uint32_t rounds = (uint32_t)scaled(3000, 100000);
    pthread_t consumers[4];

    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&consumers[i], NULL, consume, NULL), 0);
    for (uint32_t made = 0; made < rounds;) {
        const uint32_t burst = 1 + made % 3;

        (void)ring3_fetch_add(&market.tokens, burst, RING3_RELEASE);
        for (uint32_t i = 0; i < burst; i++)
            eventcount_notify(&market.event);
        made += burst;
        /* Wait until all is consumed: a lost notification stops here for ever. */
        while (ring3_load(&market.consumed, RING3_ACQUIRE) != made)
            sched_yield();
    }
    ring3_store(&market.over, 1, RING3_RELEASE);
    eventcount_notify(&market.event);
    for (int i = 0; i < 4; i++)
        pthread_join(consumers[i], NULL);
    check_eq(market.event.sleepers, 0);
}

TEST(eventcount, notify_without_sleepers_changes_nothing)
{
    struct eventcount event = {0};

    eventcount_notify(&event);
    check_eq(event.epoch, 0);
    const uint32_t key = eventcount_prepare(&event);

    eventcount_notify(&event);
    eventcount_notify(&event);
    check_eq(event.epoch, 1, "a second notification did not leave it to the one being woken");
    eventcount_wait(&event, key); /* notified since: returns at once */
    check_eq(event.sleepers, 0);
    check_eq(event.waking, 0);
}
