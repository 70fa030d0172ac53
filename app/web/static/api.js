/** Calls of the service. Addresses are relative to the page, so that they work below a proxy's prefix. */

const ALTERNATIVES = "5";
const MAX_ATTEMPTS = 6;
const MAX_SECONDS = 10;
const RETRIABLE = [429, 503, 504];

let key = "";
let wantsKey = false;

/** An error with the service's message, if it has responded; `inWords` returns a message for users. */
export class ServiceError extends Error {
  /** @param {{status?: number, title?: string, requestId?: string}} problem - status 0: no response */
  constructor(message, { status, title = "", requestId = "" } = {}) {
    super(message);
    this.status = status;
    this.title = title;
    this.requestId = requestId;
  }

  /** Whether the next image would fail too. */
  get concernsAll() {
    return this.status === 0 || this.status === 401;
  }

  /** Whether a retry may succeed. */
  get mayPass() {
    return this.concernsAll || this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** Send this key from now on; it is stored nowhere else. */
export function useKey(newKey) {
  key = newKey;
}

/** Whether the service is known to need a key. */
export function asksForKey() {
  return wantsKey;
}

/** Return the loaded models and those that failed to load. */
export function listModels() {
  return callForJson("models", {});
}

/** Return a sample image. */
export function readSample(address) {
  return call(address, {});
}

/** Return the address of a predict call; empty names stand for the defaults. */
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
      throw new ServiceError("The file can no longer be opened; it may have been moved or changed. Choose it again.");
    }
    throw error;
  }
}

async function callForJson(address, options) {
  const body = await call(address, options);
  return JSON.parse(await body.text());
}

/** Call the service, with retries; return the whole body. */
async function call(address, options) {
  for (let attempt = 1; ; attempt += 1) {
    const { response, body } = await send(address, options);
    if (response.ok) return body;
    const seconds = Number(response.headers.get("Retry-After") ?? NaN);
    if (!RETRIABLE.includes(response.status) || !(seconds >= 0) || attempt === MAX_ATTEMPTS) {
      throw errorOf(response, await body.text());
    }
    await pause(Math.min(seconds, MAX_SECONDS), options.signal);
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

/** Encode a header value as UTF-8, one byte per character. */
function asHeader(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function errorOf({ status, statusText }, text) {
  try {
    const { title, detail, request_id: requestId } = JSON.parse(text);
    if (detail) return new ServiceError(detail, { status, title, requestId });
  } catch {
    // Not a problem document: a proxy has responded.
  }
  const answer = `${status} ${statusText}`.trim();
  return new ServiceError(`The service returned ${answer} without a reason.`, { status, title: statusText });
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Wait for some seconds, or reject when the signal aborts. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
