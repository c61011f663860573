# make train | test | check | clean: each prepares what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: train test check format clean

train: $(VENV)/show
	$(BIN)/python src/main.py --config=kfacmac --env-config=skirmish with env_args.map_name=3m \
		runner=batched batch_size_run=16 updates_per_episode=0.5 target_update_interval=50 \
		lr=0.001 entropy_coef=0.03 t_max=50000 test_interval=5000 seed=1
	$(BIN)/python src/main.py curve
	$(BIN)/python src/main.py replay

test: $(VENV)/dev check
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/core: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/show: $(VENV)/core requirements/*.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/plots.txt -r requirements/render.txt
	touch $@

$(VENV)/dev: $(VENV)/core requirements/*.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
