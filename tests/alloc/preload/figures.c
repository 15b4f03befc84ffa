/* SPDX-License-Identifier: MIT */
/* mallinfo2, mallinfo, malloc_info and malloc_trim tell the truth. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(int claim, const char *what)
{
    if (!claim) {
        printf("not so: %s\n", what);
        failures++;
    }
}

int main(void)
{
    enum { COUNT = 1000, SIZE = 65536 };
    static void *blocks[COUNT];
    const struct mallinfo2 before = mallinfo2();
    struct mallinfo2 now;
    char text[2000] = "";
    FILE *file;

    for (int i = 0; i < COUNT; i++)
        blocks[i] = memset(malloc(SIZE), 1, SIZE);
    now = mallinfo2();
    expect(now.uordblks - before.uordblks >= (size_t)COUNT * SIZE, "used bytes rise");
    expect(now.uordblks - before.uordblks <= (size_t)COUNT * SIZE * 2 + 4096, "but not by more");
    expect(now.arena == now.uordblks + now.fordblks, "the arena is what is used and what is free");
    expect(malloc_usable_size(blocks[0]) >= SIZE, "usable size");

    file = fmemopen(text, sizeof text, "w");
    expect(malloc_info(0, file) == 0, "malloc_info");
    fclose(file);
    expect(strstr(text, "<malloc version=\"1\">") && strstr(text, "</malloc>"), "it is XML");

    for (int i = 0; i < COUNT; i += 2)
        free(blocks[i]);
    expect(mallinfo2().ordblks >= COUNT / 4, "holes are counted");
    expect(malloc_trim(0) == 1, "there was something to trim");
    for (int i = 1; i < COUNT; i += 2)
        free(blocks[i]);
    now = mallinfo2();
    expect(now.uordblks < before.uordblks + (size_t)COUNT * SIZE / 16, "and all comes back");
    malloc_stats();
    return failures != 0;
}
