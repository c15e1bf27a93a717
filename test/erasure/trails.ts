import { expect, it } from "vitest";
import { assertStillOpen } from "../../engine/audit/still-open.js";
import { type Trail, type TrailKind, trailOf } from "../../engine/audit/trail.js";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { formatPosition, positionHeader } from "../../engine/log/position.js";
import type { EventPlace, RequestedAction } from "../../engine/projector/decisions.js";
import { requestDecisions, requestOutcomes } from "../../engine/projector/requests.js";
import { sealedOpener } from "../../engine/service/sealed-opener.js";
import { projections } from "../region.js";
import { claimsOfOthers } from "./claims-of-others.js";
import type { Parts } from "./parts.js";

const north = { facility: "NORTH", authority: "NORTH" };

/** Trails in a region that is there once a test runs, and in which patients were erased. */
export function trailsOfParted(parts: () => Parts): void {
  /** By the timeline. @param how.scanned whether by reading the log it must be the same. */
  async function trail(kind: TrailKind, id: string, how: { opens?: boolean; scanned?: boolean } = {}) {
    const { opens = false, scanned = false } = how;
    const { kafka, database, vault, kek } = parts().region;
    const opener = sealedOpener(database.pool, kek, kafka.codec);
    const open = opens ? { open: { vault, opener } } : {};
    const source = { log: kafka.log, pool: database.pool, codec: kafka.codec, projections, ...open };
    try {
      const found = await trailOf(source, kind, id);
      if (!scanned) return found;
      const read = await trailOf({ ...source, scan: true }, kind, id);
      expect({ ...read.trail, by: "timeline" }).toEqual(found.trail);
      return found;
    } finally {
      opener.close();
    }
  }
  const visit = (name: string, patient: string): EventDraft => ({
    ...{ type: "VisitStarted", subject: parts().visitOf(name), time: 9_000, sealFor: parts().patientOf(patient) },
    fields: { ...north, patientId: parts().patientOf(patient), class: "I", admission: "ADMITTED" },
    sealed: { visitNumber: `V ${name}` },
  });
  const placesOf = ({ trail: { events } }: { readonly trail: Trail }) =>
    events.map(({ type, key }) => `${type} ${key.slice(0, 8)}`).sort();

  it("of a patient has nobody else in it once a merge is undone, or a visit moved away", async () => {
    const { region, unit, told, patientOf, visitOf, claimOf } = parts();
    const [ida, joe] = [patientOf("Ida"), patientOf("Joe")];
    await region.intake.submit([...told("Ida", 7_000), ...told("Joe", 7_100)]);
    await region.intake.submit([unit("admitted Away", [ida], [visit("Away", "Ida")])]);
    await region.settle();
    const alone = placesOf(await trail("patient", ida));
    const both = (type: "PatientsMerged" | "PatientsUnmerged", time: number) => {
      const merged = { survivingPatientId: ida, retiredPatientId: joe, merges: [] };
      const sides = [
        { subject: ida, more: type === "PatientsMerged" ? { ...merged, role: "SURVIVING" } : { otherPatientId: joe } },
        { subject: joe, more: type === "PatientsMerged" ? { ...merged, role: "RETIRED" } : { otherPatientId: ida } },
      ];
      const drafts = sides.map(({ subject, more }) => ({
        type,
        subject,
        time,
        fields: { facility: "NORTH", ...more },
      }));
      return unit(`${type} Joe`, [ida, joe], drafts as unknown as readonly EventDraft[]);
    };
    await region.intake.submit([both("PatientsMerged", 8_000)]);
    await region.settle();
    const merged = await trail("patient", ida, { opens: true });
    expect(merged.trail.patients).toEqual([ida, joe].sort());
    expect(merged.trail.events.map(({ key }) => key)).toContain(visitOf("Joe"));
    expect(merged.trail.units.some(({ bytes }) => String(bytes).includes("Joe"))).toBe(true);

    const moved: EventDraft = {
      ...{ type: "VisitMoved", subject: visitOf("Away"), time: 9_100, sealFor: joe },
      fields: { ...north, patientId: joe, fromPatientId: ida },
      sealed: { visitNumber: "V Away" },
    };
    const [, , { events: [claimed] = [] }] = told("Joe", 9_200) as readonly [unknown, unknown, ReceivedUnit];
    const claim = {
      ...(claimed as EventDraft),
      subject: claimOf("Joe's"),
      fields: { ...claimed?.fields, visitId: visitOf("Away") },
    } as EventDraft;
    await region.intake.submit([both("PatientsUnmerged", 9_000)]);
    await region.intake.submit([
      unit("admitted Joe's", [joe], [visit("Joe's", "Joe")]),
      unit("moved to Joe", [ida, joe], [moved]),
      unit("claimed Joe's", [joe], [claim]),
    ]);
    await region.settle();
    const parted = await trail("patient", ida, { opens: true, scanned: true });
    expect(parted.trail.apart).toEqual({ patients: [joe], visits: [visitOf("Away")], claims: [] });
    expect(placesOf(parted)).toEqual(
      [
        ...alone.filter((event) => event !== `VisitStarted ${visitOf("Away").slice(0, 8)}`),
        ...["PatientsMerged", "PatientsUnmerged"].map((type) => `${type} ${ida.slice(0, 8)}`),
        `VisitMoved ${visitOf("Away").slice(0, 8)}`,
      ].sort(),
    );
    // That it was so is told; what the messages say of the other one is not.
    expect(parted.trail.units.map(({ bytes }) => String(bytes)).filter((text) => /Joe|Away/.test(text))).toEqual([]);
    expect(JSON.stringify(parted.trail.events)).not.toMatch(/V Away|V Joe/);
    expect(parted.trail.units.filter(({ bytes }) => bytes !== null).length).toBe(3);
    // The other one has the visit, all of it.
    const other = await trail("patient", joe);
    expect(other.trail.apart).toEqual({ patients: [ida], visits: [], claims: [] });
    const keys = other.trail.events.map(({ key }) => key);
    const visits = ["Joe", "Joe's", "Away"].map(visitOf);
    expect(new Set(keys)).toEqual(new Set([joe, ...visits, claimOf("Joe"), claimOf("Joe's")]));
    expect(keys.filter((key) => key === visitOf("Away")).length).toBe(2);
    // Merged again they are one.
    await region.intake.submit([both("PatientsMerged", 9_200)]);
    await region.settle();
    const again = await trail("patient", ida);
    expect(again.trail.apart).toEqual({ patients: [], visits: [], claims: [] });
    expect(placesOf(again)).toEqual(placesOf(await trail("patient", joe)));
  });

  it("finds what the timeline holds back or was made to skip, and tells no change of a row that is held", async () => {
    const { region, unit, told, patientOf, visitOf } = parts();
    const { pool } = region.database;
    const { log } = region.kafka;
    const [, admitted] = told("Kim", 7_000);
    await region.intake.submit([admitted as ReceivedUnit]);
    await region.settle();
    const id = visitOf("Kim");
    const {
      trail: {
        events: [first],
      },
    } = await trail("visit", id);
    const [topic = "", lane = ""] = (first?.place ?? "").split("/");
    const partition = Number(lane);
    const end = async () => (await log.watermarks(topic)).find((one) => one.partition === partition)?.high ?? 0;
    const decide = async (action: RequestedAction, place: EventPlace, by: readonly string[]) => {
      const asked: string[] = [];
      for (const projection of new Set(by))
        asked.push(...(await requestDecisions(pool, { projection, action, places: [place], reason: "so", by: "op" })));
      await expect
        .poll(async () => (await requestOutcomes(pool, asked)).map(({ state }) => state), { timeout: 10_000 })
        .toEqual(asked.map(() => "done"));
    };
    const holding = ({ trail: { held } }: { readonly trail: Trail }) => held.map(({ projection }) => projection);
    const move = async (location: string, time: number) => {
      const fields = { ...north, patientId: patientOf("Kim"), class: "I", location };
      await region.intake.submit([
        unit(location, [patientOf("Kim")], [{ type: "VisitTransferred", subject: id, time, fields }]),
      ]);
      await region.settle();
    };
    const locations = ({ trail: { events } }: { readonly trail: Trail }) =>
      events.map(({ event, changes }) => [
        event.location ?? null,
        changes.filter(({ table }) => table === "visits").flatMap(({ columns }) => columns.location?.[1] ?? []),
      ]);

    // What no event is: it comes after the first event, and so do the next.
    const poison = { topic, partition, offset: await end() };
    const [row] = await region.rows(
      `SELECT journal, journal_partition AS partition, journal_offset AS "offset", journal_index AS index FROM projections.timeline WHERE visit_id = $1`,
      [id],
    );
    const position = { ...(row as never as Parameters<typeof formatPosition>[0]), index: 7, recordedAt: Date.now() };
    const producer = await log.producer();
    const headers = { [positionHeader]: formatPosition(position) };
    await producer.append([{ topic, partition, key: id, value: Buffer.from("garbage"), headers }]);
    await producer.close();
    await move("BEHIND", 8_000);
    const held = await trail("visit", id, { scanned: true });
    expect(locations(held)).toEqual([
      [null, []],
      ["BEHIND", []],
    ]);
    expect(held.trail.events[1]?.parked).toContain("visits");
    const place = `${topic}/${partition}/${poison.offset}`;
    expect(held.trail.held).toEqual(
      expect.arrayContaining(
        ["timeline", "visits"].map((projection) =>
          expect.objectContaining({ projection, place, key: id, code: "TRIB_PROJECT_EVENT_UNDECODABLE" }),
        ),
      ),
    );
    await decide("skip", poison, holding(held));
    await region.settle();
    const released = await trail("visit", id);
    expect(released.trail.held).toEqual([]);
    expect(locations(released)).toEqual([
      [null, []],
      ["BEHIND", ["BEHIND"]],
    ]);

    // An event that an operator holds back, and makes them skip.
    const next = { topic, partition, offset: await end() };
    await decide("park", next, ["timeline", "visits"]);
    await move("SKIPPED", 8_100);
    const parked = await trail("visit", id, { scanned: true });
    expect(locations(parked).at(-1)).toEqual(["SKIPPED", []]);
    expect(parked.trail.events.at(-1)?.parked).toContain("visits");
    await decide("skip", next, holding(parked));
    await move("LAST", 8_200);
    const skipped = await trail("visit", id, { scanned: true });
    expect(skipped.trail.held).toEqual([]);
    expect(locations(skipped).slice(1)).toEqual([
      ["BEHIND", ["BEHIND"]],
      ["SKIPPED", []],
      ["LAST", ["LAST"]],
    ]);
  });

  it("is told to be held back where the log has nothing else about somebody, with the command that shows it", async () => {
    const { region, visitOf } = parts();
    const { log } = region.kafka;
    const [id, topic] = [visitOf("Nobody"), "health.visit.events"];
    await expect(trail("visit", id)).rejects.toThrow(`The log has no event about visit ${id}.`);
    const [row] = await region.rows(
      `SELECT journal, journal_partition AS partition, journal_offset AS "offset", partition AS lane FROM projections.timeline
       WHERE topic = $1 ORDER BY recorded_at DESC, "offset" DESC LIMIT 1`,
      [topic],
    );
    const { lane, ...last } = row as never as Parameters<typeof formatPosition>[0] & { readonly lane: number };
    const headers = { [positionHeader]: formatPosition({ ...last, index: 7_000, recordedAt: Date.now() }) };
    const producer = await log.producer();
    await producer.append([{ topic, partition: lane, key: id, value: Buffer.from("garbage"), headers }]);
    await producer.close();
    await region.settle();
    await expect(trail("visit", id)).rejects.toThrow(
      /no event about visit \S+ that can be read\. .*visits holds the key back from (\S+) on \(TRIB_PROJECT_EVENT_UNDECODABLE\): `tributary parked show visits \1`/,
    );
  });

  claimsOfOthers(parts, trail);

  it("that was opened is not handed out once a patient in it is erased", async () => {
    const { region, patientOf } = parts();
    const { pool } = region.database;
    const { opened } = await trail("patient", patientOf("Kim"), { opens: true });
    await region.vault.destroy([patientOf("Joe")]);
    await assertStillOpen(pool, opened);
    await region.vault.destroy([patientOf("Kim")]);
    await expect(assertStillOpen(pool, opened)).rejects.toMatchObject({ code: "TRIB_AUDIT_ERASED_MEANWHILE" });
    await assertStillOpen(pool, (await trail("patient", patientOf("Kim"), { opens: true })).opened);
  });
}
