/* SPDX-License-Identifier: MIT */
/* The shared history: what is accepted stays, whoever is killed when. */
#include "edit/history.h"
#include "ring3_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/r3sh-history-XXXXXX";

static void new_file(void)
{
    const int fd = mkstemp(path);

    check_ge(fd, 0);
    close(fd);
}

TEST(shell_history, remembers_commands_and_how_they_ended)
{
    struct history *h, *again;
    const struct history_entry *entry;

    new_file();
    h = history_open(path);
    check_eq(history_add(h, "first one", "/tmp", 1000), 1);
    check_eq(history_add(h, "two\nlines\twith \\ in", "/a b\nc", 1001), 2);
    check_eq(history_done(h, 2, 127, 55), 0);
    check_eq(history_done(h, 9, 0, 0), -ENOENT);
    again = history_open(path);
    check_eq(history_count(again), 2u);
    entry = history_at(again, 0);
    check_str_eq(entry->text, "first one");
    check_eq(entry->status, -1);
    entry = history_at(again, 1);
    check_str_eq(entry->text, "two\nlines\twith \\ in");
    check_str_eq(entry->directory, "/a b\nc");
    check_eq(entry->time, 1001);
    check_eq(entry->status, 127);
    check_eq(entry->milliseconds, 55);
    check(history_at(again, 2) == NULL);
    history_close(h);
    history_close(again);
    unlink(path);
}

TEST(shell_history, shows_our_own_first_and_those_of_others)
{
    struct history *ours, *theirs;

    new_file();
    ours = history_open(path);
    theirs = history_open(path);
    history_add(ours, "ours 1", "/", 1);
    history_add(theirs, "theirs 1", "/", 2);
    history_add(ours, "ours 2", "/", 3);
    history_add(theirs, "theirs 2", "/", 4);
    check_eq(history_refresh(ours), 0);
    check_str_eq(history_back(ours, 1)->text, "ours 2");
    check_str_eq(history_back(ours, 2)->text, "ours 1");
    check_str_eq(history_back(ours, 3)->text, "theirs 2");
    check_str_eq(history_back(ours, 4)->text, "theirs 1");
    check(history_back(ours, 5) == NULL);
    check(history_back(ours, 0) == NULL);
    check_str_eq(history_beginning(ours, "th", 2)->text, "theirs 2");
    check_str_eq(history_beginning(ours, "ours ", 5)->text, "ours 2");
    check_str_eq(history_beginning(ours, "theirs 1", 7)->text, "theirs 2");
    check(history_beginning(ours, "theirs 1", 8) == NULL);
    check(history_beginning(ours, "x", 1) == NULL);
    check_str_eq(history_beginning(ours, "o", 1)->text, "ours 2");
    check_str_eq(history_beginning(ours, "ours", 4)->text, "ours 2");
    check(history_beginning(ours, "ours 2", 6) == NULL);
    check(history_beginning(ours, "ours 2 x", 8) == NULL);
    history_add(ours, "ours 2 x y", "/", 5);
    check_str_eq(history_beginning(ours, "ours 2 x", 8)->text, "ours 2 x y");
    check_str_eq(history_beginning(ours, "t", 1)->text, "theirs 2");
    check_str_eq(history_beginning(ours, "theirs", 6)->text, "theirs 2");
    history_close(ours);
    history_close(theirs);
    unlink(path);
}

TEST(shell_history, passes_over_what_is_torn_or_altered)
{
    struct history *h;
    FILE *file;

    new_file();
    h = history_open(path);
    history_add(h, "good 1", "/", 1);
    file = fopen(path, "a");
    fputs("\n0000", file); /* a shell was killed here */
    fclose(file);
    history_add(h, "good 2", "/", 2);
    file = fopen(path, "a");
    fputs("12345678 + 00000000deadbeef 1 5 /\tforged\n\n\1\2\3\n+ \n", file);
    fclose(file);
    history_close(h);
    h = history_open(path);
    check_eq(history_count(h), 2u);
    check_str_eq(history_at(h, 0)->text, "good 1");
    check_str_eq(history_at(h, 1)->text, "good 2");
    history_close(h);
    unlink(path);
}

TEST(shell_history, works_without_a_file)
{
    struct history *h = history_open("/nonexistent/directory/file");

    check_eq(history_add(h, "kept", "/", 1), 1);
    check_str_eq(history_back(h, 1)->text, "kept");
    history_close(h);
}

/* Each writer tells, in memory that is shared, how far it came: what is told is accepted. */
static volatile long *told;

static void write_entries(int writer, long most)
{
    struct history *h = history_open(path);
    char text[600];

    for (long i = 1; i <= most; i++) {
        const int padding = (int)(i * 37 % 500);

        snprintf(text, sizeof text, "writer %d entry %ld %0*d", writer, i, padding, 7);
        if (history_add(h, text, "/some/where", i) != i)
            _exit(1);
        told[writer] = i;
    }
    _exit(0);
}

TEST(shell_history, loses_nothing_when_writers_are_killed, 120)
{
    enum { WRITERS = 8 };
    const long most = scaled(300, 1250);
    long seen[WRITERS] = {0};
    pid_t pids[WRITERS];
    struct history *h;
    size_t count;

    new_file();
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(told != MAP_FAILED);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            write_entries(i, most);
    }
    /* Every other one dies on its way, somewhere. */
    for (int i = 0; i < WRITERS; i += 2) {
        while (told[i] < most / 4 + i)
            usleep(50);
        kill(pids[i], SIGKILL);
    }
    for (int i = 0; i < WRITERS; i++)
        waitpid(pids[i], NULL, 0);
    h = history_open(path);
    count = history_count(h);
    for (size_t n = 0; n < count; n++) {
        const struct history_entry *entry = history_at(h, n);
        int writer, padded;
        long i;

        check_eq(sscanf(entry->text, "writer %d entry %ld %d", &writer, &i, &padded), 3, "%s",
                 entry->text);
        check(padded == 7 && writer >= 0 && writer < WRITERS);
        check_eq(i, ++seen[writer], "entry of writer %d", writer);
        check_eq(entry->time, i);
    }
    for (int i = 0; i < WRITERS; i++)
        check(seen[i] == told[i] || seen[i] == told[i] + 1, "writer %d: %ld told, %ld found", i,
              told[i], seen[i]);
    history_close(h);
    unlink(path);
}
