# Set-up is two commands on a fresh machine with Python 3.11+: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
DISTRIBUTIONS := .[test] $(sort $(dir $(wildcard plugins/*/pyproject.toml) $(wildcard datasets/*/pyproject.toml)))
EDITABLE := $(foreach d,$(DISTRIBUTIONS),-e ./$(d))
DEMO := leaderboards/demo
LADDER := spectral,spectral_n24_h0.25,spectral_n16_h0.25,spectral_n16_h0.5,spectral_n8_h0.5,crank_nicolson
SMALL_LADDER := spectral,spectral_n24_h0.25,spectral_n16_h0.5,spectral_n8_h0.5
MULTISCALE := track=tiny threads=1 'task.evaluate=[test]' task.batch=4
STEPS := 'solver.steps=choice(2000)' 'solver.every=choice(100)'
TURBULENCE := track=small threads=1 track.budget.epochs=6
LEDGER = $(BIN)/python -m pdebench.leaderboard.ledger # it quotes the boards
ROLLOUTS := track.budget.epochs=null track.budget.seconds=40
export PDEBENCH_STORE ?= $(CURDIR)/.store
export PDEBENCH_DATA ?= $(CURDIR)/.data

.PHONY: help install demo small turbulence channel-study poseidon study-operators study-pressure study-multiscale claims docs test test-slow test-lower check format bench boards tiny study-streamfunction validate clean

help: ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed ## make the virtual environment and install everything, editable

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) $(wildcard plugins/*/pyproject.toml datasets/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) setuptools torch
	$(BIN)/python -m pip install --quiet --no-build-isolation --constraint $(CONSTRAINTS) $(EDITABLE)
	touch $@

demo: install ## floors, two neural operators and the classical ladder on forced Navier-Stokes: leaderboards/demo
	$(BIN)/pdebench run -m task=navier_stokes/evolve track=tiny threads=2 seed=0,1,2 \
	  solver=persistence,mean,$(LADDER),fno,tfno
	$(BIN)/pdebench board --out $(DEMO) --records --title "Demonstration"
	$(LEDGER)
	@echo "open $(DEMO)/index.html"

small: install ## the same question on the small track, one seed, about a quarter of an hour: leaderboards/small
	$(BIN)/pdebench run -m task=navier_stokes/evolve track=small threads=2 seed=0 \
	  solver=persistence,mean,$(SMALL_LADDER),fno
	$(BIN)/pdebench board --out leaderboards/small --records --title "Small track"
	$(LEDGER)

turbulence: install ## label-free, labelled, mixed, released loss against LES, three seeds, half an hour: leaderboards/turbulence
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) matplotlib
	$(BIN)/python benchmarks/studies/lesnets_floor.py --out leaderboards/turbulence/floor.md
	for task in turbulence/hit_les_decaying turbulence/hit_les_driven; do \
	  $(BIN)/pdebench run -m task=$$task $(TURBULENCE) seed=0 \
	    solver=persistence,coarse_dns,les_smagorinsky,les_dynamic,les_wale,les_gradient && \
	  $(BIN)/pdebench run -m task=$$task $(TURBULENCE) seed=0 solver=les_smagorinsky solver.grid=8,12,16 && \
	  $(BIN)/pdebench run -m task=$$task $(TURBULENCE) seed=0,1,2 \
	    solver=lesnets,lesnets_labelled,lesnets_mixed,lesnets_learned,lesnets_released && \
	  $(BIN)/pdebench run task=$$task $(TURBULENCE) seed=0 \
	    solver=pinn_flow solver.steps=400 solver.every=100 || exit 1; done
	$(BIN)/pdebench board --task 'turbulence/hit_les*' --out leaderboards/turbulence --records --title "Filtered turbulence"
	$(BIN)/python benchmarks/studies/turbulence.py --out leaderboards/turbulence
	$(LEDGER)

channel-study: install ## long rollouts of channel flow and isotropic turbulence: operators against LES, three seeds, 40 minutes: leaderboards/channel
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) matplotlib
	$(BIN)/pdebench run -m task=turbulence/channel_evolve track=small threads=1 seed=0 \
	  solver=persistence,mean,channel_16_33_16,channel_12_33_12,channel_8_25_8
	$(BIN)/pdebench run -m task=turbulence/channel_evolve track=small threads=1 seed=0 \
	  "solver.grid=[12,33,12]" trials=1 solver=channel_les_smagorinsky,channel_les_wale
	$(BIN)/pdebench run -m task=turbulence/channel_evolve track=small threads=1 seed=0,1,2 $(ROLLOUTS) \
	  solver=ifactformer_m,ifactformer_o,ifactformer_o_released,fno_flow_3d,ifno_flow_3d,iufno_flow_3d
	$(BIN)/pdebench run -m task=turbulence/hit_evolve track=small threads=1 seed=0 \
	  solver=persistence,mean,coarse_dns,les_smagorinsky,les_wale
	$(BIN)/pdebench run -m task=turbulence/hit_evolve track=small threads=1 seed=0,1,2 $(ROLLOUTS) \
	  solver=ifactformer_m,ifactformer_o,ifactformer_o_released
	$(BIN)/pdebench run -m task=turbulence/hit_evolve track=small threads=1 seed=0,1,2 $(ROLLOUTS) \
	  "solver.architecture.modes=[8,8,8]" solver.stretched=false trials=1 solver=fno_flow_3d,ifno_flow_3d
	$(BIN)/pdebench board --task 'turbulence/*_evolve' --out leaderboards/channel --records --title "Long rollouts"
	$(BIN)/python benchmarks/studies/rollouts.py --out leaderboards/channel
	$(LEDGER)

poseidon: install ## pretrained against from scratch on another flow, three seeds, about half an hour: leaderboards/poseidon
	$(BIN)/python benchmarks/studies/poseidon_gains.py
	$(BIN)/pdebench board --task 'navier_stokes/transfer*' --out leaderboards/poseidon --records --title "Poseidon: fine-tuned against from scratch"
	$(LEDGER)

study-operators: export PDEBENCH_STORE := $(CURDIR)/.store/operators
study-operators: install ## FNO, T1, LSM and MgNO at equal seconds and equal epochs, three seeds, 45 minutes: leaderboards/operators
	bash benchmarks/studies/operators.sh
	$(BIN)/pdebench board --out leaderboards/operators --records --title "FNO, T1, LSM and MgNO"
	$(BIN)/python benchmarks/studies/operators.py --out leaderboards/operators
	$(LEDGER)

study-pressure: install ## learned directions against classical solvers on pressure systems, by size, about 45 minutes: leaderboards/pressure
	$(BIN)/pdebench run -m experiment=deepcg/pressure_core seed=0,1,2 'solver.tolerance=choice(1e-6)' trials=1
	$(BIN)/pdebench run -m task=turbulence/pressure track=tiny threads=1 seed=0,1,2 track.budget.epochs=5 \
	  'solver.tolerance=choice(1e-6)' trials=1 solver=cg,jacobi_cg,ic_cg,amg_cg,deflated_cg,poisson_cg
	$(BIN)/pdebench run task=turbulence/pressure track=tiny threads=1 seed=0 track.budget.epochs=5 solver=direct
	$(BIN)/pdebench board --task turbulence/pressure --out leaderboards/pressure --records --title "Pressure systems"
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) matplotlib
	$(BIN)/python benchmarks/studies/pressure_iterations.py
	$(LEDGER)

study-streamfunction: install ## learned directions and linear solvers on a singular system, two minutes: leaderboards/streamfunction
	$(BIN)/pdebench run -m task=navier_stokes/streamfunction track=tiny threads=1 track.budget.epochs=4 seed=0 \
	  solver=gp,cg,jacobi_cg,ic_cg,amg_cg,fourier,deepcg
	$(BIN)/pdebench board --task navier_stokes/streamfunction --out leaderboards/streamfunction --records --title "Stream function"
	$(LEDGER)

study-multiscale: install ## Gaussian processes, PINNs, collocation and differences on high frequencies, about 15 minutes
	$(BIN)/pdebench run -m $(MULTISCALE) solver=differences_2,differences_4,differences_8,fourier_extension \
	  task=elliptic/poisson_1d,elliptic/allencahn_1d,elliptic/poisson_2d,elliptic/advection_1d
	$(BIN)/pdebench run -m $(MULTISCALE) solver=gp_frozen task=elliptic/poisson_1d,elliptic/allencahn_1d
	$(BIN)/pdebench run -m $(MULTISCALE) solver=gp_frozen 'solver.freq_scale=choice(1.0)' trials=3 \
	  task=elliptic/poisson_2d,elliptic/advection_1d
	$(BIN)/pdebench run -m $(MULTISCALE) $(STEPS) trials=1 solver=gp,gp_student,gp_matern,gp_se \
	  task=elliptic/poisson_1d,elliptic/allencahn_1d
	$(BIN)/pdebench run -m $(MULTISCALE) $(STEPS) 'solver.freq_scale=choice(1.0)' trials=3 solver=gp,gp_student,gp_se \
	  task=elliptic/poisson_2d,elliptic/advection_1d
	$(BIN)/pdebench run -m $(MULTISCALE) $(STEPS) trials=1 solver=pinn,pinn_fourier seed=0,1,2 \
	  task=elliptic/poisson_1d,elliptic/allencahn_1d
	$(BIN)/pdebench run -m $(MULTISCALE) 'solver.steps=choice(500)' 'solver.every=choice(50)' trials=1 solver=pinn,pinn_fourier \
	  task=elliptic/poisson_2d,elliptic/advection_1d
	$(BIN)/pdebench board --task 'elliptic/*_?d' --out leaderboards/multiscale --records --title "High frequencies"
	$(BIN)/python benchmarks/studies/multiscale.py
	$(LEDGER)

tiny: export PDEBENCH_STORE := $(CURDIR)/.store/tiny
tiny: install ## every task on the tiny track, about an hour: leaderboards/tiny; ONLY=word for some
	BIN=$(BIN) bash benchmarks/studies/tiny.sh $(ONLY)
	$(LEDGER)

claims: install ## leaderboards/claims.md from leaderboards/claims/*.yaml and the committed results
	$(LEDGER)

docs: install ## the documentation into site/, offline
	$(BIN)/python -m pip install --quiet --no-build-isolation --constraint $(CONSTRAINTS) -e '.[docs]'
	$(BIN)/mkdocs build --strict

test: install ## all tests of the core, of every plugin and data set
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -m "not slow and not gpu"

test-slow: install ## paper-size checks, minutes each
	$(BIN)/python -m pytest -m slow

test-lower: ## the core's tests with the oldest dependencies that pyproject.toml allows, in a scratch environment
	PYTHON=$(PYTHON) bash .ci/lower

check: install ## the conformance table of every solver
	for name in $$($(BIN)/pdebench list solver --names); do $(BIN)/pdebench check $$name || exit 1; done

format: install ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## the figures in benchmarks/results, one after the other
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --no-deps -r benchmarks/requirements.txt
	for file in $(filter-out benchmarks/report.py benchmarks/make_data.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$file || exit 1; done

validate: install ## our reference solvers beside published figures, an hour: docs/validation.md; ONLY=word for some
	OMP_NUM_THREADS=1 $(BIN)/python -m pdebench.testing.validate $(ONLY)

boards: install ## the committed boards again: from their records.zip, or their pages drawn anew
	for page in leaderboards/*/index.html; do $(BIN)/pdebench board --from $$(dirname $$page) || exit 1; done

clean: ## remove the virtual environment and caches (records and data stay)
	rm -rf $(VENV) .pytest_cache .ruff_cache
