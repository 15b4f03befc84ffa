# SPDX-License-Identifier: MIT
# make with two jobs at a time: many children, by vfork and exec.
unset MAKEFLAGS MFLAGS MAKELEVEL
cat >Makefile <<'END'
files := $(shell seq 1 60)
all: $(files:%=result/%.txt)
	@cat $^ | sort -n | cksum
result/%.txt: | result/words
	@sed -n '$*p' result/words >$@
result/words:
	@seq 100 200 >$@
END
under make -j2
echo "status $?"
under make -j2
echo "status $?"
under make nothing
echo "status $?"
