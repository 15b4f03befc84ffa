/* SPDX-License-Identifier: MIT */
/* Echo servers: see echo.h. Here are the two that need no library of threads, and that of ring3. */
#include "echo.h"

#include "ring3/io.h"
#include "ring3/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Rounds for each connection. */
#define ROUNDS 40

extern char **environ;

static double cpu_time(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* Descriptors for all connections, and some. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The client is built beside this program. */
static void client_path(char *path, size_t size)
{
    const ssize_t length = readlink("/proc/self/exe", path, size - 1);

    if (length < 0)
        abort();
    path[length] = '\0';
    char *const name = strrchr(path, '/') + 1;

    (void)snprintf(name, size - (size_t)(name - path), "echo-client");
}

static int listen_somewhere(in_port_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        abort();
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t start_client(int from, in_port_t port, int connections, long rounds)
{
    char path[4096], words[3][24];
    char *const argv[] = {path, words[0], words[1], words[2], NULL};
    posix_spawn_file_actions_t actions;
    pid_t client;

    client_path(path, sizeof path);
    (void)snprintf(words[0], sizeof words[0], "%u", port);
    (void)snprintf(words[1], sizeof words[1], "%d", connections);
    (void)snprintf(words[2], sizeof words[2], "%ld", rounds);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
    if (posix_spawn(&client, path, &actions, NULL, argv, environ)) {
        (void)fprintf(stderr, "echo: %s cannot be started\n", path);
        abort();
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return client;
}

void echo_begin(struct echo *echo, struct ring3_bench_thread *t)
{
    in_port_t port;
    int ends[2];

    raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    *echo = (struct echo){.connections = (int)t->param, .rounds = t->param * ROUNDS};
    echo->listener = listen_somewhere(&port);
    if (pipe2(ends, O_CLOEXEC))
        abort();
    echo->start = ends[1];
    echo->client = start_client(ends[0], port, echo->connections, echo->rounds);
    (void)close(ends[0]);
}

bool echo_more(struct echo *echo)
{
    if (++echo->accepted < echo->connections)
        return true;
    echo->began = cpu_time();
    if (write(echo->start, "", 1) != 1)
        abort();
    return false;
}

void echo_end(struct echo *echo, struct ring3_bench_thread *t)
{
    const double used = cpu_time() - echo->began;
    int status;

    (void)close(echo->listener);
    (void)close(echo->start);
    if (waitpid(echo->client, &status, 0) != echo->client || status != 0)
        abort();
    ring3_bench_count(t, "server_us", used * 1e6 / (double)echo->rounds);
    t->ops = (uint64_t)echo->rounds;
}

/* --- An event loop ------------------------------------------------------------------------------ */

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fcntl(fd, F_SETFL, O_NONBLOCK) || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        abort();
}

/* False when the client has closed it. */
static bool answer(int fd)
{
    char message[ECHO_MESSAGE];
    ssize_t got;

    while ((got = read(fd, message, sizeof message)) > 0)
        if (write(fd, message, (size_t)got) != got)
            abort();
    return got < 0 && errno == EAGAIN;
}

static void event_loop(struct ring3_bench_thread *t)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct echo echo;
    int open;

    echo_begin(&echo, t);
    do
        watch(epoll, accept(echo.listener, NULL, NULL));
    while (echo_more(&echo));
    for (open = echo.connections; open > 0;) {
        struct epoll_event events[128];
        const int count = epoll_wait(epoll, events, 128, -1);

        for (int i = 0; i < count; i++)
            if (!answer(events[i].data.fd)) {
                (void)close(events[i].data.fd);
                open--;
            }
    }
    (void)close(epoll);
    echo_end(&echo, t);
}
RING3_BENCH(event_loop, .name = "echo/epoll", .body = event_loop, .params = {100, 1000});

/* --- A kernel thread for each connection ---------------------------------------------------------- */

static void *serve_blocking(void *at)
{
    const int fd = (int)(intptr_t)at;
    char message[ECHO_MESSAGE];
    ssize_t got;

    while ((got = read(fd, message, sizeof message)) > 0)
        if (write(fd, message, (size_t)got) != got)
            abort();
    (void)close(fd);
    return NULL;
}

static void kernel_threads(struct ring3_bench_thread *t)
{
    pthread_t *const threads = calloc((size_t)t->param, sizeof *threads);
    struct echo echo;
    int fd, count = 0;

    echo_begin(&echo, t);
    do {
        fd = accept(echo.listener, NULL, NULL);
        if (fd < 0 || pthread_create(&threads[count++], NULL, serve_blocking, (void *)(intptr_t)fd))
            abort();
    } while (echo_more(&echo));
    while (count > 0)
        (void)pthread_join(threads[--count], NULL);
    free(threads);
    echo_end(&echo, t);
}
RING3_BENCH(kernel_threads, .name = "echo/pthread", .body = kernel_threads, .params = {100, 1000});

/* --- A user thread for each connection ------------------------------------------------------------ */

static void *serve(void *at)
{
    const int fd = (int)(intptr_t)at;
    char message[ECHO_MESSAGE];
    ssize_t got;

    while ((got = ring3_read(fd, message, sizeof message, NULL)) > 0)
        if (ring3_write(fd, message, (size_t)got, NULL) != got)
            abort();
    (void)ring3_close(fd);
    return NULL;
}

static void user_threads(struct ring3_bench_thread *t)
{
    const ring3_thread_attr_t detached = {.detached = true};
    struct echo echo;
    int fd;

    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1, .policy = "rr"}))
        abort();
    echo_begin(&echo, t);
    do {
        fd = ring3_accept(echo.listener, NULL, NULL, NULL);
        if (fd < 0 || ring3_thread_create(NULL, &detached, serve, (void *)(intptr_t)fd))
            abort();
    } while (echo_more(&echo));
    while (ring3_runtime_stop() != 0)
        (void)ring3_sleep_ns(1000000);
    echo_end(&echo, t);
}
RING3_BENCH(user_threads, .name = "echo/ring3_thread", .body = user_threads, .params = {100, 1000});
