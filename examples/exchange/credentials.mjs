/** The signature of a login, computed on the sidecar's thread for each connection. The secret is in a file of its own. */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";

export default async function () {
  const secret = (await readFile(process.env.EXCHANGE_SECRET_FILE, "utf8")).trim();
  const nonce = String(Date.now());
  return { nonce, signature: createHmac("sha256", secret).update(`login:${nonce}`).digest("hex") };
}
