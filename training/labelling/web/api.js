// Requests to the command, at addresses below the page's own, which starts with the token.

/** An error response with a message for the user. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** No response: the command has ended. */
export class NoAnswer extends Error {}

const NAME = "tab";
// Kept while a tab is open, so that a reloaded tab gets the same image.
const tab = sessionStorage.getItem(NAME) ?? crypto.randomUUID();
sessionStorage.setItem(NAME, tab);

export const imageAddress = (number) => `images/${number}.png`;
export const readFolder = () => ask("GET", "folder");
export const readStatus = () => ask("GET", `status?tab=${tab}`);
export const readPrevious = (shown) => ask("GET", `previous?tab=${tab}${shown === null ? "" : `&shown=${shown}`}`);
export const readTask = (number) => ask("GET", `images/${number}/task`);
export const takeNext = () => ask("POST", "next", { tab });
export const trainNow = () => ask("POST", "training", { tab });
export const expectLabels = (expected) => ask("PUT", "expected", { tab, ...expected });
export const leave = () => fetch(`tab?tab=${tab}`, { method: "DELETE", keepalive: true });
export const decide = (number, decision) => ask("PUT", `images/${number}/decision`, { tab, ...decision });

async function ask(method, address, body) {
  let response;
  try {
    response = await fetch(address, {
      method,
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new NoAnswer();
  }
  if (response.ok) {
    return response.json();
  }
  const problem = await response.json().catch(() => ({}));
  throw new Refusal(response.status, problem.detail ?? "The labelling command has an internal error; see its terminal.");
}
