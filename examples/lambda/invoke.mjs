/** Invokes the handler as a cloud does: one call after the other, in one environment, which then ends. */
import { handler } from "./handler.mjs";

for (const symbol of ["BTC", "ETH", "CUT"]) {
  const { statusCode, body } = await handler({ symbol });
  console.log(statusCode, body);
}
