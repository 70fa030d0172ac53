/** What went wrong, for people; the words of the service itself are folded away beside it. */

const MEGABYTE = 2 ** 20;
const TITLES = {
  0: "The service cannot be reached.",
  401: "The service asks for a key.",
  404: "This model is not there any more.",
  408: "The picture was too long on its way.",
  413: "This picture is too large.",
  415: "This is not a picture that can be read.",
  422: "This picture is damaged.",
  429: "The service is busy.",
  500: "The service has a fault.",
  503: "The service is busy.",
  504: "The service is busy.",
};
const ADVICE = {
  0: "It has stopped, or the network is down.",
  401: "Type the key above.",
  404: "Choose another one above.",
  422: "Save or copy it once more, and choose it again.",
  429: "Try again in a moment.",
  500: "Try again. If it stays so, tell whoever runs the service the request id below.",
  503: "Try again in a moment.",
  504: "Try again in a moment.",
};

/**
 * @param {import("./api.js").ServiceError} error
 * @returns {{title: string, advice: string}} a sentence each
 */
export function inWords({ status, message }) {
  if (status === undefined) return { title: message, advice: "" };
  const fallback = status === 413 || status === 415 ? whatWouldBeRight(message) : "Try again.";
  return { title: TITLES[status] ?? "The picture was not read.", advice: ADVICE[status] ?? fallback };
}

/** Of what the service says of a picture, such as “SVG is not a picture of pixels: export it as PNG.”, the end. */
function whatWouldBeRight(detail) {
  const end = detail.split(/[:;] /).at(-1);
  const sentence = end[0].toUpperCase() + end.slice(1);
  return sentence.replace(/([\d,]+) bytes/, (_, bytes) => megabytes(Number(bytes.replaceAll(",", ""))));
}

function megabytes(bytes) {
  const size = (bytes / MEGABYTE).toPrecision(2);
  return `${Number(size)}\u00a0MB`;
}
