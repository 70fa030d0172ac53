/** Helpers for the DOM and for confidences. */

const SURE = 0.99;
const FAIR = 0.8;
const NBSP = "\u00a0";

export function byId(id) {
  return document.getElementById(id);
}

/** Create an element with properties, data-… attributes (`dataset`) and children. */
export function element(tag, { dataset = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** Format a confidence in per cent, rounded down, so that only 1 is 100 %. */
export function percent(confidence) {
  if (confidence >= 1) return `100${NBSP}%`;
  if (confidence < 0.001) return `<${NBSP}0.1${NBSP}%`;
  return `${(Math.floor(confidence * 1000 + 1e-6) / 10).toFixed(1)}${NBSP}%`;
}

/** Return the level of a confidence, for colours and words. */
export function levelOf(confidence) {
  if (confidence >= SURE) return "sure";
  return confidence >= FAIR ? "fair" : "doubtful";
}

/** Return the level of a text; no text has its own level, since it is never accepted. */
export function levelOfText({ text, confidence }) {
  return text ? levelOf(confidence) : "none";
}

/** Announce a message to screen readers, even if it equals the last one. */
export function announce(words) {
  const place = byId("announcement");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = words;
  });
}

/** Make a button copy the text of the element named by data-copies, or select it if copying is not allowed. */
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
