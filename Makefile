# make demo   the whole project on synthetic data, five minutes on two CPU cores
# make test   every test
# make tables the tables of README and docs, anew from results/
# make lint   style
# Each of them first builds .venv from nothing where it is missing.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: install demo test tables lint clean

install: $(STAMP)

# Both packages in one command: alone, either of them may bring a build that the other cannot load.
$(STAMP): requirements/torch.txt requirements/lock.txt setup.py
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet -r requirements/torch.txt
	$(RUN) -m pip install --quiet -r requirements/lock.txt
	$(RUN) -m pip install --quiet --no-deps -e .
	touch $@

demo: $(STAMP)
	$(RUN) tools/demo.py

test: $(STAMP)
	$(RUN) -m pytest

tables: $(STAMP)
	$(RUN) tools/results_table.py
	$(RUN) tools/results_table.py --file docs/threat_model.md

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

clean:
	rm -rf $(VENV) work_dirs/demo build *.egg-info
