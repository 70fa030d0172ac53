/** Which model reads. */

import { byId, element } from "./dom.js";

let models = [];

/** Offer the models that are loaded; what was chosen stays so if it is still there. */
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
  byId("samples").hidden = !models.some((model) => model.name === "captcha");
}

/** Offer the versions of the model that is chosen. */
export function showVersions(before = "") {
  const { model } = chosenModel();
  const { versions } = models.find(({ name, default: isDefault }) => (model ? name === model : isDefault));
  const [newest, ...older] = versions.map(({ version }) => version);
  fill(byId("version"), [["", `${newest} (newest)`], ...older.map((version) => [version, version])], before);
}

/** The names to ask the service for; empty ones are its own choice. */
export function chosenModel() {
  return { model: byId("model").value, version: byId("version").value };
}

function fill(select, options, before) {
  select.replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
  if (options.some(([value]) => value === before)) select.value = before;
}
