import { compactDay } from "./calendar.js";
import type { PlannedMessage } from "./message.js";
import { diagnoses, procedures, tests } from "./vocabulary.js";

/** The member of a list that a salt chooses. */
const chosen = <T>(list: readonly T[], salt: number): T => list[salt % list.length] as T;

function results(message: PlannedMessage, stamp: (at: number) => string, end: string): string {
  const { salt, at } = message;
  const order = `L${salt}`;
  let text = `OBR|1|${order}^LIS|${order}F^LIS|24323-8^Comprehensive panel^LN|||${stamp(at)}||||G|||||1003000126^Care^Ann||||||${stamp(at)}||LAB|F${end}`;
  const count = 4 + (salt % 3);
  for (let i = 0; i < count; i++) {
    const [code, name, unit, range] = chosen(tests, (salt >>> 4) + i);
    const value = 40 + ((salt >>> (i + 3)) & 127);
    text += `OBX|${i + 1}|NM|${code}^${name}^LN||${value}|${unit}|${range}|${value > 120 ? "H" : "N"}|||F|||${stamp(at)}${end}`;
  }
  return `${text}NTE|1|L|Specimen received in good order; no haemolysis seen.${end}`;
}

function charges(message: PlannedMessage, end: string): string {
  const { salt, at } = message;
  const day = compactDay(at);
  let text = "";
  for (let i = 0; i < 3; i++) {
    const code = chosen(procedures, (salt >>> 5) + i);
    const cents = 2500 + ((salt >>> (i + 2)) & 8191);
    const amount = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
    text += `FT1|${i + 1}|C${salt}-${i}||${day}|${day}|CG|${code}^Service^CPT|||1|${amount}|${amount}|||||||Z0000^General examination^I10|1003000126^Care^Ann||||||${code}^Service^CPT${end}`;
  }
  return text;
}

/** The segments that make a message as long as real ones are; nothing in them is part of the truth. */
export function extras(message: PlannedMessage, stamp: (at: number) => string, end: string): string {
  if (message.kind === "ORU") return results(message, stamp, end);
  if (message.kind === "DFT") return charges(message, end);
  const { salt, visit, chart } = message;
  const [code, name] = chosen(diagnoses, salt >>> 3);
  const kin = `NK1|1|Kin^${salt & 1 ? "Paula" : "Peter"}|${salt & 2 ? "SPO^Spouse" : "PAR^Parent"}|${chart.person.number % 900} Mill Roadway^^Boston^MA^02118^USA|(617)555-${1000 + (salt % 9000)}||EC^Emergency contact${end}`;
  const doctor = `PD1|||Harbor Primary Care^^${1000 + (salt % 61)}|1003000134^Osei^Kwame${end}`;
  const reason = visit === null ? "" : `PV2||PRIV^Private|^${name}|||||||||||||||||||N${end}`;
  const allergy = salt & 4 ? `AL1|1|DA^Drug|70618^Penicillin^RXNORM|MO|Rash${end}` : "";
  const diagnosis = visit === null ? "" : `DG1|1||${code}^${name}^I10|||A${end}`;
  return doctor + kin + reason + allergy + diagnosis;
}
