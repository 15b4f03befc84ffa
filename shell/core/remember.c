/* SPDX-License-Identifier: MIT */
/* set -h: the programs of a function are looked for when it is defined (XCU set). */
#include "core/shell.h"

static void remember_list(struct shell *sh, const struct list *list)
{
    for (const struct list_item *item = list ? list->items : NULL; item; item = item->next)
        remember_programs(sh, item->command);
}

static void remember_simple(struct shell *sh, const struct simple *simple)
{
    const void *found;

    /* Looking a command up remembers the file. A name that an expansion makes is not known yet. */
    if (simple->words && simple->words->plain)
        command_look_up(sh, simple->words->plain, &found);
}

void remember_programs(struct shell *sh, const struct node *node)
{
    if (stack_is_low(sh))
        return;
    switch (node->kind) {
    case NODE_SIMPLE:
        remember_simple(sh, (const struct simple *)node);
        break;
    case NODE_PIPELINE:
        for (uint32_t i = 0; i < ((const struct pipeline *)node)->count; i++)
            remember_programs(sh, ((const struct pipeline *)node)->stages[i]);
        break;
    case NODE_AND_OR:
        remember_programs(sh, ((const struct and_or *)node)->first);
        for (const struct and_or_link *link = ((const struct and_or *)node)->links; link;
             link = link->next)
            remember_programs(sh, link->command);
        break;
    case NODE_LIST:
        remember_list(sh, (const struct list *)node);
        break;
    case NODE_GROUP:
    case NODE_SUBSHELL:
        remember_list(sh, ((const struct group *)node)->body);
        break;
    case NODE_IF:
        for (const struct branch *branch = ((const struct if_command *)node)->branches; branch;
             branch = branch->next) {
            remember_list(sh, branch->condition);
            remember_list(sh, branch->body);
        }
        remember_list(sh, ((const struct if_command *)node)->otherwise);
        break;
    case NODE_WHILE:
        remember_list(sh, ((const struct while_command *)node)->condition);
        remember_list(sh, ((const struct while_command *)node)->body);
        break;
    case NODE_FOR:
        remember_list(sh, ((const struct for_command *)node)->body);
        break;
    case NODE_CASE:
        for (const struct case_item *item = ((const struct case_command *)node)->items; item;
             item = item->next)
            remember_list(sh, item->body);
        break;
    default: /* a function inside: when it is defined */
        break;
    }
}
