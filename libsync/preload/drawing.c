/* SPDX-License-Identifier: MIT */
/* The order graph for the eye: in the language of dot, and as a picture. Under the caller's lock. */
#include "lockdep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *type_of(uint32_t node)
{
    return ring3_lockstat_type(&watch_rows[report_row_of_node(node)]);
}

static uint64_t birthplace(uint32_t node)
{
    return watch_rows[report_row_of_node(node)].frames[0];
}

/* --- dot ------------------------------------------------------------------------------------- */

/* As many edges at a time as the table of names has room for. */
#define AT_A_TIME 64

static void name_edges(const struct graph_edge *edges, size_t first, size_t end)
{
    report_names_begin();
    for (size_t i = first; i < end; i++) {
        report_ask(birthplace(edges[i].from));
        report_ask(birthplace(edges[i].to));
        report_ask(edges[i].frames[0]);
    }
    report_names_find();
}

void lockdep_write_dot(int fd)
{
    size_t count;
    const struct graph_edge *const edges = graph_edges(&count);

    dprintf(fd, "digraph locks {\n  node [shape=box];\n");
    for (size_t first = 1; first < count; first += AT_A_TIME) {
        const size_t end = first + AT_A_TIME < count ? first + AT_A_TIME : count;

        name_edges(edges, first, end);
        for (size_t i = first; i < end; i++) {
            if (!edges[i].kinds)
                continue;
            dprintf(fd, "  n%u [label=\"%s\\n%s\"];\n", edges[i].from, type_of(edges[i].from),
                    report_name(birthplace(edges[i].from)));
            dprintf(fd, "  n%u [label=\"%s\\n%s\"];\n", edges[i].to, type_of(edges[i].to),
                    report_name(birthplace(edges[i].to)));
            dprintf(fd, "  n%u -> n%u [label=\"%s\"];\n", edges[i].from, edges[i].to,
                    report_name(edges[i].frames[0]));
        }
    }
    dprintf(fd, "}\n");
}

/* --- SVG ------------------------------------------------------------------------------------- */

/*
 * Locks in layers: each below all that are held when it is taken. An edge that comes back up, from a
 * later lock to one that may be held before it, is one of a circle and is drawn in red.
 */
#define MOST      128 /* locks in the picture */
#define WORDS     (MOST / 64)
#define BOX_WIDTH 240
#define BOX_HIGH  44
#define ACROSS    270 /* from box to box */
#define DOWN      100

static struct box {
    uint32_t node;
    int layer, place;
    uint64_t below[WORDS]; /* the boxes that are reached from here downward */
} boxes[MOST];
static int box_count;
static int in_layer[MOST];

static int box_of(uint32_t node)
{
    for (int i = 0; i < box_count; i++)
        if (boxes[i].node == node)
            return i;
    if (box_count == MOST)
        return -1;
    boxes[box_count] = (struct box){.node = node};
    return box_count++;
}

static bool is_below(int lower, int upper)
{
    return boxes[upper].below[lower / 64] >> lower % 64 & 1;
}

/* `upper` and all above it now reach `lower` and all below that. */
static void join(int upper, int lower)
{
    for (int i = 0; i < box_count; i++) {
        if (i != upper && !is_below(upper, i))
            continue;
        boxes[i].below[lower / 64] |= UINT64_C(1) << lower % 64;
        for (int w = 0; w < WORDS; w++)
            boxes[i].below[w] |= boxes[lower].below[w];
    }
}

/* Fill the boxes' layers and places; returns how many layers. */
static int arrange(const struct graph_edge *edges, size_t count)
{
    int layers = 0;

    box_count = 0;
    for (size_t i = 1; i < count; i++) {
        const int upper = edges[i].kinds ? box_of(edges[i].from) : -1,
                  lower = edges[i].kinds ? box_of(edges[i].to) : -1;

        if (upper >= 0 && lower >= 0 && upper != lower && !is_below(upper, lower))
            join(upper, lower);
    }
    memset(in_layer, 0, sizeof in_layer);
    /* Whoever is reached by more stands lower: a layer for each step of the longest way down. */
    for (int round = 0; round < box_count; round++)
        for (int upper = 0; upper < box_count; upper++)
            for (int lower = 0; lower < box_count; lower++)
                if (is_below(lower, upper) && boxes[lower].layer <= boxes[upper].layer)
                    boxes[lower].layer = boxes[upper].layer + 1;
    for (int i = 0; i < box_count; i++) {
        boxes[i].place = in_layer[boxes[i].layer]++;
        layers = boxes[i].layer >= layers ? boxes[i].layer + 1 : layers;
    }
    return layers;
}

/* At most `most` characters of a name, as XML has them. */
static void put_text(int fd, const char *name, int most)
{
    for (; *name && most > 0; name++, most--) {
        const char *const special = strchr("&&<<>>''", *name);

        if (special)
            dprintf(fd, "&#%d;", *name);
        else if (*name >= ' ')
            dprintf(fd, "%c", *name);
    }
}

static void draw_edge(int fd, const struct graph_edge *edge)
{
    const int from = box_of(edge->from), to = box_of(edge->to);

    if (from < 0 || to < 0)
        return;
    const bool down = boxes[from].layer < boxes[to].layer;
    const int x = 20 + boxes[from].place * ACROSS, y = 20 + boxes[from].layer * DOWN,
              x2 = 20 + boxes[to].place * ACROSS, y2 = 20 + boxes[to].layer * DOWN;

    if (down)
        dprintf(fd, "<path class='edge' d='M%d %d L%d %d'>", x + BOX_WIDTH / 2, y + BOX_HIGH,
                x2 + BOX_WIDTH / 2, y2);
    else
        dprintf(fd, "<path class='edge back' d='M%d %d C%d %d %d %d %d %d'>", x + BOX_WIDTH,
                y + BOX_HIGH / 2, x + ACROSS + 20, y + BOX_HIGH / 2, x2 + ACROSS + 20,
                y2 + BOX_HIGH / 2, x2 + BOX_WIDTH, y2 + BOX_HIGH / 2);
    dprintf(fd, "<title>");
    put_text(fd, report_name(edge->frames[0]), 160);
    dprintf(fd, "</title></path>\n");
}

static void draw_box(int fd, const struct box *box)
{
    const int x = 20 + box->place * ACROSS, y = 20 + box->layer * DOWN;

    dprintf(fd, "<g><title>");
    put_text(fd, report_name(birthplace(box->node)), 160);
    dprintf(fd,
            "</title><rect x='%d' y='%d' width='%d' height='%d' rx='4'/><text x='%d' y='%d'>%s"
            "</text><text x='%d' y='%d'>",
            x, y, BOX_WIDTH, BOX_HIGH, x + 8, y + 17, type_of(box->node), x + 8, y + 35);
    put_text(fd, report_name(birthplace(box->node)), 36);
    dprintf(fd, "</text></g>\n");
}

void lockdep_write_svg(int fd)
{
    size_t count;
    const struct graph_edge *const edges = graph_edges(&count);
    const int layers = arrange(edges, count);
    int widest = 1;

    for (int i = 0; i < layers; i++)
        widest = in_layer[i] > widest ? in_layer[i] : widest;
    dprintf(fd,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' role='img'>\n"
            "<title>Locks, each above those that are taken while it is held</title>\n"
            "<style>rect{fill:#fff;stroke:#444}text{font:12px monospace;fill:#000}"
            ".edge{fill:none;stroke:#447;marker-end:url(#tip)}.back{stroke:#c00;stroke-width:2}"
            "</style>\n<marker id='tip' viewBox='0 0 8 8' refX='8' refY='4' markerWidth='8' "
            "markerHeight='8' orient='auto'><path d='M0 0L8 4L0 8z'/></marker>\n",
            widest * ACROSS + 60, layers * DOWN);
    for (size_t first = 1; first < count; first += AT_A_TIME) {
        const size_t end = first + AT_A_TIME < count ? first + AT_A_TIME : count;

        name_edges(edges, first, end);
        for (size_t i = first; i < end; i++)
            if (edges[i].kinds)
                draw_edge(fd, &edges[i]);
    }
    report_names_begin();
    for (int i = 0; i < box_count; i++)
        report_ask(birthplace(boxes[i].node));
    report_names_find();
    for (int i = 0; i < box_count; i++)
        draw_box(fd, &boxes[i]);
    dprintf(fd, "</svg>\n");
}
