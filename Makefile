# make train | test | check | clean: each prepares what it needs in .venv first.
# TORCH=cpu installs torch's build for machines without a GPU, which saves gigabytes.
PYTHON ?= $(shell python3 src/utils/prerequisites.py 2>/dev/null && echo python3 || command -v python3.11 || echo python3)
VENV := .venv
SHELL := bash
CHECKS := ruff check . && ruff format --check . && mypy
TORCH ?= default
CPU_BUILD := https://download.pytorch.org/whl/cpu
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check
export OMP_NUM_THREADS ?= 1
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: train test check format clean

train: $(VENV)/show
	python src/main.py --config=kmappo --env-config=skirmish with env_args.map_name=3m \
		t_max=120000 test_interval=10000 seed=1
	python src/main.py curve
	python src/main.py replay

test: $(VENV)/dev
	TIMEFORMAT='make test: %0R s, and of the processors %0U s + %0S s in the system'; \
	time { $(CHECKS) && python -m pytest -n 2 --dist worksteal; }

check: $(VENV)/dev
	$(CHECKS)

format: $(VENV)/dev
	ruff check --fix .
	ruff format .

$(VENV)/core: requirements.txt
	@$(PYTHON) src/utils/prerequisites.py  # a Python that is too old is told so
	$(PYTHON) -m venv $(VENV)
	if [ "$(TORCH)" = cpu ]; then $(PIP) --index-url $(CPU_BUILD) "$$(grep '^torch==' requirements.txt)"; fi
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/show: $(VENV)/core requirements/*.txt
	$(PIP) -r requirements/plots.txt -r requirements/render.txt
	touch $@

$(VENV)/dev: $(VENV)/core requirements/*.txt
	$(PIP) -r requirements/dev.txt
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
