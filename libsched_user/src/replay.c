/* SPDX-License-Identifier: MIT */
/*
 * A record is a text: a line that says what it is, then for each choice of the worker a line with the
 * number of the thread that ran next. With one worker and without preemption these choices are all that
 * depends on time: which threads there are, and what their numbers are, follows from them.
 *
 * On replay the policy keeps its queue as ever, but the recorded thread is taken out of it. If that one
 * is not ready yet, because it sleeps or waits for the world, everybody waits for it. If it is no more,
 * or nothing happens for long, the program has taken another way than when it was recorded: that is told
 * once, and from there on the policy decides.
 */
#include "replay.h"

#include "schedule.h"

#include "ring3/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADING "ring3 schedule 1\n"

/* A thread that should be ready and neither is nor has a timer is waited for so long, ns. */
#define PATIENCE (2 * RING3_SECOND_NS)

/* Of the process, as the runtime is. Touched by the worker, and at the beginning and end. */
static struct {
    int out; /* the record that is being written, plus 1 */
    size_t filled;
    char buffer[4096];
    uint32_t *recorded; /* the record that is being replayed, or NULL */
    uint64_t length, choices, diverged;
    int64_t waited_since; /* 0: the next thread is not being waited for */
} replay;

/* --- Recording -------------------------------------------------------------------------------- */

static void flush(void)
{
    size_t done = 0;

    while (done < replay.filled) {
        const ssize_t wrote = write(replay.out - 1, replay.buffer + done, replay.filled - done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            ring3_env_complain((const char *[]){"ring3 sched: cannot write ",
                                                runtime.options.record, ": ", strerror(errno)},
                               4);
            (void)close(replay.out - 1);
            replay.out = 0;
            break;
        }
        done += (size_t)wrote;
    }
    replay.filled = 0;
}

static void record(const struct thread *thread)
{
    char line[16];
    const size_t length =
        (size_t)snprintf(line, sizeof line, "%lu\n", (unsigned long)thread->index + 1);

    if (replay.filled + length > sizeof replay.buffer)
        flush();
    memcpy(replay.buffer + replay.filled, line, length);
    replay.filled += length;
}

/* --- Replaying -------------------------------------------------------------------------------- */

static void diverge(const char *why)
{
    char choice[24];

    replay.diverged = replay.choices + 1;
    (void)snprintf(choice, sizeof choice, "%llu", (unsigned long long)replay.diverged);
    ring3_env_complain((const char *[]){"ring3 sched: replay: choice ", choice, " differs from ",
                                        runtime.options.replay, ": ", why},
                       6);
}

/* The thread whose turn it is, if it is ready; else says whether to go on waiting. */
static struct thread *recorded_next(struct worker *worker, int64_t now, bool *wait)
{
    struct thread *const thread = table_at(replay.recorded[replay.choices] - 1);

    *wait = false;
    if (!thread || thread->state >= RING3_THREAD_ENDED) {
        diverge("the thread that ran next is no more");
        return NULL;
    }
    if (thread->in_queue) {
        lock_queue(worker);
        runtime.policy->dequeue(worker->queue, &thread->entity, now);
        thread->in_queue = false;
        set_queued(worker, worker->queued - 1);
        unlock_queue(worker);
        replay.waited_since = 0;
        return thread;
    }
    if (replay.waited_since == 0 || thread->timer_at)
        replay.waited_since = runtime_clock();
    *wait = runtime_clock() - replay.waited_since < PATIENCE;
    if (!*wait)
        diverge("the thread that ran next is not ready");
    return NULL;
}

struct thread *replay_pick(struct worker *worker, int64_t now)
{
    struct thread *thread = NULL;
    bool wait = false;

    if (queued(worker) == 0)
        return NULL;
    if (replay.recorded && !replay.diverged) {
        if (replay.choices < replay.length)
            thread = recorded_next(worker, now, &wait);
        else
            diverge("the record ends here");
    }
    if (!thread && !wait)
        thread = pick(worker, now);
    replay.choices += thread != NULL;
    if (thread && replay.out)
        record(thread);
    return thread;
}

/* --- Beginning and end ------------------------------------------------------------------------ */

static int parse(const char *text, size_t size)
{
    const size_t heading = sizeof HEADING - 1;
    const char *at = text + heading;

    if (size < heading || memcmp(text, HEADING, heading) != 0)
        return -EINVAL;
    /* A line takes two bytes at least. */
    replay.recorded = calloc((size - heading) / 2 + 1, sizeof *replay.recorded);
    if (!replay.recorded)
        return -ENOMEM;
    while (at < text + size) {
        char *end;
        const unsigned long number = strtoul(at, &end, 10);

        if (end == at || *end != '\n' || number == 0 || number > UINT32_MAX)
            return -EINVAL;
        replay.recorded[replay.length++] = (uint32_t)number;
        at = end + 1;
    }
    return 0;
}

static int load(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status = {.st_size = 0};
    char *text = NULL;
    size_t size = 0;
    ssize_t got = 0;
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) != 0)
        err = -errno;
    else if (!(text = malloc((size_t)status.st_size + 1)))
        err = -ENOMEM;
    while (!err && size < (size_t)status.st_size &&
           (got = read(fd, text + size, (size_t)status.st_size - size)) > 0)
        size += (size_t)got;
    if (got < 0)
        err = -errno;
    if (!err) {
        text[size] = '\0';
        err = parse(text, size);
    }
    free(text);
    (void)close(fd);
    return err;
}

int replay_start(void)
{
    int err = 0;

    memset(&replay, 0, sizeof replay);
    if (runtime.options.replay)
        err = load(runtime.options.replay);
    if (!err && runtime.options.record) {
        replay.out =
            open(runtime.options.record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) + 1;
        err = replay.out == 0 ? -errno : 0;
    }
    if (err) {
        free(replay.recorded);
        replay.recorded = NULL;
        return err;
    }
    memcpy(replay.buffer, HEADING, sizeof HEADING - 1);
    replay.filled = sizeof HEADING - 1;
    runtime.replays = runtime.options.record || runtime.options.replay;
    return 0;
}

void replay_stop(void)
{
    if (!runtime.replays)
        return;
    if (replay.recorded && !replay.diverged && replay.choices < replay.length)
        diverge("the run ends here");
    if (replay.out)
        flush();
    if (replay.out)
        (void)close(replay.out - 1);
    replay.out = 0;
    free(replay.recorded);
    replay.recorded = NULL;
    runtime.replays = false;
}

/* The child goes its own way, and the record is its parent's. */
void replay_forked(void)
{
    if (replay.out)
        (void)close(replay.out - 1);
    replay.out = 0;
    replay.recorded = NULL;
    runtime.replays = false;
}

/* A program may end without stopping the runtime. */
__attribute__((destructor)) static void write_the_rest(void)
{
    if (replay.out)
        flush();
}

uint64_t replay_choices(void)
{
    return ring3_load(&replay.choices, RING3_RELAXED);
}

uint64_t replay_diverged(void)
{
    return ring3_load(&replay.diverged, RING3_RELAXED);
}
