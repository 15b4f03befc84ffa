/* SPDX-License-Identifier: MIT */
#include "ring3/shm.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/fdpass.h"
#include "ring3/memfd.h"
#include "ring3/socket.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

/* Names of this test's own. */
static const char *own_name(void)
{
    static char name[32];

    snprintf(name, sizeof name, "/ring3-test-%d", (int)getpid());
    return name;
}

static const char *own_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/dev/shm%s", own_name());
    return path;
}

static key_t own_key(void)
{
    return 0x52330000 ^ getpid();
}

TEST(shm, a_memfd_is_shared_through_a_socket)
{
    ring3_shm_t mine, theirs;
    int ends[2], fd, count = 1;
    char byte;
    const int descriptors = open_descriptors();

    check_eq(ring3_shm_create(&mine, 100000), 0);
    check_eq(mine.size, 100000u);
    check_eq(((char *)mine.address)[99999], 0);
    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        if (ring3_fdpass_receive(ends[1], &byte, 1, &fd, &count, NULL, NULL) != 1 ||
            ring3_shm_attach(&theirs, fd, true))
            _exit(1);
        strcpy(theirs.address, "from the child");
        _exit(theirs.size == 100000 ? 0 : 2);
    }
    check_eq(ring3_fdpass_send(ends[0], "x", 1, &mine.fd, 1, NULL), 1);
    check_child(pid);
    check_str_eq((char *)mine.address, "from the child");
    check_eq(ftruncate(mine.fd, 10), -1, "it can be cut short");
    close(ends[0]);
    close(ends[1]);
    ring3_shm_close(&mine);
    check_eq(open_descriptors(), descriptors);
    check_eq(ring3_shm_create(&mine, 0), -EINVAL);
}

TEST(shm, a_memfd_that_can_shrink_is_not_mapped)
{
    ring3_shm_t shm;
    const int loose = ring3_memfd_create("test", 4096), empty = ring3_memfd_create("test", 0);

    check_eq(ring3_shm_attach(&shm, loose, true), -EPERM);
    check_eq(ring3_shm_attach(&shm, 0, true), -EINVAL);
    check_eq(ring3_memfd_seal(empty, RING3_MEMFD_FIXED), 0);
    check_eq(ring3_shm_attach(&shm, empty, true), -EINVAL);
    check_eq(ring3_memfd_seal(loose, RING3_MEMFD_CONSTANT), 0);
    check_eq(ring3_shm_attach(&shm, loose, true), -EPERM);
    check_eq(ring3_shm_attach(&shm, loose, false), 0);
    ring3_shm_close(&shm);
}

static void posix_round_trip(void)
{
    ring3_shm_t mine, theirs;
    const char *const name = own_name();
    const int descriptors = open_descriptors();

    check_eq(ring3_shm_posix_create(&mine, name, 10000, 0600), 0);
    check_eq((uintptr_t)mine.address % 4096, 0u);
    check_eq(ring3_shm_posix_create(&theirs, name, 10, 0600), -EBUSY);
    check_eq(ring3_shm_posix_open(&theirs, name, true), 0);
    check_eq(theirs.size, 10000u);
    ((char *)theirs.address)[9999] = 'z';
    check_eq(((char *)mine.address)[9999], 'z');
    ring3_shm_close(&theirs);
    check_eq(ring3_shm_posix_open(&theirs, name, false), 0);
    ring3_shm_close(&theirs);
    ring3_shm_close(&mine);
    check_eq(ring3_shm_posix_remove(name), 0);
    check_eq(ring3_shm_posix_remove(name), -ENOENT);
    check_eq(ring3_shm_posix_open(&mine, name, true), -ENOENT);
    check_eq(open_descriptors(), descriptors);
}

TEST(shm, posix_objects_are_shared_by_name)
{
    posix_round_trip();
}

TEST(shm, posix_objects_are_shared_by_name_without_unnamed_files)
{
    check_eq(ring3_env_disable("tmpfile"), 0);
    posix_round_trip();
}

TEST(shm, names_are_checked)
{
    static const char *const wrong[] = {"", "x", "/", "/a/b", "/.", "/.."};
    ring3_shm_t shm;
    char long_name[400];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_eq(ring3_shm_posix_create(&shm, wrong[i], 10, 0600), -EINVAL, "\"%s\"", wrong[i]);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    check_eq(ring3_shm_posix_create(&shm, long_name, 10, 0600), -ENAMETOOLONG);
    check_eq(ring3_shm_posix_create(&shm, own_name(), 0, 0600), -EINVAL);
    check_eq(ring3_shm_posix_create(&shm, own_name(), SIZE_MAX, 0600), -EINVAL);
    check_ne(access(own_path(), F_OK), 0);
}

TEST(shm, damaged_and_foreign_objects_are_refused)
{
    ring3_shm_t shm;
    const char *const name = own_name();
    const int fd = ring3_fd_open(own_path(), O_RDWR | O_CREAT | O_EXCL, 0600);

    check_ge(fd, 0);
    check_eq(ring3_shm_posix_open(&shm, name, true), -EBADMSG, "empty");
    check_eq(ring3_shm_posix_create(&shm, name, 10, 0600), -EBADMSG);
    check_eq(ftruncate(fd, 200000), 0);
    check_eq(ring3_shm_posix_open(&shm, name, true), -EBADMSG, "zeroes");
    check_eq(unlink(own_path()), 0);

    check_eq(ring3_shm_posix_create(&shm, name, 100000, 0600), 0);
    ring3_shm_close(&shm);
    check_eq(truncate(own_path(), 100000), 0);
    check_eq(ring3_shm_posix_open(&shm, name, true), -EBADMSG, "cut short");
    check_eq(truncate(own_path(), 1), 0);
    check_eq(ring3_shm_posix_open(&shm, name, true), -EBADMSG, "cut in the prefix");
    check_eq(unlink(own_path()), 0);
    check_eq(symlink("/etc/passwd", own_path()), 0);
    check_lt(ring3_shm_posix_open(&shm, name, true), 0);
    check_eq(unlink(own_path()), 0);
}

/* An empty /dev/shm of our own, so small that it fills: in a child, where it is allowed at all. */
TEST(shm, a_full_file_system_is_an_error_and_leaves_nothing)
{
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_shm_t shm;

        if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("ring3", "/dev/shm", "tmpfs", 0, "size=256k"))
            _exit(0);
        check_eq(ring3_shm_posix_create(&shm, own_name(), 1 << 20, 0600), -ENOSPC);
        check_eq(entries_in("/dev/shm"), 0);
        check_eq(ring3_shm_file_open(&shm, "/dev/shm/file", 1 << 20, true, 0600), -ENOSPC);
        check_eq(unlink("/dev/shm/file"), 0);
        check_eq(ring3_shm_posix_create(&shm, own_name(), 100000, 0600), 0);
        memset(shm.address, 1, shm.size); /* would be SIGBUS */
        _exit(0);
    }
    check_child(pid);
}

struct search {
    const char *name;
    key_t key;
    ring3_shm_object_t found;
    int times;
};

static int find(const ring3_shm_object_t *object, void *context)
{
    struct search *const search = context;

    if (search->name ? object->kind == RING3_SHM_POSIX && strcmp(object->name, search->name) == 0
                     : object->kind == RING3_SHM_SYSV && object->key == search->key) {
        search->found = *object;
        search->times++;
    }
    return 0;
}

/* A child that makes an object of this name or key, says so, and waits to be killed. */
static pid_t start_maker(const char *name, key_t key)
{
    int ends[2];
    char byte;

    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_shm_t shm;

        if ((name ? ring3_shm_posix_create(&shm, name, 5000, 0600)
                  : ring3_shm_sysv_create(&shm, key, 5000, 0600)) == 0) {
            strcpy(shm.address, "kept");
            (void)!write(ends[1], "x", 1);
        }
        pause();
        _exit(1);
    }
    check_eq(read(ends[0], &byte, 1), 1);
    return pid;
}

static void collected(const char *name, key_t key)
{
    struct search search = {.name = name, .key = key};
    ring3_shm_t mapped, fresh;
    const pid_t pid = start_maker(name, key);

    check_eq(ring3_shm_each(find, &search), 0);
    check_eq(search.times, 1);
    check_eq(search.found.owner.pid, pid);
    check_eq(search.found.alive, 1);
    check_eq(search.found.size, 5000u);
    check_eq(ring3_shm_reclaim(&search.found), -EBUSY, "its owner lives");
    check_eq(name ? ring3_shm_posix_open(&mapped, name, true)
                  : ring3_shm_sysv_open(&mapped, key, true),
             0);
    kill(pid, SIGKILL);
    check_eq(waitpid(pid, NULL, 0), pid);
    check_eq(ring3_shm_each(find, &search), 0);
    check_eq(search.found.alive, 0);
    check_eq(ring3_shm_reclaim(&search.found), 0);
    check_str_eq((char *)mapped.address, "kept");
    check_eq(ring3_shm_reclaim(&search.found), 0, "it is gone already");
    search.times = 0;
    check_eq(ring3_shm_each(find, &search), 0);
    check_eq(search.times, 0);
    ring3_shm_close(&mapped);

    /* And whoever makes it anew need not collect first. */
    const pid_t second = start_maker(name, key);

    kill(second, SIGKILL);
    check_eq(waitpid(second, NULL, 0), second);
    check_eq(name ? ring3_shm_posix_create(&fresh, name, 77, 0600)
                  : ring3_shm_sysv_create(&fresh, key, 77, 0600),
             0);
    check_eq(*(char *)fresh.address, 0);
    ring3_shm_close(&fresh);
    check_eq(name ? ring3_shm_posix_remove(name) : ring3_shm_sysv_remove(key), 0);
}

TEST(shm, posix_objects_of_the_dead_are_collected_and_no_others)
{
    collected(own_name(), 0);
}
TEST(shm, sysv_segments_of_the_dead_are_collected_and_no_others)
{
    collected(NULL, own_key());
}

/* What was dead when it was listed may be another's new object when it is to be removed. */
TEST(shm, a_name_made_anew_meanwhile_is_not_removed)
{
    struct search search = {.name = own_name()};
    ring3_shm_t fresh;
    const pid_t pid = start_maker(search.name, 0);

    kill(pid, SIGKILL);
    check_eq(waitpid(pid, NULL, 0), pid);
    check_eq(ring3_shm_each(find, &search), 0);
    check_eq(search.found.alive, 0);
    check_eq(ring3_shm_posix_create(&fresh, search.name, 10, 0600), 0);
    check_eq(ring3_shm_reclaim(&search.found), -EBUSY);
    check_eq(ring3_shm_posix_remove(search.name), 0);
    ring3_shm_close(&fresh);
}

TEST(shm, sysv_segments_are_shared_by_key)
{
    ring3_shm_t mine, theirs;
    const key_t key = own_key();

    check_eq(ring3_shm_sysv_open(&mine, key, true), -ENOENT);
    check_eq(ring3_shm_sysv_create(&mine, key, 10000, 0600), 0);
    check_eq(ring3_shm_sysv_create(&theirs, key, 10, 0600), -EBUSY);
    check_eq(ring3_shm_sysv_open(&theirs, key, true), 0);
    check_eq(theirs.size, 10000u);
    ((char *)theirs.address)[9999] = 'z';
    check_eq(((char *)mine.address)[9999], 'z');
    ring3_shm_close(&theirs);
    ring3_shm_close(&mine);
    check_eq(ring3_shm_sysv_remove(key), 0);
    check_eq(ring3_shm_sysv_remove(key), -ENOENT);
    check_lt(ring3_shm_sysv_create(&mine, key, SIZE_MAX / 4, 0600), 0);

    const int foreign = shmget(key, 100000, IPC_CREAT | IPC_EXCL | 0600);

    check_ge(foreign, 0);
    check_eq(ring3_shm_sysv_open(&mine, key, true), -EBADMSG);
    check_eq(ring3_shm_sysv_create(&mine, key, 10, 0600), -EBADMSG);
    check_eq(shmctl(foreign, IPC_RMID, NULL), 0);
}

TEST(shm, files_are_mapped_and_written_through)
{
    ring3_shm_t shm;
    char text[6] = {0};
    const int descriptors = open_descriptors();

    enter_scratch();
    check_eq(ring3_shm_file_open(&shm, "file", 0, true, 0600), -ENOENT);
    check_eq(ring3_shm_file_open(&shm, "file", 9000, true, 0600), 0);
    memcpy((char *)shm.address + 8000, "hello", 5);
    ring3_shm_close(&shm);
    const int fd = ring3_fd_open("file", O_RDONLY, 0);

    check_eq(ring3_fd_pread_full(fd, text, 5, 8000, NULL), 0);
    check_str_eq(text, "hello");
    close(fd);
    check_eq(ring3_shm_file_open(&shm, "file", 0, false, 0), 0);
    check_eq(shm.size, 9000u);
    check_eq(memcmp((char *)shm.address + 8000, "hello", 5), 0);
    ring3_shm_close(&shm);
    check_eq(ring3_shm_file_open(&shm, ".", 0, false, 0), -ENODEV);
    check_eq(ring3_shm_file_open(&shm, "file", 10, false, 0), -EINVAL);
    check_eq(truncate("file", 0), 0);
    check_eq(ring3_shm_file_open(&shm, "file", 0, true, 0), -EINVAL);
    check_eq(open_descriptors(), descriptors);
    leave_scratch();
}

TEST(shm, a_full_table_is_reported_and_leaves_nothing)
{
    ring3_shm_t shm;

    use_up_descriptors();
    check_eq(ring3_shm_create(&shm, 10), -EMFILE);
    check_eq(ring3_shm_posix_create(&shm, own_name(), 10, 0600), -EMFILE);
    check_eq(ring3_shm_posix_open(&shm, own_name(), true), -EMFILE);
    check_eq(ring3_shm_file_open(&shm, "/dev/zero", 0, true, 0), -EMFILE);
}
