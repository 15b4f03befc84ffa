/* SPDX-License-Identifier: MIT */
/* What happens to a channel when its peer is killed, stopped, hostile, or short of something. */
#include "ring3/channel.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/memfd.h"
#include "ring3/pipe.h"
#include "ring3/socket.h"
#include "support.h"

#include "channel_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum way { MEMORY, TRUSTED, UNTRUSTED, PACKETS, STREAM, PIPES, WAYS };

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void open_end(ring3_channel_t *channel, enum way way, int fds[4], bool first)
{
    static const ring3_trust_t trusts[] = {RING3_TRUST_DEFAULT, RING3_TRUST_TRUSTED,
                                           RING3_TRUST_UNTRUSTED};
    ring3_channel_options_t options = {.capacity = 16384, .largest = 1 << 20, .direct = 8192};

    for (int i = 0; i < 4; i++) /* the other side's */
        if (fds[i] >= 0 && (way == PIPES ? (i == 0 || i == 3) : i == 0) != first) {
            close(fds[i]);
            fds[i] = -1;
        }
    if (way == PIPES) {
        check_eq(ring3_channel_over(channel, fds[first ? 0 : 2], fds[first ? 3 : 1], &options), 0);
    } else if (way >= PACKETS) {
        check_eq(ring3_channel_over(channel, fds[!first], fds[!first], &options), 0);
    } else {
        options.trust = trusts[way];
        const int err = first ? ring3_channel_connect(channel, fds[0], &options, NULL)
                              : ring3_channel_accept(channel, fds[1], &options, NULL);

        check_eq(err, 0);
    }
}

static pid_t open_both(ring3_channel_t *channel, enum way way, void (*peer)(ring3_channel_t *))
{
    int fds[4] = {-1, -1, -1, -1};

    if (way == PIPES) {
        check_eq(ring3_pipe_open(fds, 0), 0);
        check_eq(ring3_pipe_open(fds + 2, 0), 0);
    } else {
        check_eq(ring3_socket_pair(fds, way == STREAM ? SOCK_STREAM : SOCK_SEQPACKET), 0);
    }
    const pid_t pid = fork();

    check_ge(pid, 0);
    open_end(channel, way, fds, pid != 0);
    if (pid)
        return pid;
    peer(channel);
    ring3_channel_close(channel);
    _exit(0);
}

/* --- kill -9, SIGSTOP ------------------------------------------------------------------------------------ */

/* A message says how long it is and what it is made of. */
static size_t make_message(unsigned char *message)
{
    static const size_t sizes[] = {16, 64, 1000, 5000, 9000, 20000};
    const uint64_t seed = next_random();
    const size_t size = sizes[seed % 6];

    memcpy(message, &seed, 8);
    fill_pattern(message + 8, size - 8, (unsigned)seed);
    return size;
}

static bool is_whole(const unsigned char *message, size_t size)
{
    static const size_t sizes[] = {16, 64, 1000, 5000, 9000, 20000};
    uint64_t seed;

    memcpy(&seed, message, 8);
    return size == sizes[seed % 6] && has_pattern(message + 8, size - 8, (unsigned)seed);
}

static void chatter(ring3_channel_t *channel)
{
    static unsigned char message[20000], in[20000];

    random_state ^= (uint64_t)getpid() << 20;
    for (;;) {
        const struct timespec past = deadline_in(-1);
        ssize_t got;

        if (ring3_channel_send(channel, message, make_message(message), NULL))
            return;
        do {
            got = ring3_channel_receive(channel, in, sizeof in, &past);
            check(got < 0 || is_whole(in, (size_t)got));
        } while (got >= 0);
    }
}

/* Takes part until it is told that the peer has gone. Returns how many messages came. */
static long survive(ring3_channel_t *channel, enum way way)
{
    static unsigned char message[20000], in[20000];
    long received = 0;
    bool silent = false;

    for (;;) {
        const struct timespec limit = deadline_in(60000), past = deadline_in(-1);
        const ssize_t got = ring3_channel_receive(channel, in, sizeof in, &limit);

        check_ne(got, -ETIMEDOUT, "nobody told us");
        if (got < 0) {
            check(got == -ECONNRESET || got == -EPIPE, "%zd over %d", got, (int)way);
            return received;
        }
        check(is_whole(in, (size_t)got), "torn: %zd bytes over %d", got, (int)way);
        received++;
        /* A message that goes directly would wait for a peer that itself only sends. */
        if (!silent)
            (void)ring3_channel_send(channel, message, make_message(message), &past);
        silent = channel->sending > 0; /* half a message over a stream: it stays half */
    }
}

static void kills(enum way way, long count)
{
    const int before = open_descriptors();
    long received = 0;

    for (long i = 0; i < count; i++) {
        ring3_channel_t channel;
        const pid_t pid = open_both(&channel, way, chatter);

        const uint64_t until = next_random() % 30000;

        for (uint64_t k = 0; k < until; k++)
            ring3_cpu_relax();
        kill(pid, SIGKILL);
        received += survive(&channel, way);
        check_killed(pid);
        ring3_channel_close(&channel);
        check_eq(open_descriptors(), before, "over %d", (int)way);
    }
    (void)received;
}

TEST(faults, a_peer_killed_over_memory_is_noticed_and_tears_nothing, 60)
{
    kills(MEMORY, scaled(60, 40000));
}
TEST(faults, a_peer_killed_over_trusted_memory_is_noticed_and_tears_nothing, 60)
{
    kills(TRUSTED, scaled(30, 15000));
}
TEST(faults, a_peer_killed_over_untrusted_memory_is_noticed_and_tears_nothing, 60)
{
    kills(UNTRUSTED, scaled(30, 15000));
}
TEST(faults, a_peer_killed_over_packets_is_noticed, 60)
{
    kills(PACKETS, scaled(20, 10000));
}
TEST(faults, a_peer_killed_over_a_stream_is_noticed, 60)
{
    kills(STREAM, scaled(20, 10000));
}

TEST(faults, a_peer_killed_over_pipes_is_noticed, 60)
{
    kills(PIPES, scaled(20, 10000));
}

static void stops(enum way way)
{
    static unsigned char in[20000];
    const long stops = scaled(15, 1500);
    ring3_channel_t channel;
    const pid_t pid = open_both(&channel, way, chatter);

    for (long i = 0; i < stops; i++) {
        ssize_t got;

        kill(pid, SIGSTOP);
        do {
            const struct timespec soon = deadline_in(2);

            got = ring3_channel_receive(&channel, in, sizeof in, &soon);
            check(got == -ETIMEDOUT || (got > 0 && is_whole(in, (size_t)got)), "%zd", got);
        } while (got > 0);
        kill(pid, SIGCONT);
        for (int k = 0; k < 20; k++) {
            got = ring3_channel_receive(&channel, in, sizeof in, NULL);
            check(got > 0 && is_whole(in, (size_t)got), "%zd", got);
        }
    }
    kill(pid, SIGKILL);
    check_killed(pid);
    ring3_channel_close(&channel);
}

TEST(faults, a_peer_that_is_stopped_delays_and_tears_nothing_over_memory, 60)
{
    stops(MEMORY);
    stops(TRUSTED);
    stops(UNTRUSTED);
}
TEST(faults, a_peer_that_is_stopped_delays_and_tears_nothing_over_descriptors, 60)
{
    stops(PACKETS);
    stops(STREAM);
    stops(PIPES);
}

/* --- A hostile peer ---------------------------------------------------------------------------------------- */

/* How often the hostile ones have written, all together; shared with them. */
static uint64_t *written;

enum { WRITES = 1000000 };

static void scribble(ring3_channel_t *channel)
{
    uint64_t *const words = (void *)channel->mine;
    const size_t page = 4096 / 8, all = (4096 + channel->out.side.capacity) / 8;
    const uint64_t event = 1;

    random_state ^= (uint64_t)getpid() << 20;
    /* What the other side gave us cannot be made writable. */
    check(mprotect((void *)(uintptr_t)channel->theirs, 4096, PROT_READ | PROT_WRITE) != 0,
          "the peer's page can be written");
    for (uint64_t count = 1;; count++) {
        const uint64_t random = next_random();
        uint64_t *const at = &words[random % 8 < 6 ? random % 80 % page : random % all];

        switch (random >> 60) {
        case 0: /* positions that look right */
            ring3_store(&words[0], ring3_load(&words[0], RING3_RELAXED) + random % 64 * 8,
                        RING3_RELAXED);
            break;
        case 1:
            ring3_store(&words[32], channel->theirs->writer.position & ~7u, RING3_RELAXED);
            break;
        case 2: /* records that look right */
            ring3_store(&words[page + random % 2048], (random >> 20) % 6 << 32 | random % 5000,
                        RING3_RELAXED);
            break;
        case 3:
            (void)!write(channel->peer_bells[random % 2], &event, random % 2 ? 8 : 1);
            break;
        default:
            ring3_store(at, random >> (random % 60), RING3_RELAXED);
        }
        if (count % 64 == 0)
            ring3_store(written, ring3_load(written, RING3_RELAXED) + 64, RING3_RELAXED);
    }
}

static void honest(ring3_channel_t *channel)
{
    uint64_t number;

    while (ring3_channel_receive(channel, &number, sizeof number, NULL) == sizeof number)
        check_eq(ring3_channel_send(channel, &number, sizeof number, NULL), 0);
}

static void endures(enum way way)
{
    static unsigned char in[1 << 20];
    const long rounds = scaled(15, 2000);
    ring3_channel_t hostile, other;
    long refused = 0;
    uint64_t number = 0, echoed;
    const pid_t honest_pid = open_both(&other, MEMORY, honest);

    written =
        mmap(NULL, sizeof *written, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(written != MAP_FAILED);
    for (long i = 0; i < rounds || ring3_load(written, RING3_RELAXED) < WRITES; i++) {
        const pid_t pid = open_both(&hostile, way, scribble);

        for (int k = 0; k < 200; k++) {
            const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, 20000);
            const void *shown;
            ssize_t got = ring3_channel_receive(&hostile, in, sizeof in, &soon);

            refused += got == -EPROTO;
            got = ring3_channel_peek(&hostile, &shown, &soon);
            check(got <= (ssize_t)sizeof in);
            if (got > 0) /* all of it can be read */
                ring3_write_once(&in[0], ((const unsigned char *)shown)[got - 1]);
            (void)ring3_channel_send(&hostile, in, next_random() % 10000, &soon);
            /* And the honest one beside it is served as before. */
            number++;
            check_eq(ring3_channel_send(&other, &number, sizeof number, NULL), 0);
            check_eq(ring3_channel_receive(&other, &echoed, sizeof echoed, NULL), 8);
            check_eq(echoed, number);
            if (hostile.in.side.broken && hostile.out.side.broken)
                break;
        }
        kill(pid, SIGKILL);
        check_killed(pid);
        ring3_channel_close(&hostile);
    }
    check_gt(refused, 0, "nothing was noticed");
    ring3_channel_close(&other);
    check_child(honest_pid);
}

TEST(faults, a_hostile_peer_spoils_its_own_channel_only, 60)
{
    endures(MEMORY);
}
TEST(faults, a_hostile_untrusted_peer_spoils_its_own_channel_only, 60)
{
    endures(UNTRUSTED);
}

/* --- A hostile handshake ------------------------------------------------------------------------------------ */

/* The start of a hello as channel_open.c has it. */
struct hello {
    uint32_t magic, version;
    int32_t error;
    uint32_t readable, capacity, largest, loans, loan_size;
    uint64_t probe[2];
};

static const struct hello good = {0x33524e47u, RING3_CHANNEL_VERSION, 0, 0, 16384, 0, 0, 0, {0}};

/* What a connecting side says to one that accepts, which must refuse with `expected` (0: with anything) and
 * keep nothing. */
static void offer(const void *hello, size_t size, const int *fds, int count, int expected)
{
    ring3_channel_t channel;
    const int before = open_descriptors();
    const struct timespec soon = deadline_in(20);
    int ends[2];

    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    if (count > 0)
        check_eq(ring3_fdpass_send(ends[0], hello, size, fds, count, NULL), (ssize_t)size);
    else
        check_eq(ring3_send(ends[0], hello, size, 0, NULL), (ssize_t)size);
    const int err = ring3_channel_accept(&channel, ends[1], NULL, &soon);

    check_lt(err, 0);
    check(expected == 0 || err == expected, "%d, expected %d", err, expected);
    close(ends[0]);
    close(ends[1]);
    check_eq(open_descriptors(), before);
}

TEST(faults, refuses_every_malformed_handshake)
{
    int fds[20], zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    struct hello hello = good;
    char bytes[200] = {0};
    const int event = ring3_event_open();
    const int ring = ring3_memfd_create("x", 4096 + 16384), small = ring3_memfd_create("x", 4096);

    check_eq(ring3_memfd_seal(small, RING3_MEMFD_FIXED), 0);
    offer(bytes, 1, NULL, 0, -EPROTO);
    offer(bytes, sizeof bytes, NULL, 0, -EPROTO);
    offer(&good, sizeof good - 1, NULL, 0, -EPROTO);
    offer(&good, sizeof good, NULL, 0, -EPROTO);
    hello.magic++;
    offer(&hello, sizeof hello, NULL, 0, -EPROTO);
    hello = good, hello.version++;
    offer(&hello, sizeof hello, NULL, 0, -EPROTONOSUPPORT);
    hello = good, hello.error = -EACCES;
    offer(&hello, sizeof hello, NULL, 0, -EACCES);
    hello.error = 5;
    offer(&hello, sizeof hello, NULL, 0, -EPROTO);
    for (int i = 0; i < 20; i++)
        fds[i] = zero;
    offer(&good, sizeof good, fds, 1, -EPROTO);
    offer(&good, sizeof good, fds, 20, -EPROTO);
    offer(&good, sizeof good, fds, 3, -EPROTO);
    fds[0] = ring, fds[1] = fds[2] = event;
    offer(&good, sizeof good, fds, 3, -EPERM); /* it can still shrink */
    fds[0] = small;
    offer(&good, sizeof good, fds, 3, -EPROTO); /* smaller than it says */
    check_eq(ring3_memfd_seal(ring, RING3_MEMFD_FIXED), 0);
    fds[0] = ring, fds[1] = zero;
    offer(&good, sizeof good, fds, 3, -EPROTO); /* that is no bell */
    fds[1] = event;
    hello = good, hello.capacity = 16385;
    offer(&hello, sizeof hello, fds, 3, -EPROTO);
    hello = good, hello.capacity = UINT32_MAX;
    offer(&hello, sizeof hello, fds, 3, -EPROTO);
    hello = good, hello.loans = UINT32_MAX, hello.loan_size = UINT32_MAX;
    offer(&hello, sizeof hello, fds, 4, -EPROTO);
    offer(&good, sizeof good, fds, 3, -ETIMEDOUT); /* as it should be; but it never gets ready */
}

TEST(faults, a_fuzzed_handshake_leaves_nothing, 60)
{
    const long rounds = scaled(300, 20000);
    const int event = ring3_event_open();
    const int ring = ring3_memfd_create("x", 4096 + 16384);
    const int before = open_descriptors();

    check_eq(ring3_memfd_seal(ring, RING3_MEMFD_FIXED), 0);
    for (long i = 0; i < rounds; i++) {
        const int choice[4] = {ring, event, STDIN_FILENO, ring};
        const struct timespec past = deadline_in(-1);
        struct hello hello = good;
        ring3_channel_t channel;
        int ends[2], fds[6];
        uint32_t words[sizeof hello / 4];

        memcpy(words, &hello, sizeof hello);
        for (uint64_t k = next_random() % 4; k > 0; k--)
            words[next_random() % (sizeof hello / 4)] =
                (uint32_t)(next_random() >> next_random() % 60);
        for (int k = 0; k < 6; k++)
            fds[k] = next_random() % 2 ? choice[next_random() % 4] : choice[k % 3];
        check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
        check_gt(ring3_fdpass_send(ends[0], words, next_random() % 4 ? sizeof hello : 20, fds,
                                   1 + (int)(next_random() % 5), NULL),
                 0);
        check_lt(ring3_channel_accept(&channel, ends[1], NULL, &past), 0);
        close(ends[0]);
        close(ends[1]);
        check_eq(open_descriptors(), before);
    }
}

/* --- Short of something ------------------------------------------------------------------------------------- */

TEST(faults, running_out_of_descriptors_is_told_and_leaves_nothing)
{
    int lowest = open_descriptors(), ends[2];
    int failures = 0;

    for (int spare = 0; spare < 24; spare++) {
        ring3_channel_t channel;
        struct rlimit limit, all;

        check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
        const pid_t pid = fork();

        if (pid == 0) {
            const struct timespec later = deadline_in(60000);

            close(ends[0]);
            (void)ring3_channel_accept(&channel, ends[1], NULL, &later);
            _exit(0);
        }
        close(ends[1]);
        check_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
        limit = all;
        limit.rlim_cur = (rlim_t)(ends[0] + 1 + spare);
        check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        const struct timespec later = deadline_in(60000);
        const int err = ring3_channel_connect(&channel, ends[0], NULL, &later);

        check_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
        check(err == 0 || err == -EMFILE, "%d with %d spare", err, spare);
        failures += err != 0;
        if (err)
            close(ends[0]);
        else
            ring3_channel_close(&channel);
        check_child(pid);
        check_eq(open_descriptors(), lowest, "with %d spare", spare);
    }
    check_gt(failures, 3);
    check_lt(failures, 24);
}

/* From now on this process may not read another's memory. */
static void forbid_reading(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof *code, code};

    check_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    check_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static bool early;

static void read_forbidden(ring3_channel_t *channel)
{
    static unsigned char in[1 << 20];

    if (!early)
        forbid_reading();
    for (int i = 0; i < 3; i++) {
        check_eq(ring3_channel_receive(channel, in, sizeof in, NULL), 100000);
        check(has_pattern(in, 100000, (unsigned)i));
    }
}

static void sends_all_the_same(void)
{
    static unsigned char message[100000];
    ring3_channel_t channel;

    if (under_qemu())
        return;
    if (early)
        forbid_reading();
    const pid_t pid = open_both(&channel, MEMORY, read_forbidden);

    for (unsigned i = 0; i < 3; i++) {
        fill_pattern(message, sizeof message, i);
        check_eq(ring3_channel_send(&channel, message, sizeof message, NULL), 0);
    }
    check_eq(channel.sent.direct, 0u);
    check_eq(channel.direct, UINT32_MAX, "it asks no more");
    check_child(pid);
    ring3_channel_close(&channel);
}

TEST(faults, large_messages_arrive_where_memory_may_not_be_read)
{
    early = true;
    sends_all_the_same();
}
TEST(faults, large_messages_arrive_when_reading_is_forbidden_later)
{
    sends_all_the_same();
}

TEST(faults, a_channel_that_does_not_fit_in_memory_is_refused)
{
    ring3_channel_options_t options = {.capacity = 1 << 20};
    ring3_channel_t channel;
    struct rlimit limit = {1 << 16, 1 << 16};
    int ends[2];

    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    const int before = open_descriptors();

    signal(SIGXFSZ, SIG_IGN);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0); /* holds for memory files too */
    check_eq(ring3_channel_connect(&channel, ends[0], &options, NULL), -EFBIG);
    options.capacity = 12345;
    check_eq(ring3_channel_connect(&channel, ends[0], &options, NULL), -EINVAL);
    options = (ring3_channel_options_t){.loans = 5, .loan_size = 63};
    check_eq(ring3_channel_connect(&channel, ends[0], &options, NULL), -EINVAL);
    check_eq(open_descriptors(), before);
}
