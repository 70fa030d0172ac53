/** Image files in dropped or pasted data. */

/**
 * Return all files, and the files in folders whose names are those of images.
 *
 * Single files are always sent; the service checks what they are.
 *
 * @param {DataTransfer} transfer - read before the first await: the browser empties it after the event
 * @returns {Promise<{files: {file: File, name: string}[], skipped: number}>}
 */
export async function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const given = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const files = [];
  let skipped = 0;
  for (const { entry, file } of given) {
    if (entry?.isDirectory) {
      for await (const found of filesIn(entry)) {
        if (found.file.type.startsWith("image/")) files.push(found);
        else skipped += 1;
      }
    } else if (file) {
      files.push({ file, name: file.name });
    }
  }
  return { files, skipped };
}

async function* filesIn(folder) {
  for (const entry of await entriesOf(folder)) {
    if (entry.isDirectory) {
      yield* filesIn(entry);
    } else {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      yield { file, name: entry.fullPath.slice(1) };
    }
  }
}

/** Return the entries of a folder, sorted by name; browsers return them in batches. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return entries.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    entries.push(...batch);
  }
}
