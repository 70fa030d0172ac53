/** In which order images are listed, and which of them. */

import { byId, levelOfText } from "./dom.js";
import { arrangeRows } from "./table.js";

let isArranged = false;

/** Arrange the list as is chosen; as long as that is as it was added, there is nothing to do. */
export function arrange(images) {
  const bySureness = byId("order").value === "confidence";
  const onlyDoubtful = byId("only").checked;
  const doubtful = new Set(images.filter(isDoubtful));
  byId("only-count").textContent = `(${doubtful.size})`;
  byId("none-left").hidden = !onlyDoubtful || doubtful.size > 0;
  if (!isArranged && !bySureness && !onlyDoubtful) return;
  isArranged = bySureness || onlyDoubtful;
  const listed = bySureness ? [...images].sort((one, other) => sureness(one) - sureness(other)) : images;
  arrangeRows(listed, (image) => !onlyDoubtful || doubtful.has(image));
}

/** Whether people should look at it: it could not be read, has no text, or one that is doubtful. */
function isDoubtful({ state, prediction }) {
  return prediction ? ["none", "doubtful"].includes(levelOfText(prediction)) : state === "failed";
}

/** Errors, no text, the confidence of a text, and last what is not read yet. */
function sureness({ state, prediction }) {
  if (prediction) return prediction.text ? prediction.confidence : -1;
  return state === "failed" ? -2 : 2;
}
