/* SPDX-License-Identifier: MIT */
/*
 * Explores every scenario, then each again with one memory order weakened: that must give a
 * violation, or the site is listed in redundant.txt with the reason why it need not.
 *
 *     build/model/check [--quick] [--only NAME]        --quick: without the weakened orders
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS        2000000L /* of one scenario */
#define MUTANT_RUNS 300000L

static struct model_scenario *first;

void model_register(struct model_scenario *scenario)
{
    scenario->next = first;
    first = scenario;
}

static void say(bool good, const char *name, const char *what)
{
    printf("%s - %s: %s\n", good ? "ok" : "not ok", name, what);
    fflush(stdout);
    *(good ? &model->passed : &model->failed) += 1;
}

static void explore(const struct model_scenario *scenario)
{
    char text[256];
    const bool found = model_explore(scenario, RUNS);

    if (found)
        snprintf(text, sizeof text, "%s, run %ld", model->violation, model->runs);
    else
        snprintf(text, sizeof text, "%ld runs%s, nothing found", model->runs,
                 model->runs >= RUNS ? " (cut)" : "");
    say(found == scenario->broken, scenario->name, text);
    if (found && !scenario->broken)
        model_show(scenario);
}

/* The next weaker orders of a site; ends with -1. */
static const int *weaker(int order)
{
    static const int none[] = {-1}, relaxed[] = {RING3_RELAXED, -1},
                     halves[] = {RING3_ACQUIRE, RING3_RELEASE, -1}, full[] = {RING3_ACQ_REL, -1};

    switch (order) {
    case RING3_ACQUIRE:
    case RING3_RELEASE:
        return relaxed;
    case RING3_ACQ_REL:
        return halves;
    case RING3_SEQ_CST:
        return full;
    default:
        return none;
    }
}

static const char *name_of(int order)
{
    switch (order) {
    case RING3_ACQUIRE:
        return "acquire";
    case RING3_RELEASE:
        return "release";
    case RING3_ACQ_REL:
        return "acq_rel";
    case RING3_SEQ_CST:
        return "seq_cst";
    default:
        return "relaxed";
    }
}

static const char *base(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* True if a line of redundant.txt begins with "file what order": such a site need not be caught. */
static bool listed(const char *key)
{
    char line[256];
    bool found = false;
    FILE *const list = fopen("tests/model/redundant.txt", "re");

    while (list && !found && fgets(line, sizeof line, list))
        found = strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':';
    if (list)
        fclose(list);
    return found;
}

static void weaken(const struct model_scenario *scenario, const struct model_site *site, int order)
{
    char name[200], key[160], text[256];

    snprintf(name, sizeof name, "%s with %s:%d %s made %s", scenario->name, base(site->file),
             site->line, site->what, name_of(order));
    snprintf(key, sizeof key, "%s %s %s %s", scenario->name, base(site->file), site->what,
             name_of(site->order));
    model->weakened = site;
    model->weakened_order = order;
    const bool found = model_explore(scenario, MUTANT_RUNS);

    model->weakened = NULL;
    if (found)
        snprintf(text, sizeof text, "found: %s, run %ld", model->violation, model->runs);
    else
        snprintf(text, sizeof text, "%s after %ld runs",
                 listed(key) ? "listed in redundant.txt" : "NOT FOUND", model->runs);
    say(found || listed(key), name, text);
}

static bool is_fence(const struct model_site *site)
{
    return strstr(site->what, "fence") != NULL;
}

static void mutate(const struct model_scenario *scenario)
{
    const struct model_site *sites[SITES];
    int count = 0;

    /* Which sites there are, this scenario's exploration has shown. */
    for (int i = 0; i < model->sites; i++)
        if (strstr(base(model->site[i]->file), scenario->watched))
            sites[count++] = model->site[i];
    for (int i = 0; i < count; i++) {
        if (is_fence(sites[i])) {
            if (sites[i]->order != RING3_RELAXED)
                weaken(scenario, sites[i], RING3_RELAXED);
            continue;
        }
        for (const int *order = weaker(sites[i]->order); *order >= 0; order++)
            weaken(scenario, sites[i], *order);
    }
}

int main(int argc, char **argv)
{
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const char *const only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : NULL;

    model_start();
    for (const struct model_scenario *scenario = first; scenario; scenario = scenario->next) {
        if (only && strcmp(only, scenario->name) != 0)
            continue;
        model->sites = 0;
        explore(scenario);
        if (scenario->watched && !quick)
            mutate(scenario);
    }
    printf("%d passed, %d failed\n", model->passed, model->failed);
    return model->failed != 0;
}
