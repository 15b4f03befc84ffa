/* SPDX-License-Identifier: MIT */
/* shell-start COUNT PROGRAM [ARGUMENT…]: starts a program over and over and prints how often. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long count;

    if (argc < 3) {
        fprintf(stderr, "usage: shell-start COUNT PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    count = strtol(argv[1], NULL, 10);
    for (long i = 0; i < count; i++) {
        pid_t pid;
        int status;
        const int err = posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ);

        if (err) {
            fprintf(stderr, "%s: %s\n", argv[2], strerror(err));
            return 1;
        }
        if (waitpid(pid, &status, 0) != pid || status) {
            fprintf(stderr, "%s failed\n", argv[2]);
            return 1;
        }
    }
    printf("%ld\n", count);
    return 0;
}
