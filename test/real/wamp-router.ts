/** npm's `wamp-server`, a router of WAMP, in a process of its own. */
import process from "node:process";
import { Child } from "../support/child.ts";
import { nodePath } from "../support/root.ts";
import { packageFolder } from "./packages.ts";

/** Prints each GOODBYE that it gets. The process is the router's own, because it does not survive the end of a connection that has subscribed. */
export async function startRouter(port: number): Promise<Child> {
  const router = JSON.stringify(packageFolder("wamp-server"));
  const script = `const router = new (require(${router}))({ port: ${port}, realms: ["realm1"] });
    router.wss.on("connection", (socket) => socket.on("message", (data) => {
      if (String(data).startsWith("[6,")) console.log(String(data));
    }));
    router.wss.on("listening", () => console.log("listening"));`;
  const child = await Child.start({ command: nodePath(), args: ["-e", script], env: process.env });
  await child.until(() => /listening/.test(child.output()), { what: "the router" });
  return child;
}
