/** A fake GraphQL server that speaks graphql-transport-ws, for two documents, with a token in its `connection_init`. */
import { startUpstream } from "../parts.mjs";

const DATA = {
  products: [
    { name: "tea", price: 4 },
    { name: "<coffee>", price: 7 },
  ],
};

export async function startGraphql(token) {
  let subscribers = 0;

  function serve(socket) {
    const timers = new Map();
    const send = (message) => socket.send(JSON.stringify(message));
    const complete = (id) => {
      if (timers.delete(id)) subscribers--;
    };
    let isLoggedIn = false;
    socket.on("message", (text) => {
      const { type, id, payload } = JSON.parse(text);
      const next = (data) => send({ type: "next", id, payload: { data } });
      if (type === "connection_init") {
        isLoggedIn = payload?.token === token;
        if (isLoggedIn) send({ type: "connection_ack" });
        else socket.close(4403, "Forbidden");
      } else if (type === "ping") send({ type: "pong" });
      else if (type === "complete") {
        clearInterval(timers.get(id));
        complete(id);
      } else if (type === "subscribe" && !isLoggedIn) socket.close(4401, "Unauthorized");
      else if (type === "subscribe" && payload.query.startsWith("subscription")) {
        subscribers++;
        let price = 4;
        timers.set(
          id,
          setInterval(() => next({ price: { name: "tea", price: ++price } }), 10),
        );
      } else if (type === "subscribe") {
        if (payload.variables?.currency === "EUR") next(DATA);
        else send({ type: "error", id, payload: [{ message: "no such currency" }] });
        if (payload.variables?.currency === "EUR") send({ type: "complete", id });
      }
    });
    socket.on("close", () => {
      for (const [id, timer] of [...timers]) {
        clearInterval(timer);
        complete(id);
      }
    });
  }

  const { url } = await startUpstream({ serve, subprotocol: "graphql-transport-ws" });
  return { url, subscribers: () => subscribers };
}
