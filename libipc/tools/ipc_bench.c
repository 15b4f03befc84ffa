/* SPDX-License-Identifier: MIT */
/* ring3 ipc bench: every transport on this machine. */
#include "transports.h"
#include "watch.h"

#include "ring3/fd.h"
#include "ring3/wait.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USAGE = 2, BAR = 40 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static unsigned char *buffer; /* the largest message */

/* Mean microseconds of one round trip. */
static double round_trip(const struct transport *t, size_t size, int other, double seconds)
{
    struct link link;
    const pid_t pid = link_open(&link, t, other, link_echo, size);
    double start = now(), end = start + seconds / 4; /* a quarter to get warm */
    long rounds = 0;
    bool warm = false;

    if (pid < 0)
        return -1;
    for (;; rounds++) {
        if (rounds % 8 == 0 && now() > end) {
            if (warm)
                break;
            warm = true, rounds = 0, start = now(), end = start + seconds;
        }
        if (t->send(&link, buffer, size))
            break;
        if (t->flush)
            t->flush(&link);
        if (t->receive(&link, buffer, size) < 0)
            break;
    }
    const double each = (now() - start) * 1e6 / (double)rounds;

    link_close(&link, pid);
    return each;
}

/* Messages per second, one way. */
static double stream(const struct transport *t, size_t size, int other, double seconds)
{
    struct link link;
    const pid_t pid = link_open(&link, t, other, link_drain, size);
    const double start = now(), end = start + seconds;
    const long look = size > 100000 ? 1 : 64;
    long sent = 0;

    if (pid < 0)
        return -1;
    for (;; sent++) {
        if (sent % look == 0) {
            if (t->flush)
                t->flush(&link);
            if (now() > end)
                break;
        }
        if (t->send(&link, buffer, size))
            break;
    }
    link_close(&link, pid); /* all of it was received */
    return (double)sent / (now() - start);
}

static void bar(double value, double most)
{
    const int length = most > 0 ? (int)(value / most * BAR + 0.5) : 0;

    for (int i = 0; i < length; i++)
        putchar('#');
}

static void table(const char *title, const char *unit, double scale, size_t size, bool trips,
                  int other, double seconds)
{
    double values[16], most = 0;
    int n = 0;

    printf("\n%s\n", title);
    for (const struct transport *t = transports; t->name; t++, n++) {
        values[n] = size > t->largest ? -1
                    : trips           ? round_trip(t, size, other, seconds)
                                      : stream(t, size, other, seconds) * scale;
        if (values[n] > most)
            most = values[n];
    }
    for (int i = 0; i < n; i++) {
        if (values[i] < 0) {
            printf("  %-15s          - (messages of up to %zu bytes)\n", transports[i].name,
                   transports[i].largest);
            continue;
        }
        printf("  %-15s %10.2f %-8s ", transports[i].name, values[i], unit);
        bar(values[i], most);
        putchar('\n');
        fflush(stdout);
    }
}

/* --- Copying against mapping ------------------------------------------------------------------------------------- */

static void crossover(int other, double seconds)
{
    size_t crossed = 0;

    printf(
        "\nCopying through a pipe against mapping anew, us per message (set-up, filling, reading)\n"
        "  %10s %12s %12s %14s\n",
        "bytes", "pipe", "map", "ring3 channel");
    for (size_t size = 64; size <= 16u << 20; size *= 4) {
        const double copy = 1e6 / stream(transport_named("pipe"), size, other, seconds);
        const double map = 1e6 / stream(transport_named("map_anew"), size, other, seconds);
        const double ours = 1e6 / stream(transport_named("ring3_channel"), size, other, seconds);

        printf("  %10zu %12.2f %12.2f %14.2f%s\n", size, copy, map, ours,
               map < copy ? "  mapping wins" : "");
        if (map < copy && !crossed)
            crossed = size;
        else if (map >= copy)
            crossed = 0;
        fflush(stdout);
    }
    if (crossed)
        printf("  mapping anew overtakes copying at about %zu bytes\n", crossed);
    else
        printf("  mapping anew never overtakes copying here\n");
}

/* --- Death --------------------------------------------------------------------------------------------------------- */

static void sleep_for_ever(struct link *link, size_t size)
{
    (void)link;
    (void)size;
    for (;;)
        pause();
}

static void death(int other)
{
    double worst = 0, sum = 0;
    enum { DEATHS = 20 };

    for (int i = 0; i < DEATHS; i++) {
        struct link link;
        const pid_t pid =
            link_open(&link, transport_named("ring3_channel"), other, sleep_for_ever, 64);
        char byte;

        if (pid < 0)
            return;
        const double start = now();

        (void)kill(pid, SIGKILL);
        (void)ring3_channel_receive(&link.channel, &byte, 1, NULL);
        const double took = (now() - start) * 1e6;

        sum += took;
        worst = took > worst ? took : worst;
        link_close(&link, pid);
    }
    printf("\nA peer's death by SIGKILL was noticed after %.0f us on average, %.0f at most (%d "
           "times)\n",
           sum / DEATHS, worst, DEATHS);
}

static int second_cpu(void)
{
    cpu_set_t set;
    int seen = 0;

    if (sched_getaffinity(0, sizeof set, &set))
        return -1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set) && seen++ == 1)
            return i;
    return -1;
}

int ipc_bench(int argc, char **argv)
{
    double seconds = 0.2;
    char *end = NULL;
    cpu_set_t set;
    int first = 0;

    if (argc == 2)
        seconds = strtod(argv[1], &end);
    if (argc > 2 || (end && *end != '\0') || !(seconds > 0 && seconds <= 60)) {
        fprintf(stderr, "ring3 ipc bench: seconds per figure, 60 at most?\n");
        return USAGE;
    }
    buffer = mmap(NULL, 16u << 20, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (buffer == MAP_FAILED)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    const int second = second_cpu();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        while (!CPU_ISSET((size_t)first, &set))
            first++;
    for (int apart = second >= 0; apart >= 0; apart--) {
        const int other = apart ? second : first;

        printf("%s=== both processes on %s ===\n", apart || second < 0 ? "" : "\n",
               apart ? "CPUs of their own" : "one CPU");
        link_pin(first);
        table("Round trip of 64 bytes (less is better)", "us", 1, 64, true, other, seconds);
        table("Messages of 64 bytes one way (more is better)", "M/s", 1e-6, 64, false, other,
              seconds);
        table("Messages of 64 KiB one way", "GB/s", 65536e-9, 65536, false, other, seconds);
        table("Messages of 1 MiB one way", "GB/s", 1048576e-9, 1 << 20, false, other, seconds);
        crossover(other, seconds / 4);
        death(other);
    }
    return 0;
}
