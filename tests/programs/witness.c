/* SPDX-License-Identifier: MIT */
/*
 * Preloaded before the malloc under test: notes in $RING3_WITNESS, one line per process, which
 * objects its malloc and free come from. A test that ran on another malloc proves nothing.
 *
 * It reads what the dynamic linker wrote into this object's own jump slots, by the same rules as
 * for any program. dlsym knows nothing of the version a program asks for, and `&malloc` may be the
 * address of a stub in the program itself. Linked with -z now, so that the slots are filled.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *provider(const char *function)
{
    const ElfW(Rela) *slots = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    size_t size = 0;
    Dl_info info;

    dladdr(_DYNAMIC, &info);
    for (const ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++)
        switch (entry->d_tag) {
        case DT_JMPREL:
            slots = (const void *)entry->d_un.d_ptr;
            break;
        case DT_PLTRELSZ:
            size = entry->d_un.d_val;
            break;
        case DT_SYMTAB:
            symbols = (const void *)entry->d_un.d_ptr;
            break;
        case DT_STRTAB:
            names = (const void *)entry->d_un.d_ptr;
            break;
        }
    for (size_t i = 0; i < size / sizeof *slots; i++)
        if (strcmp(names + symbols[ELF64_R_SYM(slots[i].r_info)].st_name, function) == 0) {
            void *const *const slot = (void *)((char *)info.dli_fbase + slots[i].r_offset);

            if (!dladdr(*slot, &info))
                return "nowhere";
            return strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname;
        }
    return "unasked";
}

__attribute__((constructor)) static void testify(void)
{
    const int saved = errno;
    const char *const path = getenv("RING3_WITNESS");
    const int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

    if (fd >= 0) {
        char *const line = malloc(512);
        const int length = snprintf(line, 512, "%s %s %s\n", provider("malloc"), provider("free"),
                                    program_invocation_short_name);

        if (write(fd, line, (size_t)length) != length)
            abort();
        free(line);
        close(fd);
    }
    errno = saved;
}
