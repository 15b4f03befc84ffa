/* SPDX-License-Identifier: MIT */
#include "ring3/stream.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int piped(const char *text)
{
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    close(ends[1]);
    return ends[0];
}

static void expect_line(ring3_reader_t *in, const char *line)
{
    const char *piece;
    char copy[64] = {0};
    size_t length;

    check_eq(ring3_reader_until(in, '\n', &piece, &length, NULL), 0);
    check_lt(length, sizeof copy);
    memcpy(copy, piece, length);
    check_str_eq(copy, line);
}

TEST(stream, finds_lines_in_place_also_across_refills)
{
    char storage[8];
    const char *piece;
    size_t length;
    ring3_reader_t in;

    ring3_reader_init(&in, piped("one\ntwo\n\nthree\n1234567\nlast"), storage, sizeof storage);
    expect_line(&in, "one");
    expect_line(&in, "two");
    expect_line(&in, "");
    expect_line(&in, "three");
    expect_line(&in, "1234567");
    expect_line(&in, "last");
    check_eq(ring3_reader_until(&in, '\n', &piece, &length, NULL), -ENODATA);
}

TEST(stream, a_line_longer_than_the_storage_is_kept_for_the_caller)
{
    char storage[8];
    const char *piece;
    size_t length;
    ring3_reader_t in;

    ring3_reader_init(&in, piped("a\n0123456789\n"), storage, sizeof storage);
    expect_line(&in, "a");
    check_eq(ring3_reader_until(&in, '\n', &piece, &length, NULL), -ENOBUFS);
    piece = ring3_reader_peek(&in, &length);
    check_eq(length, 8u);
    check_eq(memcmp(piece, "01234567", 8), 0);
    ring3_reader_consume(&in, length);
    expect_line(&in, "89");
}

TEST(stream, fill_peek_and_consume)
{
    char storage[8];
    const char *ready;
    size_t length;
    ring3_reader_t in;

    ring3_reader_init(&in, piped("abcdefghijk"), storage, sizeof storage);
    check_eq(ring3_reader_fill(&in, 9, NULL), -ENOBUFS);
    check_eq(ring3_reader_fill(&in, 4, NULL), 0);
    ring3_reader_consume(&in, 6);
    check_eq(ring3_reader_fill(&in, 5, NULL), 0);
    ready = ring3_reader_peek(&in, &length);
    check_eq(length, 5u);
    check_eq(memcmp(ready, "ghijk", 5), 0);
    check_eq(ring3_reader_fill(&in, 6, NULL), -ENODATA);
    ring3_reader_consume(&in, 1000); /* more than there is */
    ring3_reader_peek(&in, &length);
    check_eq(length, 0u);
}

TEST(stream, reads_pieces_smaller_and_larger_than_the_storage)
{
    char storage[16], text[100];
    size_t done;
    ring3_reader_t in;
    int ends[2];

    fill_pattern(text, sizeof text, 9);
    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], text, sizeof text), (ssize_t)sizeof text);
    close(ends[1]);
    ring3_reader_init(&in, ends[0], storage, sizeof storage);
    memset(text, 0, sizeof text);
    check_eq(ring3_reader_read(&in, text, 3, NULL, &done), 0);
    check_eq(ring3_reader_read(&in, text + 3, 60, NULL, &done), 0);
    check_eq(ring3_reader_read(&in, text + 63, 10, NULL, &done), 0);
    check_eq(ring3_reader_read(&in, text + 73, 30, NULL, &done), -ENODATA);
    check_eq(done, 27u);
    check(has_pattern(text, sizeof text, 9));
}

TEST(stream, a_timeout_loses_nothing)
{
    char storage[16], text[8] = {0};
    const char *piece;
    size_t length, done;
    ring3_reader_t in;
    int ends[2];
    const struct timespec past = deadline_in(-1);

    check_eq(pipe(ends), 0);
    ring3_reader_init(&in, ends[0], storage, sizeof storage);
    check_eq(write(ends[1], "ab", 2), 2);
    check_eq(ring3_reader_until(&in, '\n', &piece, &length, &past), -ETIMEDOUT);
    check_eq(ring3_reader_fill(&in, 3, &past), -ETIMEDOUT);
    check_eq(write(ends[1], "c\nxyz", 5), 5);
    expect_line(&in, "abc");
    check_eq(ring3_reader_read(&in, text, 5, &past, &done), -ETIMEDOUT);
    check_eq(done, 3u);
    check_str_eq(text, "xyz");
}

TEST(stream, reading_hides_signals)
{
    char storage[16];
    ring3_reader_t in;
    int ends[2];

    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        sleep_ms(30);
        _exit(write(ends[1], "late\n", 5) == 5 ? 0 : 1);
    }
    ring3_reader_init(&in, ends[0], storage, sizeof storage);
    start_signal_storm();
    expect_line(&in, "late");
    stop_signal_storm();
    check_child(pid);
}

TEST(stream, the_writer_keeps_small_pieces_and_writes_them_together)
{
    char storage[8], got[32];
    ring3_writer_t out;
    size_t done;
    int ends[2];

    /* Datagrams show what was one write. */
    check_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ring3_writer_init(&out, ends[1], storage, sizeof storage);
    check_eq(ring3_writer_write(&out, "abc", 3, NULL, &done), 0);
    check_eq(ring3_writer_write(&out, "defgh", 5, NULL, &done), 0);
    check_eq(ring3_fd_try_read(ends[0], got, sizeof got), -EAGAIN);
    check_eq(ring3_writer_write(&out, "ijklmnopqrstu", 13, NULL, &done), 0);
    check_eq(done, 13u);
    check_eq(ring3_fd_try_read(ends[0], got, sizeof got), 21);
    check_eq(memcmp(got, "abcdefghijklmnopqrstu", 21), 0);
    check_eq(ring3_writer_write(&out, "v", 1, NULL, &done), 0);
    check_eq(ring3_writer_flush(&out, NULL), 0);
    check_eq(ring3_fd_try_read(ends[0], got, sizeof got), 1);
    check_eq(ring3_writer_flush(&out, NULL), 0);
}

TEST(stream, a_writer_that_timed_out_goes_on_where_it_stopped)
{
    enum { SIZE = 300000 };
    static char sent[SIZE], got[SIZE + 10], storage[1000];
    const struct timespec past = deadline_in(-1);
    ring3_writer_t out;
    size_t done, read_back;
    int ends[2];

    fill_pattern(sent, SIZE, 4);
    check_eq(pipe(ends), 0);
    ring3_writer_init(&out, ends[1], storage, sizeof storage);
    check_eq(ring3_writer_write(&out, sent, 700, &past, &done), 0);
    check_eq(ring3_writer_write(&out, sent + 700, SIZE - 700, &past, &done), -ETIMEDOUT);
    check_gt(done, 0u);
    const size_t taken = 700 + done;

    /* The pipe is full now: the next piece stays in the storage, and does not get out. */
    check_eq(ring3_writer_write(&out, sent + taken, 600, &past, &done), 0);
    check_eq(ring3_writer_flush(&out, &past), -ETIMEDOUT);
    check_eq(ring3_fd_read_full(ends[0], got, taken, NULL, NULL), 0);
    check_eq(ring3_writer_flush(&out, &past), 0);
    check_eq(ring3_fd_read_full(ends[0], got + taken, 600, NULL, &read_back), 0);
    check(has_pattern(got, taken + 600, 4));
    close(ends[0]);
    check_eq(ring3_writer_write(&out, sent, 5, NULL, NULL), 0);
    check_eq(ring3_writer_flush(&out, NULL), -EPIPE);
}
