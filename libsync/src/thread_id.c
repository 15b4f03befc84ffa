/* SPDX-License-Identifier: MIT */
/* Asks once per thread: see thread_id.h. */
#include "thread_id.h"

#include "ring3/arch.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread uint32_t thread_id;

/* A forked child has an id of its own. */
static void forget_id(void)
{
    thread_id = 0;
}

__attribute__((constructor(RING3_START_FIRST))) static void thread_id_start(void)
{
    (void)pthread_atfork(NULL, NULL, forget_id);
}

uint32_t ring3_thread_id(void)
{
    if (ring3_unlikely(thread_id == 0))
        thread_id = (uint32_t)syscall(SYS_gettid);
    return thread_id;
}
