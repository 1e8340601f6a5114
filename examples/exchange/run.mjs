/** Orders at a fake exchange that wants a signed login, counts messages, and cuts the connection in an order. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd, beside, example, RUNTIME, run, startService } from "../parts.mjs";
import { startExchange } from "./fake-exchange.mjs";

await example(async () => {
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-exchange-"));
  atEnd(() => rmSync(folder, { recursive: true }));
  const secretFile = join(folder, "secret");
  writeFileSync(secretFile, "a secret of the fake exchange\n");
  const exchange = await startExchange("a secret of the fake exchange");

  const env = { UPSTREAM_URL: exchange.url, EXCHANGE_KEY: "key", EXCHANGE_SECRET_FILE: secretFile };
  const url = await startService(["--config", beside(import.meta.url, "exchange.yaml")], env);
  await run([...RUNTIME, beside(import.meta.url, "orders.mjs")], { SIDESOCKET_URL: url });

  const { orders, logins, misses, violations } = exchange;
  console.log(`the exchange: ${orders.length} orders, ${logins.length} logins, ${violations} violations of the limit`);
  const isOnce = new Set(orders.map(({ label }) => label)).size === orders.length;
  // A miss is the question for an order that comes later: to send it again then would be to trade twice.
  if (!isOnce || misses === 0 || violations > 0) throw new Error(JSON.stringify(exchange));
});
