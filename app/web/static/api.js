/** The calls of the service. Their addresses are relative to the page's, so they follow a prefix that a proxy adds. */

const ALTERNATIVES = "5";
const MOST_ATTEMPTS = 6;
const MOST_SECONDS = 10;
const COME_BACK = [429, 503, 504];

let key = "";
let wantsKey = false;

/** What went wrong, in the words of the service where it has answered; `inWords` has those for people. */
export class ServiceError extends Error {
  /** @param {{status?: number, title?: string, requestId?: string}} problem - status 0: nothing answered */
  constructor(message, { status, title = "", requestId = "" } = {}) {
    super(message);
    this.status = status;
    this.title = title;
    this.requestId = requestId;
  }

  /** Whether the next image would fail likewise. */
  get concernsAll() {
    return this.status === 0 || this.status === 401;
  }

  /** Whether the same image may be read another time. */
  get mayPass() {
    return this.concernsAll || this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** Send this key from now on. It is kept in this variable alone. */
export function useKey(newKey) {
  key = newKey;
}

/** Whether the service asks for a key, as far as is known. */
export function asksForKey() {
  return wantsKey;
}

/** The models that are loaded, and those that could not be. */
export function listModels() {
  return callForJson("models", {});
}

/** The image of a sample. */
export function readSample(address) {
  return call(address, {});
}

/** The address of the call that reads an image by a model; empty names are the service's own choice. */
export function predictAddress({ model, version }) {
  const query = new URLSearchParams({ alternatives: ALTERNATIVES });
  if (model) query.set("model", model);
  if (version) query.set("version", version);
  return `predict?${query}`;
}

/** Read an image. */
export async function predict(file, choice, signal) {
  const body = new FormData();
  body.append("file", file);
  try {
    return await callForJson(predictAddress(choice), { method: "POST", body, signal });
  } catch (error) {
    if (error.status === 0 && !(await isReadable(file))) {
      throw new ServiceError("The file cannot be opened any more; it may have been moved or changed. Choose it again.");
    }
    throw error;
  }
}

async function callForJson(address, options) {
  const body = await call(address, options);
  return JSON.parse(await body.text());
}

/** The answer to a call, of which all has come. */
async function call(address, options) {
  for (let attempt = 1; ; attempt += 1) {
    const { response, body } = await send(address, options);
    if (response.ok) return body;
    const seconds = Number(response.headers.get("Retry-After") ?? NaN);
    if (!COME_BACK.includes(response.status) || !(seconds >= 0) || attempt === MOST_ATTEMPTS) {
      throw errorOf(response, await body.text());
    }
    await pause(Math.min(seconds, MOST_SECONDS), options.signal);
  }
}

async function send(address, options) {
  const headers = key ? { Authorization: `Bearer ${asHeader(key)}` } : {};
  try {
    const response = await fetch(address, { ...options, headers, cache: "no-store" });
    wantsKey ||= key !== "" || response.status === 401;
    return { response, body: await response.blob() };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("The service cannot be reached: it has stopped, or the network is down.", { status: 0 });
  }
}

/** Headers hold bytes, one a character; the service takes those of UTF-8. */
function asHeader(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function errorOf({ status, statusText }, text) {
  try {
    const { title, detail, request_id: requestId } = JSON.parse(text);
    if (detail) return new ServiceError(detail, { status, title, requestId });
  } catch {
    // No problem document: something between the page and the service has answered.
  }
  return new ServiceError(`The answer was ${`${status} ${statusText}`.trim()}, without a reason.`, { status, title: statusText });
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Wait for some seconds, or until the signal aborts. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
