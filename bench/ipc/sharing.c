/* SPDX-License-Identifier: MIT */
/* Two threads hand over pointers to what both can reach: beside the streams between processes, which copy. */
#include "ipc_bench.h"

#include "ring3/ring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFERS = 32, CAPACITY = 4096 };

struct sharing {
    ring3_ring_t ring;
    ring3_ring_writer_t writer;
    unsigned char *buffers;
    size_t size;
    pthread_t reader;
    bool apart;
};

/* Reads every message, a byte of each cache line, where it lies. */
static void *read_all(void *context)
{
    struct sharing *const sharing = context;
    ring3_ring_reader_t reader;

    link_pin(ipc_bench_cpu(sharing->apart));
    if (ring3_ring_reader_init(&reader, &sharing->ring))
        abort();
    while (ring3_ring_reader_wait(&reader, NULL) == 0) {
        ring3_record_t record;

        while (ring3_ring_peek(&reader, &record) == 0) {
            const unsigned char *bytes;

            memcpy(&bytes, record.data, sizeof bytes);
            for (size_t i = 0; i < sharing->size; i += 64)
                (void)ring3_read_once(&bytes[i]);
            ring3_ring_release(&reader);
        }
    }
    return NULL;
}

static void *start(const struct ring3_bench *bench, int threads, int64_t size)
{
    struct sharing *const sharing = calloc(1, sizeof *sharing);

    (void)threads;
    if (!sharing)
        abort();
    sharing->size = (size_t)size;
    sharing->apart = bench->context != NULL;
    sharing->buffers = calloc(BUFFERS, sharing->size);
    if (!sharing->buffers || ring3_ring_create(&sharing->ring, CAPACITY) ||
        ring3_ring_writer_init(&sharing->writer, &sharing->ring) ||
        pthread_create(&sharing->reader, NULL, read_all, sharing))
        abort();
    return sharing;
}

static void finish(void *shared)
{
    struct sharing *const sharing = shared;

    ring3_ring_writer_close(&sharing->writer);
    pthread_join(sharing->reader, NULL);
    ring3_ring_unmap(&sharing->ring);
    free(sharing->buffers);
    free(sharing);
}

static void *pin(struct ring3_bench_thread *t)
{
    (void)t;
    link_pin(ipc_bench_cpu(false));
    return NULL;
}

static void hand_over(struct ring3_bench_thread *t)
{
    struct sharing *const sharing = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        const unsigned char *const bytes = sharing->buffers + t->ops % BUFFERS * sharing->size;

        while (ring3_ring_put(&sharing->writer, &bytes, sizeof bytes, 0))
            if (ring3_ring_writer_wait(&sharing->writer, sizeof bytes, NULL))
                abort();
        ring3_ring_publish(&sharing->writer);
    }
}

RING3_BENCH(apart, .name = "stream/apart/threads", .body = hand_over, .setup = start,
            .teardown = finish, .thread_setup = pin, .params = {64, 4096, 65536, 1 << 20},
            .context = "apart");
RING3_BENCH(together, .name = "stream/together/threads", .body = hand_over, .setup = start,
            .teardown = finish, .thread_setup = pin, .params = {64, 4096, 65536, 1 << 20});
