/* SPDX-License-Identifier: MIT */
/*
 * ring3 heap map: where blocks and holes lie at one moment of a trace, under every policy, as text
 * and as SVG.
 *
 * The heap is one line of addresses, arena after arena, up to the end of the last block. It is cut
 * into cells of a power of two bytes; what is shown is the share of each that is in use.
 */
#include "heap.h"
#include "heap_run.h"

#include "ring3/malloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 heap map [option ...] FILE\n"
    "\n"
    "Do again what RING3_MALLOC=trace=FILE recorded, under every policy, and show where\n"
    "blocks and holes lie when most is in use.\n"
    "\n"
    "  -m PERCENT  show the moment when so many of the calls are done instead\n"
    "  -p POLICY   under this one, or settings as RING3_MALLOC takes them; may be given\n"
    "              again (all policies)\n"
    "  -s FILE     write the map as SVG too\n"
    "\n"
    "Exit status: 0; 1 if there is no such trace, or a replay failed; 2 if an argument is\n"
    "wrong.\n";

enum { CELLS = 4096, CELL_MIN = 64, COLUMNS = 128, SHADES = 5, SQUARE = 6, TITLE = 34 };

struct map {
    size_t cell;  /* bytes */
    size_t cells; /* in use */
    size_t end;   /* of the last block */
    size_t used, free, largest, blocks, holes;
    uint64_t filled[CELLS]; /* bytes in use in each */
};

/* --- Drawing up the map, in the process that replays --------------------------------------------- */

struct survey {
    struct map *map;
    size_t at;
};

static void count_piece(void *start, size_t length, bool in_use, void *context)
{
    struct survey *const survey = context;
    struct map *const map = survey->map;

    (void)start;
    survey->at += length;
    if (in_use) {
        map->used += length;
        map->blocks++;
        map->end = survey->at;
        return;
    }
    map->free += length;
    map->holes++;
    map->largest = length > map->largest ? length : map->largest;
}

static void fill_cells(void *start, size_t length, bool in_use, void *context)
{
    struct survey *const survey = context;
    struct map *const map = survey->map;
    size_t from = survey->at;

    (void)start;
    survey->at += length;
    while (in_use && from < survey->at) {
        const size_t cell = from / map->cell, next = (cell + 1) * map->cell;
        const size_t to = next < survey->at ? next : survey->at;

        map->filled[cell] += to - from;
        from = to;
    }
}

static void draw_up(void *context)
{
    struct map *const map = context;
    struct survey survey = {map, 0};

    ring3_malloc_walk(count_piece, &survey);
    for (map->cell = CELL_MIN; map->end > map->cell * CELLS;)
        map->cell *= 2;
    map->cells = (map->end + map->cell - 1) / map->cell;
    survey.at = 0;
    ring3_malloc_walk(fill_cells, &survey);
}

/* --- Showing it ---------------------------------------------------------------------------------- */

/* 0: free … SHADES - 1: full. */
static unsigned shade(uint64_t filled, size_t size)
{
    if (filled == 0)
        return 0;
    return filled >= size ? SHADES - 1 : 1 + (unsigned)(filled * (SHADES - 2) / size);
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void describe(char *text, size_t size, const char *name, const struct map *map,
                     uint64_t asked)
{
    snprintf(text, size,
             "%s: %.2f MiB in %zu blocks, %.2f MiB in %zu holes, the largest %.2f MiB; internal "
             "%.2f, external %.2f",
             name, (double)map->used / (1 << 20), map->blocks, (double)map->free / (1 << 20),
             map->holes, (double)map->largest / (1 << 20),
             asked < map->used ? 1 - share(asked, map->used) : 0,
             map->free ? 1 - share(map->largest, map->free) : 0);
}

/* Two cells make one character. */
static void show_text(const struct map *map)
{
    static const char *const levels[SHADES] = {" ", "░", "▒", "▓", "█"};
    size_t at = 0;

    printf("  each character is %zu bytes of memory\n", 2 * map->cell);
    while (at < map->cells) {
        fputs("  |", stdout);
        for (size_t column = 0; column < COLUMNS / 2; column++, at += 2) {
            const uint64_t filled = at < map->cells ? map->filled[at] + map->filled[at + 1] : 0;

            fputs(levels[shade(filled, 2 * map->cell)], stdout);
        }
        puts("|");
    }
}

static int panel_height(const struct map *map)
{
    return TITLE + (int)((map->cells + COLUMNS - 1) / COLUMNS) * SQUARE + 10;
}

/* One rectangle for each row of cells with the same shade. */
static void svg_panel(FILE *file, int top, const struct map *map, const char *text)
{
    static const char *const colours[SHADES] = {"#eeeeee", "#bdd7e7", "#6baed6", "#3182bd",
                                                "#08519c"};

    fprintf(file, "<text x=\"10\" y=\"%d\">%s; a square is %zu bytes</text>\n", top + 20, text,
            map->cell);
    for (size_t at = 0, end; at < map->cells; at = end) {
        const unsigned now = shade(map->filled[at], map->cell);

        for (end = at + 1; end < map->cells && end % COLUMNS; end++)
            if (shade(map->filled[end], map->cell) != now)
                break;
        fprintf(file, "<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\" fill=\"%s\"/>\n",
                10 + at % COLUMNS * SQUARE, (size_t)(top + TITLE) + at / COLUMNS * SQUARE,
                (end - at) * SQUARE, SQUARE, colours[now]);
    }
}

static int write_svg(const char *path, const struct result *results, const struct map *maps,
                     int count, uint64_t asked)
{
    FILE *const file = fopen(path, "w");
    char text[256];
    int height = 0;
    bool bad = !file;

    for (int i = 0; i < count; i++)
        height += panel_height(&maps[i]);
    if (file) {
        fprintf(file,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                "font-family=\"sans-serif\" font-size=\"11\">\n",
                20 + COLUMNS * SQUARE, height);
        for (int i = 0, top = 0; i < count; top += panel_height(&maps[i++])) {
            describe(text, sizeof text, results[i].name, &maps[i], asked);
            svg_panel(file, top, &maps[i], text);
        }
        fputs("</svg>\n", file);
        bad = ferror(file) != 0;
        bad |= fclose(file) != 0;
    }
    if (bad)
        fprintf(stderr, "ring3 heap map: %s: %s\n", path, strerror(errno));
    return bad;
}

/* --- Which moment -------------------------------------------------------------------------------- */

/* The number of steps after which most is in use, or after `percent` of them; `asked` gets what is
 * in use then. 0 without memory. */
static size_t find_moment(const struct steps *steps, int percent, uint64_t *asked)
{
    uint64_t *const sizes = calloc((size_t)steps->objects + 1, sizeof *sizes);
    const size_t wanted = steps->count * (size_t)(percent < 0 ? 100 : percent) / 100;
    uint64_t live = 0;
    size_t found = 0;

    for (size_t i = 0; sizes && i < steps->count && (percent < 0 || i < wanted); i++) {
        const struct step *const step = &steps->step[i];
        const uint64_t size = step->what == STEP_RELEASE ? 0 : step->size;

        live += size - sizes[step->object];
        sizes[step->object] = size;
        if (percent >= 0 || live > *asked) {
            *asked = live;
            found = i + 1;
        }
    }
    free(sizes);
    return found;
}

static bool is_percent(const char *text, int *percent)
{
    char *end;
    const long number = strtol(text, &end, 10);

    *percent = (int)number;
    return *text && !*end && number >= 0 && number <= 100;
}

static void *shared(size_t bytes)
{
    void *const memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int heap_map(int argc, char **argv)
{
    struct result *const results = shared(RESULTS_MAX * sizeof *results);
    struct map *const maps = shared(RESULTS_MAX * sizeof *maps);
    const char *chosen[RESULTS_MAX], *svg = NULL;
    int option, count = 0, percent = -1, bad = 0;
    struct moment moment = {.look = draw_up};
    struct steps steps;
    uint64_t asked = 0;
    char text[256];

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "m:p:s:")) != -1) {
        if (option == 'p' && count < RESULTS_MAX && strcmp(optarg, "libc") != 0)
            chosen[count++] = optarg;
        else if (option == 's')
            svg = optarg;
        else if (option != 'm' || !is_percent(optarg, &percent))
            return fputs("ring3 heap map: `ring3 heap map --help` tells the options\n", stderr), 2;
    }
    if (optind != argc - 1) {
        fputs("ring3 heap map: which trace? `ring3 heap map --help` says more\n", stderr);
        return 2;
    }
    if (!results || !maps || trace_read(argv[optind], &steps) != 0)
        return 1;
    if (count == 0)
        count = replay_choose_all(chosen);
    moment.step = find_moment(&steps, percent, &asked);
    printf("after %zu of %zu calls, %.2f MiB asked for\n", moment.step, steps.count,
           (double)asked / (1 << 20));
    for (int i = 0; i < count; i++) {
        moment.context = &maps[i];
        replay_under(&steps, &results[i], chosen[i], &moment);
        if (results[i].failed) {
            printf("\n%s: failed: %s\n", results[i].name, replay_failure(&results[i]));
            bad = 1;
            continue;
        }
        describe(text, sizeof text, results[i].name, &maps[i], asked);
        printf("\n%s\n", text);
        show_text(&maps[i]);
    }
    return svg && write_svg(svg, results, maps, count, asked) ? 1 : bad;
}
