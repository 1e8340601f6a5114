import type { Runtime } from "./runtime.ts";

/** The only question about where we run. */
const { runtime: picked } = "Deno" in globalThis ? await import("./deno.ts") : await import("./node.ts");

export const runtime: Runtime = picked;
