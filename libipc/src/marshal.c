/* SPDX-License-Identifier: MIT */
/* Marshalling of what is not a number: see ring3/marshal.h. */
#include "ring3/marshal.h"

#include "ring3/fd.h"

#define ARENA_ALIGN 16

static void bad(ring3_decoder_t *d)
{
    if (!d->error)
        d->error = -EBADMSG;
}

bool ring3_get_bool(ring3_decoder_t *d)
{
    const uint8_t byte = ring3_get_u8(d);

    if (byte > 1)
        bad(d);
    return byte == 1;
}

void ring3_put_length(ring3_encoder_t *e, size_t length, uint32_t most)
{
    if (length > most && !e->error)
        e->error = -EMSGSIZE;
    ring3_put_u32(e, (uint32_t)length);
}

uint32_t ring3_get_length(ring3_decoder_t *d, uint32_t most)
{
    const uint32_t length = ring3_get_u32(d);

    if (length > most)
        bad(d);
    return d->error ? 0 : length;
}

void ring3_put_bytes(ring3_encoder_t *e, ring3_bytes_t bytes, uint32_t most)
{
    ring3_put_length(e, bytes.size, most);
    unsigned char *const to = ring3_put_room(e, bytes.size);

    if (to && bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
}

ring3_bytes_t ring3_get_bytes(ring3_decoder_t *d, uint32_t most)
{
    const uint32_t size = ring3_get_length(d, most);
    const unsigned char *const from = ring3_get_room(d, size);

    return (ring3_bytes_t){from, from ? size : 0};
}

void ring3_put_string(ring3_encoder_t *e, const char *text, uint32_t most)
{
    const size_t length = text ? strlen(text) : 0;

    if (length > most && !e->error)
        e->error = -EMSGSIZE;
    if (!e->error)
        ring3_put_bytes(e, (ring3_bytes_t){text, (uint32_t)length}, most);
}

const char *ring3_get_string(ring3_decoder_t *d, uint32_t most)
{
    const ring3_bytes_t bytes = ring3_get_bytes(d, most);
    char *const text = ring3_get_array(d, (size_t)bytes.size + 1, 1);

    if (!text)
        return "";
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    if (strlen(text) != bytes.size) {
        bad(d);
        return "";
    }
    return text;
}

void *ring3_get_array(ring3_decoder_t *d, size_t count, size_t size)
{
    const size_t skip = (size_t)(-(uintptr_t)d->arena % ARENA_ALIGN);
    size_t bytes, whole;

    if (d->error || count == 0)
        return NULL;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, skip, &whole) || whole > (size_t)(d->arena_end - d->arena)) {
        d->error = -EMSGSIZE;
        return NULL;
    }
    unsigned char *const place = d->arena + skip;

    d->arena += whole;
    memset(place, 0, bytes);
    return place;
}

bool ring3_put_pointer(ring3_encoder_t *e, const void *pointer)
{
    if (pointer && e->depth == RING3_MARSHAL_DEPTH && !e->error)
        e->error = -EMSGSIZE;
    ring3_put_bool(e, pointer != NULL);
    if (!pointer || e->error)
        return false;
    e->depth++;
    return true;
}

bool ring3_get_pointer(ring3_decoder_t *d)
{
    const bool there = ring3_get_bool(d);

    if (there && d->depth == RING3_MARSHAL_DEPTH)
        bad(d);
    if (!there || d->error)
        return false;
    d->depth++;
    return true;
}

void ring3_put_fd(ring3_encoder_t *e, int fd)
{
    if (fd < 0) {
        ring3_put_u8(e, UINT8_MAX);
        return;
    }
    if (e->fd_count == RING3_MARSHAL_FDS && !e->error)
        e->error = -EMSGSIZE;
    ring3_put_u8(e, (uint8_t)e->fd_count);
    if (!e->error)
        e->fds[e->fd_count++] = fd;
}

int ring3_get_fd(ring3_decoder_t *d)
{
    const uint8_t index = ring3_get_u8(d);

    if (index == UINT8_MAX || d->error)
        return -1;
    if (index >= d->fd_count || d->fds[index] < 0) {
        bad(d);
        return -1;
    }
    const int fd = d->fds[index];

    d->fds[index] = -1;
    return fd;
}

int ring3_decoder_end(const ring3_decoder_t *d)
{
    return d->error ? d->error : d->at == d->end ? 0 : -EBADMSG;
}

void ring3_decoder_close_fds(ring3_decoder_t *d)
{
    for (int i = 0; i < d->fd_count; i++)
        if (d->fds[i] >= 0)
            ring3_fd_close(d->fds[i]);
    d->fd_count = 0;
}
