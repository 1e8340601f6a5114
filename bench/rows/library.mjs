/** sidesocket as a library in a separate program, whose main thread can be blocked and watched from within. */
import process from "node:process";
import { Hono } from "hono";
import { instruments, listen } from "./serve.mjs";

const { createApp, Sidecar } = await import("Deno" in globalThis ? "../../src/index.ts" : "../../dist/index.js");

const sidecar = await Sidecar.start({ url: process.argv[2] });
const app = instruments(new Hono());
app.route("/", createApp({ default: sidecar }));

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => sidecar.exit().then(() => process.exit(0)));
listen(app);
