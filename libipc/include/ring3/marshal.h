/* SPDX-License-Identifier: MIT */
/*
 * Marshalling: values into one contiguous message and back. What `ring3 rpcgen` generates is made of
 * these calls; they may be used alone.
 *
 *     ring3_encoder_init(&e, buffer, sizeof buffer);          ring3_decoder_init(&d, message, length, arena, size);
 *     ring3_put_u32(&e, count);                               count = ring3_get_u32(&d);
 *     ring3_put_string(&e, name, 64);                         name = ring3_get_string(&d, 64);
 *     if (e.error) …                                          if (ring3_decoder_end(&d)) …
 *
 * Numbers are little-endian, of the width their name says, without padding; signed ones in two's
 * complement, floating-point ones as IEEE 754; the same on every machine. Variable lengths are a u32 in
 * front, never above the maximum that both sides know. A pointer is a byte, 0 or 1, and then what it points
 * to. Descriptors travel beside the message; in it is their index.
 *
 * Errors stick: after the first, everything put is ignored and everything got is zero, so one look at the
 * end is enough. -EMSGSIZE: no room. -EBADMSG: the message makes no sense. What is decoded and is not a
 * number lies in the caller's arena or in the message itself; nothing is allocated elsewhere.
 *
 * Thread-safe; async-signal-safe. Source: RFC 4506 (XDR), for the idea of types known to both sides.
 */
#ifndef RING3_MARSHAL_H
#define RING3_MARSHAL_H

#include "ring3/api.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

RING3_API_BEGIN

#define RING3_MARSHAL_FDS   16 /* descriptors per message */
#define RING3_MARSHAL_DEPTH 64 /* pointers behind pointers */

typedef struct ring3_encoder {
    unsigned char *start, *at, *end;
    int error;
    int fds[RING3_MARSHAL_FDS], fd_count;
    int depth;
} ring3_encoder_t;

typedef struct ring3_decoder {
    const unsigned char *at, *end;
    unsigned char *arena, *arena_end;
    int error;
    int fds[RING3_MARSHAL_FDS], fd_count; /* the caller's, before decoding; -1 once they were got */
    int depth;
} ring3_decoder_t;

typedef struct ring3_bytes {
    const void *data;
    uint32_t size;
} ring3_bytes_t;

static inline void ring3_encoder_init(ring3_encoder_t *e, void *buffer, size_t size)
{
    e->start = e->at = (unsigned char *)buffer;
    e->end = e->start + size;
    e->error = e->fd_count = e->depth = 0;
}

static inline void ring3_decoder_init(ring3_decoder_t *d, const void *message, size_t size,
                                      void *arena, size_t arena_size)
{
    d->at = (const unsigned char *)message;
    d->end = d->at + size;
    d->arena = (unsigned char *)arena;
    d->arena_end = d->arena + arena_size;
    d->error = d->fd_count = d->depth = 0;
}

/* --- Numbers ---------------------------------------------------------------------------------------- */

/** The place of `size` bytes more, or NULL after an error. */
static inline unsigned char *ring3_put_room(ring3_encoder_t *e, size_t size)
{
    unsigned char *const place = e->at;

    if (e->error || (size_t)(e->end - place) < size) {
        e->error = e->error ? e->error : -EMSGSIZE;
        return NULL;
    }
    e->at += size;
    return place;
}

static inline const unsigned char *ring3_get_room(ring3_decoder_t *d, size_t size)
{
    const unsigned char *const place = d->at;

    if (d->error || (size_t)(d->end - place) < size) {
        d->error = d->error ? d->error : -EBADMSG;
        return NULL;
    }
    d->at += size;
    return place;
}

static inline void ring3_put_number(ring3_encoder_t *e, uint64_t value, int bytes)
{
    unsigned char *const to = ring3_put_room(e, (size_t)bytes);

    if (!to)
        return;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, &value, (size_t)bytes);
#else
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * i));
#endif
}

static inline uint64_t ring3_get_number(ring3_decoder_t *d, int bytes)
{
    const unsigned char *const from = ring3_get_room(d, (size_t)bytes);
    uint64_t value = 0;

    if (!from)
        return 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, from, (size_t)bytes);
#else
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
#endif
    return value;
}

static inline void ring3_put_u8(ring3_encoder_t *e, uint8_t v)
{
    ring3_put_number(e, v, 1);
}
static inline void ring3_put_u16(ring3_encoder_t *e, uint16_t v)
{
    ring3_put_number(e, v, 2);
}
static inline void ring3_put_u32(ring3_encoder_t *e, uint32_t v)
{
    ring3_put_number(e, v, 4);
}
static inline void ring3_put_u64(ring3_encoder_t *e, uint64_t v)
{
    ring3_put_number(e, v, 8);
}
static inline void ring3_put_i8(ring3_encoder_t *e, int8_t v)
{
    ring3_put_number(e, (uint8_t)v, 1);
}
static inline void ring3_put_i16(ring3_encoder_t *e, int16_t v)
{
    ring3_put_number(e, (uint16_t)v, 2);
}
static inline void ring3_put_i32(ring3_encoder_t *e, int32_t v)
{
    ring3_put_number(e, (uint32_t)v, 4);
}
static inline void ring3_put_i64(ring3_encoder_t *e, int64_t v)
{
    ring3_put_number(e, (uint64_t)v, 8);
}
static inline void ring3_put_bool(ring3_encoder_t *e, bool v)
{
    ring3_put_number(e, v, 1);
}

static inline uint8_t ring3_get_u8(ring3_decoder_t *d)
{
    return (uint8_t)ring3_get_number(d, 1);
}
static inline uint16_t ring3_get_u16(ring3_decoder_t *d)
{
    return (uint16_t)ring3_get_number(d, 2);
}
static inline uint32_t ring3_get_u32(ring3_decoder_t *d)
{
    return (uint32_t)ring3_get_number(d, 4);
}
static inline uint64_t ring3_get_u64(ring3_decoder_t *d)
{
    return ring3_get_number(d, 8);
}
static inline int8_t ring3_get_i8(ring3_decoder_t *d)
{
    return (int8_t)ring3_get_number(d, 1);
}
static inline int16_t ring3_get_i16(ring3_decoder_t *d)
{
    return (int16_t)ring3_get_number(d, 2);
}
static inline int32_t ring3_get_i32(ring3_decoder_t *d)
{
    return (int32_t)ring3_get_number(d, 4);
}
static inline int64_t ring3_get_i64(ring3_decoder_t *d)
{
    return (int64_t)ring3_get_number(d, 8);
}

/** Any byte but 0 and 1 makes no sense. */
bool ring3_get_bool(ring3_decoder_t *d);

static inline void ring3_put_f32(ring3_encoder_t *e, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    ring3_put_u32(e, bits);
}

static inline void ring3_put_f64(ring3_encoder_t *e, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    ring3_put_u64(e, bits);
}

static inline float ring3_get_f32(ring3_decoder_t *d)
{
    const uint32_t bits = ring3_get_u32(d);
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double ring3_get_f64(ring3_decoder_t *d)
{
    const uint64_t bits = ring3_get_u64(d);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

/* --- What has a length, pointers, descriptors -------------------------------------------------------- */

/** A length of at most `most`. */
void ring3_put_length(ring3_encoder_t *e, size_t length, uint32_t most);
uint32_t ring3_get_length(ring3_decoder_t *d, uint32_t most);

/** A string: NULL is sent as the empty one. What is got is in the arena, zero-terminated, and has no zero
 * byte within; it is "" after an error. */
void ring3_put_string(ring3_encoder_t *e, const char *text, uint32_t most);
const char *ring3_get_string(ring3_decoder_t *d, uint32_t most);

/** Bytes; what is got lies in the message. */
void ring3_put_bytes(ring3_encoder_t *e, ring3_bytes_t bytes, uint32_t most);
ring3_bytes_t ring3_get_bytes(ring3_decoder_t *d, uint32_t most);

/** Room in the arena, zeroed, aligned to 16. NULL after an error, or for none. */
void *ring3_get_array(ring3_decoder_t *d, size_t count, size_t size);

/** Whether there is something behind a pointer; it may go RING3_MARSHAL_DEPTH deep. ring3_…_leave after
 * what it points to, if it was true. */
bool ring3_put_pointer(ring3_encoder_t *e, const void *pointer);
bool ring3_get_pointer(ring3_decoder_t *d);
static inline void ring3_put_leave(ring3_encoder_t *e)
{
    e->depth--;
}
static inline void ring3_get_leave(ring3_decoder_t *d)
{
    d->depth--;
}

/** A descriptor, which stays the sender's; negative: none. What is got belongs to whoever gets it. */
void ring3_put_fd(ring3_encoder_t *e, int fd);
int ring3_get_fd(ring3_decoder_t *d);

/** Everything was got and made sense. @return 0; -EBADMSG (also when bytes are left over) */
int ring3_decoder_end(const ring3_decoder_t *d);

/** Close the descriptors that nobody got. */
void ring3_decoder_close_fds(ring3_decoder_t *d);

RING3_API_END

#endif
