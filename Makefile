# The two commands of the README: `make run` and `make test`. Everything they need they install: Python packages into .venv,
# and for the browser tests a chromium, where apt-get may be used.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BROWSERS := chromium chromium-browser google-chrome

.PHONY: run test format examples results clean

run: $(VENV)/run.done
	$(BIN)/python app.py

# One thread of torch each, for the tests run in as many processes as the smallest machine has cores.
test: $(VENV)/test.done $(VENV)/readers.done
	@$(MAKE) --no-print-directory browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest

format: $(VENV)/test.done
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The example clips and their precomputed classifier, from our own sound generator and the pocket backbone.
examples: $(VENV)/run.done
	$(BIN)/python tools/make_examples.py

# All tables of benchmarks/RESULTS.md, measured anew.
results: $(VENV)/run.done
	$(BIN)/python benchmarks/results.py

$(VENV)/run.done: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "CALM Studio needs Python 3.11 or newer; say which one: make run PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/test.done: $(VENV)/run.done pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

$(VENV)/readers.done: $(VENV)/run.done tests/readers-requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VENV)/readers -r tests/readers-requirements.txt
	@touch $@

.PHONY: browser
browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing chromium for the browser tests"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo "The browser tests need chromium; install it (Debian, Ubuntu: sudo apt-get install chromium) and run make test again."; exit 1; \
	fi

clean:
	rm -rf $(VENV)
