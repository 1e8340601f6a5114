/** Mutants of `src/protocols/dialects/discord-gateway.ts`. */
export default {
  tests: ["test/protocols/dialects"],
  mutants: [
    ["every chunk is the last", 'decoded.type !== "reply" || isLastChunk(frame)', "true"],
    ["the last chunk ends nothing", "+ 1 < Number(d.chunk_count)", "< Number(d.chunk_count)"],
    ["any frame with our nonce is a reply", 'reply: { match: { "/op": 0, "/t": "GUILD_MEMBERS_CHUNK" } },', ""],
    ["every message gets a nonce", ', when: { match: { "/op": 8 } } }', " }"],
  ],
};
