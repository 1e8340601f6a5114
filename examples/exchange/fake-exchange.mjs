/** A fake exchange: a signed login, a limit of messages, and a cut in an order that it books late. */
import { createHmac } from "node:crypto";
import { startUpstream } from "../parts.mjs";

const MESSAGES = 4;
const PER_MS = 200;
/** The connection is cut once so many orders have come, so that the cut meets one of them and no other. */
const ORDERS = 6;
const NO_REPLY = Symbol("no reply");

export async function startExchange(secret) {
  const exchange = { orders: [], logins: [], misses: 0, violations: 0 };
  let late;

  function serve(socket) {
    const arrivals = [];
    const reply = (id, members) => socket.send(JSON.stringify({ jsonrpc: "2.0", id, ...members }));
    let isLoggedIn = false;
    let ticker;

    const methods = {
      login({ nonce, signature }) {
        isLoggedIn =
          signature === createHmac("sha256", secret).update(`login:${nonce}`).digest("hex") &&
          exchange.logins.every((used) => Number(nonce) > used);
        exchange.logins.push(Number(nonce));
        return isLoggedIn;
      },
      subscribe() {
        const tick = () => socket.send(JSON.stringify({ jsonrpc: "2.0", method: "ticker", params: { price: 90907 } }));
        ticker = setInterval(tick, 20);
        return "ticker";
      },
      order({ label }) {
        const order = { label, state: "filled" };
        if (label === "order-3" && late === undefined) late = order;
        else exchange.orders.push(order);
        if (late !== undefined && exchange.orders.length === ORDERS - 1) socket.terminate();
        return order === late ? NO_REPLY : order;
      },
      find_order({ label }) {
        const order = exchange.orders.find((booked) => booked.label === label);
        if (order) return order;
        exchange.misses++;
        // It is booked only after the first question for it.
        if (late?.label === label) exchange.orders.push(late);
        return null;
      },
    };

    socket.on("message", (text) => {
      const now = Date.now();
      arrivals.push(now);
      if (arrivals.filter((at) => at > now - PER_MS).length > MESSAGES) {
        exchange.violations++;
        socket.close(1008, "too many messages");
        return;
      }
      const { id, method, params } = JSON.parse(text);
      const result = isLoggedIn || method === "login" ? methods[method]?.(params) : undefined;
      if (result === NO_REPLY || socket.readyState !== socket.OPEN) return;
      if (result === undefined || result === false)
        reply(id, { error: { code: 13_004, message: "invalid_credentials" } });
      else reply(id, { result });
    });
    socket.on("close", () => clearInterval(ticker));
  }

  const { url } = await startUpstream({ serve });
  return Object.assign(exchange, { url });
}
