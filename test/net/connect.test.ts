/** The race for a TCP connection, carried out on sockets. */
import assert from "node:assert/strict";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import type { Address } from "../../src/core/connection/address-race.ts";
import { type AddressAnswer, connectTo, type Network } from "../../src/net/connect.ts";
import { until } from "../support/until.ts";

const addresses: readonly Address[] = ["192.0.2.1", "192.0.2.2"].map((address) => ({ address, family: 4 }));
const bounds = { withinMs: 1_000, pauses: { ipv6_wait: 50, next_after: 250 } };
const host = { hostname: "several.example", port: 9 };

/** A network whose sockets do what the test says. */
function network(answer: AddressAnswer = { families: [4, 6], addresses }) {
  const sockets: Socket[] = [];
  const state = { left: 0 };
  const fake: Network = {
    resolve: (_host, onAnswer) => {
      queueMicrotask(() => onAnswer(answer));
      return () => {
        state.left++;
      };
    },
    connect: () => {
      const socket = new Socket();
      sockets.push(socket);
      return socket;
    },
  };
  return { fake, sockets, state };
}

test("the socket that connects is handed over, and the others are closed", async () => {
  const { fake, sockets, state } = network();
  const done = new Promise<Socket | undefined>((resolve) => {
    connectTo(fake, host, bounds, (_error, socket) => resolve(socket));
  });
  await until(() => sockets.length === 2, { what: "both tries" });
  sockets[1]?.emit("connect");
  const winner = await done;
  assert.equal(winner, sockets[1]);
  assert.deepEqual(
    [sockets[0]?.destroyed, winner?.destroyed, winner?.listenerCount("error"), state.left],
    [true, false, 0, 1],
  );
  winner?.destroy();
});

test("leaving closes every socket, ends the lookup and calls nothing", async () => {
  const { fake, sockets, state } = network();
  const leave = connectTo(fake, host, bounds, () => assert.fail("it was left"));
  await until(() => sockets.length === 2, { what: "both tries" });
  leave();
  assert.ok(sockets.every(({ destroyed }) => destroyed));
  assert.equal(state.left, 1);
  sockets[0]?.emit("error", new Error("late"));
});

test("the reason is the error of the name, the one of all addresses, or each address with its own", async () => {
  const failing = async (errors: readonly string[], answer?: AddressAnswer): Promise<Error | null> => {
    const { fake, sockets } = network(answer);
    const done = new Promise<Error | null>((resolve) => connectTo(fake, host, bounds, resolve));
    for (const [at, code] of errors.entries()) {
      const socket = await until(() => sockets[at], { what: "the next try" });
      socket.destroy(Object.assign(new Error(code), { code }));
    }
    return done;
  };
  const unknown = Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
  assert.equal(await failing([], { families: [4, 6], addresses: [], error: unknown }), unknown);
  assert.equal((await failing(["ECONNREFUSED", "ECONNREFUSED"]))?.message, "ECONNREFUSED");
  const each = "ECONNREFUSED at 192.0.2.1, EHOSTUNREACH at 192.0.2.2";
  assert.equal((await failing(["ECONNREFUSED", "EHOSTUNREACH"]))?.message, each);
});

test("an address needs no lookup", async (t) => {
  const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { readonly port: number };
  const real: Network = {
    resolve: () => assert.fail("nothing is looked up"),
    connect: (_host, { address }) => new Socket().connect(port, address),
  };
  const socket = await new Promise<Socket | undefined>((resolve, reject) => {
    connectTo(real, { hostname: "127.0.0.1", port }, bounds, (error, made) => (error ? reject(error) : resolve(made)));
  });
  assert.equal(socket?.remoteAddress, "127.0.0.1");
  socket?.destroy();
});
