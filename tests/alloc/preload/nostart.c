/* SPDX-License-Identifier: MIT */
/* Linked with -nostartfiles: no main, no __libc_start_main, allocation all the same. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* On x86-64 the stack is not yet aligned as functions expect. */
#ifdef __x86_64__
__attribute__((force_align_arg_pointer))
#endif
void _start(void);

void _start(void)
{
    char *const text = malloc(100);
    char *const copy = text ? strdup(strcpy(text, "no start files\n")) : NULL;

    free(text);
    if (!copy || write(STDOUT_FILENO, copy, strlen(copy)) < 0)
        _exit(1);
    free(copy);
    _exit(0);
}
