/** The parts of an example: a fake upstream, a service in front of it, and the example's own program. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const root = fileURLToPath(new URL("..", import.meta.url));
const isDeno = "Deno" in globalThis;
/** Starts a program on the runtime of the example. */
export const RUNTIME = [process.execPath, ...(isDeno ? ["run", "--quiet", "--no-prompt", "--allow-all"] : [])];
/** No example takes a tenth of this. */
const LIMIT_MS = 60_000;

// Settings of a service of yours must not reach that of an example.
for (const name of Object.keys(process.env)) if (/^(?:SIDESOCKET_|PORT$)/.test(name)) delete process.env[name];

const cleanups = [];
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** Runs an example, then ends all that it has started, the last first. An error is the exit code 1. */
export async function example(run) {
  const limit = setTimeout(() => {
    console.error(`the example did not end within ${LIMIT_MS / 1_000} s`);
    process.exit(1);
  }, LIMIT_MS);
  try {
    await run();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  for (const cleanup of cleanups.reverse()) await cleanup();
  // It still ends an example that has left something open.
  limit.unref();
}

/** Ends something with the example. */
export function atEnd(cleanup) {
  cleanups.push(cleanup);
}

/**
 * Starts a fake upstream on a free port. `serve(socket, request)` is called for each connection; `refuse(request)` may
 * return the status with which a connection is refused.
 */
export async function startUpstream({ serve, refuse = () => undefined, subprotocol }) {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    ...(subprotocol && { handleProtocols: (offered) => offered.has(subprotocol) && subprotocol }),
    verifyClient({ req }, settle) {
      const status = refuse(req);
      settle(status === undefined, status);
    },
  });
  server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    serve(socket, request);
  });
  await once(server, "listening");
  const cut = () => {
    for (const socket of server.clients) socket.terminate();
  };
  cleanups.push(async () => {
    cut();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `ws://127.0.0.1:${server.address().port}`, sockets: server.clients, cut };
}

/** Starts a server that stands where a service would, with `serve(socket)` for the bytes of each connection. */
export async function startBytes(serve) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/**
 * Starts the service with these options of its command line, and returns its address. At the end of the example it is
 * ended by a signal, or awaited if the example `shutsDown` it.
 */
export async function startService(options, env = {}, { shutsDown = false } = {}) {
  const program = isDeno ? "src/main.ts" : "dist/main.js";
  const words = [...RUNTIME, `${root}${program}`, "--port", "0", "--log-level", "error", ...options];
  const { child, ended } = start(words, env, { stdio: ["ignore", "pipe", "inherit"] });
  cleanups.push(async () => {
    // By the id: Deno's `kill` reports the signal as the end, even if the program handles it and ends with a code.
    const endsByItself = shutsDown && process.exitCode !== 1;
    if (!endsByItself && child.exitCode === null) process.kill(child.pid, "SIGTERM");
    const code = await ended;
    if (code === 0) return;
    console.error(`the service ended with code ${code}`);
    process.exitCode = 1;
  });
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith("listening on ")) return line.slice("listening on ".length);
  }
  throw new Error("the service ended before it listened");
}

/**
 * Starts a program, whose output goes to that of the example. `ended` resolves with its exit code, and `said(pattern)`
 * once a line of its standard error matches.
 */
export function start([command, ...args], env = {}, { stdio = ["ignore", "inherit", "pipe"], cwd } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
  children.add(child);
  const lines = [];
  const waiting = new Set();
  if (child.stderr) {
    createInterface(child.stderr).on("line", (line) => {
      console.error(line);
      lines.push(line);
      for (const check of waiting) check();
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.once("error", ({ code }) => reject(new Error(code === "ENOENT" ? `${command} is not installed` : code)));
    child.once("close", (code, signal) => {
      children.delete(child);
      resolve(code ?? signal);
    });
  });
  ended.catch(() => {});
  const said = (pattern) =>
    new Promise((resolve, reject) => {
      const check = () => {
        if (!lines.some((line) => pattern.test(line))) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
      ended.then(() => reject(new Error(`${command} ended, and never said ${pattern}`)), reject);
    });
  return { child, ended, said };
}

/** Runs a program to its end. Throws unless it ends with the expected exit code. */
export async function run(words, env, { code: expected = 0, ...options } = {}) {
  const code = await start(words, env, options).ended;
  if (code !== expected) throw new Error(`${words.join(" ")} ended with ${code} instead of ${expected}`);
}

/** Waits until a condition holds that nothing announces. */
export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Returns the path of a file beside the example. */
export function beside(url, name) {
  return fileURLToPath(new URL(name, url));
}
