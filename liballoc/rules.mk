# SPDX-License-Identifier: MIT
$(eval $(call ring3_library,alloc,liballoc,sync))
ifneq ($(wildcard liballoc/src/*.c),)
$(eval $(call ring3_preload,malloc,liballoc,alloc sync))
endif
$(eval $(call ring3_tools,liballoc,alloc sync))
# They know the layout of what they look at in other processes.
$(call objects_of,$(wildcard liballoc/tools/*.c)): private cflags += -iquote liballoc/src
$(B)/obj/liballoc/tools/heap_compare.o: private cflags += -DRING3_LIBDIR='"$(LIBDIR)"'
$(B)/obj/liballoc/tools/heap_compare.o: $(B)/libdir
# Exceptions pass through operator new.
$(B)/obj/liballoc/preload/new.o: private cflags += -fexceptions
# Reports of misuse name callers; the unwinder is linked in, so that the object needs no library but libc.
$(B)/lib/libring3-malloc.so: private ldflags += -static-libgcc

# The code that every program runs comes first, with what libc adds to it, so that what lies behind need not be resident:
# neither at the start nor, for an empty _fini, at the end.
$(B)/lib/libring3-malloc.so: private ldflags += $(if $(SAN),,-Wl$(comma)-u$(comma)pthread_atfork -lc -Wl$(comma)-fini=none)
$(B)/lib/libring3-malloc.so: $(patsubst %,$(B)/obj/%.o,liballoc/src/front libsync/src/env libsync/src/arch \
	$(addprefix liballoc/src/,malloc policy_slab cache slab spans arenas placement_buddy buddy pages classes guard) \
	libsync/src/mutex)
