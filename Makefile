# Procope: one Makefile; each folder adds its parts through a rules.mk of its own.
#   make | make demo | make test | make sim | make bench | make compare | make predict | make lint | make asan | make tsan |
#   make fuzz | make coverage | make install (PREFIX, DESTDIR) | make clean.   `make help` tells what each does.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),/$(SANITIZE))
PREFIX   ?= /usr/local
VERSION  := $(shell sed -n 's/^.define PROCOPE_VERSION "\(.*\)"/\1/p' version.h)
CC       ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG    ?= $(firstword $(shell command -v clang-14 clang-16 clang-19 clang 2>/dev/null) clang)
BPFTOOL  ?= $(firstword $(shell command -v bpftool /usr/sbin/bpftool 2>/dev/null) bpftool)

CPPFLAGS += -D_GNU_SOURCE -Idsmcore/include -I. -I$(BUILD)/gen
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu17 -Wall -Wextra -Werror -fno-omit-frame-pointer -fvisibility=hidden
LDFLAGS  += -Wl,--build-id=sha1
ifeq ($(SANITIZE),asan)
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined -DDSM_ASAN
LDFLAGS  += -fsanitize=address,undefined
endif
ifeq ($(SANITIZE),tsan)
# DSM_BASE: a range that the sanitizer takes for the program's own. It is not told where functions begin and end, for
# an aborted attempt leaves them without a return. -Wno-tsan: it knows no fences; ours order rings that two processes
# share, where it sees one side only.
DSM_BASE ?= 0x1000000000ull
CFLAGS   += -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 -DDSM_TSAN -Wno-tsan
LDFLAGS  += -fsanitize=thread
endif
ifeq ($(SANITIZE),coverage)
CFLAGS   += --coverage -O0
LDFLAGS  += --coverage
endif

# Where the DSM lies in each node (dsmcore/memory/region.h has the default).
ifneq ($(DSM_BASE),)
CPPFLAGS += -DDSM_BASE=$(DSM_BASE)
endif

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

# A part is declared once:
#   PROGRAMS += dsmx           dsmx_SRCS := a.c b.c   dsmx_LIBS := -ljson-c   [dsmx_DIR := bin|apps|tests]
#   PLUGINS  += dsm-x          build/lib/libdsm-x.so, which our code loads when it is wanted; same variables
#   TESTS    += unit/foo       as a program in build/tests, run by `make test`; name = path below tests/
#   ALONE    += unit/foo       of the tests, those that nothing else may run beside
# `_NEEDS` names our archives or shared libraries: dsm (libdsm.so), core, trace, util ...
PROGRAMS :=
PLUGINS  :=
TESTS    :=
ALONE    :=
ARCHIVES :=
LINT_SRCS :=

.PHONY: all help
all:

help:
	@echo 'make                 build everything: programs in build/bin, examples in build/apps, libdsm in build/lib'
	@echo 'make demo            run an example, report, apply the plan, run again, prove the gain (build/demo)'
	@echo 'make test            all tests; T="unit/diff_test ..." some; JOBS=1 one by one; logs in build/tests/logs'
	@echo 'make compare         the examples under three consistency models beside MPI; QUICK=1 small, in a minute'
	@echo 'make bench           each path of the DSM against what this machine needs at least'
	@echo 'make install         PREFIX=/usr/local, DESTDIR='
	@echo 'make clean           removes build/'
	@echo 'make help            this text'
	@echo 'For work on Procope:'
	@echo 'make lint format     checks of style and by static analysers; clang-format'
	@echo 'make asan tsan       the tests under a sanitizer'
	@echo 'make coverage        which lines the tests reach (build/coverage)'
	@echo 'make fuzz            fuzz targets of the decoders; FUZZ_SECONDS=20 each'
	@echo 'make sim             simulated runs of the protocol under test; SEEDS=100000'
	@echo 'make predict         predictions held against measured runs; QUICK=1 small'
	@echo 'V=1 shows the commands.'

# Which optional libraries there are: WITH_pmix := yes, pmix_CFLAGS, pmix_LIBS. Made anew when that has changed.
OPTIONAL := pmix openssl libfabric libpng ncursesw ompi-c
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
-include build/config.mk
endif

include dsmcore/rules.mk
include collector/rules.mk
include analyzer/rules.mk
include viewer/rules.mk
include apps/rules.mk
include tests/rules.mk

# ---- one way to compile, archive and link ----
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(patsubst %.S,$(BUILD)/obj/%.o,$(filter %.c %.S,$(1))))
picobj = $(patsubst %.c,$(BUILD)/obj/%.pic.o,$(patsubst %.S,$(BUILD)/obj/%.pic.o,$(filter %.c %.S,$(1))))
DEPS_STAMP := build/.deps-build

$(DEPS_STAMP): .ci/deps
	@mkdir -p build && .ci/deps build && touch $@
build/.deps-test: .ci/deps
	@mkdir -p build && .ci/deps test && touch $@ $(DEPS_STAMP)
.PHONY: look
build/config.mk: look | $(DEPS_STAMP) $(if $(filter test test-build lint,$(MAKECMDGOALS)),build/.deps-test)
	@for p in $(OPTIONAL); do pkg-config --exists $$p && printf '%s := %s\n' WITH_$$p yes \
		$${p}_CFLAGS "$$(pkg-config --cflags $$p)" $${p}_LIBS "$$(pkg-config --libs $$p)"; done >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/obj/%.o: %.c | $(DEPS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(EXTRA_$<) -MMD -MP -c $< -o $@
$(BUILD)/obj/%.pic.o: %.c | $(DEPS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(EXTRA_$<) -fPIC -MMD -MP -c $< -o $@
$(BUILD)/obj/%.pic.o: %.S | $(DEPS_STAMP)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -MMD -MP -c $< -o $@
$(BUILD)/obj/%.o: %.S | $(DEPS_STAMP)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(eval $(call libdsm_rule))

# ARCHIVES: lib<name>.a from <name>_SRCS
define archive
$(BUILD)/lib/lib$(1).a: $(call obj,$($(1)_SRCS))
	$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
-include $(patsubst %.o,%.d,$(call obj,$($(1)_SRCS)))
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive,$(a))))

# Loaded while a program runs, by what is in it or in libdsm: no names of ours are needed to link it.
define plugin
$(BUILD)/lib/lib$(1).so: $(call picobj,$($(1)_SRCS))
	$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,lib$(1).so -Wl,-z,now -o $$@ $$(filter %.o,$$^) $($(1)_LIBS) -lpthread
-include $(patsubst %.o,%.d,$(call picobj,$($(1)_SRCS)))
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin,$(p))))
PLUGIN_FILES := $(PLUGINS:%=$(BUILD)/lib/lib%.so)

need_file = $(if $(filter dsm,$(1)),$(BUILD)/lib/libdsm.so,$(BUILD)/lib/lib$(1).a)
need_link = $(if $(filter dsm,$(1)),-L$(BUILD)/lib -ldsm,$(BUILD)/lib/lib$(1).a)
comma := ,
up = $(subst $() $(),/,$(patsubst %,..,$(subst /, ,$(1))))

define program # name, folder below $(BUILD)
$(BUILD)/$(2)/$(notdir $(1)): $(call obj,$($(1)_SRCS)) $(foreach n,$($(1)_NEEDS),$(call need_file,$(n)))
	$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $($(1)_LDFLAGS) -o $$@ $(call obj,$($(1)_SRCS)) $(if $(filter dsm,$($(1)_NEEDS)),-Wl$(comma)-rpath$(comma)'$$$$ORIGIN/$(call up,$(2))/lib') $(foreach n,$($(1)_NEEDS),$(call need_link,$(n))) $($(1)_LIBS)
$(1): $(BUILD)/$(2)/$(notdir $(1))
-include $(patsubst %.o,%.d,$(call obj,$($(1)_SRCS)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p),$(or $($(p)_DIR),bin))))
$(foreach t,$(TESTS),$(eval $(call program,$(t),tests/$(patsubst %/,%,$(dir $(t))))))

PROGRAM_FILES := $(foreach p,$(PROGRAMS),$(BUILD)/$(or $($(p)_DIR),bin)/$(notdir $(p)))
TEST_FILES    := $(foreach t,$(TESTS),$(BUILD)/tests/$(t))
all: $(DEPS_STAMP) $(PROGRAM_FILES)

$(LIBDSM): | $(DEPS_STAMP)
all: $(LIBDSM) $(PLUGIN_FILES) $(BUILD)/lib/pkgconfig/dsm.pc

# For programs built against the checkout: PKG_CONFIG_PATH=build/lib/pkgconfig
$(BUILD)/lib/pkgconfig/dsm.pc: dsmcore/dsm.pc.in version.h
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(abspath $(BUILD))|' -e 's|@LIBDIR@|$${prefix}/lib|' -e 's|@INCLUDEDIR@|$(abspath dsmcore/include)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@EXAMPLESDIR@|$(abspath $(BUILD)/apps)|' $< >$@

# ---- checks ----
.PHONY: test test-build asan tsan coverage fuzz lint bench format
SCRIPTS := $(SCRIPT_TESTS)
export ALONE
test-build: build/.deps-test all $(TEST_FILES)
test: test-build
	@BUILD=$(BUILD) tests/run.sh $(if $(T),$(filter $(T),$(TESTS) $(SCRIPTS)),$(TESTS) $(SCRIPTS))

asan:
	$(Q)$(MAKE) --no-print-directory SANITIZE=asan PROCOPE_QUICK=1 test
tsan:
	$(Q)TSAN_OPTIONS="halt_on_error=1 $$TSAN_OPTIONS" $(MAKE) --no-print-directory SANITIZE=tsan PROCOPE_QUICK=1 test T="$(TSAN_TESTS)"
coverage:
	$(Q)$(MAKE) --no-print-directory SANITIZE=coverage PROCOPE_QUICK=1 test
	$(Q)tests/coverage.sh build/coverage
export PROCOPE_QUICK

# Each parser has a fuzz target; SECONDS each, longer on demand: make fuzz FUZZ_SECONDS=600. 0: only what is known already.
FUZZ_SECONDS ?= 20
define fuzzer
build/fuzz/$(1): $($(1)_SRCS) build/.deps-test
	$(call say,FUZZ,$$@)
	@mkdir -p build/fuzz
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$($(1)_CFLAGS) -o $$@ $($(1)_SRCS) $($(1)_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))
fuzz: $(addprefix build/fuzz/,$(FUZZERS))
	@tests/fuzz.sh '$(FUZZ_SECONDS)' $^

lint: build/.deps-test all
	@CLANG=$(CLANG) tests/lint.sh $(CPPFLAGS) $(filter -I%,$(pmix_CFLAGS) $(ompi-c_CFLAGS))
format:
	$(Q)git ls-files '*.c' '*.h' | xargs $$(command -v clang-format || echo clang-format-14) -i

# ---- installation ----
BINDIR     := $(DESTDIR)$(PREFIX)/bin
LIBDIR     := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include
EXAMPLES   := $(LIBDIR)/procope/examples
MANDIR     := $(DESTDIR)$(PREFIX)/share/man
DOCDIR     := $(DESTDIR)$(PREFIX)/share/doc/procope
.PHONY: install
install: all
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(EXAMPLES) $(INCLUDEDIR) $(MANDIR)/man1 $(MANDIR)/man3 $(DESTDIR)$(PREFIX)/share/procope/scenes
	install $(BUILD)/bin/* $(BINDIR)
	install $(LIBDSM) $(PLUGIN_FILES) $(LIBDIR)
	$(if $(WITH_pmix),install -D $(BUILD)/lib/procope/dsm-pmix $(LIBDIR)/procope/dsm-pmix)
	install -m 644 dsmcore/include/dsm.h dsmcore/include/dsm_events.h $(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$${prefix}/lib|' -e 's|@INCLUDEDIR@|$${prefix}/include|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@EXAMPLESDIR@|$${libdir}/procope/examples|' dsmcore/dsm.pc.in >$(LIBDIR)/pkgconfig/dsm.pc
	install -m 644 docs/man/*.1 $(MANDIR)/man1
	install -m 644 docs/man/*.3 $(MANDIR)/man3
	install -d $(DOCDIR)/pictures
	install -m 644 LICENSE $(DOCDIR)
	install -m 644 docs/pictures/* $(DOCDIR)/pictures
	@# what they refer to lies elsewhere than in the sources
	for f in README.md docs/*.md; do \
		sed -e 's|](docs/man)|](../../man)|' -e 's|](docs/|](|g' -e 's|](../README|](README|g' \
			-e 's|](\(../\)*dsmcore/include/|](../../../include/|g' "$$f" >$(DOCDIR)/"$${f##*/}" && chmod 644 $(DOCDIR)/"$${f##*/}" || exit 1; \
	done
	install $(addprefix $(BUILD)/apps/,world world-sequential $(APPS) $(APPS:%=%-sequential)) $(EXAMPLES)
	install -m 644 apps/scenes/* $(DESTDIR)$(PREFIX)/share/procope/scenes

.PHONY: clean
clean:
	rm -rf build
