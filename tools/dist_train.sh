#!/usr/bin/env bash
# Train on several processes of this machine, or of several machines:
#   tools/dist_train.sh CONFIG NUM_GPUS [OPTION OF tools/train.py]…
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON.
# Without a GPU, NUM_GPUS processes run on the CPU.
set -euo pipefail

if (($# < 2)); then
    echo "usage: $0 CONFIG NUM_GPUS [OPTION]…" >&2
    exit 2
fi

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$(dirname "$0")/train.py" "$1" --launcher pytorch "${@:3}"
