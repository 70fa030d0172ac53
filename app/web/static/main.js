/** The page: takes images, reads them and shows the results. */

import { predict } from "./api.js";
import { arrange } from "./arrangement.js";
import { toCsv } from "./csv.js";
import { announce, byId, makeCopyButton, percent } from "./dom.js";
import { inWords } from "./errors.js";
import { filesOf } from "./intake.js";
import { chosenModel, showSample, showVersions, shownSample } from "./models.js";
import { createReader } from "./reader.js";
import { showResult } from "./result.js";
import { asked, askForKey, checkService, watchService } from "./service.js";
import { addRows, clearRows, markRow, updateRow } from "./table.js";

const NO_FILES = "No image files found. Drop or paste image files.";

let images = [];
let shown = null;

const reader = createReader(async (file, signal) => {
  await asked; // images added before wait
  return predict(file, chosenModel(), signal);
}, onChange);

function onChange(image) {
  updateRow(image);
  if (image === shown) showResult(image, chosenModel());
  if (image.state === "reading") wasBusy = true;
  if (image.error?.status === 401) askForKey();
  if ([0, 404].includes(image.error?.status)) checkService(); // it may have stopped, or the model may be gone
  requestProgress();
}

function add(files, origin) {
  const added = files.map((file) => ({ ...file, origin, state: "waiting" }));
  if (!added.length) return;
  images = images.concat(added);
  addRows(added, choose);
  show(added[0]);
  bringIntoView();
  reader.read(added);
}

function show(image) {
  shown = image;
  markRow(image);
  showResult(image, chosenModel());
}

function choose(image) {
  show(image);
  announce(outcome(image));
  bringIntoView();
}

/** Scroll to the shown image, unless most of it is visible. */
function bringIntoView() {
  const { top } = byId("result").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) byId("result").scrollIntoView();
}

// Progress, updated at most once per frame.

let progressRequested = false;
let wasBusy = false;

function requestProgress() {
  if (progressRequested) return;
  progressRequested = true;
  requestAnimationFrame(showProgress);
}

function showProgress() {
  progressRequested = false;
  const failed = images.filter(({ state }) => state === "failed").length;
  const done = images.filter(({ state }) => state === "read").length + failed;
  const isBusy = reader.isBusy();
  const unread = unreadImages().length;
  byId("list").hidden = images.length < 2;
  byId("progress").max = Math.max(1, images.length);
  byId("progress").value = done;
  byId("progress-words").textContent = `${done} of ${images.length}` + (failed ? `, ${failed} with an error` : "");
  byId("stop").hidden = !isBusy;
  byId("again").hidden = isBusy || !unread;
  byId("again").textContent = `Read the remaining ${unread}`;
  arrange(images);
  if (wasBusy && !isBusy && images.length) announce(images.length === 1 ? outcome(images[0]) : summary(done, failed));
  wasBusy = isBusy;
}

function unreadImages() {
  return images.filter(({ state, error }) => state === "stopped" || error?.mayPass);
}

function outcome({ name, prediction, error }) {
  if (error) return `${name} could not be read: ${Object.values(inWords(error)).join(" ")}`;
  if (!prediction) return `${name} is not read yet.`;
  return `${name}: ${prediction.text || "no text"}, confidence ${percent(prediction.confidence)}.`;
}

function summary(done, failed) {
  return `${done - failed} of ${images.length} images read${failed ? `, ${failed} with an error` : ""}.`;
}

function notify(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = !words;
}

// Adding images.

async function take(transfer, origin) {
  notify("");
  try {
    const { files, skipped } = await filesOf(transfer);
    if (!files.length) notify(skipped ? "The folder contains no images." : NO_FILES);
    else if (skipped) notify(`Skipped files in the folder that are not images: ${skipped}.`);
    add(files, origin);
  } catch {
    notify("The folder cannot be opened; it may have been moved. Choose its images instead.");
  }
}

function takeChosen() {
  notify("");
  add([...byId("files").files].map((file) => ({ file, name: file.name })), "file");
  byId("files").value = ""; // so that the same file can be chosen again
}

function takeSample() {
  notify("");
  const { file, name, address } = shownSample();
  add([{ file, name, sampleAddress: address }], "sample");
}

function listenToIntake() {
  byId("files").addEventListener("change", takeChosen);
  byId("sample").addEventListener("click", takeSample);
  document.addEventListener("paste", (event) => {
    if (event.target.matches?.("input[type=password]")) return;
    event.preventDefault();
    take(event.clipboardData, "paste");
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) byId("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    take(event.dataTransfer, "file");
  });
}

// What is chosen and pressed.

function readAllAgain() {
  reader.stop();
  reader.read(images);
}

function download() {
  const url = URL.createObjectURL(new Blob([toCsv(images)], { type: "text/csv" }));
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: "readings.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser may not have started yet
}

function clear() {
  reader.stop();
  images = [];
  shown = null;
  clearRows();
  byId("result").hidden = true;
  notify("");
  showProgress();
  announce("Cleared.");
  byId("files").focus();
}

function listenToControls() {
  byId("model").addEventListener("change", () => {
    showVersions();
    readAllAgain();
  });
  byId("version").addEventListener("change", () => {
    showSample();
    readAllAgain();
  });
  byId("order").addEventListener("change", () => arrange(images));
  byId("only").addEventListener("change", () => arrange(images));
  byId("stop").addEventListener("click", reader.stop);
  byId("again").addEventListener("click", () => reader.read(unreadImages()));
  byId("failure-again").addEventListener("click", () => reader.read([shown]));
  byId("csv").addEventListener("click", download);
  byId("clear").addEventListener("click", clear);
  document.querySelectorAll(".copy").forEach(makeCopyButton);
}

listenToIntake();
listenToControls();
// Retry images that failed without a response only if the service has been away.
watchService((wasAway) => reader.read(unreadImages().filter(({ error }) => wasAway || error?.status !== 0)));
