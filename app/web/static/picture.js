/** The picture of the image that is shown, with the boxes of its characters, which the tiles below stand under. */

import { byId } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDEST = 880;
const HIGHEST = 240;
const LARGEST_SCALE = 6;
const NARROWEST_TILE = 44;

let shownFile = null;
let shownUrl = "";
let boxesOf = [];

/** Show the picture of a file, and its size in an element. */
export function showPicture(file, sizePlace) {
  if (file === shownFile) return;
  URL.revokeObjectURL(shownUrl);
  shownFile = file;
  shownUrl = URL.createObjectURL(file);
  const image = byId("image");
  sizePlace.textContent = "";
  byId("stage").hidden = false;
  image.onload = () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    sizePlace.textContent = `${width} × ${height} px`;
    enlarge(width, height);
    alignTiles();
  };
  image.onerror = () => {
    sizePlace.textContent = "No preview in this browser";
    byId("stage").hidden = true;
    alignTiles();
  };
  image.src = shownUrl;
}

/** By a whole number where possible, so that pixels stay squares. */
function enlarge(width, height) {
  const fitting = Math.min(WIDEST / width, HIGHEST / height, LARGEST_SCALE);
  const scale = fitting > 1 ? Math.floor(fitting) : fitting;
  byId("picture").style.width = `${width * scale}px`;
  byId("picture").classList.toggle("enlarged", scale >= 1);
  byId("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
}

/**
 * Draw the boxes of characters, as far as they have any.
 *
 * @param {(index: number) => void} onPoint - called with the index of the character pointed at, then with -1
 */
export function showBoxes(characters, onPoint) {
  boxesOf = characters.map(({ box }) => box);
  const hasBoxes = boxesOf.length > 0 && boxesOf.every(Boolean);
  if (!hasBoxes) boxesOf = [];
  byId("boxes").replaceChildren(...boxesOf.map((box, index) => rectangle(box, characters[index], index, onPoint)));
  alignTiles();
}

function rectangle({ left, top, right, bottom }, { character }, index, onPoint) {
  const rect = document.createElementNS(SVG, "rect");
  const attributes = { x: left, y: top, width: right - left, height: bottom - top, "data-character": character };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, String(value));
  rect.addEventListener("pointerenter", () => onPoint(index));
  rect.addEventListener("pointerleave", () => onPoint(-1));
  return rect;
}

/** Put each tile under the box of its character, unless that would make one too narrow for its numbers. */
function alignTiles() {
  const list = byId("characters");
  const width = byId("image").naturalWidth;
  const shown = byId("picture").clientWidth;
  const scale = shown / width;
  const aligned =
    boxesOf.length > 0 &&
    list.children.length === boxesOf.length &&
    boxesOf.every((box) => (box.right - box.left) * scale >= NARROWEST_TILE);
  list.classList.toggle("aligned", aligned);
  list.style.width = aligned ? `${shown}px` : "";
  [...list.children].forEach((item, index) => {
    const { left, right } = boxesOf[index] ?? {};
    item.style.left = aligned ? `${(100 * left) / width}%` : "";
    item.style.width = aligned ? `${(100 * (right - left)) / width}%` : "";
  });
}

new ResizeObserver(alignTiles).observe(byId("stage"));
