#!/bin/sh
# Joins the parts beside this file: sh join.sh [FOLDER]. Makes FOLDER/bundle (FOLDER is the current one unless given).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-.}
mkdir -p "$to"
(cd "$here" && sha256sum --check --quiet SHA256SUMS)
cat "$here"/part-* | gzip -dc | (cd "$to" && tar -xf -)
echo "joined; now run the check in it"
