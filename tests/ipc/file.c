/* SPDX-License-Identifier: MIT */
#include "ring3/file.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_content(const char *path, const char *content)
{
    char text[64] = {0};
    const int fd = ring3_fd_open(path, O_RDONLY, 0);

    check_ge(fd, 0);
    check_ge(ring3_fd_read(fd, text, sizeof text - 1), 0);
    check_str_eq(text, content);
    close(fd);
}

static void replaces(void)
{
    ring3_replacement_t r;
    struct stat about;
    const int descriptors = open_descriptors();

    enter_scratch();
    umask(0);
    check_eq(ring3_file_replace("file", "one", 3, 0640), 0);
    expect_content("file", "one");
    check_eq(stat("file", &about), 0);
    check_eq(about.st_mode & 0777u, 0640u);

    const int reader = ring3_fd_open("file", O_RDONLY, 0);

    check_eq(ring3_replacement_begin(&r, "file", 0600), 0);
    check_eq(ring3_fd_write_full(r.fd, "twotwo", 6, NULL, NULL), 0);
    expect_content("file", "one");
    check_eq(ring3_replacement_commit(&r), 0);
    expect_content("file", "twotwo");
    char old[4] = {0};

    check_eq(ring3_fd_read_full(reader, old, 3, NULL, NULL), 0);
    check_str_eq(old, "one");
    close(reader);

    check_eq(ring3_replacement_begin(&r, "./file", 0600), 0);
    check_eq(ring3_fd_write(r.fd, "three", 5), 5);
    ring3_replacement_abort(&r);
    expect_content("file", "twotwo");
    check_eq(entries_in("."), 1);
    check_eq(open_descriptors(), descriptors);
    leave_scratch();
}

TEST(file, is_replaced_as_a_whole)
{
    replaces();
}

TEST(file, is_replaced_without_unnamed_files)
{
    check_eq(ring3_env_disable("tmpfile"), 0);
    replaces();
}

TEST(file, a_failed_replacement_leaves_the_old_version_and_nothing_else)
{
    const struct rlimit limit = {2, 2};
    const int descriptors = open_descriptors();

    enter_scratch();
    signal(SIGXFSZ, SIG_IGN);
    check_eq(ring3_file_replace("file", "old", 3, 0600), 0);
    check_eq(ring3_file_replace("missing/file", "new", 3, 0600), -ENOENT);
    check_eq(ring3_file_replace("file/", "new", 3, 0600), -EISDIR);
    check_eq(mkdir("directory", 0700), 0);
    check_eq(ring3_file_replace("directory", "new", 3, 0600), -EISDIR);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_eq(ring3_file_replace("file", "newer", 5, 0600), -EFBIG);
    expect_content("file", "old");
    check_eq(entries_in("."), 2);
    check_eq(open_descriptors(), descriptors);
    use_up_descriptors();
    check_eq(ring3_file_replace("file", "new", 3, 0600), -EMFILE);
    leave_scratch();
}

TEST(file, a_writer_killed_before_the_commit_leaves_nothing)
{
    int status;

    enter_scratch();
    check_eq(ring3_file_replace("file", "old", 3, 0600), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_replacement_t r;

        if (ring3_replacement_begin(&r, "file", 0600) || ring3_fd_write(r.fd, "new", 3) != 3)
            _exit(1);
        raise(SIGKILL);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status));
    expect_content("file", "old");
    check_eq(entries_in("."), 1);
    leave_scratch();
}

/* Readers during many replacements see one version or the other, whole. */
TEST(file, readers_never_see_a_part)
{
    enum { SIZE = 5000, ROUNDS = 200 };
    static char text[SIZE];

    enter_scratch();
    memset(text, 'a', SIZE);
    check_eq(ring3_file_replace("file", text, SIZE, 0600), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            memset(text, 'a' + i % 26, SIZE);
            if (ring3_file_replace("file", text, SIZE, 0600))
                _exit(1);
        }
        _exit(0);
    }
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        const int fd = ring3_fd_open("file", O_RDONLY, 0);

        check_ge(fd, 0, "the name was missing for a moment");
        check_eq(ring3_fd_read_full(fd, text, SIZE, NULL, NULL), 0);
        for (int i = 1; i < SIZE; i++)
            check_eq(text[i], text[0]);
        close(fd);
    }
    leave_scratch();
}

TEST(log, records_of_many_writers_never_mix)
{
    enum { WRITERS = 4, RECORDS = 500, LENGTH = 300 };
    static char all[WRITERS * RECORDS * LENGTH + 1];
    int seen[WRITERS] = {0};
    pid_t pids[WRITERS];
    size_t got;

    enter_scratch();
    for (int w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        if (pids[w] == 0) {
            const int fd = ring3_log_open("log", 0600);
            char body[LENGTH - 1];
            const struct iovec record[] = {{body, sizeof body}, {(char[]){'\n'}, 1}};

            memset(body, 'a' + w, sizeof body);
            for (int i = 0; i < RECORDS; i++)
                if (ring3_log_appendv(fd, record, 2))
                    _exit(1);
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++)
        check_child(pids[w]);
    const int fd = ring3_fd_open("log", O_RDONLY, 0);

    check_eq(ring3_fd_read_full(fd, all, sizeof all, NULL, &got), -ENODATA);
    check_eq(got, sizeof all - 1, "records were overwritten");
    for (const char *record = all; record < all + got; record += LENGTH) {
        for (int i = 1; i < LENGTH - 1; i++)
            check_eq(record[i], record[0], "mixed record");
        check_eq(record[LENGTH - 1], '\n');
        seen[record[0] - 'a']++;
    }
    for (int w = 0; w < WRITERS; w++)
        check_eq(seen[w], RECORDS);
    leave_scratch();
}

TEST(log, says_when_a_record_did_not_fit)
{
    const struct rlimit limit = {100, 100};
    char record[60] = {0};

    enter_scratch();
    signal(SIGXFSZ, SIG_IGN);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const int fd = ring3_log_open("log", 0600);

    check_eq(ring3_log_append(fd, record, sizeof record), 0);
    check_eq(ring3_log_append(fd, record, sizeof record), -ENOSPC);
    check_eq(ring3_log_append(fd, record, sizeof record), -EFBIG);
    check_eq(ring3_log_append(-1, record, 1), -EBADF);
    leave_scratch();
}
