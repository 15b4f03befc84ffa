/* SPDX-License-Identifier: MIT */
/* quantum=auto: turns so long that changing them costs one per cent. */
#include "ring3/policy.h"

#include <signal.h>
#include <time.h>

/* One switch in a turn of so many switches' time: 1 %. */
#define SWITCHES_IN_TURN 99
/* Turns shorter than the clock can tell, or longer than anybody would wait, ns. */
#define QUANTUM_LEAST INT64_C(50000)
#define QUANTUM_MOST  INT64_C(100000000)
/* The least of so many is free of what others do on this machine. */
#define SAMPLES 32

void ring3_policy_settle(ring3_policy_params_t *params, int64_t switch_cost)
{
    int64_t quantum;

    if (!params->auto_quantum || switch_cost <= 0)
        return;
    quantum = switch_cost < QUANTUM_MOST ? switch_cost * SWITCHES_IN_TURN : QUANTUM_MOST;
    quantum = quantum > QUANTUM_LEAST ? quantum : QUANTUM_LEAST;
    params->quantum = quantum < QUANTUM_MOST ? quantum : QUANTUM_MOST;
}

static void nothing(int number)
{
    (void)number;
}

static int64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t ring3_policy_preemption_cost(void)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART}, before;
    int64_t least = INT64_MAX;

    if (sigaction(SIGURG, &action, &before) != 0)
        return 0;
    for (int i = 0; i < SAMPLES; i++) {
        const int64_t from = now();

        (void)raise(SIGURG);

        const int64_t took = now() - from;

        least = took < least ? took : least;
    }
    (void)sigaction(SIGURG, &before, NULL);
    return least;
}
