/** What several parts of the page need. */

const SURE = 0.99;
const FAIR = 0.8;
const NBSP = "\u00a0";

export function byId(id) {
  return document.getElementById(id);
}

/** A new element with properties, data-… attributes among them as `dataset`, and children. */
export function element(tag, { dataset = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** A confidence in per cent, rounded down: only certainty is 100 %. */
export function percent(confidence) {
  if (confidence >= 1) return `100${NBSP}%`;
  if (confidence < 0.001) return `<${NBSP}0.1${NBSP}%`;
  return `${(Math.floor(confidence * 1000 + 1e-6) / 10).toFixed(1)}${NBSP}%`;
}

/** How a confidence is coloured and said. */
export function levelOf(confidence) {
  if (confidence >= SURE) return "sure";
  return confidence >= FAIR ? "fair" : "doubtful";
}

/** The same of a text; that there is none is never sure, as it is never accepted. */
export function levelOfText({ text, confidence }) {
  return text ? levelOf(confidence) : "none";
}

/** Say something to whoever uses a screen reader, also if it is what was said last. */
export function announce(words) {
  const place = byId("announcement");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = words;
  });
}

/** Make a button copy the text of the element that its data-copies names, or select it where that is not allowed. */
export function makeCopyButton(button) {
  const source = byId(button.dataset.copies);
  const label = button.firstChild;
  const original = label.data;
  button.addEventListener("click", async () => {
    const copied = await copy(source.textContent);
    if (!copied) getSelection().selectAllChildren(source);
    label.data = copied ? "Copied" : "Selected";
    announce(copied ? "Copied." : "Selected; copy it with the keyboard.");
    setTimeout(() => {
      label.data = original;
    }, 2000);
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no clipboard without TLS, or no permission
  }
}
