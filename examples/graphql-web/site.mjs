/** A web site whose server reads a GraphQL API that speaks WebSockets alone: a page, and a stream for it. */
import { Hono } from "hono";
import { html } from "hono/html";

const PRODUCTS = "query Products($currency: String!) { products { name price(currency: $currency) } }";
const PRICES = "subscription { price { name price } }";

export function site(service) {
  const app = new Hono();
  const graphql = (body, { accept = "application/json", signal } = {}) =>
    fetch(`${service}/graphql`, {
      method: "POST",
      headers: { accept, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });

  app.get("/", async (c) => {
    const response = await graphql({ query: PRODUCTS, variables: { currency: "EUR" } });
    const { data, errors, detail } = await response.json(); // a failure of the service is a problem with a detail
    if (!data) return c.html(html`<p>No prices: ${detail ?? errors[0].message}</p>`, 503);
    return c.html(html`<!doctype html>
<title>Prices</title>
<ul>
${data.products.map(({ name, price }) => html`<li>${name}: <b id="${name}">${price}</b></li>\n`)}</ul>
<script>
  new EventSource("/live").addEventListener("next", (event) => {
    const { name, price } = JSON.parse(event.data).data.price;
    document.getElementById(name).textContent = price;
  });
</script>
`);
  });

  // The service streams what the page reads. When the page is closed, the subscription ends at the GraphQL server.
  app.get("/live", (c) => graphql({ query: PRICES }, { accept: "text/event-stream", signal: c.req.raw.signal }));
  return app;
}
