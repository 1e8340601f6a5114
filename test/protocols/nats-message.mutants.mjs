/** Mutants of `src/protocols/nats-message.ts`. */
export default {
  tests: ["test/protocols/dialects/nats"],
  mutants: [
    ["wildcards are published to", "if (WILDCARD.test(subjectOf(value, key)))", "if (subjectOf(value, key) === '')"],
    ["the inbox can be left", "!isText(sid, NAME) || sid === INBOX_SID", "!isText(sid, NAME)"],
    ["a header may have several lines", "/^[^\\r\\n\\0]*$/", "/^/"],
    ["large numbers are rounded", "text.slice(written.start, written.end)", "JSON.stringify(call.data)"],
    ["other members pass", "each !== name && !MEMBERS[name]?.includes(each)", "false"],
    ["every status is an error", "status < 400", "status < 100"],
    ["data of JSON is a text", 'isJsonTo("any", text)', "false"],
    ["a subject may be long", "/^(?=.{1,900}$)[^\\s.\\p{Cc}]+(?", "/^[^\\s.\\p{Cc}]+(?"],
  ],
};
