#!/usr/bin/env bash
# Write requirements/*.txt: every version with its hashes, no address of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-header --no-emit-index-url --no-emit-find-links "$@"
}
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --all-extras --group dev -o requirements/dev.txt
compile --group build -o requirements/build.txt
compile --group fuzz -o requirements/fuzz.txt
if grep -nE '://|--(extra-)?index-url|--find-links' requirements/*.txt; then
  echo "an address slipped into requirements/" >&2; exit 1
fi
