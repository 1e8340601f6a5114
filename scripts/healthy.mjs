/** The container's health check, where there is no shell and no curl. */
import { Agent, get } from "node:http";
import process from "node:process";

// The proxy that the environment may name has another 127.0.0.1, and fetch would ask it.
const agent = new Agent({ proxyEnv: {} });
const asked = { agent, host: "127.0.0.1", port: process.env.PORT || 8787, path: "/livez" };
get(asked, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).once("error", () => process.exit(1));
