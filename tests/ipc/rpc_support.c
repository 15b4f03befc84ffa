/* SPDX-License-Identifier: MIT */
#include "rpc_support.h"

/* The stubs are part of this file, so that they are compiled with all warnings. */
#include "sample.c"

#include "ring3/fd.h"
#include "ring3/pipe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The server ---------------------------------------------------------------------------------------- */

uint64_t rpc_counted;
static char noted[65];

static int add(ring3_rpc_call_t *call, const struct sample_add_in *in, struct sample_add_out *out)
{
    (void)call;
    out->sum = (int32_t)((uint32_t)in->a + (uint32_t)in->b);
    return 0;
}

static int numbers(ring3_rpc_call_t *call, const struct sample_numbers_in *in,
                   struct sample_numbers_out *out)
{
    (void)call;
    _Static_assert(sizeof *in == sizeof *out, "the same fields");
    memcpy(out, in, sizeof *out);
    return 0;
}

static int total(ring3_rpc_call_t *call, const struct sample_total_in *in,
                 struct sample_total_out *out)
{
    (void)call;
    for (const struct sample_node *node = in->list; node; node = node->next) {
        out->sum += node->value;
        out->length++;
    }
    return 0;
}

static int mirror(ring3_rpc_call_t *call, const struct sample_mirror_in *in,
                  struct sample_mirror_out *out)
{
    (void)call;
    out->out_ = in->in_;
    return 0;
}

static int upper(ring3_rpc_call_t *call, const struct sample_upper_in *in,
                 struct sample_upper_out *out)
{
    static char room[10][101];
    static const char *words[10];

    (void)call;
    for (uint32_t i = 0; i < in->words_count; i++) {
        for (size_t k = 0; k <= strlen(in->words[i]); k++)
            room[i][k] = (char)toupper((unsigned char)in->words[i][k]);
        words[i] = room[i];
    }
    out->words = words;
    out->words_count = in->words_count;
    return 0;
}

static int reverse(ring3_rpc_call_t *call, const struct sample_reverse_in *in,
                   struct sample_reverse_out *out)
{
    static unsigned char room[1000000];

    (void)call;
    for (uint32_t i = 0; i < in->data.size; i++)
        room[i] = ((const unsigned char *)in->data.data)[in->data.size - 1 - i];
    out->data = (ring3_bytes_t){room, in->data.size};
    return 0;
}

/* Executes, and then breaks the connection before the answer is out, the first two times. */
int rpc_breaks;

static int count(ring3_rpc_call_t *call, struct sample_count_out *out)
{
    out->calls = ++rpc_counted;
    if (rpc_breaks > 0) {
        rpc_breaks--;
        (void)shutdown(*(int *)call->context, SHUT_RDWR);
    }
    return 0;
}

static int count_once_more(ring3_rpc_call_t *call, struct sample_count_once_more_out *out)
{
    (void)call;
    out->calls = ++rpc_counted;
    return 0;
}

static int note(ring3_rpc_call_t *call, const struct sample_note_in *in)
{
    (void)call;
    strcpy(noted, in->text);
    return 0;
}

static int last_note(ring3_rpc_call_t *call, struct sample_last_note_out *out)
{
    (void)call;
    out->text = noted;
    return 0;
}

static int caller(ring3_rpc_call_t *call, struct sample_caller_out *out)
{
    out->pid = call->caller.pid;
    out->uid = call->caller.uid;
    return 0;
}

static int swap_fd(ring3_rpc_call_t *call, const struct sample_swap_fd_in *in,
                   struct sample_swap_fd_out *out)
{
    static int kept = -1;

    (void)call;
    if (in->given < 0)
        return -EBADF;
    check_eq(write(in->given, "from the server", 15), 15);
    if (kept >= 0)
        close(kept);
    out->returned = kept = in->given;
    return 0;
}

static int fail(ring3_rpc_call_t *call, const struct sample_fail_in *in)
{
    (void)call;
    return in->error;
}

static bool was_cancelled;

static int dawdle(ring3_rpc_call_t *call, struct sample_dawdle_out *out)
{
    while (!ring3_rpc_cancelled(call))
        sleep_ms(1);
    was_cancelled = true;
    out->cancelled = true;
    return 0;
}

static int die(ring3_rpc_call_t *call)
{
    (void)call;
    kill(getpid(), SIGKILL);
    return 0;
}

const struct sample_handlers rpc_handlers = {
    .add = add,
    .numbers = numbers,
    .total = total,
    .mirror = mirror,
    .upper = upper,
    .reverse = reverse,
    .count = count,
    .count_once_more = count_once_more,
    .note = note,
    .last_note = last_note,
    .caller = caller,
    .swap_fd = swap_fd,
    .fail = fail,
    .dawdle = dawdle,
    .die = die,
};

const char *const rpc_names[TRANSPORTS] = {"memory", "packets", "stream", "tcp"};

ring3_channel_kind_t kind_of(enum transport transport)
{
    return transport == MEMORY    ? RING3_CHANNEL_MEMORY
           : transport == PACKETS ? RING3_CHANNEL_PACKET
                                  : RING3_CHANNEL_STREAM;
}

/* Starts a server in a child; `address` is where it listens. */
pid_t start_server(enum transport transport, ring3_address_t *address)
{
    int ready[2];
    const pid_t parent = getpid();

    check_eq(pipe(ready), 0);
    if (transport == TCP)
        check_eq(ring3_address_ip(address, "127.0.0.1", 0), 0);
    else
        check_eq(ring3_address_unix(address, "server.socket"), 0);
    const pid_t pid = fork();

    check_ge(pid, 0);
    if (pid == 0) {
        ring3_rpc_server_t server;

        close(ready[0]);
        check_eq(ring3_rpc_server_open(&server, &sample_service, &rpc_handlers, NULL), 0);
        check_eq(ring3_rpc_server_listen(&server, address, kind_of(transport)), 0);
        check_eq(ring3_socket_name(server.listeners[0].listener.fd, address), 0);
        check_eq(write(ready[1], address, sizeof *address), (ssize_t)sizeof *address);
        close(ready[1]);
        while (getppid() == parent) {
            const struct timespec soon = deadline_in(200);
            const int err = ring3_rpc_server_turn(&server, &soon);

            check(err == 0 || err == -ETIMEDOUT);
        }
        _exit(0);
    }
    close(ready[1]);
    check_eq(ring3_fd_read_full(ready[0], address, sizeof *address, NULL, NULL), 0);
    close(ready[0]);
    return pid;
}

void stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    check_killed(pid);
}

void connect_to(ring3_rpc_client_t *client, enum transport transport,
                const ring3_address_t *address)
{
    check_eq(ring3_rpc_connect(client, &sample_service, address, kind_of(transport), NULL, NULL), 0,
             "%s", rpc_names[transport]);
}

/* --- Hostile clients --------------------------------------------------------------------------------------- */

TEST(rpc, survives_senseless_messages, 60)
{
    ring3_address_t address;
    ring3_rpc_client_t client, honest;
    struct sample_add_out sum;
    uint64_t random = 88172645463325252u;
    const long rounds = scaled(1500, 100000);

    enter_scratch();
    const pid_t pid = start_server(MEMORY, &address);

    connect_to(&honest, MEMORY, &address);
    connect_to(&client, MEMORY, &address);
    for (long i = 0; i < rounds; i++) {
        unsigned char message[256];
        size_t size;

        /* A call as it should be, cut and with some bytes changed. */
        ring3_rpc_begin(&client);
        put_sample_mirror_in(&client.out, &(struct sample_mirror_in){{"x", NULL, 0, {0}, NULL}});
        size = (size_t)(client.out.at - client.out.start);
        memset(message, 0, sizeof message);
        memcpy(message, client.buffer, size);
        message[0] = 3, message[2] = 1; /* a call */
        message[4] = (unsigned char)(random % 17);
        message[8] = (unsigned char)i, message[9] = (unsigned char)(i >> 8), message[10] = 1;
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        if (message[4] == 13 || message[4] == 14) /* dawdle waits, die dies, as they should */
            message[4] = 3;
        for (uint64_t k = 0; k < random % 4; k++)
            message[32 + (random >> (8 + 4 * k)) % 40] = (unsigned char)(random >> 30);
        const struct timespec later = deadline_in(20000);
        const int err = ring3_channel_send(&client.channel, message,
                                           random % 3 ? size : 1 + random % 90, &later);

        /* Answers are not wanted; a connection that was ended is made again. */
        static char rest[1 << 16];
        const struct timespec past = deadline_in(-1);

        while (ring3_channel_receive(&client.channel, rest, sizeof rest, &past) >= 0)
            ;
        if (err || client.channel.gone ||
            ring3_channel_receive(&client.channel, rest, sizeof rest, &past) == -EPIPE) {
            ring3_rpc_client_close(&client);
            connect_to(&client, MEMORY, &address);
        }
        if (i % 50 == 0) {
            check_eq(sample_add(&honest, &(struct sample_add_in){1, (int32_t)i}, &sum, NULL), 0);
            check_eq(sum.sum, i + 1);
        }
    }
    ring3_rpc_client_close(&client);
    ring3_rpc_client_close(&honest);
    stop_server(pid);
    leave_scratch();
}

TEST(rpc, decodes_nothing_senseless)
{
    unsigned char message[64], arena[256];
    ring3_encoder_t e;
    ring3_decoder_t d;
    struct sample_total_in in;

    ring3_encoder_init(&e, message, 3);
    ring3_put_u32(&e, 1);
    check_eq(e.error, -EMSGSIZE);
    memset(message, 1, sizeof message);
    ring3_decoder_init(&d, message, 1, arena, sizeof arena);
    check_eq(ring3_get_bool(&d), true);
    check_eq(ring3_get_u8(&d), 0);
    check_eq(ring3_decoder_end(&d), -EBADMSG);
    message[0] = 2;
    ring3_decoder_init(&d, message, 1, arena, sizeof arena);
    (void)ring3_get_bool(&d);
    check_eq(d.error, -EBADMSG);
    /* A string of four with a zero within, and one longer than its maximum. */
    memcpy(message, "\4\0\0\0a\0bc", 8);
    ring3_decoder_init(&d, message, 8, arena, sizeof arena);
    check_str_eq(ring3_get_string(&d, 10), "");
    check_eq(d.error, -EBADMSG);
    ring3_decoder_init(&d, message, 8, arena, sizeof arena);
    check_eq(ring3_get_bytes(&d, 3).size, 0u);
    check_eq(d.error, -EBADMSG);
    /* More pointers behind pointers than the arena, or the depth, has room for. */
    memset(message, 1, sizeof message);
    ring3_decoder_init(&d, message, sizeof message, arena, sizeof arena);
    get_sample_total_in(&d, &in);
    check_lt(d.error, 0);
    /* A descriptor that did not come. */
    ring3_decoder_init(&d, message, sizeof message, arena, sizeof arena);
    check_eq(ring3_get_fd(&d), -1);
    check_eq(d.error, -EBADMSG);
    /* Bytes left over. */
    ring3_decoder_init(&d, message, 5, arena, sizeof arena);
    (void)ring3_get_u32(&d);
    check_eq(ring3_decoder_end(&d), -EBADMSG);
}
