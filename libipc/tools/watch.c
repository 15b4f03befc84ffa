/* SPDX-License-Identifier: MIT */
/*
 * ring3 ipc top and tap. They find the table of channels through the counters of the process, and read
 * channels and rings with process_vm_readv. The process does not notice, and is not trusted: every size
 * that is read is bounded.
 */
#include "watch.h"

#include "channel_private.h"
#include "endpoints.h"
#include "remote.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USAGE = 2, SHOWN_BYTES = 48, TAP_PAUSE_US = 1000 };

struct endpoints {
    struct ring3_endpoint row[RING3_ENDPOINTS];
    pid_t pid;
};

static int read_table(void *context, const char *object, const ring3_counters_t *counters)
{
    struct endpoints *const endpoints = context;
    const ring3_counter_t *const entry = remote_find(counters, RING3_ENDPOINTS_TABLE);

    (void)object;
    if (!entry || entry->rows != RING3_ENDPOINTS || entry->row_size != sizeof endpoints->row[0])
        return 0;
    const int err =
        remote_read(endpoints->pid, entry->value, endpoints->row, sizeof endpoints->row);

    return err ? err : 1;
}

/* 0 or a negative errno; without channels the table is empty. */
static int find(struct endpoints *endpoints)
{
    memset(endpoints->row, 0, sizeof endpoints->row);
    const int found = remote_counters(endpoints->pid, read_table, endpoints);

    return found > 0 || found == -ENOENT ? 0 : found;
}

static bool read_channel(const struct endpoints *endpoints, int row, ring3_channel_t *channel)
{
    const struct ring3_endpoint *const one = &endpoints->row[row];

    return one->address != 0 && one->size == sizeof *channel &&
           remote_read(endpoints->pid, one->address, channel, sizeof *channel) == 0;
}

/* `top PID [-n COUNT]`: -1 if the arguments are wrong, which was said. */
static pid_t arguments(int argc, char **argv, long *count)
{
    char *end = NULL;

    if (argc == 4 && strcmp(argv[2], "-n") == 0) {
        *count = strtol(argv[3], &end, 10);
        if (*end != '\0' || *count <= 0)
            argc = 0;
    }
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "ring3 ipc %s: PID [-n COUNT]? `ring3 ipc --help` says more\n", argv[0]);
        return -1;
    }
    return remote_pid("ipc", argv[1]);
}

/* --- top --------------------------------------------------------------------------------------------------- */

static const char *kind_name(const ring3_channel_t *channel)
{
    static const char *const kinds[] = {"memory", "stream", "packet"};

    return (unsigned)channel->kind < 3 ? kinds[channel->kind] : "?";
}

static void print_channel(const ring3_channel_t *now, const ring3_channel_t *before)
{
    printf("%-7s %8d %10" PRIu64 "/s %10" PRIu64 "/s %12" PRIu64 " %12" PRIu64 " %7" PRIu64
           " %7" PRIu64 " %5" PRIu64 "%s\n",
           kind_name(now), now->peer.pid, now->sent.messages - before->sent.messages,
           now->received.messages - before->received.messages, now->sent.bytes, now->received.bytes,
           now->in.side.sleeps + now->out.side.sleeps, now->in.side.wakes + now->out.side.wakes,
           now->received.refused, now->gone ? "  peer gone" : "");
}

int ipc_top(int argc, char **argv)
{
    static ring3_channel_t before[RING3_ENDPOINTS], now;
    static uint64_t addresses[RING3_ENDPOINTS];
    struct endpoints endpoints;
    long frames = 0;

    endpoints.pid = arguments(argc, argv, &frames);
    if (endpoints.pid < 0)
        return USAGE;
    for (long frame = 0; frames == 0 || frame <= frames; frame++) {
        const int err = find(&endpoints);

        if (err)
            return remote_complain("ipc", endpoints.pid, err);
        if (frame > 0)
            printf("%-7s %8s %12s %12s %12s %12s %7s %7s %5s\n", "kind", "peer", "sent", "received",
                   "bytes out", "bytes in", "sleeps", "wakes", "bad");
        for (int i = 0; i < RING3_ENDPOINTS; i++) {
            if (!read_channel(&endpoints, i, &now))
                continue;
            if (frame > 0)
                print_channel(&now, addresses[i] == endpoints.row[i].address ? &before[i] : &now);
            before[i] = now;
            addresses[i] = endpoints.row[i].address;
        }
        fflush(stdout);
        if (frames == 0 || frame < frames)
            sleep(1);
    }
    return 0;
}

/* --- tap --------------------------------------------------------------------------------------------------- */

/* A ring of the process, and how far we have shown it. */
struct tapped {
    uint64_t position; /* address of the writer's position */
    uint64_t data;
    uint32_t capacity;
    uint64_t at;
    uint64_t owner; /* the channel's address; 0: not yet looked at */
};

static void print_record(const struct tapped *ring, const char *arrow, const ring3_channel_t *of,
                         uint64_t header, const unsigned char *bytes, size_t shown)
{
    static const char *const kinds[] = {"data", "piece", "last", "direct", "loan"};
    const uint32_t type = (uint32_t)(header >> 32) & RECORD_KIND;

    (void)ring;
    printf("%s %-8d %-6s %8u  ", arrow, of->peer.pid,
           type < sizeof kinds / sizeof *kinds ? kinds[type] : "?", (uint32_t)header);
    for (size_t i = 0; i < shown; i++)
        putchar(isprint(bytes[i]) ? bytes[i] : '.');
    putchar('\n');
}

/* Shows what has been published since the last look. Returns how many records. */
static long tap_ring(pid_t pid, struct tapped *ring, const char *arrow, const ring3_channel_t *of)
{
    uint64_t tail, now, header;
    unsigned char bytes[SHOWN_BYTES];
    long records = 0;

    if (remote_read(pid, ring->position, &tail, sizeof tail))
        return 0;
    tail &= ~UINT64_C(7);
    while (ring->at != tail) {
        const uint64_t place = ring->data + (ring->at & (ring->capacity - 1));
        size_t shown = 0;

        if (tail - ring->at > ring->capacity || remote_read(pid, place, &header, sizeof header))
            break;
        shown = (uint32_t)header < sizeof bytes ? (uint32_t)header : sizeof bytes;
        if (remote_read(pid, place + RING3_RING_HEADER, bytes, shown) ||
            remote_read(pid, ring->position, &now, sizeof now))
            break;
        /* It may have been overwritten while we read it. */
        if (now - ring->at > ring->capacity || ring3_ring_span((uint32_t)header) > tail - ring->at)
            break;
        print_record(ring, arrow, of, header, bytes, shown);
        ring->at += ring3_ring_span((uint32_t)header);
        records++;
    }
    if (ring->at != tail)
        printf("%s %-8d %" PRIu64 " bytes passed too fast\n", arrow, of->peer.pid, tail - ring->at);
    ring->at = tail;
    return records;
}

static void tap_from_now(pid_t pid, struct tapped *ring, uint64_t owner, uint64_t position,
                         uint64_t data, uint32_t capacity)
{
    if (ring->owner == owner && ring->position == position)
        return;
    *ring = (struct tapped){position, data, capacity, 0, owner};
    if (capacity == 0 || (capacity & (capacity - 1)) != 0 ||
        remote_read(pid, position, &ring->at, sizeof ring->at))
        ring->owner = 0;
    ring->at &= ~UINT64_C(7);
}

int ipc_tap(int argc, char **argv)
{
    static struct tapped rings[RING3_ENDPOINTS][2];
    static ring3_channel_t channel;
    struct endpoints endpoints;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    long wanted = 0, seen = 0;

    endpoints.pid = arguments(argc, argv, &wanted);
    if (endpoints.pid < 0)
        return USAGE;
    while (wanted == 0 || seen < wanted) {
        const int err = find(&endpoints);

        if (err)
            return remote_complain("ipc", endpoints.pid, err);
        for (int i = 0; i < RING3_ENDPOINTS; i++) {
            const uint64_t owner = endpoints.row[i].address;

            if (!read_channel(&endpoints, i, &channel) || channel.kind != RING3_CHANNEL_MEMORY ||
                !channel.mine || !channel.theirs)
                continue;
            tap_from_now(endpoints.pid, &rings[i][0], owner, (uintptr_t)channel.mine,
                         (uintptr_t)channel.mine + page, channel.out.side.capacity);
            tap_from_now(endpoints.pid, &rings[i][1], owner, (uintptr_t)channel.theirs,
                         (uintptr_t)channel.theirs + page, channel.their_capacity);
            for (int k = 0; k < 2; k++)
                if (rings[i][k].owner)
                    seen += tap_ring(endpoints.pid, &rings[i][k], k ? "<-" : "->", &channel);
        }
        fflush(stdout);
        usleep(TAP_PAUSE_US);
    }
    return 0;
}
