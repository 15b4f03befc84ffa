/* SPDX-License-Identifier: MIT */
#include "ring3/filelock.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/wait.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct flock range_of(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static short type_of(ring3_filelock_mode_t mode)
{
    return mode == RING3_FILELOCK_READ ? F_RDLCK : F_WRLCK;
}

int ring3_filelock_try(int fd, ring3_filelock_mode_t mode, off_t start, off_t length)
{
    struct flock range = range_of(type_of(mode), start, length);
    const int err = ring3_retry(fcntl(fd, F_OFD_SETLK, &range));

    return err == -EACCES ? -EAGAIN : err; /* POSIX allows either */
}

int ring3_filelock_lock(int fd, ring3_filelock_mode_t mode, off_t start, off_t length,
                        const struct timespec *deadline)
{
    struct flock range = range_of(type_of(mode), start, length);
    ring3_pause_t pause = {0};

    if (!deadline)
        return ring3_retry(fcntl(fd, F_OFD_SETLKW, &range));
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        int err = ring3_filelock_try(fd, mode, start, length);

        if (err != -EAGAIN)
            return err;
        err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err)
            return err;
    }
}

int ring3_filelock_unlock(int fd, off_t start, off_t length)
{
    struct flock range = range_of(F_UNLCK, start, length);

    return ring3_retry(fcntl(fd, F_OFD_SETLK, &range));
}

/* True if one of the "lock:" lines in an fdinfo file is an OFD lock that meets the range:
 *     lock:	1: OFDLCK  ADVISORY  WRITE -1 00:1c:1234 0 EOF
 */
static bool fdinfo_locks(FILE *fdinfo, const struct flock *range)
{
    const long long start = range->l_start;
    const long long end = range->l_len ? start + range->l_len - 1 : INT64_MAX;
    char line[256], kind[16], mode[16], last[24];
    long long first;

    while (fgets(line, sizeof line, fdinfo)) {
        if (sscanf(line, "lock: %*d: %15s %*s %15s %*d %*s %lld %23s", kind, mode, &first, last) !=
                4 ||
            strcmp(kind, "OFDLCK") != 0)
            continue;
        const long long ending = strcmp(last, "EOF") == 0 ? INT64_MAX : atoll(last);

        if (first <= end && ending >= start &&
            (strcmp(mode, "WRITE") == 0) == (range->l_type == F_WRLCK))
            return true;
    }
    return false;
}

/* Looks through one process's descriptors; returns the one that holds the lock, or -1. */
static int search_process(const char *pid, const struct stat *file, const struct flock *range)
{
    char path[64];
    const struct dirent *entry;
    int found = -1;

    snprintf(path, sizeof path, "/proc/%.16s/fdinfo", pid);
    DIR *const directory = opendir(path);

    if (!directory)
        return -1;
    while (found < 0 && (entry = readdir(directory))) {
        struct stat about;

        snprintf(path, sizeof path, "/proc/%.16s/fd/%.16s", pid, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &about) || about.st_ino != file->st_ino ||
            about.st_dev != file->st_dev)
            continue;
        snprintf(path, sizeof path, "/proc/%.16s/fdinfo/%.16s", pid, entry->d_name);
        FILE *const fdinfo = fopen(path, "re");

        if (fdinfo && fdinfo_locks(fdinfo, range))
            found = atoi(entry->d_name);
        if (fdinfo)
            fclose(fdinfo);
    }
    closedir(directory);
    return found;
}

static void search_all(int fd, const struct flock *range, ring3_filelock_owner_t *owner)
{
    const struct dirent *entry;
    struct stat file;
    DIR *const processes = opendir("/proc");

    if (!processes)
        return;
    if (fstat(fd, &file) == 0) {
        while (owner->fd < 0 && (entry = readdir(processes))) {
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                continue;
            owner->fd = search_process(entry->d_name, &file, range);
            if (owner->fd >= 0)
                owner->pid = atoi(entry->d_name);
        }
    }
    closedir(processes);
}

int ring3_filelock_find_owner(int fd, ring3_filelock_mode_t mode, off_t start, off_t length,
                              ring3_filelock_owner_t *owner)
{
    struct flock range = range_of(type_of(mode), start, length);
    const int err = ring3_retry(fcntl(fd, F_OFD_GETLK, &range));
    const int caller_errno = errno;

    if (err)
        return err;
    if (range.l_type == F_UNLCK)
        return 0;
    *owner = (ring3_filelock_owner_t){
        .pid = range.l_pid > 0 ? range.l_pid : 0, /* a POSIX record lock names its process */
        .fd = -1,
        .mode = range.l_type == F_RDLCK ? RING3_FILELOCK_READ : RING3_FILELOCK_WRITE,
        .start = range.l_start,
        .length = range.l_len,
    };
    if (owner->pid == 0)
        search_all(fd, &range, owner);
    errno = caller_errno;
    return 1;
}
