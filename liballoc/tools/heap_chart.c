/* SPDX-License-Identifier: MIT */
/* Charts of a replay: a line of text each for the terminal, and an SVG file. */
#include "heap_chart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 60, WIDTH = 900, HEIGHT = 260, LEFT = 70, TOP = 40, GAP = 90 };

double internal_fragmentation(const struct point *point)
{
    return point->used > point->live ? 1 - (double)point->live / (double)point->used : 0;
}

double external_fragmentation(const struct point *point)
{
    return point->free > point->largest ? 1 - (double)point->largest / (double)point->free : 0;
}

static uint64_t highest(const struct result *results, int count)
{
    uint64_t most = 1;

    for (int i = 0; i < count; i++) {
        most = results[i].peak_resident > most ? results[i].peak_resident : most;
        most = results[i].peak_live > most ? results[i].peak_live : most;
    }
    return most;
}

static void text_line(const char *name, const struct result *result, uint64_t most, int live)
{
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

    printf("%-12s |", name);
    for (uint32_t column = 0; column < COLUMNS && result->points; column++) {
        const struct point *const point = &result->point[column * result->points / COLUMNS];

        fputs(levels[(live ? point->live : point->resident) * 8 / most], stdout);
    }
    puts("|");
}

void chart_text(const struct result *results, int count)
{
    const uint64_t most = highest(results, count);

    printf("\nMemory over time, up to %.1f MiB; what was asked for, then what is resident:\n",
           (double)most / (1 << 20));
    if (count)
        text_line("asked for", &results[0], most, 1);
    for (int i = 0; i < count; i++)
        if (!results[i].failed)
            text_line(results[i].name, &results[i], most, 0);
}

/* --- SVG ---------------------------------------------------------------------------------------- */

static const char *const colours[] = {"#4477aa", "#ee6677", "#228833", "#ccbb44",
                                      "#66ccee", "#aa3377", "#bbbbbb", "#000000"};

static void svg_frame(FILE *file, int top, const char *title, const char *most)
{
    fprintf(file,
            "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n"
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#999\"/>\n"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
            LEFT, top - 8, title, LEFT, top, WIDTH, HEIGHT, LEFT - 6, top + 12, most, LEFT - 6,
            top + HEIGHT);
}

static void svg_line(FILE *file, int top, const struct result *result, const char *colour,
                     double most, double (*value)(const struct point *point))
{
    fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
    for (uint32_t i = 0; i < result->points; i++)
        fprintf(file, "%.1f,%.1f ",
                LEFT + (double)i * WIDTH / (result->points > 1 ? result->points - 1 : 1),
                top + HEIGHT - value(&result->point[i]) / most * HEIGHT);
    fputs("\"/>\n", file);
}

static double resident_of(const struct point *point)
{
    return (double)point->resident;
}

static double live_of(const struct point *point)
{
    return (double)point->live;
}

static void svg_legend(FILE *file, const struct result *results, int count)
{
    const int y = TOP + 2 * HEIGHT + 2 * GAP - 30;
    int x = LEFT;

    fprintf(file, "<text x=\"%d\" y=\"%d\" fill=\"#999\">asked for</text>\n", x, y);
    for (int i = 0; i < count; i++) {
        x += 105;
        fprintf(file, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", x, y, colours[i % 8],
                results[i].name);
    }
}

int chart_svg(const char *path, const struct result *results, int count)
{
    const double most = (double)highest(results, count);
    const int second = TOP + HEIGHT + GAP;
    FILE *const file = fopen(path, "w");
    char text[32];

    if (!file)
        return fprintf(stderr, "ring3 heap replay: %s: %s\n", path, strerror(errno)), 1;
    snprintf(text, sizeof text, "%.1f MiB", most / (1 << 20));
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n",
            LEFT + WIDTH + 20, TOP + 2 * HEIGHT + 2 * GAP);
    svg_frame(file, TOP, "Resident memory over time (calls)", text);
    svg_frame(file, second, "External fragmentation over time: 1 - largest hole / free bytes", "1");
    if (count)
        svg_line(file, TOP, &results[0], "#999", most, live_of);
    for (int i = 0; i < count; i++) {
        if (results[i].failed)
            continue;
        svg_line(file, TOP, &results[i], colours[i % 8], most, resident_of);
        svg_line(file, second, &results[i], colours[i % 8], 1, external_fragmentation);
    }
    svg_legend(file, results, count);
    fputs("</svg>\n", file);
    return fclose(file) == 0
               ? 0
               : (fprintf(stderr, "ring3 heap replay: %s: %s\n", path, strerror(errno)), 1);
}
