# One command per habit. ARGS goes to the script: make train ARGS="env=pick_mug seed=1"
.DEFAULT_GOAL := help
.PHONY: help setup train evaluate record play warmstart bench study test test-ray test-guests slow faults check doctor clean

PY := .venv/bin/python
DONE := .venv/.complete
train evaluate record warmstart bench: ARGS ?= env=pick_mug

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(DONE) ## make .venv with everything that is needed

$(DONE): pyproject.toml .ci/constraints.txt scripts/setup.sh
	@bash scripts/setup.sh

train: setup ## train the default policy on a scene
	$(PY) scripts/train.py $(ARGS)

evaluate: setup ## measure a policy on held-out scenes
	$(PY) scripts/evaluate.py $(ARGS)

record: setup ## film a policy
	$(PY) scripts/record.py $(ARGS)

play: setup ## scenes in the browser: draw answers, let policies answer
	$(PY) scripts/play.py $(ARGS)

warmstart: setup ## train the default policy from random weights: ARGS="out=runs/mine"
	$(PY) scripts/warmstart.py $(ARGS)

bench: setup ## measure speed: ARGS="env=pick_mug out=bench.json"
	$(PY) scripts/bench.py $(ARGS)

study: setup ## answer the questions of conf/study: ARGS="only=reward budget=small"
	$(PY) scripts/study.py $(or $(ARGS),budget=full out=assets/results)

test: check ## all checks and tests but the slow ones
	$(PY) -m pytest -q -n 2 -m "not slow and not faults and not ray" $(TESTS)

test-ray: setup ## the tests that start a Ray cluster; installs Ray
	$(PY) -m pip install -q -c .ci/constraints.txt -e '.[ray]'
	$(PY) -m pytest -q -m ray $(or $(TESTS),tests/policy/rollout tests/faults)

test-guests: setup ## the tests of OpenEnv, the 3D view and Trackio; installs them
	$(PY) -m pip install -q -c .ci/constraints.txt -e '.[serve,viz,trackio]'
	$(PY) -m pytest -q -m "not slow and not faults" $(or $(TESTS),tests/policy/serving/test_openenv.py \
		tests/policy/playground/test_view.py tests/policy/training/test_boards.py)

slow: setup ## the tests that take minutes
	$(PY) -m pytest -q -m "slow and not ray" $(TESTS)

faults: setup ## kills, damage, full disks, fuzz and a soak, for an hour or two
	$(PY) -m pytest -q -s -m faults $(TESTS)

check: setup ## formatting, lint, types, import directions
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pyright
	$(PY) -m pytest -q tests/test_project.py

doctor: setup ## what this machine has, and what it lacks
	$(PY) scripts/doctor.py

clean: ## remove the virtual environment and caches; runs/ stays
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
