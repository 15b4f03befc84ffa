/* SPDX-License-Identifier: MIT */
/* Locks a mutex 3000 times, says so, and waits for the end of its input: something to look at. Knows
 * nothing of ring3. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    puts("ready");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
