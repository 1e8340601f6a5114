/** Mutants of `src/cluster/claim-records.ts`. */
export default {
  tests: ["test/sidecar/thread/keyed-requests"],
  deno: true,
  mutants: [
    ["upstreams share their keys", "return `${this.#prefix}.${key}`;", "return `up.${key}`;"],
    ["long outcomes are in their records", "outcome.length <= INLINE_BYTES", "outcome.length >= 0"],
    ["outcomes of any length are kept", "outcome.length <= OUTCOME_BYTES", "outcome.length >= 0"],
    [
      "a record names an outcome that is not stored",
      'if (record?.beside) await this.#store.keep("kept", name, record.beside, withinMs);',
      "",
    ],
    [
      "a lost reply counts as not sent",
      "outcomeIn(beside.value) : gone(sent.sent)",
      'outcomeIn(beside.value) : gone("no")',
    ],
    [
      "a record that cannot be read is none",
      'return { value: { digest: sent.digest, end: { type: "outcome", outcome } }, revision };\n    } catch {\n      return "unknown";',
      'return { value: { digest: sent.digest, end: { type: "outcome", outcome } }, revision };\n    } catch {\n      return undefined;',
    ],
  ],
};
