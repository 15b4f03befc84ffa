/* SPDX-License-Identifier: MIT */
#include "ring3/identity.h"

#include "call.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAT_STATE   3 /* field numbers of /proc/PID/stat */
#define STAT_THREADS 20
#define STAT_START   22

/* Reads a small file whole; returns its length, text terminated. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
    const int fd = ring3_fd_open(path, O_RDONLY, 0);
    size_t got;

    if (fd < 0)
        return fd;
    const int err = ring3_fd_read_full(fd, text, size - 1, NULL, &got);

    ring3_fd_close(fd);
    if (err && err != -ENODATA)
        return err;
    text[got] = '\0';
    return (ssize_t)got;
}

/* Field `number` (at least 3) of a stat line. The second, the command, may hold anything, also
 * spaces and parentheses: the last parenthesis ends it. */
static const char *stat_field(const char *line, int number)
{
    const char *at = strrchr(line, ')');

    for (int field = 2; at && field < number; field++) {
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    return at;
}

static bool parse_number(const char **at, int base, uint64_t *value)
{
    const char *p = *at;

    *value = 0;
    for (;; p++) {
        const int digit = *p >= '0' && *p <= '9'                 ? *p - '0'
                          : base == 16 && *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
                                                                 : -1;
        if (digit < 0)
            break;
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)digit, value))
            return false;
    }
    if (p == *at)
        return false;
    *at = p;
    return true;
}

/* Start time of a process; -ESRCH if it is gone or a zombie. */
static int start_of(pid_t pid, uint64_t *start)
{
    char path[32], line[1024];
    uint64_t threads;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const ssize_t got = read_text(path, line, sizeof line);

    if (got < 0) {
        if (got != -ENOENT)
            return (int)got;
        /* Gone, hidden by hidepid, or no /proc at all. */
        if (ring3_call(kill(pid, 0)) == -ESRCH)
            return -ESRCH;
        return ring3_call(access("/proc/self/stat", F_OK)) ? -ENOENT : -EACCES;
    }
    const char *const state = stat_field(line, STAT_STATE);
    const char *count = stat_field(line, STAT_THREADS);
    const char *ticks = stat_field(line, STAT_START);

    if (!state || !count || !ticks || !parse_number(&count, 10, &threads) ||
        !parse_number(&ticks, 10, start))
        return -ESRCH; /* the line is cut short when the process goes while it is read */
    /* A first thread that has ended shows as zombie while others still run. */
    if ((*state == 'Z' || *state == 'X') && threads <= 1)
        return -ESRCH;
    return 0;
}

static int boot_of_machine(uint64_t boot[2])
{
    char text[64], digits[33];
    size_t n = 0;
    const ssize_t got = read_text("/proc/sys/kernel/random/boot_id", text, sizeof text);

    if (got < 0)
        return (int)got;
    for (const char *p = text; *p && n < 32; p++)
        if (*p != '-' && *p != '\n')
            digits[n++] = *p;
    digits[n] = '\0';
    if (n != 32)
        return -ENOENT;
    const char *low = digits + 16;

    if (!parse_number(&low, 16, &boot[1]))
        return -ENOENT;
    digits[16] = '\0';
    const char *high = digits;

    return parse_number(&high, 16, &boot[0]) ? 0 : -ENOENT;
}

static int pid_space(uint64_t *space)
{
    struct stat about;
    const int err = ring3_call(stat("/proc/self/ns/pid", &about));

    *space = err ? 0 : about.st_ino;
    return err;
}

int ring3_identity_of(pid_t pid, ring3_identity_t *identity)
{
    if (pid <= 0)
        return -ESRCH;
    *identity = (ring3_identity_t){.pid = pid};
    int err = start_of(pid, &identity->start);

    if (!err)
        err = boot_of_machine(identity->boot);
    if (!err)
        err = pid_space(&identity->pid_space);
    return err;
}

int ring3_identity_self(ring3_identity_t *identity)
{
    return ring3_identity_of(getpid(), identity);
}

int ring3_identity_alive(const ring3_identity_t *identity)
{
    uint64_t boot[2], space, start;

    if (identity->pid <= 0 || identity->zero != 0)
        return -EINVAL;
    int err = boot_of_machine(boot);

    if (err)
        return err;
    if (boot[0] != identity->boot[0] || boot[1] != identity->boot[1])
        return 0;
    err = pid_space(&space);
    if (err)
        return err;
    if (space != identity->pid_space)
        return -EXDEV;
    err = start_of(identity->pid, &start);
    if (err)
        return err == -ESRCH ? 0 : err;
    return start == identity->start;
}

bool ring3_identity_equal(const ring3_identity_t *a, const ring3_identity_t *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

size_t ring3_identity_format(const ring3_identity_t *identity, char text[RING3_IDENTITY_TEXT])
{
    return (size_t)snprintf(
        text, RING3_IDENTITY_TEXT, "%" PRId32 " %" PRIu64 " %" PRIu64 " %016" PRIx64 "%016" PRIx64,
        identity->pid, identity->start, identity->pid_space, identity->boot[0], identity->boot[1]);
}

int ring3_identity_parse(const char *text, size_t length, ring3_identity_t *identity)
{
    char copy[RING3_IDENTITY_TEXT], low[17];
    const char *at = copy, *second = low;
    uint64_t pid;
    ring3_identity_t got = {0};

    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length >= sizeof copy)
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!parse_number(&at, 10, &pid) || pid == 0 || pid > INT32_MAX || *at++ != ' ' ||
        !parse_number(&at, 10, &got.start) || *at++ != ' ' ||
        !parse_number(&at, 10, &got.pid_space) || *at++ != ' ' || strlen(at) != 32)
        return -EBADMSG;
    memcpy(low, at + 16, sizeof low);
    copy[length - 16] = '\0';
    if (!parse_number(&at, 16, &got.boot[0]) || *at || !parse_number(&second, 16, &got.boot[1]) ||
        *second)
        return -EBADMSG;
    got.pid = (int32_t)pid;
    *identity = got;
    return 0;
}
