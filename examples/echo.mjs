/** A fake upstream that speaks JSON-RPC: it echoes, and ticks for those that subscribe. */
import { startUpstream } from "./parts.mjs";

export function startEcho() {
  return startUpstream({
    serve(socket) {
      const timers = [];
      const send = (message) => socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
      const tick = () => send({ method: "tick", params: { time: new Date().toISOString() } });
      socket.on("message", (text) => {
        const { id, method, params } = JSON.parse(text);
        if (method === "echo") send({ id, result: params });
        else if (method === "subscribe") {
          send({ id, result: "clock" });
          timers.push(setInterval(tick, 20));
        } else send({ id, error: { code: -32_601, message: "Method not found" } });
      });
      socket.on("close", () => timers.forEach(clearInterval));
    },
  });
}
