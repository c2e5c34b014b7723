# SPDX-License-Identifier: Apache-2.0
# The commands a newcomer types; all the work is in tools/ and in CMake.
.PHONY: all demo check bench clean setup

all:
	cmake --preset release
	cmake --build --preset release

setup:
	tools/setup

demo: setup all
	tools/demo

check:
	tools/setup check
	tools/check

bench:
	tools/setup bench
	$(MAKE) all
	tools/bench

clean:
	rm -rf build
