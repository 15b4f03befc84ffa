/* SPDX-License-Identifier: MIT */
/* Several processes send messages of 64 bytes, one receives them all. */
#include "ipc_bench.h"

#include "ring3/fd.h"
#include "ring3/lanes.h"
#include "ring3/pipe.h"
#include "ring3/socket.h"

#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 64, SENDERS_MAX = 16, LANES_BYTES = 4 << 20, BATCH = 32 };

/* One meeting point at a time. */
static struct {
    int ends[2];
    mqd_t queue;
    void *memory;
    ring3_lanes_t lanes;
    pid_t senders[SENDERS_MAX];
    int count;
} crowd;

struct means {
    void (*open)(int senders);
    void (*send)(void); /* in a child, until it is killed */
    long (*receive)(void);
    void (*close)(void);
};

/* --- Lanes ---------------------------------------------------------------------------------------------- */

static void lanes_open(int senders)
{
    crowd.memory = mmap(NULL, LANES_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (crowd.memory == MAP_FAILED ||
        ring3_lanes_format(crowd.memory, LANES_BYTES, (uint32_t)senders, RING3_SHARED) ||
        ring3_lanes_attach(&crowd.lanes, crowd.memory, LANES_BYTES))
        abort();
}

static void lanes_send(void)
{
    char message[MESSAGE] = {0};
    ring3_lane_t lane;

    if (ring3_lane_open(&lane, &crowd.lanes))
        abort();
    while (!ring3_lane_send(&lane, message, sizeof message, 0, NULL))
        ;
}

static void lanes_send_batches(void)
{
    char message[MESSAGE] = {0};
    ring3_lane_t lane;

    if (ring3_lane_open(&lane, &crowd.lanes))
        abort();
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            if (ring3_ring_put(&lane.writer, message, sizeof message, 0) &&
                ring3_lane_send(&lane, message, sizeof message, 0, NULL))
                abort();
        ring3_lane_publish(&lane);
    }
}

static ring3_lanes_reader_t reader;

static long lanes_receive(void)
{
    char message[MESSAGE];

    for (int i = 0; i < BATCH; i++)
        if (ring3_lanes_receive(&reader, message, sizeof message, NULL, NULL) != MESSAGE)
            abort();
    return BATCH;
}

static void lanes_close(void)
{
    ring3_lanes_reader_close(&reader);
    munmap(crowd.memory, LANES_BYTES);
}

/* --- A pipe: messages this short are never mixed, and several are read at once ------------------------------------ */

static void pipe_opened(int senders)
{
    (void)senders;
    if (ring3_pipe_open(crowd.ends, 0))
        abort();
}

static void pipe_send(void)
{
    char message[MESSAGE] = {0};

    while (ring3_fd_write(crowd.ends[1], message, sizeof message) == MESSAGE)
        ;
}

static long pipe_receive(void)
{
    char messages[BATCH * MESSAGE];
    const ssize_t got = ring3_fd_read(crowd.ends[0], messages, sizeof messages);

    if (got <= 0)
        abort();
    return got / MESSAGE;
}

static void ends_close(void)
{
    ring3_fd_close(crowd.ends[0]);
    ring3_fd_close(crowd.ends[1]);
}

/* --- Datagrams -------------------------------------------------------------------------------------------------------- */

static void datagram_open(int senders)
{
    (void)senders;
    if (ring3_socket_pair(crowd.ends, SOCK_DGRAM))
        abort();
}

static void datagram_send(void)
{
    char message[MESSAGE] = {0};

    while (ring3_send(crowd.ends[1], message, sizeof message, 0, NULL) == MESSAGE)
        ;
}

static long datagram_receive(void)
{
    char message[MESSAGE];

    if (ring3_receive(crowd.ends[0], message, sizeof message, 0, NULL) != MESSAGE)
        abort();
    return 1;
}

/* --- A POSIX message queue ---------------------------------------------------------------------------------------------- */

static void queue_open(int senders)
{
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = MESSAGE};
    char name[64];

    (void)senders;
    snprintf(name, sizeof name, "/ring3-bench-many-%d", (int)getpid());
    crowd.queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (crowd.queue < 0 || mq_unlink(name))
        abort();
}

static void queue_send(void)
{
    char message[MESSAGE] = {0};

    while (mq_send(crowd.queue, message, sizeof message, 0) == 0)
        ;
}

static long queue_receive(void)
{
    char message[MESSAGE];

    if (mq_receive(crowd.queue, message, sizeof message, NULL) != MESSAGE)
        abort();
    return 1;
}

static void queue_close(void)
{
    mq_close(crowd.queue);
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static void *gather(const struct ring3_bench *bench, int threads, int64_t senders)
{
    const struct means *const means = bench->context;

    (void)threads;
    means->open((int)senders);
    crowd.count = (int)senders;
    for (int i = 0; i < crowd.count; i++) {
        crowd.senders[i] = fork();
        if (crowd.senders[i] == 0) {
            means->send();
            _exit(1);
        }
    }
    if (crowd.memory && ring3_lanes_reader_open(&reader, &crowd.lanes, 0))
        abort();
    return (void *)(uintptr_t)means;
}

static void disperse(void *shared)
{
    const struct means *const means = shared;

    for (int i = 0; i < crowd.count; i++) {
        (void)kill(crowd.senders[i], SIGKILL);
        (void)waitpid(crowd.senders[i], NULL, 0);
    }
    means->close();
    memset(&crowd, 0, sizeof crowd);
}

static void receive(struct ring3_bench_thread *t)
{
    const struct means *const means = t->shared;

    while (ring3_bench_running(t))
        t->ops += (uint64_t)means->receive();
}

static const struct means lanes = {lanes_open, lanes_send, lanes_receive, lanes_close},
                          batches = {lanes_open, lanes_send_batches, lanes_receive, lanes_close},
                          pipes = {pipe_opened, pipe_send, pipe_receive, ends_close},
                          datagrams = {datagram_open, datagram_send, datagram_receive, ends_close},
                          queues = {queue_open, queue_send, queue_receive, queue_close};

#define MANY(id, text)                                                                             \
    RING3_BENCH(id, .name = "many/" text, .body = receive, .setup = gather, .teardown = disperse,  \
                .context = &(id), .params = {1, 4})
MANY(lanes, "ring3_lanes");
MANY(batches, "ring3_batches");
MANY(pipes, "pipe");
MANY(datagrams, "unix_dgram");
MANY(queues, "posix_mq");
