/** A fake Home Assistant: its login, the states of its entities, a service, and the events of changes. */
import { startUpstream } from "../parts.mjs";

/** A state as Home Assistant has it, with its members in the same order. */
function stateOf(entity_id, state, attributes) {
  const now = new Date().toISOString();
  const times = { last_changed: now, last_reported: now, last_updated: now };
  return { entity_id, state, attributes, ...times, context: { id: "01JDQ", parent_id: null, user_id: null } };
}

export async function startHome(token) {
  const entities = [
    stateOf("sun.sun", "above_horizon", { elevation: 21.4, friendly_name: "Sun" }),
    stateOf("sensor.power", "0", { unit_of_measurement: "W", friendly_name: "Power" }),
    stateOf("light.hall", "on", { brightness: 255, friendly_name: "Hall" }),
    stateOf("light.kitchen", "off", { brightness: null, friendly_name: "Kitchen" }),
  ];
  const subscribers = new Map();

  function change(entity_id, state) {
    const place = entities.findIndex((entity) => entity.entity_id === entity_id);
    const old_state = entities[place];
    if (old_state.state === state) return;
    const new_state = stateOf(entity_id, state, old_state.attributes);
    entities[place] = new_state;
    const data = { entity_id, old_state, new_state };
    const event = { event_type: "state_changed", data, origin: "LOCAL", time_fired: new_state.last_changed };
    for (const [tell, id] of subscribers) tell({ type: "event", event: { ...event, context: new_state.context }, id });
  }

  function serve(socket) {
    const send = (message) => socket.send(JSON.stringify(message));
    let isLoggedIn = false;
    send({ type: "auth_required", ha_version: "2026.11.0" });
    socket.on("message", (text) => {
      const { type, id, access_token, service, domain, target } = JSON.parse(text);
      const succeed = (result) => send({ id, type: "result", success: true, result });
      if (type === "auth") {
        isLoggedIn = access_token === token;
        send(isLoggedIn ? { type: "auth_ok" } : { type: "auth_invalid", message: "Invalid access token or password" });
      } else if (!isLoggedIn) socket.close();
      else if (type === "ping") send({ id, type: "pong" });
      else if (type === "get_states") succeed(entities);
      else if (type === "subscribe_events") {
        subscribers.set(send, id);
        succeed(null);
        // Somebody switches another light.
        change("light.hall", "off");
      } else if (type === "call_service" && domain === "light" && /^turn_o(n|ff)$/.test(service)) {
        const state = service.slice("turn_".length);
        change("sensor.power", state === "on" ? "9" : "0");
        change(target.entity_id, state);
        succeed({ context: { id: "01JDR", parent_id: null, user_id: null }, response: null });
      } else
        send({ id, type: "result", success: false, error: { code: "not_found", message: `no ${service ?? type}` } });
    });
    socket.on("close", () => subscribers.delete(send));
  }

  const { url } = await startUpstream({ serve });
  const kitchen = () => entities.find(({ entity_id }) => entity_id === "light.kitchen");
  return { url: `${url}/api/websocket`, kitchen };
}
