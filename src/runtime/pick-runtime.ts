/** The runtime that this process runs on. */

import { runtime as deno } from "./deno.ts";
import { runtime as node } from "./node.ts";
import type { Runtime } from "./runtime.ts";

// Imported plainly and not awaited: `require` refuses a graph that awaits.
export const runtime: Runtime = "Deno" in globalThis ? deno : node;
