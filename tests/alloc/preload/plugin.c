/* SPDX-License-Identifier: MIT */
/* A shared object that allocates when it is opened, called and closed. */
#include <stdlib.h>
#include <string.h>

char *plugin_text(void);

static char *held;

__attribute__((constructor)) static void opened(void)
{
    held = strdup("plugin ");
}

__attribute__((destructor)) static void closed(void)
{
    free(held);
}

char *plugin_text(void)
{
    return strdup(held);
}
