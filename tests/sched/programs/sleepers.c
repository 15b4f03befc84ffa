/* SPDX-License-Identifier: MIT */
/* Three threads wait in functions of their own, one has not run yet; then `look` is called. */
#include <ring3/thread.h>

#include <ring3/sem.h>
#include <stdlib.h>

static ring3_sem_t sem;

__attribute__((noinline)) static void wait_in_depth(int depth)
{
    if (depth > 0)
        wait_in_depth(depth - 1);
    else
        (void)ring3_sem_wait(&sem);
    __asm__ volatile("");
}

static void *body(void *depth)
{
    wait_in_depth(*(int *)depth);
    return NULL;
}

__attribute__((noinline)) static void look(void)
{
    __asm__ volatile("");
}

int main(void)
{
    static int depths[] = {1, 2, 3};
    static const ring3_thread_attr_t names[] = {
        {.name = "first"}, {.name = "second"}, {.name = "third"}, {.name = "unborn"}};

    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1}) != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        if (ring3_thread_create(NULL, &names[i], body, &depths[i]) != 0)
            return 1;
    ring3_thread_yield();
    if (ring3_thread_create(NULL, &names[3], body, &depths[0]) != 0)
        return 1;
    look();
    abort();
}
