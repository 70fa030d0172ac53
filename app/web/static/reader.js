/**
 * Reads several images concurrently.
 *
 * An image is {file, name, origin, state, prediction, milliseconds, error}; its state is one of
 * waiting, reading, read, failed, stopped.
 */

const CONCURRENCY = 4;

/**
 * @param {(file: File, signal: AbortSignal) => Promise<object>} predict
 * @param {(image: object) => void} onChange - called whenever the state of an image has changed
 */
export function createReader(predict, onChange) {
  const waiting = [];
  const reading = new Set();
  let controller = new AbortController();

  function change(image, state, more = {}) {
    Object.assign(image, { prediction: null, error: null, milliseconds: 0, state }, more);
    onChange(image);
  }

  /** Queue these images for reading. */
  function read(images) {
    for (const image of images) {
      waiting.push(image);
      change(image, "waiting");
    }
    while (reading.size < CONCURRENCY && waiting.length) readNext();
  }

  /** Stop all queued and running reads. */
  function stop() {
    controller.abort();
    controller = new AbortController();
    const stopped = [...reading, ...waiting.splice(0)];
    reading.clear();
    for (const image of stopped) change(image, "stopped");
  }

  async function readNext() {
    const image = waiting.shift();
    const { signal } = controller;
    reading.add(image);
    change(image, "reading");
    const begun = performance.now();
    try {
      const prediction = await predict(image.file, signal);
      settle(signal, image, "read", { prediction, milliseconds: performance.now() - begun });
    } catch (error) {
      settle(signal, image, "failed", { error });
    }
  }

  function settle(signal, image, state, more) {
    if (signal.aborted) return; // stopped meanwhile, and perhaps restarted
    reading.delete(image);
    change(image, state, more);
    if (more.error?.concernsAll) stop();
    else if (waiting.length) readNext();
  }

  return { read, stop, isBusy: () => reading.size > 0 };
}
