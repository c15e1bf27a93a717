import type { Person } from "./population.js";
import type { Random } from "./random.js";
import { type HospitalSender, MASTER_INDEX, NATIONAL } from "./senders.js";
import { streets, toAscii, toLatin1 } from "./vocabulary.js";

/** What a sender knows of a person; null: not known, or withdrawn. Never changed in place: a correction makes a new one. */
export interface Demographics {
  readonly family: string;
  readonly given: string;
  readonly middle: string;
  readonly birthDate: string | null;
  readonly sex: "M" | "F" | null;
  readonly address: string | null;
  readonly phone: string | null;
}

export type DemographicField = "birthDate" | "sex" | "address" | "phone";

interface Identifier {
  readonly authority: string;
  readonly type: "MR" | "PI" | "NI";
  readonly value: string;
}

/** One patient record of one sender. A person may have several until they are merged. */
export interface Chart {
  readonly sender: HospitalSender;
  /** The sender's own number: the identifier by which the truth names the patient. */
  readonly recordNumber: string;
  /** All repetitions of PID-3, in the order in which this sender writes them. */
  readonly identifiers: readonly Identifier[];
  readonly person: Person;
  /** What was last said of the person; null while nothing was (a record known from a merge only). */
  demographics: Demographics | null;
  /** The record into which this one was merged, directly. */
  mergedInto: Chart | null;
}

/** "NORTH|MR|N000014": how the truth names a patient. */
export const patientName = (chart: Chart): string => `${chart.sender.facility}|MR|${chart.recordNumber}`;

const spellings = { utf8: (text: string) => text, latin1: toLatin1, ascii: toAscii } as const;

/** What a sender writes down at the desk, spelled as its character set can. */
export function askPerson(person: Person, sender: HospitalSender): Demographics {
  const spell = spellings[sender.encoding];
  return {
    family: spell(person.family),
    given: spell(person.given),
    middle: spell(person.middle),
    birthDate: person.birthDate,
    sex: person.sex,
    address: `${person.street}^^${person.city}^MA^${person.zip}^USA`,
    phone: person.phone,
  };
}

/**
 * Opens a record.
 * @param linked whether the desk also found the person's enterprise and national numbers; a duplicate is made without
 */
export function openChart(
  person: Person,
  sender: HospitalSender,
  recordNumber: string,
  linked: boolean,
  random: Random,
): Chart {
  const known: Identifier[] = [{ authority: sender.facility, type: "MR", value: recordNumber }];
  const knows = { MR: true, PI: linked && random.chance(930), NI: linked && random.chance(800) };
  if (knows.PI) known.push({ authority: MASTER_INDEX, type: "PI", value: person.masterNumber });
  if (knows.NI) known.push({ authority: NATIONAL, type: "NI", value: person.nationalNumber });
  const identifiers = sender.identifierOrder.flatMap((type) => known.filter((one) => one.type === type));
  return { sender, recordNumber, identifiers, person, demographics: null, mergedInto: null };
}

/** A correction: the new demographics, and the fields that the message must clear (`""`) to bring them about. */
export function correct(known: Demographics, random: Random): { now: Demographics; cleared: DemographicField[] } {
  switch (random.below(6)) {
    case 0:
      return { now: { ...known, phone: null }, cleared: ["phone"] };
    case 1:
      return { now: { ...known, birthDate: null }, cleared: ["birthDate"] };
    case 2:
      return { now: { ...known, sex: null, address: null }, cleared: ["sex", "address"] };
    case 3:
      return {
        now: { ...known, birthDate: `19${random.between(40, 99)}-0${random.between(1, 9)}-1${random.below(10)}` },
        cleared: [],
      };
    case 4:
      return { now: { ...known, family: `${known.family}-Lee`, middle: "" }, cleared: [] };
    default:
      return {
        now: {
          ...known,
          address: `${random.between(1, 899)} ${random.pick(streets)}^^Boston^MA^02118^USA`,
          phone: `(508)555-${random.between(1000, 9999)}`,
        },
        cleared: [],
      };
  }
}
