/** Places orders, each once whatever happens meanwhile, and follows the ticker until it has gone on after a cut. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "sidesocket/client";

const LOOKS = 8;
const FIRST_PAUSE_MS = 100;

// With `repeat` a call has an Idempotency-Key, and is repeated where nothing was sent.
const exchange = connect(process.env.SIDESOCKET_URL ?? "http://127.0.0.1:8787", { upstream: "exchange", repeat: 5 });

async function place(label) {
  try {
    return await exchange.rpc("order", { label, amount: 1 });
  } catch (error) {
    if (error.sent === "no" || error.code === "rpc_error") throw error;
    console.log(`${label}: ${error.code}, sent: ${error.sent}; asking the exchange`);
    return find(label);
  }
}

/**
 * Looks for an order that may have been sent. It is not sent again, even if the exchange does not have it: it may have
 * it a moment later. If it still has not after the last look (25 s here), a person decides.
 */
async function find(label) {
  for (let look = 0; look < LOOKS; look++) {
    await sleep(FIRST_PAUSE_MS * 2 ** look);
    try {
      const order = await exchange.rpc("find_order", { label });
      if (order !== null) return order;
    } catch (error) {
      console.error(`${label}: ${error.code}; asking again`);
    }
  }
  process.exitCode = 1;
  return { label, state: "unknown" };
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
