/* SPDX-License-Identifier: MIT */
/* Banker's algorithm and the detectors of ring3/deadlock.h. */
#include "ring3/deadlock.h"

#include <errno.h>
#include <stddef.h>

/* Row `process` of a matrix. */
static const uint32_t *row(const uint32_t *matrix, uint32_t process, uint32_t types)
{
    return matrix + (size_t)process * types;
}

/* What a process may still ask for, or asks for: `most` less `has`, or `most` itself. */
static uint32_t need(const uint32_t *most, const uint32_t *has, uint32_t type)
{
    return has ? most[type] - has[type] : most[type];
}

/*
 * Let processes end one after another, as long as one can have all that it needs, and give back
 * what they have. Returns a bit for each that cannot end. `needed` is less what the process has
 * already if `claims`.
 */
static uint64_t let_end(uint32_t processes, uint32_t types, const uint32_t *available,
                        const uint32_t *allocated, const uint32_t *needed, bool claims,
                        uint32_t *order)
{
    uint64_t left = processes == 64 ? UINT64_MAX : (UINT64_C(1) << processes) - 1, before;
    uint32_t ended = 0;

    do {
        before = left;
        for (uint32_t p = 0; p < processes; p++) {
            bool can = (left >> p & 1) != 0;

            for (uint32_t t = 0; can && t < types; t++) {
                const uint32_t *const has = row(allocated, p, types);
                uint64_t free = available[t];

                /* What the ended ones have given back. */
                for (uint32_t q = 0; q < processes; q++)
                    if (!(left >> q & 1))
                        free += row(allocated, q, types)[t];
                can = need(row(needed, p, types), claims ? has : NULL, t) <= free;
            }
            if (can) {
                left &= ~(UINT64_C(1) << p);
                if (order)
                    order[ended++] = p;
            }
        }
    } while (left != before);
    return left;
}

bool ring3_banker_safe(const ring3_banker_t *bank, uint32_t *order)
{
    return bank->processes <= RING3_PROCESSES_MAX &&
           let_end(bank->processes, bank->types, bank->available, bank->allocated, bank->claimed,
                   true, order) == 0;
}

/* Move `amount` from what is available to the process. */
static void give(ring3_banker_t *bank, uint32_t *has, const uint32_t *amount)
{
    for (uint32_t t = 0; t < bank->types; t++) {
        bank->available[t] -= amount[t];
        has[t] += amount[t];
    }
}

static void take_back(ring3_banker_t *bank, uint32_t *has, const uint32_t *amount)
{
    for (uint32_t t = 0; t < bank->types; t++) {
        bank->available[t] += amount[t];
        has[t] -= amount[t];
    }
}

int ring3_banker_request(ring3_banker_t *bank, uint32_t process, const uint32_t *wanted)
{
    if (process >= bank->processes || bank->processes > RING3_PROCESSES_MAX)
        return -EINVAL;
    uint32_t *const has = bank->allocated + (size_t)process * bank->types;
    const uint32_t *const most = row(bank->claimed, process, bank->types);

    for (uint32_t t = 0; t < bank->types; t++)
        if (wanted[t] > most[t] - has[t])
            return -EINVAL;
    for (uint32_t t = 0; t < bank->types; t++)
        if (wanted[t] > bank->available[t])
            return -EAGAIN;
    give(bank, has, wanted);
    if (ring3_banker_safe(bank, NULL))
        return 0;
    take_back(bank, has, wanted);
    return -EDEADLK;
}

int ring3_banker_release(ring3_banker_t *bank, uint32_t process, const uint32_t *returned)
{
    if (process >= bank->processes)
        return -EINVAL;
    uint32_t *const has = bank->allocated + (size_t)process * bank->types;

    for (uint32_t t = 0; t < bank->types; t++)
        if (returned[t] > has[t])
            return -EINVAL;
    take_back(bank, has, returned);
    return 0;
}

uint64_t ring3_deadlock_detect(uint32_t processes, uint32_t types, const uint32_t *available,
                               const uint32_t *allocated, const uint32_t *requested)
{
    return let_end(processes, types, available, allocated, requested, false, NULL);
}

uint32_t ring3_deadlock_cycle(uint32_t processes, const uint64_t *waits_for, uint32_t *cycle)
{
    uint32_t path[RING3_PROCESSES_MAX], place[RING3_PROCESSES_MAX], length = 0;
    uint64_t seen = 0, on_path = 0, left[RING3_PROCESSES_MAX];

    for (uint32_t first = 0; first < processes; first++) {
        if (seen >> first & 1)
            continue;
        path[length++] = first;
        while (length > 0) {
            const uint32_t p = path[length - 1];

            if (!(seen >> p & 1)) {
                seen |= UINT64_C(1) << p;
                on_path |= UINT64_C(1) << p;
                place[p] = length - 1;
                left[p] = waits_for[p];
            }
            if (left[p] == 0) {
                on_path &= ~(UINT64_C(1) << p);
                length--;
                continue;
            }
            const uint32_t next = (uint32_t)__builtin_ctzll(left[p]);

            left[p] &= left[p] - 1;
            if (on_path >> next & 1) {
                for (uint32_t i = place[next]; cycle && i < length; i++)
                    cycle[i - place[next]] = path[i];
                return length - place[next];
            }
            if (!(seen >> next & 1))
                path[length++] = next;
        }
    }
    return 0;
}
