import { DAY, isoDay } from "./calendar.js";
import type { Random } from "./random.js";
import type { HospitalName } from "./senders.js";
import { cities, families, femaleNames, maleNames, streets } from "./vocabulary.js";

/** A person of the region, as nobody but the generator knows him. Spelled in full Unicode; senders spell as they can. */
export interface Person {
  readonly number: number;
  readonly family: string;
  readonly given: string;
  readonly middle: string;
  readonly sex: "M" | "F";
  /** "YYYY-MM-DD". */
  readonly birthDate: string;
  readonly street: string;
  readonly city: string;
  readonly zip: string;
  readonly phone: string;
  /** Number in the enterprise's master index. */
  readonly masterNumber: string;
  readonly nationalNumber: string;
  readonly memberNumber: string;
  /** Where he is or will be a patient; at least one place. */
  readonly places: readonly HospitalName[];
}

const places: readonly (readonly HospitalName[])[] = [
  ["north"],
  ["north"],
  ["north"],
  ["south"],
  ["south"],
  ["practice"],
  ["practice"],
  ["north", "south"],
  ["north", "practice"],
  ["south", "practice"],
  ["north", "south", "practice"],
];

const youngest = Date.UTC(2025, 0, 1);

/**
 * One person. The same seed and number always give the same person, whoever was made before.
 * @param number from 0; unique numbers give unique identifiers
 */
export function makePerson(random: Random, number: number): Person {
  const sex = random.chance(510) ? "F" : "M";
  const [city, zip] = random.pick(cities);
  return {
    number,
    family: random.pick(families),
    given: random.pick(sex === "F" ? femaleNames : maleNames),
    middle: random.chance(600) ? random.pick(sex === "F" ? femaleNames : maleNames) : "",
    sex,
    birthDate: isoDay(youngest - random.below(33_000) * DAY),
    street: `${random.between(1, 899)} ${random.pick(streets)}${random.chance(300) ? ` Apt ${random.between(1, 60)}` : ""}`,
    city,
    zip,
    phone: `(617)555-${String(random.below(10_000)).padStart(4, "0")}`,
    masterNumber: `E${String(number + 1).padStart(8, "0")}`,
    nationalNumber: `9${String(number * 7 + 10_000_019).padStart(9, "0")}`,
    memberNumber: `M${String(number * 13 + 100_003).padStart(9, "0")}`,
    places: random.pick(places),
  };
}
