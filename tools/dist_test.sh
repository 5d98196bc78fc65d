#!/usr/bin/env bash
# Evaluate on several processes of this machine, or of several machines:
#   tools/dist_test.sh CONFIG CHECKPOINT NUM_GPUS [OPTION OF tools/test.py]…
# CHECKPOINT is 'none' for a model that learns nothing.
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON.
# Without a GPU, NUM_GPUS processes run on the CPU.
set -euo pipefail

if (($# < 3)); then
    echo "usage: $0 CONFIG CHECKPOINT NUM_GPUS [OPTION]…" >&2
    exit 2
fi

what=("$1")
if [[ $2 != none ]]; then
    what+=("$2")
fi

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$3" \
    "$(dirname "$0")/test.py" "${what[@]}" --launcher pytorch "${@:4}"
