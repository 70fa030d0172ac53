// Who types what, and what becomes of it.

import * as api from "./api.js";
import { complaintOf, expected } from "./expected.js";
import { hasKeyboard } from "./keyboard.js";
import * as view from "./view.js";

const POLL_MILLISECONDS = 2000;
const CONFLICT = 409;
const GONE = "The labelling command is not running. Nothing is lost: every decision is on disk, and what you typed " +
  "stays here. Start the command again and open the address that it prints.";

const input = view.element("text");
let task = null; // what is shown; null when all is done
let prefilled = ""; // what we put into the input field
let objectedTo = ""; // a label that is not as expected, which Enter saves when it is pressed once more
let busy = false;
let expecting = 0; // how many answers to what was said of labels are awaited
let actsEnded = 0;
let unanswered = false;

/** Do something that asks the command; meanwhile, and only then, keys and buttons wait. */
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
    unanswered = true;
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

/** Load an image before anything of it is shown, so that no guess stands below another one's image. */
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

/** Put a text into the field, all of it selected, so that typing replaces it; who says what is expected goes on. */
function fill(text) {
  prefilled = text;
  objectedTo = "";
  input.value = text;
  view.showSave(task, text);
  if (!view.element("expected").contains(document.activeElement)) input.focus();
  input.setSelectionRange(0, text.length); // select() would take the focus
}

/** The same with what a model has read; where it doubts a character, typing replaces that one. */
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
    view.say(`${complaint} ${hasKeyboard() ? "Enter" : "Save"} once more saves it all the same.`, "bad");
  } else {
    const guess = task.guess && { text: task.guess.text, model: task.guess.model };
    const verb = view.isSuspect(task) && label === task.label ? "Kept" : "Saved";
    act(() => decide({ kind: "label", label, guess }, `${verb}: ${label}`));
  }
}

/** Save what models read that contradict the label. */
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
      view.say("Left as it was.");
    });
  } else {
    const when = view.isSuspect(task) ? "after the other suspects" : "at the end";
    act(() => decide({ kind: "skipped" }, `Skipped, comes again ${when}: ${task.name}`));
  }
}

/** Show an image again that was decided before. */
function reopen(number) {
  act(async () => {
    await showTask(await api.readTask(number));
    view.say("");
  });
}

/** Beside whatever else is under way: people go from one field to the next. */
async function sayWhatIsExpected() {
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
      view.say("There is no earlier decision.");
    } else {
      await showTask(previous);
      view.say("");
    }
  });
}

function hintOf({ guess, suspect }) {
  if (suspect) return hasKeyboard() ? "Enter keeps the label; typing replaces it." : "Keep leaves the label as it is.";
  if (!hasKeyboard()) return "Save takes the guess as it is.";
  return `Enter saves the guess; typing replaces ${view.doubtfulPlace(guess) ? "the doubtful character" : "it"}.`;
}

async function poll() {
  const endedBefore = actsEnded;
  try {
    const status = await api.readStatus();
    if (unanswered) view.showTrouble("");
    unanswered = false;
    if (busy || expecting || actsEnded !== endedBefore) return; // the answer to the act itself is newer
    view.showStatus(status);
    if (task?.suspect === null && !view.isDecided(task)) renewGuess(status.guess);
  } catch (error) {
    explain(error);
  }
}

/** A model has read the image meanwhile; what people have typed stays. */
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
    view.element("copied").textContent = "The browser does not let the page copy; the command is selected.";
  }
}

function onKey(event) {
  if (event.isComposing || event.altKey || event.metaKey) return;
  if (event.shiftKey) {
    // Who has typed a label, perhaps in capitals, saves that.
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
view.element("expected").addEventListener("change", sayWhatIsExpected);
view.element("expected").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault(); // or it would save the label
  input.focus(); // which makes a change of the field known
});

await act(async () => {
  view.showFolder(await api.readFolder());
  await show(await api.takeNext());
  if (task?.guess || task?.suspect) view.say(hintOf(task));
});
addEventListener("pagehide", () => api.leave());
setInterval(poll, POLL_MILLISECONDS);
