#!/usr/bin/env bash
# Records of every task on the tiny track, and their board: tiny.sh [WORD], tasks that hold WORD.
# The ladder of classical solvers is the task's own; solvers that do not apply say so on the board.
# All solvers of one task have one budget, stated here, so that they stand in one table.
set -euo pipefail
BIN=${BIN:-.venv/bin}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

budget() { # what a task's networks may spend
  case $1 in
    turbulence/pressure) echo track.budget.epochs=4 ;;
    turbulence/hit_les*) echo track.budget.epochs=6 ;;
    turbulence/* | elasticity/* | elliptic/darcy* | navier_stokes/evolve | navier_stokes/evolve_1e-5)
      echo track.budget.epochs=null track.budget.seconds=15 ;;
    *) echo track.budget.epochs=null track.budget.seconds=8 ;;
  esac
}

learned() { # what fits a task and is not classical: one line per set of overrides, solvers first
  case $1 in
    elliptic/*_1d)
      echo fno_1d,lsm,mgno
      echo t1 "solver.architecture.modes=[16] trials=1"
      echo gp_frozen,gp_matern,pinn "solver.steps=choice(1000) solver.every=choice(100) trials=1" ;;
    elliptic/poisson_2d | elliptic/allencahn_2d)
      echo fno,t1,lsm,mgno
      echo gp_frozen,gp_matern,pinn "solver.steps=choice(300) solver.every=choice(50) trials=1" ;;
    elliptic/*) # the boundary is a wall
      echo fno solver.architecture.embedding=endpoint trials=1
      echo t1,lsm
      echo mgno solver.architecture.boundary=zeros trials=1 ;;
    elasticity/stress_points) echo lsm_points,fno ;;
    elasticity/stress_grid)
      echo fno,t1,lsm
      echo mgno solver.architecture.boundary=zeros trials=1 ;;
    elasticity/equilibrium) echo deepcg,fno ;; # they say why not
    navier_stokes/streamfunction) echo fno,t1,lsm,mgno,deepcg ;;
    turbulence/pressure)
      echo deepcg
      echo fno "solver.architecture.modes=[8,8,8] trials=1" ;;
    turbulence/channel_evolve) echo ifactformer_m,ifactformer_o,fno_flow_3d,ifno_flow_3d,t1,lsm,mgno ;;
    turbulence/hit_evolve)
      echo ifactformer_m,lsm,mgno
      echo t1 "solver.architecture.modes=[8,8,8] trials=1"
      echo fno_flow_3d,ifno_flow_3d "solver.architecture.modes=[8,8,8] solver.stretched=false trials=1" ;;
    turbulence/hit_les*) echo lesnets,lesnets_labelled ;;
    navier_stokes/evolve) echo fno,t1,lsm,mgno,poseidon,pino_unlabelled ;;
    *) echo fno,t1,lsm,mgno ;;
  esac
}

for task in $("$BIN"/pdebench list task --names | grep -v ^imported/ | grep -F -- "${1:-}"); do
  { "$BIN"/python -c "
import sys
from pdebench.config import compose
entries = [entry.split(maxsplit=1) for entry in compose([f'task={sys.argv[1]}', 'track=tiny']).task.ladder]
print(','.join(['persistence', 'mean', *(entry[0] for entry in entries if len(entry) == 1)]))
for entry in entries:
    if len(entry) == 2:
        print(*entry)" "$task" && learned "$task"; } |
    while read -r solvers overrides; do
      # word splitting is meant: a line is solvers and their overrides
      # shellcheck disable=SC2046,SC2086
      "$BIN"/pdebench run -m "task=$task" track=tiny threads=1 seed=0 "solver=$solvers" $overrides $(budget "$task") </dev/null || true
    done
done
"$BIN"/pdebench board --out leaderboards/tiny --records --title "Tiny track"
