// Detection of a keyboard, for key hints.

const root = document.documentElement;

/** Whether there seems to be a keyboard: a mouse rarely comes without one. */
export const hasKeyboard = () => "keyboard" in root.dataset;

if (matchMedia("(any-hover: hover) and (any-pointer: fine)").matches) root.dataset.keyboard = "";

// On-screen keyboards have no such keys.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.key.startsWith("Arrow")) root.dataset.keyboard = "";
});
