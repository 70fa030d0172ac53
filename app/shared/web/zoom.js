/** An image in a box: fitted at first, enlarged by buttons or a click; the box then scrolls. */

const LARGEST_FIT = 6;
const LARGEST = 16;
const LEGIBLE = 24; // minimum displayed length of the shorter side, in CSS pixels

/**
 * @param {object} parts
 * @param {HTMLElement} parts.box - scrolls
 * @param {HTMLElement} parts.picture - in the box; its width is set here
 * @param {HTMLButtonElement} parts.out - zooms out
 * @param {HTMLButtonElement} parts.in - zooms in
 * @param {HTMLElement} parts.level - shows the zoom level
 * @param {() => number} highest - maximum height in pixels when fitted
 * @param {() => void} onChange - called when the displayed size has changed
 */
export function createZoom(parts, highest, onChange = () => {}) {
  const { box, picture, level } = parts;
  let size = null; // of the image, in its own pixels
  let scale = 1;

  /** Return the fitting scale, rounded to whole screen pixels if large, so that pixels stay square. */
  function fitting() {
    const fit = Math.min(box.offsetWidth / size.width, highest() / size.height, LARGEST_FIT);
    const pixels = fit * devicePixelRatio;
    return pixels >= 3 ? Math.floor(pixels) / devicePixelRatio : fit;
  }

  function nextLarger(from) {
    return Math.min(LARGEST, 2 ** Math.floor(Math.log2(from) + 1.01));
  }

  function nextSmaller(from) {
    return Math.max(fitting(), 2 ** Math.ceil(Math.log2(from) - 1.01));
  }

  /** Return a scale at which text is legible, even if the image does not fit. */
  function legible() {
    const shorter = Math.min(size.width, size.height);
    let chosen = fitting();
    while (chosen < 1 && chosen * shorter < LEGIBLE) chosen = nextLarger(chosen);
    return chosen;
  }

  /** Apply a scale, with the given point (default: the current centre) in the middle of the box. */
  function apply(next, { x, y } = middle()) {
    const isZoomed = next > fitting() * 1.001;
    scale = next;
    picture.style.width = `${size.width * scale}px`;
    picture.classList.toggle("squares", Number.isInteger(scale * devicePixelRatio));
    box.classList.toggle("zoomed", isZoomed);
    if (isZoomed) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    parts.out.disabled = !isZoomed;
    parts.in.disabled = scale >= LARGEST;
    level.textContent = `${Math.round(100 * scale)}\u00a0%`;
    box.scrollTo(x * scale - box.clientWidth / 2, y * scale - box.clientHeight / 2);
    onChange();
  }

  function middle() {
    return { x: (box.scrollLeft + box.clientWidth / 2) / scale, y: (box.scrollTop + box.clientHeight / 2) / scale };
  }

  picture.addEventListener("click", (event) => {
    const { left, top } = picture.getBoundingClientRect();
    const point = { x: (event.clientX - left) / scale, y: (event.clientY - top) / scale };
    apply(box.classList.contains("zoomed") ? fitting() : nextLarger(scale), point);
  });
  parts.out.addEventListener("click", () => apply(nextSmaller(scale)));
  parts.in.addEventListener("click", () => apply(nextLarger(scale)));
  new ResizeObserver(() => {
    if (size && !box.classList.contains("zoomed")) apply(fitting());
  }).observe(box);

  return {
    /** Show an image of this size in pixels. */
    show(width, height) {
      size = { width, height };
      apply(legible(), { x: 0, y: 0 });
    },
    /** Scroll to a rectangle of the image, in its own pixels, unless its centre is visible. */
    reveal({ left, top, right, bottom }) {
      const x = ((left + right) / 2) * scale - box.scrollLeft;
      const y = ((top + bottom) / 2) * scale - box.scrollTop;
      const isVisible = x > 0 && x < box.clientWidth && y > 0 && y < box.clientHeight;
      if (!isVisible) box.scrollBy(x - box.clientWidth / 2, y - box.clientHeight / 2);
    },
  };
}
