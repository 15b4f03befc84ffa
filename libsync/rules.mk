# SPDX-License-Identifier: MIT
$(eval $(call ring3_library,sync,libsync,))
$(eval $(call ring3_tools,libsync,sync))

$(B)/obj/libsync/tools/main.o: private cflags += -DRING3_VERSION='"$(VERSION)"'
$(B)/obj/libsync/tools/run.o: private cflags += -DRING3_LIBDIR='"$(LIBDIR)"'
$(B)/obj/libsync/tools/run.o: $(B)/libdir
$(eval $(call ring3_preload,locks,libsync,sync))
# A thread that is cancelled while it waits unwinds these.
$(B)/obj/libsync/preload/cond.o $(B)/obj/libsync/preload/semaphore.o $(B)/obj/libsync/preload/thread.o \
	$(B)/obj/libsync/preload/c11.o $(B)/obj/libsync/preload/watcher.o: private cflags += -fexceptions
# It shares the profile's layout and its reports with the object that keeps it.
$(B)/obj/libsync/tools/lockstat.o: private cflags += -iquote libsync/src
