/** The runtime that this process runs on. */

import type { Runtime } from "./runtime.ts";

const { runtime: picked } = "Deno" in globalThis ? await import("./deno.ts") : await import("./node.ts");

export const runtime: Runtime = picked;
