/** Model selection, and the sample image of the selected model. */

import { readSample } from "./api.js";
import { byId, element } from "./dom.js";

let models = [];
let sample = null;

/** List the loaded models, and keep the selection if possible. */
export function showModels(loaded) {
  models = loaded;
  const before = chosenModel();
  const byDefault = models.find((model) => model.default);
  const others = models.filter((model) => model !== byDefault);
  fill(byId("model"), [
    ...(byDefault ? [["", `${byDefault.name} (default)`]] : []),
    ...others.map((model) => [model.name, model.name]),
  ], before.model);
  showVersions(before.version);
  byId("choice").hidden = false;
}

/** List the versions of the selected model. */
export function showVersions(before = "") {
  const [newest, ...older] = modelInUse().versions.map(({ version }) => version);
  fill(byId("version"), [["", `${newest} (newest)`], ...older.map((version) => [version, version])], before);
  showSample();
}

/** Return the selected model and version; empty strings stand for the defaults. */
export function chosenModel() {
  return { model: byId("model").value, version: byId("version").value };
}

function modelInUse() {
  const { model } = chosenModel();
  return models.find(({ name, default: isDefault }) => (model ? name === model : isDefault));
}

/** Show the sample image of the selected version, if there is one. */
export async function showSample() {
  const { name, versions } = modelInUse();
  const { version } = chosenModel();
  const { version: number, sample: text } = versions.find((one) => !version || one.version === version);
  const wanted = (sample = { name: `${name}-sample.png`, address: `models/${name}/sample?version=${number}` });
  byId("samples").hidden = true;
  if (text === null) return;
  const image = await readSample(sample.address).catch(() => null);
  if (!image || sample !== wanted) return; // the selection has changed
  URL.revokeObjectURL(byId("sample-image").src);
  sample.file = new File([image], sample.name, { type: image.type });
  byId("sample-title").textContent = `Sample of ${name}`;
  byId("sample-image").src = URL.createObjectURL(image);
  byId("sample-image").alt = `Sample ${text}`;
  byId("samples").hidden = false;
}

/** Return the shown sample: file, name and address. */
export function shownSample() {
  return sample;
}

function fill(select, options, before) {
  select.replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
  if (options.some(([value]) => value === before)) select.value = before;
}
