/** The table of all images. */

import { byId, element, levelOf, levelOfText, percent } from "./dom.js";
import { inWords } from "./errors.js";

const rows = new Map();
const imagesOf = new WeakMap();
let current = null;

/** Loads a thumbnail when its row comes into view; its URL is revoked after loading. */
const thumbnails = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      thumbnails.unobserve(target);
      target.src = URL.createObjectURL(imagesOf.get(target).file);
    }
  }
}, { root: byId("table-box"), rootMargin: "400px" });

/** @param {(image: object) => void} onChoose - called with the image of the selected row */
export function addRows(images, onChoose) {
  const added = document.createDocumentFragment();
  for (const image of images) added.append(newRow(image, onChoose));
  byId("rows").append(added);
}

export function clearRows() {
  thumbnails.disconnect();
  rows.clear();
  current = null;
  byId("rows").replaceChildren();
}

/** Show the state of an image. */
export function updateRow(image) {
  const row = rows.get(image);
  row.dataset.state = image.state;
  row.replaceChildren(...[...row.children].slice(0, 2), ...outcome(image));
}

/** Mark the row of the shown image. */
export function markRow(image) {
  const button = (of) => rows.get(of)?.querySelector("button");
  button(current)?.removeAttribute("aria-current");
  button(image)?.setAttribute("aria-current", "true");
  current = image;
}

/** Sort the rows, moving as few as possible, and hide unwanted ones. */
export function arrangeRows(images, isWanted) {
  const focused = document.activeElement;
  let next = byId("rows").firstElementChild;
  for (const image of images) {
    const row = rows.get(image);
    row.hidden = !isWanted(image);
    if (row === next) next = next.nextElementSibling;
    else byId("rows").insertBefore(row, next);
  }
  if (focused !== document.activeElement) focused.focus(); // moving an element drops its focus
}

function newRow(image, onChoose) {
  const picture = element("img", { alt: "", decoding: "async" });
  picture.onload = picture.onerror = ({ type }) => {
    URL.revokeObjectURL(picture.src);
    picture.hidden = type === "error";
  };
  imagesOf.set(picture, image);
  thumbnails.observe(picture);
  const name = element("button", { type: "button", className: "name", title: image.name }, image.name);
  const row = element(
    "tr",
    {},
    element("td", { className: "thumbnail" }, picture),
    element("td", { className: "file" }, name),
  );
  row.addEventListener("click", () => {
    if (getSelection().isCollapsed) onChoose(image);
  });
  name.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step) return;
    event.preventDefault();
    let next = row[step];
    while (next?.hidden) next = next[step];
    next?.querySelector("button").focus();
    next?.click();
  });
  rows.set(image, row);
  updateRow(image);
  return row;
}

function outcome({ state, prediction, error }) {
  if (!prediction) {
    const words = { waiting: "waiting", reading: "reading …", stopped: "not read", failed: error && inWords(error).title };
    return [element("td", { colSpan: 2, className: error ? "error" : "quiet" }, words[state])];
  }
  const { text, confidence, characters } = prediction;
  const shades = characters.map(({ character, confidence: sure }) =>
    element("span", { dataset: { level: levelOf(sure) }, title: `${character}: ${percent(sure)}` }, character),
  );
  const shown = text
    ? [element("bdi", { ariaHidden: "true" }, ...shades), element("span", { className: "visually-hidden" }, text)]
    : [element("span", { className: "none" }, "no text")];
  return [
    element("td", { className: "text" }, ...shown),
    element("td", { className: "number", dataset: { level: levelOfText(prediction) } }, percent(confidence)),
  ];
}
