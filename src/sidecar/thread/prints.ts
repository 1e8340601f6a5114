/** Texts that users' modules print on the thread, which must not reach the process's standard streams. */

import { Console } from "node:console";
import process from "node:process";
import { Writable } from "node:stream";

/**
 * Takes what is printed with `console` and `process.stdout` or `process.stderr` from here on. What a module writes to
 * the descriptors themselves (`fs.writeSync(1, …)`) cannot be taken.
 * @param take must not print itself
 */
export function takePrints(take: (text: string) => void): void {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      take(String(chunk));
      done();
    },
  });
  const taking = new Console({ stdout: stream, stderr: stream });
  for (const [name, method] of Object.entries(taking)) {
    if (typeof method === "function") Object.assign(console, { [name]: method });
  }
  for (const standard of [process.stdout, process.stderr]) {
    standard.write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
      take(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
      const done = rest.find((each) => typeof each === "function");
      if (done) queueMicrotask(done as () => void);
      return true;
    };
  }
}
