#!/usr/bin/env bash
# Runs each given binary in an empty root, as an unprivileged user, with an empty environment: what a container image
# `FROM scratch` offers. A binary that needs a loader, a shared library, a shell or a user database fails here.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: scratch.sh BINARY..." >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# mktemp makes it private to us; the other user must be able to enter.
chmod 755 "$work"
root=$work/root
mkdir "$root"

if [ "$(id -u)" = 0 ]; then
  enter=("$(command -v chroot)" --userspec=65532:65532)
else
  enter=("$(command -v unshare)" --user --map-root-user chroot)
fi

for binary in "$@"; do
  cp "$binary" "$root/app"
  for argument in --version --help; do
    env -i PATH="$PATH" "${enter[@]}" "$root" /app "$argument" >"$work/out" \
      || { echo "error: $binary $argument does not run in an empty root" >&2; exit 1; }
  done
  # `--help` of a program that does something is more than a line or two.
  lines=$(wc -l <"$work/out")
  [ "$lines" -ge 5 ] || { echo "error: $binary --help printed $lines lines in an empty root" >&2; exit 1; }
  printf '%s runs in an empty root (%s bytes)\n' "$(basename "$binary")" "$(stat -c %s "$binary")"
done
