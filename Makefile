# Thin names for `python3 dev.py`; ARGS is passed on: make test ARGS="tests/cos -x".
PYTHON ?= python3

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
