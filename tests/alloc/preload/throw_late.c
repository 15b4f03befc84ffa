/* SPDX-License-Identifier: MIT */
/* A C program that opens a C++ object (argument 1), and with it the C++ library, when it runs. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *const object = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL);
    int (*const throws)(size_t) = object ? (int (*)(size_t))dlsym(object, "new_throws") : NULL;

    if (!throws) {
        puts(dlerror());
        return 2;
    }
    return throws(100) == 0 && throws(PTRDIFF_MAX) == 1 ? 0 : 1;
}
