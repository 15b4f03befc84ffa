/* SPDX-License-Identifier: MIT */
/*
 * Reading from the disk and computing: one after the other; with a thread that reads ahead; and with reads that
 * the kernel does meanwhile (Linux asynchronous I/O). The computation of a block takes as long as reading one.
 */
#include "ipc_bench.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 256 << 10, BLOCKS = 64, CALIBRATION = 16 };

static struct {
    int fd;
    unsigned char *blocks[2];
    uint64_t compute_ns;
    /* With a helper: which blocks are full and free. */
    pthread_t helper;
    sem_t full, free;
    bool ended;
} disk;

static off_t place(uint64_t number)
{
    return (off_t)(number % BLOCKS * BLOCK);
}

static void read_block(uint64_t number)
{
    if (pread(disk.fd, disk.blocks[number % 2], BLOCK, place(number)) != BLOCK)
        abort();
}

static void compute(void)
{
    for (const uint64_t end = ipc_bench_now() + disk.compute_ns; ipc_bench_now() < end;)
        ring3_bench_spin(100);
}

/* Reads do not come from memory where the file system can pass it by. */
static void *prepare(const struct ring3_bench *bench, int threads, int64_t param)
{
    char path[] = "/var/tmp/ring3-bench-XXXXXX";
    const int fd = mkstemp(path);

    (void)bench, (void)threads, (void)param;
    for (int i = 0; i < 2; i++) {
        disk.blocks[i] = aligned_alloc(4096, BLOCK);
        if (!disk.blocks[i])
            abort();
        memset(disk.blocks[i], i, BLOCK);
    }
    for (uint64_t i = 0; fd >= 0 && i < BLOCKS; i++)
        if (pwrite(fd, disk.blocks[0], BLOCK, place(i)) != BLOCK)
            abort();
    if (fd < 0 || fsync(fd))
        abort();
    disk.fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (disk.fd < 0)
        disk.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (disk.fd < 0 || unlink(path))
        abort();
    close(fd);
    const uint64_t start = ipc_bench_now();

    for (uint64_t i = 0; i < CALIBRATION; i++)
        read_block(i);
    disk.compute_ns = (ipc_bench_now() - start) / CALIBRATION;
    return &disk;
}

static void put_away(void *shared)
{
    (void)shared;
    close(disk.fd);
    free(disk.blocks[0]);
    free(disk.blocks[1]);
}

static void one_after_the_other(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        read_block(t->ops);
        compute();
    }
}

/* --- A helper ------------------------------------------------------------------------------------------- */

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore))
        ;
}

static void *read_ahead(void *nothing)
{
    for (uint64_t number = 0;; number++) {
        wait_for(&disk.free);
        if (ring3_load(&disk.ended, RING3_RELAXED)) /* ordered by the semaphore */
            return nothing;
        read_block(number);
        sem_post(&disk.full);
    }
}

static void with_a_helper(struct ring3_bench_thread *t)
{
    ring3_store(&disk.ended, false, RING3_RELAXED);
    if (sem_init(&disk.full, 0, 0) || sem_init(&disk.free, 0, 2) ||
        pthread_create(&disk.helper, NULL, read_ahead, NULL))
        abort();
    for (; ring3_bench_running(t); t->ops++) {
        wait_for(&disk.full);
        compute();
        sem_post(&disk.free);
    }
    ring3_store(&disk.ended, true, RING3_RELAXED);
    sem_post(&disk.free);
    pthread_join(disk.helper, NULL);
}

/* --- The kernel ------------------------------------------------------------------------------------------- */

static void submit(aio_context_t context, struct iocb *request, uint64_t number)
{
    *request = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
                             .aio_fildes = (uint32_t)disk.fd,
                             .aio_buf = (uintptr_t)disk.blocks[number % 2],
                             .aio_nbytes = BLOCK,
                             .aio_offset = place(number)};
    if (syscall(SYS_io_submit, context, 1L, &request) != 1)
        abort();
}

static void reap(aio_context_t context)
{
    struct io_event event;

    if (syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) != 1 || event.res != BLOCK)
        abort();
}

static void meanwhile(struct ring3_bench_thread *t)
{
    struct iocb request;
    aio_context_t context = 0;

    if (syscall(SYS_io_setup, 1L, &context))
        abort();
    submit(context, &request, 0);
    for (; ring3_bench_running(t); t->ops++) {
        reap(context);
        submit(context, &request, t->ops + 1);
        compute();
    }
    reap(context);
    (void)syscall(SYS_io_destroy, context);
}

RING3_BENCH(blocking, .name = "overlap/one_after_the_other", .body = one_after_the_other,
            .setup = prepare, .teardown = put_away);
RING3_BENCH(helper, .name = "overlap/helper_thread", .body = with_a_helper, .setup = prepare,
            .teardown = put_away);
RING3_BENCH(async, .name = "overlap/asynchronous", .body = meanwhile, .setup = prepare,
            .teardown = put_away);
