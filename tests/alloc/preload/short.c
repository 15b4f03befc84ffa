/* SPDX-License-Identifier: MIT */
/* Takes memory until there is none, in pieces of many sizes and from a second thread too; what it got
 * keeps its content, and once some is free again there is some. Prints "refused" if memory ran out. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 4000 };

static struct {
    unsigned char *start;
    size_t size;
} block[MOST];

static void say(const char *text)
{
    (void)!write(1, text, strlen(text));
}

/* How many it got. */
static int take_all(void)
{
    for (int i = 0; i < MOST; i++) {
        const size_t size = (size_t)16 << (i % 13);

        errno = 0;
        block[i].start = i % 5 ? malloc(size) : calloc(1, size);
        block[i].size = size;
        if (!block[i].start)
            return errno == ENOMEM ? i : -1;
        memset(block[i].start, i & 0xff, size);
    }
    return MOST;
}

static void *again(void *unused)
{
    for (int i = 0; i < 100; i++) {
        char *const p = malloc(1000 + (size_t)i * 1000);

        if (p)
            *p = 1;
        free(p);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    int got = take_all();

    if (got < 0) {
        say("not ENOMEM\n");
        return 1;
    }
    if (pthread_create(&thread, NULL, again, NULL) == 0)
        (void)pthread_join(thread, NULL);
    for (int i = 0; i < got; i++) {
        for (size_t k = 0; k < block[i].size; k++)
            if (block[i].start[k] != (i & 0xff)) {
                say("changed\n");
                return 1;
            }
        free(block[i].start);
    }
    for (int i = 0; got > 20 && i < 10; i++)
        if (!malloc(16)) {
            say("nothing comes back\n");
            return 1;
        }
    say(got < MOST ? "refused\n" : "all\n");
    return 0;
}
