/* SPDX-License-Identifier: MIT */
#include "quiet.h"

#include "call.h"
#include "feature.h"

#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

static ring3_feature_t nosignal = {"rwf_nosignal", 0};

void ring3_quiet_begin(ring3_quiet_t *quiet)
{
    sigset_t sigpipe, pending;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&pending);
    quiet->pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe, &quiet->before);
}

void ring3_quiet_end(const ring3_quiet_t *quiet, bool broken)
{
    if (broken && !quiet->pending) {
        static const struct timespec at_once;
        sigset_t sigpipe;

        sigemptyset(&sigpipe);
        sigaddset(&sigpipe, SIGPIPE);
        (void)ring3_retry(sigtimedwait(&sigpipe, NULL, &at_once));
    }
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

static ssize_t plain(int fd, const struct iovec *buffers, int count, off_t offset, int flags)
{
    return ring3_retry(pwritev2(fd, buffers, count, offset, flags));
}

static bool may_signal(int fd)
{
    struct stat about;

    return ring3_call(fstat(fd, &about)) == 0 &&
           (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

ssize_t ring3_quiet_writev(int fd, const struct iovec *buffers, int count, off_t offset, int flags)
{
    ring3_quiet_t quiet;

    if (ring3_feature_usable(&nosignal)) {
        const ssize_t put = plain(fd, buffers, count, offset, flags | RWF_NOSIGNAL);

        if (put != -EOPNOTSUPP)
            return put;
        /* Some drivers take no flags at all; they raise no SIGPIPE either. */
        if (!may_signal(fd))
            return plain(fd, buffers, count, offset, flags);
        if (flags == 0)
            ring3_feature_set_absent(&nosignal);
    }
    ring3_quiet_begin(&quiet);
    const ssize_t put = plain(fd, buffers, count, offset, flags);

    ring3_quiet_end(&quiet, put == -EPIPE);
    return put;
}
