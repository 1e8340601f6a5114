/** The container's health check, for images without a shell and curl: of /livez, or of the path that it is given. */
import { Agent, get } from "node:http";
import process from "node:process";

// A proxy named by the environment has another 127.0.0.1, and fetch would use it.
const agent = new Agent({ proxyEnv: {} });
const request = { agent, host: "127.0.0.1", port: process.env.PORT || 8787, path: process.argv[2] ?? "/livez" };
get(request, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).once("error", () => process.exit(1));
