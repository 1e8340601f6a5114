/** The file that keeps the cursor of a reader from one run to the next. */

import { open, readFile, rename, rm } from "node:fs/promises";
import { ConfigError } from "../config/problems.ts";
import { parseCursor } from "../core/messages/journal.ts";
import { codeOf } from "../secrets/secret-file.ts";

export class CursorFile {
  /** The cursor of the run before; undefined if there is none yet. */
  readonly start: string | undefined;
  readonly #path: string;
  #cursor: string | undefined;
  #saving: Promise<void> | undefined;
  #error: Error | undefined;

  private constructor(path: string, start: string | undefined) {
    this.#path = path;
    this.start = start;
  }

  /** @throws ConfigError if the file cannot be read or written, or holds something else than a cursor */
  static async open(path: string): Promise<CursorFile> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw new ConfigError(`--cursor: ${path} cannot be read (${codeOf(error)})`);
    });
    const start = text.trim() === "" ? undefined : text.trim();
    if (start !== undefined && parseCursor(start) === undefined) {
      throw new ConfigError(`--cursor: ${path} holds no cursor: name another file, or remove it to begin anew`);
    }
    const file = new CursorFile(path, start);
    try {
      await file.#write(start ?? "");
      if (start === undefined) await rm(path);
    } catch (error) {
      throw new ConfigError(`--cursor: ${path} cannot be written (${codeOf(error)})`);
    }
    return file;
  }

  /**
   * Notes that everything up to the cursor was written out. One write is under way at a time, so that a flood costs no
   * more than the disk can do.
   * @throws the error of an earlier write
   */
  reached(cursor: string): void {
    if (this.#error) throw this.#error;
    this.#cursor = cursor;
    this.#saving ??= this.#save();
  }

  /** Resolves when the last cursor is on the disk. */
  async saved(): Promise<void> {
    await this.#saving;
    if (this.#error) throw this.#error;
  }

  async #save(): Promise<void> {
    try {
      for (let cursor = this.#cursor; cursor !== undefined; cursor = this.#cursor) {
        this.#cursor = undefined;
        await this.#write(cursor);
      }
    } catch (error) {
      this.#error = new Error(`--cursor: ${this.#path} cannot be written (${codeOf(error)})`);
    }
    this.#saving = undefined;
  }

  /** Replaces the file in one step: after a crash it holds the old cursor or the new one. */
  async #write(cursor: string): Promise<void> {
    const next = nextTo(this.#path);
    const file = await open(next, "w");
    try {
      await file.writeFile(`${cursor}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
  }
}

/** The file that becomes the cursor's when it is whole. */
export function nextTo(path: string): string {
  return `${path}.next`;
}
