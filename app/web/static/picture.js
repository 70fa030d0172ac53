/** The shown image with the boxes of its characters, and the tiles below it. */

import { byId } from "./dom.js";
import { createZoom } from "./shared/zoom.js";

const SVG = "http://www.w3.org/2000/svg";
const HIGHEST = 240;
const NARROWEST_TILE = 44;

let shownFile = null;
let shownUrl = "";
let boxes = [];

const zoom = createZoom({
  box: byId("stage"),
  picture: byId("picture"),
  out: byId("zoom-out"),
  in: byId("zoom-in"),
  level: byId("zoom-level"),
}, () => HIGHEST, alignTiles);

/** Show an image file and its size. */
export function showPicture(file) {
  if (file === shownFile) return;
  URL.revokeObjectURL(shownUrl);
  shownFile = file;
  shownUrl = URL.createObjectURL(file);
  const image = byId("image");
  byId("result-size").textContent = "";
  byId("stage").hidden = byId("zoom").hidden = false;
  image.onload = () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    byId("result-size").textContent = `${width} × ${height} px`;
    byId("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    zoom.show(width, height);
  };
  image.onerror = () => {
    byId("result-size").textContent = "No preview in this browser";
    byId("stage").hidden = byId("zoom").hidden = true;
    alignTiles();
  };
  image.src = shownUrl;
}

/**
 * Draw the boxes of characters, if they have boxes.
 *
 * @param {(index: number) => void} onPoint - called with a character's index on entering its box, with -1 on leaving
 */
export function showBoxes(characters, onPoint) {
  boxes = characters.map(({ box }) => box);
  const hasBoxes = boxes.length > 0 && boxes.every(Boolean);
  if (!hasBoxes) boxes = [];
  byId("boxes").replaceChildren(...boxes.map((box, index) => rectangle(box, characters[index], index, onPoint)));
  alignTiles();
}

/** Scroll the box of a character into view. */
export function revealBox(index) {
  if (boxes[index]) zoom.reveal(boxes[index]);
}

function rectangle({ left, top, right, bottom }, { character }, index, onPoint) {
  const rect = document.createElementNS(SVG, "rect");
  const attributes = { x: left, y: top, width: right - left, height: bottom - top, "data-character": character };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, String(value));
  rect.addEventListener("pointerenter", () => onPoint(index));
  rect.addEventListener("pointerleave", () => onPoint(-1));
  return rect;
}

/**
 * Put each tile under the box of its character, unless a tile would be too narrow for its number.
 *
 * Otherwise, place them side by side in the order of the boxes, also for numbers in right-to-left text.
 */
function alignTiles() {
  const list = byId("characters");
  const width = byId("image").naturalWidth;
  const shown = byId("picture").clientWidth;
  const scale = shown / width;
  const hasBoxes = boxes.length > 0 && list.children.length === boxes.length;
  const aligned =
    hasBoxes &&
    shown > 0 &&
    !byId("stage").classList.contains("zoomed") &&
    boxes.every((box) => (box.right - box.left) * scale >= NARROWEST_TILE);
  const ranks = hasBoxes ? ranksOf(boxes, list.dir === "rtl") : [];
  list.classList.toggle("aligned", aligned);
  list.style.width = aligned ? `${shown}px` : "";
  [...list.children].forEach((item, index) => {
    const { left, right } = boxes[index] ?? {};
    item.style.left = aligned ? `${(100 * left) / width}%` : "";
    item.style.width = aligned ? `${(100 * (right - left)) / width}%` : "";
    item.style.order = ranks[index] ?? "";
  });
}

/** Return the position of each box in reading order. */
function ranksOf(all, fromTheRight) {
  const sorted = [...all].sort((one, other) => (fromTheRight ? other.left - one.left : one.left - other.left));
  return all.map((box) => sorted.indexOf(box));
}
