/* SPDX-License-Identifier: MIT */
#include "ring3/broadcast.h"

#include "ring3/shm.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 16

static ring3_shm_t shm;
static ring3_publisher_t publisher;

static void make(uint32_t slots)
{
    check_eq(ring3_shm_create(&shm, ring3_broadcast_size(64, slots)), 0);
    check_eq(ring3_broadcast_format(shm.address, shm.size, 64, slots, RING3_SHARED), 0);
    check_eq(ring3_publisher_open(&publisher, shm.address, shm.size), 0);
}

static void subscribe(ring3_subscriber_t *subscriber, uint64_t history, bool lossless)
{
    check_eq(ring3_subscriber_open(subscriber, shm.address, shm.size, history, lossless), 0);
}

static void publish(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        const uint64_t message[3] = {i, ~i, i * 3};

        check_eq(ring3_publish(&publisher, message, sizeof message, NULL), 0);
    }
}

static uint64_t receive(ring3_subscriber_t *subscriber, uint64_t *lost)
{
    uint64_t message[8] = {0};

    check_eq(ring3_subscriber_receive(subscriber, message, sizeof message, lost, NULL), 24);
    check_eq(message[1], ~message[0]);
    check_eq(message[2], message[0] * 3);
    return message[0];
}

static ptrdiff_t nothing_more(ring3_subscriber_t *subscriber)
{
    const struct timespec past = deadline_in(-1);
    char byte;

    return ring3_subscriber_receive(subscriber, &byte, 1, NULL, &past);
}

TEST(broadcast, checks_what_it_is_laid_over)
{
    static _Alignas(128) char memory[32768];
    ring3_subscriber_t subscriber;

    check_eq(ring3_broadcast_format(memory, sizeof memory, 64, 3, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_broadcast_format(memory, 1000, 64, 16, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_subscriber_open(&subscriber, memory, sizeof memory, 0, false), -EBADMSG);
    check_eq(ring3_broadcast_format(memory, sizeof memory, 64, 16, RING3_PRIVATE), 0);
    check_eq(ring3_subscriber_open(&subscriber, memory, sizeof memory, 0, false), 0);
    ((ring3_broadcast_head_t *)(void *)memory)->slots = 1u << 20;
    check_eq(ring3_subscriber_open(&subscriber, memory, sizeof memory, 0, false), -EBADMSG);
}

TEST(broadcast, everybody_sees_everything)
{
    ring3_subscriber_t subscribers[3];

    make(SLOTS);
    for (int s = 0; s < 3; s++)
        subscribe(&subscribers[s], RING3_FROM_NOW, s == 2);
    for (uint64_t i = 0; i < 100; i += 5) {
        publish(i, i + 5);
        for (int s = 0; s < 3; s++)
            for (uint64_t k = i; k < i + 5; k++)
                check_eq(receive(&subscribers[s], NULL), k);
    }
    for (int s = 0; s < 3; s++)
        check_eq(nothing_more(&subscribers[s]), -ETIMEDOUT);
    check_eq(ring3_publish(&publisher, "", 65, NULL), -EMSGSIZE);
}

TEST(broadcast, tells_exactly_how_many_were_missed)
{
    ring3_subscriber_t subscriber;
    uint64_t lost = 0;

    make(SLOTS);
    subscribe(&subscriber, RING3_FROM_NOW, false);
    publish(0, 3);
    check_eq(receive(&subscriber, &lost), 0u);
    check_eq(lost, 0u);
    publish(3, 1000);
    const uint64_t got = receive(&subscriber, &lost);

    check_eq(got, 1 + lost);
    check_gt(lost, 900u);
    for (uint64_t i = got + 1; i < 1000; i++) {
        check_eq(receive(&subscriber, &lost), i);
        check_eq(lost, 0u);
    }
    check_eq(subscriber.lost, got - 1);
}

TEST(broadcast, shows_history_to_who_comes_late)
{
    ring3_subscriber_t late;

    make(SLOTS);
    subscribe(&late, RING3_FROM_LAST, false);
    check_eq(nothing_more(&late), -ETIMEDOUT, "there is none yet");
    publish(0, 40);
    subscribe(&late, RING3_FROM_NOW, false);
    check_eq(nothing_more(&late), -ETIMEDOUT);
    subscribe(&late, RING3_FROM_LAST, false);
    check_eq(receive(&late, NULL), 39u);
    subscribe(&late, 5, false);
    check_eq(receive(&late, NULL), 35u);
    subscribe(&late, RING3_FROM_ALL, false);
    check_eq(receive(&late, NULL), 40u - (SLOTS - 1));
    check_eq(late.lost, 0u);
}

TEST(broadcast, leaves_a_message_that_is_too_long_for_the_buffer)
{
    ring3_subscriber_t subscriber;
    char byte;

    make(SLOTS);
    subscribe(&subscriber, RING3_FROM_NOW, false);
    publish(7, 8);
    check_eq(ring3_subscriber_receive(&subscriber, &byte, 1, NULL, NULL), -EMSGSIZE);
    check_eq(receive(&subscriber, NULL), 7u);
}

TEST(broadcast, waits_for_lossless_subscribers)
{
    ring3_subscriber_t subscriber;
    const struct timespec soon = deadline_in(10);
    const uint64_t message[3] = {SLOTS, ~(uint64_t)SLOTS, 3 * SLOTS};

    make(SLOTS);
    subscribe(&subscriber, RING3_FROM_NOW, true);
    publish(0, SLOTS);
    check_eq(ring3_publish(&publisher, message, sizeof message, &soon), -ETIMEDOUT);
    check_eq(receive(&subscriber, NULL), 0u);
    check_eq(receive(&subscriber, NULL), 1u);
    check_eq(ring3_publish(&publisher, message, sizeof message, NULL), 0);
    for (uint64_t i = 2; i <= SLOTS; i++)
        check_eq(receive(&subscriber, NULL), i);
    ring3_subscriber_close(&subscriber);
    publish(SLOTS + 1, 5 * SLOTS);
}

TEST(broadcast, lets_a_dead_lossless_subscriber_go)
{
    ring3_subscriber_t subscriber;

    make(SLOTS);
    const pid_t pid = fork();

    if (pid == 0) {
        subscribe(&subscriber, RING3_FROM_NOW, true);
        kill(getpid(), SIGKILL);
    }
    check_killed(pid);
    publish(0, 10 * SLOTS);
    check_eq(publisher.where.head->credits, 0u);
}

TEST(broadcast, a_new_publisher_goes_on_after_one_that_died)
{
    ring3_subscriber_t subscriber;

    make(SLOTS);
    subscribe(&subscriber, RING3_FROM_NOW, false);
    publish(0, 5);
    /* As left by one that died while it wrote message 5. */
    ring3_store(&publisher.where.slots[5 * publisher.where.slot_words], 2 * 5 + 1, RING3_RELAXED);
    check_eq(ring3_publisher_open(&publisher, shm.address, shm.size), 0);
    publish(5, 6);
    /* And by one that died before it counted message 6. */
    publish(6, 7);
    ring3_store(&publisher.where.head->published, 6, RING3_RELAXED);
    check_eq(ring3_publisher_open(&publisher, shm.address, shm.size), 0);
    publish(7, 8);
    for (uint64_t i = 0; i < 8; i++)
        check_eq(receive(&subscriber, NULL), i);
}

/* --- Between processes ------------------------------------------------------------------------------- */

#define SUBSCRIBERS 3

static void between_processes(bool lossless, bool storm)
{
    pid_t pids[SUBSCRIBERS];
    int ready[2];
    char byte = 0;
    const uint64_t count = (uint64_t)scaled(50000, 5000000);

    make(256);
    check_eq(pipe(ready), 0);
    for (int s = 0; s < SUBSCRIBERS; s++) {
        pids[s] = fork();
        check_ge(pids[s], 0);
        if (pids[s])
            continue;
        ring3_subscriber_t subscriber;
        uint64_t next = 0, lost;

        subscribe(&subscriber, RING3_FROM_NOW, lossless);
        check_eq(write(ready[1], &byte, 1), 1);
        if (storm)
            start_signal_storm();
        while (next < count) {
            const uint64_t got = receive(&subscriber, &lost);

            check_eq(got, next + lost);
            check(!lossless || lost == 0);
            next = got + 1;
        }
        ring3_subscriber_close(&subscriber);
        _exit(0);
    }
    for (int s = 0; s < SUBSCRIBERS; s++)
        check_eq(read(ready[0], &byte, 1), 1);
    if (storm)
        start_signal_storm();
    publish(0, count);
    if (storm) {
        sleep_ms(10);
        stop_signal_storm();
    }
    for (int s = 0; s < SUBSCRIBERS; s++)
        check_child(pids[s]);
}

TEST(broadcast, lossless_subscribers_miss_nothing, 60)
{
    between_processes(true, false);
}
TEST(broadcast, lossless_subscribers_miss_nothing_in_a_storm_of_signals, 60)
{
    between_processes(true, true);
}
TEST(broadcast, lossy_subscribers_know_what_they_missed, 60)
{
    between_processes(false, false);
}

TEST(broadcast, believes_nothing_that_a_hostile_publisher_writes, 60)
{
    ring3_subscriber_t subscriber;
    uint64_t random = 88172645463325252u;
    const long rounds = scaled(100000, 1000000);
    long received = 0;
    unsigned char buffer[64 + 8];

    make(SLOTS);
    subscribe(&subscriber, RING3_FROM_NOW, false);
    memset(buffer, 0x77, sizeof buffer);
    for (long i = 0; i < rounds; i++) {
        const struct timespec past = deadline_in(-1);
        uint64_t *const words = publisher.where.slots;
        const size_t n = SLOTS * publisher.where.slot_words;

        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        ring3_store(&words[random % n], random >> (random % 64), RING3_RELAXED);
        if (i % 3 == 0) /* one that looks right, with a length that may not */
            ring3_store(&words[(subscriber.next % SLOTS) * publisher.where.slot_words],
                        2 * subscriber.next + 2, RING3_RELAXED);
        ring3_store(&publisher.where.head->published, subscriber.next + random % 5, RING3_RELAXED);
        const ptrdiff_t got = ring3_subscriber_receive(&subscriber, buffer, 64, NULL, &past);

        check(got <= 64);
        received += got >= 0;
        for (int k = 64; k < 72; k++)
            check_eq(buffer[k], 0x77);
    }
    check_gt(received, 0);
}
