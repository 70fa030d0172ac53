/** Readings as CSV (RFC 4180), with the columns of `python -m app read --output` and the model. */

const COLUMNS = ["path", "text", "confidence", "character_confidences", "model", "version", "error"];

export function toCsv(images) {
  return [COLUMNS, ...images.map(row)].map((cells) => cells.map(cell).join(",") + "\r\n").join("");
}

function row({ name, prediction, error }) {
  if (!prediction) return [name, "", "", "", "", "", error?.message ?? "Not read."];
  const { text, confidence, characters, model } = prediction;
  const confidences = characters.map((character) => character.confidence).join(" ");
  return [name, text, confidence, confidences, model.name, model.version, ""];
}

/** Quote a cell; prefix an apostrophe if a spreadsheet would take it for a formula. */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
