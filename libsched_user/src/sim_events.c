/* SPDX-License-Identifier: MIT */
/* Arrivals and wake-ups to come: a binary heap by time, then by the order of the jobs. */
#include "sim_run.h"

static bool sooner(struct event a, struct event b)
{
    return a.at != b.at ? a.at < b.at : a.actor < b.actor;
}

/* Every actor has at most one event, so the heap has room for it. */
void sim_event_add(struct sim *sim, int64_t at, const struct actor *actor)
{
    const struct event event = {at, (uint32_t)(actor - sim->actors)};
    size_t place = sim->event_count++;

    for (; place > 0 && sooner(event, sim->events[(place - 1) / 2]); place = (place - 1) / 2)
        sim->events[place] = sim->events[(place - 1) / 2];
    sim->events[place] = event;
}

struct event sim_event_pop(struct sim *sim)
{
    const struct event first = sim->events[0], last = sim->events[--sim->event_count];
    size_t place = 0;

    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= sim->event_count)
            break;
        if (child + 1 < sim->event_count && sooner(sim->events[child + 1], sim->events[child]))
            child++;
        if (!sooner(sim->events[child], last))
            break;
        sim->events[place] = sim->events[child];
        place = child;
    }
    sim->events[place] = last;
    return first;
}
