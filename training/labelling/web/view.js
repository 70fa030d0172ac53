// Rendering only: no decisions, no requests.

import { imageAddress } from "./api.js";
import { createZoom } from "./shared/zoom.js";

const DOUBTFUL = 0.9;
const HIGHEST = 0.42; // fraction of the window's height

export const element = (id) => document.getElementById(id);
const percent = (fraction) => (fraction >= 0.995 && fraction < 1 ? "99 %" : `${Math.round(100 * fraction)} %`);

const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

export function showFolder(folder) {
  document.title = `Labelling ${folder.folder}`;
  element("folder").textContent = folder.folder;
  element("labels-file").textContent = folder.labels_file;
  element("command").textContent = folder.train_command;
}

export function showStatus(status) {
  const decided = status.labelled + status.unreadable;
  const parts = status.suspects_left ? [`${plural(status.suspects_left, "suspect")} left`] : [];
  parts.push(`${status.labelled} of ${status.images} labelled`);
  if (status.unreadable > 0) parts.push(`${status.unreadable} unreadable`);
  if (status.skipped > 0) parts.push(`${status.skipped} skipped`);
  parts.push(`${status.left} left`);
  element("counts").textContent = parts.join(" · ");
  element("progress").max = status.images;
  element("progress").value = decided;
  element("speed").textContent = status.per_minute === null ? "–" : `${Math.round(status.per_minute)} a minute`;
  element("time-left").textContent = status.seconds_left === null ? "–" : duration(status.seconds_left);
  showAgreement(status.agreement, status.recent_agreement);
  element("model").textContent = (status.model ?? "no model yet") + (status.is_reading ? " (still reading)" : "");
  showExpected(status.expected);
  showLast(status.last);
  showTraining(status.training);
}

function duration(seconds) {
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `about ${minutes} min`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function showAgreement(overall, recent) {
  const field = element("agreement");
  field.textContent = overall.labels === 0 ? "–" : `${percent(overall.agreed / overall.labels)} of ${overall.labels}`;
  if (recent.labels < overall.labels) {
    const note = document.createElement("small");
    note.textContent = `${percent(recent.agreed / recent.labels)} of the last ${recent.labels}`;
    field.append(note);
  }
}

/** Show what another tab may have set, unless the fields are being edited here. */
function showExpected({ length, charset }) {
  if (element("expected").contains(document.activeElement)) return;
  element("length").value = length ?? "";
  element("charset").value = charset;
}

let lastShown = "";

function showLast(decisions) {
  if (JSON.stringify(decisions) === lastShown) return; // do not replace buttons under the pointer
  lastShown = JSON.stringify(decisions);
  element("last").hidden = decisions.length === 0;
  element("last-list").replaceChildren(...decisions.map(lastButton));
}

function lastButton({ number, name, kind, label }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const text = document.createElement("bdi");
  button.type = "button";
  button.dataset.number = number;
  button.title = name;
  text.textContent = kind === "label" ? label : `unreadable: ${name}`;
  text.className = kind;
  if (kind === "label") {
    // An unreadable file may not be an image.
    const picture = document.createElement("img");
    picture.src = imageAddress(number);
    picture.alt = "";
    button.append(picture);
  }
  button.append(text);
  item.append(button);
  return item;
}

function showTraining(training) {
  element("training").hidden = training === null;
  if (training === null) return;
  const running = training.state === "training";
  const wait = running ? "" : `The next training needs ${plural(training.labels_needed, "more label")}.`;
  element("training-message").textContent = `${training.message} ${wait}`.trim();
  element("training-progress").hidden = !running;
  element("training-progress").value = training.progress;
  element("train").hidden = running;
  element("train").disabled = !training.possible;
}

const zoom = createZoom({
  box: element("stage"),
  picture: element("picture"),
  out: element("zoom-out"),
  in: element("zoom-in"),
  level: element("zoom-level"),
}, () => HIGHEST * innerHeight);

/** Show an image and its state; `image` is loaded already, or null if it cannot be shown. */
export function showTask(task, image) {
  element("work").hidden = false;
  element("done").hidden = true;
  element("stage").hidden = element("zoom").hidden = image === null;
  if (image !== null) {
    element("image").src = image.src;
    zoom.show(task.width, task.height);
  }
  element("broken").hidden = image !== null;
  element("reason").textContent = task.error ?? "";
  element("name").textContent = task.name;
  element("text").readOnly = image === null;
  element("save").ariaDisabled = image === null;
  showDecision(task);
  showSuspect(task);
  showGuess(task.guess);
}

/** Whether the label is contradicted and not reviewed yet. */
export const isSuspect = (task) => task.suspect?.is_open ?? false;

export const isDecided = (task) => (task.kind === "label" || task.kind === "unreadable") && !isSuspect(task);

/** Whether there is a reading that differs from the label. */
export const canTake = (task) => Boolean(task?.suspect?.reading) && task.suspect.reading !== task.label;

function showSuspect(task) {
  element("suspect").hidden = task.suspect === null;
  element("take").hidden = !canTake(task);
  if (task.suspect === null) return;
  const { label, reading, confidence, is_open } = task.suspect;
  element("suspect").replaceChildren(
    "Models that have not seen this image read ",
    reading === "" ? "nothing" : marked(reading, label),
    ` (${percent(confidence)}).`,
  );
  if (!is_open) element("suspect").append(" The label was ", marked(label, reading), ".");
}

/** Return a text with the part marked that differs from another: between their common prefix and suffix. */
function marked(text, other) {
  const [here, there] = [[...text], [...other]];
  const shorter = Math.min(here.length, there.length);
  let start = 0;
  let end = 0; // from the right
  while (start < shorter && here[start] === there[start]) start += 1;
  while (end < shorter - start && here.at(-1 - end) === there.at(-1 - end)) end += 1;
  const parts = [here.slice(0, start), here.slice(start, here.length - end), here.slice(here.length - end)];
  const [before, between, after] = parts.map((characters) => characters.join(""));
  const mark = document.createElement("mark");
  mark.textContent = between;
  const whole = document.createElement("bdi");
  whole.append(before, mark, after);
  return whole;
}

/** Show what Enter does with the text in the field. */
export function showSave(task, text) {
  element("save-name").textContent = isSuspect(task) && text === task.label ? "Keep label" : "Save";
}

function showDecision(task) {
  const decided = isDecided(task);
  element("review").hidden = !decided;
  element("decided").textContent = task.kind === "label" ? `The label is ${task.label}` : "It is marked as unreadable.";
  element("skip-name").textContent = decided ? "Keep" : "Skip";
}

export function showGuess(guess) {
  element("guess").hidden = guess === null;
  if (guess === null) return;
  const read = guess.text === "" ? "The model finds no text" : `Guess by ${guess.model}`;
  element("guess-text").textContent = `${read}, confidence ${percent(guess.confidence)}`;
  element("guess-characters").replaceChildren(...guess.characters.map(characterTile));
}

/** Return the range of the first uncertain character; null if there is none, or if more than half are uncertain. */
export function doubtfulPlace(guess) {
  const doubtful = guess.characters.filter(({ confidence }) => confidence < DOUBTFUL);
  if (doubtful.length === 0 || doubtful.length > guess.characters.length / 2) return null;
  const before = guess.characters.slice(0, guess.characters.indexOf(doubtful[0]));
  const start = before.reduce((length, { character }) => length + character.length, 0);
  return { start, end: start + doubtful[0].character.length };
}

function characterTile({ character, confidence }) {
  const tile = document.createElement("span");
  const sure = document.createElement("small");
  tile.className = confidence < DOUBTFUL ? "character doubtful" : "character";
  tile.textContent = character === " " ? "␣" : character;
  sure.textContent = percent(confidence);
  tile.append(sure);
  return tile;
}

export function showDone(status) {
  element("work").hidden = true;
  element("done").hidden = false;
  const labelled = `${status.labelled} of ${status.images} images are labelled`;
  const all = status.images === 1 ? "The image is labelled." : `All ${status.images} images are labelled.`;
  element("done-title").textContent =
    (status.unreadable === 0 ? all : `${labelled}, ${status.unreadable} marked as unreadable.`) +
    (status.suspects_left === 0 ? " No suspect is left." : "");
  element("next").hidden = status.labelled === 0;
  element("done-title").focus();
}

export function say(text, kind = "") {
  element("message").textContent = text;
  element("message").className = kind;
}

/** Show a blocking problem; hide it if the text is empty. */
export function showTrouble(text) {
  element("trouble").hidden = text === "";
  element("trouble").textContent = text;
}

export function showBusy(busy) {
  element("work").setAttribute("aria-busy", busy);
}
