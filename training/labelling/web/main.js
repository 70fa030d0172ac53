// Input handling and requests.

import * as api from "./api.js";
import { complaintOf, expected } from "./expected.js";
import { hasKeyboard } from "./keyboard.js";
import * as view from "./view.js";

const POLL_MILLISECONDS = 2000;
const CONFLICT = 409;
const GONE = "The labelling command is not running. Nothing is lost: all decisions are saved, and your text " +
  "stays here. Start the command again and open the address that it prints.";

const input = view.element("text");
let task = null; // the shown image's task; null when all are done
let prefilled = ""; // text put into the field by the page
let objectedTo = ""; // an unexpected label, which a second Enter saves
let busy = false;
let expecting = 0; // pending requests that set the expected labels
let actsEnded = 0;
let unreachable = false;

/** Run work with requests; keys and buttons are ignored meanwhile. */
async function act(work) {
  if (busy) return;
  busy = true;
  view.showBusy(true);
  try {
    await work();
    view.showTrouble("");
  } catch (error) {
    explain(error);
  } finally {
    busy = false;
    actsEnded += 1;
    view.showBusy(false);
  }
}

function explain(error) {
  if (error instanceof api.NoAnswer) {
    unreachable = true;
    view.showTrouble(GONE);
  } else if (error instanceof api.Refusal) {
    view.showTrouble(error.message);
  } else {
    throw error;
  }
}

async function show(step) {
  await showTask(step.task);
  view.showStatus(step.status);
  if (step.task === null) view.showDone(step.status);
}

async function showTask(next) {
  const image = next !== null && next.error === null ? await load(next) : null;
  task = next;
  if (task === null) return;
  view.showTask(task, image);
  if (task.kind === "label") fill(task.label);
  else fillGuess(task.guess);
}

/** Load an image before showing its task, so that no guess appears below another image. */
async function load(next) {
  const image = new Image();
  image.src = api.imageAddress(next.number);
  try {
    await image.decode();
    return image;
  } catch {
    next.error = "The image could not be loaded.";
    return null;
  }
}

/** Put a text into the field and select it, so that typing replaces it. Keep the focus on the expectation fields. */
function fill(text) {
  prefilled = text;
  objectedTo = "";
  input.value = text;
  view.showSave(task, text);
  if (!view.element("expected").contains(document.activeElement)) input.focus();
  input.setSelectionRange(0, text.length); // select() would take the focus
}

/** Fill in a guess; select its first uncertain character, so that typing replaces that one. */
function fillGuess(guess) {
  fill(guess?.text ?? "");
  const place = guess && view.doubtfulPlace(guess);
  if (place) input.setSelectionRange(place.start, place.end);
}

async function decide(decision, said) {
  try {
    const wasSuspect = view.isSuspect(task);
    const step = await api.decide(task.number, { revision: task.revision, ...decision });
    await show(step);
    view.say(wasSuspect && step.status.suspects_left === 0 ? `${said}. That was the last suspect.` : said, "good");
  } catch (error) {
    if (error.status !== CONFLICT) throw error;
    const typed = decision.label ? ` You had typed ${decision.label}.` : "";
    await show(await api.takeNext());
    view.say(error.message + typed, "bad");
  }
}

function save() {
  const label = input.value.trim();
  const complaint = complaintOf(label);
  if (task.error !== null) {
    view.say(hasKeyboard() ? "Mark it as unreadable (Ctrl+Enter), or skip it (↓)." : "Mark it as unreadable, or skip it.");
  } else if (label === "") {
    const hint = hasKeyboard() ? " ↓ skips the image, Ctrl+Enter marks it as unreadable." : "";
    view.say(`Type the text first.${hint}`);
  } else if (complaint && objectedTo !== label) {
    objectedTo = label;
    view.say(`${complaint} ${hasKeyboard() ? "Enter" : "Save"} again saves it anyway.`, "bad");
  } else {
    const guess = task.guess && { text: task.guess.text, model: task.guess.model };
    const verb = view.isSuspect(task) && label === task.label ? "Kept" : "Saved";
    act(() => decide({ kind: "label", label, guess }, `${verb}: ${label}`));
  }
}

/** Save the reading that contradicts the label. */
function takeReading() {
  if (busy) return;
  if (task.error === null) input.value = task.suspect.reading;
  save();
}

const markUnreadable = () => act(() => decide({ kind: "unreadable" }, `Marked as unreadable: ${task.name}`));

function skip() {
  if (view.isDecided(task)) {
    act(async () => {
      await show(await api.takeNext());
      view.say("Unchanged.");
    });
  } else {
    const when = view.isSuspect(task) ? "after the other suspects" : "the end";
    act(() => decide({ kind: "skipped" }, `Skipped until ${when}: ${task.name}`));
  }
}

/** Show an earlier image again. */
function reopen(number) {
  act(async () => {
    await showTask(await api.readTask(number));
    view.say("");
  });
}

/** Send the expected labels, independently of other requests: users move between fields. */
async function sendExpected() {
  expecting += 1;
  let status = null;
  try {
    status = await api.expectLabels(expected());
  } catch (error) {
    explain(error);
  } finally {
    expecting -= 1;
    actsEnded += 1;
  }
  if (status && !expecting) view.showStatus(status);
}

function goBack() {
  act(async () => {
    const previous = await api.readPrevious(task === null ? null : task.number);
    if (previous === null) {
      view.say("There is no earlier image.");
    } else {
      await showTask(previous);
      view.say("");
    }
  });
}

function hintOf({ guess, suspect }) {
  if (suspect) return hasKeyboard() ? "Enter keeps the label; typing replaces it." : "Keep leaves the label unchanged.";
  if (!hasKeyboard()) return "Save accepts the guess.";
  return `Enter saves the guess; typing replaces ${view.doubtfulPlace(guess) ? "the uncertain character" : "it"}.`;
}

async function poll() {
  const endedBefore = actsEnded;
  try {
    const status = await api.readStatus();
    if (unreachable) view.showTrouble("");
    unreachable = false;
    if (busy || expecting || actsEnded !== endedBefore) return; // a newer response has arrived
    view.showStatus(status);
    if (task?.suspect === null && !view.isDecided(task)) renewGuess(status.guess);
  } catch (error) {
    explain(error);
  }
}

/** Show a newer guess, unless the user has typed something. */
function renewGuess(guess) {
  const isNew = guess !== null && (guess.model !== task.guess?.model || guess.text !== task.guess.text);
  if (!isNew || input.value !== prefilled) return;
  task.guess = guess;
  view.showGuess(guess);
  fillGuess(guess);
}

async function copyCommand() {
  const command = view.element("command");
  try {
    await navigator.clipboard.writeText(command.textContent);
    view.element("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(command);
    view.element("copied").textContent = "The browser does not allow copying; the command is selected.";
  }
}

function onKey(event) {
  if (event.isComposing || event.altKey || event.metaKey) return;
  if (event.shiftKey) {
    // If a label was typed, perhaps with Shift held, save that.
    if (event.key !== "Enter" || event.target !== input || input.value !== prefilled || !view.canTake(task)) return;
    event.preventDefault();
    if (!event.repeat) takeReading();
    return;
  }
  const actions = task === null ? { ArrowUp: goBack } : { ArrowUp: goBack, ArrowDown: skip };
  const action = event.ctrlKey ? { Enter: task && markUnreadable }[event.key] : actions[event.key];
  if (action) {
    event.preventDefault();
    if (!event.repeat) action();
  }
}

function onClick(id, action) {
  view.element(id).addEventListener("click", () => {
    action();
    input.focus();
  });
}

view.element("work").addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
view.element("work").addEventListener("keydown", onKey);
input.addEventListener("input", () => view.showSave(task, input.value));
view.element("done").addEventListener("keydown", onKey);
onClick("take", takeReading);
onClick("skip", skip);
onClick("unreadable", markUnreadable);
onClick("back", goBack);
onClick("done-back", goBack);
onClick("train", () => act(async () => view.showStatus(await api.trainNow())));
for (const id of ["picture", "zoom-in", "zoom-out"]) onClick(id, () => {});
view.element("copy").addEventListener("click", copyCommand);
view.element("last-list").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) reopen(Number(button.dataset.number));
});
view.element("expected").addEventListener("change", sendExpected);
view.element("expected").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault(); // do not save the label
  input.focus(); // fires the field's change event
});

await act(async () => {
  view.showFolder(await api.readFolder());
  await show(await api.takeNext());
  if (task?.guess || task?.suspect) view.say(hintOf(task));
});
addEventListener("pagehide", () => api.leave());
setInterval(poll, POLL_MILLISECONDS);
