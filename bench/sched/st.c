/* SPDX-License-Identifier: MIT */
/* Peer: State Threads. */
#include "echo.h"

#include <st.h>
#include <stdlib.h>

#define BATCH 64

static bool over;

static void *yield_until_over(void *unused)
{
    while (!over)
        (void)st_sleep(0);
    return unused;
}

/* It has no yield; to sleep for no time is one. */
static void yields(struct ring3_bench_thread *t)
{
    st_thread_t thread;

    if (st_init() || !(thread = st_thread_create(yield_until_over, NULL, 1, 0)))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops += 2)
            (void)st_sleep(0);
    over = true;
    (void)st_thread_join(thread, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(struct ring3_bench_thread *t)
{
    if (st_init())
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++)
            if (st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL))
                abort();
}

static void *serve(void *at)
{
    const st_netfd_t fd = at;
    char message[ECHO_MESSAGE];
    ssize_t got;

    while ((got = st_read(fd, message, sizeof message, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(fd, message, (size_t)got, ST_UTIME_NO_TIMEOUT) != got)
            abort();
    (void)st_netfd_close(fd);
    return NULL;
}

static void echo(struct ring3_bench_thread *t)
{
    st_thread_t *const threads = calloc((size_t)t->param, sizeof(st_thread_t));
    st_netfd_t listener;
    struct echo echo;
    int count = 0;

    (void)st_set_eventsys(ST_EVENTSYS_ALT); /* epoll */
    if (!threads || st_init())
        abort();
    echo_begin(&echo, t);
    listener = st_netfd_open_socket(echo.listener);
    do {
        const st_netfd_t fd = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);

        if (!fd || !(threads[count++] = st_thread_create(serve, fd, 1, 0)))
            abort();
    } while (echo_more(&echo));
    while (count > 0)
        (void)st_thread_join(threads[--count], NULL);
    st_netfd_free(listener);
    free(threads);
    echo_end(&echo, t);
}

RING3_BENCH(st_echo, .name = "echo/st", .body = echo, .params = {100, 1000});
RING3_BENCH(st_yield, .name = "yield/st", .body = yields, .params = {2});
RING3_BENCH(st_create_join, .name = "create-join/st", .body = create_join);
