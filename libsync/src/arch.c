/* SPDX-License-Identifier: MIT */
/* Asks the kernel once what it offers: CPUs, membarrier, rseq. */
#include "ring3/arch.h"

#include "ring3/env.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One per process: what the kernel offers does not depend on who asks. */
struct ring3_arch ring3_arch = {.membarrier = RING3_MEMBARRIER_UNKNOWN, .cpus = 1, .no_rseq = 1};

/* False if the kernel refuses. Locks come through here, so errno stays as it is. */
static bool membarrier(int command)
{
    const int saved = errno;
    const bool agreed = syscall(SYS_membarrier, command, 0, 0) == 0;

    errno = saved;
    return agreed;
}

/*
 * Registration is once per address space and survives fork. Two threads may get here together: both
 * find the same answer, and a thread that still sees UNKNOWN uses full fences, which pair with
 * anything.
 */
static uint32_t membarrier_register(void)
{
    uint32_t answer = RING3_MEMBARRIER_NO;

    if (!ring3_env_disabled("membarrier") && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
        answer = RING3_MEMBARRIER_YES;
    /* A heavy fence must not run in a thread that knows NO while light fences elsewhere know YES:
     * first answer wins. */
    const uint32_t earlier =
        ring3_cas(&ring3_arch.membarrier, RING3_MEMBARRIER_UNKNOWN, answer, RING3_SEQ_CST);

    return earlier == RING3_MEMBARRIER_UNKNOWN ? answer : earlier;
}

bool ring3_fence_heavy(void)
{
    uint32_t mode = ring3_load(&ring3_arch.membarrier, RING3_RELAXED);

    if (ring3_unlikely(mode == RING3_MEMBARRIER_UNKNOWN))
        mode = membarrier_register();
    if (mode == RING3_MEMBARRIER_YES)
        return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    ring3_fence_full();
    return true;
}

/* As RING3_MEMBARRIER_*: whether this process has joined. Written towards the same answer by any
 * thread, and guards no other data. */
static uint32_t global_joined = RING3_MEMBARRIER_UNKNOWN;

bool ring3_fence_global_join(void)
{
    uint32_t mode = ring3_load(&global_joined, RING3_RELAXED);

    if (mode == RING3_MEMBARRIER_UNKNOWN) {
        mode = !ring3_env_disabled("membarrier") &&
                       membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
                   ? RING3_MEMBARRIER_YES
                   : RING3_MEMBARRIER_NO;
        ring3_store(&global_joined, mode, RING3_RELAXED);
    }
    return mode == RING3_MEMBARRIER_YES;
}

bool ring3_fence_global(void)
{
    ring3_fence_full();
    return !ring3_env_disabled("membarrier") && membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

int ring3_cpu_slow(void)
{
    const int saved = errno;
    const int cpu = sched_getcpu();

    errno = saved;
    return cpu;
}

/* While the process has one thread, registration costs a microsecond; later it waits for a grace
 * period of the kernel. */
__attribute__((constructor(RING3_START_FIRST))) static void arch_start(void)
{
    cpu_set_t allowed;

    /* A machine with more CPUs than the set has room for is refused with EINVAL. */
    ring3_arch.cpus =
        sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : CPU_SETSIZE;
    ring3_store(&ring3_arch.no_rseq, __rseq_size == 0 || ring3_env_disabled("rseq"), RING3_RELAXED);
    (void)ring3_fence_heavy();
}
