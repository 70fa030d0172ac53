#!/bin/sh
# Fills the folder $MODEL_STORE from the archive at $MODELS_URL, which must have the SHA-256 $MODELS_SHA256.
#
# The archive is made by: tar --create --gzip --file models.tar.gz --directory model_store captcha
set -eu

new=$MODEL_STORE/.new
rm -rf "$new" # of an attempt that failed
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

# A model that was damaged before it was packed is found by the sums that training wrote.
for sums in "$new"/*/*/SHA256SUMS; do
  [ -e "$sums" ] || continue
  (cd "$(dirname "$sums")" && sha256sum --check --strict --quiet SHA256SUMS)
done

for model in "$new"/*; do
  rm -rf "$MODEL_STORE/$(basename "$model")"
  mv "$model" "$MODEL_STORE"
done
rmdir "$new"
