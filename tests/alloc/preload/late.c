/* SPDX-License-Identifier: MIT */
/* Opens libring3-malloc.so (argument 1) in a process that has long used libc's malloc: both heaps
 * work side by side. With a second argument a block of the one goes to the free of the other. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void *allocate_function(size_t size);
typedef void free_function(void *block);

static void *use_both(void *handle)
{
    allocate_function *const allocate = (allocate_function *)dlsym(handle, "malloc");
    free_function *const release = (free_function *)dlsym(handle, "free");

    for (size_t i = 0; i < 10000; i++) {
        char *const theirs = allocate(i % 3000), *const libcs = malloc(i % 3000);

        if (!theirs || !libcs)
            exit(3);
        release(theirs);
        free(libcs);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    void *const block = malloc(100);
    void *const handle = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    pthread_t thread;

    if (!handle) {
        puts(dlerror());
        return 2;
    }
    if (argc > 2) {
        ((free_function *)dlsym(handle, "free"))(block);
        return 0;
    }
    if (pthread_create(&thread, NULL, use_both, handle))
        return 4;
    use_both(handle);
    pthread_join(thread, NULL);

    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        use_both(handle);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status)
        return 5;
    free(block);
    dlclose(handle);
    puts("both");
    return 0;
}
