# SPDX-License-Identifier: MIT
$(eval $(call ring3_library,threadpool,libthreadpool,sync))
$(eval $(call ring3_tools,libthreadpool,threadpool sync))
# A task may end its thread: clean-up handlers then run frame by frame, and cost nothing otherwise.
$(B)/obj/libthreadpool/src/%.o: private cflags += -fexceptions
# It knows the layout of what it looks at in other processes.
$(call objects_of,$(wildcard libthreadpool/tools/*.c)): private cflags += -iquote libthreadpool/src
