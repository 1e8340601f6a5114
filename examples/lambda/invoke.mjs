/** Invokes the handler as a cloud does: one call after the other, in one environment, which then ends. */
import process from "node:process";
import { handler } from "./handler.mjs";

// A service takes no message over `limits.request_bytes`.
const tooLarge = process.env.SIDESOCKET_URL ? ["X".repeat(2 ** 21)] : [];

for (const symbol of ["BTC", "ETH", ...tooLarge, "CUT"]) {
  const { statusCode, body } = await handler({ symbol });
  console.log(statusCode, body);
}
