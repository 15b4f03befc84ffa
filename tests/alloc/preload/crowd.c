/* SPDX-License-Identifier: MIT */
/* Some threads that hold tens of megabytes: large enough for whatever an allocator does about large
 * programs, such as starting a thread of its own, whose birth allocates. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, BLOCKS = 1500, SIZE = 20000 };

static void *hold(void *blocks_)
{
    char **const blocks = blocks_;

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(SIZE);
        if (!blocks[i])
            abort();
        memset(blocks[i], i, SIZE);
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i][0] != (char)i || blocks[i][SIZE - 1] != (char)i)
            abort();
        free(blocks[i]);
    }
    return NULL;
}

int main(void)
{
    static char *blocks[THREADS][BLOCKS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, hold, blocks[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
