/* SPDX-License-Identifier: MIT */
/* What a replay measured, and how it is shown. */
#ifndef RING3_HEAP_CHART_H
#define RING3_HEAP_CHART_H

#include <stdint.h>

#define CHART_POINTS 200

struct point {
    uint64_t live;          /* bytes asked for */
    uint64_t used;          /* bytes in blocks, with what they cost */
    uint64_t resident;      /* bytes that the replay added to the process */
    uint64_t free, largest; /* bytes in holes, and of the largest */
};

struct result {
    char name[32];
    int failed; /* 0, or why there is nothing else in here */
    double seconds;
    uint64_t peak_live, peak_resident;
    uint32_t points;
    struct point point[CHART_POINTS];
};

/* 1 - live / used and 1 - largest / free; 0 where there is nothing. */
double internal_fragmentation(const struct point *point);
double external_fragmentation(const struct point *point);

/* One line per result: resident memory over time, in blocks of text. */
void chart_text(const struct result *results, int count);

/* Resident memory and external fragmentation over time, for all results. 0, or 1 after saying on
 * stderr what is wrong. */
int chart_svg(const char *path, const struct result *results, int count);

#endif
