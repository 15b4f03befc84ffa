/* SPDX-License-Identifier: MIT */
/*
 * The handshake of a channel over memory, at most three messages:
 *
 *     connecting  -> hello    version, sizes; ring file, bells, pool; where to try reading our memory
 *     accepting   -> hello    the same of the other side, and whether that reading worked; or a refusal
 *     connecting  -> ready    whether the reading of the other side's memory worked; or a refusal
 *
 * A refusal is a hello with `error`, so that both sides return the reason. Everything that comes is
 * judged here once: sizes, seals, counts. Numbers are in the machine's own order: it is one machine.
 */
#include "channel_private.h"

#include "call.h"
#include "mirror.h"
#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/memfd.h"
#include "ring3/process.h"
#include "ring3/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static_assert(sizeof(struct ring3_channel_page) <= 4096, "it is one page on every machine");

#define MAGIC 0x33524e47u /* "GNR3": also tells a machine of the other byte order */

struct hello {
    uint32_t magic, version;
    int32_t error;     /* a negative errno: refused */
    uint32_t readable; /* the sender of this could read the receiver's memory */
    uint32_t capacity, largest, loans, loan_size;
    uint64_t probe_address, probe_value;
};

/* Descriptors of a hello, in this order; the pool only if there are loans. */
enum { FD_RING, FD_BELL_MESSAGE, FD_BELL_ROOM, FD_POOL, FDS_MAX };

struct offer {
    struct hello hello;
    int fds[FDS_MAX];
    int count;
};

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static size_t pool_size(uint32_t loans, uint32_t loan_size)
{
    return (size_t)loans * loan_size;
}

static int check_sizes(uint32_t capacity, uint32_t loans, uint32_t loan_size)
{
    if (!power_of_two(capacity) || capacity < ring3_page_size() ||
        capacity > RING3_CHANNEL_CAPACITY_MAX)
        return -EINVAL;
    if (loans > RING3_CHANNEL_LOANS_MAX || (loans > 0 && (loan_size == 0 || loan_size % 64 != 0)))
        return -EINVAL;
    return 0;
}

static int map_pool(void **pool, int fd, size_t size, int protection)
{
    const int saved = errno;

    *pool = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    errno = saved;
    if (*pool != MAP_FAILED)
        return 0;
    *pool = NULL;
    return -ENOMEM;
}

/* --- What we offer ---------------------------------------------------------------------------------- */

static int make_pool(ring3_channel_t *channel, const ring3_channel_options_t *options, int *fd)
{
    const size_t size = pool_size(options->loans, options->loan_size);
    void *pool;
    int err;

    *fd = ring3_memfd_create("ring3-loans", size);
    if (*fd < 0)
        return *fd;
    err = map_pool(&pool, *fd, size, PROT_READ | PROT_WRITE);
    if (err)
        return err;
    channel->pool = pool;
    channel->loans = options->loans;
    channel->loan_size = options->loan_size;
    return ring3_memfd_seal(*fd, RING3_MEMFD_PUBLISHED);
}

static int make_ring(ring3_channel_t *channel, uint32_t capacity, int *fd)
{
    const size_t page = ring3_page_size();
    void *base;
    int err;

    *fd = ring3_memfd_create("ring3-channel", page + capacity);
    if (*fd < 0)
        return *fd;
    err = ring3_mirror_map(&base, *fd, 0, page, capacity, PROT_READ | PROT_WRITE);
    if (err)
        return err;
    channel->mine = base;
    channel->out.side.capacity = capacity; /* what unmapping goes by */
    return ring3_memfd_seal(*fd, RING3_MEMFD_PUBLISHED);
}

/*
 * A bell is an event descriptor, both sides of which are one description. An untrusted peer could
 * make that blocking and full, and so stop whoever rings it; a pair of sockets has a description for
 * each side, and is rung without waiting whatever the other side does.
 */
static int make_bell(ring3_channel_t *channel, int which, int *theirs)
{
    int ends[2], err;

    if (channel->trust != RING3_TRUST_UNTRUSTED) {
        *theirs = channel->bells[which] = ring3_event_open();
        return *theirs < 0 ? *theirs : 0;
    }
    err = ring3_socket_pair(ends, SOCK_DGRAM);
    if (err)
        return err;
    channel->bells[which] = ends[0];
    *theirs = ends[1];
    return ring3_fd_set_nonblock(ends[0], true);
}

static int make_offer(ring3_channel_t *channel, const ring3_channel_options_t *options,
                      struct offer *offer)
{
    const uint32_t capacity = options->capacity ? options->capacity : RING3_CHANNEL_CAPACITY;
    int err = check_sizes(capacity, options->loans, options->loan_size);

    if (!err)
        err = make_ring(channel, capacity, &offer->fds[FD_RING]);
    for (int i = 0; i < 2 && !err; i++)
        err = make_bell(channel, i, &offer->fds[FD_BELL_MESSAGE + i]);
    if (!err && options->loans > 0)
        err = make_pool(channel, options, &offer->fds[FD_POOL]);
    if (err)
        return err;
    offer->count = options->loans > 0 ? FDS_MAX : FD_POOL;
    offer->hello.capacity = capacity;
    offer->hello.largest = channel->largest;
    offer->hello.loans = options->loans;
    offer->hello.loan_size = options->loan_size;
    return 0;
}

static void drop_offer(const ring3_channel_t *channel, struct offer *offer)
{
    for (int i = 0; i < FDS_MAX; i++)
        if (offer->fds[i] >= 0 && offer->fds[i] != channel->bells[0] &&
            offer->fds[i] != channel->bells[1])
            ring3_fd_close(offer->fds[i]);
}

/* --- What the peer offers ----------------------------------------------------------------------------- */

static int check_file(int fd, size_t size, ring3_trust_t trust)
{
    const unsigned seals =
        trust == RING3_TRUST_UNTRUSTED ? RING3_MEMFD_PUBLISHED : RING3_MEMFD_FIXED;
    uint64_t have;
    const int err = ring3_memfd_check(fd, seals, &have);

    if (err)
        return err == -EPERM ? err : -EPROTO;
    return have == size ? 0 : -EPROTO;
}

/* Anybody can send any descriptor as a bell; ringing it must not block us. */
static int check_bell(const ring3_channel_t *channel, int fd, bool *is_socket)
{
    static const char event[] = "anon_inode:[eventfd]";
    char path[32], target[sizeof event];
    struct stat about;
    int err = ring3_call(fstat(fd, &about));

    if (err)
        return err;
    *is_socket = S_ISSOCK(about.st_mode);
    if (*is_socket)
        return 0;
    if (channel->trust == RING3_TRUST_UNTRUSTED)
        return -EPERM;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const ssize_t length = ring3_call(readlink(path, target, sizeof target));

    if (length != sizeof event - 1 || memcmp(target, event, sizeof event - 1) != 0)
        return -EPROTO;
    return ring3_fd_set_nonblock(fd, true);
}

static int take_offer(ring3_channel_t *channel, const struct offer *offer)
{
    const struct hello *const hello = &offer->hello;
    const size_t page = ring3_page_size();
    bool message_socket = false, room_socket = false;
    void *base;
    int err;

    if (offer->count != (hello->loans > 0 ? FDS_MAX : FD_POOL) ||
        check_sizes(hello->capacity, hello->loans, hello->loan_size))
        return -EPROTO;
    err = check_file(offer->fds[FD_RING], page + hello->capacity, channel->trust);
    if (!err)
        err = check_bell(channel, offer->fds[FD_BELL_MESSAGE], &message_socket);
    if (!err)
        err = check_bell(channel, offer->fds[FD_BELL_ROOM], &room_socket);
    if (!err && hello->loans > 0)
        err = check_file(offer->fds[FD_POOL], pool_size(hello->loans, hello->loan_size),
                         channel->trust);
    if (!err)
        err = ring3_mirror_map(&base, offer->fds[FD_RING], 0, page, hello->capacity, PROT_READ);
    if (err)
        return err;
    channel->out.side.bell_is_socket = message_socket;
    channel->in.side.bell_is_socket = room_socket;
    channel->theirs = base;
    channel->their_capacity = hello->capacity;
    if (hello->loans > 0) {
        void *pool;

        err = map_pool(&pool, offer->fds[FD_POOL], pool_size(hello->loans, hello->loan_size),
                       PROT_READ);
        if (err)
            return err;
        channel->their_pool = pool;
        channel->their_loans = hello->loans;
        channel->their_loan_size = hello->loan_size;
    }
    return 0;
}

/* Both files are there: join the four ends. */
static int join(ring3_channel_t *channel)
{
    struct ring3_channel_page *const mine = channel->mine, *const theirs =
                                                               (void *)(uintptr_t)channel->theirs;
    const size_t page = ring3_page_size();
    const ring3_ring_t out = {&mine->writer,
                              &theirs->reader,
                              (unsigned char *)mine + page,
                              channel->out.side.capacity,
                              1,
                              RING3_SHARED,
                              0};
    const ring3_ring_t in = {&theirs->writer,
                             &mine->reader,
                             (unsigned char *)theirs + page,
                             channel->their_capacity,
                             1,
                             RING3_SHARED,
                             0};
    const uint32_t sockets[2] = {channel->out.side.bell_is_socket, channel->in.side.bell_is_socket};
    int err = ring3_ring_writer_init(&channel->out, &out);

    /* A hostile peer may have written nonsense already. Both files are new: we know better. */
    if (err == -EPROTO) {
        channel->out.seen = channel->out.side.broken = 0;
        err = 0;
    }
    if (!err)
        err = ring3_ring_reader_init(&channel->in, &in);
    channel->out.side.bell = channel->peer_bells[BELL_MESSAGE];
    channel->in.side.bell = channel->peer_bells[BELL_ROOM];
    channel->out.side.bell_is_socket = sockets[0];
    channel->in.side.bell_is_socket = sockets[1];
    return err;
}

/* --- Messages of the handshake ---------------------------------------------------------------------- */

static int send_hello(int control, const struct hello *hello, const int *fds, int count,
                      const struct timespec *deadline)
{
    const ssize_t put = count > 0
                            ? ring3_fdpass_send(control, hello, sizeof *hello, fds, count, deadline)
                            : ring3_send(control, hello, sizeof *hello, 0, deadline);

    return put < 0 ? (int)put : 0;
}

static int receive_hello(ring3_channel_t *channel, int control, struct offer *offer,
                         const struct timespec *deadline)
{
    ring3_credentials_t sender;
    ssize_t got;

    offer->count = FDS_MAX;
    got = ring3_fdpass_receive(control, &offer->hello, sizeof offer->hello, offer->fds,
                               &offer->count, &sender, deadline);
    if (got <= 0)
        offer->count = 0;
    if (got < 0)
        return (int)(got == -E2BIG || got == -EMSGSIZE ? -EPROTO : got);
    if (got == 0)
        return -EPIPE;
    if (got != sizeof offer->hello || offer->hello.magic != MAGIC)
        return -EPROTO;
    if (offer->hello.version != RING3_CHANNEL_VERSION)
        return -EPROTONOSUPPORT;
    if (offer->hello.error)
        return offer->hello.error > -4096 && offer->hello.error < 0 ? offer->hello.error : -EPROTO;
    channel->peer = sender;
    return 0;
}

/* Tell the peer why not; it may have gone. */
static void send_refusal(int control, int err)
{
    const struct hello refusal = {.magic = MAGIC, .version = RING3_CHANNEL_VERSION, .error = err};
    static const struct timespec at_once;

    (void)send_hello(control, &refusal, NULL, 0, &at_once);
}

/* --- Both sides -------------------------------------------------------------------------------------- */

/* A word of ours for the peer to read. */
static const uint64_t probe = 0x72696e6733697063u;

static bool can_read(const ring3_channel_t *channel, const struct hello *hello)
{
    uint64_t seen = 0;
    const struct iovec here = {&seen, sizeof seen},
                       there = {(void *)(uintptr_t)hello->probe_address, sizeof seen};

    if (channel->peer.pid <= 0 || ring3_env_disabled("process_vm"))
        return false;
    return ring3_call(process_vm_readv(channel->peer.pid, &here, 1, &there, 1, 0)) ==
               (ssize_t)sizeof seen &&
           seen == hello->probe_value;
}

static void take_fds(ring3_channel_t *channel, struct offer *offer)
{
    if (offer->count > FD_BELL_ROOM) {
        channel->peer_bells[BELL_MESSAGE] = offer->fds[FD_BELL_MESSAGE];
        channel->peer_bells[BELL_ROOM] = offer->fds[FD_BELL_ROOM];
    }
    for (int i = 0; i < offer->count; i++)
        if (offer->count <= FD_BELL_ROOM || (i != FD_BELL_MESSAGE && i != FD_BELL_ROOM))
            ring3_fd_close(offer->fds[i]);
    offer->count = 0;
}

static int connecting(ring3_channel_t *channel, int control, struct offer *ours,
                      const struct timespec *deadline)
{
    struct offer theirs = {.count = 0};
    int err = send_hello(control, &ours->hello, ours->fds, ours->count, deadline);

    if (err)
        return err;
    err = receive_hello(channel, control, &theirs, deadline);
    if (!err) {
        err = take_offer(channel, &theirs);
        ours->hello.readable = can_read(channel, &theirs.hello);
        if (err)
            send_refusal(control, err);
        else
            err = send_hello(control, &ours->hello, NULL, 0, deadline);
        if (!theirs.hello.readable)
            channel->direct = UINT32_MAX;
    }
    take_fds(channel, &theirs);
    return err;
}

static int accepting(ring3_channel_t *channel, int control, struct offer *ours,
                     const struct timespec *deadline)
{
    struct offer theirs = {.count = 0}, ready = {.count = 0};
    int err = receive_hello(channel, control, &theirs, deadline);

    if (!err)
        err = take_offer(channel, &theirs);
    if (!err) {
        ours->hello.readable = can_read(channel, &theirs.hello);
        err = send_hello(control, &ours->hello, ours->fds, ours->count, deadline);
        if (!err)
            err = receive_hello(channel, control, &ready, deadline);
        if (!err && !ready.hello.readable)
            channel->direct = UINT32_MAX;
    } else if (err != -EPIPE && err != -ETIMEDOUT && !theirs.hello.error) {
        send_refusal(control, err);
    }
    for (int i = 0; i < ready.count; i++)
        ring3_fd_close(ready.fds[i]);
    take_fds(channel, &theirs);
    return err;
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int open_channel(ring3_channel_t *channel, int control,
                        const ring3_channel_options_t *options, bool connects,
                        const struct timespec *deadline)
{
    static const ring3_channel_options_t defaults;
    struct offer ours = {.hello = {.magic = MAGIC,
                                   .version = RING3_CHANNEL_VERSION,
                                   .probe_address = (uintptr_t)&probe,
                                   .probe_value = probe},
                         .fds = {-1, -1, -1, -1}};
    int err = ring3_channel_begin(channel, RING3_CHANNEL_MEMORY, options);

    if (err)
        return err;
    err = ring3_credentials_ask(control, true);
    if (!err)
        err = make_offer(channel, options ? options : &defaults, &ours);
    if (!err)
        err = connects ? connecting(channel, control, &ours, deadline)
                       : accepting(channel, control, &ours, deadline);
    if (!err)
        err = join(channel);
    if (!err)
        channel->short_of =
            shorter(channel->direct, (uint32_t)ring3_ring_largest(&channel->out.side) + 1);
    drop_offer(channel, &ours);
    if (!err && channel->peer.pid > 0) {
        const int pidfd = ring3_pidfd_open(channel->peer.pid);

        channel->pidfd = pidfd < 0 ? -1 : pidfd;
        if (pidfd == -ESRCH) /* already */
            channel->gone = 1;
        if (pidfd == -EMFILE || pidfd == -ENFILE || pidfd == -ENOMEM)
            err = pidfd;
    }
    (void)ring3_credentials_ask(control, false);
    if (err) {
        ring3_channel_abandon(channel);
        return err;
    }
    channel->control = control;
    return 0;
}

int ring3_channel_connect(ring3_channel_t *channel, int control,
                          const ring3_channel_options_t *options, const struct timespec *deadline)
{
    return open_channel(channel, control, options, true, deadline);
}

int ring3_channel_accept(ring3_channel_t *channel, int control,
                         const ring3_channel_options_t *options, const struct timespec *deadline)
{
    return open_channel(channel, control, options, false, deadline);
}
