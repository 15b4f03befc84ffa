/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps tells the file and the offset in it of an address, the file's program headers its
 * address in the file's own terms, and addr2line the rest.
 */
#include "symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 64 /* addresses of one object in one call of addr2line */

/* --- Text, without stdio's streams ----------------------------------------------------------- */

struct reader {
    int fd;
    size_t length, next;
    char bytes[4096];
};

/* One line without its end, cut to size; false at the end of the file. */
static bool read_line(struct reader *reader, char *line, size_t size)
{
    size_t length = 0;

    for (;;) {
        if (reader->next == reader->length) {
            const ssize_t got = read(reader->fd, reader->bytes, sizeof reader->bytes);

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return false;
            reader->length = (size_t)got;
            reader->next = 0;
        }
        const char c = reader->bytes[reader->next++];

        if (c == '\n')
            break;
        if (length < size - 1)
            line[length++] = c;
    }
    line[length] = '\0';
    return true;
}

/* --- From an address to a place in a file ---------------------------------------------------- */

/* What the file itself calls the place at `offset`. */
static uint64_t own_address(const char *path, uint64_t offset)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr elf;
    Elf64_Phdr segment;
    uint64_t address = offset;

    if (fd < 0)
        return offset;
    if (pread(fd, &elf, sizeof elf, 0) == (ssize_t)sizeof elf &&
        memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0)
        for (unsigned i = 0; i < elf.e_phnum; i++)
            if (pread(fd, &segment, sizeof segment,
                      (off_t)(elf.e_phoff + (Elf64_Off)i * elf.e_phentsize)) ==
                    (ssize_t)sizeof segment &&
                segment.p_type == PT_LOAD && offset >= segment.p_offset &&
                offset - segment.p_offset < segment.p_filesz) {
                address = offset - segment.p_offset + segment.p_vaddr;
                break;
            }
    close(fd);
    return address;
}

/* The files that the addresses lie in; the rest of more files than that stays unnamed. */
#define OBJECTS 48
static char objects[OBJECTS][512];

/* The number of the file, entered if it is new. */
static uint32_t object_of(const char *path)
{
    uint32_t i = 0;

    for (; i < OBJECTS && objects[i][0]; i++)
        if (strncmp(objects[i], path, sizeof objects[i] - 1) == 0)
            return i + 1;
    if (i == OBJECTS)
        return 0;
    snprintf(objects[i], sizeof objects[i], "%s", path);
    return i + 1;
}

/* Tell every symbol its file and its offset there, in one pass over the mappings. */
static void find_places(pid_t pid, struct ring3_symbol *symbols, size_t count)
{
    static struct reader reader;
    static char line[PATH_MAX + 128];

    memset(objects, 0, sizeof objects);
    snprintf(line, sizeof line, "/proc/%d/maps", (int)pid);
    reader = (struct reader){.fd = open(line, O_RDONLY | O_CLOEXEC)};
    if (reader.fd < 0)
        return;
    while (read_line(&reader, line, sizeof line)) {
        uint64_t start, end, offset;
        int path_at = 0;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &start, &end,
                   &offset, &path_at) < 3 ||
            path_at == 0 || line[path_at] != '/')
            continue;
        for (size_t i = 0; i < count; i++)
            if (symbols[i].address >= start && symbols[i].address < end) {
                symbols[i].object = object_of(line + path_at);
                symbols[i].offset = symbols[i].address - start + offset;
            }
    }
    close(reader.fd);
}

/* --- addr2line ------------------------------------------------------------------------------- */

struct run {
    char *const *argv;
    int out;
};

/* In a child that shares our memory until it has become addr2line. */
static int become_addr2line(void *context)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C";
    static char *environment[] = {path, locale, NULL};
    const struct run *const run = context;
    const int null = open("/dev/null", O_RDWR);

    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDERR_FILENO);
    }
    if (dup2(run->out, STDOUT_FILENO) >= 0) {
        (void)execve("/usr/bin/addr2line", run->argv, environment);
        (void)execve("/usr/local/bin/addr2line", run->argv, environment);
    }
    _exit(127);
}

static void describe(struct ring3_symbol *symbol, const char *function, const char *line)
{
    const char *const slash = strrchr(line, '/'), *const file = slash ? slash + 1 : line;

    if (strcmp(function, "??") == 0)
        return;
    if (file[0] == '?')
        snprintf(symbol->text, sizeof symbol->text, "%.100s", function);
    else
        snprintf(symbol->text, sizeof symbol->text, "%.90s at %.60s", function, file);
}

/* `which`: the symbols that the arguments name, in order. */
static void ask_addr2line(char *const *argv, struct ring3_symbol *const *which, size_t count)
{
    static char stack[16384] __attribute__((aligned(16)));
    static char function[256], line[512];
    static struct reader reader;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    struct run run = {argv, ends[1]};
    /* Without a signal at its end the child is invisible to the program's own wait. */
    const int child = clone(become_addr2line, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &run);

    close(ends[1]);
    reader = (struct reader){.fd = ends[0]};
    for (size_t i = 0; child > 0 && i < count; i++) {
        if (!read_line(&reader, function, sizeof function) ||
            !read_line(&reader, line, sizeof line))
            break;
        describe(which[i], function, line);
    }
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, (int)__WCLONE) < 0 && errno == EINTR)
        ;
}

/* Name those that lie in one file. */
static void name_in(uint32_t object, struct ring3_symbol *symbols, size_t count)
{
    static char addresses[BATCH][24], options[] = "-fCe", name[] = "addr2line";
    static char *argv[BATCH + 4];
    char *const path = objects[object - 1];
    const char *const slash = strrchr(path, '/');
    struct ring3_symbol *which[BATCH];
    size_t batch = 0;

    for (size_t i = 0; i < count && batch < BATCH; i++) {
        if (symbols[i].object != object || symbols[i].text[0])
            continue;
        const uint64_t own = own_address(path, symbols[i].offset);

        snprintf(symbols[i].text, RING3_SYMBOL_TEXT, "%.100s+0x%" PRIx64, slash + 1, own);
        snprintf(addresses[batch], sizeof addresses[batch], "0x%" PRIx64, own - 1);
        argv[batch + 3] = addresses[batch];
        which[batch++] = &symbols[i];
    }
    argv[0] = name;
    argv[1] = options;
    argv[2] = path;
    argv[batch + 3] = NULL;
    ask_addr2line(argv, which, batch);
}

void ring3_symbols_find(pid_t pid, struct ring3_symbol *symbols, size_t count)
{
    const int saved = errno;

    for (size_t i = 0; i < count; i++) {
        symbols[i].text[0] = '\0';
        symbols[i].object = 0;
    }
    find_places(pid, symbols, count);
    for (size_t i = 0; i < count; i++) {
        if (symbols[i].object == 0)
            snprintf(symbols[i].text, RING3_SYMBOL_TEXT, "0x%" PRIx64, symbols[i].address);
        else if (!symbols[i].text[0])
            name_in(symbols[i].object, symbols, count);
    }
    errno = saved;
}
