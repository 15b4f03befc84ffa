/* SPDX-License-Identifier: MIT */
/* Schedules as an SVG picture: for each run a title and a row for each CPU. */
#include "ring3/sim.h"

#define LEFT   60
#define WIDTH  880
#define ROW    28
#define TITLE  26
#define BOTTOM 30
/* About as many marks on the time axis as can be read. */
#define MARKS 12

static const char *const colours[] = {"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2",
                                      "#edc948", "#b07aa1", "#9c755f", "#ff9da7", "#bab0ac"};

static void write_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* 1, 2 or 5 times a power of ten. */
static int64_t mark_distance(int64_t end)
{
    int64_t step = 1;

    for (int turn = 0; end / step > MARKS; turn++)
        step = turn % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

static void write_axis(FILE *out, int64_t end, int y, double scale)
{
    const int64_t step = mark_distance(end);

    for (int64_t at = 0; at <= end; at += step) {
        const double x = LEFT + (double)at * scale;

        fprintf(out, "<path d=\"M%.1f %dv5\" stroke=\"#888\"/>", x, y);
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x, y + 18,
                (double)at / 1e6);
    }
}

static void write_slice(FILE *out, const ring3_sim_workload_t *work, const ring3_sim_slice_t *slice,
                        int y, double scale)
{
    const double x = LEFT + (double)slice->from * scale;
    const double width = (double)(slice->to - slice->from) * scale;
    const char *const name = work->jobs[slice->job].name;

    fprintf(out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>", x, y,
            width, ROW - 6, colours[slice->job % (sizeof colours / sizeof *colours)]);
    write_text(out, name);
    fprintf(out, " %g-%g ms</title></rect>\n", (double)slice->from / 1e6, (double)slice->to / 1e6);
    if (width >= 24) {
        fprintf(out, "<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\" fill=\"#fff\">",
                x + width / 2, y + 15);
        write_text(out, name);
        fputs("</text>\n", out);
    }
}

void ring3_sim_write_svg(FILE *out, const ring3_sim_workload_t *work, const char *const *names,
                         const ring3_sim_result_t *results, size_t count)
{
    int64_t end = 1;
    int y = 10, height = 10;

    for (size_t i = 0; i < count; i++) {
        end = results[i].end > end ? results[i].end : end;
        height += TITLE + (int)results[i].cpus * ROW + BOTTOM;
    }

    const double scale = WIDTH / (double)end;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n",
            LEFT + WIDTH + 30, height);
    fprintf(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
    for (size_t i = 0; i < count; i++) {
        const ring3_sim_result_t *const result = &results[i];

        fprintf(out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">", LEFT, y + 14);
        write_text(out, names[i]);
        fputs("</text>\n", out);
        y += TITLE;
        for (unsigned cpu = 0; cpu < result->cpus; cpu++)
            fprintf(out, "<text x=\"8\" y=\"%d\">cpu%u</text>\n", y + (int)cpu * ROW + 15, cpu);
        for (size_t k = 0; k < result->slice_count; k++)
            write_slice(out, work, &result->slices[k], y + (int)result->slices[k].cpu * ROW, scale);
        y += (int)result->cpus * ROW;
        write_axis(out, end, y, scale);
        y += BOTTOM;
    }
    fputs("</svg>\n", out);
}
