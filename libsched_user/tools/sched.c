/* SPDX-License-Identifier: MIT */
/* `ring3 sched`: schedules on a virtual clock, and policies compared. */
#include "sched_top.h"
#include "verb.h"

#include "ring3/sim.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FAILED = 1, USAGE = 2 };

/* More rows than anybody would compare. */
#define POLICIES_MOST 32

static const char usage[] =
    "usage: ring3 sched sim [option ...] FILE\n"
    "       ring3 sched sim [option ...] --generate=JOBS\n"
    "       ring3 sched policies\n"
    "       ring3 sched top [-t] [-n COUNT] [-d SECONDS] PID\n"
    "\n"
    "Runs jobs under scheduling policies on a virtual clock; FILE may be - for stdin.\n"
    "\n"
    "  --policy=NAME[,key=value,...]  the policy (fcfs); several to compare them\n"
    "  --all                          compare all policies\n"
    "  --cpus=N                       how many CPUs (1), with a queue each\n"
    "  --global                       one queue for all CPUs\n"
    "  --cosched                      when a job is picked, the others of its gang get CPUs too\n"
    "  --gang                         jobs of a gang run all at once or not at all\n"
    "  --inherit                      lock holders inherit priorities\n"
    "  --switch-cost=TIME             CPU time that a switch takes (0)\n"
    "  --until=TIME                   stop then\n"
    "  --svg=FILE                     write the schedules as a picture\n"
    "  --gantt                        print the schedule only, on one line for each CPU\n"
    "  --generate=JOBS                make jobs up; with --seed=N (1), --gap=TIME (10),\n"
    "                                 --burst=TIME (10), --io=TIME (20), --bursts=N (3),\n"
    "                                 --io-part=PERCENT (50)\n"
    "  --help                         this text\n"
    "\n"
    "Times are milliseconds, or end in ns, us, ms or s. A job file has lines like\n"
    "\n"
    "  job P1 arrive=0 cpu=7\n"
    "  job editor cpu=1 io=5 repeat=10 prio=100 nice=-5 weight=2 queue=0 class=fair\n"
    "  job left gang=pair cpu=4\n"
    "  job sensor period=50 deadline=40 cpu=20\n"
    "  job low prio=130 cpu=1 lock=bus cpu=4 unlock=bus cpu=1\n"
    "\n"
    "top shows the workers of process PID, which must use ring3's threads, COUNT times\n"
    "(until interrupted), SECONDS apart (1); with -t its threads too. The process is not\n"
    "stopped, and notices nothing. Needs the rights of a debugger (ptrace(2)).\n"
    "\n"
    "Exit status: 0; 1 if a job file is wrong, or a process cannot be looked into or has\n"
    "no such threads, also when it ends meanwhile; 2 if an argument is wrong.\n";

struct request {
    const char *policies[POLICIES_MOST];
    size_t policy_count;
    const char *file, *svg;
    bool gantt, generate;
    ring3_sim_options_t options;
    ring3_sim_generator_t generator;
};

/* --- Arguments -------------------------------------------------------------------------------- */

static const char *value_of(const char *argument, const char *name)
{
    const size_t length = strlen(name);

    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1
                                                                           : NULL;
}

static bool read_count(const char *value, unsigned long least, unsigned long most,
                       unsigned long *count)
{
    char *end;

    errno = 0;
    *count = strtoul(value, &end, 10);
    return *value >= '0' && *value <= '9' && *end == '\0' && errno == 0 && *count >= least &&
           *count <= most;
}

static bool read_time(const char *value, int64_t *ns)
{
    return ring3_policy_read_time(value, strlen(value), ns);
}

static bool read_option(struct request *request, const char *argument)
{
    ring3_sim_generator_t *const generator = &request->generator;
    unsigned long count;
    const char *value;

    if ((value = value_of(argument, "--policy"))) {
        if (request->policy_count == POLICIES_MOST)
            return false;
        request->policies[request->policy_count++] = value;
        return true;
    }
    if (strcmp(argument, "--all") == 0) {
        for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++)
            if (request->policy_count < POLICIES_MOST)
                request->policies[request->policy_count++] = (*policy)->name;
        return true;
    }
    if ((value = value_of(argument, "--cpus"))) {
        if (!read_count(value, 1, RING3_SIM_CPUS, &count))
            return false;
        request->options.cpus = (unsigned)count;
        return true;
    }
    if ((value = value_of(argument, "--switch-cost")))
        return read_time(value, &request->options.switch_cost);
    if ((value = value_of(argument, "--until")))
        return read_time(value, &request->options.until);
    if ((value = value_of(argument, "--svg"))) {
        request->svg = value;
        return true;
    }
    if ((value = value_of(argument, "--generate"))) {
        if (!read_count(value, 1, 1000000, &count))
            return false;
        request->generate = true;
        generator->jobs = (uint32_t)count;
        return true;
    }
    if ((value = value_of(argument, "--seed"))) {
        if (!read_count(value, 0, ULONG_MAX, &count))
            return false;
        generator->seed = count;
        return true;
    }
    if ((value = value_of(argument, "--bursts"))) {
        if (!read_count(value, 1, 10000, &count))
            return false;
        generator->bursts = (uint32_t)count;
        return true;
    }
    if ((value = value_of(argument, "--io-part"))) {
        if (!read_count(value, 0, 100, &count))
            return false;
        generator->io_part = (uint32_t)count;
        return true;
    }
    if ((value = value_of(argument, "--gap")))
        return read_time(value, &generator->gap);
    if ((value = value_of(argument, "--burst")))
        return read_time(value, &generator->burst);
    if ((value = value_of(argument, "--io")))
        return read_time(value, &generator->io);
    if (strcmp(argument, "--global") == 0)
        return request->options.global = true;
    if (strcmp(argument, "--cosched") == 0) {
        request->options.gangs = RING3_SIM_COSCHEDULED;
        return true;
    }
    if (strcmp(argument, "--gang") == 0) {
        request->options.gangs = RING3_SIM_GANG;
        return true;
    }
    if (strcmp(argument, "--inherit") == 0)
        return request->options.inherit = true;
    if (strcmp(argument, "--gantt") == 0)
        return request->gantt = true;
    return false;
}

static int read_arguments(struct request *request, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
            if (request->file) {
                fprintf(stderr, "ring3 sched: one file only, not also %s\n", argv[i]);
                return USAGE;
            }
            request->file = argv[i];
        } else if (!read_option(request, argv[i])) {
            fprintf(stderr, "ring3 sched: cannot use %s; `ring3 sched --help` says more\n",
                    argv[i]);
            return USAGE;
        }
    }
    if (!request->file == !request->generate) {
        fprintf(stderr, "ring3 sched: a job file or --generate=JOBS is needed\n");
        return USAGE;
    }
    if (request->policy_count == 0)
        request->policies[request->policy_count++] = "fcfs";
    return 0;
}

/* --- Jobs ------------------------------------------------------------------------------------- */

static char *read_all(const char *file, size_t *length)
{
    FILE *const stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    char *text = NULL;
    size_t room = 0;

    *length = 0;
    if (!stream)
        return NULL;
    for (;;) {
        if (room - *length < 4096) {
            char *const larger = realloc(text, room += 65536);

            if (!larger)
                break;
            text = larger;
        }

        const size_t got = fread(text + *length, 1, room - *length, stream);

        *length += got;
        if (got == 0)
            break;
    }
    if (ferror(stream)) {
        free(text);
        text = NULL;
    }
    if (stream != stdin)
        (void)fclose(stream);
    return text;
}

static int load(const struct request *request, ring3_sim_workload_t *work)
{
    ring3_sim_error_t error;
    size_t length;
    char *text;
    int err;

    if (request->generate) {
        err = ring3_sim_generate(&request->generator, work);
        if (err)
            fprintf(stderr, "ring3 sched: cannot make these jobs: %s\n", strerror(-err));
        return err ? USAGE : 0;
    }
    text = read_all(request->file, &length);
    if (!text) {
        fprintf(stderr, "ring3 sched: %s: %s\n", request->file, strerror(errno));
        return FAILED;
    }
    err = ring3_sim_read(text, length, work, &error);
    free(text);
    if (err == -EINVAL)
        fprintf(stderr, "%s:%d:%d: %s\n", request->file, error.line, error.column, error.reason);
    else if (err)
        fprintf(stderr, "ring3 sched: %s\n", strerror(-err));
    return err ? FAILED : 0;
}

/* --- Runs ------------------------------------------------------------------------------------- */

static int simulate(struct request *request, const ring3_sim_workload_t *work, const char *name,
                    ring3_sim_result_t *result)
{
    int err = ring3_policy_parse("ring3 sched: --policy", name, &request->options.policy,
                                 &request->options.params);

    if (err) {
        if (!request->options.policy)
            fprintf(stderr, "ring3 sched: no policy in \"%s\"; `ring3 sched policies` lists them\n",
                    name);
        return USAGE;
    }
    err = ring3_sim_run(work, &request->options, result);
    if (err == -EINVAL)
        fprintf(stderr, "ring3 sched: these jobs never end, or are pinned to a CPU that is not "
                        "there; try --until or --cpus\n");
    else if (err)
        fprintf(stderr, "ring3 sched: %s\n", strerror(-err));
    return err ? FAILED : 0;
}

static int write_picture(const struct request *request, const ring3_sim_workload_t *work,
                         const ring3_sim_result_t *results)
{
    FILE *const out = fopen(request->svg, "we");

    if (out)
        ring3_sim_write_svg(out, work, request->policies, results, request->policy_count);
    if (!out || fclose(out) != 0) {
        fprintf(stderr, "ring3 sched: %s: %s\n", request->svg, strerror(errno));
        return FAILED;
    }
    return 0;
}

static int sim(int argc, char **argv)
{
    static ring3_sim_result_t results[POLICIES_MOST];
    struct request request = {.generator = {.seed = 1,
                                            .gap = 10000000,
                                            .burst = 10000000,
                                            .io = 20000000,
                                            .bursts = 3,
                                            .io_part = 50}};
    ring3_sim_workload_t work;
    int status = read_arguments(&request, argc, argv);

    if (status == 0)
        status = load(&request, &work);
    if (status)
        return status;
    if (request.policy_count > 1 && !request.gantt)
        ring3_sim_print_summary(stdout, NULL, NULL);
    for (size_t i = 0; i < request.policy_count && status == 0; i++) {
        status = simulate(&request, &work, request.policies[i], &results[i]);
        if (status)
            break;
        if (request.gantt)
            ring3_sim_print_gantt(stdout, &work, &results[i]);
        else if (request.policy_count > 1)
            ring3_sim_print_summary(stdout, request.policies[i], &results[i]);
        else
            ring3_sim_print(stdout, &work, &results[i]);
    }
    if (status == 0 && request.svg)
        status = write_picture(&request, &work, results);
    for (size_t i = 0; i < request.policy_count; i++)
        ring3_sim_result_free(&results[i]);
    ring3_sim_workload_free(&work);
    return status;
}

static int list_policies(void)
{
    for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++)
        printf("%-12s %s\n", (*policy)->name, (*policy)->summary);
    return 0;
}

static int sched(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    if (argc > 1 && strcmp(argv[1], "sim") == 0)
        return sim(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "policies") == 0)
        return list_policies();
    if (argc > 1 && strcmp(argv[1], "top") == 0)
        return sched_top(argc - 1, argv + 1);
    fprintf(stderr, "ring3 sched: sim, policies or top? `ring3 sched --help` says more\n");
    return USAGE;
}

RING3_VERB(sched, "simulate and compare scheduling policies", sched);
