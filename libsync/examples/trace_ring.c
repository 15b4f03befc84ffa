/* SPDX-License-Identifier: MIT */
/* A trace of the last 500 events: what is older has been overwritten, and a reader knows what it missed. */
#include <ring3/tracering.h>

#include <stdio.h>

enum { KEPT = 500, EVENTS = 1300 };

struct event {
    int number;
};

static struct event slots[KEPT], copy[KEPT];
static ring3_tracering_t ring = RING3_TRACERING_INIT(slots, KEPT);

int main(void)
{
    uint64_t first, counter = 0;

    ring3_tracering_start(&ring);
    printf("a second start is refused: %s\n", ring3_tracering_start(&ring) ? "yes" : "no");
    for (int i = 0; i < EVENTS; i++)
        ring3_tracering_add(&ring, &(struct event){i});

    const size_t count = ring3_tracering_snapshot(&ring, copy, KEPT, &first);

    printf("snapshot: %zu events, %d to %d\n", count, copy[0].number, copy[count - 1].number);

    const long got = ring3_tracering_read(&ring, &counter, copy, 3, NULL);

    printf("reader: %ld events from %d on, next is %d\n", got, copy[0].number, (int)counter);
    ring3_tracering_stop(&ring);
    ring3_tracering_add(&ring, &(struct event){EVENTS});
    printf("after the stop: %d events\n", (int)ring.count);
    return 0;
}
