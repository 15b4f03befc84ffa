/* SPDX-License-Identifier: MIT */
/* What shares memory, and processes, waiting for what does not come, under a storm of signals. */
#include "storm.h"

#include "ring3/broadcast.h"
#include "ring3/daemon.h"
#include "ring3/lanes.h"
#include "ring3/sharedlock.h"
#include "ring3/signals.h"
#include "ring3/subprocess.h"
#include "ring3/supervisor.h"
#include "ring3/zygote.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[64], storage[4096];

/* --- ring.h, lanes.h, broadcast.h, sharedlock.h ------------------------------------------------------------------- */

static void *shared_memory(size_t size)
{
    void *const memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    check(memory != MAP_FAILED);
    return memory;
}
static int ring_reader_wait(until_t until)
{
    ring3_ring_reader_t reader;
    ring3_ring_t ring;

    check_eq(ring3_ring_place(&ring, shared_memory(8192), 8192, RING3_SHARED), 0);
    check_eq(ring3_ring_reader_init(&reader, &ring), 0);
    return ring3_ring_reader_wait(&reader, until);
}
static int ring_writer_wait(until_t until)
{
    ring3_ring_writer_t writer;
    ring3_ring_t ring;

    check_eq(ring3_ring_place(&ring, shared_memory(8192), 8192, RING3_SHARED), 0);
    check_eq(ring3_ring_writer_init(&writer, &ring), 0);
    while (ring3_ring_put(&writer, bytes, 64, 0) == 0)
        ;
    return ring3_ring_writer_wait(&writer, 64, until);
}

static void make_lanes(ring3_lanes_t *lanes)
{
    void *const memory = shared_memory(65536);

    check_eq(ring3_lanes_format(memory, 65536, 1, RING3_SHARED), 0);
    check_eq(ring3_lanes_attach(lanes, memory, 65536), 0);
}
static int lane_send(until_t until)
{
    ring3_lanes_t lanes;
    ring3_lane_t lane;
    int err;

    make_lanes(&lanes);
    check_eq(ring3_lane_open(&lane, &lanes), 0);
    do
        err = ring3_lane_send(&lane, bytes, 64, 0, until);
    while (err == 0);
    ring3_lane_close(&lane);
    return err;
}
static int lanes_receive(until_t until)
{
    static ring3_lanes_reader_t reader;
    ring3_lanes_t lanes;

    make_lanes(&lanes);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    const int err = (int)ring3_lanes_receive(&reader, storage, sizeof storage, NULL, until);

    ring3_lanes_reader_close(&reader);
    return err;
}

static int broadcast(until_t until, bool publishes)
{
    const size_t size = ring3_broadcast_size(64, 16);
    void *const memory = shared_memory(size);
    ring3_publisher_t publisher;
    ring3_subscriber_t subscriber;
    int err;

    check_eq(ring3_broadcast_format(memory, size, 64, 16, RING3_SHARED), 0);
    check_eq(ring3_publisher_open(&publisher, memory, size), 0);
    check_eq(ring3_subscriber_open(&subscriber, memory, size, RING3_FROM_NOW, true), 0);
    do
        err = publishes ? ring3_publish(&publisher, "x", 1, until)
                        : (int)ring3_subscriber_receive(&subscriber, storage, 64, NULL, until);
    while (publishes && err == 0);
    ring3_subscriber_close(&subscriber);
    return err;
}
static int publish(until_t until)
{
    return broadcast(until, true);
}
static int subscriber_receive(until_t until)
{
    return broadcast(until, false);
}

/* A child holds the lock until it is killed. */
static int sharedlock_lock(until_t until)
{
    struct {
        ring3_sharedlock_t lock;
        uint32_t locked;
    } *const shared = shared_memory(4096);
    const pid_t pid = fork();

    if (pid == 0) {
        (void)ring3_sharedlock_lock(&shared->lock, NULL, NULL, NULL);
        /* Pairs with the acquire below. */
        ring3_store(&shared->locked, 1, RING3_RELEASE);
        for (;;)
            pause();
    }
    while (!ring3_load(&shared->locked, RING3_ACQUIRE))
        sleep_ms(1);
    const int err = ring3_sharedlock_lock(&shared->lock, NULL, NULL, until);

    kill(pid, SIGKILL);
    check_killed(pid);
    return err;
}
static int sharedcond_wait(until_t until)
{
    struct {
        ring3_sharedlock_t lock;
        ring3_sharedcond_t cond;
    } *const shared = shared_memory(4096);

    check_eq(ring3_sharedlock_lock(&shared->lock, NULL, NULL, NULL), 0);
    int err;

    do /* it may return for nothing */
        err = ring3_sharedcond_wait(&shared->cond, &shared->lock, NULL, NULL, until);
    while (err == 0);
    check_eq(ring3_sharedlock_unlock(&shared->lock), 0);
    return err;
}

/* --- process.h, subprocess.h, supervisor.h, daemon.h, zygote.h ------------------------------------------------------ */

/* Sleeps, and SIGTERM stays pending. */
static ring3_process_t stubborn(void)
{
    static const char *const sleeper[] = {"/bin/sleep", "1000", NULL};
    static sigset_t term;
    static const ring3_spawn_plan_t plan = {
        .path = "/bin/sleep", .argv = (char **)(uintptr_t)sleeper, .mask = &term};
    ring3_process_t process;

    check_eq(ring3_signal_set(&term, (const int[]){SIGTERM}, 1), 0);
    check_eq(ring3_spawn(&plan, &process), 0);
    return process;
}

/* Where it is the end that is insisted upon when the deadline has passed. */
static int insisted(int err, const ring3_status_t *status)
{
    check(status->kind == RING3_KILLED && status->value == SIGKILL);
    return err ? err : -ETIMEDOUT;
}
static int process_wait(until_t until)
{
    ring3_process_t process = stubborn();
    const int err = ring3_process_wait(&process, 0, until, NULL);

    check_eq(ring3_process_signal(&process, SIGKILL), 0);
    check_eq(ring3_process_wait(&process, 0, NULL, NULL), 0);
    return err;
}
static int process_end(until_t until)
{
    ring3_process_t process = stubborn();
    ring3_status_t status;
    const int err = ring3_process_end(&process, until, &status);

    return insisted(err, &status);
}
static int supervisor(until_t until, bool stops)
{
    static const char *const sleeper[] = {"/bin/sleep", "1000", NULL};
    sigset_t term;
    const ring3_spawn_plan_t plan = {
        .path = "/bin/sleep", .argv = (char **)(uintptr_t)sleeper, .mask = &term};
    ring3_supervisor_t s = {.plan = &plan};
    const struct timespec soon = deadline_in(10);
    ring3_status_t status;

    check_eq(ring3_signal_set(&term, (const int[]){SIGTERM}, 1), 0);
    check_eq(ring3_supervisor_step(&s, NULL, &status), RING3_SUPERVISOR_STARTED);
    const int err = stops ? 0 : ring3_supervisor_step(&s, until, &status);
    const int stopped = ring3_supervisor_stop(&s, stops ? until : &soon, &status);

    return stops ? insisted(stopped, &status) : err;
}
static int supervisor_step(until_t until)
{
    return supervisor(until, false);
}
static int supervisor_stop(until_t until)
{
    return supervisor(until, true);
}
static int subprocess_talk(until_t until)
{
    static const char *const cat[] = {"/bin/cat", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/cat", .argv = (char **)(uintptr_t)cat};
    ring3_talk_t talk = {.output = storage, .output_size = sizeof storage};
    ring3_subprocess_t sub;

    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT),
             0);
    /* It waits for input that we do not give, and somebody else keeps its end open. */
    const int input = dup(sub.input);
    const int err = ring3_subprocess_talk(&sub, &talk, until);

    check_eq(ring3_process_signal(&sub.process, SIGKILL), 0);
    check_eq(ring3_process_wait(&sub.process, 0, NULL, NULL), 0);
    ring3_subprocess_close(&sub);
    close(input);
    return err;
}
static int daemon_start(until_t until)
{
    ring3_process_t process;
    int report;
    const int is = ring3_daemon_start(&process, until, &report);

    if (is == 1)
        for (;;) /* it is never ready */
            pause();
    return is;
}

static int never_ends(const void *request, size_t size, const int *fds, int count, void *context)
{
    (void)request, (void)size, (void)fds, (void)count, (void)context;
    return pause(); /* until it is killed */
}
static int zygote(until_t until, bool forks)
{
    static const struct timespec *const for_ever;
    ring3_zygote_t zygote;
    ring3_process_t child = {0};
    int err;

    check_eq(ring3_zygote_start(&zygote, never_ends, NULL), 0);
    if (forks) {
        check_eq(ring3_process_signal(&zygote.server, SIGSTOP), 0);
        err = ring3_zygote_fork(&zygote, "x", 1, NULL, 0, until, &child);
        check_eq(ring3_process_signal(&zygote.server, SIGCONT), 0);
    } else {
        check_eq(ring3_zygote_fork(&zygote, "x", 1, NULL, 0, for_ever, &child), 0);
        err = ring3_zygote_wait(&zygote, &child, until, NULL);
        check_eq(ring3_process_signal(&child, SIGKILL), 0);
        check_eq(ring3_zygote_wait(&zygote, &child, NULL, NULL), 0);
    }
    ring3_zygote_stop(&zygote);
    return err;
}
static int zygote_fork(until_t until)
{
    return zygote(until, true);
}
static int zygote_wait(until_t until)
{
    return zygote(until, false);
}

static const struct storm_call calls[] = {
    {"ring3_ring_reader_wait", ring_reader_wait},
    {"ring3_ring_writer_wait", ring_writer_wait},
    {"ring3_lane_send", lane_send},
    {"ring3_lanes_receive", lanes_receive},
    {"ring3_publish", publish},
    {"ring3_subscriber_receive", subscriber_receive},
    {"ring3_sharedlock_lock", sharedlock_lock},
    {"ring3_sharedcond_wait", sharedcond_wait},
    {"ring3_process_wait", process_wait},
    {"ring3_process_end", process_end},
    {"ring3_supervisor_step", supervisor_step},
    {"ring3_supervisor_stop", supervisor_stop},
    {"ring3_subprocess_talk", subprocess_talk},
    {"ring3_daemon_start", daemon_start},
    {"ring3_zygote_fork", zygote_fork},
    {"ring3_zygote_wait", zygote_wait},
    {NULL, NULL},
};

TEST(storm, memory_and_processes_wait_until_their_deadlines, 60)
{
    storm_each(calls);
}
