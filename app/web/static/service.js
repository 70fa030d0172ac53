/** State of the service: reachable, its models, and whether it needs a key. */

import { listModels, ServiceError, useKey } from "./api.js";
import { byId } from "./dom.js";
import { inWords } from "./errors.js";
import { showModels } from "./models.js";

const SECONDS_TO_READY = 2;

let isListing = false;
let whenReady = () => {};
let endAsking;

/** Resolves after the first request for the models; there may be no default model. */
export const asked = new Promise((resolve) => (endAsking = resolve));

/** @param {(wasAway: boolean) => void} onReady - called whenever the service has returned its models */
export function watchService(onReady) {
  whenReady = onReady;
  byId("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    useKey(byId("key").value.trim());
    await checkService();
    if (!byId("key-form").hidden) return;
    byId("key").value = "";
    byId("files").focus();
  });
  checkService();
}

/** Request the models until there are some. */
export async function checkService() {
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
      whenReady(wasAway);
      return;
    } catch (error) {
      if (!error.mayPass || error.status === 401) throw error;
      const words = error.status === 0 ? Object.values(inWords(error)).join(" ") : error.message;
      showUnready(`${words} Trying again every ${SECONDS_TO_READY} seconds …`);
    } finally {
      endAsking();
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS_TO_READY));
  }
}

function showUnready(words) {
  if (byId("unready").textContent === words) return; // avoid repeated announcements
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

/** Show the field for an API key. */
export function askForKey() {
  showUnready("");
  byId("key-form").hidden = false;
  byId("key").focus();
}
