/* SPDX-License-Identifier: MIT */
#include "ring3/frame.h"

#include "ring3/fd.h"
#include "ring3/socket.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int send_whole(int fd, const void *message, size_t length)
{
    size_t done = 0;

    return ring3_frame_send(fd, message, length, NULL, &done);
}

/* Messages of all sizes, sent byte by byte or in lumps, come out as they went in. */
static void reassembles(size_t piece)
{
    enum { MESSAGES = 60, MOST = 3000 };
    static char storage[MOST + RING3_FRAME_HEADER], out[MOST];
    ring3_reader_t in;
    const void *message;
    size_t length;
    int direct[2], cut[2];

    check_eq(ring3_socket_pair(direct, SOCK_STREAM), 0);
    check_eq(ring3_socket_pair(cut, SOCK_STREAM), 0);
    const pid_t sender = fork();

    if (sender == 0) {
        close(direct[0]);
        for (unsigned i = 0; i < MESSAGES; i++) {
            fill_pattern(out, i * 50 % MOST, i);
            if (send_whole(direct[1], out, i * 50 % MOST))
                _exit(1);
        }
        _exit(0);
    }
    close(direct[1]);
    const pid_t cutter = fork();

    if (cutter == 0) {
        char bytes[5000];
        ssize_t got;

        close(cut[0]);
        while ((got = ring3_fd_read(direct[0], bytes, piece)) > 0)
            if (ring3_fd_write_full(cut[1], bytes, (size_t)got, NULL, NULL))
                _exit(1);
        _exit(got ? 2 : 0);
    }
    close(cut[1]);
    ring3_reader_init(&in, cut[0], storage, sizeof storage);
    for (unsigned i = 0; i < MESSAGES; i++) {
        check_eq(ring3_frame_receive(&in, &message, &length, NULL), 0);
        check_eq(length, i * 50 % MOST);
        check(has_pattern(message, length, i), "message %u", i);
    }
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -ENODATA);
    check_child(sender);
    check_child(cutter);
}

TEST(frame, messages_are_put_together_from_single_bytes)
{
    reassembles(1);
}
TEST(frame, messages_are_put_together_from_odd_pieces)
{
    reassembles(7);
}
TEST(frame, messages_are_taken_apart_from_lumps)
{
    reassembles(5000);
}

static ring3_reader_t reader_of(const void *bytes, size_t size, char *storage, size_t room)
{
    ring3_reader_t in;
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], bytes, size), (ssize_t)size);
    close(ends[1]);
    ring3_reader_init(&in, ends[0], storage, room);
    return in;
}

TEST(frame, lengths_are_not_believed)
{
    char storage[20];
    const void *message;
    size_t length;
    ring3_reader_t in = reader_of("\xff\xff\xff\xff", 4, storage, sizeof storage);

    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -EMSGSIZE);
    in = reader_of("\x11\0\0\0 and so on and on", 22, storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -EMSGSIZE, "one byte too many");
    in = reader_of("\x10\0\0\0exactly sixteen!", 20, storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), 0);
    check_eq(length, 16u);
    in = reader_of("\x05\0\0\0abc", 7, storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -EBADMSG, "cut in the message");
    in = reader_of("\x05\0", 2, storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -EBADMSG, "cut in the header");
    in = reader_of("\0\0\0\0", 4, storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), 0, "empty messages are allowed");
    check_eq(length, 0u);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -ENODATA);
    char tiny[2];

    in = reader_of("\0\0\0\0", 4, tiny, sizeof tiny);
    check_eq(ring3_frame_receive(&in, &message, &length, NULL), -ENOBUFS);
}

/* Random bytes: any result, but never more than the storage holds, and an end. */
TEST(frame, garbage_does_no_harm)
{
    srand(42);
    for (int round = 0; round < 500; round++) {
        char bytes[400], *const storage = malloc(64); /* where ASan sees its edges */
        const void *message;
        size_t length;

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(rand() % 3 ? 0 : rand());
        ring3_reader_t in = reader_of(bytes, sizeof bytes, storage, 64);

        while (ring3_frame_receive(&in, &message, &length, NULL) == 0)
            check_le((const char *)message + length, storage + 64);
        close(in.fd);
        free(storage);
    }
}

TEST(frame, timeouts_can_be_got_over_on_both_sides)
{
    enum { SIZE = 600000 };
    static char sent[SIZE], storage[SIZE + RING3_FRAME_HEADER];
    const struct timespec past = deadline_in(-1);
    const void *message;
    size_t length, done = 0;
    ring3_reader_t in;
    int ends[2], sending, receiving = -ETIMEDOUT;

    fill_pattern(sent, SIZE, 8);
    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    ring3_reader_init(&in, ends[0], storage, sizeof storage);
    check_eq(ring3_frame_receive(&in, &message, &length, &past), -ETIMEDOUT);
    do {
        sending = ring3_frame_send(ends[1], sent, SIZE, &past, &done);
        if (receiving)
            receiving = ring3_frame_receive(&in, &message, &length, &past);
        check(sending == 0 || sending == -ETIMEDOUT);
        check(receiving == 0 || receiving == -ETIMEDOUT);
    } while (sending || receiving);
    check_eq(done, (size_t)SIZE + RING3_FRAME_HEADER);
    check_eq(length, (size_t)SIZE);
    check(has_pattern(message, length, 8));
    done = SIZE + 100;
    check_eq(ring3_frame_send(ends[1], sent, SIZE, &past, &done), -EINVAL);
}
