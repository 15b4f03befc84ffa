# SPDX-License-Identifier: MIT
# bench/README.md says how to add a benchmark, a peer and a chart.

# $(call ring3_peer,name,Debian package,shell command that finds it,link flags)
# A library to compare with. A source file bench/*/<name>.c or .cc needs it and is left out, with a note, where it is absent.
define ring3_peer
bench_peers += $(1)
$(1)_package := $(2)
$(1)_found := $$(shell { $(3); } >/dev/null 2>&1 && echo found || echo absent)
$(1)_link := $(4)
endef
# $(call header_exists,header,language option)
header_exists = echo '\#include <$(1)>' | $(CC) $(2) -E -

# Looked for only when something of the bench is asked for.
ifneq ($(filter bench% check-report $(B)/bench/%,$(MAKECMDGOALS)),)
$(eval $(call ring3_peer,ck,libck-dev,pkg-config ck,-lck))
$(eval $(call ring3_peer,openmp,gcc,echo 'int main(void) { return 0; }' | $(CC) -fopenmp -x c - -o /dev/null,-fopenmp))
$(eval $(call ring3_peer,urcu,liburcu-dev,$(call header_exists,urcu/urcu-memb.h),-lurcu-memb -lurcu-common))
$(eval $(call ring3_peer,urcuinline,liburcu-dev,$(call header_exists,urcu/urcu-memb.h),-lurcu-memb -lurcu-common))
$(eval $(call ring3_peer,zmq,libzmq3-dev,pkg-config libzmq,-lzmq))
# Before nng, which has functions of the same names.
$(eval $(call ring3_peer,nanomsg,libnanomsg-dev,pkg-config nanomsg,-lnanomsg))
$(eval $(call ring3_peer,nng,libnng-dev,$(call header_exists,nng/nng.h),-lnng))
$(eval $(call ring3_peer,boost,libboost-dev,$(call header_exists,boost/interprocess/ipc/message_queue.hpp,-x c++),))
$(eval $(call ring3_peer,boostfiber,libboost-fiber-dev,$(call header_exists,boost/fiber/fiber.hpp,-x c++),-lboost_fiber -lboost_context))
$(eval $(call ring3_peer,sdbus,libsystemd-dev,pkg-config libsystemd,-lsystemd))
$(eval $(call ring3_peer,tbb,libtbb-dev,$(call header_exists,tbb/task_group.h,-x c++),-ltbb))
$(eval $(call ring3_peer,uv,libuv1-dev,pkg-config libuv,-luv))
$(eval $(call ring3_peer,pth,libpth-dev,$(call header_exists,pth.h),-lpth))
$(eval $(call ring3_peer,st,libst-dev,$(call header_exists,st.h),-lst))
$(eval $(call ring3_peer,go,golang-go,go version))
$(eval $(call ring3_peer,nsync,libnsync-dev,$(call header_exists,nsync.h),-lnsync))
endif
bench_absent := $(foreach p,$(bench_peers),$(if $(filter absent,$($(p)_found)),$(p)))

# $(call ring3_bench,name,libraries): bench/<name>/*.c and *.cc on Google Benchmark, as build/bench/<name>.
define ring3_bench
benches += $(1)
bench_programs += $(B)/bench/$(1)
$(1)_bench_sources := $$(filter-out $(foreach p,$(bench_absent),%/$(p).c %/$(p).cc),$$(wildcard bench/$(1)/*.c bench/$(1)/*.cc))
$$(call objects_of,$$($(1)_bench_sources)): private cflags += -iquote bench $$(call ring3_include,$(2))
$(B)/bench/$(1): private bench_libs := -lbenchmark \
	$$(foreach p,$(bench_peers),$$(if $$(filter %/$$(p).c %/$$(p).cc,$$($(1)_bench_sources)),$$($$(p)_link)))
$(B)/bench/$(1): $(B)/obj/bench/shim.o $$(call objects_of,$$($(1)_bench_sources)) $$(call ring3_archives,$(2))
endef

$(eval $(call ring3_bench,locks,sync))
$(eval $(call ring3_bench,pool,threadpool sched sync))
$(eval $(call ring3_bench,memory,alloc sync))
$(eval $(call ring3_bench,sync,sync))
$(eval $(call ring3_bench,sched,sched sync))
$(eval $(call ring3_bench,selftest,sync))
$(call objects_of,bench/pool/openmp.c): private cflags += -fopenmp

# Boost's and oneTBB's headers are not as strict as ours.
$(call objects_of,bench/sched/boostfiber.cc bench/sched/tbb.cc): private cflags += -w
# Go programs of their own: goroutines come with a runtime that cannot be linked in.
ifeq ($(go_found),found)
bench_programs += $(B)/bench/pool-go $(B)/bench/sched-go
endif
$(B)/bench/%-go: bench/%/go/main.go
	$(call say,GO)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOFLAGS= GOCACHE=$(abspath $(B))/obj/go go build -o $@ $<

# The transports are those of `ring3 ipc bench`; the stubs of the remote call are generated.
$(eval $(call ring3_bench,ipc,ipc alloc sync))
$(B)/bench/ipc: $(call objects_of,libipc/tools/transports.c)
$(call objects_of,$(wildcard bench/ipc/*.c bench/ipc/*.cc)): private cflags += -iquote libipc/tools -iquote $(B)/gen
$(B)/gen/adder.h $(B)/gen/adder.c &: bench/ipc/adder.idl $(B)/gen/rpcgen
	$(Q)$(B)/gen/rpcgen $< $(B)/gen/adder.h $(B)/gen/adder.c
$(call objects_of,bench/ipc/remote.c): $(B)/gen/adder.h $(B)/gen/adder.c

$(B)/obj/bench/%.o: bench/%.cc $(stamp)
	$(call say,CXX)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 $(filter-out -std=% -Wshadow -Wstrict-prototypes -Wmissing-prototypes,$(cflags)) \
		-iquote bench -Ilibsync/include -MMD -MP -c $< -o $@

$(foreach b,$(benches),$(B)/bench/$(b)):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(filter-out -std=% -Wstrict-prototypes -Wmissing-prototypes,$(cflags)) $(ldflags) -o $@ \
		$(filter %.o,$^) $(filter %.a,$^) $(bench_libs) -lpthread

# $(call ring3_plain_bench,program,sources,libraries): a program without the harness. Without -fno-builtin compilers would
# remove pairs of malloc and free.
define ring3_plain_bench
bench_programs += $(B)/bench/$(1)
bench_plain += $(B)/bench/$(1)
$$(call objects_of,$(2)): private cflags += -fno-builtin $$(call ring3_include,$(3))
$(B)/bench/$(1): $$(call objects_of,$(2)) $$(call ring3_archives,$(3))
endef

$(eval $(call ring3_plain_bench,malloc-work,$(wildcard bench/malloc/*.c),))
$(eval $(call ring3_plain_bench,preload-work,$(wildcard bench/preload/*.c),))
$(eval $(call ring3_plain_bench,instructions,$(wildcard bench/instructions/*.c),sched sync))
$(call objects_of,bench/instructions/main.c): private cflags += -iquote bench/sched
$(eval $(call ring3_plain_bench,launch,bench/launch.c,))
$(eval $(call ring3_plain_bench,echo-client,bench/sched/client/main.c,sync))
$(call objects_of,bench/sched/client/main.c): private cflags += -iquote bench -iquote bench/sched
$(eval $(call ring3_plain_bench,shell-start,bench/shell/start.c,))
$(eval $(call ring3_plain_bench,shell-latency,bench/shell/latency.c,))
$(call objects_of,bench/shell/latency.c): private cflags += -iquote shell
$(B)/bench/shell-latency: $(B)/lib/libr3sh-parts.a
$(B)/bench/shell-latency: private plain_libs := $(shell_parts_libs)

$(bench_plain):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(plain_libs) -lpthread

bench_size := $(if $(filter 1,$(TINY)),tiny,$(if $(filter 1,$(FULL)),full,quick))

.PHONY: bench-programs bench-report bench-instructions
bench: deps ## Measure ring3 against its peers and write build/report/index.html (FULL=1: the whole sweep; TINY=1: seconds)
	@$(MAKE) DEPS=no all bench-programs
	@B=$(B) CC='$(CC)' bench/run.py --size=$(bench_size)
	@B=$(B) bench/report.py

bench-programs: $(bench_programs) ## Build the benchmarks without running them
	@mkdir -p $(B)/bench
	@printf '%s\n' $(foreach p,$(bench_peers),'$(p) $($(p)_package) $($(p)_found)') > $(B)/bench/peers

bench-instructions: ## Count instructions of fast paths and compare with bench/instructions.txt (UPDATE=1: write it)
	@$(MAKE) DEPS=no all $(B)/bench/instructions
	@B=$(B) CC='$(cc_name)' bench/instructions.sh $(if $(filter 1,$(UPDATE)),--update)

bench-report: ## Write the page again from the figures of the last `make bench`
	@B=$(B) bench/report.py

check-report: ## Open the report in headless Chromium (unpacked under build/peers) and check its charts
	@B=$(B) bench/check_report.py
