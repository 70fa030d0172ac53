/** Images out of what was dropped or pasted. */

/**
 * All files that were handed over, and the images in the folders among them.
 *
 * What a file is, the service says; of a folder, what the names of its files say is not sent.
 *
 * @param {DataTransfer} transfer - read before the first pause: the browser empties it after the event
 * @returns {Promise<{files: {file: File, name: string}[], leftOut: number}>}
 */
export async function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const handed = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const files = [];
  let leftOut = 0;
  for (const { entry, file } of handed) {
    if (entry?.isDirectory) {
      for await (const found of filesIn(entry)) {
        if (found.file.type.startsWith("image/")) files.push(found);
        else leftOut += 1;
      }
    } else if (file) {
      files.push({ file, name: file.name });
    }
  }
  return { files, leftOut };
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

/** The entries of a folder by their names; a browser gives them in portions. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return entries.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    entries.push(...portion);
  }
}
