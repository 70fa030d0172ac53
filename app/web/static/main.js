/** What happens on the page: images come in, are read, and are shown. */

import { listModels, predict, ServiceError, useKey } from "./api.js";
import { toCsv } from "./csv.js";
import { sampleAddress } from "./curl.js";
import { announce, byId, makeCopyButton, percent } from "./dom.js";
import { filesOf } from "./intake.js";
import { chosenModel, showModels, showVersions } from "./models.js";
import { createReader } from "./reader.js";
import { showResult } from "./result.js";
import { addRows, clearRows, markRow, updateRow } from "./table.js";

const SECONDS_TO_READY = 2;
const NO_FILES = "There was no image file in that. Drop or paste image files.";

let images = [];
let shown = null;
let isListing = false;

// What comes in at once waits until the service was asked for its models: it may have none by default.
let endAsking;
const asked = new Promise((resolve) => (endAsking = resolve));

const reader = createReader(async (file, signal) => {
  await asked;
  return predict(file, chosenModel(), signal);
}, onChange);

function onChange(image) {
  updateRow(image);
  if (image === shown) showResult(image, chosenModel());
  if (image.state === "reading") wasBusy = true;
  if (image.error?.status === 401) askForKey();
  if ([0, 404].includes(image.error?.status)) checkService(); // has it stopped, or is the model gone?
  requestProgress();
}

function add(files, origin) {
  const added = files.map(({ file, name }) => ({ file, name, origin, state: "waiting" }));
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

/** Scroll to the image that is shown, unless most of it can be seen. */
function bringIntoView() {
  const { top } = byId("result").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) byId("result").scrollIntoView();
}

// Progress: at most once a frame, however many images change in it.

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
  byId("again").textContent = `Read the other ${unread}`;
  if (wasBusy && !isBusy && images.length) announce(images.length === 1 ? outcome(images[0]) : summary(done, failed));
  wasBusy = isBusy;
}

function unreadImages() {
  return images.filter(({ state, error }) => state === "stopped" || error?.mayPass);
}

function outcome({ name, prediction, error }) {
  if (error) return `${name} could not be read: ${error.message}`;
  if (!prediction) return `${name} is not read yet.`;
  return `${name} reads ${prediction.text || "no text"}, ${percent(prediction.confidence)} sure.`;
}

function summary(done, failed) {
  return `${done - failed} of ${images.length} images read${failed ? `, ${failed} with an error` : ""}.`;
}

function notify(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = !words;
}

// Images come in.

async function take(transfer, origin) {
  notify("");
  try {
    const { files, leftOut } = await filesOf(transfer);
    if (!files.length) notify(leftOut ? "There is no image in the folder." : NO_FILES);
    else if (leftOut) notify(`Left out, because their names are not those of images: ${leftOut} in the folder.`);
    add(files, origin);
  } catch {
    notify("The folder cannot be opened; it may have been moved. Choose its images one by one.");
  }
}

function takeChosen() {
  notify("");
  add([...byId("files").files].map((file) => ({ file, name: file.name })), "file");
  byId("files").value = ""; // so that the same file may be chosen again
}

async function takeSample(name) {
  notify("");
  try {
    const response = await fetch(sampleAddress(name));
    if (!response.ok) throw new Error(response.statusText);
    add([{ file: new File([await response.blob()], name, { type: "image/png" }), name }], "sample");
  } catch {
    notify("The sample could not be fetched: the service has stopped, or the network is down.");
  }
}

function listenToIntake() {
  byId("files").addEventListener("change", takeChosen);
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => takeSample(button.dataset.sample));
  }
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

// The service: which models it has, whether it answers, whether it asks for a key.

async function checkService() {
  if (isListing) return;
  isListing = true;
  try {
    await listUntilReady();
  } catch (error) {
    if (error.status === 401) refuseKey();
    else showUnready(error.message);
  } finally {
    isListing = false;
  }
}

async function listUntilReady() {
  for (let wasAway = false; ; wasAway = true) {
    try {
      const { models, broken } = await listModels();
      if (!models.length) throw new ServiceError(noModel(broken), { status: 503 });
      showModels(models);
      showUnready("");
      byId("key-form").hidden = true;
      // What nothing answered while the service was there would come to nothing once more.
      reader.read(unreadImages().filter(({ error }) => wasAway || error?.status !== 0));
      return;
    } catch (error) {
      if (!error.mayPass || error.status === 401) throw error;
      showUnready(`${error.message} Trying again every ${SECONDS_TO_READY} seconds …`);
    } finally {
      endAsking();
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS_TO_READY));
  }
}

function showUnready(words) {
  if (byId("unready").textContent === words) return; // or it would be said again and again
  byId("unready").textContent = words;
  byId("unready").hidden = !words;
}

function noModel(broken) {
  const reasons = broken.map(({ name, version, reason }) => `${name} ${version}: ${reason}`);
  return ["The service is not ready: no model is loaded.", ...reasons].join(" ");
}

function refuseKey() {
  byId("key-error").textContent = byId("key").value ? "This key is not accepted." : "";
  askForKey();
}

function askForKey() {
  showUnready("");
  byId("key-form").hidden = false;
  byId("key").focus();
}

function listenToKey() {
  byId("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    useKey(byId("key").value.trim());
    await checkService();
    if (!byId("key-form").hidden) return;
    byId("key").value = "";
    byId("files").focus();
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
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser may not have begun yet
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
  byId("version").addEventListener("change", readAllAgain);
  byId("stop").addEventListener("click", reader.stop);
  byId("again").addEventListener("click", () => reader.read(unreadImages()));
  byId("failure-again").addEventListener("click", () => reader.read([shown]));
  byId("csv").addEventListener("click", download);
  byId("clear").addEventListener("click", clear);
  document.querySelectorAll(".copy").forEach(makeCopyButton);
}

listenToIntake();
listenToKey();
listenToControls();
checkService();
