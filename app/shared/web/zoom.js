/** A picture in a box: as large as fits at first, larger by buttons or a click, and then the box scrolls. */

const LARGEST_FIT = 6;
const LARGEST = 16;
const LEGIBLE = 24; // pixels of the shorter side, if the picture has so many

/**
 * @param {object} parts
 * @param {HTMLElement} parts.box - scrolls
 * @param {HTMLElement} parts.picture - in the box, as wide as it is told to be
 * @param {HTMLButtonElement} parts.out - shows it smaller
 * @param {HTMLButtonElement} parts.in - shows it larger
 * @param {HTMLElement} parts.level - says how large it is shown
 * @param {() => number} highest - how many pixels high it may be where it fits
 * @param {() => void} onChange - called when it is shown in another size
 */
export function createZoom(parts, highest, onChange = () => {}) {
  const { box, picture, level } = parts;
  let size = null; // of the picture, in its own pixels
  let scale = 1;

  /** By a whole number of the screen's pixels where that costs little, so that pixels stay squares. */
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

  /** Large enough to be read, even if not all of it can be seen. */
  function legible() {
    const shorter = Math.min(size.width, size.height);
    let chosen = fitting();
    while (chosen < 1 && chosen * shorter < LEGIBLE) chosen = nextLarger(chosen);
    return chosen;
  }

  /** Show it by a scale; the point of it that was in the middle of the box, or the given one, is there afterwards. */
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
    /** Show a picture of this size, in pixels. */
    show(width, height) {
      size = { width, height };
      apply(legible(), { x: 0, y: 0 });
    },
    /** Scroll to the middle of a rectangle of the picture, in its own pixels, if that is not to be seen. */
    reveal({ left, top, right, bottom }) {
      const x = ((left + right) / 2) * scale - box.scrollLeft;
      const y = ((top + bottom) / 2) * scale - box.scrollTop;
      const isSeen = x > 0 && x < box.clientWidth && y > 0 && y < box.clientHeight;
      if (!isSeen) box.scrollBy(x - box.clientWidth / 2, y - box.clientHeight / 2);
    },
  };
}
