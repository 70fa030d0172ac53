/** Error messages for users. The service's own message is shown in a collapsed section. */

const MEGABYTE = 2 ** 20;
const TITLES = {
  0: "The service cannot be reached.",
  401: "The service needs a key.",
  404: "This model no longer exists.",
  408: "The upload took too long.",
  413: "This image is too large.",
  415: "This is not a supported image.",
  422: "This image is damaged.",
  429: "The service is busy.",
  500: "The service has an internal error.",
  503: "The service is busy.",
  504: "The service is busy.",
};
const ADVICE = {
  0: "It has stopped, or the network is down.",
  401: "Enter the key above.",
  404: "Choose another model above.",
  422: "Save or copy it again, then choose it again.",
  429: "Try again in a moment.",
  500: "Try again. If that does not help, give the operator the request id below.",
  503: "Try again in a moment.",
  504: "Try again in a moment.",
};

/**
 * @param {import("./api.js").ServiceError} error
 * @returns {{title: string, advice: string}} a sentence each
 */
export function inWords({ status, message }) {
  if (status === undefined) return { title: message, advice: "" };
  const fallback = status === 413 || status === 415 ? whatToDo(message) : "Try again.";
  return { title: TITLES[status] ?? "The image could not be read.", advice: ADVICE[status] ?? fallback };
}

/** Return the last part of an error, which says what to do: “SVG is a vector format: export it as PNG.” */
function whatToDo(detail) {
  const end = detail.split(/[:;] /).at(-1);
  const sentence = end[0].toUpperCase() + end.slice(1);
  return sentence.replace(/([\d,]+) bytes/, (_, bytes) => megabytes(Number(bytes.replaceAll(",", ""))));
}

function megabytes(bytes) {
  const size = (bytes / MEGABYTE).toPrecision(2);
  return `${Number(size)}\u00a0MB`;
}
