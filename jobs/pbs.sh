#!/bin/bash
# Run visds-run under PBS (OpenPBS, PBS Pro, Torque), over as many wall-clock limits as it takes.
#
#   jobs/pbs.sh star.ms -o /scratch/me/star --settings jobs/settings/ugmrt.toml
#   VISDS_QSUB="-q long -l walltime=24:00:00" jobs/pbs.sh star.ms -o ...
#
# Call it, do not qsub it: it submits itself, as qsub takes no arguments for a script. All
# arguments go to visds-run. This file and the output folder must be on a disk that all nodes
# see. Variables, all of them optional, are explained in jobs/README.md: VISDS_ENV,
# VISDS_MPIEXEC, VISDS_MARGIN, VISDS_REQUEUES, VISDS_QSUB, VISDS_WALLTIME.

#PBS -N visds
#PBS -l select=1:ncpus=16:mpiprocs=16:mem=64gb
#PBS -l walltime=04:00:00
#PBS -j oe
#PBS -r y

# A site's own modules, where visds is built on them:
# module load python/3.11 openmpi/5.0
# Where nodes may not log in to each other with ssh:
# export PRTE_MCA_plm_ssh_agent=pbs_tmrsh HYDRA_LAUNCHER_EXEC=pbs_tmrsh

set -u
warnings=0
run=
trap 'warnings=$((warnings + 1)); [[ -z $run ]] || kill -USR1 "$run"' USR1

fail() {
    echo "pbs.sh: error: $1" >&2
    exit 2
}

# Submit a job of these arguments: the directives and variables of now, then this file.
submit() {
    local -a options
    read -ra options <<< "${VISDS_QSUB:-}"
    {
        echo '#!/bin/bash'
        grep '^#PBS' "$script"
        declare -p "${!VISDS_@}"
        printf 'exec /bin/bash %q' "$script"
        printf ' %q' "$@"
        echo
    } | qsub "${options[@]}"
}

# Seconds in 04:00:00, or in a bare number of them.
to_seconds() {
    local total=0 part
    local -a parts
    IFS=: read -ra parts <<< "$1"
    for part in "${parts[@]}"; do
        total=$((total * 60 + 10#$part))
    done
    echo "$total"
}

# Seconds until the wall-clock limit; nothing where it is not known.
seconds_left() {
    local limit=${VISDS_WALLTIME:-${PBS_WALLTIME:-}} used=0 said
    if [[ -z $limit ]]; then
        said=$(qstat -f "$PBS_JOBID" 2> /dev/null) || return 0
        [[ $said =~ Resource_List\.walltime\ =\ ([0-9:]+) ]] || return 0
        limit=${BASH_REMATCH[1]}
        [[ ! $said =~ resources_used\.walltime\ =\ ([0-9:]+) ]] \
            || used=$(to_seconds "${BASH_REMATCH[1]}")
    fi
    echo $(($(to_seconds "$limit") - used))
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
    local library mpirun
    { read -r library && read -r mpirun; } < <(mpi_library) \
        || fail "mpi4py of $python finds no MPI library (its message is above)"
    [[ -x $mpirun ]] || mpirun=$(command -v mpirun) || fail "no mpirun belongs to $library"
    launcher=("$mpirun" -n "$(wc -l < "$PBS_NODEFILE")")
    if [[ $library == *"Open MPI"* ]]; then
        # A rank reads in one thread and averages in another: one core would not let them overlap.
        launcher+=(--hostfile "$PBS_NODEFILE" --bind-to none)
    else # MPICH and its kin: Intel MPI, MVAPICH
        launcher+=(-f "$PBS_NODEFILE")
    fi
}

(($#)) || fail "no measurement set: jobs/pbs.sh MS -o OUT [options of visds-run]"
script=$(readlink -f "$0")
if [[ -z ${PBS_ENVIRONMENT:-} ]]; then
    export VISDS_RESTARTS=0
    submit "$@"
    exit
fi

cd "${PBS_O_WORKDIR:-.}" || fail "cannot enter the folder of submission $PBS_O_WORKDIR"
[[ -z ${VISDS_ENV:-} ]] || PATH=$VISDS_ENV/bin:$PATH
program=$(command -v visds-run) || fail "visds-run is not on the path: set VISDS_ENV"
python=${program%/*}/python
[[ -x $python ]] || python=python3
choose_launcher

# One thread a rank: the ranks are the parallelism.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
# No two processes write one file, so a file system without locks (Lustre, NFS) does no harm.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-BEST_EFFORT}

restarts=${VISDS_RESTARTS:-0}
deadline=()
left=$(seconds_left)
SECONDS=0
if [[ -n $left ]]; then
    margin=${VISDS_MARGIN:-240}
    ((margin < left / 4)) || margin=$((left / 4))
    deadline=(--deadline "$((left - margin))s")
    stop=$((left - margin / 4))
else
    echo "pbs.sh: the wall-clock limit is not known: set VISDS_WALLTIME to stop before it" >&2
fi
echo "pbs.sh: job $PBS_JOBID, run $((restarts + 1)), $(date -u +%FT%TZ):" \
    "${launcher[*]} $program ${deadline[*]} $*"

# A deadline among the user's own options comes later on the line and wins.
"${launcher[@]}" "$program" "${deadline[@]}" "$@" &
run=$!
if [[ -n $left ]]; then
    # What passes the deadline (a long chunk, the plots) is stopped while there is time to resubmit.
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

echo "pbs.sh: visds-run ended with exit code $code"
if [[ $code -eq 75 && $PBS_ENVIRONMENT == PBS_BATCH ]]; then
    export VISDS_RESTARTS=$((restarts + 1))
    if ((restarts >= ${VISDS_REQUEUES:-20})); then
        echo "pbs.sh: resubmitted $restarts times already; submit the same command to go on" >&2
    elif submit "$@"; then
        echo "pbs.sh: resubmitted to go on"
    else
        echo "pbs.sh: cannot submit from here; submit the same command to go on" >&2
    fi
fi
exit "$code"
