#!/bin/sh
# Download the archive $MODELS_URL, check its SHA-256 against $MODELS_SHA256, and unpack it into $MODEL_STORE.
#
# To make the archive: tar --create --gzip --file models.tar.gz --directory model_store captcha
set -eu

new=$MODEL_STORE/.new
rm -rf "$new" # left by a failed attempt
mkdir "$new"

python3 - "$MODELS_URL" "$new/models.tar.gz" <<'FETCH'
import shutil
import sys
import urllib.request

url, target = sys.argv[1:]
with urllib.request.urlopen(url, timeout=30) as answer, open(target, "wb") as file:
    shutil.copyfileobj(answer, file)
FETCH

echo "$MODELS_SHA256  $new/models.tar.gz" | sha256sum --check --strict
tar --extract --gzip --no-same-owner --directory "$new" --file "$new/models.tar.gz"
rm "$new/models.tar.gz"

# The checksums written by the training reveal models that were damaged before they were packed.
for sums in "$new"/*/*/SHA256SUMS; do
  [ -e "$sums" ] || continue
  (cd "$(dirname "$sums")" && sha256sum --check --strict --quiet SHA256SUMS)
done

for model in "$new"/*; do
  rm -rf "$MODEL_STORE/$(basename "$model")"
  mv "$model" "$MODEL_STORE"
done
rmdir "$new"
