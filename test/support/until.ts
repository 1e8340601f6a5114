/** Waits that end: each has a deadline and names what it waits for. */

export interface WaitOptions {
  /** Milliseconds until the wait fails. */
  readonly within?: number;
  /** Completes the sentence "waited N ms for …". A function is called only if the wait failed. */
  readonly what?: string | (() => string);
}

/** Long enough for a busy CI machine, short enough to be found in its log. */
export const DEFAULT_WITHIN_MS = 10_000;

type Falsy = undefined | null | false | 0 | "";

/** The value of a condition that holds. */
export type Truthy<T> = Exclude<T, Falsy>;

function describe(what: WaitOptions["what"]): string {
  return typeof what === "function" ? what() : (what ?? "a condition");
}

function expired(options: WaitOptions): Error {
  return new Error(`waited ${options.within ?? DEFAULT_WITHIN_MS} ms for ${describe(options.what)}`);
}

/** Settles after `ms`. For faults that take time by nature; a test that waits for something uses `until`. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Settles with the promise, or fails if that takes longer than `within`. */
export async function bounded<T>(promise: Promise<T>, options: WaitOptions = {}): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(expired(options)), options.within ?? DEFAULT_WITHIN_MS);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Polls every few milliseconds until the condition holds, and returns its value. Where an event exists, use
 * {@link Watch}.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions & { readonly every?: number } = {},
): Promise<Truthy<T>> {
  const end = performance.now() + (options.within ?? DEFAULT_WITHIN_MS);
  for (;;) {
    const value = await condition();
    if (value) return value as Truthy<T>;
    if (performance.now() >= end) throw expired(options);
    await delay(options.every ?? 5);
  }
}

/**
 * A changing thing that can be awaited. Its owner calls `changed()`; a waiter passes a condition, which is checked at
 * once and after every change, so that no wait polls and none misses its moment.
 */
export class Watch {
  readonly #waiters = new Set<() => void>();

  changed(): void {
    for (const check of [...this.#waiters]) check();
  }

  until<T>(condition: () => T, options: WaitOptions = {}): Promise<Truthy<T>> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(check);
      };
      const check = (): void => {
        try {
          const value = condition();
          if (!value) return;
          finish();
          resolve(value as Truthy<T>);
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(expired(options));
      }, options.within ?? DEFAULT_WITHIN_MS);
      this.#waiters.add(check);
      check();
    });
  }
}

/** Ties the life of a resource to a test: node:test's context, or anything with `after`. */
export interface Cleanup {
  after(end: () => Promise<void>): void;
}
