/* SPDX-License-Identifier: MIT */
/*
 * Telling a stack overflow by name. The fault handler runs on an alternate stack, since the one at
 * fault is full; it takes no lock and allocates nothing, since the thread may have been stopped
 * anywhere.
 */
#include "ring3/atomic.h"
#include "ring3/env.h"
#include "ring3/stack.h"
#include "stack_slabs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Words ------------------------------------------------------------------------------------- */

/* Writes the number's digits so that they end before `end`; returns where they begin. */
static char *digits(char *end, uint64_t number, unsigned base)
{
    do
        *--end = "0123456789abcdef"[number % base];
    while ((number /= base) > 0);
    return end;
}

/* One line of /proc/self/maps: "from-to rights offset device inode path". */
struct mapping {
    uint64_t from, to, offset;
    const char *path;
};

static uint64_t hex(const char **text)
{
    uint64_t number = 0;

    for (;; ++*text) {
        if (**text >= '0' && **text <= '9')
            number = number << 4 | (uint64_t)(**text - '0');
        else if (**text >= 'a' && **text <= 'f')
            number = number << 4 | (uint64_t)(**text - 'a' + 10);
        else
            return number;
    }
}

static void skip_word(const char **text)
{
    *text += strspn(*text, " ");
    *text += strcspn(*text, " ");
}

static struct mapping parse_mapping(const char *line)
{
    struct mapping mapping;

    mapping.from = hex(&line);
    line += *line == '-';
    mapping.to = hex(&line);
    skip_word(&line); /* rights */
    line += strspn(line, " ");
    mapping.offset = hex(&line);
    skip_word(&line); /* device */
    skip_word(&line); /* inode */
    mapping.path = line + strspn(line, " ");
    return mapping;
}

/* Reads a line, cut to size, without its end; false at the end of the file. A byte at a time from
 * a buffer. */
struct reader {
    int fd;
    size_t at, length;
    char buffer[1024];
};

static int next_byte(struct reader *reader)
{
    if (reader->at == reader->length) {
        const long got = syscall(SYS_read, reader->fd, reader->buffer, sizeof reader->buffer);

        if (got <= 0)
            return -1;
        reader->length = (size_t)got;
        reader->at = 0;
    }
    return (unsigned char)reader->buffer[reader->at++];
}

static bool next_line(struct reader *reader, char *line, size_t size)
{
    size_t length = 0;
    int byte;

    while ((byte = next_byte(reader)) >= 0 && byte != '\n')
        if (length < size - 1)
            line[length++] = (char)byte;
    line[length] = '\0';
    return byte >= 0;
}

static void join(char text[STACK_PLACE_MAX], const char *path, uint64_t number)
{
    char room[24], *const end = room + sizeof room - 1;
    const size_t most = STACK_PLACE_MAX - sizeof room - 4;
    size_t length = strlen(path);

    *end = '\0';
    /* Of a long path its end says more. */
    if (length > most) {
        path += length - most;
        length = most;
    }
    memcpy(text, path, length);
    text = stpcpy(text + length, length ? "+0x" : "0x");
    (void)stpcpy(text, digits(end, number, 16));
}

void stack_place(char text[STACK_PLACE_MAX], const void *code)
{
    struct reader reader = {
        .fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0)};
    const uint64_t address = (uintptr_t)code;
    char line[512];
    bool found = false;

    if (reader.fd >= 0) {
        while (!found && next_line(&reader, line, sizeof line)) {
            const struct mapping mapping = parse_mapping(line);

            if (address >= mapping.from && address < mapping.to && *mapping.path) {
                join(text, mapping.path, address - mapping.from + mapping.offset);
                found = true;
            }
        }
        (void)syscall(SYS_close, reader.fd);
    }
    if (!found)
        join(text, "", address);
}

void stack_tell(const ring3_stack_t *stack, const char *what)
{
    char size[24], place[STACK_PLACE_MAX], *const end = size + sizeof size - 1;

    *end = '\0';
    stack_place(place, stack->maker);
    ring3_env_complain((const char *[]){"ring3: stack overflow in ", stack->name, " (",
                                        digits(end, stack_class_size(stack) >> 10, 10), " KiB)",
                                        what ? ", " : "", what ? what : "", ", created at ", place},
                       9);
}

/* --- The handler ------------------------------------------------------------------------------- */

static const int faults[2] = {SIGSEGV, SIGBUS};

/* What handled the faults before us. Written before our handlers are there. */
static struct sigaction before[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int install_error;

static void on_fault(int signal, siginfo_t *info, void *machine)
{
    const int saved = errno;
    const struct sigaction *const old = &before[signal == faults[1]];
    const bool fault = info->si_code > 0; /* or somebody sent the signal */
    const ring3_stack_t *const stack = fault ? stack_guarding(info->si_addr) : NULL;

    if (stack)
        stack_tell(stack, NULL);
    if (old->sa_flags & SA_SIGINFO) {
        errno = saved;
        old->sa_sigaction(signal, info, machine);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        errno = saved;
        old->sa_handler(signal);
    } else if (fault || old->sa_handler == SIG_DFL) {
        /* The instruction faults again when we return, and a signal that was sent is sent again:
         * the process ends as it would have without us. */
        (void)sigaction(signal, old, NULL);
        if (!fault)
            (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
    }
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2 && !install_error; i++)
        if (sigaction(faults[i], NULL, &before[i]) != 0 || sigaction(faults[i], &action, NULL) != 0)
            install_error = -errno;
}

/* --- Alternate stacks -------------------------------------------------------------------------- */

/* For the handler and what it calls; the kernel's frame comes on top. */
#define ALTERNATE_ROOM ((size_t)32 << 10)

static pthread_key_t alternate_key;
static pthread_once_t alternate_once = PTHREAD_ONCE_INIT;
static int alternate_error;

static size_t alternate_size(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (ALTERNATE_ROOM + getauxval(AT_MINSIGSTKSZ) + page - 1) & ~(page - 1);
}

static void alternate_free(void *memory)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t now;

    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == memory)
        (void)sigaltstack(&none, NULL);
    (void)munmap(memory, alternate_size());
}

static void alternate_make_key(void)
{
    alternate_error = -pthread_key_create(&alternate_key, alternate_free);
}

static int alternate_give(void)
{
    stack_t now, ours = {.ss_size = alternate_size()};
    int err;

    if (sigaltstack(NULL, &now) != 0)
        return -errno;
    if (!(now.ss_flags & SS_DISABLE))
        return 0;
    (void)pthread_once(&alternate_once, alternate_make_key);
    if (alternate_error)
        return alternate_error;
    ours.ss_sp =
        mmap(NULL, ours.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ours.ss_sp == MAP_FAILED)
        return -errno;
    err = sigaltstack(&ours, NULL) == 0 ? 0 : -errno;
    if (!err)
        err = -pthread_setspecific(alternate_key, ours.ss_sp);
    if (err)
        alternate_free(ours.ss_sp);
    return err;
}

int ring3_stack_watch(void)
{
    static __thread bool watched;
    const int saved = errno;
    int err = 0;

    if (watched)
        return 0;
    (void)pthread_once(&once, install);
    err = install_error ? install_error : alternate_give();
    watched = !err;
    errno = saved;
    return err;
}
