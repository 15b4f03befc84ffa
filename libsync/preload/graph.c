/* SPDX-License-Identifier: MIT */
/* The order graph of lockdep.h, and the set of known chains. All under the caller's lock. */
#include "lockdep.h"

#include <string.h>

static struct graph_edge edges[GRAPH_EDGES];
static uint32_t edge_count = 1, first_free_edge;
static uint16_t first_out[GRAPH_NODES];

static struct {
    const void *object;
    uint32_t class_number;
} objects[GRAPH_NODES - WATCH_CLASSES];

/* --- Chains ---------------------------------------------------------------------------------- */

uint64_t graph_chains[GRAPH_CHAINS];

void graph_know_chain(uint64_t key)
{
    uint64_t at = key >> 40;

    for (int probe = 0; probe < GRAPH_PROBES; probe++, at++)
        if (ring3_load(&graph_chains[at % GRAPH_CHAINS], RING3_RELAXED) == 0)
            break;
    ring3_store(&graph_chains[at % GRAPH_CHAINS], key, RING3_RELAXED);
}

/* --- Nodes ----------------------------------------------------------------------------------- */

uint32_t graph_object(const void *object, uint32_t class_number)
{
    const uint32_t most = GRAPH_NODES - WATCH_CLASSES;
    uint32_t room = most;

    for (uint32_t i = 0; i < most; i++) {
        if (objects[i].object == object)
            return WATCH_CLASSES + i;
        if (!objects[i].object && room == most)
            room = i;
    }
    if (room == most)
        return 0;
    objects[room].object = object;
    objects[room].class_number = class_number;
    return WATCH_CLASSES + room;
}

uint32_t graph_class(uint32_t node)
{
    return node < WATCH_CLASSES ? node : objects[node - WATCH_CLASSES].class_number;
}

const void *graph_object_of(uint32_t node)
{
    return node < WATCH_CLASSES ? NULL : objects[node - WATCH_CLASSES].object;
}

static void cut(uint32_t from, uint32_t to)
{
    for (uint16_t *link = &first_out[from]; *link;) {
        struct graph_edge *const edge = &edges[*link];
        const uint16_t number = *link;

        if (to && edge->to != to) {
            link = &edge->next;
            continue;
        }
        *link = edge->next;
        *edge = (struct graph_edge){.next = (uint16_t)first_free_edge};
        first_free_edge = number;
    }
}

void graph_forget(const void *object)
{
    for (uint32_t i = 0; i < GRAPH_NODES - WATCH_CLASSES; i++)
        if (objects[i].object == object) {
            for (uint32_t from = WATCH_CLASSES; from < GRAPH_NODES; from++)
                cut(from, WATCH_CLASSES + i);
            cut(WATCH_CLASSES + i, 0);
            objects[i].object = NULL;
        }
}

const struct graph_edge *graph_edges(size_t *count)
{
    *count = edge_count;
    return edges;
}

/* --- Edges ----------------------------------------------------------------------------------- */

static struct graph_edge *find(uint32_t from, uint32_t to)
{
    for (uint16_t i = first_out[from]; i; i = edges[i].next)
        if (edges[i].to == to)
            return &edges[i];
    return NULL;
}

static struct graph_edge *make(uint32_t from, uint32_t to)
{
    uint32_t number = first_free_edge;

    if (number)
        first_free_edge = edges[number].next;
    else if (edge_count < GRAPH_EDGES)
        number = edge_count++;
    else
        return NULL;
    edges[number] =
        (struct graph_edge){.from = (uint16_t)from, .to = (uint16_t)to, .next = first_out[from]};
    first_out[from] = (uint16_t)number;
    return &edges[number];
}

/* --- Cycles ---------------------------------------------------------------------------------- */

/* A place of the search: a node, and whether it was reached by a reader that passes writers; such a
 * one does not wait for readers. */
#define PLACES (2 * GRAPH_NODES)

static uint16_t reached_by[PLACES]; /* the edge; 0: not reached */
static uint16_t came_from[PLACES];  /* the place before it */
static uint16_t queue[PLACES];

static bool goes_on(unsigned passes, unsigned shared)
{
    return !(passes && shared);
}

/* The shortest path of waiting from `start` to `goal`, entered as kind says. */
static int search(const struct graph_edge *start, unsigned kind, uint32_t goal,
                  const struct graph_edge **cycle, int most)
{
    const uint32_t shared_at_goal = kind >> 1;
    uint32_t head = 0, tail = 0, place = start->to * 2u + (kind & 1);

    memset(reached_by, 0, sizeof reached_by);
    queue[tail++] = (uint16_t)place;
    reached_by[place] = (uint16_t)(start - edges);
    while (head < tail) {
        place = queue[head++];
        if (place / 2 == goal && goes_on(place & 1, shared_at_goal))
            break;
        for (uint16_t i = first_out[place / 2]; i; i = edges[i].next)
            for (unsigned other = 0; other < 4; other++) {
                const uint32_t next = edges[i].to * 2u + (other & 1);

                if (!(edges[i].kinds & 1u << other) || !goes_on(place & 1, other >> 1) ||
                    reached_by[next])
                    continue;
                reached_by[next] = i;
                came_from[next] = (uint16_t)place;
                queue[tail++] = (uint16_t)next;
            }
        place = PLACES;
    }
    if (place == PLACES)
        return 0;

    /* Back from the goal to the new edge; then the other way round. */
    int length = 0;

    for (;; place = came_from[place]) {
        if (length < most)
            cycle[length] = &edges[reached_by[place]];
        length++;
        if (&edges[reached_by[place]] == start)
            break;
    }
    for (int i = 0, j = (length < most ? length : most) - 1; i < j; i++, j--) {
        const struct graph_edge *const swapped = cycle[i];

        cycle[i] = cycle[j];
        cycle[j] = swapped;
    }
    return length;
}

int graph_enter(uint32_t from, uint32_t to, unsigned kind, uint64_t held_at, const void *site,
                const struct graph_edge **cycle, int most)
{
    struct graph_edge *edge = find(from, to);

    if (edge && edge->kinds & 1u << kind)
        return 0;
    if (!edge) {
        edge = make(from, to);
        if (!edge)
            return 0;
        edge->held_at = held_at;
        (void)watch_stack(site, edge->frames, LOCKSTAT_FRAMES);
    }
    edge->kinds |= (uint16_t)(1u << kind);
    return search(edge, kind, from, cycle, most);
}
