/** Details of one image: the image with boxes, its characters, alternatives, and the curl command. */

import { asksForKey, predictAddress } from "./api.js";
import { curlCommand } from "./curl.js";
import { byId, element, levelOf, levelOfText, percent } from "./dom.js";
import { inWords } from "./errors.js";
import { revealBox, showBoxes, showPicture } from "./picture.js";

const MANY = 12; // from this many characters on, tiles are smaller
const LONG = 16; // longer texts get their own line
const POINT = matchMedia("(hover: hover)").matches ? "Point at a character, or tab to it," : "Tap a character";
const HINT = `${POINT} to see its position and alternatives.`;
const WORDS = { sure: "confident", fair: "fairly confident", doubtful: "uncertain" };

/** Show an image in its current state. */
export function showResult(image, choice) {
  const { state, prediction, error } = image;
  byId("result").hidden = false;
  byId("result-name").textContent = image.name;
  showPicture(image.file);
  showPending(state);
  byId("failure").hidden = !error;
  for (const part of ["characters", "inspector", "reading"]) byId(part).hidden = !prediction;
  if (error) showFailure(error);
  if (prediction) showReading(prediction, image.milliseconds);
  showBoxes(prediction?.characters ?? [], activate);
  showCall(image, choice);
}

function showPending(state) {
  const words = { waiting: "Queued …", reading: "Reading …", stopped: "Stopped before it was read." };
  byId("pending").hidden = !(state in words);
  byId("pending").textContent = words[state] ?? "";
}

function showFailure(error) {
  const { title, advice } = inWords(error);
  byId("failure-title").textContent = title;
  byId("failure-advice").textContent = advice;
  byId("failure-again").hidden = !error.mayPass;
  byId("problem").hidden = !error.status;
  byId("problem-title").textContent = `${error.title} (${error.status})`.trim();
  byId("problem-detail").textContent = error.message;
  byId("problem-request").textContent = error.requestId ? `Request id ${error.requestId}` : "";
}

function showReading(prediction, milliseconds) {
  const { text, confidence, characters, model } = prediction;
  byId("text").textContent = text || "no text";
  byId("text").classList.toggle("none", !text);
  byId("reading").classList.toggle("long", text.length > LONG);
  byId("copy-text").hidden = !text;
  byId("confidence").textContent = percent(confidence);
  byId("confidence").dataset.level = levelOfText(prediction);
  byId("time").textContent = `${Math.max(1, Math.round(milliseconds))} ms`;
  byId("model-used").textContent = `${model.name} ${model.version}`;
  byId("alternatives").replaceChildren(...(prediction.alternatives ?? []).map((other) => alternative(other, text)));
  byId("characters").dir = getComputedStyle(byId("text")).direction; // depends on the text
  byId("characters").classList.toggle("many", characters.length > MANY);
  byId("characters").replaceChildren(...characters.map((_, index) => tile(prediction, index)));
  byId("inspector").textContent = characters.length ? HINT : "The model found no characters in this image.";
}

/** Create a character's tile, filled in proportion to its confidence; pointing at it shows details. */
function tile(prediction, index) {
  const { character, confidence } = prediction.characters[index];
  const fill = element("span", { className: "fill", ariaHidden: "true" });
  fill.style.height = `${100 * confidence}%`;
  const button = element(
    "button",
    { type: "button", dataset: { level: levelOf(confidence) } },
    element("span", { className: "gauge" }, fill, element("span", {}, character === " " ? "␣" : character)),
    element("span", { className: "number", dir: "ltr", ariaHidden: "true" }, percent(confidence)),
    element("span", { className: "visually-hidden" }, ...explanation(prediction, index)),
  );
  for (const event of ["pointerenter", "focus"]) {
    button.addEventListener(event, () => {
      activate(index);
      revealBox(index);
      byId("inspector").replaceChildren(element("bdi", {}, character), ": ", ...explanation(prediction, index));
    });
  }
  for (const event of ["pointerleave", "blur"]) {
    button.addEventListener(event, () => {
      activate(-1);
      byId("inspector").textContent = HINT;
    });
  }
  return element("li", {}, button);
}

/** Describe a character as words and elements. */
function explanation(prediction, index) {
  const { confidence, box } = prediction.characters[index];
  const place = box ? `, columns ${box.left} to ${box.right}` : "";
  const instead = othersAt(prediction, index).flatMap(([character, more], place) => [
    place ? ", " : "; could be ",
    element("bdi", {}, character),
    ` (${percent(more)})`,
  ]);
  return [`${percent(confidence)}, ${WORDS[levelOf(confidence)]}${place}`, ...instead];
}

/** Return the characters at this position in alternatives of the same length, with their probability. */
function othersAt({ text, alternatives = [] }, index) {
  const read = [...text];
  const others = new Map();
  for (const { text: other, confidence } of alternatives) {
    const characters = [...other];
    if (characters.length === read.length && characters[index] !== read[index]) {
      others.set(characters[index], (others.get(characters[index]) ?? 0) + confidence);
    }
  }
  return [...others];
}

/** Create the item of an alternative, with differences marked and its probability as a bar. */
function alternative(other, text) {
  const read = [...text];
  const sameLength = [...other.text].length === read.length;
  const characters = [...other.text].map((character, index) =>
    sameLength && character !== read[index] ? element("mark", {}, character) : character,
  );
  const bar = element("span", { className: "bar", ariaHidden: "true", dataset: { level: levelOfText(other) } });
  bar.style.setProperty("--part", String(other.confidence));
  const shown = other.text
    ? element("bdi", { className: "text" }, ...characters)
    : element("span", { className: "text none" }, "no text");
  return element("li", {}, shown, bar, element("span", {}, percent(other.confidence)));
}

/** Highlight a character and its box; -1 is none. */
function activate(index) {
  for (const list of [byId("characters"), byId("boxes")]) {
    [...list.children].forEach((child, place) => child.classList.toggle("active", place === index));
  }
}

function showCall(image, choice) {
  const address = new URL(predictAddress(choice), document.baseURI).href;
  byId("curl").textContent = curlCommand(image, address, asksForKey());
  const hints = [];
  if (image.origin === "paste") hints.push(`Save the pasted image as ${image.name} first.`);
  if (asksForKey()) hints.push("The command takes the key from the environment variable OCR_API_KEY.");
  byId("call-hint").hidden = !hints.length;
  byId("call-hint").textContent = hints.join(" ");
}
