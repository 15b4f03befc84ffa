/* SPDX-License-Identifier: MIT */
/*
 * One small server, in five models. A request is a connection: the client sends a letter and 63 bytes,
 * and reads until the server closes. E: the server sends them back. F: it sends a file of 16 KiB, which
 * is in the page cache. D: likewise, and the disk takes a millisecond, which the server spends blocked.
 *
 * The server is a process of its own, so that its memory, CPU time and context switches can be told
 * from the clients'. `param` is the kind of request.
 */
#include "ring3_bench.h"

#include "ring3/container.h"
#include "ring3/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE   64
#define FILE_SIZE (16 << 10)
#define WORKERS   8
#define CLIENTS   8

/* Of a server, which is a process. */
static int file = -1;

static void read_file(char *data, bool slow)
{
    if (slow)
        (void)usleep(1000);
    if (pread(file, data, FILE_SIZE, 0) != FILE_SIZE)
        abort();
}

static void answer_file(int fd, const char *data)
{
    (void)send(fd, data, FILE_SIZE, MSG_NOSIGNAL);
    (void)close(fd);
}

/* A whole request, blocking. */
static void serve(int fd)
{
    char data[FILE_SIZE];

    if (recv(fd, data, MESSAGE, MSG_WAITALL) != MESSAGE) {
        (void)close(fd);
        return;
    }
    if (data[0] == 'E') {
        (void)send(fd, data, MESSAGE, MSG_NOSIGNAL);
        (void)close(fd);
        return;
    }
    read_file(data, data[0] == 'D');
    answer_file(fd, data);
}

/* --- A thread per request ----------------------------------------------------------------------- */

static void *serve_in_thread(void *fd)
{
    serve((int)(intptr_t)fd);
    return NULL;
}

static void thread_per_request(int listening)
{
    pthread_attr_t detached;
    pthread_t thread;

    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        const int fd = accept(listening, NULL, NULL);

        if (fd >= 0 && pthread_create(&thread, &detached, serve_in_thread, (void *)(intptr_t)fd))
            serve(fd);
    }
}

/* --- Boss and workers --------------------------------------------------------------------------- */

struct request {
    ring3_task_t task;
    int fd;
    char data[FILE_SIZE];
};

static int serve_in_worker(ring3_task_t *task)
{
    serve(ring3_container_of(task, struct request, task)->fd);
    return 0;
}

static void forget(ring3_task_t *task)
{
    free(ring3_container_of(task, struct request, task));
}

static void boss_and_workers(int listening)
{
    const ring3_pool_options_t options = {.max = WORKERS, .capacity = 64};
    ring3_pool_t *pool;

    if (ring3_pool_create(&pool, &options))
        abort();
    for (;;) {
        const int fd = accept(listening, NULL, NULL);
        struct request *const request = fd >= 0 ? malloc(sizeof *request) : NULL;

        if (!request)
            continue;
        request->task = (ring3_task_t){.run = serve_in_worker, .done = forget};
        request->fd = fd;
        (void)ring3_pool_submit(pool, &request->task, RING3_POOL_BLOCK, NULL);
    }
}

/* --- An event loop, alone and with helpers ------------------------------------------------------ */

static int help(ring3_task_t *task)
{
    struct request *const request = ring3_container_of(task, struct request, task);

    read_file(request->data, request->data[0] == 'D');
    return 0;
}

static void collect(ring3_group_t *group)
{
    const struct timespec past = {0, 0};
    ring3_task_t *task;

    while (ring3_group_next(group, &task, &past) == 0) {
        struct request *const request = ring3_container_of(task, struct request, task);

        answer_file(request->fd, request->data);
        free(request);
    }
}

/* The message of a connection has come: it is short, and comes as a whole. */
static void dispatch(int fd, ring3_group_t *helpers)
{
    struct request *request;
    char data[MESSAGE];

    if (!helpers) {
        serve(fd);
        return;
    }
    if (recv(fd, data, MESSAGE, MSG_WAITALL) == MESSAGE && data[0] == 'E')
        (void)send(fd, data, MESSAGE, MSG_NOSIGNAL);
    else if ((request = malloc(sizeof *request))) {
        request->task = (ring3_task_t){.run = help, .group = helpers};
        request->fd = fd;
        request->data[0] = data[0];
        (void)ring3_pool_submit(helpers->pool, &request->task, RING3_POOL_RUN, NULL);
        return;
    }
    (void)close(fd);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        abort();
}

static void loop(int listening, ring3_group_t *helpers)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int done = helpers ? ring3_group_poll_fd(helpers) : -1;
    struct epoll_event events[64];

    (void)fcntl(listening, F_SETFL, O_NONBLOCK);
    watch(epoll, listening);
    if (helpers)
        watch(epoll, done);
    for (;;) {
        const int count = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;

            if (fd == listening) {
                const int new = accept(listening, NULL, NULL);

                if (new >= 0)
                    watch(epoll, new);
            } else if (fd == done) {
                collect(helpers);
            } else {
                (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
                dispatch(fd, helpers);
            }
        }
    }
}

static void event_loop(int listening)
{
    loop(listening, NULL);
}

static void event_loop_with_helpers(int listening)
{
    const ring3_pool_options_t options = {.max = WORKERS, .name = "helper"};
    static ring3_group_t group;
    ring3_pool_t *pool;

    if (ring3_pool_create(&pool, &options))
        abort();
    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    loop(listening, &group);
}

/* --- Processes ---------------------------------------------------------------------------------- */

static pid_t children[WORKERS - 1];

/* So that what they have used counts as used by their parent. */
static void end_children(int signal)
{
    (void)signal;
    for (int i = 0; i < WORKERS - 1; i++)
        (void)kill(children[i], SIGKILL);
    for (int i = 0; i < WORKERS - 1; i++)
        (void)waitpid(children[i], NULL, 0);
    _exit(0);
}

static void processes(int listening)
{
    int i = 0;

    while (i < WORKERS - 1 && (children[i] = fork()) > 0)
        i++;
    if (i < WORKERS - 1)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    else
        (void)signal(SIGTERM, end_children);
    for (;;) {
        const int fd = accept(listening, NULL, NULL);

        if (fd >= 0)
            serve(fd);
    }
}

/* --- Under load --------------------------------------------------------------------------------- */

struct load {
    struct sockaddr_un address;
    socklen_t length;
    struct ring3_bench_thread *bench;
    uint64_t done;
};

static void *ask(void *argument)
{
    struct load *const load = argument;
    char message[MESSAGE] = {"EFD"[load->bench->param - 1]}, answer[FILE_SIZE];

    while (ring3_bench_running(load->bench)) {
        const uint64_t begin = ring3_bench_clock();
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&load->address, load->length) == 0 &&
            send(fd, message, MESSAGE, MSG_NOSIGNAL) == MESSAGE) {
            while (recv(fd, answer, sizeof answer, 0) > 0)
                ;
            load->done++;
        }
        (void)close(fd);
        if (ring3_bench_clock() - begin > load->bench->longest_wait)
            load->bench->longest_wait = ring3_bench_clock() - begin;
    }
    return NULL;
}

static int make_file(void)
{
    char data[FILE_SIZE];
    const int fd = memfd_create("file", MFD_CLOEXEC);

    memset(data, 'x', sizeof data);
    if (fd < 0 || write(fd, data, sizeof data) != (ssize_t)sizeof data)
        abort();
    return fd;
}

/* The process's share of what it uses, in KiB. */
static double memory_of(pid_t pid)
{
    char path[64], line[128];
    unsigned long kib = 0;
    FILE *rollup;

    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    rollup = fopen(path, "re");
    while (rollup && fgets(line, sizeof line, rollup))
        if (sscanf(line, "Pss: %lu", &kib) == 1)
            break;
    if (rollup)
        (void)fclose(rollup);
    return (double)kib;
}

static double memory_with_children(pid_t pid)
{
    double sum = memory_of(pid);
    char path[64];
    FILE *list;
    int child;

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    list = fopen(path, "re");
    while (list && fscanf(list, "%d", &child) == 1)
        sum += memory_of(child);
    if (list)
        (void)fclose(list);
    return sum;
}

static void under_load(struct ring3_bench_thread *t, void (*model)(int listening))
{
    const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    struct load loads[CLIENTS];
    pthread_t clients[CLIENTS];
    struct rusage used;
    struct load load = {.address = {.sun_family = AF_UNIX}, .bench = t};

    /* An abstract name that the kernel chooses: nothing is left behind. */
    load.length = sizeof(sa_family_t);
    if (bind(listening, (struct sockaddr *)&load.address, load.length) != 0 ||
        listen(listening, 128) != 0)
        abort();
    load.length = sizeof load.address;
    (void)getsockname(listening, (struct sockaddr *)&load.address, &load.length);
    file = make_file();
    const pid_t server = fork();

    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        model(listening);
        _exit(1);
    }
    (void)close(listening);
    (void)close(file);
    for (int i = 0; i < CLIENTS; i++) {
        loads[i] = load;
        if (pthread_create(&clients[i], NULL, ask, &loads[i]) != 0)
            abort();
    }
    for (int i = 0; i < CLIENTS; i++) {
        (void)pthread_join(clients[i], NULL);
        t->ops += loads[i].done;
    }
    ring3_bench_count(t, "memory_kib", memory_with_children(server));
    (void)kill(server, SIGTERM);
    if (wait4(server, NULL, 0, &used) != server || t->ops == 0)
        abort();
    const double requests = (double)t->ops;

    ring3_bench_count(t, "switches", (double)(used.ru_nvcsw + used.ru_nivcsw) / requests);
    ring3_bench_count(t, "server_us",
                      ((double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec)) /
                          requests);
}

#define MODEL(function_, name_)                                                                    \
    static void function_##_model(struct ring3_bench_thread *t)                                    \
    {                                                                                              \
        under_load(t, function_);                                                                  \
    }                                                                                              \
    RING3_BENCH(function_, .name = "server/" name_, .body = function_##_model, .params = {1, 2, 3})

MODEL(thread_per_request, "thread_per_request");
MODEL(boss_and_workers, "boss_worker_pool");
MODEL(event_loop, "event_loop");
MODEL(event_loop_with_helpers, "event_loop_helpers");
MODEL(processes, "processes");
