// Expected length and characters of labels.

const list = (characters) => [...characters].join(" ");

/** Return the expected length (null: any) and characters (empty: any). */
export function expected() {
  const { value, validity } = document.getElementById("length");
  const charset = document.getElementById("charset").value.normalize("NFC");
  return { length: value && validity.valid ? Number(value) : null, charset };
}

/** Return what is unexpected about a label as a sentence; empty if nothing is. */
export function complaintOf(label) {
  const { length, charset } = expected();
  const characters = [...label.normalize("NFC")];
  const others = new Set(characters.filter((character) => !charset.includes(character)));
  if (charset && others.size) return `Not among the expected characters: ${list(others)}.`;
  if (length && characters.length !== length) {
    return `The label has ${characters.length} characters instead of ${length}.`;
  }
  return "";
}
