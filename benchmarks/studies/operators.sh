#!/usr/bin/env bash
# FNO, T1, LSM and MgNO at equal seconds and at equal epochs on the tiny track, three seeds; operators.sh [seconds|epochs].
# About 25 minutes each with one thread. The papers' sizes: track=small or track=paper and hundreds of epochs, not run here.
set -euo pipefail
BIN=${BIN:-.venv/bin}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
SECONDS_EACH="track.budget.epochs=null track.budget.seconds=15"
EPOCHS_EACH="track.budget.epochs=12"

run() { # TASK SOLVERS OVERRIDES...
  # shellcheck disable=SC2086
  "$BIN"/pdebench run -m "task=$1" track=tiny threads=1 seed=0,1,2 "solver=$2" $3 ${*:4}
}

for budget in ${1:-seconds epochs}; do
  if [[ $budget == seconds ]]; then spend=$SECONDS_EACH; else spend=$EPOCHS_EACH; fi
  for task in navier_stokes/evolve navier_stokes/evolve_1e-5; do # periodic: the defaults
    run "$task" fno,t1,lsm,mgno "$spend"
  done
  for task in elliptic/darcy elliptic/darcy_rough; do # walls: coordinates for FNO, zeros beyond the wall for MgNO
    run "$task" fno "$spend" solver.architecture.embedding=endpoint trials=1
    run "$task" t1,lsm "$spend"
    run "$task" mgno "$spend" solver.architecture.boundary=zeros trials=1
  done
  run elasticity/stress_grid fno,t1,lsm "$spend"
  run elasticity/stress_grid mgno "$spend" solver.architecture.boundary=zeros trials=1
  if [[ $budget == seconds ]]; then # the others ask for a grid: nothing to compare epochs with
    run elasticity/stress_points lsm_points "$spend"
  fi
done
