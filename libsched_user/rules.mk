# SPDX-License-Identifier: MIT
$(eval $(call ring3_library,sched,libsched_user,sync))
$(eval $(call ring3_tools,libsched_user,sched sync))
$(eval $(call ring3_preload,gate,libsched_user,sched sync))
# A thread that is cancelled while it waits outside, or between a call and its wait, unwinds these.
$(call objects_of,$(wildcard libsched_user/preload/*.c)): private cflags += -fexceptions
# It knows the layout of what it looks at in other processes.
$(call objects_of,$(wildcard libsched_user/tools/*.c)): private cflags += -iquote libsched_user/src
# It names places as the reports of locks do.
$(call objects_of,libsched_user/src/dump.c): private cflags += -iquote libsync/src
# It defines read, poll and others, of which libc's hardening would bring inline versions.
$(B)/obj/libsched_user/preload/blocking.o: private cflags += -U_FORTIFY_SOURCE
