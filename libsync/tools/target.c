/* SPDX-License-Identifier: MIT */
/*
 * Programs that the dynamic linker leaves alone: those that do not ask for it (no PT_INTERP in
 * their ELF file), and those that run with raised privileges, for which it ignores LD_PRELOAD
 * (ld.so(8), secure-execution mode).
 */
#include "target.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool target_find(const char *name, char *path, size_t size)
{
    char standard[256] = "";
    const char *folders = getenv("PATH");

    if (strchr(name, '/')) {
        snprintf(path, size, "%s", name);
        return access(path, F_OK) == 0;
    }
    if (!folders) {
        confstr(_CS_PATH, standard, sizeof standard);
        folders = standard;
    }
    for (;; folders++) {
        const size_t length = strcspn(folders, ":");

        /* An empty item is the current folder. */
        snprintf(path, size, "%.*s%s%s", (int)length, folders, length ? "/" : "./", name);
        if (is_program(path))
            return true;
        folders += length;
        if (!*folders)
            return false;
    }
}

static const char *refusal_of_elf(int fd)
{
    Elf64_Ehdr elf;
    Elf64_Phdr segment;

    if (pread(fd, &elf, sizeof elf, 0) != (ssize_t)sizeof elf ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
        return NULL;
    if (elf.e_ident[EI_CLASS] != ELFCLASS64)
        return "is a 32-bit program";
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        const off_t place = (off_t)(elf.e_phoff + (Elf64_Off)i * elf.e_phentsize);

        if (pread(fd, &segment, sizeof segment, place) != (ssize_t)sizeof segment ||
            segment.p_type == PT_INTERP)
            return NULL;
    }
    return "is statically linked";
}

const char *target_refuses_preload(const char *path)
{
    const char *refusal = NULL;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        refusal = refusal_of_elf(fd);
        close(fd);
    }
    if (refusal || stat(path, &st) != 0)
        return refusal;
    if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
        return "is set-user-ID";
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
        return "is set-group-ID";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "has file capabilities";
    return NULL;
}
