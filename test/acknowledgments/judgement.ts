import { decodeEntries } from "../../engine/intake/decode-entries.js";
import { intakeCounts } from "../../engine/intake/journal.js";
import type { Codec } from "../../engine/log/codec.js";
import { parsePosition, positionHeader } from "../../engine/log/position.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { type DataKey, keyText } from "../../engine/vault/data-key.js";
import { openUnit } from "../../engine/vault/sealed-unit.js";
import type { Vault } from "../../engine/vault/vault.js";
import { eventCatalog } from "../../schemas/events.generated.js";
import type { TestInstallation } from "../installation.js";
import { type Connector, connectorOf, connectors, flagsReusedIds, marksIn, resendRule } from "./deliveries.js";
import type { Answered } from "./partner.js";

/** What an interchange is told, and kept as, that was answered before. */
const duplicateCode = "DUPLICATE";

/** A unit as the journal has it. */
interface Kept {
  /** Journal partition and offset. */
  readonly place: string;
  readonly accepted: boolean;
  /** Why it was rejected. */
  readonly code: string | null;
  /** By the rule of its connector and the order of the journal alone, without a look into the ledger. */
  readonly resend: boolean;
  readonly events: number;
}

/** What the log holds: units by their marks, and the events published for each place of the journal, by their index. */
interface LogContent {
  readonly units: ReadonlyMap<string, readonly Kept[]>;
  readonly events: ReadonlyMap<string, ReadonlySet<number>>;
}

type Place = Pick<TestInstallation, "log" | "pool"> & { readonly codec: Codec; readonly vault: Vault };

async function readJournal({ log, codec, vault }: Place): Promise<Map<string, Kept[]>> {
  const units = new Map<string, Kept[]>();
  for (const { partition, low, high } of await log.watermarks(journalTopic)) {
    const seen = new Set<string>();
    const latest = new Map<string, { identity: string; receiptId: string }>();
    for await (const records of log.read(journalTopic, partition, low, high)) {
      const decoded = (await decodeEntries(codec, records)).map((entry, index) => {
        return { ...entry, place: `${partition}/${records[index]?.offset}` };
      });
      const entries = decoded.filter(({ entry }) => entry === "UNIT");
      const keys = await vault.openKeys(entries.flatMap(({ sealedFor }) => sealedFor));
      for (const entry of entries) {
        const chain = entry.sealedFor.map((name) => keys.get(keyText(name)) as DataKey);
        const { receiptId, accepted, code, place } = entry;
        const identity = entry.identity?.toString("hex") ?? "";
        let resend = false;
        if (accepted && entry.resend === "LATEST") {
          const resource = entry.resource?.toString("hex") ?? "";
          const before = latest.get(resource);
          resend = before?.identity === identity || before?.receiptId === receiptId;
          if (!resend) latest.set(resource, { identity, receiptId });
        } else if (accepted) {
          resend = seen.has(identity);
          seen.add(identity);
        }
        for (const mark of marksIn(openUnit(receiptId, chain, entry.sealedUnit).bytes)) {
          const kept = { place, accepted, code, resend, events: entry.events.length };
          units.set(mark, [...(units.get(mark) ?? []), kept]);
        }
      }
    }
  }
  return units;
}

async function readEvents({ log }: Place): Promise<Map<string, Set<number>>> {
  const events = new Map<string, Set<number>>();
  for (const topic of new Set(Object.values(eventCatalog).flatMap(({ topics }) => [...topics] as string[]))) {
    for (const { partition, low, high } of await log.watermarks(topic)) {
      for await (const records of log.read(topic, partition, low, high)) {
        for (const { headers } of records) {
          const position = parsePosition(headers[positionHeader] ?? "");
          const place = position ? `${position.partition}/${position.offset}` : "no place";
          events.set(place, (events.get(place) ?? new Set()).add(position?.index ?? 0));
        }
      }
    }
  }
  return events;
}

/** What a load and its faults came to. */
export interface Judgement {
  readonly violations: readonly string[];
  readonly units: number;
  readonly events: number;
  /** Sendings of units that had been answered before. */
  readonly resends: number;
  /** Facts under a control id used before. */
  readonly reusedIds: number;
  /** Interchanges sent again that were answered as the first time, since the note of that answer was lost. */
  readonly answeredAnew: number;
}

/** Compares what partners were told with the journal and the events: every answer must be true. */
export async function judge(place: Place, answered: readonly Answered[]): Promise<Judgement> {
  const content: LogContent = { units: await readJournal(place), events: await readEvents(place) };
  const violations: string[] = [];
  let [units, resends, answeredAnew] = [0, 0, 0];
  const reused = new Map<Connector, number>();
  for (const { connector, delivery, answers } of answered) {
    if (answers.length === 0) continue;
    resends += (answers.length - 1) * delivery.units.length;
    const anew = differingAnswers(connector, answers);
    answeredAnew += anew.asTheFirst;
    if (anew.differing > 0) violations.push(`${delivery.units[0]?.mark}: ${JSON.stringify(answers)}`);
    for (const [index, { mark, accepted }] of delivery.units.entries()) {
      units += 1;
      const told = answers.map((lines) => lines[index]);
      const wrong = told.find((line) => line?.code !== duplicateCode && line?.accepted !== accepted);
      if (wrong) violations.push(`${mark} was told ${JSON.stringify(wrong)}`);
      violations.push(...untrue(mark, accepted, content));
      if (accepted && mark.includes("VB")) reused.set(connector, (reused.get(connector) ?? 0) + 1);
    }
  }
  violations.push(...strayEvents(content));
  const { byPartner } = await intakeCounts(place.pool);
  let reusedIds = 0;
  for (const connector of connectors) {
    const expected = flagsReusedIds(connector) ? (reused.get(connector) ?? 0) : 0;
    const flagged = byPartner.filter((row) => row.connector === connector).reduce((sum, row) => sum + row.reusedIds, 0);
    if (flagged !== expected) violations.push(`${connector}: ${flagged} control ids flagged instead of ${expected}`);
    reusedIds += flagged;
  }
  const events = [...content.events.values()].reduce((sum, ids) => sum + ids.size, 0);
  return { violations, units, events, resends, reusedIds, answeredAnew };
}

const isDuplicate = (lines: Answered["answers"][number]): boolean =>
  lines.every(({ answer, code }) => answer === "TA1:R:025" && code === duplicateCode);

/** Answers to the same bytes that are not the same: an interchange that was answered is a duplicate ever after. */
function differingAnswers(connector: Connector, answers: Answered["answers"]) {
  const texts = answers.map((lines) => JSON.stringify(lines));
  if (connector !== "x12") return { differing: texts.filter((text) => text !== texts[0]).length, asTheFirst: 0 };
  const verdicts = answers.filter((lines) => !isDuplicate(lines)).map((lines) => JSON.stringify(lines));
  return {
    differing: verdicts.filter((text) => text !== verdicts[0]).length,
    asTheFirst: Math.max(0, verdicts.length - 1),
  };
}

/** What the log says against the verdict that a partner has. */
function untrue(mark: string, accepted: boolean, { units, events }: LogContent): string[] {
  const kept = units.get(mark) ?? [];
  const taken = kept.filter((entry) => entry.accepted);
  // An interchange that was answered before is kept when it comes again, as what it then is.
  const refused = kept.filter((entry) => !entry.accepted && entry.code !== duplicateCode);
  if (!accepted) {
    if (refused.length === 0) return [`${mark} was rejected and is not in the journal`];
    return taken.length > 0 ? [`${mark} was rejected and is in the journal as accepted`] : [];
  }
  const facts = taken.filter(({ resend }) => !resend);
  const wrong: string[] = [];
  if (refused.length > 0) wrong.push(`${mark} was accepted and is in the journal as rejected`);
  if (taken.length === 0) return [...wrong, `${mark} was accepted and is not in the journal`];
  if (resendRule[connectorOf(mark)] === "EVERY" && facts.length !== 1)
    wrong.push(`${mark} became ${facts.length} facts`);
  for (const { place, resend, events: made } of taken) {
    const found = events.get(place)?.size ?? 0;
    if (found !== (resend ? 0 : made)) wrong.push(`${mark}: ${found} events of ${resend ? "a resend" : made}`);
    if (!resend && made === 0) wrong.push(`${mark} was accepted and has no event`);
  }
  return wrong;
}

/** Events that no accepted unit of the journal caused. */
function strayEvents({ units, events }: LogContent): string[] {
  const causes = new Set([...units.values()].flat().flatMap((kept) => (kept.accepted ? [kept.place] : [])));
  return [...events.keys()].filter((cause) => !causes.has(cause)).map((cause) => `events of nothing: ${cause}`);
}
