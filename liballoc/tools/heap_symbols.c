/* SPDX-License-Identifier: MIT */
/* Names for addresses: addr2line is started once per object, with all addresses on its input. */
#include "heap_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct object {
    char *path;
    uint64_t base; /* what an address of the file is moved by */
};

struct mapping {
    uint64_t from, to;
    size_t object;
};

/* One process is looked at in the life of this one. */
static struct {
    struct object *objects;
    struct mapping *mappings;
    struct symbol *symbols; /* sorted by address once resolved */
    size_t object_count, mapping_count, symbol_count, symbol_room;
} all;

static void *grown(void *array, size_t count, size_t size)
{
    void *const larger = reallocarray(array, count + 1, size);

    if (larger)
        return larger;
    fputs("ring3 heap profile: out of memory\n", stderr);
    exit(1);
}

/* True for programs that are linked to stand at one place. */
static bool is_fixed(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header = {0};
    const bool fixed =
        fd >= 0 && read(fd, &header, sizeof header) == sizeof header && header.e_type == ET_EXEC;

    if (fd >= 0)
        close(fd);
    return fixed;
}

/* The object of the path; an object's first mapping is its base. */
static size_t object_of(const char *path, uint64_t from)
{
    for (size_t i = 0; i < all.object_count; i++)
        if (strcmp(all.objects[i].path, path) == 0)
            return i;
    all.objects = grown(all.objects, all.object_count, sizeof *all.objects);
    all.objects[all.object_count] = (struct object){strdup(path), is_fixed(path) ? 0 : from};
    return all.object_count++;
}

void symbols_add_mapping(const char *line)
{
    uint64_t from, to;
    char path[4096];

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %4095[^\n]", &from, &to, path) != 3 ||
        path[0] != '/')
        return;
    all.mappings = grown(all.mappings, all.mapping_count, sizeof *all.mappings);
    all.mappings[all.mapping_count++] = (struct mapping){from, to, object_of(path, from)};
}

void symbols_want(uint64_t address)
{
    if (all.symbol_count == all.symbol_room) {
        all.symbol_room = all.symbol_room ? 2 * all.symbol_room : 1024;
        all.symbols = grown(all.symbols, all.symbol_room - 1, sizeof *all.symbols);
    }
    all.symbols[all.symbol_count++] = (struct symbol){.address = address, .object = ""};
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *const left = a, *const right = b;

    return left->address < right->address ? -1 : left->address > right->address;
}

/* What can be said without symbols. */
static void name_plainly(struct symbol *symbol)
{
    const char *slash;

    for (size_t i = 0; i < all.mapping_count; i++) {
        const struct object *const object = &all.objects[all.mappings[i].object];

        if (symbol->address < all.mappings[i].from || symbol->address >= all.mappings[i].to)
            continue;
        symbol->object = object->path;
        symbol->offset = symbol->address - object->base;
        break;
    }
    slash = strrchr(symbol->object, '/');
    if (asprintf(&symbol->function, "%s+0x%" PRIx64, slash ? slash + 1 : "?", symbol->offset) < 0)
        exit(1);
    symbol->place = strdup("");
}

/* addr2line on one object, with its input from a file; its output, or NULL. */
static FILE *start(const char *object, int input, pid_t *pid)
{
    char program[] = "addr2line", option[] = "-fCe";
    char *const argv[] = {program, option, (char *)object, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], err;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    err = posix_spawnp(pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (err) {
        close(ends[0]);
        return NULL;
    }
    return fdopen(ends[0], "r");
}

static void take(char **to, const char *line)
{
    if (line[0] == '?')
        return;
    free(*to);
    *to = strdup(line);
}

/* Two lines for each address: the function, and file:line. */
static void read_names(FILE *output, const char *object)
{
    char function[4096], place[4096];

    for (size_t i = 0; i < all.symbol_count; i++) {
        struct symbol *const symbol = &all.symbols[i];

        if (strcmp(symbol->object, object) != 0)
            continue;
        if (!fgets(function, sizeof function, output) || !fgets(place, sizeof place, output))
            return;
        function[strcspn(function, "\n")] = '\0';
        place[strcspn(place, "\n")] = '\0';
        take(&symbol->function, function);
        take(&symbol->place, place);
    }
}

static void name_by_lines(const char *object)
{
    FILE *const input = tmpfile();
    FILE *output = NULL;
    size_t count = 0;
    pid_t pid = 0;

    if (!input)
        return;
    for (size_t i = 0; i < all.symbol_count; i++)
        if (strcmp(all.symbols[i].object, object) == 0)
            count += fprintf(input, "0x%" PRIx64 "\n", all.symbols[i].offset) > 0;
    rewind(input);
    if (count)
        output = start(object, fileno(input), &pid);
    if (output) {
        read_names(output, object);
        fclose(output);
        (void)waitpid(pid, NULL, 0);
    }
    fclose(input);
}

void symbols_resolve(void)
{
    size_t kept = 0;

    if (!all.symbol_count)
        return;
    qsort(all.symbols, all.symbol_count, sizeof *all.symbols, by_address);
    for (size_t i = 0; i < all.symbol_count; i++)
        if (i == 0 || all.symbols[i].address != all.symbols[kept - 1].address)
            all.symbols[kept++] = all.symbols[i];
    all.symbol_count = kept;
    for (size_t i = 0; i < kept; i++)
        name_plainly(&all.symbols[i]);
    for (size_t i = 0; i < all.object_count; i++)
        name_by_lines(all.objects[i].path);
}

const struct symbol *symbols_find(uint64_t address)
{
    const struct symbol wanted = {.address = address};

    return bsearch(&wanted, all.symbols, all.symbol_count, sizeof wanted, by_address);
}
