/** Tickets: their time, their number and their caller. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TICKET_MS, Tickets } from "../../src/http/tickets.ts";

const of = (share: string) => ({ identity: share, share, owner: share });
const PATH = "/v1/events";

test("a ticket is good until its time, and stands for the caller that it was issued to", () => {
  const tickets = new Tickets();
  const issue = () => tickets.issue(PATH, of("a"), 0) ?? "";
  assert.deepEqual(tickets.redeem(issue(), PATH, TICKET_MS - 1), of("a"));
  assert.equal(tickets.redeem(issue(), PATH, TICKET_MS), undefined);
  assert.ok(TICKET_MS <= 60_000);
});

test("one caller that uses none of its tickets gets no more, until they expire; others do", () => {
  const tickets = new Tickets();
  let issued = 0;
  while (tickets.issue(PATH, of("a"), 0) !== undefined) issued++;
  assert.equal(issued, 256);
  assert.ok(tickets.issue(PATH, of("b"), 0));
  assert.equal(tickets.issue(PATH, of("a"), TICKET_MS - 1), undefined);
  assert.ok(tickets.issue(PATH, of("a"), TICKET_MS));
});

test("all callers together have no more than 4,096", () => {
  const tickets = new Tickets();
  const issued = Array.from({ length: 5_000 }, (_, n) => tickets.issue(PATH, of(`#${n % 100}`), 0)).filter(Boolean);
  assert.equal(issued.length, 4_096);
  assert.equal(new Set(issued).size, issued.length);
});

test("a text that is no ticket opens nothing", () => {
  const tickets = new Tickets();
  const ticket = tickets.issue(PATH, of("a"), 0) ?? "";
  for (const wrong of ["", ticket.slice(0, 8), `${ticket}A`, ticket.slice(0, -4), ticket.toLowerCase()])
    assert.equal(tickets.redeem(wrong, PATH, 0), undefined, wrong);
  assert.deepEqual(tickets.redeem(ticket, PATH, 0), of("a"));
});
