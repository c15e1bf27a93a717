import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { type Retranslated, type RetranslateOptions, retranslate } from "../../engine/intake/retranslate.js";
import { openTranslator } from "../../engine/service/translator.js";
import type { Region } from "../region.js";

/** A partner whose profile was wrong, what it sent, and what came of it. */
export interface MendedPartner {
  readonly connector: string;
  readonly partner: string;
  readonly wrong: object;
  readonly right: object;
  /** Transmissions, each with the way it was sent where the connector has several. */
  readonly sent: readonly (readonly [bytes: Buffer, way?: string])[];
  /** Code by which units were rejected that the right profile takes. */
  readonly code: string;
  /** Whether what was taken by the right profile is read wrong once more, and right again. */
  readonly twice?: boolean;
}

type Again = (changes: Partial<RetranslateOptions>) => RetranslateOptions;

/** A connector as it is, with one profile. */
async function translatorWith(region: Region, { connector, partner }: MendedPartner, profile: object) {
  const root = mkdtempSync(join(tmpdir(), "tributary-mended-"));
  const folder = join(root, "producers", connector, "partners");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${partner}.json`), JSON.stringify(profile));
  const settings = { ...region.kafka.settings, TRIBUTARY_SECRET: region.secret };
  const translator = await openTranslator(connector, settings, root);
  rmSync(root, { recursive: true });
  return translator;
}

/** Journals what a connector makes of what a partner sent, as the connector would. */
export async function received(region: Region, units: readonly ReceivedUnit[]): Promise<void> {
  const transmissions = new Map<string, string>();
  const named = (id: string) => {
    const name = transmissions.get(id) ?? region.intake.newReceiptId();
    transmissions.set(id, name);
    return name;
  };
  const taken = units.map((unit) =>
    unit.transport
      ? { ...unit, transport: { ...unit.transport, transmissionId: named(unit.transport.transmissionId) } }
      : unit,
  );
  await region.intake.submit(taken);
  await region.settle();
}

/**
 * A partner's messages, received under the wrong profile and translated again under the right one. Checks that the dry run
 * tells the same as the run, that doing it again changes nothing, and that what was rejected and is taken by now can be
 * mended once more.
 */
export async function mended(region: Region, options: Again, partner: MendedPartner): Promise<readonly Retranslated[]> {
  const wrong = await translatorWith(region, partner, partner.wrong);
  const right = await translatorWith(region, partner, partner.right);
  const done: Retranslated[] = [];
  try {
    for (const [bytes, way] of partner.sent) await received(region, await wrong.translate(partner.partner, bytes, way));
    for (const code of [undefined, partner.code]) {
      const filter = { partner: partner.partner, ...(code !== undefined && { code }) };
      const run = (translator: typeof right, dryRun: boolean) =>
        retranslate(options({ translator: async () => translator, filter, dryRun }));
      const dry = await run(right, true);
      const made = await run(right, false);
      expect(made).toEqual(dry);
      await region.settle();
      expect(await run(right, true)).toMatchObject({ changed: 0, resent: 0, units: made.units });
      done.push(made);
      if (code === undefined || !partner.twice) continue;
      // Read wrong again, what was rejected is withdrawn; and once more right, it is told again.
      expect(await run(wrong, false)).toMatchObject({ changed: made.changed, resent: 0 });
      await region.settle();
      expect(await run(right, false)).toMatchObject({ changed: made.changed, resent: 0 });
      await region.settle();
    }
  } finally {
    await Promise.all([wrong.close(), right.close()]);
  }
  return done;
}

/** A partner's message as a connector leaves it that ends before it could write the end: its units, no closing entry. */
export async function cutOff(region: Region, options: Again, partner: MendedPartner, bytes: Buffer) {
  const right = await translatorWith(region, partner, partner.right);
  try {
    const units = await right.translate(partner.partner, bytes);
    const until = units.findIndex(({ entry }) => entry === "UNIT");
    await received(region, units.slice(0, until + 1));
    const filter = { partner: partner.partner };
    return await retranslate(options({ translator: async () => right, filter }));
  } finally {
    await right.close();
  }
}
