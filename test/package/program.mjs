/** A program of a user: one request that is awaited, one that blocks, and one of a program that only blocks. */
import process from "node:process";
import { Sidecar } from "sidesocket";

const [, , url] = process.argv;
const echo = (word) => `{"jsonrpc":"2.0","id":1,"method":"echo","params":["${word}"]}`;

const sidecar = await Sidecar.start({ url });
const replies = [await sidecar.request(echo("awaited")), sidecar.requestSync(echo("blocked"))];
const { exit_code: code } = await sidecar.exit();

const kept = Sidecar.startSync({ url });
replies.push(kept.requestSync(echo("kept")));
const { exit_code: keptCode } = kept.exitSync();

console.log(JSON.stringify({ replies: replies.map((reply) => JSON.parse(reply).result[0]), codes: [code, keptCode] }));
