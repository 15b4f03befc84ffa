/* SPDX-License-Identifier: MIT */
/* Allocation at every stage of a process's and a thread's life; prints the stages it lived. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *from_before;

static void say(const char *stage)
{
    char *const copy = strdup(stage); /* allocated, filled, read back */

    if (!copy || write(STDOUT_FILENO, copy, strlen(copy)) < 0)
        _exit(3);
    free(copy);
}

static void preinit(void)
{
    from_before = strdup("kept ");
    say("preinit ");
}

__attribute__((section(".preinit_array"), used)) static void (*const run_preinit)(void) = preinit;

__attribute__((constructor(101))) static void constructor(void)
{
    say("constructor ");
}

__attribute__((destructor)) static void destructor(void)
{
    say("destructor\n");
}

static void at_exit(void)
{
    say("atexit ");
}

static void key_destructor(void *block)
{
    free(block);
    free(malloc(5000));
    say("key ");
}

static void *thread(void *key)
{
    pthread_setspecific(*(pthread_key_t *)key, malloc(100));
    free(malloc(100));
    return strdup("thread ");
}

int main(int argc, char **argv)
{
    pthread_key_t key;
    pthread_t id;
    void *result;

    say(from_before);
    free(from_before);
    atexit(at_exit);
    if (pthread_key_create(&key, key_destructor) || pthread_create(&id, NULL, thread, &key) ||
        pthread_join(id, &result))
        return 4;
    say(result);
    free(result);
    if (argc > 1) {
        void *const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        char *(*const get)(void) = plugin ? (char *(*)(void))dlsym(plugin, "plugin_text") : NULL;

        if (!get)
            return 5;
        result = get();
        say(result);
        free(result); /* allocated by the plugin */
        dlclose(plugin);
    }
    return 0;
}
