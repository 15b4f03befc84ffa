/* SPDX-License-Identifier: MIT */
/* What the system's own means cost: waiting for one of many descriptors, starting processes, writing. */
#include "ring3_bench.h"

#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/process.h"
#include "ring3/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- One active descriptor among many idle ones ----------------------------------------------------------- */

enum { IDLE_MAX = 900 };

struct crowd {
    ring3_loop_t loop;
    ring3_source_t sources[IDLE_MAX];
    struct pollfd room[IDLE_MAX];
    int count;
};

static void taken(ring3_source_t *source, unsigned events)
{
    (void)events;
    (void)ring3_event_take(source->fd);
}

static void *gather(const struct ring3_bench *bench, int threads, int64_t count)
{
    const ring3_loop_kind_t kind = *(const ring3_loop_kind_t *)bench->context;
    struct crowd *const crowd = calloc(1, sizeof *crowd);

    (void)threads;
    if (!crowd || ring3_loop_open(&crowd->loop, kind, kind == RING3_LOOP_EPOLL ? NULL : crowd->room,
                                  kind == RING3_LOOP_EPOLL ? 0 : IDLE_MAX))
        abort();
    crowd->count = (int)count;
    for (int i = 0; i < crowd->count; i++) {
        crowd->sources[i] =
            (ring3_source_t){.fd = ring3_event_open(), .events = POLLIN, .ready = taken};
        if (ring3_loop_add(&crowd->loop, &crowd->sources[i]))
            abort();
    }
    return crowd;
}

static void disperse(void *shared)
{
    struct crowd *const crowd = shared;

    ring3_loop_close(&crowd->loop);
    for (int i = 0; i < crowd->count; i++)
        ring3_fd_close(crowd->sources[i].fd);
    free(crowd);
}

static void turn(struct ring3_bench_thread *t)
{
    struct crowd *const crowd = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        ring3_event_raise(crowd->sources[crowd->count - 1].fd);
        ring3_loop_turn(&crowd->loop, NULL);
    }
}

static const ring3_loop_kind_t by_epoll = RING3_LOOP_EPOLL, by_poll = RING3_LOOP_POLL,
                               by_select = RING3_LOOP_SELECT;
RING3_BENCH(epoll, .name = "ready/epoll", .body = turn, .setup = gather, .teardown = disperse,
            .context = &by_epoll, .params = {1, 10, 100, IDLE_MAX});
RING3_BENCH(poll, .name = "ready/poll", .body = turn, .setup = gather, .teardown = disperse,
            .context = &by_poll, .params = {1, 10, 100, IDLE_MAX});
RING3_BENCH(select, .name = "ready/select", .body = turn, .setup = gather, .teardown = disperse,
            .context = &by_select, .params = {1, 10, 100, IDLE_MAX});

/* --- Starting a process from one with so many MiB resident -------------------------------------------------- */

static void *grow(const struct ring3_bench *bench, int threads, int64_t mib)
{
    const size_t size = (size_t)mib << 20;
    void *const memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)bench, (void)threads;
    if (memory == MAP_FAILED)
        abort();
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
    size_t *const kept = malloc(2 * sizeof *kept);
    if (!kept)
        abort();
    kept[0] = (size_t)memory, kept[1] = size;
    return kept;
}

static void shrink(void *shared)
{
    size_t *const kept = shared;

    munmap((void *)kept[0], kept[1]);
    free(kept);
}

static const char *const program[] = {"/bin/true", NULL};

static void spawn(struct ring3_bench_thread *t)
{
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = (char **)(uintptr_t)program};

    for (; ring3_bench_running(t); t->ops++) {
        ring3_process_t process;

        if (ring3_spawn(&plan, &process) || ring3_process_wait(&process, 0, NULL, NULL))
            abort();
    }
}

static void fork_and_exec(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        const pid_t pid = fork();

        if (pid == 0) {
            execv("/bin/true", (char *const *)(uintptr_t)program);
            _exit(127);
        }
        if (waitpid(pid, NULL, 0) != pid)
            abort();
    }
}

static void posix(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        pid_t pid;

        if (posix_spawn(&pid, "/bin/true", NULL, NULL, (char *const *)(uintptr_t)program, NULL) ||
            waitpid(pid, NULL, 0) != pid)
            abort();
    }
}

static void vfork_and_exec(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        const pid_t pid = vfork();

        if (pid == 0) {
            execv("/bin/true", (char *const *)(uintptr_t)program);
            _exit(127);
        }
        if (waitpid(pid, NULL, 0) != pid)
            abort();
    }
}

static void fork_only(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        const pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (waitpid(pid, NULL, 0) != pid)
            abort();
    }
}

RING3_BENCH(spawn, .name = "start/ring3_spawn", .body = spawn, .setup = grow, .teardown = shrink,
            .params = {1, 50, 200});
RING3_BENCH(posix, .name = "start/posix_spawn", .body = posix, .setup = grow, .teardown = shrink,
            .params = {1, 50, 200});
RING3_BENCH(vfork_and_exec, .name = "start/vfork_exec", .body = vfork_and_exec, .setup = grow,
            .teardown = shrink, .params = {1, 50, 200});
RING3_BENCH(fork_and_exec, .name = "start/fork_exec", .body = fork_and_exec, .setup = grow,
            .teardown = shrink, .params = {1, 50, 200});
RING3_BENCH(fork_only, .name = "start/fork", .body = fork_only, .setup = grow, .teardown = shrink,
            .params = {1, 50, 200});

/* --- Writing to pages that a forked child shares ------------------------------------------------------------ */

#define PAGES_MIB 16

static void *grow_pages(const struct ring3_bench *bench, int threads, int64_t unused)
{
    (void)unused;
    return grow(bench, threads, PAGES_MIB);
}

/* A byte to each page: nanoseconds and faults are added to `ns` and `faults`. */
static void write_pages(const size_t *memory, double *ns, double *faults)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct timespec begun, ended;
    struct rusage before, after;

    (void)getrusage(RUSAGE_SELF, &before);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    for (size_t at = 0; at < memory[1]; at += page)
        ((volatile char *)memory[0])[at]++;
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    (void)getrusage(RUSAGE_SELF, &after);
    *ns += (double)(ended.tv_sec - begun.tv_sec) * 1e9 + (double)(ended.tv_nsec - begun.tv_nsec);
    *faults += (double)(after.ru_minflt - before.ru_minflt);
}

/* `forks`: a child lives while the pages are written; with `again` only the second time counts. */
static void pages(struct ring3_bench_thread *t, bool forks, bool again)
{
    const double count = PAGES_MIB * (double)(1 << 20) / (double)sysconf(_SC_PAGESIZE);
    double ns = 0, faults = 0, unused = 0;

    for (; ring3_bench_running(t); t->ops++) {
        const pid_t child = forks ? fork() : 0;

        if (forks && child == 0)
            for (;;)
                (void)pause();
        if (again)
            write_pages(t->shared, &unused, &unused);
        write_pages(t->shared, &ns, &faults);
        if (forks && (kill(child, SIGKILL) || waitpid(child, NULL, 0) != child))
            abort();
    }
    ring3_bench_count(t, "write_ns", ns / count / (double)t->ops);
    ring3_bench_count(t, "faults", faults / count / (double)t->ops);
}

static void own_pages(struct ring3_bench_thread *t)
{
    pages(t, false, false);
}

static void shared_pages(struct ring3_bench_thread *t)
{
    pages(t, true, false);
}

static void copied_pages(struct ring3_bench_thread *t)
{
    pages(t, true, true);
}

RING3_BENCH(own_pages, .name = "pages/own", .body = own_pages, .setup = grow_pages,
            .teardown = shrink);
RING3_BENCH(shared_pages, .name = "pages/shared_with_a_child", .body = shared_pages,
            .setup = grow_pages, .teardown = shrink);
RING3_BENCH(copied_pages, .name = "pages/once_more", .body = copied_pages, .setup = grow_pages,
            .teardown = shrink);

/* --- Files: forcing to disk, gathering ------------------------------------------------------------------------ */

static void *open_file(const struct ring3_bench *bench, int threads, int64_t param)
{
    static int fd;
    char path[] = "/var/tmp/ring3-bench-XXXXXX";

    (void)bench, (void)threads, (void)param;
    fd = mkstemp(path);
    if (fd < 0 || unlink(path) || ring3_fd_allocate(fd, 0, 1 << 20))
        abort();
    return &fd;
}

static void close_file(void *shared)
{
    ring3_fd_close(*(int *)shared);
}

static void force(struct ring3_bench_thread *t, int (*how)(int), bool append)
{
    static const char block[4096];
    const int fd = *(int *)t->shared;
    off_t end = 1 << 20;

    for (; ring3_bench_running(t); t->ops++) {
        if (pwrite(fd, block, sizeof block, append ? end : 0) != (ssize_t)sizeof block || how(fd))
            abort();
        end += (off_t)sizeof block;
    }
}

static void sync_in_place(struct ring3_bench_thread *t)
{
    force(t, fsync, false);
}
static void datasync_in_place(struct ring3_bench_thread *t)
{
    force(t, fdatasync, false);
}
static void sync_append(struct ring3_bench_thread *t)
{
    force(t, fsync, true);
}
static void datasync_append(struct ring3_bench_thread *t)
{
    force(t, fdatasync, true);
}
RING3_BENCH(sync1, .name = "force/in_place/fsync", .body = sync_in_place, .setup = open_file,
            .teardown = close_file);
RING3_BENCH(sync2, .name = "force/in_place/fdatasync", .body = datasync_in_place,
            .setup = open_file, .teardown = close_file);
RING3_BENCH(sync3, .name = "force/append/fsync", .body = sync_append, .setup = open_file,
            .teardown = close_file);
RING3_BENCH(sync4, .name = "force/append/fdatasync", .body = datasync_append, .setup = open_file,
            .teardown = close_file);

enum { PIECES = 16, PIECE = 64 };

static void *open_null(const struct ring3_bench *bench, int threads, int64_t param)
{
    static int ends[2];

    (void)bench, (void)threads, (void)param;
    if (pipe(ends))
        abort();
    return ends;
}

static void close_null(void *shared)
{
    ring3_fd_close(((int *)shared)[0]);
    ring3_fd_close(((int *)shared)[1]);
}

static void one_by_one(struct ring3_bench_thread *t)
{
    const int *const ends = t->shared;
    char bytes[PIECES][PIECE] = {{0}};

    for (; ring3_bench_running(t); t->ops++) {
        for (int i = 0; i < PIECES; i++)
            if (ring3_fd_write(ends[1], bytes[i], PIECE) != PIECE)
                abort();
        for (int i = 0; i < PIECES; i++)
            if (ring3_fd_read(ends[0], bytes[i], PIECE) != PIECE)
                abort();
    }
}

static void gathered(struct ring3_bench_thread *t)
{
    const int *const ends = t->shared;
    char bytes[PIECES][PIECE] = {{0}};
    struct iovec pieces[PIECES];

    for (int i = 0; i < PIECES; i++)
        pieces[i] = (struct iovec){bytes[i], PIECE};
    for (; ring3_bench_running(t); t->ops++)
        if (ring3_fd_writev_full(ends[1], pieces, PIECES, NULL, NULL) ||
            ring3_fd_readv_full(ends[0], pieces, PIECES, NULL, NULL))
            abort();
}

RING3_BENCH(one_by_one, .name = "gather/read_write", .body = one_by_one, .setup = open_null,
            .teardown = close_null);
RING3_BENCH(gathered, .name = "gather/readv_writev", .body = gathered, .setup = open_null,
            .teardown = close_null);
