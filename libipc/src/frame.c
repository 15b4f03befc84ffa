/* SPDX-License-Identifier: MIT */
#include "ring3/frame.h"

#include "ring3/fd.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int ring3_frame_send(int fd, const void *message, size_t length, const struct timespec *deadline,
                     size_t *done)
{
    const uint32_t header = htole32((uint32_t)length);

    if (length > UINT32_MAX)
        return -EMSGSIZE;
    const size_t skip = *done < sizeof header ? *done : sizeof header, sent = *done - skip;

    if (sent > length)
        return -EINVAL;
    const struct iovec parts[] = {
        {(char *)(uintptr_t)&header + skip, sizeof header - skip},
        {(char *)(uintptr_t)message + sent, length - sent},
    };
    size_t now;
    const int err = ring3_fd_writev_full(fd, parts, 2, deadline, &now);

    *done += now;
    return err;
}

int ring3_frame_receive(ring3_reader_t *reader, const void **message, size_t *length,
                        const struct timespec *deadline)
{
    uint32_t header;
    int err = ring3_reader_fill(reader, sizeof header, deadline);

    if (err)
        return err == -ENODATA && reader->end > reader->start ? -EBADMSG : err;
    memcpy(&header, reader->storage + reader->start, sizeof header);
    header = le32toh(header);
    if (header > reader->size - sizeof header)
        return -EMSGSIZE;
    err = ring3_reader_fill(reader, sizeof header + header, deadline);
    if (err)
        return err == -ENODATA ? -EBADMSG : err;
    *message = reader->storage + reader->start + sizeof header;
    *length = header;
    reader->start += sizeof header + header; /* without ring3_reader_consume's rewind */
    return 0;
}
