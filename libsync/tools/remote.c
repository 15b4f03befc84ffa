/* SPDX-License-Identifier: MIT */
/*
 * Finding the tables of counters in another process: through /proc/PID/maps to its ELF files, and
 * through their symbol tables to ring3_counters_v1. Source: elf(5), process_vm_readv(2).
 */
#include "remote.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int remote_read(pid_t pid, uint64_t address, void *to, size_t size)
{
    const struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    const ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

    if (got < 0)
        return -errno;
    return (size_t)got == size ? 0 : -EFAULT;
}

/* --- The symbol in a file -------------------------------------------------------------------- */

struct image {
    const uint8_t *bytes;
    size_t size;
};

static const void *part(struct image image, uint64_t offset, uint64_t size)
{
    return offset <= image.size && size <= image.size - offset ? image.bytes + offset : NULL;
}

/* The value of the symbol in one symbol table, or 0. */
static uint64_t value_in(struct image image, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                         const char *name)
{
    const Elf64_Sym *const symbols = part(image, table->sh_offset, table->sh_size);
    const char *const names = part(image, strings->sh_offset, strings->sh_size);
    const size_t length = strlen(name) + 1;

    if (!symbols || !names)
        return 0;
    for (uint64_t i = 0; i < table->sh_size / sizeof *symbols; i++)
        if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < strings->sh_size &&
            strings->sh_size - symbols[i].st_name >= length &&
            memcmp(names + symbols[i].st_name, name, length) == 0)
            return symbols[i].st_value;
    return 0;
}

/* The value of the symbol, or 0; *first gets the lowest address that the file asks for. */
static uint64_t symbol_value(struct image image, const char *name, uint64_t *first)
{
    const Elf64_Ehdr *const elf = part(image, 0, sizeof *elf);
    uint64_t value = 0;

    if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_ident[EI_CLASS] != ELFCLASS64)
        return 0;
    const Elf64_Phdr *const segments = part(image, elf->e_phoff, elf->e_phnum * sizeof *segments);
    const Elf64_Shdr *const sections = part(image, elf->e_shoff, elf->e_shnum * sizeof *sections);

    *first = UINT64_MAX;
    for (unsigned i = 0; segments && i < elf->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr - segments[i].p_offset < *first)
            *first = segments[i].p_vaddr - segments[i].p_offset;
    for (unsigned i = 0; sections && i < elf->e_shnum && value == 0; i++)
        if ((sections[i].sh_type == SHT_DYNSYM || sections[i].sh_type == SHT_SYMTAB) &&
            sections[i].sh_link < elf->e_shnum)
            value = value_in(image, &sections[i], &sections[sections[i].sh_link], name);
    return *first == UINT64_MAX ? 0 : value;
}

static uint64_t symbol_in_file(const char *path, const char *name, uint64_t *first)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint64_t value = 0;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        void *const bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (bytes != MAP_FAILED) {
            value = symbol_value((struct image){bytes, (size_t)st.st_size}, name, first);
            munmap(bytes, (size_t)st.st_size);
        }
    }
    close(fd);
    return value;
}

/* --- The process ----------------------------------------------------------------------------- */

/* The file mapped from its beginning, as the process sees it: replaced or deleted since, or in
 * another root. */
static uint64_t symbol_in_mapping(pid_t pid, uint64_t start, uint64_t end, const char *path,
                                  const char *name, uint64_t *first)
{
    char file[PATH_MAX + 32];
    uint64_t value;

    snprintf(file, sizeof file, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, start, end);
    value = symbol_in_file(file, name, first);
    if (value)
        return value;
    snprintf(file, sizeof file, "/proc/%d/root%s", (int)pid, path);
    return symbol_in_file(file, name, first);
}

int remote_counters(pid_t pid,
                    int (*visit)(void *context, const char *object,
                                 const ring3_counters_t *counters),
                    void *context)
{
    char name[32], line[PATH_MAX + 128];
    ring3_counters_t counters;
    int result = 0, seen = 0, refused = 0;

    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    FILE *const maps = fopen(name, "re");

    if (!maps)
        return errno == ENOENT ? -ESRCH : -errno;
    while (result == 0 && fgets(line, sizeof line, maps)) {
        uint64_t start, end, offset, first, value;
        int path_at = 0;

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &start, &end,
                   &offset, &path_at) < 3 ||
            path_at == 0 || line[path_at] != '/' || offset != 0)
            continue;
        value = symbol_in_mapping(pid, start, end, line + path_at, "ring3_counters_v1", &first);
        if (!value)
            continue;
        const int err = remote_read(pid, start - first + value, &counters, sizeof counters);

        if (err == -EPERM || err == -ESRCH)
            refused = err;
        if (err || memcmp(counters.magic, RING3_COUNTERS_MAGIC, sizeof counters.magic) != 0 ||
            counters.version != RING3_COUNTERS_VERSION ||
            counters.entry_size != sizeof(ring3_counter_t) || counters.count > RING3_COUNTERS_MAX)
            continue;
        seen++;
        result = visit(context, line + path_at, &counters);
    }
    fclose(maps);
    if (result == 0 && seen == 0)
        return refused ? refused : -ENOENT;
    return result;
}

const ring3_counter_t *remote_find(const ring3_counters_t *counters, const char *name)
{
    for (uint32_t i = 0; i < counters->count; i++)
        if (counters->entry[i].kind &&
            strncmp(counters->entry[i].name, name, RING3_COUNTER_NAME) == 0)
            return &counters->entry[i];
    return NULL;
}

pid_t remote_pid(const char *verb, const char *argument)
{
    char *end;
    const long pid = strtol(argument, &end, 10);

    if (*argument && !*end && pid > 0 && pid <= INT_MAX)
        return (pid_t)pid;
    fprintf(stderr, "ring3 %s: \"%s\" is no process id\n", verb, argument);
    return -1;
}

int remote_complain(const char *verb, pid_t pid, int err)
{
    const char *const why = err == -ENOENT                    ? "nothing of ring3 counts in it"
                            : err == -ESRCH                   ? "there is no such process"
                            : err == -EPERM || err == -EACCES ? "no right to look into it"
                                                              : strerror(-err);

    fprintf(stderr, "ring3 %s: process %d: %s\n", verb, (int)pid, why);
    return 1;
}
