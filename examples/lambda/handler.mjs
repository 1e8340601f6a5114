/** A function of AWS Lambda, or of whatever calls a handler: it holds one connection for all calls of an environment. */
import process from "node:process";
import { connect, SidesocketError } from "sidesocket/client";

const { SIDESOCKET_URL, UPSTREAM_URL } = process.env;

/** Calls a service if there is one, else holds the connection here. Both have the same interface. */
async function open() {
  if (SIDESOCKET_URL) return connect(SIDESOCKET_URL, { repeat: 2 });
  const { Sidecar } = await import("sidesocket");
  const own = await Sidecar.start({ url: UPSTREAM_URL });
  own.unref(); // when nothing else is left to do the program may end, and the sidecar exits by itself
  return own;
}

// Before the first call, so that it finds the connection ready, and so do all that follow.
const sidecar = await open();

/** 503: nothing was sent, repeat it. 400: nothing was sent, and repeating cannot help. 502: look before you repeat it. */
function statusOf({ sent, retry }) {
  if (sent !== "no") return 502;
  return retry === "never" ? 400 : 503;
}

export async function handler({ symbol }) {
  try {
    const price = await sidecar.rpc("price", [symbol], { timeoutMs: 5_000 });
    return { statusCode: 200, body: JSON.stringify({ symbol, price }) };
  } catch (error) {
    if (!(error instanceof SidesocketError)) throw error;
    const { code, sent, retry } = error;
    return { statusCode: statusOf(error), body: JSON.stringify({ code, sent, retry }) };
  }
}
