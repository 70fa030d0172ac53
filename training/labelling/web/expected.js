// What people have said that labels are like, and whether one is.

const list = (characters) => [...characters].join(" ");

/** The length, or null, and the characters; any where there are none. */
export function expected() {
  const { value, validity } = document.getElementById("length");
  const charset = document.getElementById("charset").value.normalize("NFC");
  return { length: value && validity.valid ? Number(value) : null, charset };
}

/** What of a label is not as expected, as a sentence; empty if all is. */
export function complaintOf(label) {
  const { length, charset } = expected();
  const characters = [...label.normalize("NFC")];
  const others = new Set(characters.filter((character) => !charset.includes(character)));
  if (charset && others.size) return `Not among the expected characters: ${list(others)}.`;
  if (length && characters.length !== length) {
    return `The label has ${characters.length} characters, and ${length} are expected.`;
  }
  return "";
}
