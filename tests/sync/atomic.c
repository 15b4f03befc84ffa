/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/atomic.h"

#include <pthread.h>

/* One operation after the other on words of one type: results and final values. */
#define CHECK_OPERATIONS(type)                                                                     \
    do {                                                                                           \
        type word = 5, seen;                                                                       \
        check_eq(ring3_load(&word, RING3_ACQUIRE), 5);                                             \
        ring3_store(&word, 6, RING3_RELEASE);                                                      \
        check_eq(ring3_exchange(&word, 7, RING3_ACQ_REL), 6);                                      \
        check_eq(ring3_fetch_add(&word, 3, RING3_RELAXED), 7);                                     \
        check_eq(ring3_fetch_sub(&word, 8, RING3_RELAXED), 10);                                    \
        check_eq(ring3_fetch_or(&word, 0x0c, RING3_RELAXED), 2);                                   \
        check_eq(ring3_fetch_and(&word, 0x0a, RING3_RELAXED), 0x0e);                               \
        check_eq(ring3_fetch_xor(&word, 0x03, RING3_RELAXED), 0x0a);                               \
        check_eq(word, 0x09);                                                                      \
        check_eq(ring3_cas(&word, 1, 2, RING3_ACQUIRE), 9, "a failed swap tells what was there");  \
        check_eq(word, 9);                                                                         \
        check_eq(ring3_cas(&word, 9, 2, RING3_ACQUIRE), 9);                                        \
        check_eq(word, 2);                                                                         \
        seen = 3;                                                                                  \
        check(!ring3_cas_try(&word, &seen, 4, RING3_ACQ_REL));                                     \
        check_eq(seen, 2, "a failed try leaves what was there");                                   \
        check(ring3_cas_try(&word, &seen, 4, RING3_SEQ_CST));                                      \
        check_eq(word, 4);                                                                         \
        seen = 4;                                                                                  \
        while (!ring3_cas_weak(&word, &seen, 5, RING3_RELEASE))                                    \
            check_eq(seen, 4);                                                                     \
        check_eq(word, 5);                                                                         \
        word = 0;                                                                                  \
        check_eq(ring3_fetch_sub(&word, 1, RING3_RELAXED), 0);                                     \
        check_eq(word, (type)-1, "unsigned words wrap");                                           \
    } while (0)

TEST(atomic, operations_return_the_old_value_at_every_width)
{
    CHECK_OPERATIONS(uint8_t);
    CHECK_OPERATIONS(uint16_t);
    CHECK_OPERATIONS(uint32_t);
    CHECK_OPERATIONS(uint64_t);
}

TEST(atomic, pointers_can_be_swapped)
{
    int a, b;
    int *word = &a;

    check(ring3_exchange(&word, &b, RING3_ACQ_REL) == &a);
    check(ring3_cas(&word, &a, &a, RING3_ACQ_REL) == &b);
    check(ring3_cas(&word, &b, &a, RING3_ACQ_REL) == &b);
    check(ring3_load(&word, RING3_ACQUIRE) == &a);
}

TEST(atomic, test_and_set_tells_whether_it_was_set)
{
    uint8_t flag = 0;

    check(!ring3_test_and_set(&flag, RING3_ACQUIRE));
    check(ring3_test_and_set(&flag, RING3_ACQUIRE));
    ring3_clear(&flag, RING3_RELEASE);
    check(!ring3_test_and_set(&flag, RING3_ACQUIRE));
}

TEST(atomic, a_failed_swap_keeps_the_acquire_and_drops_the_release)
{
    check_eq(ring3_failure_order(RING3_RELAXED), RING3_RELAXED);
    check_eq(ring3_failure_order(RING3_ACQUIRE), RING3_ACQUIRE);
    check_eq(ring3_failure_order(RING3_RELEASE), RING3_RELAXED);
    check_eq(ring3_failure_order(RING3_ACQ_REL), RING3_ACQUIRE);
    check_eq(ring3_failure_order(RING3_SEQ_CST), RING3_SEQ_CST);
}

TEST(atomic, once_accesses_keep_the_type_and_the_value)
{
    uint16_t word = 0;

    ring3_write_once(&word, 65535);
    check_eq(ring3_read_once(&word), 65535);
}

/* --- Threads: nothing is lost, and a release is seen whole by the acquire that observes it
 * -------- */

#define WORKERS 4
#define ROUNDS  20000

static uint32_t added, swapped;

static void *count_up(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t seen = ring3_load(&swapped, RING3_RELAXED);

        ring3_fetch_add(&added, 1, RING3_RELAXED);
        while (!ring3_cas_try(&swapped, &seen, seen + 1, RING3_RELAXED))
            ;
    }
    return NULL;
}

TEST(atomic, no_increment_is_lost_between_threads)
{
    pthread_t worker[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_create(&worker[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_join(worker[i], NULL), 0);
    check_eq(added, WORKERS * ROUNDS);
    check_eq(swapped, WORKERS * ROUNDS);
}

static uint64_t payload;
static uint32_t turn; /* even: the writer's, odd: the reader's */

static void *write_payload(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 200; i++) {
        /* Pairs with the reader's release: it is done with the old payload. */
        while (ring3_load(&turn, RING3_ACQUIRE) != 2 * i)
            sched_yield();
        payload = i;
        ring3_store(&turn, 2 * i + 1, RING3_RELEASE);
    }
    return NULL;
}

TEST(atomic, what_was_written_before_a_release_is_seen_after_the_acquire)
{
    pthread_t writer;

    check_eq(pthread_create(&writer, NULL, write_payload, NULL), 0);
    for (uint32_t i = 0; i < 200; i++) {
        /* Pairs with the writer's release: the payload is there. */
        while (ring3_load(&turn, RING3_ACQUIRE) != 2 * i + 1)
            sched_yield();
        check_eq(payload, i);
        ring3_store(&turn, 2 * i + 2, RING3_RELEASE);
    }
    check_eq(pthread_join(writer, NULL), 0);
}
