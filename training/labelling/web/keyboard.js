// Whether there is a keyboard: hints of keys are for who has one.

const root = document.documentElement;

/** Whether people have a keyboard, as far as is known: a mouse is seldom alone. */
export const hasKeyboard = () => "keyboard" in root.dataset;

if (matchMedia("(any-hover: hover) and (any-pointer: fine)").matches) root.dataset.keyboard = "";

// The keyboard of a screen has no such keys.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.key.startsWith("Arrow")) root.dataset.keyboard = "";
});
