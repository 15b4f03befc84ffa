/* SPDX-License-Identifier: MIT */
/* Forks argv[1] times while threads allocate; each child starts threads that allocate. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop;

static void *churn(void *seed_)
{
    unsigned seed = (unsigned)(size_t)seed_;
    void *blocks[64] = {0};

    while (!stop) {
        const int i = rand_r(&seed) % 64;

        free(blocks[i]);
        blocks[i] = malloc((size_t)rand_r(&seed) % 3000);
    }
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    return NULL;
}

static void *allocate(void *unused)
{
    (void)unused;
    for (size_t i = 1; i < 50; i++)
        free(memset(malloc(i * 100), 1, i * 100));
    return NULL;
}

static int child(void)
{
    pthread_t threads[2];

    alarm(20); /* a hang is a failure */
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, allocate, NULL))
            return 1;
    allocate(NULL);
    for (int i = 0; i < 2; i++)
        if (pthread_join(threads[i], NULL))
            return 2;
    return 0;
}

int main(int argc, char **argv)
{
    const int count = argc > 1 ? atoi(argv[1]) : 100;
    pthread_t threads[3];
    int status, failed = 0;

    for (size_t i = 0; i < 3; i++)
        if (pthread_create(&threads[i], NULL, churn, (void *)(i + 1)))
            return 3;
    for (int i = 0; i < count && !failed; i++) {
        const pid_t pid = fork();

        if (pid == 0)
            _exit(child());
        failed = pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
        if (failed)
            printf("fork %d: status %x\n", i, status);
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return failed;
}
