/** Places orders, each once whatever happens meanwhile, and follows the ticker until it has gone on after a cut. */
import process from "node:process";
import { connect } from "sidesocket/client";

// With `repeat` a call has an Idempotency-Key, and is repeated where nothing was sent.
const exchange = connect(process.env.SIDESOCKET_URL ?? "http://127.0.0.1:8787", { upstream: "exchange", repeat: 5 });

async function place(label) {
  try {
    return await exchange.rpc("order", { label, amount: 1 });
  } catch (error) {
    if (error.sent === "no" || error.code === "rpc_error") throw error;
    // It may have been sent, so it is not sent again: the exchange knows whether it has it.
    console.log(`${label}: ${error.code}, sent: ${error.sent}; asking the exchange`);
    return (await exchange.rpc("find_order", { label })) ?? place(label);
  }
}

const labels = Array.from({ length: 6 }, (_, index) => `order-${index + 1}`);
const placed = await Promise.all(labels.map(place));
console.log(placed.map(({ label, state }) => `${label} ${state}`).join(", "));

let isAfterGap = false;
for await (const message of exchange.messages({ subscription: "ticker" })) {
  if (message.gap) console.log(`ticker: a gap, ${message.gap.reason}`);
  else if (isAfterGap) break;
  isAfterGap ||= message.gap !== undefined;
}
console.log("ticker: goes on");
exchange.close();
