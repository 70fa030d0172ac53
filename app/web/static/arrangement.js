/** Order and filter of the image list. */

import { byId, levelOfText } from "./dom.js";
import { arrangeRows } from "./table.js";

let isArranged = false;

/** Sort and filter the list as selected; skip this while the list is in its original order. */
export function arrange(images) {
  const byConfidence = byId("order").value === "confidence";
  const onlyDoubtful = byId("only").checked;
  const doubtful = new Set(images.filter(isDoubtful));
  byId("only-count").textContent = `(${doubtful.size})`;
  byId("none-left").hidden = !onlyDoubtful || doubtful.size > 0;
  if (!isArranged && !byConfidence && !onlyDoubtful) return;
  isArranged = byConfidence || onlyDoubtful;
  const listed = byConfidence ? [...images].sort((one, other) => sortKey(one) - sortKey(other)) : images;
  arrangeRows(listed, (image) => !onlyDoubtful || doubtful.has(image));
}

/** Whether an image needs a check: failed, without text, or uncertain. */
function isDoubtful({ state, prediction }) {
  return prediction ? ["none", "doubtful"].includes(levelOfText(prediction)) : state === "failed";
}

/** Return a sort key: errors, no text, then by confidence; unread images last. */
function sortKey({ state, prediction }) {
  if (prediction) return prediction.text ? prediction.confidence : -1;
  return state === "failed" ? -2 : 2;
}
