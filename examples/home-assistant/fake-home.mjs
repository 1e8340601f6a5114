/** A fake Home Assistant with one light: its login, its states, a service, and the event of a change. */
import { startUpstream } from "../parts.mjs";

export async function startHome(token) {
  const light = { entity_id: "light.kitchen", state: "off" };
  const subscribers = new Map();

  function serve(socket) {
    const send = (message) => socket.send(JSON.stringify(message));
    let isLoggedIn = false;
    send({ type: "auth_required", ha_version: "2026.11.0" });
    socket.on("message", (text) => {
      const { type, id, access_token, service, domain } = JSON.parse(text);
      const succeed = (result) => send({ id, type: "result", success: true, result });
      if (type === "auth") {
        isLoggedIn = access_token === token;
        send(isLoggedIn ? { type: "auth_ok" } : { type: "auth_invalid", message: "Invalid access token or password" });
      } else if (!isLoggedIn) socket.close();
      else if (type === "ping") send({ id, type: "pong" });
      else if (type === "get_states") succeed([light]);
      else if (type === "subscribe_events") {
        subscribers.set(send, id);
        succeed(null);
      } else if (type === "call_service" && domain === "light" && /^turn_o(n|ff)$/.test(service)) {
        light.state = service.slice("turn_".length);
        const data = { entity_id: light.entity_id, new_state: { state: light.state } };
        for (const [tell, id] of subscribers) tell({ id, type: "event", event: { event_type: "state_changed", data } });
        succeed({ response: null });
      } else
        send({ id, type: "result", success: false, error: { code: "not_found", message: `no ${service ?? type}` } });
    });
    socket.on("close", () => subscribers.delete(send));
  }

  const { url } = await startUpstream({ serve });
  return { url: `${url}/api/websocket`, light };
}
