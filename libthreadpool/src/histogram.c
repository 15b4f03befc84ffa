/* SPDX-License-Identifier: MIT */
/* Histograms with steps in proportion to the value. */
#include "figures.h"

#include <stddef.h>

static size_t bin_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (size_t)value;
    /* The four bits below the highest number the steps within a power of two. */
    const unsigned power = 63 - (unsigned)__builtin_clzll(value);

    return (size_t)(power - 3) * HISTOGRAM_STEPS + (size_t)(value >> (power - 4) & 15);
}

static uint64_t begin_of(size_t bin)
{
    if (bin < HISTOGRAM_STEPS)
        return bin;
    return (uint64_t)(HISTOGRAM_STEPS + bin % HISTOGRAM_STEPS) << (bin / HISTOGRAM_STEPS - 1);
}

static uint64_t end_of(size_t bin)
{
    return bin + 1 < HISTOGRAM_BINS ? begin_of(bin + 1) - 1 : UINT64_MAX;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->most)
        histogram->most = value;
    histogram->bins[bin_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint64_t part, uint64_t of)
{
    /* This many are at or below it: the share, rounded up. */
    const uint64_t wanted =
        histogram->count / of * part + (histogram->count % of * part + of - 1) / of;
    uint64_t seen = 0;

    for (size_t bin = 0; bin < HISTOGRAM_BINS && wanted; bin++) {
        seen += histogram->bins[bin];
        if (seen >= wanted)
            return end_of(bin) < histogram->most ? end_of(bin) : histogram->most;
    }
    return 0;
}

uint64_t histogram_over(const struct histogram *histogram, uint64_t value)
{
    uint64_t over = 0;

    for (size_t bin = bin_of(value) + 1; bin < HISTOGRAM_BINS; bin++)
        over += histogram->bins[bin];
    return over;
}

ring3_pool_times_t histogram_times(const struct histogram *histogram)
{
    return (ring3_pool_times_t){
        .mean = histogram->count ? histogram->sum / histogram->count : 0,
        .p50 = histogram_quantile(histogram, 50, 100),
        .p99 = histogram_quantile(histogram, 99, 100),
        .p999 = histogram_quantile(histogram, 999, 1000),
        .most = histogram->most,
    };
}
