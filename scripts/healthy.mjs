/** The container's health check, where there is no shell and no curl. */
import process from "node:process";

const answer = await fetch(`http://127.0.0.1:${process.env.PORT || 8787}/livez`).catch(() => undefined);
process.exit(answer?.ok ? 0 : 1);
