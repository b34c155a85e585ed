#!/usr/bin/env bash
# Run a command on a search path without arm-none-eabi-gcc, as on a machine where it is not installed:
#   tools/without_gcc.sh .venv/bin/python -m pytest tests/engine/test_add.py
set -euo pipefail
links=$(mktemp -d)
trap 'rm -rf "$links"' EXIT

# Each folder that holds it gives way to one with links to everything else in there.
IFS=: read -ra folders <<<"$PATH"
for i in "${!folders[@]}"; do
  [ -x "${folders[i]}/arm-none-eabi-gcc" ] || continue
  mkdir "$links/$i"
  find "$(realpath "${folders[i]}")" -mindepth 1 -maxdepth 1 ! -name 'arm-none-eabi-*' -exec ln -s -t "$links/$i" {} +
  folders[i]=$links/$i
done
PATH=$(IFS=: && echo "${folders[*]}")
if command -v arm-none-eabi-gcc; then exit 1; fi
"$@"
