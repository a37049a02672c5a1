#!/bin/bash
# Run visds-run on a Slurm cluster, over as many wall-clock limits as it takes.
#
#   sbatch jobs/slurm.sh star.ms -o /scratch/me/star --settings jobs/settings/vla.toml
#   sbatch --nodes=4 --ntasks-per-node=32 --time=08:00:00 jobs/slurm.sh star.ms -o ...
#
# Everything after the script goes to visds-run. The output folder must be on a disk that all
# nodes see. Variables, all of them optional, are explained in jobs/README.md: VISDS_ENV,
# VISDS_MPIEXEC, VISDS_MARGIN, VISDS_REQUEUES.

#SBATCH --job-name=visds
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=4G
#SBATCH --time=04:00:00
#SBATCH --output=visds-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@180

# A site's own modules, where visds is built on them:
# module load python/3.11 openmpi/5.0

set -u
warnings=0
run=
trap 'warnings=$((warnings + 1)); [[ -z $run ]] || kill -USR1 "$run"' USR1

fail() {
    echo "slurm.sh: error: $1" >&2
    exit 2
}

# Seconds until the wall-clock limit; nothing where there is none.
seconds_left() {
    local left
    left=$(squeue -h -j "$SLURM_JOB_ID" -o %L)
    [[ $left =~ ^(([0-9]+)-)?(([0-9]+):)?([0-9]+):([0-9]+)$ ]] || return 0
    local -a part=("${BASH_REMATCH[@]}")
    echo $((((10#${part[2]:-0} * 24 + 10#${part[4]:-0}) * 60 + 10#${part[5]}) * 60 \
        + 10#${part[6]}))
}

# Two lines: the MPI library that mpi4py loads, and where its own mpirun would be.
mpi_library() {
    "$python" -c '
import os, re
import mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
print(MPI.Get_library_version().splitlines()[0])
loaded = re.search(r"/.*/libmpi[^/]*$", open("/proc/self/maps").read(), re.MULTILINE)
print(os.path.join(os.path.dirname(os.path.dirname(loaded[0])), "bin", "mpirun") if loaded else "")'
}

# The launcher that belongs to the MPI library: any other starts ranks that do not see each other.
choose_launcher() {
    if [[ -n ${VISDS_MPIEXEC:-} ]]; then
        read -ra launcher <<< "$VISDS_MPIEXEC"
        return
    fi
    local library mpirun kind
    { read -r library && read -r mpirun; } < <(mpi_library) \
        || fail "mpi4py of $python finds no MPI library (its message is above)"
    if [[ ! $mpirun -ef ${program%/*}/mpirun ]]; then # the library is the site's
        case $library in
            *CRAY*) launcher=(srun --cpu-bind=none); return ;;
            *"Open MPI"*) kind=pmix ;;
            *) kind=pmi2 ;; # MPICH and its kin: Intel MPI, MVAPICH
        esac
        if srun --mpi=list 2>&1 | grep -qw "$kind"; then
            launcher=(srun "--mpi=$kind" --cpu-bind=none)
            return
        fi
    fi
    [[ -x $mpirun ]] || mpirun=$(command -v mpirun) || fail "no mpirun belongs to $library"
    launcher=("$mpirun" -n "${SLURM_NTASKS:-1}")
    # A rank reads in one thread and averages in another: one core would not let them overlap.
    [[ $library != *"Open MPI"* ]] || launcher+=(--bind-to none)
}

(($#)) || fail "no measurement set: sbatch jobs/slurm.sh MS -o OUT [options of visds-run]"
[[ -n ${SLURM_JOB_ID:-} ]] || fail "not in a Slurm job: submit this script with sbatch"
[[ -z ${VISDS_ENV:-} ]] || PATH=$VISDS_ENV/bin:$PATH
program=$(command -v visds-run) || fail "visds-run is not on the path: set VISDS_ENV"
python=${program%/*}/python
[[ -x $python ]] || python=python3
choose_launcher

# One thread a rank: the ranks are the parallelism.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
# No two processes write one file, so a file system without locks (Lustre, NFS) does no harm.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-BEST_EFFORT}
# Since Slurm 22.05 srun does not take this over from the job.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}

restarts=${SLURM_RESTART_COUNT:-0}
deadline=()
left=$(seconds_left)
SECONDS=0
if [[ -n $left ]]; then
    margin=${VISDS_MARGIN:-240}
    ((margin < left / 4)) || margin=$((left / 4))
    deadline=(--deadline "$((left - margin))s")
    stop=$((left - margin / 4))
fi
echo "slurm.sh: job $SLURM_JOB_ID, run $((restarts + 1)), $(date -u +%FT%TZ):" \
    "${launcher[*]} $program ${deadline[*]} $*"

# A deadline among the user's own options comes later on the line and wins.
"${launcher[@]}" "$program" "${deadline[@]}" "$@" &
run=$!
if [[ -n $left ]]; then
    # What passes the deadline (a long chunk, the plots) is stopped while there is time to requeue.
    { timeout "$stop" tail --pid="$run" -f /dev/null || kill "$run"; } > /dev/null 2>&1 &
fi
while :; do
    warnings_before=$warnings
    wait "$run"
    code=$?
    ((code > 128 && warnings > warnings_before)) || break # else only the wait was broken off
done
case $code in
    0 | 2 | 3 | 75) ;;
    *)
        # Killed by the warning before it could heed it, or stopped just above.
        if ((code == 138 && warnings)) || [[ -n $left && $SECONDS -ge $stop ]]; then
            code=75
        fi
        ;;
esac

echo "slurm.sh: visds-run ended with exit code $code"
if ((code == 75)); then
    if ((restarts >= ${VISDS_REQUEUES:-20})); then
        echo "slurm.sh: requeued $restarts times already; submit the same command to go on" >&2
    elif scontrol requeue "$SLURM_JOB_ID"; then
        echo "slurm.sh: requeued to go on"
    else
        echo "slurm.sh: cannot requeue; submit the same command to go on" >&2
    fi
fi
exit "$code"
