# SPDX-License-Identifier: MIT
# ring3: `make help` lists the targets. Every folder brings its own rules.mk; this file holds the shared machinery.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all
SHELL := /bin/bash
# Commands are shown as `CC file`; V=1 shows them whole.
Q := $(if $(filter 1,$(V)),,@)
# $(call say,what): the short line
say = @$(if $(filter 1,$(V)),:,printf '  %-6s %s\n' $(1) $@)

# --- Choices on the command line -------------------------------------------------------------------------------------
# CC=gcc|clang|…  SAN=address|undefined|thread (comma-separated)  DEBUG=1  WERROR=1  DEPS=auto|check|no
ifeq ($(origin CC),default)
CC := gcc
endif
comma := ,
space := $() $()
cc_name := $(notdir $(firstword $(CC)))
CXX := $(if $(findstring clang,$(cc_name)),$(patsubst clang%,clang++%,$(cc_name)),$(patsubst %gcc,%g++,$(cc_name)))
WERROR ?= 0
DEPS ?= auto
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# Each combination of choices builds into a directory of its own; the plain one is build/ itself.
variant := $(patsubst -%,%,$(if $(filter-out gcc,$(cc_name)),-$(cc_name))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter 1,$(DEBUG)),-debug)$(if $(TEST_FRAMEWORK),-$(TEST_FRAMEWORK)))
B := build$(if $(variant),/$(variant))

# --- Flags -----------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion
CFLAGS ?= $(if $(filter 1,$(DEBUG)),-O0,-O2) -g
cflags := -std=gnu17 $(CFLAGS) $(WARN) -fno-plt -fvisibility=hidden -D_GNU_SOURCE \
	$(if $(filter 1,$(DEBUG)),-DRING3_DEBUG=1) $(if $(filter 1,$(WERROR)),-Werror) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ldflags := $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))
# Library objects serve the archive and the shared object alike. Their thread-locals are few and small, so that they
# fit the static TLS block even when the library comes by dlopen.
library_cflags := -fPIC -ftls-model=initial-exec
# Programs and preload objects face hostile input.
hardening := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
hardening := $(if $(SAN)$(filter 1,$(DEBUG)),,$(hardening))
now := -Wl,-z,relro,-z,now

# --- Shared machinery --------------------------------------------------------------------------------------------------
# A build with other flags is another build: everything depends on this stamp, which changes only when they do.
stamp := $(B)/flags
# $(call keep,file,text): give the file that text, unless it has it.
keep = $(shell mkdir -p $(dir $(1)); [ "$$(cat $(1) 2>/dev/null)" = '$(subst ','\'',$(2))' ] || printf '%s\n' '$(subst ','\'',$(2))' > $(1))
$(call keep,$(stamp),$(CC) $(cflags) $(ldflags))
# Only `ring3 run` knows where it will be installed.
$(call keep,$(B)/libdir,$(LIBDIR))

objects_of = $(patsubst %,$(B)/obj/%.o,$(basename $(1)))

# $(call ring3_include,short names): include flags of those libraries.
ring3_include = $(foreach l,$(1),-I$($(l)_dir)/include)
# $(call ring3_archives,short names): their archives, in link order.
ring3_archives = $(patsubst %,$(B)/lib/libring3-%.a,$(1))

# $(call ring3_library,short name,folder,libraries it uses): static and shared library, from folder/src.
define ring3_library
$(1)_dir := $(2)
$(1)_uses := $(3)
$(1)_sources := $$(wildcard $(2)/src/*.c $(2)/src/*.S $(2)/src/*/*.c $(2)/src/*/*.S)
headers += $$(wildcard $(2)/include/ring3/*.h $(2)/include/ring3/*.hpp $(2)/include/ring3/*/*.h)
ifneq ($$($(1)_sources),)
libraries += $(1)
$$(call objects_of,$$($(1)_sources)): private cflags += $(library_cflags) $$(call ring3_include,$(1) $(3)) -iquote $(2)/src
$(B)/lib/libring3-$(1).a: $$(call objects_of,$$($(1)_sources))
$(B)/lib/libring3-$(1).so.$(SOVERSION): $(2)/libring3-$(1).map $$(call objects_of,$$($(1)_sources)) $(patsubst %,$(B)/lib/libring3-%.so,$(3))
endif
endef

# $(call ring3_preload,name,folder,libraries linked in): one self-contained object from folder/preload for LD_PRELOAD.
define ring3_preload
preloads += $(1)
$(1)_preload_sources := $$(wildcard $(2)/preload/*.c $(2)/preload/*.S)
$$(call objects_of,$$($(1)_preload_sources)): private cflags += $(library_cflags) $(hardening) -fno-builtin \
	$$(call ring3_include,$(3)) -iquote $(2)/src -iquote $(2)/preload
$(B)/lib/libring3-$(1).so: $(2)/preload/libring3-$(1).map $$(call objects_of,$$($(1)_preload_sources)) $$(call ring3_archives,$(3))
endef

# $(call ring3_tools,folder,libraries): verbs of the `ring3` command, from folder/tools.
define ring3_tools
tool_sources += $$(wildcard $(1)/tools/*.c)
tool_libraries += $(2)
$$(call objects_of,$$(wildcard $(1)/tools/*.c)): private cflags += $(hardening) $$(call ring3_include,$(2)) -iquote libsync/tools -iquote $(1)/tools
endef

include libsync/rules.mk liballoc/rules.mk libthreadpool/rules.mk libipc/rules.mk libsched_user/rules.mk shell/rules.mk
include bench/rules.mk tests/rules.mk docs/rules.mk

$(B)/obj/%.o: %.c $(stamp)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.S $(stamp)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -MMD -MP -c $< -o $@

$(B)/lib/%.a:
	$(call say,AR)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# Threads keep records, destructors and parked waiters in our libraries, so dlclose does not unload them.
$(B)/lib/libring3-%.so.$(SOVERSION):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) $(now) -shared -Wl,-soname,$(@F) -Wl,--version-script=$< -Wl,-z,nodelete \
		$(if $(SAN),,-Wl,-z,defs) -o $@ $(filter %.o,$^) -L$(B)/lib $(patsubst $(B)/lib/lib%.so,-l%,$(filter %.so,$^))

$(foreach l,$(libraries),$(B)/lib/libring3-$(l).so): $(B)/lib/%.so: $(B)/lib/%.so.$(SOVERSION)
	@ln -sf $(<F) $@

# Interposition objects take part in symbol lookup by design: only what their map names is visible.
$(foreach p,$(preloads),$(B)/lib/libring3-$(p).so):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) $(now) -shared -Wl,-soname,$(@F) -Wl,--version-script=$< -Wl,-z,initfirst -Wl,-z,nodelete \
		$(if $(SAN),,-Wl,-z,defs) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(B)/bin/ring3: $(call objects_of,$(tool_sources)) $(call ring3_archives,$(sort $(tool_libraries)))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) $(now) -pie -o $@ $(filter %.o,$^) $(filter %.a,$^)

library_files := $(foreach l,$(libraries),$(B)/lib/libring3-$(l).a $(B)/lib/libring3-$(l).so)
preload_files := $(foreach p,$(preloads),$(B)/lib/libring3-$(p).so)
programs += $(B)/bin/ring3

# --- Targets -----------------------------------------------------------------------------------------------------------
.PHONY: all deps test bench stress valgrind check-report install uninstall format lint clean help

all: $(library_files) $(preload_files) $(programs) ## Build every library, preload object and program

deps: ## Install the Debian packages that are missing (apt; as root or with passwordless sudo)
	@DEPS=$(DEPS) tests/deps.sh

install: all ## Install under $(DESTDIR)$(PREFIX): libraries, headers, pkg-config files, programs, man pages
	$(install)

uninstall: ## Remove what `make install` put there, with the same DESTDIR, PREFIX and LIBDIR
	$(install)

install = @B=$(B) PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' DESTDIR='$(DESTDIR)' VERSION=$(VERSION) SOVERSION=$(SOVERSION) \
	HEADERS='$(headers)' PRELOADS='$(preloads)' PROGRAMS='$(programs)' \
	LIBRARIES='$(foreach l,$(libraries),$(l):$($(l)_dir):$(subst $(space),$(comma),$($(l)_uses)))' docs/install.sh $@

format: ## Reformat every C file in place
	clang-format -i $$(git ls-files '*.c' '*.h')

lint: ## Check formatting, shell scripts, man pages and common mistakes
	@tests/lint.sh

clean: ## Remove everything that was built
	rm -rf build

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort
	@echo
	@echo '  Choices: CC=gcc|clang  SAN=address|undefined|thread  DEBUG=1  WERROR=1  DEPS=auto|check|no  FULL=1 (bench)'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
