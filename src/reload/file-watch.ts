/** The watch over files by looking at them: a watcher of the system goes blind once a file is renamed over. */

import { stat } from "node:fs/promises";

const LOOK_EVERY_MS = 1_000;
/** The time until the look that tells whether a file that has changed is written to its end. */
const LOOK_AGAIN_MS = 200;

/**
 * Looks every second, and follows links: so it sees a file that is written in place, one that is renamed over it, a
 * link that is swapped, as Kubernetes does, and files of a network. A change counts once two looks in a row have seen
 * the same, because a file that is still being written may be a valid one with its end missing.
 */
export class FileWatch {
  readonly #onChange: () => void;
  #paths: readonly string[] = [];
  /** How the files looked that the last change, or the beginning of the watch, was about. */
  readonly #known = new Map<string, string>();
  #last: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches these files from here on; none ends the watch. */
  watch(paths: readonly string[]): void {
    const isSame = paths.length === this.#paths.length && paths.every((path, index) => path === this.#paths[index]);
    if (isSame) return;
    this.#paths = paths;
    this.#last = [];
    for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path);
    clearTimeout(this.#timer);
    if (paths.length > 0) this.#look(paths);
  }

  async #look(paths: readonly string[]): Promise<void> {
    const seen = await Promise.all(paths.map(looksOf));
    // Meanwhile other files may be watched.
    if (paths !== this.#paths) return;
    const isSteady = seen.every((looks, index) => looks === this.#last[index]);
    this.#last = seen;
    let isChanged = false;
    paths.forEach((path, index) => {
      const looks = seen[index] ?? "";
      const known = this.#known.get(path);
      isChanged ||= known !== undefined && known !== looks;
      if (known === undefined || isSteady) this.#known.set(path, looks);
    });
    const pauseMs = isChanged && !isSteady ? LOOK_AGAIN_MS : LOOK_EVERY_MS;
    this.#timer = setTimeout(() => this.#look(paths), pauseMs).unref();
    if (isSteady && isChanged) this.#onChange();
  }
}

/** The looks of a file: they differ if it was written, replaced, or cannot be seen any more. */
async function looksOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
