/** The page and the stream of a web site, in front of a fake GraphQL server; leaving the stream ends its subscription. */
import { beside, example, startService, until } from "../parts.mjs";
import { startGraphql } from "./fake-graphql.mjs";
import { site } from "./site.mjs";

await example(async () => {
  const graphql = await startGraphql("a token");
  const env = { UPSTREAM_URL: graphql.url, TOKEN: "a token" };
  const app = site(await startService(["--config", beside(import.meta.url, "graph.yaml")], env));

  const page = await app.request("/");
  console.log(page.status, (await page.text()).match(/<li>.*<\/li>/g).join(" "));

  const live = await app.request("/live");
  const reader = live.body.pipeThrough(new TextDecoderStream()).getReader();
  let read = "";
  while (!read.includes('"price":6')) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream has ended: ${read}`);
    read += value;
  }
  console.log(
    read
      .match(/data: .*/g)
      .slice(0, 2)
      .join("\n"),
  );
  await reader.cancel();
  await until(() => graphql.subscribers() === 0);
  console.log("the page left, and its subscription has ended");
});
