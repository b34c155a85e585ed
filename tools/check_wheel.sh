#!/usr/bin/env bash
# Build the wheel, install it into an empty environment outside the repository, and use it there.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT

cd "$repository"
.venv/bin/python -m hatchling build -t wheel -d "$workspace" >/dev/null
.venv/bin/python tools/write_example_model.py "$workspace/model.tflite"

cd "$workspace"
"$repository/.venv/bin/python" -m venv environment
environment/bin/python -m pip install --quiet --disable-pip-version-check -c "$repository/requirements.lock" ./*.whl
environment/bin/tinynas boards
environment/bin/tinynas inspect model.tflite --board nucleo-f303k8
environment/bin/tinynas measure model.tflite --board nucleo-f303k8 --virtual
echo "wheel: inspect and measure work outside the repository"
