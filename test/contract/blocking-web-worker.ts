/** A Web Worker of Deno that is posted a line, calls by it, and ends as it is told to. */

import { attach, type Line } from "../../src/sync.ts";

interface Task {
  readonly line: Line;
  readonly name: string;
  readonly calls: number;
  readonly ends: "by close()" | "by itself" | "by terminate()";
}

/** The part of a Web Worker's own scope that is used. Its types are not among Node's. */
const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: Task }) => void;
  postMessage(message: unknown): void;
  close(): void;
};

scope.onmessage = ({ data: { line, name, calls, ends } }) => {
  const upstream = attach(line);
  let swapped = 0;
  for (let n = 0; n < calls; n++) {
    const result = upstream.rpcSync<unknown[]>("echo", [name, n]);
    if (result[0] !== name || result[1] !== n) swapped++;
  }
  const large = upstream.rpcSync<string>("big", [300_000]).length;
  scope.postMessage({ swapped, large });
  if (ends === "by close()") upstream.close();
  if (ends === "by itself") scope.close();
};
