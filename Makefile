# Thin names for `python3 dev.py`; ARGS is passed on: make test ARGS="tests/cos -x".
#
# The system's Python is preferred where it is new enough and one program: those are optimised builds, and a version
# manager's may take a sixth more of the processor (docs/performance.md). Another one: make run PYTHON=python3.12.
SYSTEM_PYTHON = /usr/bin/python3
WANTED = import sys, venv; sys.exit(sys.version_info < (3, 11) or "libpython" in open("/proc/self/maps").read())
PYTHON ?= $(shell $(SYSTEM_PYTHON) -c '$(WANTED)' 2>/dev/null && echo $(SYSTEM_PYTHON) || echo python3)

.PHONY: run test test-slow check setup lock clean

run:
	$(PYTHON) dev.py run $(ARGS)

test:
	$(PYTHON) dev.py test $(ARGS)

test-slow:
	$(PYTHON) dev.py test -m slow $(ARGS)

check:
	$(PYTHON) dev.py check

setup:
	$(PYTHON) dev.py setup

lock:
	$(PYTHON) dev.py lock

clean:
	$(PYTHON) dev.py clean
