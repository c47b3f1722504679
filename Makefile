# make demo       the whole project on synthetic data, five minutes on two CPU cores
# make test       every test
# make tables     the tables of README and docs, their figures and the zoo's cards, anew from results/
# make lint       style and spelling
# make docs       site/: the documentation as web pages
# make stress     docs/reliability.md's figures anew: KILLS=50 MUTANTS=5000 VIDEOS=FOLDER
# make wheel      dist/: a wheel and a source distribution
# make lock       requirements/*.txt anew from setup.py and requirements/*.in (UPGRADE=1: newest versions)
# make licenses   requirements/LICENSES.md: the licence of every locked package
# make audit-deps known vulnerabilities in the locked packages; needs the network
# Each of them first builds .venv from nothing where it is missing.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Every package, those that others bring included, is the very file that was locked, or none.
LOCKED := -m pip install --quiet --require-hashes -r
TOOLS := $(VENV)/tools
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.10 --no-python-downloads \
	--generate-hashes --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: install demo test tables lint docs stress wheel lock licenses audit-deps clean

install: $(STAMP)

# The package itself is built by the locked setuptools: build isolation would fetch another one.
$(STAMP): requirements/lock.txt setup.py
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) $(LOCKED) requirements/lock.txt
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(TOOLS)/.installed: requirements/tools.txt | $(STAMP)
	$(RUN) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(LOCKED) requirements/tools.txt
	touch $@

demo: $(STAMP)
	$(RUN) tools/demo.py

# Two tests at a time, of one thread each; one that fails is looked at with
# `.venv/bin/python -m pytest PATH::NAME`.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist worksteal

tables: $(STAMP)
	$(RUN) tools/results_table.py
	$(RUN) tools/privacy_card.py
	$(RUN) tools/figures/tradeoff.py docs/images/tradeoff.png
	$(RUN) tools/figures/accumulation.py docs/images/accumulation.png --panel templates --encoders \
		pass_through bdq_hard_untrained bdq_untrained sign_2_untrained blocks_noise_untrained
	$(RUN) tools/figures/learning_curve.py docs/images/learning_curve.png

lint: $(TOOLS)/.installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(TOOLS)/bin/codespell

# Strict: a link, an anchor or a name that leads nowhere is a failure (not with --quiet, which does
# not see them). Nothing is imported.
docs: $(TOOLS)/.installed
	NO_MKDOCS_2_WARNING=1 $(TOOLS)/bin/mkdocs build --strict

# How often each thing is killed, how many damaged videos are read, and a folder of real ones.
KILLS ?= 50
MUTANTS ?= 5000
VIDEOS ?= data
FEW = $$(($(KILLS) / 3))

# Every part runs, and what it finds is written down, whatever another one finds.
stress: $(STAMP)
	-$(RUN) tools/stress/kill.py training --kills $(KILLS)
	-$(RUN) tools/stress/kill.py training_of_two --kills $(FEW)
	-$(RUN) tools/stress/kill.py audit --kills $(FEW)
	-$(RUN) tools/stress/kill.py preparation --kills $(FEW)
	-$(RUN) tools/stress/kill.py encoding --kills $(FEW)
	-$(RUN) tools/stress/fail_closed.py
	-$(RUN) tools/stress/restart_training.py
	-$(RUN) tools/stress/guard_cost.py
	-$(RUN) tools/stress/fuzz_videos.py $(VIDEOS) --mutants $(MUTANTS)
	$(RUN) tools/results_table.py --file docs/reliability.md

wheel: $(STAMP)
	rm -rf dist
	$(RUN) -m build --no-isolation .

lock: $(TOOLS)/.installed
	$(LOCK) setup.py requirements/lock.in --all-extras -o requirements/lock.txt
	$(LOCK) requirements/deploy.in -o requirements/deploy.txt
	$(LOCK) requirements/tools.in -o requirements/tools.txt

licenses: $(STAMP)
	$(RUN) tools/licenses.py requirements/lock.txt requirements/LICENSES.md

# Strict: a package that the data base does not answer for is a failure, not a pass.
audit-deps: $(TOOLS)/.installed
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/lock.txt

clean:
	rm -rf $(VENV) work_dirs/demo build dist site *.egg-info
