#!/usr/bin/env bash
# Two agents on this machine, standing for two nodes: each starts one process, and the two train one run.
# Usage: [PORT=29400] two-agents.sh ARGUMENTS OF MTFT
set -euo pipefail

agent() { # with all that a node is told; on real nodes, localhost is the name of one of them
    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint "localhost:${PORT:-29400}" \
        --rdzv-id mtft --local-addr localhost -m mtft "$@"
}

agent "$@" &
other=$!
trap 'kill "$other" 2>/dev/null || true' EXIT
agent "$@"
wait "$other"
