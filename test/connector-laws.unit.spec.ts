import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import template from "../cli/scaffold/connector/connector.js";
import type { ConnectorDefinition, Intake, Receiver, SendLine, SendRequest } from "../engine/intake/connector.js";
import { TributaryError } from "../engine/service/errors.js";
import { connectorLaws } from "../engine/testing/connector-laws.js";

const good = template as ConnectorDefinition<unknown>;
const root = mkdtempSync(join(tmpdir(), "tributary-laws-"));
mkdirSync(join(root, "producers", good.name, "partners"), { recursive: true });
writeFileSync(join(root, "producers", good.name, "partners", "generic.json"), "{}");
afterAll(() => rmSync(root, { recursive: true }));

const rehearsal = "says in a rehearsal what it answers in earnest, and leaves nothing behind";
const sample = (name: string) =>
  new Map([[name, readFileSync(new URL(`../cli/scaffold/connector/samples/${name}.json`, import.meta.url))]]);
const samples = { accepted: sample("accepted"), rejected: sample("rejected") };

/** @returns the laws that a connector breaks. */
async function broken(changes: Partial<ConnectorDefinition<unknown>>): Promise<string[]> {
  const laws: string[] = [];
  for (const [law, holds] of Object.entries(connectorLaws)) {
    await holds({ connector: { ...good, ...changes }, root, samples }).catch(() => laws.push(law));
  }
  return laws;
}

/** The connector with another intake, or another receiver, in its hands. */
const withIntake = (change: (intake: Intake) => Intake) =>
  broken({ receive: (context) => good.receive({ ...context, intake: change(context.intake) }) });
const withReceiver = (change: (receiver: Receiver) => Receiver) =>
  broken({ receive: async (context) => change(await good.receive(context)) });

async function* swallowing(request: SendRequest): AsyncIterable<SendLine> {
  try {
    yield* good.send(request);
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error;
  }
}

describe("the laws of connectors", () => {
  it("let a good one pass", async () => {
    expect(await broken({})).toEqual([]);
  });

  it("find an answer that doesn't wait for the journal", async () => {
    const hasty = await withIntake((intake) => ({
      ...intake,
      submit: async (units) => {
        void intake.submit(units).catch(() => {});
        return units.map(({ verdict }) => ({ verdict, receiptId: "receipt" }));
      },
    }));
    expect(hasty).toEqual([
      "accepts nothing while nothing is durable, and takes the same again afterwards",
      "gives the journal's own refusal as a rejection",
    ]);
  });

  it("find a name in the clear, and an event that the log can't carry", async () => {
    const law = "answers what it accepts when the journal has it, with events that the log can carry";
    const changed = (change: object) =>
      withIntake((intake) => ({
        ...intake,
        submit: (units) =>
          intake.submit(
            units.map((unit) => ({
              ...unit,
              events: unit.events.map(
                (event) => ({ ...event, fields: { ...event.fields, ...change } }) as typeof event,
              ),
            })),
          ),
      }));
    expect(await changed({ facility: "of Jane Doe" })).toEqual([law]);
    expect(await changed({ birthYear: "1980" })).toEqual([law, rehearsal]);
  });

  it("find a rehearsal that keeps something, or says what nobody is told", async () => {
    const keeps = await broken({
      receive(context) {
        writeFileSync(join(tmpdir(), "tributary-kept.json"), "{}");
        return good.receive(context);
      },
    });
    rmSync(join(tmpdir(), "tributary-kept.json"));
    expect(keeps).toEqual([rehearsal]);
    const differs = await broken({
      rehearsal: () => ({ ...(good.profile.parse({}) as object), authentication: ["nobody"] }),
    });
    expect(differs).toEqual([rehearsal]);
  });

  it("find a rejection without a place", async () => {
    const vague = await broken({
      async *send(request) {
        for await (const line of good.send(request)) yield { ...line, location: null };
      },
    });
    expect(vague).toEqual(["names code and place of what it rejects, and makes no event of it"]);
  });

  it("find an address that nobody can use", async () => {
    const law = ["has a protocol, a reachable address and a known partner in every address"];
    const addressed = (change: object) =>
      withReceiver((receiver) => ({
        ...receiver,
        addresses: [...receiver.addresses, { protocol: "http", url: "http://127.0.0.1:7001", ...change }],
      }));
    expect(await addressed({ url: "http://127.0.0.1:0" })).toEqual(law);
    expect(await addressed({ partner: "nobody" })).toEqual(law);
  });

  it("find a connector that goes on listening, and a sender that hides that nobody listens", async () => {
    const closing = "answers what is in hand when it closes, and then listens no more";
    const nobody = "tells with a coded error, to be tried again, that nobody listens";
    const closers: (() => Promise<void>)[] = [];
    const open = await withReceiver((receiver) => {
      closers.push(() => receiver.close());
      return { ...receiver, close: async () => {} };
    });
    expect(open).toEqual([closing, nobody]);
    await Promise.all(closers.map((close) => close()));
    expect(await broken({ send: swallowing })).toEqual([closing, nobody]);
  });
});
