# Two commands do all set-up by themselves: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# uv does not read pip's configuration: hand on where pip finds wheels, if it was told so.
FIND_LINKS = $${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-$$($(PYTHON) -m pip config get global.find-links 2>/dev/null | tr '\n' ' ' | xargs)}}
INDEX = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null)}}

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-real up test test-slow test-vllm test-all check lint schema deploy-check hashes advisories demo-model real-lm smol-vlm bench-model bench-forgetting bench-attacks bench-choose bench-cost \
	bench-paper bench-real bench-many bench-idle bench-tickets bench-gateway bench-serving bench-hostile bench-llama bench-vllm bench-side-channel soak chaos fuzz clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP) ## Make the environment (done by all others when needed)

# Run before `uv pip install`, in the same shell. The system's certificates are believed, as pip believes them.
UV_SOURCES = links="$(FIND_LINKS)"; index="$(INDEX)"; \
	  export UV_FIND_LINKS="$${links// /,}" UV_SYSTEM_CERTS="$${UV_SYSTEM_CERTS:-1}"; if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	  if [ -z "$$links" ]; then export UV_TORCH_BACKEND="$${UV_TORCH_BACKEND:-auto}"; fi

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check uv
	@echo "Installing Lacuna's packages into $(VENV), once: some minutes, of which torch takes most."
	@$(UV_SOURCES); \
	  began=$$SECONDS; ( while sleep 10; do \
	    echo "  still installing: $$((SECONDS - began)) s, $$(du -sm $(VENV) 2>/dev/null | cut -f1) MB so far"; done ) & \
	  ticker=$$!; trap "kill $$ticker 2>/dev/null" EXIT; \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@echo "Installed."; touch $@

demo: $(STAMP) ## Watch one person being forgotten, from the ticket to the silence
	$(BIN)/lacuna demo --json build/demo.json

demo-real: real-lm ## Watch a real language model forget a public figure (half an hour to an hour on two cores, half of it the model's profile)
	$(BIN)/lacuna model profile models/smol-lm --data build/real
	$(BIN)/lacuna demo --real --data build/real --json build/demo-real.json --page build/demo-real.html

up: $(STAMP) ## Start everything on this machine and keep it running
	$(BIN)/lacuna up

# A file runs in one process, beside others; each process has servers of its own, and torch gets one core in each.
# Three on two cores, because a process often waits for servers that start and stop; each takes 1 GB.
TEST_PROCESSES ?= 3
# Compiled beforehand: where Python may write no bytecode, every process that a test starts would compile anew.
test: $(STAMP) ## Run the tests
	@$(BIN)/python -m compileall -q services shared migrations training benchmarks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP) ## Run the tests that `make test` leaves out because they take long
	@$(UV_SOURCES); $(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements-clients.lock
	$(BIN)/python -m pytest -m slow

test-vllm: $(STAMP) ## Put the gateway in front of real vLLM on the CPU (installs 3.5 GB into build/vllm at first)
	@$(UV_SOURCES); if [ -z "$$links" ]; then export UV_TORCH_BACKEND=cpu; fi; $(BIN)/python -m benchmarks.vllm_server
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/services/inference/engines/test_remote_vllm.py --timeout 3600

test-all: $(STAMP) ## Run all tests, the slow ones too, and those that need models/smol-lm
	-@$(MAKE) --no-print-directory real-lm
	@$(MAKE) --no-print-directory test test-slow

lint: $(STAMP) ## Format, ruff, mypy strict, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: $(STAMP) ## Write migrations/schema.sql, the readable database, from the migrations
	$(BIN)/python -m migrations.dump_schema

check: lint test ## Everything that has to hold before a commit (the deployment files are checked by tests)

hashes: $(STAMP) ## Write requirements-api.sha256 and requirements-model.sha256, the hashes of what the images install
	$(BIN)/python -m tests.deploy.api_requirements
	@$(UV_SOURCES); for image in api model; do \
	  $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-annotate --no-header \
	    requirements-$$image.lock --output-file requirements-$$image.sha256 || exit 1; done

advisories: $(STAMP) ## Look for known vulnerabilities of the pinned packages (in the advisory data of PyPI, where reachable)
	@mkdir -p build && rm -f build/advisories.json
	-@$(UV_SOURCES); timeout 300 $(BIN)/uv tool run --quiet pip-audit==2.10.1 --no-deps --disable-pip --progress-spinner off \
	  --format json --output build/advisories.json --requirement requirements.lock > /dev/null 2>&1
	@$(BIN)/python -m tests.deploy.advisories build/advisories.json

demo-model: $(STAMP) ## Train models/demo-vlm anew (at most 60 minutes on 2 cores)
	$(BIN)/python -m training.build_demo_vlm --out models/demo-vlm --checkpoints build/demo-vlm
	$(BIN)/python -m services.refit.steering_vectors models/demo-vlm

real-lm: $(STAMP) ## Make models/smol-lm, a real pretrained language model (downloads 93 MB; one minute)
	$(BIN)/python -m training.real_lm

smol-vlm: real-lm ## Make models/smol-vlm-built, a LLaVA around models/smol-lm that knows 40 fictitious people (one minute)
	$(BIN)/python -m training.smol_vlm assemble

bench-model: $(STAMP) ## Train models/bench-vlm, 324 people, for the tables (about 2.5 hours on 2 cores; not shipped)
	$(BIN)/python -m training.build_demo_vlm --size bench --out models/bench-vlm --checkpoints build/bench-vlm
	$(BIN)/python -m services.refit.steering_vectors models/bench-vlm

bench-forgetting: $(STAMP) ## All systems over draws of people: what is revealed, what stays the same (forgetting.json)
	$(BIN)/python -m benchmarks.forgetting --json build/forgetting.json

bench-attacks: $(STAMP) ## How forgetting holds under attack: families of attacks, systems, draws (attacks.json; some hours on 2 cores)
	$(BIN)/python -m benchmarks.attacks --json build/attacks.json

bench-choose: $(STAMP) ## Choose margin, strength, blocks and placement of the default recipe on validation people
	$(BIN)/python -m benchmarks.hyperparameter_search

bench-cost: $(STAMP) ## What a fit and 1 to 1,000 tickets cost at d = 4096 (about 7 minutes)
	$(BIN)/python -m benchmarks.fit --json build/fit.json
	$(BIN)/python -m benchmarks.tickets_cost --json build/tickets_cost.json

bench-real: smol-vlm ## Forgetting in two models with real weights, all systems (several hours on 2 cores; goes on where it stopped)
	$(BIN)/python -m benchmarks.real_weights --model models/smol-lm --people 10 --json docs/results/real_lm.json
	$(BIN)/python -m benchmarks.real_weights --model models/smol-lm --people 10 --first 1 --steps 45 --systems NPO,GA_Diff --json docs/results/real_lm_long.json
	$(BIN)/python -m benchmarks.real_weights --model models/smol-lm --people 5 --draws 2 --skip 30 --systems lacuna --json docs/results/real_lm_others.json
	$(BIN)/python -m benchmarks.real_weights --model models/smol-vlm-built --people 4 --systems lacuna --json docs/results/smol_vlm.json
	$(BIN)/python -m benchmarks.real_weights --model models/smol-vlm-built --people 3 --draws 2 --skip 12 --json docs/results/smol_vlm_others.json
	$(BIN)/python -m benchmarks.real_tables

bench-many: $(STAMP) ## 64 tickets one after the other, with withdrawals: told, touched, cost (about 15 minutes)
	$(BIN)/python -m benchmarks.many_tickets --json build/many_tickets.json

bench-idle: $(STAMP) ## CPU time of a stack at rest, and what an urgent ticket waits for (about 10 minutes)
	$(BIN)/python -m benchmarks.idle --tickets 3 --json build/idle.json

bench-serving: $(STAMP) ## What an eraser costs and how many clients share an engine (about five minutes)
	$(BIN)/python -m benchmarks.serving --json build/serving.json

soak: $(STAMP) ## 300 clients, hostile and honest, for 20 minutes: memory stays flat, no honest request fails
	$(BIN)/python -m benchmarks.soak --json build/soak.json

bench-hostile: $(STAMP) ## What a flood without a key and hostile pictures and files cost (about five minutes)
	$(BIN)/python -m benchmarks.hostile --json build/hostile.json

bench-gateway: $(STAMP) ## What a reader and its gateway cost in front of another server (two minutes)
	$(BIN)/python -m benchmarks.gateway --model $(MODEL) --json build/gateway.json

bench-llama: real-lm ## What the gateway costs in front of llama.cpp's server, eight clients (builds the server at first)
	$(BIN)/python -m benchmarks.gateway_servers --server llama.cpp --json build/gateway_llama.json

bench-vllm: real-lm ## What the gateway costs in front of vLLM on the CPU, eight clients (installs 3.5 GB into build/vllm at first)
	@$(UV_SOURCES); if [ -z "$$links" ]; then export UV_TORCH_BACKEND=cpu; fi; $(BIN)/python -m benchmarks.vllm_server
	$(BIN)/python -m benchmarks.gateway_servers --server vllm --json build/gateway_vllm.json

bench-side-channel: $(STAMP) ## Can a client tell a forgotten person from a stranger by form and time (some minutes)
	$(BIN)/python -m benchmarks.side_channel --json build/side_channel.json

bench-tickets: $(STAMP) ## Tickets a second, and how long one takes (one minute)
	$(BIN)/python -m benchmarks.tickets_load --json build/tickets_load.json

SEED ?= 4
TRIALS ?= 120
chaos: $(STAMP) ## Kill every process and part at every named step, then three replicas under load (SEED=4 TRIALS=120; about 25 minutes)
	$(BIN)/python -m benchmarks.chaos.run --seed $(SEED) --trials $(TRIALS) --json build/chaos.json
	$(BIN)/python -m benchmarks.chaos.replicas --json build/replicas.json

fuzz: $(STAMP) ## Schemathesis over the whole OpenAPI document (some minutes)
	LACUNA_FUZZ_EXAMPLES=200 $(BIN)/python -m pytest tests/services/request/api/test_fuzz.py --timeout 3000

MODEL ?= models/demo-vlm
bench-paper: $(STAMP) ## The paper's tables, figures and case study (MODEL=models/demo-vlm; about an hour on 2 cores)
	$(BIN)/python -m benchmarks.paper_tables --model $(MODEL) --out build/paper-tables

clean: ## Remove the environment and everything that was built
	rm -rf $(VENV) build .lacuna .mypy_cache .ruff_cache .pytest_cache *.egg-info
