/* SPDX-License-Identifier: MIT */
#include "ring3/copy.h"

#include "call.h"
#include "feature.h"
#include "quiet.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Per system call: large enough to make the call's cost vanish, small enough that a signal handler
 * is not held up for long. */
#define STEP        ((uint64_t)16 << 20)
#define BOUNCE_SIZE 65536 /* a pipe's default capacity */

enum way { BY_RANGE, BY_SPLICE, BY_SENDFILE, BY_BOUNCE };

static ring3_feature_t features[] = {
    [BY_RANGE] = {"copy_file_range", 0},
    [BY_SPLICE] = {"splice", 0},
    [BY_SENDFILE] = {"sendfile", 0},
};

/* Bytes, 0 at the end, or a negative errno; EINTR included, since part of the work may be done. */
static ssize_t copy_step(enum way way, int from, int to, size_t size)
{
    switch (way) {
    case BY_RANGE:
        return ring3_call(copy_file_range(from, NULL, to, NULL, size, 0));
    case BY_SPLICE:
        return ring3_call(splice(from, NULL, to, NULL, size, SPLICE_F_MOVE));
    default:
        return ring3_call(sendfile(to, from, NULL, size));
    }
}

/* What a way answers when it does not fit these two files, as opposed to an error of the copy.
 * EBADF is copy_file_range's word for O_APPEND; read and write will repeat it if it is meant. */
static bool refused(ssize_t got)
{
    return got == -EINVAL || got == -ENOSYS || got == -EOPNOTSUPP || got == -EXDEV ||
           got == -EPERM || got == -EBADF || got == -ETXTBSY;
}

/* Non-blocking descriptors: wait until both sides can move. */
static int wait_both(int from, int to)
{
    const int readable = ring3_fd_wait(from, POLLIN, NULL);

    return readable < 0 ? readable : ring3_fd_wait(to, POLLOUT, NULL);
}

/* Returns 1 at the end, 0 at the limit, a negative errno, or -EOPNOTSUPP to go on by other means.
 */
static int copy_inside(enum way way, int from, int to, uint64_t limit, uint64_t *done)
{
    while (*done < limit) {
        const uint64_t rest = limit - *done;
        const ssize_t got = copy_step(way, from, to, (size_t)(rest < STEP ? rest : STEP));

        if (got > 0) {
            *done += (uint64_t)got;
        } else if (got == 0) {
            /* Files whose size is not known beforehand (/proc) seem empty to copy_file_range before
             * Linux 5.19: an end at the very beginning is left to read. */
            return *done == 0 ? -EOPNOTSUPP : 1;
        } else if (got == -EAGAIN) {
            const int ready = wait_both(from, to);

            if (ready < 0)
                return ready;
        } else if (got != -EINTR) {
            return refused(got) ? -EOPNOTSUPP : (int)got;
        }
    }
    return 0;
}

static int copy_bounce(int from, int to, uint64_t limit, const struct timespec *deadline,
                       uint64_t *done)
{
    char bounce[BOUNCE_SIZE];

    while (*done < limit) {
        const uint64_t rest = limit - *done;
        const size_t size = (size_t)(rest < sizeof bounce ? rest : sizeof bounce);
        const ssize_t got =
            deadline ? ring3_fd_try_read(from, bounce, size) : ring3_fd_read(from, bounce, size);
        size_t put;

        if (got == 0)
            return 0;
        if (got == -EAGAIN) {
            const int ready = ring3_fd_wait(from, POLLIN, deadline);

            if (ready < 0)
                return ready;
            continue;
        }
        if (got < 0)
            return (int)got;
        const int err = ring3_fd_write_full(to, bounce, (size_t)got, deadline, &put);

        *done += put;
        if (err)
            return err;
    }
    return 0;
}

static enum way best_way(int from, int to, bool timed)
{
    struct stat source, target;
    enum way way = BY_BOUNCE;

    if (ring3_call(fstat(from, &source)) || ring3_call(fstat(to, &target)))
        return BY_BOUNCE; /* which then reports why */
    if (S_ISREG(source.st_mode) && S_ISREG(target.st_mode))
        way = BY_RANGE;
    else if (timed)
        way = BY_BOUNCE;
    else if (S_ISFIFO(source.st_mode) || S_ISFIFO(target.st_mode))
        way = BY_SPLICE;
    else if (S_ISREG(source.st_mode))
        way = BY_SENDFILE;
    return way != BY_BOUNCE && ring3_feature_usable(&features[way]) ? way : BY_BOUNCE;
}

int ring3_copy(int from, int to, uint64_t limit, const struct timespec *deadline, uint64_t *done)
{
    const enum way way = best_way(from, to, deadline != NULL);
    uint64_t copied = 0;
    int err = -EOPNOTSUPP;

    if (way != BY_BOUNCE) {
        ring3_quiet_t quiet;

        ring3_quiet_begin(&quiet);
        err = copy_inside(way, from, to, limit, &copied);
        ring3_quiet_end(&quiet, err == -EPIPE);
    }
    if (err == -EOPNOTSUPP)
        err = copy_bounce(from, to, limit, deadline, &copied);
    if (done)
        *done = copied;
    return err < 0 ? err : 0;
}
