# SPDX-License-Identifier: MIT
$(eval $(call ring3_library,ipc,libipc,alloc sync))
$(eval $(call ring3_tools,libipc,ipc alloc sync))
# Watching a channel from outside takes its layout.
$(call objects_of,libipc/tools/watch.c): private cflags += -iquote libipc/src
