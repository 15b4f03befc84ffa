/* SPDX-License-Identifier: MIT */
/* Broadcast: every message is seen whole, in order, and nobody sleeps while there is one to come. */
#include "model.h"

#include "ring3/broadcast.h"
#include "ring3/identity.h"

#include <errno.h>
#include <string.h>

enum { SLOTS = 2, BYTES = sizeof(ring3_broadcast_head_t) + 256 };

static uint64_t memory[BYTES / 8] __attribute__((aligned(128)));
static ring3_publisher_t publisher;
static ring3_subscriber_t subscriber;

/* Who lives is asked for lossless subscribers only. */
int ring3_identity_self(ring3_identity_t *identity)
{
    (void)identity;
    model_check(false, "somebody asks who he is");
    return -ENOSYS;
}

int ring3_identity_of(pid_t pid, ring3_identity_t *identity)
{
    (void)pid;
    return ring3_identity_self(identity);
}

static void lay_out(void)
{
    memset(memory, 0, sizeof memory);
    model_check(
        ring3_broadcast_format(memory, sizeof memory, 16, SLOTS, RING3_SHARED) == 0 &&
            ring3_publisher_open(&publisher, memory, sizeof memory) == 0 &&
            ring3_subscriber_open(&subscriber, memory, sizeof memory, RING3_FROM_NOW, false) == 0,
        "it cannot be laid out");
}

static void publish(uint64_t number)
{
    const uint64_t message[2] = {number, ~number};

    model_check(ring3_publish(&publisher, message, sizeof message, NULL) == 0, "refused");
}

/* Receives up to message number `last`; each comes whole, and what was lost is counted exactly. */
static void receive_up_to(uint64_t last)
{
    for (uint64_t expected = 1; expected <= last;) {
        uint64_t message[2], lost;

        model_check(ring3_subscriber_receive(&subscriber, message, sizeof message, &lost, NULL) ==
                        sizeof message,
                    "nothing received");
        model_check(message[1] == ~message[0], "a torn message");
        model_check(message[0] == expected + lost, "another message");
        expected = message[0] + 1;
    }
}

static void publish_or_receive(int me)
{
    if (me == 1)
        receive_up_to(2);
    for (uint64_t i = 1; i <= 2 && me == 0; i++)
        publish(i);
}
MODEL(broadcast, .threads = 2, .start = lay_out, .thread = publish_or_receive, .interruptions = 4,
      .stale = 0)

/* More than there are slots. */
static void publish_or_fall_behind(int me)
{
    if (me == 1)
        receive_up_to(3);
    for (uint64_t i = 1; i <= 3 && me == 0; i++)
        publish(i);
}
MODEL(broadcast_lapped, .threads = 2, .start = lay_out, .thread = publish_or_fall_behind,
      .interruptions = 2, .stale = 1, .watched = "broadcast")
