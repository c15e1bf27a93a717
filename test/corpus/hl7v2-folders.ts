import { expect } from "vitest";
import { intakeCounts } from "../../engine/intake/journal.js";
import { readFacts, readSample, samplesBelow } from "../../producers/hl7v2/testing/corpus.js";
import { countBy } from "../../producers/x12/testing/facts.js";
import type { TestInstallation } from "../installation.js";
import type { ListedDifferences } from "./differences.js";
import {
  type Hl7v2Facts,
  identifierListing,
  patientIds,
  survivorListing,
  visitListings,
  visitStatusOf,
  visits,
} from "./hl7v2-facts.js";
import { type Answered, sendFile } from "./sending.js";
import { during, type JournalStretch } from "./stretch.js";

export interface SentFolder {
  readonly answers: readonly Answered[];
  readonly stretch: JournalStretch;
}

const folderOf = (path: string) => path.split("/")[0] as string;

/** What the publisher counted of HL7 v2 units. */
async function counted({ pool }: TestInstallation): Promise<{ units: number; resends: number; reusedIds: number }> {
  const total = { units: 0, resends: 0, reusedIds: 0 };
  for (const row of (await intakeCounts(pool)).byPartner) {
    if (row.connector !== "hl7v2") continue;
    total.units += row.units;
    total.resends += row.resends;
    total.reusedIds += row.reusedIds;
  }
  return total;
}

/** MSH-3, MSH-4 and MSH-10 of the messages in a file, read as simply as can be. */
function controlIds(file: Buffer): string[] {
  const headers = file.toString("latin1").match(/MSH.+/g) ?? [];
  return headers.map((header) => {
    const fields = header.split(header[3] as string);
    return [fields[2], fields[3], fields[9]].join("\t");
  });
}

/**
 * Sends every folder of HL7 v2 samples, one after another, each file's messages in order, and compares the rows made of a
 * folder with what is expected of it.
 * @returns the folders by name, and what differs without being listed.
 */
export async function sendFolders(
  installation: TestInstallation,
  differences: ListedDifferences,
): Promise<{ readonly folders: ReadonlyMap<string, SentFolder>; readonly found: readonly unknown[] }> {
  const facts = readFacts<{ files: Record<string, Hl7v2Facts>; folders: Record<string, Hl7v2Facts> }>(
    "expected/hl7v2.json",
  );
  const folders = new Map<string, SentFolder>();
  const found: unknown[] = [];
  const owners = new Map<string, string>();
  const idsBefore = new Set<string>();
  const paths = samplesBelow("hl7v2");
  for (const folder of new Set(paths.map(folderOf))) {
    const files = paths.filter((path) => folderOf(path) === folder);
    const before = await counted(installation);
    const { stretch, result: answers } = await during(installation, async () => {
      const lines: Answered[] = [];
      for (const path of files) {
        lines.push(...(await sendFile(installation, "hl7v2", path, readSample(`hl7v2/${path}`))));
      }
      return lines;
    });
    expect(await installation.applied()).toEqual({ parkedKeys: 0 });
    const after = await counted(installation);
    folders.set(folder, { answers, stretch });

    // The folders are compared one by one, so none may add to the patients of another.
    for (const patient of await patientIds(installation, stretch)) {
      expect(owners.get(patient) ?? folder).toBe(folder);
      owners.set(patient, folder);
    }
    // An id that another folder used before is a reused one here, which the facts of this folder alone don't say.
    const ids = new Set(files.flatMap((path) => controlIds(readSample(`hl7v2/${path}`))));
    const shared = [...ids].filter((id) => idsBefore.has(id) && !id.endsWith("\t")).length;
    for (const id of ids) idsBefore.add(id);

    const expected = (facts.folders[folder] ?? facts.files[files[0] as string]) as Hl7v2Facts;
    const rows = await visits(installation, stretch);
    const statuses = expected.visit_status_by_event_time ?? {};
    found.push(
      ...differences.compare(
        folder,
        {
          messages: expected.messages,
          malformed: expected.malformed.map(({ index, ack }) => ({ index, ack })),
          patient_identifiers: {
            count: expected.patient_identifiers.count,
            sha256: expected.patient_identifiers.sha256,
          },
          ...(expected.merges ? { merges: expected.merges.survivor_listing } : {}),
          visits: expected.visits?.count ?? 0,
          statuses: countBy(
            Object.entries(statuses).flatMap(([status, count]) =>
              Array<string>(count).fill(visitStatusOf[status] ?? ""),
            ),
          ),
          same_id_same_content: expected.duplicates.same_id_same_content,
          same_id_other_content: expected.duplicates.same_id_other_content + shared,
        },
        {
          messages: after.units - before.units,
          malformed: answers.flatMap(({ accepted, answer }, index) => (accepted ? [] : [{ index, ack: answer }])),
          patient_identifiers: await identifierListing(installation, stretch),
          merges: await survivorListing(installation, stretch),
          visits: rows.length,
          statuses: countBy(rows.map(({ status }) => status)),
          same_id_same_content: after.resends - before.resends,
          same_id_other_content: after.reusedIds - before.reusedIds,
        },
      ),
    );
    expect(answers.length).toBe(expected.messages);
    if (expected.visits_event_time_sha256) {
      const listings = visitListings(rows, statuses);
      const fact = "visits_event_time_sha256";
      found.push(...differences.compareAny(folder, fact, expected.visits_event_time_sha256, listings));
    }
  }
  return { folders, found };
}
