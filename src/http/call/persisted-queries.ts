/** Persisted queries: documents that callers send once, and name by their hash from then on. */

import { createHash } from "node:crypto";
import type { UpstreamPort } from "../ports.ts";

/** The most documents that an upstream has, and the most bytes of them. */
const DOCUMENTS_MAX = 1_000;
const BYTES_MAX = 1024 * 1024;

export class PersistedQueries {
  /** By hash, the one that was used last at the end. */
  readonly #documents = new Map<string, string>();
  #bytes = 0;

  get(hash: string): string | undefined {
    const document = this.#documents.get(hash);
    if (document === undefined) return undefined;
    this.#documents.delete(hash);
    this.#documents.set(hash, document);
    return document;
  }

  /** Keeps a document under its hash, and forgets those that were not used for the longest time. */
  keep(hash: string, document: string): void {
    const bytes = bytesOf(document);
    if (bytes > BYTES_MAX || this.get(hash) !== undefined) return;
    this.#documents.set(hash, document);
    this.#bytes += bytes;
    for (const [oldest, text] of this.#documents) {
      if (this.#bytes <= BYTES_MAX && this.#documents.size <= DOCUMENTS_MAX) return;
      this.#documents.delete(oldest);
      this.#bytes -= bytesOf(text);
    }
  }
}

/** The hash by which a document is named. */
export function hashOf(document: string): string {
  return createHash("sha256").update(document).digest("hex");
}

/** Upper bound of the memory of a text: V8 keeps two bytes for each character where one is beyond Latin-1. */
function bytesOf(document: string): number {
  return 2 * document.length;
}

/** They end with their upstream. */
const ofUpstreams = new WeakMap<UpstreamPort, PersistedQueries>();

export function persistedQueriesOf(upstream: UpstreamPort): PersistedQueries {
  const known = ofUpstreams.get(upstream) ?? new PersistedQueries();
  ofUpstreams.set(upstream, known);
  return known;
}
