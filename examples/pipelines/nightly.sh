#!/usr/bin/env bash
# Check, train or go on, gate, predict: nightly.sh DATA RUN [OPTIONS OF mtft train...] < texts > answers
# Exit codes are mtft's: 2 data or settings, 3 the gate, 4 out of time (the next night goes on).
set -euo pipefail
data=$1 run=$2
shift 2

mtft data check --tasks sst,quora,sts --data-dir "$data" --json |
    jq -r '.findings[] | "\(.severity): \(.file):\(.line): \(.message)"' >&2

if [ -e "$run/config.toml" ]; then
    mtft train --resume "$run" --max-time 6h --quiet >&2
else
    mtft train --tasks sst,quora,sts --data-dir "$data" --out "$run" --max-time 6h --quiet "$@" >&2
fi

mtft eval "$run" --data-dir "$data" --fail-under "${GATE:-sts.pearson=0.8,quora.accuracy=0.75}" --json |
    jq -r '.tasks | to_entries[] | .key as $task | .value.metrics | to_entries[] | [$task, .key, .value.value] | @tsv' >&2

mtft predict "$run" --on-error null
