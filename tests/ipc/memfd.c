/* SPDX-License-Identifier: MIT */
#include "ring3/memfd.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(memfd, has_its_size_its_pages_and_zeroes)
{
    struct stat about;
    char byte = 1;
    const int fd = ring3_memfd_create("test", 100000);

    check_ge(fd, 0);
    check_eq(fstat(fd, &about), 0);
    check_eq(about.st_size, 100000);
    check_ge(about.st_blocks * 512, 100000, "pages are not allocated up front");
    check_eq(about.st_mode & 0111u, 0u, "it is executable");
    check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    check_eq(ring3_fd_pread_full(fd, &byte, 1, 99999, NULL), 0);
    check_eq(byte, 0);
}

static void seals(void)
{
    uint64_t size = 0;
    const int fd = ring3_memfd_create("test", 4096);

    check_eq(ring3_memfd_check(fd, RING3_MEMFD_FIXED, &size), -EPERM);
    check_eq(ring3_memfd_seal(fd, RING3_MEMFD_FIXED), 0);
    check_eq(ring3_memfd_check(fd, RING3_MEMFD_FIXED, &size), 0);
    check_eq(size, 4096u);
    check_eq(ring3_memfd_seals(fd) & (int)RING3_MEMFD_FIXED, (int)RING3_MEMFD_FIXED);
    check_eq(ftruncate(fd, 0), -1);
    check_eq(ftruncate(fd, 8192), -1);
    check_eq(ring3_fd_allocate(fd, 0, 8192), -EPERM);
    check_eq(ring3_memfd_seal(fd, RING3_F_SEAL_WRITE), -EPERM);
    check_eq(ring3_memfd_check(fd, RING3_F_SEAL_WRITE, &size), -EINVAL, "without SHRINK");
    check_eq(ring3_memfd_check(fd, RING3_MEMFD_CONSTANT, &size), -EPERM);
}

TEST(memfd, seals_fix_its_size)
{
    seals();
}

TEST(memfd, seals_also_on_kernels_without_noexec)
{
    check_eq(ring3_env_disable("memfd_noexec"), 0);
    seals();
}

TEST(memfd, published_memory_stays_writable_for_its_maker_only)
{
    const int fd = ring3_memfd_create("test", 4096);
    char *const mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    check(mine != MAP_FAILED);
    check_eq(ring3_memfd_seal(fd, RING3_MEMFD_CONSTANT), -EBUSY);
    check_eq(ring3_memfd_seal(fd, RING3_MEMFD_PUBLISHED), 0);
    check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    check_eq(ring3_fd_pwrite_full(fd, "x", 1, 0, NULL), -EPERM);
    const char *const theirs = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

    check(theirs != MAP_FAILED);
    mine[7] = 'm';
    check_eq(theirs[7], 'm');
}

TEST(memfd, constant_memory_cannot_be_written)
{
    const int fd = ring3_memfd_create("test", 4096);

    check_eq(ring3_memfd_seal(fd, RING3_MEMFD_CONSTANT), 0);
    check_eq(ring3_fd_write(fd, "x", 1), -EPERM);
}

TEST(memfd, other_files_cannot_be_checked)
{
    uint64_t size;
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(ring3_memfd_seal(ends[1], RING3_MEMFD_FIXED), -EINVAL);
    check_eq(ring3_memfd_check(ends[0], RING3_MEMFD_FIXED, &size), -EINVAL);
    check_eq(ring3_memfd_check(-1, RING3_MEMFD_FIXED, &size), -EBADF);
}

TEST(memfd, failures_leave_no_descriptor)
{
    char name[300];
    const int before = open_descriptors();

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    check_eq(ring3_memfd_create(name, 1), -EINVAL);
    check_eq(ring3_memfd_create("huge", UINT64_MAX), -EINVAL);
    check_eq(open_descriptors(), before);
    use_up_descriptors();
    check_eq(ring3_memfd_create("test", 1), -EMFILE);
}
